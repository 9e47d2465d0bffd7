package durable

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/goanymail/anymail"
)

// Defaults of the options.
const (
	// DefaultWorkers is how many events of one receiver run at once in a process.
	DefaultWorkers = 16
	// DefaultMaxAttempts is how often a receiver is called before the event is a
	// dead letter. With the default backoff that takes about a day and a half.
	DefaultMaxAttempts = 15
	// DefaultTimeout is how long one call of a receiver may take.
	DefaultTimeout = time.Minute
	// DefaultRetention is how long a completed event is remembered. No ESP
	// redelivers an event for longer.
	DefaultRetention = 72 * time.Hour
	// DefaultMaxPending is how many events may wait.
	DefaultMaxPending = 1_000_000
	// DefaultMaxRepeats is how many events of one receiver a crash may repeat.
	DefaultMaxRepeats = 200
	// DefaultInlineLimit is the largest event in bytes that shares a row.
	DefaultInlineLimit = 16 << 10
	// DefaultPollCooldown is the shortest time between two fetches of jobs.
	DefaultPollCooldown = 10 * time.Millisecond
	// DefaultPollInterval is the longest time between two fetches of jobs.
	DefaultPollInterval = time.Second
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
	maxRepeats    int
	inlineLimit   int
	pollCooldown  time.Duration
	pollInterval  time.Duration
	relaxedSync   bool
	unmigrated    bool
	logger        *slog.Logger
	hooks         []anymail.Hooks

	// Only tests change these.
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
		maxRepeats:    DefaultMaxRepeats,
		inlineLimit:   DefaultInlineLimit,
		pollCooldown:  DefaultPollCooldown,
		pollInterval:  DefaultPollInterval,
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

// check records that an option is misconfigured, unless ok.
func (s *settings) check(ok bool, option, rule string) {
	if !ok {
		s.errs = append(s.errs, anymail.Misconfigured("durable."+option, "%s", rule))
	}
}

// WithWorkers sets how many events of one receiver may run at once in this
// process: 1 to 10000, [DefaultWorkers] by default. Receivers do not wait for
// each other.
func WithWorkers(n int) Option {
	return func(s *settings) {
		s.check(n >= 1 && n <= 10_000, "WithWorkers", "must be between 1 and 10000")
		s.workers = n
	}
}

// WithMaxAttempts sets how often a receiver is called for one event before the
// event is a dead letter: 1 to 1000, [DefaultMaxAttempts] by default. An attempt
// that ended because the process died counts.
func WithMaxAttempts(n int) Option {
	return func(s *settings) {
		s.check(n >= 1 && n <= 1000, "WithMaxAttempts", "must be between 1 and 1000")
		s.maxAttempts = n
	}
}

// WithBackoff sets how long to wait before the next attempt after a number of
// failures (1, 2, ...); [Backoff] by default.
func WithBackoff(wait func(failures int) time.Duration) Option {
	return func(s *settings) {
		s.check(wait != nil, "WithBackoff", "must not be nil")
		s.backoff = wait
	}
}

// Backoff is the default wait between attempts: the fourth power of the number
// of failures in seconds (1 s, 16 s, 81 s, 4 min, 10 min, ...), plus or minus a
// tenth, so that jobs that failed together are not retried together.
func Backoff(failures int) time.Duration {
	n := float64(min(max(failures, 1), 50))
	return time.Duration(n * n * n * n * (0.9 + 0.2*rand.Float64()) * float64(time.Second)) //nolint:gosec // jitter is not a secret
}

// WithTimeout sets how long one call of a receiver may take before its context
// is cancelled; [DefaultTimeout] by default. If a process dies, another process,
// or the same one after a restart, runs its jobs again between half a minute and
// a minute and a half after this time.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) {
		s.check(d > 0, "WithTimeout", "must be positive")
		s.timeout = d
	}
}

// WithRetention sets how long a completed event is remembered;
// [DefaultRetention] by default. During that time a redelivery has no effect. All
// processes on one database need the same value.
func WithRetention(d time.Duration) Option {
	return func(s *settings) {
		s.check(d > 0, "WithRetention", "must be positive")
		s.retention = d
	}
}

// WithDeadLetterRetention drops dead letters that are older. By default they
// are kept until they are retried or deleted. All processes on one database
// need the same value.
func WithDeadLetterRetention(d time.Duration) Option {
	return func(s *settings) {
		s.check(d > 0, "WithDeadLetterRetention", "must be positive")
		s.deadRetention = d
	}
}

// WithMaxPending sets how many events may wait or run: [DefaultMaxPending] by
// default. An event counts once for each of its receivers. At that limit Enqueue
// returns [anymail.ErrUnavailable], so that the ESP is answered 503 and retries. A
// request that starts below the limit is accepted whole.
func WithMaxPending(n int) Option {
	return func(s *settings) {
		s.check(n >= 1, "WithMaxPending", "must be at least 1")
		s.maxPending = n
	}
}

// WithMaxRepeats sets how many events of one receiver run again after this process
// is killed: 1 to 100000, [DefaultMaxRepeats] by default. They are the events that
// the receiver was running and those that were done but not yet stored as done. A
// worker whose next event would exceed the number waits until others are stored.
//
// As many events as [WithWorkers] can be running, so a smaller number means that
// number: each worker waits for its event to be stored before it takes the next. A
// larger number is faster, because more events are stored in one transaction.
//
// An event whose receiver works in [Tx] leaves no effects that are repeated.
func WithMaxRepeats(n int) Option {
	return func(s *settings) {
		s.check(n >= 1 && n <= 100_000, "WithMaxRepeats", "must be between 1 and 100000")
		s.maxRepeats = n
	}
}

// WithInlineLimit sets the largest event in bytes that shares a row with others;
// [DefaultInlineLimit] by default. A larger event has a row of its own, and its
// jobs are not read together with others.
func WithInlineLimit(bytes int) Option {
	return func(s *settings) {
		s.check(bytes >= 0, "WithInlineLimit", "must not be negative")
		s.inlineLimit = bytes
	}
}

// WithPolling sets how often the queue asks the database for jobs: not more
// often than every cooldown, [DefaultPollCooldown] by default, and at least
// every interval, [DefaultPollInterval] by default, even if nothing announced
// new jobs. The throughput of a receiver in one process is at most workers
// divided by cooldown, in jobs of 1 to 64 events.
func WithPolling(cooldown, interval time.Duration) Option {
	return func(s *settings) {
		s.check(cooldown >= time.Millisecond && interval >= cooldown, "WithPolling", "must have 1ms <= cooldown <= interval")
		s.pollCooldown, s.pollInterval = cooldown, interval
	}
}

// WithRelaxedSync lets SQLite answer before the data is on the disk. It stores
// several times as many single events per second, but a power cut or a crash of
// the operating system can lose the last ones. A crash of the process cannot.
// PostgreSQL has the setting synchronous_commit for this.
func WithRelaxedSync() Option {
	return func(s *settings) { s.relaxedSync = true }
}

// WithoutMigration leaves the database's tables as they are, for programs that only
// look at a queue or manage its jobs. Opening it is an error if the tables are missing
// or of another version.
func WithoutMigration() Option {
	return func(s *settings) { s.unmigrated = true }
}

// WithLogger sets the logger. The default is [slog.Default], or the
// Dispatcher's logger if the queue belongs to a Dispatcher.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) {
		s.check(logger != nil, "WithLogger", "must not be nil")
		s.logger = logger
	}
}

// WithHooks calls the Receiver hook around each call of a receiver. The other
// hooks belong to a [anymail.Dispatcher].
func WithHooks(hooks anymail.Hooks) Option {
	return func(s *settings) { s.hooks = append(s.hooks, hooks) }
}
