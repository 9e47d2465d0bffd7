package anymail

import (
	"cmp"
	"context"
	"errors"
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

	settings settings
	running  RunningQueue // started by New; nil without WithRunningQueue

	accounts sync.Map     // *account by plainName
	mu       sync.Mutex   // held to change accounts
	served   atomic.Int64 // endpoints of all accounts
	tenants  *tenants     // nil without WithTenants

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
	d := &Dispatcher{settings: s, intake: newIntake(&s)}
	if s.newTenants != nil {
		d.settings.newTenants = nil // so that Register sees whether it is given one
		if d.tenants, err = s.newTenants(d); err != nil {
			return nil, err
		}
	}
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

// account is what is registered under one name. It does not change: Register and
// Replace store another one.
type account struct {
	endpoints []*endpoint // few, so that a search is as fast as a map
}

// endpoint returns the endpoint at a path, or nil.
func (a *account) endpoint(path string) *endpoint {
	path = plainName(path)
	for _, ep := range a.endpoints {
		if plainName(ep.Path) == path {
			return ep
		}
	}
	return nil
}

// plainName is the form in which names and paths are compared.
func plainName(name string) string { return strings.ReplaceAll(name, "_", "") }

func (d *Dispatcher) account(name string) *account {
	if found, ok := d.accounts.Load(plainName(name)); ok {
		return found.(*account)
	}
	return nil
}

// Register serves an adapter below /{name}/. Several adapters of one ESP are
// registered under several names. Names are compared without underscores: an
// adapter registered as "amazonses" is reached at /amazon_ses/ too. Options go
// over those of [New]. Register returns [ErrConfig] if the name is taken or has
// other characters than letters, digits, "-" and "_", if an option is invalid,
// if an endpoint would accept requests from any client, or if one is TestOnly
// and [RequireTLS] is set. Its time does not depend on how many adapters there are.
func (d *Dispatcher) Register(name string, adapter Adapter, options ...Option) error {
	added, err := d.newAccount(name, adapter, options)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	served := int64(len(added.endpoints))
	if old := d.account(name); old != nil {
		for _, ep := range added.endpoints {
			if old.endpoint(ep.Path) != nil {
				return Misconfigured("Register("+name+")", "endpoint %q is already registered", ep.Path)
			}
		}
		added.endpoints = slices.Concat(old.endpoints, added.endpoints)
	}
	d.accounts.Store(plainName(name), added)
	d.served.Add(served)
	return nil
}

// Replace serves an adapter, with these options, instead of everything that is
// registered under the name; if nothing is, it is Register. No request is refused
// meanwhile: those in flight end with the old adapter, and new ones get the new
// one. What the old one had counted against its own limits is forgotten. After an
// error, the old one stays.
func (d *Dispatcher) Replace(name string, adapter Adapter, options ...Option) error {
	added, err := d.newAccount(name, adapter, options)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.account(name)
	d.accounts.Store(plainName(name), added)
	d.served.Add(int64(len(added.endpoints)))
	if old != nil {
		d.served.Add(-int64(len(old.endpoints)))
	}
	return nil
}

// Unregister removes everything that is registered under the name, and reports
// whether anything was. Requests in flight end as if it were still there.
func (d *Dispatcher) Unregister(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.account(name)
	if old == nil {
		return false
	}
	d.accounts.Delete(plainName(name))
	d.served.Add(-int64(len(old.endpoints)))
	return true
}

// newAccount checks an adapter and its options. It registers nothing.
func (d *Dispatcher) newAccount(name string, adapter Adapter, options []Option) (*account, error) {
	setting := "Register(" + name + ")"
	switch {
	case name == "" || strings.Trim(name, nameLetters) != "":
		return nil, Misconfigured("Register", "a name must have letters, digits, - and _ only")
	case adapter == nil:
		return nil, Misconfigured(setting, "adapter must not be nil")
	}
	s, err := d.settings.with(options)
	if err != nil {
		return nil, &ConfigError{Setting: setting, Err: err}
	}
	switch {
	case s.startQueue != nil:
		return nil, Misconfigured(setting, "WithRunningQueue is an option of New alone: all adapters share the queue")
	case s.newTenants != nil:
		return nil, Misconfigured(setting, "WithTenants is an option of New alone: it is for names that are not registered")
	case s.maxMemory != d.settings.maxMemory, s.maxReading != d.settings.maxReading:
		return nil, Misconfigured(setting, "WithMaxMemory and WithMaxReading are options of New alone: all adapters share the bounds")
	}
	served := adapter.Endpoints()
	if len(served) == 0 {
		return nil, Misconfigured(setting, "the adapter has no endpoint")
	}
	for path := range s.forEndpoint {
		if !slices.ContainsFunc(served, func(e Endpoint) bool { return e.Path == path }) {
			return nil, Misconfigured(setting, "WithEndpointOptions: the adapter has no endpoint %q", path)
		}
	}
	working := new(counter)
	if s.maxInFlight != d.settings.maxInFlight {
		working.max = int64(s.maxInFlight)
	}
	made := &account{endpoints: make([]*endpoint, 0, len(served))}
	for _, e := range served {
		s, err := s.with(s.forEndpoint[e.Path])
		if err != nil {
			return nil, &ConfigError{Setting: setting, Err: err}
		}
		if s.noSecretYet {
			s.logger.Warn("anymail: there is no shared secret yet, so every request is refused", "name", name, "endpoint", e.Path)
		}
		switch {
		case made.endpoint(e.Path) != nil:
			return nil, Misconfigured(setting, "endpoint %q is already registered", e.Path)
		case strings.Contains(e.Path, "/"):
			return nil, Misconfigured(setting, "endpoint %q must be a single segment of a path", e.Path)
		case e.Parser == nil:
			return nil, Misconfigured(setting, "endpoint %q has no parser", e.Path)
		case e.NeedsSecret && s.secrets == nil:
			return nil, Misconfigured(setting, "endpoint %q accepts nothing without a shared secret", e.Path)
		case e.TestOnly && s.requireTLS:
			return nil, Misconfigured(setting, "endpoint %q accepts requests that are not the ESP's, for tests, and RequireTLS is for production", e.Path)
		case e.Verifier == nil && s.secrets == nil && !s.insecure:
			return nil, Misconfigured(setting, "any client could post to endpoint %q: give it a shared secret or a signature key, or say Insecure", e.Path)
		}
		if e.TestOnly {
			s.logger.Warn("anymail: the adapter accepts requests that are not the ESP's, for tests; never do so in production", "name", name, "endpoint", e.Path)
		}
		info := RequestInfo{ESP: adapter.ESP(), Name: name, Endpoint: e.Path}
		ep, err := d.newEndpoint(e, served, s, info, working)
		if err != nil {
			return nil, &ConfigError{Setting: setting, Err: err}
		}
		made.endpoints = append(made.endpoints, ep)
	}
	return made, nil
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

// ServeHTTP implements [http.Handler].
func (d *Dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, path, ok := splitPath(pathBelowMount(r))
	if !ok {
		d.notFound(w, r)
		return
	}
	found := d.account(name)
	if found == nil && d.tenants != nil {
		client := d.tenants.guard.origin(r).addr
		var err error
		if found, err = d.tenants.account(r.Context(), name, client); err != nil {
			d.refuseTenant(w, r, name, client, err)
			return
		}
	}
	if found == nil {
		d.notFound(w, r)
		return
	}
	ep := found.endpoint(path)
	if ep == nil {
		d.notFound(w, r)
		return
	}
	ep.ServeHTTP(w, r)
}

// pathBelowMount returns the path of a request without what a chi router has matched
// of it, in the form in which chi compares it.
func pathBelowMount(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil && c.RoutePath != "" {
		return c.RoutePath
	}
	return cmp.Or(r.URL.RawPath, r.URL.Path)
}

// splitPath splits /{name} or /{name}/{endpoint}, with or without a slash at the end.
func splitPath(path string) (name, endpoint string, ok bool) {
	path, ok = strings.CutPrefix(path, "/")
	name, rest, _ := strings.Cut(path, "/")
	endpoint = strings.TrimSuffix(rest, "/")
	return name, endpoint, ok && name != "" && rest != "/" && !strings.Contains(endpoint, "/")
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
