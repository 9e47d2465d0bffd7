package web

import (
	"fmt"
	"net/http"
	"time"
)

// bucket counts the requests of a part of the time. Accepted counts events, as the
// list does.
type bucket struct {
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
}

type statistics struct {
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Buckets  []bucket       `json:"buckets"`
	Types    map[string]int `json:"types"`
	Reasons  map[string]int `json:"reasons"`
	ESPs     map[string]int `json:"esps"`
	Accounts map[string]int `json:"accounts"`
}

// stats counts the requests that match, for the chart.
func (l *Listener) stats(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	now := time.Now()
	f, err := parseFilter(q, now)
	if err != nil {
		badRequest(w, err)
		return
	}
	buckets, err := number(q, "buckets", 60)
	if err != nil || buckets < 1 || buckets > 1000 {
		badRequest(w, fmt.Errorf("buckets: must be a number from 1 to 1000"))
		return
	}
	writeJSON(w, l.store.count(f, int(buckets), now))
}

// count fills buckets of equal length from f.from, or else the oldest request, to
// f.to, or else now.
func (s *store) count(f filter, buckets int, now time.Time) statistics {
	records := s.all()
	if f.to.IsZero() {
		f.to = now
	}
	if f.from.IsZero() {
		f.from = f.to.Add(-time.Minute)
		for _, r := range records { // imported ones may be older than those before them
			if r.Time.Before(f.from) {
				f.from = r.Time
			}
		}
	}
	answer := statistics{
		From: f.from, To: f.to, Buckets: make([]bucket, buckets),
		Types: map[string]int{}, Reasons: map[string]int{}, ESPs: map[string]int{}, Accounts: map[string]int{},
	}
	span := f.to.Sub(f.from)
	if span <= 0 {
		return answer
	}
	for _, r := range records {
		events, ok := f.match(r)
		if !ok {
			continue
		}
		b := &answer.Buckets[min(int(float64(r.Time.Sub(f.from))/float64(span)*float64(buckets)), buckets-1)]
		if r.refused() {
			b.Refused++
		} else {
			b.Accepted += max(1, len(events))
		}
		for _, line := range events {
			answer.Types[line.Type]++
			answer.ESPs[line.ESP]++
			if line.Reason != "" {
				answer.Reasons[line.Reason]++
			}
		}
		if r.Name != "" {
			answer.Accounts[r.Name] += max(1, len(events))
		}
		if len(events) == 0 && r.ESP != "" {
			answer.ESPs[r.ESP]++
		}
	}
	return answer
}
