package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
)

// found is an event with the request that it came with.
type found struct {
	Request int64         `json:"request"` // the id
	N       int           `json:"n"`       // the number of the event in the request
	Event   anymail.Event `json:"event"`
}

// light returns an event of a record without the contents of attachments.
func (r *Record) light(n int) anymail.Event {
	if in, ok := r.Events[n].(*anymail.InboundEvent); ok {
		return withoutContents(in)
	}
	return r.Events[n]
}

// events returns normalized events, newest first.
func (l *Listener) events(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	f, err := parseFilter(q, time.Now())
	if err != nil {
		badRequest(w, err)
		return
	}
	limit, err := number(q, "limit", defaultList)
	if err != nil {
		badRequest(w, err)
		return
	}
	after, err := number(q, "after", 0)
	if err != nil {
		badRequest(w, err)
		return
	}
	list := []found{}
	records := l.store.all()
	most := min(int(limit), maxList)
	for i := len(records) - 1; i >= 0 && records[i].ID > after && len(list) < most; i-- {
		r := records[i]
		lines, _ := f.match(r)
		for j := len(lines) - 1; j >= 0 && len(list) < most; j-- {
			list = append(list, found{r.ID, lines[j].N, r.light(lines[j].N)})
		}
	}
	writeJSON(w, map[string]any{"events": list})
}

const (
	defaultWait = 30 * time.Second
	maxWait     = 5 * time.Minute
)

// wait returns the first event that matches, when there is one. It may have been
// received before.
func (l *Listener) wait(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	f, err := parseFilter(q, time.Now())
	if err != nil {
		badRequest(w, err)
		return
	}
	after, err := number(q, "after", 0)
	if err != nil {
		badRequest(w, err)
		return
	}
	timeout := defaultWait
	if text := q.Get("timeout"); text != "" {
		if timeout, err = time.ParseDuration(text); err != nil || timeout < 0 || timeout > maxWait {
			badRequest(w, fmt.Errorf("timeout: must be a duration such as 10s, at most %s", maxWait))
			return
		}
	}
	select {
	case l.waits <- struct{}{}:
		defer func() { <-l.waits }()
	default:
		http.Error(w, errBusy.Error(), http.StatusServiceUnavailable)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + time.Minute))
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		records, changed := l.store.next(after)
		for _, r := range records {
			if lines, _ := f.match(r); len(lines) > 0 {
				writeJSON(w, found{r.ID, lines[0].N, r.light(lines[0].N)})
				return
			}
			after = r.ID
		}
		select {
		case <-changed:
		case <-timer.C:
			http.Error(w, errNoEvent.Error(), http.StatusRequestTimeout)
			return
		case <-req.Context().Done():
			return
		}
	}
}

var errNoEvent = errors.New("no such event has been received in time")
