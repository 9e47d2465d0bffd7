package durable

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

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
	insert   func(context.Context, []river.InsertManyParams, []content) (inserted int, err error)
	retry    func(ctx context.Context, id int64) error
	pending  pendingCount

	db       *sql.DB       // the same database through database/sql
	txDB     *sql.DB       // receivers' transactions
	txPool   *pgxpool.Pool // receivers' transactions through pgx; nil on SQLite
	complete completion    // completes attempts, in a transaction or not
	ahead    int           // see completions
	clock    databaseClock
	close    func()

	mu            sync.Mutex
	closed        bool
	stopFollow    context.CancelFunc // ends follow; nil while stopped
	followStopped chan struct{}

	completions     *completions
	stopCompletions func()
}

var _ anymail.RunningQueue = (*Queue)(nil)

// delivery is the content of a job: one event for one receiver.
type delivery struct {
	Receiver string `json:"receiver" river:"unique"`
	Key      string `json:"key" river:"unique"`
	// Event is the JSON form, as bytes so that the database does not change it.
	Event []byte `json:"event,omitempty"`
	// Content is the id of the row that holds the JSON form instead.
	Content string `json:"content,omitempty"`
}

const deliveryKind = "anymail_delivery"

// Kind implements [river.JobArgs].
func (delivery) Kind() string { return deliveryKind }

// Enqueue implements [anymail.Queue]: when it returns nil, each event is on
// disk for each receiver that wants it. It keeps the jobs that exist already
// under the same key for the same receiver.
func (q *Queue) Enqueue(ctx context.Context, events []anymail.Event) error {
	jobs, contents, err := q.makeJobs(events)
	if err != nil || len(jobs) == 0 {
		return err
	}
	settle, err := q.pending.reserve(ctx, len(jobs), q.settings.maxPending, q.countPending)
	if err != nil {
		return err
	}
	inserted, err := q.insert(ctx, jobs, contents)
	settle(inserted)
	if err != nil {
		return anymail.Because(anymail.ErrUnavailable, "events could not be stored", err)
	}
	return nil
}

// makeJobs makes a job for each event and receiver. River refuses a batch that
// has the same job twice, and an ESP may send the same event twice.
func (q *Queue) makeJobs(events []anymail.Event) ([]river.InsertManyParams, []content, error) {
	type pair struct{ receiver, key string }
	jobs := make([]river.InsertManyParams, 0, len(events))
	seen := make(map[pair]struct{}, len(events))
	var contents []content
	for _, ev := range events {
		receivers := q.signals.Matching(ev)
		if len(receivers) == 0 {
			continue
		}
		encoded, err := json.Marshal(ev)
		if err != nil {
			return nil, nil, fmt.Errorf("durable: event %s: %w", ev.Base().Key, err)
		}
		d := delivery{Key: ev.Base().Key, Event: encoded}
		if !isText(d.Key) {
			d.Key = anymail.EventKey(ev.Base().ESP, d.Key)
		}
		if len(encoded) > q.settings.inlineLimit {
			d.Event, d.Content = nil, rand.Text()
		}
		used := false
		for _, d.Receiver = range receivers {
			p := pair{d.Receiver, d.Key}
			if _, twice := seen[p]; twice {
				continue
			}
			if !isText(d.Receiver) {
				return nil, nil, anymail.Misconfigured(fmt.Sprintf("receiver %q", d.Receiver), "name must be UTF-8 without NUL")
			}
			seen[p] = struct{}{}
			used = true
			jobs = append(jobs, river.InsertManyParams{Args: d, InsertOpts: &river.InsertOpts{
				Queue: queueName(d.Receiver),
				// With every state and no period, a job is unique until it is
				// removed: see the retention periods in connect.
				UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
			}})
		}
		if used && d.Content != "" {
			contents = append(contents, content{d.Content, encoded})
		}
	}
	return jobs, contents, nil
}

// isText reports whether PostgreSQL accepts s as text.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

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
	q.stopCompletions = q.completions.start(context.WithoutCancel(ctx))
	if err := q.client.Start(ctx); err != nil {
		q.stopCompletions()
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
	err := q.client.Stop(ctx)
	if err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		if hard := q.client.StopAndCancel(grace); hard != nil {
			err = errors.Join(err, fmt.Errorf("durable: receivers did not end: %w", hard))
		}
	}
	q.stopCompletions() // River has stored all of them
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
