package anymail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// endpoint is one registered [Endpoint] with everything that a request to it
// meets.
type endpoint struct {
	Endpoint
	settings settings
	guard    *guard
	limits   Limits
	window   time.Duration
	info     RequestInfo
	d        *Dispatcher
	inFlight *counter // requests of this adapter, in addition to the Dispatcher's own count
	replays  string   // the receiver name under which the idempotency store keeps fingerprints
}

// ServeHTTP takes one request from its first byte to its answer.
func (ep *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// net/http reads what is left of a body before it answers, so this bounds
		// a refused request too. Not every ResponseWriter supports it; the
		// server's own ReadTimeout helps then.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(ep.limits.BodyTime))
	}
	leave, err := ep.enter(r.Method)
	defer leave() // after the hooks: Shutdown waits for them too
	ctx, end := ep.settings.hooks.request(r.Context(), ep.info)
	result := RequestResult{Err: errGoexit}
	if end != nil {
		defer func() { end(result) }()
	}
	from := ep.guard.origin(r)
	var payload *Payload
	var events []Event
	var reply *Reply
	if err == nil {
		payload, events, reply, err = ep.process(ctx, w, r, from)
	}
	status := ep.respond(ctx, w, from, payload, reply, err)
	result = RequestResult{Status: status, Events: events, Err: err}
}

var (
	errBusy        = Because(ErrUnavailable, "too many requests in flight", nil)
	errMemory      = Because(ErrUnavailable, "too many bytes in flight", nil)
	errShutdown    = Because(ErrUnavailable, "shutting down", nil)
	errContentType = Because(ErrUnsupportedMedia, "repeated content type", nil)
)

// enter counts a request among those in flight until leave is called. It
// returns an error if the method is not the endpoint's, if there are too many
// requests, or if the Dispatcher is shutting down.
func (ep *endpoint) enter(method string) (leave func(), err error) {
	leave = func() {}
	switch {
	case method == http.MethodHead, slices.Contains(ep.Probes, method):
		return leave, nil
	case method != http.MethodPost:
		return leave, ErrMethodNotAllowed
	case !ep.d.inFlight.add(1):
		return leave, errBusy
	case !ep.inFlight.add(1):
		ep.d.inFlight.remove(1)
		return leave, errBusy
	}
	leave = func() {
		ep.inFlight.remove(1)
		ep.d.inFlight.remove(1)
	}
	if ep.d.closing.Load() { // read after counting, so that Shutdown misses no request
		return leave, errShutdown
	}
	return leave, nil
}

// process is a request's way through the stages. Each stage takes what it needs
// and returns what it made; the first error ends the way and decides the
// answer. The payload is returned as soon as it proved authentic.
func (ep *endpoint) process(ctx context.Context, w http.ResponseWriter, r *http.Request, from origin) (authentic *Payload, events []Event, reply *Reply, err error) {
	if r.Method != http.MethodPost {
		return nil, nil, &Reply{}, nil // ESPs probe a URL before they accept it
	}
	ctx, cancel := context.WithTimeout(ctx, ep.limits.RequestTime)
	defer cancel()
	memory := ep.d.memory.reserve()
	defer memory.release()

	payload, err := stage(ctx, ep, StageGuard, func(ctx context.Context) (*Payload, error) {
		return ep.receive(ctx, w, r, from, memory)
	})
	if err != nil {
		return nil, nil, nil, err
	}

	replay, err := stage(ctx, ep, StageVerify, func(ctx context.Context) (replay, error) {
		return ep.authenticate(ctx, payload)
	})
	completed := false // if anything below fails, panics or ends the goroutine
	defer func() { err = errors.Join(err, ep.endReplayCheck(ctx, replay, completed)) }()
	switch {
	case err != nil:
		return nil, nil, nil, err
	case replay.completed:
		return payload, nil, &Reply{}, nil
	}

	reply, err = stage(ctx, ep, StageParse, func(ctx context.Context) (reply *Reply, err error) {
		events, reply, err = ep.parse(ctx, payload)
		return reply, err
	})
	if err != nil {
		return payload, nil, nil, err
	}

	if len(events) > 0 {
		if _, err = stage(ctx, ep, StageDeliver, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, ep.deliver(ctx, events)
		}); err != nil {
			return payload, events, nil, err
		}
	}
	completed = true
	return payload, events, reply, nil
}

// stage runs one stage of a request between its hooks. A panic in it becomes a
// [*PanicError].
func stage[T any](ctx context.Context, ep *endpoint, name Stage, run func(context.Context) (T, error)) (made T, err error) {
	ctx, end := ep.settings.hooks.stage(ctx, ep.info, name)
	err = observe(end, func() error {
		return recoverPanic(func() (err error) {
			made, err = run(ctx)
			return err
		})
	})
	return made, err
}

// receive makes the guard's checks and, if they pass, reads the body.
func (ep *endpoint) receive(ctx context.Context, w http.ResponseWriter, r *http.Request, from origin, memory *reservation) (*Payload, error) {
	if !from.https && !ep.settings.requireTLS {
		ep.d.warnedHTTP.Do(func() {
			ep.settings.logger.Warn("anymail: webhooks arrive over plain http, so secrets and payloads can be read on the way; use https and RequireTLS, or WithTrustedProxies if a proxy terminates TLS")
		})
	}
	proved, err := ep.guard.check(ctx, r, from)
	if err != nil {
		return nil, err
	}
	if len(r.Header.Values("Content-Type")) > 1 {
		return nil, errContentType // another program on the way may have read another one
	}
	body, err := readBody(w, r, ep.limits, memory)
	if err != nil {
		return nil, err
	}
	p := &Payload{
		ESP:          ep.info.ESP,
		Name:         ep.info.Name,
		Endpoint:     ep.info.Endpoint,
		URL:          ep.url(r, from),
		Header:       r.Header,
		Body:         body,
		RemoteAddr:   from.addr,
		ReceivedAt:   ep.settings.now(),
		SecretProved: proved,
		Limits:       ep.limits,
	}
	// Decoding a form may take as much memory again, before anything can look at
	// its signature.
	if isForm(p.MediaType()) && !memory.add(int64(len(body))) {
		return nil, errMemory
	}
	return p, nil
}

// url returns the URL that the ESP called: the public URL with the part of the
// path below the mount point, or else what the request says.
func (ep *endpoint) url(r *http.Request, from origin) string {
	if base := ep.settings.publicURL; base != "" {
		path := r.URL.EscapedPath()
		if c := chi.RouteContext(r.Context()); c != nil && c.RoutePath != "" {
			path = c.RoutePath
		}
		if r.URL.RawQuery != "" {
			path += "?" + r.URL.RawQuery
		}
		return base + path
	}
	scheme := "http://"
	if from.https {
		scheme = "https://"
	}
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.RequestURI()
	}
	return scheme + from.host + path
}

// authenticate asks the Verifier, sets the payload's Proof, and refuses what is
// stale or a replay.
func (ep *endpoint) authenticate(ctx context.Context, p *Payload) (_ replay, err error) {
	if ep.Verifier == nil {
		return replay{}, nil
	}
	if p.Proof, err = ep.Verifier.Verify(ctx, p); err != nil {
		return replay{}, err
	}
	if at := p.Proof.SignedAt; !at.IsZero() && p.ReceivedAt.Sub(at).Abs() > ep.window {
		return replay{}, Because(ErrReplayed, "timestamp outside the window", nil)
	}
	return ep.beginReplayCheck(ctx, p.Proof)
}

// replay is what the replay check found out about a request.
type replay struct {
	claimed   string // the fingerprint claimed at the store; empty if none is
	completed bool   // the same request came before and all its events were completed
}

// beginReplayCheck claims the fingerprint at the idempotency store, as a
// receiver claims an event.
func (ep *endpoint) beginReplayCheck(ctx context.Context, proof Proof) (replay, error) {
	if proof.Fingerprint == nil || ep.settings.noReplayCheck {
		return replay{}, nil
	}
	fingerprint := EventKey(ep.info.ESP, string(proof.Fingerprint))
	claims, err := claim(ctx, ep.settings.store, ep.replays, []string{fingerprint})
	switch {
	case err != nil:
		return replay{}, err
	case claims[0] == ClaimDone && ep.RepeatsSignature:
		return replay{completed: true}, nil
	case claims[0] == ClaimDone:
		return replay{}, Because(ErrReplayed, "this signature was seen before", nil)
	case claims[0] == ClaimBusy:
		return replay{}, Because(ErrUnavailable, "the same request is in progress", nil)
	}
	return replay{claimed: fingerprint}, nil
}

// endReplayCheck marks the fingerprint as done if all events were completed. It
// frees it otherwise, so that the ESP can redeliver what failed here.
func (ep *endpoint) endReplayCheck(ctx context.Context, r replay, completed bool) error {
	if r.claimed == "" {
		return nil
	}
	store := ep.settings.store
	ctx, cancel := detach(ctx, store)
	defer cancel()
	return finish(ctx, store, ep.replays, r.claimed, completed)
}

// parse answers handshakes and turns everything else into events.
func (ep *endpoint) parse(ctx context.Context, p *Payload) ([]Event, *Reply, error) {
	if len(ep.ContentTypes) > 0 && !slices.Contains(ep.ContentTypes, p.MediaType()) {
		return nil, nil, Because(ErrUnsupportedMedia, "content type is not the endpoint's", fmt.Errorf("want one of %s", strings.Join(ep.ContentTypes, ", ")))
	}
	if ep.Handshake != nil {
		if reply, err := ep.Handshake(ctx, p); reply != nil || err != nil {
			return nil, reply, err
		}
	}
	events, err := ep.Parser.ParseEvents(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	for _, ev := range events {
		Normalize(ev, ep.info.ESP)
	}
	return events, &Reply{}, nil
}

// deliver gives the events to the queue or, without one, runs the receivers.
func (ep *endpoint) deliver(ctx context.Context, events []Event) error {
	s := &ep.settings
	if s.queue == nil {
		return ep.d.deliver(ctx, s.store, s.hooks, events)
	}
	if err := s.queue.Enqueue(ctx, events); err != nil {
		return Because(ErrUnavailable, "queue", err)
	}
	return nil
}
