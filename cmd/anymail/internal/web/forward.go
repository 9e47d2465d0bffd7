package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

const (
	maxForwards  = 8   // at a time
	maxForwarded = 512 // that wait or run
	maxSent      = 16  // outcomes that are kept of one request
)

// forwarder sends each request that was received to another server as well, in the
// background: the ESP does not wait for it.
type forwarder struct {
	listener *Listener
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	waiting  chan struct{} // a place for each request that waits or runs
	places   chan struct{} // and for each that runs

	mu     sync.Mutex
	closed bool
	to     *url.URL // nil for nowhere
	sign   bool
}

func newForwarder(l *Listener) *forwarder {
	f := &forwarder{listener: l, waiting: make(chan struct{}, maxForwarded), places: make(chan struct{}, maxForwards)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// set sets where requests are sent, and whether they are signed anew.
func (f *forwarder) set(to *url.URL, sign bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to, f.sign = to, sign
}

// forward sends a record, if requests are forwarded and it was not sent before.
func (f *forwarder) forward(r *Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to, sign := f.to, f.sign
	if to == nil || f.closed || r.Source == Replayed || !strings.HasPrefix(r.Path, Mount+"/") {
		return
	}
	store := f.listener.store
	select {
	case f.waiting <- struct{}{}:
	default:
		store.addSent(r.ID, sent{URL: withoutUser(r.below(to)), Signed: sign, Error: "too many requests wait to be forwarded"})
		return
	}
	f.running.Go(func() {
		defer func() { <-f.waiting }()
		select {
		case f.places <- struct{}{}:
			defer func() { <-f.places }()
		case <-f.ctx.Done():
			return
		}
		store.addSent(r.ID, f.listener.send(f.ctx, r, f.listener.request(r), r.below(to), sign))
	})
}

// close ends what is being forwarded.
func (f *forwarder) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.running.Wait()
}

func withoutUser(u *url.URL) string {
	plain := *u
	plain.User = nil
	return plain.String()
}

type forwarding struct {
	URL  string `json:"url"`
	Sign bool   `json:"sign"`
}

func (l *Listener) getForward(w http.ResponseWriter, _ *http.Request) {
	f := l.forwarder
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := forwarding{Sign: f.sign}
	if f.to != nil {
		answer.URL = withoutUser(f.to)
	}
	writeJSON(w, answer)
}

func (l *Listener) putForward(w http.ResponseWriter, req *http.Request) {
	var ask forwarding
	if err := readJSON(w, req, &ask); err != nil {
		badRequest(w, err)
		return
	}
	var to *url.URL
	if ask.URL != "" {
		var err error
		if to, err = parseURL(ask.URL); err != nil {
			badRequest(w, err)
			return
		}
	}
	l.forwarder.set(to, ask.Sign)
	l.getForward(w, req)
}
