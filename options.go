package anymail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail/internal/ratelimit"
)

// Defaults for what options set.
const (
	DefaultTimestampWindow = 5 * time.Minute
	DefaultRejectStatus    = 400
	// DefaultMaxBody is what an endpoint takes that sets no limit of its own.
	DefaultMaxBody = 16 << 20
	// DefaultMaxInFlight is how many requests may be under way at once.
	DefaultMaxInFlight = 256
	// DefaultMaxInFlightBytes is how many bytes of bodies and forms may be held
	// at once.
	DefaultMaxInFlightBytes = 512 << 20
)

// Limits bound what one request may cost. A field that is not more than 0 leaves
// what an option before has set, and so in the end the default.
type Limits struct {
	// Body is the largest body in bytes, after a gzip content encoding is
	// undone. Default: the endpoint's own, or [DefaultMaxBody].
	Body int64
	// BodyTime is how long the body may take to arrive. Default: 30 seconds.
	BodyTime time.Duration
	// RequestTime is how long everything together may take. Default: 60 seconds.
	RequestTime time.Duration
	// BatchEvents is how many events one payload may hold. Default: 20000.
	BatchEvents int
	// FormFields is how many fields or parts a form may have. Default: 1000.
	FormFields int
	// MIMEDepth and MIMEParts bound a received message. Defaults: 24 and 1000.
	MIMEDepth int
	MIMEParts int
	// MIMEHeaders is how many header fields of a received message are kept.
	// Default: 2000.
	MIMEHeaders int
	// Fetch is how many bytes an adapter fetches from its ESP for one request,
	// in all. Default: 64 MiB.
	Fetch int64
}

func (l Limits) withDefaults() Limits {
	return l.over(Limits{
		Body:        DefaultMaxBody,
		BodyTime:    30 * time.Second,
		RequestTime: 60 * time.Second,
		BatchEvents: 20_000,
		FormFields:  1000,
		MIMEDepth:   24,
		MIMEParts:   1000,
		MIMEHeaders: 2000,
		Fetch:       64 << 20,
	})
}

// over returns l with what it leaves open taken from under.
func (l Limits) over(under Limits) Limits {
	return Limits{
		Body:        or(l.Body, under.Body),
		BodyTime:    or(l.BodyTime, under.BodyTime),
		RequestTime: or(l.RequestTime, under.RequestTime),
		BatchEvents: or(l.BatchEvents, under.BatchEvents),
		FormFields:  or(l.FormFields, under.FormFields),
		MIMEDepth:   or(l.MIMEDepth, under.MIMEDepth),
		MIMEParts:   or(l.MIMEParts, under.MIMEParts),
		MIMEHeaders: or(l.MIMEHeaders, under.MIMEHeaders),
		Fetch:       or(l.Fetch, under.Fetch),
	}
}

func or[T int | int64 | time.Duration](value, byDefault T) T {
	if value > 0 {
		return value
	}
	return byDefault
}

// Option changes a setting. Options given to [New] hold for all adapters, those
// given to [Dispatcher.Register] for one, over the ones given to New.
type Option func(*settings)

type settings struct {
	secrets        KeySource
	insecure       bool
	rejectStatus   int
	requireTLS     bool
	trustedProxies []netip.Prefix
	publicURL      string
	allowed        func(context.Context) ([]netip.Prefix, error)
	perAddress     *ratelimit.Limiter // nil for none
	failures       *ratelimit.Limiter // nil for none
	perEndpoint    Rate
	limits         Limits
	maxInFlight    int
	maxHeld        int64
	window         time.Duration
	noReplayCheck  bool
	store          IdempotencyStore
	queue          Queue
	startQueue     func(QueueHost) (RunningQueue, error)
	logger         *slog.Logger
	hooks          hookList
	now            func() time.Time

	errs []error // what options found wrong; reported by New and Register
}

func (s *settings) fail(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("anymail: %w: "+format, append([]any{ErrConfig}, args...)...))
}

// WithSharedSecret protects endpoints by HTTP basic authentication: the ESP is
// given the URL as https://user:password@host/... Each secret is "user:password";
// any of them is accepted, so that one can be exchanged for another. A weak
// secret is refused: the password needs at least 16 characters and some variety.
// So is none at all, which would leave endpoints open by mistake: see
// [WithoutSharedSecret].
func WithSharedSecret(secrets ...string) Option {
	return func(s *settings) {
		if len(secrets) == 0 {
			s.fail("no shared secret")
		}
		for i, secret := range secrets {
			if err := checkSecret(secret); err != nil {
				s.fail("shared secret %d: %w", i+1, err)
			}
		}
		s.secrets = Keys(secrets...)
	}
}

// WithoutSharedSecret takes back what [New] was given, for an adapter whose
// signature is enough.
func WithoutSharedSecret() Option {
	return func(s *settings) { s.secrets = nil }
}

// WithSharedSecretSource is [WithSharedSecret] with secrets that can change while
// requests run. Weak ones authenticate nothing.
func WithSharedSecretSource(source KeySource) Option {
	return func(s *settings) {
		if source == nil {
			s.fail("no source of shared secrets")
		}
		s.secrets = source
	}
}

// Insecure lets an endpoint start that has neither a shared secret nor a
// signature: anybody who knows its URL can then forge events.
func Insecure() Option {
	return func(s *settings) { s.insecure = true }
}

// WithRejectStatus sets the answer to what is not authentic: 400 to 499,
// [DefaultRejectStatus] by default.
func WithRejectStatus(status int) Option {
	return func(s *settings) {
		if status < 400 || status > 499 {
			s.fail("reject status %d is not a 4xx", status)
		}
		s.rejectStatus = status
	}
}

// RequireTLS refuses requests that did not come over https, to this server or
// to a trusted proxy before it. By default they are taken with a warning in
// the log.
func RequireTLS() Option {
	return func(s *settings) { s.requireTLS = true }
}

// WithTrustedProxies names the addresses of the proxies in front of this
// server. Only from them are X-Forwarded-For, -Proto and -Host believed.
func WithTrustedProxies(prefixes ...netip.Prefix) Option {
	return func(s *settings) {
		s.checkPrefixes("trusted proxies", prefixes)
		s.trustedProxies = prefixes
	}
}

// checkPrefixes refuses what contains no address, and so would do something
// else than it looks like.
func (s *settings) checkPrefixes(what string, prefixes []netip.Prefix) {
	for _, p := range prefixes {
		if !p.IsValid() || p.Addr().Is4In6() {
			s.fail("%s: %s is not an IPv4 or IPv6 prefix", what, p)
		}
	}
}

// WithPublicURL says under which URL the ESP reaches the Dispatcher's mount
// point, for example "https://example.com/anymail", where that cannot be told
// from the request. Some ESPs sign the URL.
func WithPublicURL(base string) Option {
	return func(s *settings) {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			s.fail("public URL is not an absolute http(s) URL")
		}
		s.publicURL = strings.TrimRight(base, "/")
	}
}

// WithAllowedAddresses takes requests from these addresses only, in addition
// to all other checks. An empty list is refused: it would mean nobody, and may
// well be meant as anybody.
func WithAllowedAddresses(prefixes ...netip.Prefix) Option {
	return func(s *settings) {
		if len(prefixes) == 0 {
			s.fail("no allowed address")
		}
		s.checkPrefixes("allowed addresses", prefixes)
		s.allowed = func(context.Context) ([]netip.Prefix, error) { return prefixes, nil }
	}
}

// WithoutAllowedAddresses takes back what [New] was given, for an adapter whose
// ESP calls from anywhere.
func WithoutAllowedAddresses() Option {
	return func(s *settings) { s.allowed = nil }
}

// WithAllowedAddressFunc is [WithAllowedAddresses] for a list that is loaded
// from somewhere. The function is called on every request and should answer
// from memory; an error refuses the request with 503.
func WithAllowedAddressFunc(load func(context.Context) ([]netip.Prefix, error)) Option {
	return func(s *settings) {
		if load == nil {
			s.fail("no function to load allowed addresses")
		}
		s.allowed = load
	}
}

// Rate is a rate on average and a burst at once. Its zero value is no limit.
type Rate struct {
	PerSecond float64
	// Burst is how many requests may come at once; less than 1 is 1.
	Burst int
}

// RateLimit limits how often endpoints may be called. What is over a limit is
// answered with 429 and Retry-After.
type RateLimit struct {
	// PerAddress is for the requests of one client: an IPv4 address or an
	// IPv6 /64. Behind proxies, set [WithTrustedProxies] too: otherwise all
	// clients are one.
	PerAddress Rate
	// PerEndpoint is for all requests to one endpoint.
	PerEndpoint Rate
	// Failures is for requests of one client that had a wrong signature or
	// shared secret, or none. A client that is over it is refused before anything is looked at.
	Failures Rate
	// Addresses is how many clients are remembered at most, about 50 bytes
	// each. Default: 65536.
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

// WithRateLimit limits how often endpoints may be called. There is no limit by
// default, since behind a proxy that is not made known by [WithTrustedProxies]
// one client could use up what is meant for all. Requests without an address,
// over a Unix socket, fall under PerEndpoint alone.
func WithRateLimit(limit RateLimit) Option {
	return func(s *settings) {
		for _, rate := range []Rate{limit.PerAddress, limit.PerEndpoint, limit.Failures} {
			if rate.PerSecond < 0 || rate.PerSecond > 1e6 {
				s.fail("rate of %g per second", rate.PerSecond)
				return
			}
		}
		size := limit.Addresses
		if size <= 0 {
			size = 1 << 16
		}
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

// WithMaxInFlight sets how many requests may be under way at once; one more is
// answered with 503 and Retry-After. Given to Register it bounds that adapter
// in addition.
func WithMaxInFlight(n int) Option {
	return func(s *settings) {
		if n < 1 {
			s.fail("max in flight %d is less than 1", n)
		}
		s.maxInFlight = n
	}
}

// WithMaxInFlightBytes sets how many bytes all requests under way may hold
// together, [DefaultMaxInFlightBytes] by default; one that would need more is
// answered with 503 and Retry-After. Bodies count, and those that are forms
// count twice, as they came and decoded: that is what is held before a signature
// can be checked, and so what an attacker can take up. It is an option of New
// alone, and should be a multiple of the largest body.
func WithMaxInFlightBytes(n int64) Option {
	return func(s *settings) {
		if n < 1 {
			s.fail("max in flight of %d bytes is less than 1", n)
		}
		s.maxHeld = n
	}
}

// WithTimestampWindow sets how far a signed timestamp may be from now, in
// either direction, instead of the adapter's own window; 0 leaves it to the
// adapter again.
func WithTimestampWindow(window time.Duration) Option {
	return func(s *settings) {
		if window < 0 {
			s.fail("timestamp window of %s", window)
		}
		s.window = window
	}
}

// WithoutReplayCheck takes requests whose very signature was seen before and
// whose events were all done. The idempotency store still keeps the receivers
// from running twice.
func WithoutReplayCheck() Option {
	return func(s *settings) { s.noReplayCheck = true }
}

// WithIdempotencyStore remembers in store what was done, instead of in a
// [MemoryStore].
func WithIdempotencyStore(store IdempotencyStore) Option {
	return func(s *settings) {
		if store == nil {
			s.fail("no idempotency store")
		}
		s.store = store
	}
}

// Queue takes events before the ESP is answered. It either keeps all of them
// durably, or returns an error: one that is [ErrUnavailable] where it is full
// or out of reach.
type Queue interface {
	Enqueue(ctx context.Context, events []Event) error
}

// WithQueue puts a queue in front of the receivers: the ESP is answered as
// soon as the queue has the events, and the queue's workers run the receivers.
// Whoever opened the queue closes it.
func WithQueue(queue Queue) Option {
	return func(s *settings) { s.queue, s.startQueue = queue, nil }
}

// RunningQueue is a [Queue] with workers that a [Dispatcher] can stop.
type RunningQueue interface {
	Queue
	// Shutdown takes no more events, waits for the receivers that run until
	// ctx is done, and gives up what the queue holds, whatever it returns.
	Shutdown(ctx context.Context) error
}

// QueueHost is what a [Dispatcher] gives a queue of its own.
type QueueHost struct {
	Signals *Signals // the receivers to run
	Hooks   Hooks    // Receiver is to be called around each run; the others are nil
	Logger  *slog.Logger
}

// WithRunningQueue is [WithQueue] for a queue that belongs to the Dispatcher:
// [New] starts it and returns its error, [Dispatcher.Shutdown] shuts it down.
// It is an option of New alone; package durable makes such options.
func WithRunningQueue(start func(QueueHost) (RunningQueue, error)) Option {
	return func(s *settings) {
		if start == nil {
			s.fail("no function to start a queue")
		}
		s.queue, s.startQueue = nil, start
	}
}

// WithLogger sets the logger; by default it is [slog.Default]. Rejected
// requests are logged as warnings, one line each, without payload or secret.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) {
		if logger == nil {
			s.fail("no logger")
		}
		s.logger = logger
	}
}

// WithHooks adds hooks for metrics and traces to those that are already there.
func WithHooks(hooks Hooks) Option {
	return func(s *settings) { s.hooks.all = append(slices.Clip(s.hooks.all), hooks) }
}

// WithClock replaces the clock, for tests.
func WithClock(now func() time.Time) Option {
	return func(s *settings) {
		if now == nil {
			s.fail("no clock")
		}
		s.now = now
	}
}

func newSettings() settings {
	return settings{
		rejectStatus: DefaultRejectStatus,
		maxInFlight:  DefaultMaxInFlight,
		maxHeld:      DefaultMaxInFlightBytes,
		logger:       slog.Default(),
		now:          time.Now,
	}
}

func (s settings) with(options []Option) (settings, error) {
	s.errs = nil
	for _, option := range options {
		if option == nil {
			s.fail("an option is nil")
			continue
		}
		option(&s)
	}
	s.hooks.logger = s.logger
	return s, errors.Join(s.errs...)
}
