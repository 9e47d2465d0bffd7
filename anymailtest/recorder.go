package anymailtest

import (
	"context"
	"sync"

	"github.com/goanymail/anymail"
)

// Recorder keeps the events that its receivers are called with. The zero value
// is ready to use. A Recorder is safe for concurrent use.
type Recorder struct {
	// Err, if set, is called after an event was kept. The receivers return
	// its result. Set it before events arrive.
	Err func(anymail.Event) error

	mu     sync.Mutex
	events []anymail.Event
}

// Connect connects the recorder to both signals under a name.
func (r *Recorder) Connect(s *anymail.Signals, name string, filters ...anymail.Filter) error {
	err := s.Tracking.Connect(name, func(_ context.Context, ev *anymail.TrackingEvent) error { return r.record(ev) }, filters...)
	if err != nil {
		return err
	}
	return s.Inbound.Connect(name, func(_ context.Context, ev *anymail.InboundEvent) error { return r.record(ev) }, filters...)
}

func (r *Recorder) record(ev anymail.Event) error {
	r.mu.Lock()
	r.events = append(r.events, ev)
	r.mu.Unlock()
	if r.Err != nil {
		return r.Err(ev)
	}
	return nil
}

// Events returns the events so far, in the order of arrival.
func (r *Recorder) Events() []anymail.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]anymail.Event(nil), r.events...)
}

// Take returns the events so far and forgets them.
func (r *Recorder) Take() []anymail.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}
