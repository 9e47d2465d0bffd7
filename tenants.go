package anymail

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goanymail/anymail/internal/bounded"
	"github.com/goanymail/anymail/internal/ratelimit"
)

// ErrUnknownTenant is what a [TenantResolver] returns for a name that nobody has.
var ErrUnknownTenant = errors.New("unknown tenant")

// TenantResolver returns the adapter and the options of an account, as they would
// be given to [Dispatcher.Register]. It returns [ErrUnknownTenant] if there is no
// account of this name, which is answered with 404. Any other error, also one in
// the adapter or its options, is answered with 503, so that the ESP retries.
//
// It should compare names exactly. The spelling in the URL becomes the account of
// the events, and a signature is remembered for it: a resolver that ignores case
// would let a request that was recorded be replayed under another spelling. It is
// called from several goroutines, and should return when ctx is done.
type TenantResolver func(ctx context.Context, name string) (Adapter, []Option, error)

// TenantCache bounds what a Dispatcher remembers of a [TenantResolver]'s answers,
// and how often it asks. A field that is 0 or less has its default.
type TenantCache struct {
	// Size is how many accounts are kept at most; at least half as many of those
	// that were used last are. Default: 20000.
	Size int
	// Lifetime is how long an account is kept before the resolver is asked again,
	// and so how long a removed account or an old key is accepted. What an account
	// had counted against its own limits ends with it. Default: 5 minutes.
	Lifetime time.Duration
	// Unknown is how many unknown names are remembered at most, apart from the
	// accounts, and UnknownLifetime for how long. Defaults: 20000 and 1 minute.
	Unknown         int
	UnknownLifetime time.Duration
	// Lookups is how many calls of the resolver may run at once, and Timeout how
	// long one may take. A request that needs one more is answered with 503.
	// Defaults: 32 and 5 seconds.
	Lookups int
	Timeout time.Duration
	// UnknownRate is how often one client (an IPv4 address or an IPv6 /64) may ask
	// for names that turn out to be unknown. A client over the rate gets 429 for
	// any name that is not in the cache. Default: 1 a second with bursts of 100.
	UnknownRate Rate
}

// maxTenantName is the longest name that is looked up.
const maxTenantName = 128

// WithTenants resolves names that are not registered when a request for them comes,
// so that a service with many accounts starts at once and keeps only those that are
// active. Registered names come first. It is an option of New alone.
func WithTenants(resolve TenantResolver, cache TenantCache) Option {
	return func(s *settings) {
		if resolve == nil {
			s.fail("WithTenants", "must not be nil")
		}
		rate := cache.UnknownRate
		if rate.PerSecond <= 0 {
			rate = Rate{PerSecond: 1, Burst: 100}
		}
		s.newTenants = func(d *Dispatcher) (*tenants, error) {
			guard, err := newGuard(&d.settings)
			return &tenants{
				d:               d,
				guard:           guard,
				resolve:         resolve,
				lifetime:        positiveOr(cache.Lifetime, 5*time.Minute),
				unknownLifetime: positiveOr(cache.UnknownLifetime, time.Minute),
				timeout:         positiveOr(cache.Timeout, 5*time.Second),
				lookups:         counter{max: int64(positiveOr(cache.Lookups, 32))},
				misses:          rate.limiter(DefaultRateLimitAddresses),
				known:           bounded.New[string, tenant](positiveOr(cache.Size, 20_000)),
				unknown:         bounded.New[string, time.Time](positiveOr(cache.Unknown, 20_000)),
				running:         map[string]*lookup{},
			}, err
		}
	}
}

// ForgetTenant removes what is remembered of a name of [WithTenants], for an account
// that was added, removed or changed. The next request for it calls the resolver,
// also if a call that began before is still running.
func (d *Dispatcher) ForgetTenant(name string) {
	if d.tenants != nil {
		d.tenants.forget(name)
	}
}

// tenants finds the accounts that are not registered. What is unknown is kept apart
// from what is known, so that random names displace no account.
type tenants struct {
	d               *Dispatcher
	guard           *guard // finds the address of the client
	resolve         TenantResolver
	lifetime        time.Duration
	unknownLifetime time.Duration
	timeout         time.Duration
	lookups         counter
	misses          *ratelimit.Limiter

	mu      sync.Mutex
	known   bounded.Map[string, tenant]
	unknown bounded.Map[string, time.Time] // until when
	running map[string]*lookup
}

type tenant struct {
	account *account
	until   time.Time
}

// lookup is a running call of the resolver. The other fields are set when done is
// closed.
type lookup struct {
	done    chan struct{}
	account *account
	err     error
}

var (
	errManyLookups  = Because(ErrUnavailable, "too many look-ups of tenants", nil)
	errManyUnknowns = Because(ErrRateLimited, "from an address that often asks for unknown names", nil)
)

// account returns the account of a name, or nil if it is unknown.
func (t *tenants) account(ctx context.Context, name string, client netip.Addr) (*account, error) {
	if name == "" || len(name) > maxTenantName || strings.Trim(name, nameLetters) != "" {
		return nil, nil
	}
	present := &t.d.intake.present
	present.Add(1)
	defer present.Add(-1)
	if t.d.closing.Load() { // read after counting, as in endpoint.enter
		return nil, errShutdown
	}
	found, call, err := t.find(name, client)
	if call == nil {
		return found, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout) // the resolver may ignore its own
	defer cancel()
	select {
	case <-call.done:
	case <-ctx.Done():
		return nil, Because(ErrUnavailable, "tenant", ctx.Err())
	}
	if errors.Is(call.err, ErrUnknownTenant) {
		if client.IsValid() {
			t.misses.Allow(client, t.d.settings.now())
		}
		return nil, nil
	}
	return call.account, call.err
}

// find returns what is remembered of a name, or else the look-up to wait for: the
// one that runs, or a new one.
func (t *tenants) find(name string, client netip.Addr) (*account, *lookup, error) {
	now := t.d.settings.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if found, ok := t.known.Get(name); ok && now.Before(found.until) {
		t.known.Set(name, found) // it is in use, so others go first
		return found.account, nil, nil
	}
	if until, ok := t.unknown.Get(name); ok && now.Before(until) {
		return nil, nil, nil
	}
	if client.IsValid() && !t.misses.Peek(client, now) {
		return nil, nil, errManyUnknowns
	}
	if call := t.running[name]; call != nil {
		return nil, call, nil
	}
	if !t.lookups.add() {
		return nil, nil, errManyLookups
	}
	call := &lookup{done: make(chan struct{}), err: Because(ErrUnavailable, "tenant", errGoexit)}
	t.running[name] = call
	t.d.intake.present.Add(1) // Shutdown waits for it
	go t.run(name, call)
	return nil, call, nil
}

// run calls the resolver. It belongs to no request: others may wait for its answer
// when the first has gone.
func (t *tenants) run(name string, call *lookup) {
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer func() { // also if the resolver ends the goroutine
		cancel()
		t.keep(name, call)
		close(call.done)
		t.lookups.remove()
		t.d.intake.present.Add(-1)
	}()
	err := recoverPanic(func() error {
		adapter, options, err := t.resolve(ctx, name)
		if err == nil {
			call.account, err = t.d.newAccount(name, adapter, options)
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrUnknownTenant) {
		err = Because(ErrUnavailable, "tenant", err)
	}
	call.err = err
}

// keep remembers the answer of a look-up, unless its name was forgotten meanwhile.
func (t *tenants) keep(name string, call *lookup) {
	now := t.d.settings.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[name] != call {
		return
	}
	delete(t.running, name)
	switch {
	case call.err == nil:
		t.known.Set(name, tenant{call.account, now.Add(t.lifetime)})
	case errors.Is(call.err, ErrUnknownTenant):
		t.unknown.Set(name, now.Add(t.unknownLifetime))
		t.known.Delete(name)
	}
}

func (t *tenants) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, name)
	t.known.Delete(name)
	t.unknown.Delete(name)
}

// refuseTenant answers a request whose account could not be looked up now, and tells
// the log and the hooks of it.
func (d *Dispatcher) refuseTenant(w http.ResponseWriter, r *http.Request, name string, client netip.Addr, err error) {
	reason, kind := kindOf(err)
	status := statusOf(kind, d.settings.rejectStatus)
	w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	http.Error(w, http.StatusText(status), status)
	id := newRequestID(r.Header)
	d.settings.logger.LogAttrs(r.Context(), slog.LevelWarn, "anymail: account not looked up",
		slog.String("name", name), slog.Int("status", status), slog.String("remote", client.String()), slog.String("error", clip(err.Error())), id.attr())
	if !d.settings.hooks.wantRejections() {
		return
	}
	rejection := Rejection{
		Err:        &RequestError{Name: name, Reason: reason, Err: err},
		Status:     status,
		RequestID:  id.String(),
		RemoteAddr: client,
		Received:   Received{At: d.settings.now(), Method: r.Method},
	}
	rejection.Received.Header, rejection.Received.Removed = withoutSecrets(r.Header, nil)
	d.settings.hooks.rejected(r.Context(), rejection)
}
