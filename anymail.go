package anymail

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
)

// Dispatcher receives webhooks. It is an [http.Handler] to be mounted on a chi
// router (r.Mount("/anymail", d)) or, behind [http.StripPrefix], on any other.
// Register adapters, connect receivers to Tracking and Inbound, serve. All
// methods may be called while requests run.
type Dispatcher struct {
	Signals

	settings  settings
	mux       *chi.Mux
	mu        sync.Mutex // held by Register
	endpoints atomic.Pointer[map[string]*endpoint]
	running   RunningQueue // started by New; nil if there is none

	intake      *intake
	closing     atomic.Bool
	warnedHTTP  sync.Once
	warnedProxy sync.Once
}

// New returns a Dispatcher without adapters. It returns [ErrConfig] if an option
// is invalid, and the error of the queue if that of [WithRunningQueue] does not
// start.
func New(options ...Option) (*Dispatcher, error) {
	s, err := newSettings().with(options)
	if err != nil {
		return nil, err
	}
	if s.forEndpoint != nil {
		return nil, Misconfigured("WithEndpointOptions", "must be an option of Register")
	}
	if s.store == nil {
		s.store = NewMemoryStore(0)
	}
	d := &Dispatcher{settings: s, mux: chi.NewMux(), intake: newIntake(&s)}
	d.endpoints.Store(&map[string]*endpoint{})
	name, endpoint := "/{"+nameParam+"}", "/{"+endpointParam+"}"
	for _, pattern := range []string{name, name + "/", name + endpoint, name + endpoint + "/"} {
		d.mux.HandleFunc(pattern, d.route)
	}
	d.mux.NotFound(d.notFound)
	// For methods that chi does not know. Endpoints answer to all others.
	d.mux.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allowedMethods(nil))
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

// Queue returns the queue that New was given or has started, or nil.
func (d *Dispatcher) Queue() Queue { return d.settings.queue }

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// Register serves an adapter below /{name}/. Several adapters of one ESP are
// registered under several names. Names are compared without underscores: an
// adapter registered as "amazonses" is reached at /amazon_ses/ too. Options go
// over those of [New]. Register returns [ErrConfig] if the name is taken or has
// other characters than letters, digits, "-" and "_", if an option is invalid,
// if an endpoint would accept requests from any client, or if one is TestOnly
// and [RequireTLS] is set.
func (d *Dispatcher) Register(name string, adapter Adapter, options ...Option) error {
	setting := "Register(" + name + ")"
	switch {
	case name == "" || strings.Trim(name, nameLetters) != "":
		return Misconfigured("Register", "a name must have letters, digits, - and _ only")
	case adapter == nil:
		return Misconfigured(setting, "adapter must not be nil")
	}
	s, err := d.settings.with(options)
	if err != nil {
		return &ConfigError{Setting: setting, Err: err}
	}
	switch {
	case s.startQueue != nil:
		return Misconfigured(setting, "WithRunningQueue is an option of New alone: all adapters share the queue")
	case s.maxMemory != d.settings.maxMemory, s.maxReading != d.settings.maxReading:
		return Misconfigured(setting, "WithMaxMemory and WithMaxReading are options of New alone: all adapters share the bounds")
	}
	served := adapter.Endpoints()
	if len(served) == 0 {
		return Misconfigured(setting, "the adapter has no endpoint")
	}
	working := new(counter)
	if s.maxInFlight != d.settings.maxInFlight {
		working.max = int64(s.maxInFlight)
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	endpoints := maps.Clone(*d.endpoints.Load())
	for path := range s.forEndpoint {
		if !slices.ContainsFunc(served, func(e Endpoint) bool { return e.Path == path }) {
			return Misconfigured(setting, "WithEndpointOptions: the adapter has no endpoint %q", path)
		}
	}
	for _, e := range served {
		s, err := s.with(s.forEndpoint[e.Path])
		if err != nil {
			return &ConfigError{Setting: setting, Err: err}
		}
		if s.noSecretYet {
			s.logger.Warn("anymail: there is no shared secret yet, so every request is refused", "name", name, "endpoint", e.Path)
		}
		key := routeKey(name, e.Path)
		switch {
		case endpoints[key] != nil:
			return Misconfigured(setting, "endpoint %q is already registered", e.Path)
		case strings.Contains(e.Path, "/"):
			return Misconfigured(setting, "endpoint %q must be a single segment of a path", e.Path)
		case e.Parser == nil:
			return Misconfigured(setting, "endpoint %q has no parser", e.Path)
		case e.NeedsSecret && s.secrets == nil:
			return Misconfigured(setting, "endpoint %q accepts nothing without a shared secret", e.Path)
		case e.TestOnly && s.requireTLS:
			return Misconfigured(setting, "endpoint %q accepts requests that are not the ESP's, for tests, and RequireTLS is for production", e.Path)
		case e.Verifier == nil && s.secrets == nil && !s.insecure:
			return Misconfigured(setting, "any client could post to endpoint %q: give it a shared secret or a signature key, or say Insecure", e.Path)
		}
		if e.TestOnly {
			s.logger.Warn("anymail: the adapter accepts requests that are not the ESP's, for tests; never do so in production", "name", name, "endpoint", e.Path)
		}
		info := RequestInfo{ESP: adapter.ESP(), Name: name, Endpoint: e.Path}
		if endpoints[key], err = d.newEndpoint(e, served, s, info, working); err != nil {
			return &ConfigError{Setting: setting, Err: err}
		}
	}
	d.endpoints.Store(&endpoints)
	return nil
}

func (d *Dispatcher) newEndpoint(e Endpoint, siblings []Endpoint, s settings, info RequestInfo, working *counter) (*endpoint, error) {
	ep := &endpoint{
		Endpoint: e,
		settings: s,
		limits:   s.limits,
		window:   positiveOr(positiveOr(s.window, e.Window), DefaultTimestampWindow),
		info:     info,
		d:        d,
		siblings: siblings,
		working:  working,
		replays:  "replay " + info.Name + "/" + info.Endpoint,
	}
	ep.limits.Body = positiveOr(s.limits.Body, e.MaxBody)
	ep.limits = ep.limits.OrDefaults()
	var err error
	ep.guard, err = newGuard(&ep.settings)
	return ep, err
}

func routeKey(name, path string) string {
	return strings.ReplaceAll(name, "_", "") + "/" + strings.ReplaceAll(path, "_", "")
}

// The parameters of the Dispatcher's own routes. chi keeps them together with
// those of the routes that it is mounted below, which may well be called "name".
const (
	nameParam     = "anymail.name"
	endpointParam = "anymail.endpoint"
)

// ServeHTTP implements [http.Handler].
func (d *Dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mux.ServeHTTP(w, r)
}

func (d *Dispatcher) route(w http.ResponseWriter, r *http.Request) {
	ep := (*d.endpoints.Load())[routeKey(chi.URLParam(r, nameParam), chi.URLParam(r, endpointParam))]
	if ep == nil {
		d.notFound(w, r)
		return
	}
	ep.ServeHTTP(w, r)
}

// Shutdown answers new requests with 503 and waits until those in flight have
// ended or ctx is done. Then it shuts down the queue that New has started, which
// waits for the receivers that run. Call it before the server's own Shutdown if
// the ESPs should go on to another process at once.
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
	for d.intake.present.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
