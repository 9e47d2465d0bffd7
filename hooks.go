package anymail

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Stage is a part of the processing of a request.
type Stage string

// The stages, in their order.
const (
	StageGuard   Stage = "guard"   // method, load, TLS, address, rate, shared secret, body
	StageVerify  Stage = "verify"  // the ESP's signature, timestamp, replay
	StageParse   Stage = "parse"   // handshake, payload to events
	StageDeliver Stage = "deliver" // idempotency and receivers, or the queue
)

// RequestInfo tells which endpoint a request is for.
type RequestInfo struct {
	ESP      string // the adapter's canonical name
	Name     string // the name that the adapter is registered under
	Endpoint string // the endpoint's path
	// ID names the request in the log. It is the request's X-Request-Id if that has
	// at most 64 letters, digits and "-_."; any client can send one. It is empty in
	// Stage hooks.
	ID string
}

// RequestResult tells how a request ended.
type RequestResult struct {
	Status   int      // the HTTP status of the answer
	Events   []Event  // what the payload held, as far as it was parsed
	Delivery Delivery // what became of the events
	Err      error    // nil on success
	// Repeated reports whether the same signed request came before and all its
	// events were completed, so that it was answered with 200 and nothing ran.
	Repeated bool
	// Key is the index of the signature key that matched, and Secret that of the
	// shared secret, to follow a rotation. They are -1 if none did.
	Key, Secret int
}

// Delivery counts what became of the events of a request.
type Delivery struct {
	Completed  int // runs of receivers that succeeded
	Duplicates int // runs of receivers that were skipped, since they had succeeded before
	Queued     int // events that the queue has
	Unreceived int // events that no connected receiver wants
}

// Rejection is a request that was not answered with success.
type Rejection struct {
	// Err is a [*RequestError].
	Err        error
	Status     int
	RequestID  string // see [RequestInfo.ID]
	RemoteAddr netip.Addr
	// URL is the one that the ESP is assumed to have called, without its query.
	// Some ESPs sign it.
	URL string
	// IgnoredHeaders names forwarding headers that were not believed: no trusted
	// proxy sent the request, or it is not known to set them. See
	// [WithTrustedProxies] and [WithForwardedHeaders].
	IgnoredHeaders []string
	// Challenged reports whether the answer asks for the shared secret, so that
	// the ESP sends the request again with it: see [Endpoint.Challenge].
	Challenged bool
	// Payload is set if the request proved authentic, so that nothing is lost.
	// Its Header is that of Received.
	Payload *Payload
	// Received is the request, whether it proved authentic or not.
	Received Received
}

// Received is a request as far as it was received. It proves nothing: any client
// may have sent it.
type Received struct {
	At     time.Time
	Method string
	// Header lacks the headers that hold a secret, or may hold one. Removed names
	// those that the request had, in order.
	Header  http.Header
	Removed []string
	// Body is nil if the request was refused before its body was read. A
	// compressed body is decompressed.
	Body []byte
}

// withoutSecrets returns a copy of h without the headers that hold a secret, and
// the names of those that it had. They are the ones that an endpoint names, and
// any whose name says so, such as Proxy-Authorization, Cookie or X-Api-Key.
func withoutSecrets(h http.Header, secret []string) (kept http.Header, removed []string) {
	kept = http.Header{}
	for name, values := range h {
		if slices.ContainsFunc(secret, func(s string) bool { return strings.EqualFold(s, name) }) || namesSecret(name) {
			removed = append(removed, name)
		} else {
			kept[name] = slices.Clone(values)
		}
	}
	slices.Sort(removed)
	return kept, removed
}

func namesSecret(header string) bool {
	header = strings.ToLower(header)
	return slices.ContainsFunc([]string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey"}, func(word string) bool {
		return strings.Contains(header, word)
	})
}

// Hooks observe requests, for metrics and traces. Nil fields are skipped. The
// context that a hook returns is the one of everything inside; the function that
// it returns, which may be nil, is called at the end. Hooks may be called
// concurrently and must not keep or change their arguments. A panic in a hook is
// logged and changes nothing else.
type Hooks struct {
	// Request runs around each request that found its endpoint.
	Request func(context.Context, RequestInfo) (context.Context, func(RequestResult))
	// Stage runs around each stage of a request.
	Stage func(context.Context, RequestInfo, Stage) (context.Context, func(error))
	// Receiver runs around each call of a receiver by the Dispatcher or by a
	// queue of [WithRunningQueue]. Any other queue observes its own calls.
	Receiver func(ctx context.Context, receiver string, ev Event) (context.Context, func(error))
	// Rejected is called for each request that is not answered with success, also if its
	// account could not be looked up (see [WithTenants]), but not for a 404.
	Rejected func(context.Context, Rejection)
}

// hookList are the hooks of all options.
type hookList struct {
	all    []Hooks
	logger *slog.Logger
}

func (hs hookList) request(ctx context.Context, info RequestInfo, id requestID) (context.Context, func(RequestResult)) {
	if len(hs.all) == 0 {
		return ctx, nil
	}
	info.ID = id.String()
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

func (hs hookList) wantRejections() bool {
	return slices.ContainsFunc(hs.all, func(h Hooks) bool { return h.Rejected != nil })
}

func (hs hookList) rejected(ctx context.Context, r Rejection) {
	for i := range hs.all {
		if hs.all[i].Rejected != nil {
			hs.recoverHook(ctx, func() { hs.all[i].Rejected(ctx, r) })
		}
	}
}

func (hs hookList) recoverHook(ctx context.Context, f func()) {
	defer func() {
		if v := recover(); v != nil {
			hs.logger.ErrorContext(ctx, "anymail: a hook panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// around begins each hook and returns the context of the innermost and a function
// that ends them in reverse.
func around[T any](hs hookList, ctx context.Context, begin func(context.Context, *Hooks) (context.Context, func(T))) (context.Context, func(T)) {
	ends := make([]func(T), 0, len(hs.all))
	for i := range hs.all {
		hs.recoverHook(ctx, func() {
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
			hs.recoverHook(ctx, func() { ends[i](result) })
		}
	}
}

// observe calls f and passes its error to end, which may be nil. It calls end
// even if f never returns because a receiver ends the goroutine.
func observe(end func(error), f func() error) error {
	err := errGoexit
	if end != nil {
		defer func() { end(err) }()
	}
	err = f()
	return err
}

var errGoexit = errors.New("the goroutine was ended (runtime.Goexit)")
