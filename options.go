package anymail

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail/internal/ratelimit"
)

// Option changes a setting. An option given to [New] is for all adapters. One
// given to [Dispatcher.Register] is for that adapter and replaces the one given
// to New.
type Option func(*settings)

type settings struct {
	secrets          KeySource
	noSecretYet      bool // the source is empty at the start
	insecure         bool
	rejectStatus     int
	requireTLS       bool
	trustedProxies   []netip.Prefix
	forwardedHeaders []string // canonical; nil for the default
	publicURL        string
	allowed          func(context.Context) ([]netip.Prefix, error)
	perAddress       *ratelimit.Limiter // nil for none
	failures         *ratelimit.Limiter // nil for none
	perEndpoint      Rate
	limits           Limits
	maxReading       int
	maxInFlight      int
	maxMemory        int64
	window           time.Duration
	noReplayCheck    bool
	accountKeys      bool
	noInboundRaw     bool
	attachments      AttachmentStore // nil for none
	keepAttachment   int             // bytes of an attachment that stays in its event
	store            IdempotencyStore
	queue            Queue
	startQueue       func(QueueHost) (RunningQueue, error)
	reports          ReportReader // nil for none
	logger           *slog.Logger
	hooks            hookList
	now              func() time.Time
	forEndpoint      map[string][]Option // see WithEndpointOptions
	newTenants       func(*Dispatcher) (*tenants, error)

	errs []error // what is wrong with the options; New and Register return it
}

func newSettings() settings {
	return settings{
		rejectStatus: DefaultRejectStatus,
		maxInFlight:  DefaultMaxInFlight,
		maxReading:   DefaultMaxReading,
		maxMemory:    defaultMemory(),
		logger:       slog.Default(),
		now:          time.Now,
	}
}

func (s settings) with(options []Option) (settings, error) {
	s.errs = nil
	for _, option := range options {
		if option == nil {
			s.fail("Option", "must not be nil")
			continue
		}
		option(&s)
	}
	s.hooks.logger = s.logger
	return s, errors.Join(s.errs...)
}

func (s *settings) fail(setting, format string, args ...any) {
	s.errs = append(s.errs, Misconfigured(setting, format, args...))
}

// WithSharedSecret protects endpoints by HTTP basic authentication: the ESP is
// given the URL as https://user:password@host/... Each secret has the form
// "user:password". Any of them is accepted, so that one can replace another.
// The password needs at least 16 characters, 8 of them different. An empty list
// is an error, since it would leave endpoints open by mistake: see
// [WithoutSharedSecret].
func WithSharedSecret(secrets ...string) Option {
	return func(s *settings) {
		if len(secrets) == 0 {
			s.fail("WithSharedSecret", "must have a secret")
		}
		for i, secret := range secrets {
			if err := checkSecret(secret); err != nil {
				s.fail("WithSharedSecret["+strconv.Itoa(i)+"]", "%w", err)
			}
		}
		s.secrets, s.noSecretYet = Keys(secrets...), false
	}
}

// WithSharedSecretSource is [WithSharedSecret] for secrets that can change while
// requests run. A secret that is weak from the start is an error; one that becomes
// weak authenticates nothing, and neither does an empty list, which is a warning
// in the log at the start.
func WithSharedSecretSource(source KeySource) Option {
	return func(s *settings) {
		if source == nil {
			s.fail("WithSharedSecretSource", "must not be nil")
			return
		}
		s.secrets = source
		secrets, err := source.Keys(context.Background())
		if err != nil {
			return // it may work by the time it is needed
		}
		for i, secret := range secrets {
			if err := checkSecret(secret); err != nil {
				s.fail("WithSharedSecretSource["+strconv.Itoa(i)+"]", "%w", err)
			}
		}
		s.noSecretYet = len(secrets) == 0
	}
}

// WithoutSharedSecret removes the shared secret given to [New], for an adapter
// whose signature is enough.
func WithoutSharedSecret() Option {
	return func(s *settings) { s.secrets, s.noSecretYet = nil, false }
}

// WithEndpointOptions gives options to one endpoint of an adapter, over those of
// the adapter, so that a signed endpoint and one that needs the shared secret can
// be registered together:
//
//	d.Register("sendgrid", adapter, anymail.WithEndpointOptions("tracking", anymail.WithoutSharedSecret()))
//
// It is an option of [Dispatcher.Register] alone. The adapter must have the
// endpoint.
func WithEndpointOptions(path string, options ...Option) Option {
	return func(s *settings) {
		s.forEndpoint = maps.Clone(s.forEndpoint)
		if s.forEndpoint == nil {
			s.forEndpoint = map[string][]Option{}
		}
		s.forEndpoint[path] = append(slices.Clip(s.forEndpoint[path]), options...)
	}
}

// Insecure lets an endpoint start that has neither a shared secret nor a
// signature key. Any client that knows its URL can then forge events.
func Insecure() Option {
	return func(s *settings) { s.insecure = true }
}

// WithRejectStatus sets the answer to an unauthenticated request: 400 to 499,
// by default [DefaultRejectStatus].
func WithRejectStatus(status int) Option {
	return func(s *settings) {
		if status < 400 || status > 499 {
			s.fail("WithRejectStatus", "must be 400 to 499, not %d", status)
		}
		s.rejectStatus = status
	}
}

// RequireTLS refuses requests that did not arrive over https, at this server or
// at a trusted proxy in front of it. By default they are accepted, with a warning
// in the log.
func RequireTLS() Option {
	return func(s *settings) { s.requireTLS = true }
}

// WithTrustedProxies names the addresses of the proxies in front of this server.
// X-Forwarded-For, -Proto and -Host are believed from them alone, or the headers of
// [WithForwardedHeaders].
func WithTrustedProxies(prefixes ...netip.Prefix) Option {
	return func(s *settings) {
		s.checkPrefixes("WithTrustedProxies", prefixes)
		s.trustedProxies = prefixes
	}
}

// WithForwardedHeaders names the headers that the proxies of [WithTrustedProxies] set,
// instead of X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host. The proxies must
// overwrite each of them, or append to X-Forwarded-For and Forwarded: a header that a
// proxy passes on unchanged is the client's claim. Two more are supported:
//
//   - X-Forwarded-Prefix is the start of the path that a proxy removed. It belongs to
//     the URL that some ESPs sign.
//   - Forwarded (RFC 7239) says what X-Forwarded-For, -Proto and -Host say, so it
//     cannot be combined with them: a request could have both, and they could differ.
//
// Other forwarding headers have no effect. An empty list is an error.
func WithForwardedHeaders(names ...string) Option {
	return func(s *settings) {
		if len(names) == 0 {
			s.fail("WithForwardedHeaders", "must have a header")
		}
		s.forwardedHeaders = nil
		for i, name := range names {
			canonical := http.CanonicalHeaderKey(name)
			if !slices.Contains(forwardingHeaders, canonical) {
				s.fail("WithForwardedHeaders["+strconv.Itoa(i)+"]", "must be one of %s", strings.Join(forwardingHeaders, ", "))
			}
			s.forwardedHeaders = append(s.forwardedHeaders, canonical)
		}
		named := func(name string) bool { return slices.Contains(s.forwardedHeaders, name) }
		if named("Forwarded") && slices.ContainsFunc(forwardingHeaders[:3], named) {
			s.fail("WithForwardedHeaders", "Forwarded cannot be combined with X-Forwarded-For, -Proto or -Host: name those that the proxies set")
		}
	}
}

// checkPrefixes refuses prefixes that contain no address: they would do
// something other than they seem to.
func (s *settings) checkPrefixes(setting string, prefixes []netip.Prefix) {
	for i, p := range prefixes {
		if !p.IsValid() || p.Addr().Is4In6() {
			s.fail(setting+"["+strconv.Itoa(i)+"]", "%s is not an IPv4 or IPv6 prefix", p)
		}
	}
}

// WithPublicURL sets the URL at which the ESP reaches the Dispatcher's mount
// point, for example "https://example.com/anymail", if the request does not
// tell. Some ESPs sign the URL.
func WithPublicURL(base string) Option {
	return func(s *settings) {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			s.fail("WithPublicURL", "must be an absolute http(s) URL")
		}
		s.publicURL = strings.TrimRight(base, "/")
	}
}

// WithAllowedAddresses accepts requests from these addresses only, in addition
// to all other checks. An empty list is an error: it would admit no client, and
// may be meant to admit any.
func WithAllowedAddresses(prefixes ...netip.Prefix) Option {
	return func(s *settings) {
		if len(prefixes) == 0 {
			s.fail("WithAllowedAddresses", "must have an address")
		}
		s.checkPrefixes("WithAllowedAddresses", prefixes)
		s.allowed = func(context.Context) ([]netip.Prefix, error) { return prefixes, nil }
	}
}

// WithoutAllowedAddresses removes the address list given to [New], for an
// adapter whose ESP calls from any address.
func WithoutAllowedAddresses() Option {
	return func(s *settings) { s.allowed = nil }
}

// WithAllowedAddressFunc is [WithAllowedAddresses] for a list that changes. Every
// request calls load, which should answer from memory. An error of load refuses
// the request with 503.
func WithAllowedAddressFunc(load func(context.Context) ([]netip.Prefix, error)) Option {
	return func(s *settings) {
		if load == nil {
			s.fail("WithAllowedAddressFunc", "must not be nil")
		}
		s.allowed = load
	}
}

// Rate is an average rate with a burst. Its zero value is no limit.
type Rate struct {
	PerSecond float64
	// Burst is how many requests may come at once; less than 1 means 1.
	Burst int
}

// RateLimit limits how often endpoints may be called. A request over a limit is
// answered with 429 and Retry-After.
type RateLimit struct {
	// PerAddress is for the requests of one client: an IPv4 address or an
	// IPv6 /64. Behind proxies, set [WithTrustedProxies] as well: all clients
	// count as one otherwise.
	PerAddress Rate
	// PerEndpoint is for all requests to one endpoint.
	PerEndpoint Rate
	// Failures is for requests of one client that had a wrong signature or
	// shared secret, or none. A client over this limit is refused before any
	// other check.
	Failures Rate
	// Addresses is how many clients are remembered at most, about 50 bytes
	// each. Default: [DefaultRateLimitAddresses].
	Addresses int
}

// DefaultRateLimit returns one to begin with: 50 requests a second from one
// client with bursts of 500, and one failure in five seconds with bursts of 20.
func DefaultRateLimit() RateLimit {
	return RateLimit{
		PerAddress: Rate{PerSecond: 50, Burst: 500},
		Failures:   Rate{PerSecond: 0.2, Burst: 20},
	}
}

// WithRateLimit limits how often endpoints may be called. By default there is no
// limit, since behind a proxy that [WithTrustedProxies] does not name, one client
// could use up what is meant for all. Requests without an address, over a Unix
// socket, fall under PerEndpoint alone.
func WithRateLimit(limit RateLimit) Option {
	return func(s *settings) {
		for field, rate := range map[string]Rate{"PerAddress": limit.PerAddress, "PerEndpoint": limit.PerEndpoint, "Failures": limit.Failures} {
			setting := "WithRateLimit." + field
			switch {
			case math.IsNaN(rate.PerSecond) || rate.PerSecond < 0 || rate.PerSecond > 1e6:
				s.fail(setting, "PerSecond must be 0 to 1000000, not %g", rate.PerSecond)
				return
			case rate.PerSecond == 0 && rate.Burst > 0:
				s.fail(setting, "a burst needs a rate per second")
				return
			}
		}
		size := positiveOr(limit.Addresses, DefaultRateLimitAddresses)
		s.perEndpoint = limit.PerEndpoint
		s.perAddress, s.failures = limit.PerAddress.limiter(size), limit.Failures.limiter(size)
	}
}

func (r Rate) limiter(size int) *ratelimit.Limiter {
	if r.PerSecond <= 0 {
		return nil
	}
	return ratelimit.New(r.PerSecond, r.Burst, size)
}

// WithLimits bounds what one request may cost.
func WithLimits(limits Limits) Option {
	return func(s *settings) { s.limits = limits.over(s.limits) }
}

// WithMaxReading sets how many bodies of requests without a shared secret may
// arrive at once. A quarter of them may be for one endpoint, and a sixteenth from
// one client (an IPv4 address or an IPv6 /64). A request that finds no place takes
// that of the slowest, which is answered with 503. It is an option of New alone.
// Default: [DefaultMaxReading].
func WithMaxReading(n int) Option {
	return func(s *settings) {
		if n < 1 {
			s.fail("WithMaxReading", "must be at least 1, not %d", n)
		}
		s.maxReading = n
	}
}

// WithMaxInFlight sets how many requests may be processed at once, from the end of
// their body on or, if they prove a shared secret, from its beginning. One more is
// answered with 503 and Retry-After. Given to Register it bounds that adapter,
// in addition to the bound of New. Default: [DefaultMaxInFlight].
func WithMaxInFlight(n int) Option {
	return func(s *settings) {
		if n < 1 {
			s.fail("WithMaxInFlight", "must be at least 1, not %d", n)
		}
		s.maxInFlight = n
	}
}

// WithMaxMemory sets how many bytes of memory the requests with a body of more than
// 16 KiB may take together. A body counts six times: itself, its decoded form, what
// is parsed from it, and as much garbage. A request waits for memory up to 15
// seconds, and is then answered with 503 and Retry-After. A body that counts more
// than the bound is received when no other one is. It is an option of New alone.
// Default: [DefaultMaxMemory], or half of GOMEMLIMIT if that is less.
func WithMaxMemory(n int64) Option {
	return func(s *settings) {
		if n < 1 {
			s.fail("WithMaxMemory", "must be at least 1, not %d", n)
		}
		s.maxMemory = n
	}
}

// WithTimestampWindow sets how far a signed timestamp may be from now, in either
// direction, instead of the adapter's own window. 0 leaves it to the adapter.
func WithTimestampWindow(window time.Duration) Option {
	return func(s *settings) {
		if window < 0 {
			s.fail("WithTimestampWindow", "must not be negative: %s", window)
		}
		s.window = window
	}
}

// WithoutReplayCheck accepts requests whose signature was seen before and whose
// events were all completed. The idempotency store still keeps the receivers
// from running twice.
func WithoutReplayCheck() Option {
	return func(s *settings) { s.noReplayCheck = true }
}

// WithAccountKeys makes the account a part of every event's Key: the same event of
// the ESP is a different one in another account. Without it, a tenant who can sign
// for one account can have the events of another taken for completed, because the
// ESP's ids are what identifies an event. Everything that goes by the Key follows:
// the idempotency store, queues, and consumers that drop repeats. Signatures are
// remembered for each account anyway. An event that came in before the option was
// given, or under another name, has another Key and runs again if it is redelivered.
func WithAccountKeys() Option {
	return func(s *settings) { s.accountKeys = true }
}

// WithIdempotencyStore remembers in store which receiver has completed which
// event. Default: a [MemoryStore].
func WithIdempotencyStore(store IdempotencyStore) Option {
	return func(s *settings) {
		if store == nil {
			s.fail("WithIdempotencyStore", "must not be nil")
		}
		s.store = store
	}
}

// Queue stores events before the ESP is answered. Enqueue either stores all of
// them durably or returns an error: [ErrUnavailable] if the queue is full or out
// of reach.
type Queue interface {
	Enqueue(ctx context.Context, events []Event) error
}

// WithQueue puts a queue in front of the receivers: the ESP is answered as soon
// as the queue has the events, and the queue's workers run the receivers. The
// caller closes the queue.
func WithQueue(queue Queue) Option {
	return func(s *settings) { s.queue, s.startQueue = queue, nil }
}

// RunningQueue is a [Queue] with workers that a [Dispatcher] can stop.
type RunningQueue interface {
	Queue
	// Shutdown accepts no more events, waits for the receivers that run until
	// ctx is done, and releases what the queue holds, whatever it returns.
	Shutdown(ctx context.Context) error
}

// QueueHost is what a [Dispatcher] gives to its own queue.
type QueueHost struct {
	Signals *Signals // the receivers to run
	Hooks   Hooks    // Receiver is to be called around each run; the others are nil
	Logger  *slog.Logger
}

// WithRunningQueue is [WithQueue] for a queue that belongs to the Dispatcher:
// [New] starts it and returns its error, [Dispatcher.Shutdown] shuts it down. It
// is an option of New alone; package durable makes such options.
func WithRunningQueue(start func(QueueHost) (RunningQueue, error)) Option {
	return func(s *settings) {
		if start == nil {
			s.fail("WithRunningQueue", "must not be nil")
		}
		s.queue, s.startQueue = nil, start
	}
}

// WithLogger sets the logger. A refused request is one line at warn level,
// without payload or secret. Default: [slog.Default].
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) {
		if logger == nil {
			s.fail("WithLogger", "must not be nil")
		}
		s.logger = logger
	}
}

// WithHooks adds hooks for metrics and traces to those of earlier options.
func WithHooks(hooks Hooks) Option {
	return func(s *settings) { s.hooks.all = append(slices.Clip(s.hooks.all), hooks) }
}

// WithClock replaces the clock, for tests.
func WithClock(now func() time.Time) Option {
	return func(s *settings) {
		if now == nil {
			s.fail("WithClock", "must not be nil")
		}
		s.now = now
	}
}
