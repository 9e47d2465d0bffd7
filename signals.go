package anymail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Signals are the two signals that receivers are connected to. A [Dispatcher]
// has them; a worker process that gets its events from a queue can use them
// alone. The zero value is ready to use.
type Signals struct {
	Tracking Signal[*TrackingEvent]
	Inbound  Signal[*InboundEvent]
}

// Signal calls the receivers that are connected to it. Its zero value is ready
// to use. All methods may be called while events are being delivered.
type Signal[E Event] struct {
	mu   sync.Mutex // held by writers; readers use list alone
	list atomic.Pointer[[]connection[E]]
}

type connection[E Event] struct {
	name    string
	receive func(context.Context, E) error
	filters []Filter
}

// Filter reports whether a receiver sees an event. Any function of this form is a
// filter. It must not change the event.
type Filter func(Event) bool

// ForESP passes the events of these ESPs, by canonical name.
func ForESP(names ...string) Filter {
	return func(ev Event) bool { return slices.Contains(names, ev.Base().ESP) }
}

// ForTypes passes the events of these types.
func ForTypes(types ...EventType) Filter {
	return func(ev Event) bool { return slices.Contains(types, ev.Base().Type) }
}

// ToSuppress is a filter. It passes the tracking events after which their recipient
// must not be mailed again: see [TrackingEvent.ShouldSuppress].
func ToSuppress(ev Event) bool {
	t, ok := ev.(*TrackingEvent)
	return ok && t.ShouldSuppress()
}

// Connect adds a receiver under a name that is not yet taken. The name is in
// errors and in the idempotency store, so keep it over restarts. The receiver
// sees the events that pass all filters. Receivers may run concurrently, for
// different requests. An error makes the ESP, or the queue, redeliver the event
// to this receiver. Connect returns [ErrConfig] if an argument is invalid.
func (s *Signal[E]) Connect(name string, receive func(context.Context, E) error, filters ...Filter) error {
	if name == "" || receive == nil {
		return Misconfigured("Connect", "a receiver must have a name and a function")
	}
	for _, filter := range filters {
		if filter == nil {
			return Misconfigured("Connect("+name+")", "a filter must not be nil")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.connections()
	for _, c := range old {
		if c.name == name {
			return Misconfigured("Connect("+name+")", "a receiver of this name is already connected")
		}
	}
	list := append(slices.Clone(old), connection[E]{name, receive, slices.Clone(filters)})
	s.list.Store(&list)
	return nil
}

// Disconnect removes a receiver and reports whether there was one of this name.
// A delivery that has begun goes on with the other events of its request.
func (s *Signal[E]) Disconnect(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.connections())
	list = slices.DeleteFunc(list, func(c connection[E]) bool { return c.name == name })
	found := len(list) < len(s.connections())
	s.list.Store(&list)
	return found
}

// Receivers returns the names of the connected receivers, in order.
func (s *Signal[E]) Receivers() []string {
	var names []string
	for _, c := range s.connections() {
		names = append(names, c.name)
	}
	return names
}

func (s *Signal[E]) connections() []connection[E] {
	if list := s.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (c *connection[E]) wants(ev E) bool {
	for _, pass := range c.filters {
		if !pass(ev) {
			return false
		}
	}
	return true
}

// call runs the receiver and turns a panic into an error, so that one receiver
// cannot keep the others, or the process, from running.
func (c *connection[E]) call(ctx context.Context, hooks hookList, ev E) error {
	ctx, end := hooks.receiver(ctx, c.name, ev)
	return observe(end, func() error {
		err := recoverPanic(func() error { return c.receive(ctx, ev) })
		if err != nil {
			err = c.failed(ev, err)
		}
		return err
	})
}

func (c *connection[E]) failed(ev E, err error) error {
	base := ev.Base()
	return &ReceiverError{Receiver: c.name, ESP: base.ESP, Type: base.Type, Key: base.Key, Err: err}
}

// Matching returns the names of the receivers that ev is for, in order. A queue
// makes one job for each. A receiver whose filter panics is among them, so that
// the others are not affected: its job fails, see [Signals.Call].
func (s *Signals) Matching(ev Event) []string {
	switch ev := ev.(type) {
	case *TrackingEvent:
		return matching(&s.Tracking, ev)
	case *InboundEvent:
		return matching(&s.Inbound, ev)
	}
	return nil
}

func matching[E Event](s *Signal[E], ev E) []string {
	var names []string
	for _, c := range s.connections() {
		wants := true
		_ = recoverPanic(func() error { wants = c.wants(ev); return nil })
		if wants {
			names = append(names, c.name)
		}
	}
	return names
}

// Call runs one receiver on one event, without an idempotency store. It returns
// the receiver's error, or the panic of one of its filters, as a
// [*ReceiverError], and [ErrUnavailable] if no receiver of that name is
// connected. It ignores what the filters return: Matching has asked them.
func (s *Signals) Call(ctx context.Context, receiver string, ev Event) error {
	switch ev := ev.(type) {
	case *TrackingEvent:
		return callNamed(ctx, &s.Tracking, receiver, ev)
	case *InboundEvent:
		return callNamed(ctx, &s.Inbound, receiver, ev)
	}
	return Malformed("event of an unknown kind", nil)
}

func callNamed[E Event](ctx context.Context, s *Signal[E], receiver string, ev E) error {
	for _, c := range s.connections() {
		if c.name != receiver {
			continue
		}
		if err := recoverPanic(func() error { c.wants(ev); return nil }); err != nil {
			return c.failed(ev, err)
		}
		return c.call(ctx, hookList{}, ev)
	}
	return Because(ErrUnavailable, "receiver is not connected", fmt.Errorf("%q", receiver))
}

// Deliver runs every receiver on every event that passes its filters, one
// receiver after the other, each in the order of the events. It skips what the
// store has as completed; without a store (nil) everything runs. The errors are
// joined: [*ReceiverError] for a receiver that failed, [ErrUnavailable] for an
// event that another request is running or if the store failed.
func (s *Signals) Deliver(ctx context.Context, store IdempotencyStore, events ...Event) error {
	_, err := s.deliver(ctx, store, hookList{}, events)
	return err
}

func (s *Signals) deliver(ctx context.Context, store IdempotencyStore, hooks hookList, events []Event) (Delivery, error) {
	t := tally{received: make([]bool, len(events))}
	deliverTo(ctx, &s.Tracking, store, hooks, events, &t)
	deliverTo(ctx, &s.Inbound, store, hooks, events, &t)
	for _, received := range t.received {
		if !received {
			t.Unreceived++
		}
	}
	return t.Delivery, errors.Join(t.errs...)
}

// tally is what became of the events of one delivery.
type tally struct {
	Delivery
	received []bool // whether a receiver wants the event
	errs     []error
}

func deliverTo[E Event](ctx context.Context, s *Signal[E], store IdempotencyStore, hooks hookList, events []Event, t *tally) {
	connections := s.connections()
	for i := range connections {
		c := &connections[i]
		wanted := make([]E, 0, len(events))
		keys := make([]string, 0, len(events))
		for i, ev := range events {
			e, ok := ev.(E)
			if !ok {
				continue
			}
			var wants bool
			if err := recoverPanic(func() error { wants = c.wants(e); return nil }); err != nil {
				t.errs = append(t.errs, c.failed(e, err))
			}
			if wants {
				t.received[i] = true
				wanted = append(wanted, e)
				keys = append(keys, e.Base().Key)
			}
		}
		if len(wanted) > 0 {
			c.deliver(ctx, store, hooks, wanted, keys, t)
		}
	}
}

// deliver claims the events at the store all at once, in one round trip, and
// finishes each claim by itself, so that a crash repeats one event at most. If the
// store cannot note a completion, the batch stops: what would run after it could
// not be noted either, and would run again.
func (c *connection[E]) deliver(ctx context.Context, store IdempotencyStore, hooks hookList, events []E, keys []string, t *tally) {
	var claims []Claim
	if store != nil {
		var err error
		if claims, err = claim(ctx, store, c.name, keys); err != nil {
			t.errs = append(t.errs, err)
			return
		}
	}
	after, cancel := detach(ctx, store)
	defer cancel()
	granted := grantedKeys(claims, keys)
	i := 0
	defer func() { // also if a receiver ends the goroutine: no claim may outlive it
		for ; i < len(claims); i++ {
			if claims[i] == ClaimGranted && finish(after, store, c.name, keys[i], false) != nil {
				return // the store is away; a lease ends what it cannot be told
			}
		}
	}()
	for ; i < len(events); i++ {
		if claims != nil {
			switch claims[i] {
			case ClaimDone:
				t.Duplicates++
				continue
			case ClaimBusy:
				if granted[keys[i]] {
					t.Duplicates++
					continue // the same event twice in one batch: its first run counts
				}
				t.errs = append(t.errs, Because(ErrUnavailable, "another request runs a receiver on this event", fmt.Errorf("receiver %q", c.name)))
				continue
			}
		}
		err := ctx.Err()
		if err != nil {
			err = Because(ErrUnavailable, "out of time", fmt.Errorf("before receiver %q: %w", c.name, err))
		} else {
			err = c.call(ctx, hooks, events[i])
		}
		if err != nil {
			t.errs = append(t.errs, err)
		} else {
			t.Completed++
		}
		if store != nil {
			if noted := finish(after, store, c.name, keys[i], err == nil); noted != nil {
				i++ // this claim is the store's to end
				t.errs = append(t.errs, noted)
				return
			}
		}
	}
}
