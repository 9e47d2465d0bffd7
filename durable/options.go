package durable

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/goanymail/anymail"
)

// Defaults for what options set.
const (
	// DefaultWorkers is how many jobs of one receiver run at once in a process.
	DefaultWorkers = 16
	// DefaultMaxAttempts is how often a receiver is tried before the event is a
	// dead letter: with the default backoff about a day and a half.
	DefaultMaxAttempts = 15
	// DefaultTimeout is how long one call of a receiver may take.
	DefaultTimeout = time.Minute
	// DefaultRetention is how long a finished job is remembered. No ESP goes on
	// redelivering an event for longer.
	DefaultRetention = 72 * time.Hour
	// DefaultMaxPending is how many jobs may wait.
	DefaultMaxPending = 1_000_000
	// DefaultInlineLimit is the size of an event in bytes up to which its job
	// holds it.
	DefaultInlineLimit = 16 << 10
)

// Option changes a setting of a [Queue].
type Option func(*settings)

type settings struct {
	workers       int
	maxAttempts   int
	backoff       func(failures int) time.Duration
	timeout       time.Duration
	retention     time.Duration
	deadRetention time.Duration
	maxPending    int
	inlineLimit   int
	fetchCooldown time.Duration
	pollInterval  time.Duration
	relaxedSync   bool
	logger        *slog.Logger
	hooks         []anymail.Hooks

	// Tests alone change these.
	rescueAfter time.Duration
	testOnly    bool
	pragmas     string

	errs []error
}

func newSettings(options []Option) (settings, error) {
	s := settings{
		workers:       DefaultWorkers,
		maxAttempts:   DefaultMaxAttempts,
		backoff:       Backoff,
		timeout:       DefaultTimeout,
		retention:     DefaultRetention,
		deadRetention: -1,
		maxPending:    DefaultMaxPending,
		inlineLimit:   DefaultInlineLimit,
		fetchCooldown: 10 * time.Millisecond,
		pollInterval:  time.Second,
		logger:        slog.Default(),
	}
	for _, option := range options {
		option(&s)
	}
	if s.rescueAfter == 0 {
		s.rescueAfter = s.timeout + 30*time.Second
	}
	return s, errors.Join(s.errs...)
}

func (s *settings) check(ok bool, format string, args ...any) {
	if !ok {
		s.errs = append(s.errs, fmt.Errorf("durable: %w: "+format, append([]any{anymail.ErrConfig}, args...)...))
	}
}

// WithWorkers sets how many jobs of one receiver may run at once in this
// process: 1 to 10000, [DefaultWorkers] by default. Receivers do not wait for
// each other.
func WithWorkers(n int) Option {
	return func(s *settings) {
		s.check(n >= 1 && n <= 10_000, "workers %d are not between 1 and 10000", n)
		s.workers = n
	}
}

// WithMaxAttempts sets how often a receiver is called on one event before the
// event is a dead letter: 1 to 1000, [DefaultMaxAttempts] by default. An attempt
// that ended because the process died counts.
func WithMaxAttempts(n int) Option {
	return func(s *settings) {
		s.check(n >= 1 && n <= 1000, "max attempts %d are not between 1 and 1000", n)
		s.maxAttempts = n
	}
}

// WithBackoff sets how long to wait after so many failures (1, 2, ...) before
// the next attempt; [Backoff] by default.
func WithBackoff(wait func(failures int) time.Duration) Option {
	return func(s *settings) {
		s.check(wait != nil, "no backoff function")
		s.backoff = wait
	}
}

// Backoff is the default wait between attempts: the fourth power of the number
// of failures in seconds (1 s, 16 s, 81 s, 4 min, 10 min, ...), give or take a
// tenth, so that what failed together is not tried again together.
func Backoff(failures int) time.Duration {
	n := float64(min(max(failures, 1), 50))
	return time.Duration(n * n * n * n * (0.9 + 0.2*rand.Float64()) * float64(time.Second)) //nolint:gosec // jitter is no secret
}

// WithTimeout sets how long one call of a receiver may take before its context
// is cancelled; [DefaultTimeout] by default. Jobs of a process that died are run
// again by another, or after a restart, between half a minute and a minute and
// a half after this time.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) {
		s.check(d > 0, "timeout %v is not positive", d)
		s.timeout = d
	}
}

// WithRetention sets how long a finished job is remembered, during which a
// redelivery of its event does nothing; [DefaultRetention] by default. All
// processes on one database need the same.
func WithRetention(d time.Duration) Option {
	return func(s *settings) {
		s.check(d > 0, "retention %v is not positive", d)
		s.retention = d
	}
}

// WithDeadLetterRetention drops dead letters that are older. By default they
// are kept until they are retried or deleted. All processes on one database
// need the same.
func WithDeadLetterRetention(d time.Duration) Option {
	return func(s *settings) {
		s.check(d > 0, "dead letter retention %v is not positive", d)
		s.deadRetention = d
	}
}

// WithMaxPending sets how many jobs may wait or run: [DefaultMaxPending] by
// default. At that limit Enqueue returns an error that is
// [anymail.ErrUnavailable], so that the ESP is answered 503 and comes again. A
// request that starts below the limit is taken whole.
func WithMaxPending(n int) Option {
	return func(s *settings) {
		s.check(n >= 1, "max pending %d is less than 1", n)
		s.maxPending = n
	}
}

// WithInlineLimit sets up to which size in bytes an event is kept in its jobs,
// one copy for each receiver. A larger one is kept once, in a row of its own.
// [DefaultInlineLimit] by default.
func WithInlineLimit(bytes int) Option {
	return func(s *settings) {
		s.check(bytes >= 0, "inline limit %d is negative", bytes)
		s.inlineLimit = bytes
	}
}

// WithPolling sets how the database is asked for work: not more often than
// every cooldown (10 ms by default), and at least every interval (1 s by
// default) even if nothing announced new jobs. A receiver's throughput in one
// process is at most workers divided by cooldown.
func WithPolling(cooldown, interval time.Duration) Option {
	return func(s *settings) {
		s.check(cooldown >= time.Millisecond && interval >= cooldown, "polling needs 1ms <= cooldown %v <= interval %v", cooldown, interval)
		s.fetchCooldown, s.pollInterval = cooldown, interval
	}
}

// WithRelaxedSync lets SQLite answer before the disk has the data: several
// times as many single events per second, but a power cut, or a crash of the
// operating system, can lose the last ones. A crash of the process cannot.
// PostgreSQL has this as the setting synchronous_commit.
func WithRelaxedSync() Option {
	return func(s *settings) { s.relaxedSync = true }
}

// WithLogger sets the logger; by default it is [slog.Default], or that of the
// Dispatcher whose queue it is.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) {
		s.check(logger != nil, "no logger")
		s.logger = logger
	}
}

// WithHooks calls the Receiver hook around each call of a receiver. The other
// hooks belong to a [anymail.Dispatcher].
func WithHooks(hooks anymail.Hooks) Option {
	return func(s *settings) { s.hooks = append(s.hooks, hooks) }
}
