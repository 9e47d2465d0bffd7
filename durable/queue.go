package durable

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/goanymail/anymail"
)

// Queue stores the events of a [anymail.Dispatcher] and runs receivers on them.
// The options [SQLite] and [Postgres] give a Dispatcher a Queue. [OpenSQLite] and
// [OpenPostgres] open a Queue that the caller starts and stops. All methods are
// safe for concurrent use.
type Queue struct {
	settings settings
	signals  *anymail.Signals
	client   riverClient
	transact func(context.Context, func(session) error) error
	requests group[*request]
	pending  pendingCount
	outcomes group[outcome]

	db       *sql.DB       // the same database through database/sql
	txDB     *sql.DB       // receivers' transactions
	txPool   *pgxpool.Pool // receivers' transactions through pgx; nil on SQLite
	dialect  dialect
	queries  queries
	prepared map[string]*sql.Stmt // by statement; empty on PostgreSQL
	close    func()
	life     context.Context // ends with Close
	end      context.CancelFunc

	lanesMu sync.Mutex
	lanes   map[string]*lane // by receiver

	mu            sync.Mutex
	closed        bool
	stopFollow    context.CancelFunc // ends follow; nil while stopped
	followStopped chan struct{}
	beginning     context.Context // ends when no more events begin: with Stop
	stopBeginning context.CancelFunc
}

// newQueue makes a queue that has no database yet.
func newQueue(s settings, signals *anymail.Signals, d dialect) *Queue {
	q := &Queue{settings: s, signals: signals, dialect: d, queries: d.queries(), lanes: map[string]*lane{}}
	q.requests.work = q.storeRequests
	q.outcomes.work = q.storeOutcomes
	q.life, q.end = context.WithCancel(context.Background())
	return q
}

var _ anymail.RunningQueue = (*Queue)(nil)

// delivery is the arguments of a job: events for one receiver. The table
// anymail_job has which.
type delivery struct {
	Receiver string `json:"receiver"`
	Events   int    `json:"events,omitempty"` // 1 if missing: jobs of earlier versions
	Key      string `json:"key,omitempty"`    // of the event, if the job has one
}

const deliveryKind = "anymail_delivery"

// Kind implements [river.JobArgs].
func (delivery) Kind() string { return deliveryKind }

// queuePrefix separates receivers' queues from others in the same database.
const queuePrefix = "anymail-"

var plainName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

// queueName returns the name of River's queue for a receiver. Each receiver has
// a queue of its own, so that a slow receiver delays no other, and a process
// fetches no jobs for receivers that it does not have.
func queueName(receiver string) string {
	if len(receiver) <= 48 && plainName.MatchString(receiver) {
		return queuePrefix + receiver
	}
	sum := sha256.Sum256([]byte(receiver))
	return queuePrefix + "x-" + hex.EncodeToString(sum[:16])
}

// Start runs receivers on the events in the queue until Stop is called. If ctx
// is done before that, the work ends immediately: receivers are cancelled, and
// that counts as an attempt. Receivers may be connected before or later.
//
// A process that only accepts events does not call Start. It must still have the
// receivers connected, because they decide which jobs there are.
func (q *Queue) Start(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return errClosed
	case q.stopFollow != nil:
		return anymail.Misconfigured("durable.Queue.Start", "the queue is already started")
	}
	queues := map[string]bool{}
	q.syncQueues(ctx, queues)
	clock, err := q.readClock(ctx)
	if err == nil {
		err = q.correctTimes(ctx)
	}
	if err != nil {
		return fmt.Errorf("durable: start: %w", err)
	}
	q.beginning, q.stopBeginning = context.WithCancel(context.WithoutCancel(ctx))
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("durable: start: %w", err)
	}
	ctx, q.stopFollow = context.WithCancel(ctx)
	q.followStopped = make(chan struct{})
	go q.follow(ctx, queues, clock, q.followStopped)
	return nil
}

var errClosed = fmt.Errorf("durable: the queue is closed: %w", anymail.ErrUnavailable)

// followInterval is how soon work begins for a receiver that is connected later.
const followInterval = 250 * time.Millisecond

// follow keeps the queues in step with the receivers that are connected and
// disconnected, and watches the database's clock.
func (q *Queue) follow(ctx context.Context, queues map[string]bool, clock reading, done chan<- struct{}) {
	defer close(done)
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			q.syncQueues(ctx, queues)
			q.watchClock(ctx, &clock)
		}
	}
}

// syncQueues adds the queues of new receivers to River's client and to queues, and
// removes those of receivers that are gone.
func (q *Queue) syncQueues(ctx context.Context, queues map[string]bool) {
	wanted := map[string]bool{}
	for _, receiver := range slices.Concat(q.signals.Tracking.Receivers(), q.signals.Inbound.Receivers()) {
		wanted[queueName(receiver)] = true
	}
	for name := range wanted {
		if queues[name] {
			continue
		}
		err := q.client.Queues().Add(name, river.QueueConfig{MaxWorkers: q.settings.workers})
		var added *river.QueueAlreadyAddedError // by an earlier Start
		if err != nil && !errors.As(err, &added) {
			q.settings.logger.ErrorContext(ctx, "durable: cannot run the jobs of a receiver", "queue", name, "error", err)
			continue
		}
		queues[name] = true
	}
	for name := range queues {
		if wanted[name] {
			continue
		}
		if err := q.client.Queues().Remove(ctx, name); err == nil {
			delete(queues, name)
		}
	}
}

// Stop ends the work gracefully: it fetches no more jobs and waits for the
// receivers that are running. When ctx is done it cancels their contexts; another
// process, or the next Start, runs their jobs again. The queue accepts events
// until Close.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stop(ctx)
}

// cancelGrace is how long receivers have to return once they are cancelled.
const cancelGrace = 5 * time.Second

func (q *Queue) stop(ctx context.Context) error {
	if q.stopFollow == nil {
		return nil
	}
	q.stopFollow()
	<-q.followStopped
	q.stopFollow = nil
	q.stopBeginning()
	err := q.client.Stop(ctx)
	if err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		if hard := q.client.StopAndCancel(grace); hard != nil {
			err = errors.Join(err, fmt.Errorf("durable: receivers did not end: %w", hard))
		}
	}
	return err
}

// Close cancels the receivers that still run and closes the database. Call Stop
// before it to stop gracefully. A receiver that ignores its context delays Close
// for seconds, not forever.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	now, cancel := context.WithCancel(context.Background())
	cancel()
	err := q.stop(now)
	if errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		err = nil // stop returns the error of now
	}
	q.end()
	closed := make(chan struct{})
	go func() {
		q.close() // waits for the connections of receivers that did not end
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(cancelGrace):
		err = errors.Join(err, errors.New("durable: receivers did not release their connections"))
	}
	return err
}

// Shutdown implements [anymail.RunningQueue]: it calls Stop, then Close.
func (q *Queue) Shutdown(ctx context.Context) error {
	return errors.Join(q.Stop(ctx), q.Close())
}

// Of returns the queue of a Dispatcher that was made with [SQLite], [Postgres] or
// [anymail.WithQueue]. It returns nil if the Dispatcher has no queue of this
// package.
func Of(d *anymail.Dispatcher) *Queue {
	q, _ := d.Queue().(*Queue)
	return q
}

// dispatcherOption returns an option of [anymail.New] that opens a queue and
// starts it.
func dispatcherOption(ctx context.Context, options []Option, open func(*anymail.Signals, []Option) (*Queue, error)) anymail.Option {
	return anymail.WithRunningQueue(func(host anymail.QueueHost) (anymail.RunningQueue, error) {
		q, err := open(host.Signals, slices.Concat([]Option{WithLogger(host.Logger), WithHooks(host.Hooks)}, options))
		if err != nil {
			return nil, err
		}
		// Shutdown ends the work gracefully; the end of ctx would not.
		if err := q.Start(context.WithoutCancel(ctx)); err != nil {
			return nil, errors.Join(err, q.Close())
		}
		return q, nil
	})
}
