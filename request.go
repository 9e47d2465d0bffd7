package anymail

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	siblings []Endpoint // all endpoints of the adapter
	working  *counter   // requests of this adapter, in addition to the Dispatcher's own count
	replays  string     // the receiver name under which the idempotency store keeps fingerprints

	arriving int   // unproved bodies; guarded by intake.mu
	bytes    int64 // of memory that unproved requests hold; guarded by intake.mu
}

// ServeHTTP takes one request from its first byte to its answer.
func (ep *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	v := ep.visit(w, ep.guard.origin(r), begin)
	v.id = newRequestID(r.Header)
	if r.ContentLength != 0 {
		// net/http reads what is left of a body before it answers, so this bounds
		// a refused request too. Not every ResponseWriter supports it; the
		// server's own ReadTimeout helps then.
		v.progress(0)
	}
	leave, err := ep.enter(r.Method)
	defer leave() // after the hooks: Shutdown waits for them too
	ctx, end := ep.settings.hooks.request(r.Context(), ep.info, v.id)
	result := RequestResult{Err: errGoexit, Key: -1, Secret: -1}
	if end != nil {
		defer func() { end(result) }()
	}
	var received *Payload
	var reply *Reply
	processed := result
	if err == nil {
		received, reply, processed, err = ep.process(ctx, w, r, v)
	}
	overloaded := isOverload(err)
	if overloaded {
		received = nil // its memory is no longer counted
		time.Sleep(overloadPause)
	}
	processed.Err = err
	processed.Status = ep.respond(ctx, w, r, v, received, reply, processed)
	result = processed
	if !overloaded {
		ep.reportSlowness(ctx, r, v.id, time.Since(begin))
	}
}

var (
	errBusy        = Because(ErrUnavailable, "too many requests in flight", nil)
	errMemory      = Because(ErrUnavailable, "the requests in flight take too much memory", nil)
	errInflating   = Because(ErrUnavailable, "too many compressed bodies", nil)
	errShutdown    = Because(ErrUnavailable, "shutting down", nil)
	errContentType = Because(ErrUnsupportedMedia, "repeated content type", nil)
)

func isOverload(err error) bool {
	return errors.Is(err, errBusy) || errors.Is(err, errMemory) || errors.Is(err, errInflating) || errors.Is(err, errSlowBody)
}

// enter counts a request as present until leave is called. It returns an error if
// the method is not the endpoint's, or if the Dispatcher is shutting down.
func (ep *endpoint) enter(method string) (leave func(), err error) {
	switch {
	case method == http.MethodHead, slices.Contains(ep.Probes, method):
		return func() {}, nil
	case method != http.MethodPost:
		return func() {}, ErrMethodNotAllowed
	}
	present := &ep.d.intake.present
	present.Add(1)
	if ep.d.closing.Load() { // read after counting, so that Shutdown misses no request
		err = errShutdown
	}
	return func() { present.Add(-1) }, err
}

// process is a request's way through the stages. Each stage takes what it needs
// and returns what it made; the first error ends the way and decides the
// answer. The payload is returned as soon as it was received.
func (ep *endpoint) process(ctx context.Context, w http.ResponseWriter, r *http.Request, v *visit) (received *Payload, reply *Reply, result RequestResult, err error) {
	result = RequestResult{Key: -1, Secret: -1}
	if r.Method != http.MethodPost {
		return nil, ep.answerProbe(r), result, nil // ESPs probe a URL before they accept it
	}
	// The work is the server's own and goes on if the ESP hangs up: the ESP would
	// hang up again at the next attempt, and the work would never be completed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ep.limits.RequestTime)
	defer cancel()
	v.ctx = ctx
	defer v.leave()

	payload, err := stage(ctx, ep, StageGuard, func(ctx context.Context) (*Payload, error) {
		return ep.receive(ctx, w, r, v)
	})
	if err != nil {
		return nil, nil, result, err
	}
	result.Secret = payload.secret

	replay, err := stage(ctx, ep, StageVerify, func(ctx context.Context) (replay, error) {
		return ep.authenticate(ctx, payload)
	})
	completed := false // if anything below fails, panics or ends the goroutine
	defer func() { err = errors.Join(err, ep.endReplayCheck(ctx, replay, completed)) }()
	if err != nil {
		return payload, nil, result, err
	}
	payload.authentic = true
	if ep.Verifier != nil {
		result.Key = payload.Proof.Key
	}
	switch {
	case payload.Proof.TestKey:
		ep.guard.failed(v.from.addr)
		return payload, &Reply{}, result, nil
	case replay.completed:
		result.Repeated = true
		return payload, &Reply{}, result, nil
	}

	reply, err = stage(ctx, ep, StageParse, func(ctx context.Context) (reply *Reply, err error) {
		result.Events, reply, err = ep.parse(ctx, payload)
		return reply, err
	})
	if err != nil {
		return payload, nil, result, err
	}

	if len(result.Events) > 0 {
		result.Delivery, err = stage(ctx, ep, StageDeliver, func(ctx context.Context) (Delivery, error) {
			return ep.deliver(ctx, result.Events)
		})
		if err != nil {
			return payload, nil, result, err
		}
	}
	completed = true
	return payload, reply, result, nil
}

// maxEcho bounds the text that anyone can have sent back.
const maxEcho = 1 << 10

// answerProbe returns the answer to a request that has no event.
func (ep *endpoint) answerProbe(r *http.Request) *Reply {
	answer := &Reply{header: ep.ProbeHeader, Body: ep.ProbeBody}
	if value := r.URL.Query().Get(ep.ProbeEcho); ep.ProbeEcho != "" && len(value) <= maxEcho {
		answer.ContentType, answer.Body = "text/plain; charset=utf-8", []byte(value)
		answer.header = http.Header{"X-Content-Type-Options": {"nosniff"}} // or a browser might take it for HTML
		maps.Copy(answer.header, ep.ProbeHeader)
	}
	return answer
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

// receive makes the guard's checks and, if they pass, reads the body. A request
// that proved a shared secret works from then on; any other one has to bring its
// body first.
func (ep *endpoint) receive(ctx context.Context, w http.ResponseWriter, r *http.Request, v *visit) (*Payload, error) {
	if !v.from.https && !ep.settings.requireTLS {
		ep.d.warnedHTTP.Do(func() {
			ep.settings.logger.Warn("anymail: webhooks arrive over plain http, so secrets and payloads can be read on the way; use https and RequireTLS, or WithTrustedProxies if a proxy terminates TLS")
		})
	}
	if len(ep.settings.trustedProxies) == 0 && r.Header.Get("X-Forwarded-For") != "" {
		ep.d.warnedProxy.Do(func() {
			ep.settings.logger.Warn("anymail: a request bears X-Forwarded-For, and no proxy is trusted; behind a proxy, all clients share one address, its rates and its places: use WithTrustedProxies")
		})
	}
	secret, err := ep.guard.check(ctx, r, v.from)
	if err != nil {
		return nil, err
	}
	if len(r.Header.Values("Content-Type")) > 1 {
		return nil, errContentType // another program on the way may have read another one
	}
	v.proved = secret >= 0
	if v.proved {
		if err := v.beginWork(); err != nil {
			return nil, err
		}
	}
	body, err := v.readBody(w, r)
	if err != nil {
		return nil, err
	}
	if !v.proved {
		if err := v.beginWork(); err != nil {
			return nil, err
		}
	}
	return &Payload{
		ESP:          ep.info.ESP,
		Name:         ep.info.Name,
		Endpoint:     ep.info.Endpoint,
		URL:          ep.url(r, v.from),
		Header:       r.Header,
		Body:         body,
		RemoteAddr:   v.from.addr,
		ReceivedAt:   ep.settings.now(),
		SecretProved: v.proved,
		Limits:       ep.limits,
		bodyFree:     !ep.settings.hooks.wantRejections(),
		dropsRaw:     ep.settings.noInboundRaw,
		secret:       secret,
		visit:        v,
	}, nil
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
	return scheme + from.host + from.prefix + path
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
		return replay{}, Because(ErrReplayed, "timestamp outside the window", explainAge(p.ReceivedAt.Sub(at), ep.window))
	}
	if p.Proof.TestKey {
		return replay{}, nil // it proves nothing, so nothing is remembered of it
	}
	return ep.beginReplayCheck(ctx, p.Proof)
}

// explainAge says by how much a timestamp misses the window.
func explainAge(age, window time.Duration) error {
	when := "before"
	if age < 0 {
		when = "after"
	}
	return fmt.Errorf("it was signed %s %s it arrived, and the window is %s: is the clock right?", age.Abs().Round(time.Second), when, window)
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
		return nil, nil, Because(ErrUnsupportedMedia, "content type is not the endpoint's", ep.explainContentType(p.MediaType()))
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
	if p.bodyFree {
		p.Body, p.form = nil, nil // nothing but the events needs the memory from now on
	}
	for _, ev := range events {
		Normalize(ev, ep.info.ESP)
		ev.Base().Account = ep.info.Name
	}
	if ep.settings.reports != nil {
		if events, err = ep.withReports(ctx, events); err != nil {
			return nil, nil, err
		}
	}
	if ep.settings.noInboundRaw {
		dropRaw(events)
	}
	if ep.settings.accountKeys {
		for _, ev := range events {
			c := ev.Base()
			c.Key = EventKey(c.ESP, c.Account, c.Key)
		}
	}
	if ep.settings.attachments != nil {
		for _, ev := range events {
			if message, ok := ev.(*InboundEvent); ok {
				if err := ep.storeAttachments(ctx, message); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	answer := ep.Answer
	return events, &answer, nil
}

// explainContentType names the types that the endpoint accepts, and the adapter's
// endpoint that accepts this one.
func (ep *endpoint) explainContentType(media string) error {
	want := "want one of " + strings.Join(ep.ContentTypes, ", ")
	for _, other := range ep.siblings {
		if other.Path != ep.Path && slices.Contains(other.ContentTypes, media) {
			return fmt.Errorf("%s; endpoint %q accepts %s: is this URL meant to be that one?", want, other.Path, media)
		}
	}
	return errors.New(want)
}

// deliver gives the events to the queue or, without one, runs the receivers.
func (ep *endpoint) deliver(ctx context.Context, events []Event) (Delivery, error) {
	s := &ep.settings
	if s.queue == nil {
		return ep.d.deliver(ctx, s.store, s.hooks, events)
	}
	var delivery Delivery
	for _, ev := range events {
		if len(ep.d.Matching(ev)) == 0 {
			delivery.Unreceived++
		}
	}
	if err := s.queue.Enqueue(ctx, events); err != nil {
		return delivery, Because(ErrUnavailable, "queue", err)
	}
	delivery.Queued = len(events) - delivery.Unreceived
	return delivery, nil
}
