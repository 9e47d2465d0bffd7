package anymail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
)

// Dispatcher receives webhooks. It is an [http.Handler] to be mounted on a chi
// router (r.Mount("/anymail", d)) or, behind [http.StripPrefix], on anything
// else. Register adapters, connect receivers to Tracking and Inbound, serve.
// All methods may be called while requests run.
type Dispatcher struct {
	Signals

	settings  settings
	mux       *chi.Mux
	mu        sync.Mutex // held by Register
	endpoints atomic.Pointer[map[string]*endpoint]
	running   RunningQueue // started by New; nil for none

	load       load
	held       load // bytes of bodies and forms
	closing    atomic.Bool
	warnedHTTP sync.Once
}

// New returns a Dispatcher without adapters. It returns an error that is
// [ErrConfig] where an option does not make sense, and that of
// [WithRunningQueue] where its queue does not start.
func New(options ...Option) (*Dispatcher, error) {
	s, err := newSettings().with(options)
	if err != nil {
		return nil, err
	}
	if s.store == nil {
		s.store = NewMemoryStore(0)
	}
	d := &Dispatcher{settings: s, mux: chi.NewMux()}
	d.load.max, d.held.max = int64(s.maxInFlight), s.maxHeld
	d.endpoints.Store(&map[string]*endpoint{})
	name, endpoint := "/{"+nameParam+"}", "/{"+endpointParam+"}"
	for _, pattern := range []string{name, name + "/", name + endpoint, name + endpoint + "/"} {
		d.mux.HandleFunc(pattern, d.route)
	}
	// For methods that chi has never heard of; to all others endpoints answer.
	d.mux.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allowed(nil))
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	})
	if start := s.startQueue; start != nil {
		if d.running, err = start(QueueHost{&d.Signals, Hooks{Receiver: s.hooks.receiver}, s.logger}); err != nil {
			return nil, err
		}
		d.settings.queue, d.settings.startQueue = d.running, nil
	}
	return d, nil
}

// Queue returns the queue that New was given or has started; nil for none.
func (d *Dispatcher) Queue() Queue { return d.settings.queue }

// Register serves an adapter below /{name}/. Several adapters of one ESP go
// under several names. Names are compared without underscores: what is
// registered as "amazonses" is reached at /amazon_ses/ too. It returns an error
// that is [ErrConfig] where the name is taken or not made of letters, digits,
// "-" and "_", where an option does not make sense, or where an endpoint would
// be open to everybody.
func (d *Dispatcher) Register(name string, adapter Adapter, options ...Option) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("anymail: %w: %s: %s", ErrConfig, name, fmt.Sprintf(format, args...))
	}
	if adapter == nil {
		return fail("no adapter")
	}
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return fail("a name has only letters, digits, - and _")
	}
	s, err := d.settings.with(options)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	endpoints := map[string]*endpoint{}
	for key, ep := range *d.endpoints.Load() {
		endpoints[key] = ep
	}
	if s.startQueue != nil {
		return fail("a queue is started for all adapters together, by an option of New")
	}
	if s.maxHeld != d.settings.maxHeld {
		return fail("the bytes in flight are bounded for all adapters together, by an option of New")
	}
	ownLoad := new(load)
	if s.maxInFlight != d.settings.maxInFlight {
		ownLoad.max = int64(s.maxInFlight)
	}
	served := adapter.Endpoints()
	if len(served) == 0 {
		return fail("the adapter has no endpoint")
	}
	for _, e := range served {
		key := routeKey(name, e.Path)
		switch {
		case endpoints[key] != nil:
			return fail("endpoint %q is already registered", e.Path)
		case strings.Contains(e.Path, "/"):
			return fail("endpoint %q is not a single segment of a path", e.Path)
		case e.Parser == nil:
			return fail("endpoint %q has no parser", e.Path)
		case e.NeedsSecret && s.secrets == nil:
			return fail("endpoint %q takes nothing without a shared secret", e.Path)
		case e.Verifier == nil && s.secrets == nil && !s.insecure:
			return fail("anybody could post to endpoint %q: give it a shared secret, a signature key, or say Insecure", e.Path)
		}
		info := RequestInfo{ESP: adapter.ESP(), Name: name, Endpoint: e.Path}
		ep, err := d.newEndpoint(e, s, info, ownLoad)
		if err != nil {
			return err
		}
		endpoints[key] = ep
	}
	d.endpoints.Store(&endpoints)
	return nil
}

func (d *Dispatcher) newEndpoint(e Endpoint, s settings, info RequestInfo, ownLoad *load) (*endpoint, error) {
	ep := &endpoint{
		Endpoint: e,
		settings: s,
		limits:   s.limits,
		window:   or(or(s.window, e.Window), DefaultTimestampWindow),
		info:     info,
		d:        d,
		load:     ownLoad,
		replay:   "replay " + info.Name + "/" + info.Endpoint,
	}
	ep.limits.Body = or(s.limits.Body, e.MaxBody)
	ep.limits = ep.limits.withDefaults()
	var err error
	ep.guard, err = newGuard(&ep.settings)
	return ep, err
}

func routeKey(name, path string) string {
	return strings.ReplaceAll(name, "_", "") + "/" + strings.ReplaceAll(path, "_", "")
}

// ServeHTTP implements [http.Handler].
func (d *Dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mux.ServeHTTP(w, r)
}

// Shutdown answers new requests with 503 and waits until those under way have
// ended, or until ctx is done. Then it shuts down the queue that New has
// started, if any, which waits for the receivers that run. Call it before the
// server's own Shutdown where the ESPs should go on to another process at once.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	err := d.drain(ctx)
	if d.running != nil {
		err = errors.Join(err, d.running.Shutdown(ctx))
	}
	return err
}

func (d *Dispatcher) drain(ctx context.Context) error {
	d.closing.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for d.load.now.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// The parameters of the Dispatcher's own routes. chi keeps them together with
// those of the routes that it is mounted below, which may well be called "name".
const (
	nameParam     = "anymail.name"
	endpointParam = "anymail.endpoint"
)

func (d *Dispatcher) route(w http.ResponseWriter, r *http.Request) {
	ep := (*d.endpoints.Load())[routeKey(chi.URLParam(r, nameParam), chi.URLParam(r, endpointParam))]
	if ep == nil {
		http.NotFound(w, r)
		return
	}
	ep.ServeHTTP(w, r)
}

// endpoint is one registered [Endpoint]: everything that a request to it meets.
type endpoint struct {
	Endpoint
	settings settings
	guard    *guard
	limits   Limits
	window   time.Duration
	info     RequestInfo
	d        *Dispatcher
	load     *load  // of the adapter, beside the Dispatcher's own
	replay   string // the name under which the idempotency store keeps nonces
}

func (ep *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// This bounds a refused request too: what is left of a body net/http
		// reads before the answer. Not every ResponseWriter can do it; a
		// server's own ReadTimeout helps there.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(ep.limits.BodyTime))
	}
	ctx, end := ep.settings.hooks.request(r.Context(), ep.info)
	rq := request{ep: ep, w: w, r: r}
	defer rq.leave()
	outcome := RequestResult{Err: errGoexit}
	if end != nil {
		defer func() { end(outcome) }()
	}
	reply, err := rq.handle(ctx)
	status := rq.respond(ctx, reply, err)
	outcome = RequestResult{Status: status, Events: rq.events, Err: err}
}

// request is one request on its way.
type request struct {
	ep        *endpoint
	w         http.ResponseWriter
	r         *http.Request
	origin    origin
	payload   *Payload
	admitted  bool   // it counts among the requests in flight
	held      int64  // how many bytes in flight are its own
	authentic bool   // its payload may be shown to the rejection hook
	nonce     string // claimed at the store by the replay check; empty if nothing is
	repeated  bool   // all its events were done when the same request came before
	events    []Event
	reply     *Reply
}

// handle is a request's way through the program. Each step goes on only where
// the one before it succeeded; an error ends the way and decides the answer.
func (rq *request) handle(ctx context.Context) (reply *Reply, err error) {
	switch method := rq.r.Method; {
	case method == http.MethodPost:
	case method == http.MethodHead, slices.Contains(rq.ep.Probes, method):
		return &Reply{}, nil // ESPs try a URL this way before they take it
	default:
		return nil, ErrMethodNotAllowed
	}
	if err := rq.admit(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, rq.ep.limits.RequestTime)
	defer cancel()
	finished := false // stays so whatever else happens
	defer func() { err = errors.Join(err, rq.endReplayCheck(ctx, finished)) }()

	if err := rq.stage(ctx, StageGuard, rq.receive); err != nil {
		return nil, err
	}
	if err := rq.stage(ctx, StageVerify, rq.authenticate); err != nil {
		return nil, err
	}
	if rq.repeated {
		return &Reply{}, nil
	}
	if err := rq.stage(ctx, StageParse, rq.parse); err != nil {
		return nil, err
	}
	if len(rq.events) > 0 {
		if err := rq.stage(ctx, StageDeliver, rq.deliver); err != nil {
			return nil, err
		}
	}
	finished = true
	return rq.reply, nil
}

var (
	errBusy     = Because(ErrUnavailable, "too many requests in flight", nil)
	errHeld     = Because(ErrUnavailable, "too many bytes in flight", nil)
	errShutdown = Because(ErrUnavailable, "shutting down", nil)
)

func (rq *request) stage(ctx context.Context, stage Stage, run func(context.Context) error) error {
	ctx, end := rq.ep.settings.hooks.stage(ctx, rq.ep.info, stage)
	return observed(end, func() error {
		return caught(func() error { return run(ctx) })
	})
}

// admit counts the request among those in flight, until leave is called. It
// returns an error where there are too many or the Dispatcher is shutting down.
func (rq *request) admit() error {
	d := rq.ep.d
	if !d.load.enter(1) {
		return errBusy
	}
	if !rq.ep.load.enter(1) {
		d.load.leave(1)
		return errBusy
	}
	rq.admitted = true
	if d.closing.Load() { // asked after entering, so that Shutdown misses nobody
		return errShutdown
	}
	return nil
}

func (rq *request) leave() {
	if rq.admitted {
		rq.ep.d.held.leave(rq.held)
		rq.ep.load.leave(1)
		rq.ep.d.load.leave(1)
	}
}

// receive does the guard's checks and, if they pass, reads the body.
func (rq *request) receive(ctx context.Context) error {
	ep, r := rq.ep, rq.r
	rq.origin = ep.guard.origin(r)
	if !rq.origin.https && !ep.settings.requireTLS {
		ep.d.warnedHTTP.Do(func() {
			ep.settings.logger.Warn("anymail: webhooks come over plain http, so secrets and payloads can be read on the way; use https and RequireTLS, or WithTrustedProxies if a proxy terminates TLS")
		})
	}
	proved, err := ep.guard.check(ctx, r, rq.origin)
	if err != nil {
		return err
	}
	if len(r.Header.Values("Content-Type")) > 1 {
		return Because(ErrUnsupportedMedia, "repeated content type", nil) // others may read another one
	}
	body, err := readBody(rq.w, r, ep.limits, rq.hold)
	if err != nil {
		return err
	}
	rq.payload = &Payload{
		ESP:          ep.info.ESP,
		Name:         ep.info.Name,
		Endpoint:     ep.info.Endpoint,
		URL:          rq.url(),
		Header:       r.Header,
		Body:         body,
		RemoteAddr:   rq.origin.addr,
		ReceivedAt:   ep.settings.now(),
		SecretProved: proved,
		Limits:       ep.limits,
	}
	// A form may be decoded into as much memory again, before its signature can
	// be looked at.
	if isForm(rq.payload.MediaType()) && !rq.hold(int64(len(body))) {
		return errHeld
	}
	return nil
}

// hold counts n bytes in until the request ends, if there is room.
func (rq *request) hold(n int64) bool {
	if !rq.ep.d.held.enter(n) {
		return false
	}
	rq.held += n
	return true
}

// url is the one that the ESP called: the public URL with the part of the path
// below the mount point, or else what the request says.
func (rq *request) url() string {
	r := rq.r
	if base := rq.ep.settings.publicURL; base != "" {
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
	if rq.origin.https {
		scheme = "https://"
	}
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.RequestURI()
	}
	return scheme + rq.origin.host + path
}

// authenticate asks the Verifier and refuses what is stale or was done before.
func (rq *request) authenticate(ctx context.Context) (err error) {
	ep, p := rq.ep, rq.payload
	if ep.Verifier == nil {
		rq.authentic = true
		return nil
	}
	if p.Proof, err = ep.Verifier.Verify(ctx, p); err != nil {
		return err
	}
	if at := p.Proof.SignedAt; !at.IsZero() && p.ReceivedAt.Sub(at).Abs() > ep.window {
		return Because(ErrReplayed, "timestamp outside the window", nil)
	}
	if err := rq.beginReplayCheck(ctx); err != nil {
		return err
	}
	rq.authentic = true
	return nil
}

// beginReplayCheck claims the nonce at the idempotency store, as a receiver
// claims an event. endReplayCheck marks it as done if all events were, and
// otherwise frees it, so that the ESP can deliver again what failed here.
func (rq *request) beginReplayCheck(ctx context.Context) error {
	s, proof := &rq.ep.settings, rq.payload.Proof
	if proof.Fingerprint == nil || s.noReplayCheck {
		return nil
	}
	nonce := EventKey(rq.ep.info.ESP, string(proof.Fingerprint))
	claims, err := claim(ctx, s.store, rq.ep.replay, []string{nonce})
	switch {
	case err != nil:
		return err
	case claims[0] == ClaimDone && rq.ep.RepeatsSignature:
		rq.repeated = true
		return nil
	case claims[0] == ClaimDone:
		return Because(ErrReplayed, "this signature was seen before", nil)
	case claims[0] == ClaimBusy:
		return Because(ErrUnavailable, "the same request is under way", nil)
	}
	rq.nonce = nonce
	return nil
}

func (rq *request) endReplayCheck(ctx context.Context, done bool) error {
	if rq.nonce == "" {
		return nil
	}
	store := rq.ep.settings.store
	after, cancel := afterwards(ctx, store)
	defer cancel()
	return finish(after, store, rq.ep.replay, rq.nonce, done)
}

// parse answers handshakes and turns everything else into events.
func (rq *request) parse(ctx context.Context) error {
	ep, p := rq.ep, rq.payload
	if len(ep.ContentTypes) > 0 {
		if !slices.Contains(ep.ContentTypes, p.MediaType()) {
			return Because(ErrUnsupportedMedia, "content type is not the endpoint's", fmt.Errorf("want one of %s", strings.Join(ep.ContentTypes, ", ")))
		}
	}
	if ep.Handshake != nil {
		reply, err := ep.Handshake(ctx, p)
		if reply != nil || err != nil {
			rq.reply = reply
			return err
		}
	}
	events, err := ep.Parser.ParseEvents(ctx, p)
	if err != nil {
		return err
	}
	for _, ev := range events {
		complete(ev, ep.info.ESP)
	}
	rq.events, rq.reply = events, &Reply{}
	return nil
}

func (rq *request) deliver(ctx context.Context) error {
	s := &rq.ep.settings
	if s.queue != nil {
		if err := s.queue.Enqueue(ctx, rq.events); err != nil {
			return Because(ErrUnavailable, "queue", err)
		}
		return nil
	}
	return rq.ep.d.deliver(ctx, s.store, s.hooks, rq.events)
}

// respond writes the answer, and reports what was not a success.
func (rq *request) respond(ctx context.Context, reply *Reply, err error) (status int) {
	header := rq.w.Header()
	if err == nil {
		if reply.ContentType != "" {
			header.Set("Content-Type", reply.ContentType)
		}
		status = max(reply.Status, http.StatusOK)
		rq.w.WriteHeader(status)
		_, _ = rq.w.Write(reply.Body) // whoever hung up will ask again
		return status
	}
	ep := rq.ep
	reason, kind := kindOf(err)
	challenged := ep.Challenge && errors.Is(err, errNoSecret)
	// Neither what has yet to be asked for its secret counts as a failure nor
	// what was signed well but comes again: both are what an ESP does.
	if kind == ErrUnauthenticated && !challenged { //nolint:errorlint // not ErrReplayed, which wraps it
		ep.guard.failed(rq.origin.addr)
	}
	status = statusOf(kind, ep.settings.rejectStatus)
	switch {
	case status == http.StatusMethodNotAllowed:
		header.Set("Allow", allowed(ep.Probes))
	case challenged:
		status = http.StatusUnauthorized
		header.Set("WWW-Authenticate", `Basic realm="anymail", charset="UTF-8"`)
	}
	if ep.MapStatus != nil {
		status = ep.MapStatus(status)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		header.Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	http.Error(rq.w, http.StatusText(status), status)

	requestErr := &RequestError{ESP: ep.info.ESP, Name: ep.info.Name, Endpoint: ep.info.Endpoint, Reason: reason, Err: err}
	ep.settings.logger.LogAttrs(ctx, slog.LevelWarn, "anymail: request not accepted",
		slog.String("name", ep.info.Name), slog.String("esp", ep.info.ESP), slog.String("endpoint", ep.info.Endpoint),
		slog.Int("status", status), slog.String("remote", rq.origin.addr.String()), slog.String("error", clip(err.Error())))
	rejection := Rejection{Err: requestErr, Status: status, RemoteAddr: rq.origin.addr}
	if rq.authentic && rq.payload != nil {
		payload := *rq.payload
		payload.Header = payload.Header.Clone()
		payload.Header.Del("Authorization")
		rejection.Payload = &payload
	}
	ep.settings.hooks.rejected(ctx, rejection)
	return status
}

// allowed is the value of an Allow header.
func allowed(probes []string) string {
	return strings.Join(append([]string{http.MethodPost, http.MethodHead}, probes...), ", ")
}

const retryAfterSeconds = 5

// clip bounds what is logged: a thousand failures of one batch are one line,
// and still one that can be read. The hooks have all of them.
func clip(text string) string {
	const enough = 4 << 10
	if len(text) <= enough {
		return text
	}
	return fmt.Sprintf("%s ... and %d bytes more", strings.ToValidUTF8(text[:enough], ""), len(text)-enough)
}
