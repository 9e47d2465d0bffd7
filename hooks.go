package anymail

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"
)

// Stage names an arrow on a request's way.
type Stage string

// The stages, in their order.
const (
	StageGuard   Stage = "guard"   // method, load, TLS, address, rate, shared secret, body
	StageVerify  Stage = "verify"  // the ESP's signature, timestamp, replay
	StageParse   Stage = "parse"   // handshake, payload to events
	StageDeliver Stage = "deliver" // idempotency and receivers, or the queue
)

// RequestInfo says which endpoint a request is for.
type RequestInfo struct {
	ESP      string // the adapter's canonical name
	Name     string // the name that the adapter is registered under
	Endpoint string // the endpoint's path
}

// RequestResult says how a request ended.
type RequestResult struct {
	Status int     // the HTTP status that was answered
	Events []Event // what the payload held, as far as it was parsed
	Err    error   // nil on success
}

// Rejection is a request that was not answered with success.
type Rejection struct {
	// Err is a [*RequestError].
	Err        error
	Status     int
	RemoteAddr netip.Addr
	// Payload is set where the request proved authentic, so that nothing is
	// lost. Its Header is without Authorization.
	Payload *Payload
}

// Hooks observe requests, for metrics and traces. Nil fields are skipped.
// Those that return a context are given to what runs inside; the function they
// return (which may be nil) is called when that has ended. All of them may be
// called concurrently, and must not keep or change what they are given. A panic
// in one of them is logged and changes nothing.
type Hooks struct {
	// Request runs around each request that found its endpoint.
	Request func(context.Context, RequestInfo) (context.Context, func(RequestResult))
	// Stage runs around each stage of a request.
	Stage func(context.Context, RequestInfo, Stage) (context.Context, func(error))
	// Receiver runs around each call of a receiver by the Dispatcher, or by a
	// queue of [WithRunningQueue]. What the workers of any other queue call is
	// that queue's to observe.
	Receiver func(ctx context.Context, receiver string, ev Event) (context.Context, func(error))
	// Rejected is called for each request that is not answered with success.
	Rejected func(context.Context, Rejection)
}

// hookList are all hooks. They observe: one that panics is logged, and changes
// nothing else.
type hookList struct {
	all    []Hooks
	logger *slog.Logger
}

func (hs hookList) request(ctx context.Context, info RequestInfo) (context.Context, func(RequestResult)) {
	if len(hs.all) == 0 {
		return ctx, nil
	}
	return around(hs, ctx, func(ctx context.Context, h *Hooks) (context.Context, func(RequestResult)) {
		if h.Request == nil {
			return ctx, nil
		}
		return h.Request(ctx, info)
	})
}

func (hs hookList) stage(ctx context.Context, info RequestInfo, stage Stage) (context.Context, func(error)) {
	if len(hs.all) == 0 {
		return ctx, nil
	}
	return around(hs, ctx, func(ctx context.Context, h *Hooks) (context.Context, func(error)) {
		if h.Stage == nil {
			return ctx, nil
		}
		return h.Stage(ctx, info, stage)
	})
}

func (hs hookList) receiver(ctx context.Context, receiver string, ev Event) (context.Context, func(error)) {
	if len(hs.all) == 0 {
		return ctx, nil
	}
	return around(hs, ctx, func(ctx context.Context, h *Hooks) (context.Context, func(error)) {
		if h.Receiver == nil {
			return ctx, nil
		}
		return h.Receiver(ctx, receiver, ev)
	})
}

func (hs hookList) rejected(ctx context.Context, r Rejection) {
	for i := range hs.all {
		if hs.all[i].Rejected != nil {
			hs.shielded(ctx, func() { hs.all[i].Rejected(ctx, r) })
		}
	}
}

func (hs hookList) shielded(ctx context.Context, f func()) {
	defer func() {
		if v := recover(); v != nil {
			hs.logger.ErrorContext(ctx, "anymail: a hook panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// around begins each hook and returns the context of the innermost, and a
// function that ends them in reverse: nil where there is nothing to end.
func around[T any](hs hookList, ctx context.Context, begin func(context.Context, *Hooks) (context.Context, func(T))) (context.Context, func(T)) {
	ends := make([]func(T), 0, len(hs.all))
	for i := range hs.all {
		hs.shielded(ctx, func() {
			inner, end := begin(ctx, &hs.all[i])
			if inner != nil {
				ctx = inner
			}
			if end != nil {
				ends = append(ends, end)
			}
		})
	}
	return ctx, func(result T) {
		for i := len(ends) - 1; i >= 0; i-- {
			hs.shielded(ctx, func() { ends[i](result) })
		}
	}
}

// observe calls f and gives its error to end, which may be nil. Where f never
// returns, because a receiver ends the goroutine, end is called all the same.
func observe(end func(error), f func() error) error {
	err := errGoexit
	if end != nil {
		defer func() { end(err) }()
	}
	err = f()
	return err
}

var errGoexit = errors.New("the goroutine was ended (runtime.Goexit)")
