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

// Queue takes events from a [anymail.Dispatcher] and runs receivers on them.
// The options [SQLite] and [Postgres] give a Dispatcher one; [OpenSQLite] and
// [OpenPostgres] open one that is started and stopped by hand. All methods may
// be called concurrently.
type Queue struct {
	settings settings
	signals  *anymail.Signals
	client   client
	insert   func(context.Context, []river.InsertManyParams, []content) (inserted int, err error)
	retry    func(ctx context.Context, id int64) error
	pending  gauge

	db       *sql.DB       // the same database by database/sql
	txDB     *sql.DB       // receivers' transactions
	txPool   *pgxpool.Pool // the same for pgx; nil on SQLite
	complete string        // the statement that completes an attempt in one
	close    func()

	mu      sync.Mutex
	closed  bool
	running context.CancelFunc // ends tend; nil while stopped
	tended  chan struct{}
}

// client is what River's client does without knowing the type of transactions.
type client interface {
	Start(context.Context) error
	Stop(context.Context) error
	StopAndCancel(context.Context) error
	Queues() *river.QueueBundle
	JobList(context.Context, *river.JobListParams) (*river.JobListResult, error)
	JobGet(context.Context, int64) (*rivertype.JobRow, error)
	JobDelete(context.Context, int64) (*rivertype.JobRow, error)
}

var _ anymail.RunningQueue = (*Queue)(nil)

// delivery is what a job holds: one event for one receiver.
type delivery struct {
	Receiver string `json:"receiver" river:"unique"`
	Key      string `json:"key" river:"unique"`
	// Event is the JSON form, as bytes so that the database leaves it alone.
	Event []byte `json:"event,omitempty"`
	// Content is the id of the row that holds the JSON form instead.
	Content string `json:"content,omitempty"`
}

const deliveryKind = "anymail_delivery"

// Kind implements [river.JobArgs].
func (delivery) Kind() string { return deliveryKind }

// content is the JSON form of an event that is too large for its jobs.
type content struct {
	id    string
	event []byte
}

// Enqueue implements [anymail.Queue]: when it returns nil, each event is on
// disk for each receiver that wants it. What is there already, under the same
// key for the same receiver, is left alone.
func (q *Queue) Enqueue(ctx context.Context, events []anymail.Event) error {
	jobs, contents, err := q.jobs(events)
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

// jobs makes a job for each event and receiver. River refuses a batch that has
// the same job twice, and an ESP may well send the same event twice.
func (q *Queue) jobs(events []anymail.Event) ([]river.InsertManyParams, []content, error) {
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
		if !storable(d.Key) {
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
			if !storable(d.Receiver) {
				return nil, nil, fmt.Errorf("durable: %w: receiver name %q is not text", anymail.ErrConfig, d.Receiver)
			}
			seen[p] = struct{}{}
			used = true
			jobs = append(jobs, river.InsertManyParams{Args: d, InsertOpts: &river.InsertOpts{
				Queue: queueName(d.Receiver),
				// With every state and no period, a job is unique until it is
				// removed: see the retention periods of the client.
				UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
			}})
		}
		if used && d.Content != "" {
			contents = append(contents, content{d.Content, encoded})
		}
	}
	return jobs, contents, nil
}

// storable says whether PostgreSQL takes s as text.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// queuePrefix keeps receivers' queues apart from others in the same database.
const queuePrefix = "anymail-"

var plainName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)

// queueName is River's queue for a receiver. With a queue of its own a receiver
// that is slow keeps nobody waiting, and a process fetches no jobs for
// receivers that it does not have.
func queueName(receiver string) string {
	if len(receiver) <= 48 && plainName.MatchString(receiver) {
		return queuePrefix + receiver
	}
	sum := sha256.Sum256([]byte(receiver))
	return queuePrefix + "x-" + hex.EncodeToString(sum[:16])
}

// Start runs receivers on what is in the queue, until Stop is called. If ctx is
// done before, that ends the work too, but in haste: receivers are cancelled,
// which counts as an attempt. Receivers may be connected before or later.
//
// A process that only takes events does not call Start. It must have the
// receivers connected all the same, since they decide which jobs there are.
func (q *Queue) Start(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return errClosed
	case q.running != nil:
		return fmt.Errorf("durable: %w: the queue is already started", anymail.ErrConfig)
	}
	worked := map[string]bool{}
	q.tendQueues(ctx, worked)
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("durable: start: %w", err)
	}
	ctx, q.running = context.WithCancel(ctx)
	q.tended = make(chan struct{})
	go q.tend(ctx, worked, q.tended)
	return nil
}

var errClosed = fmt.Errorf("durable: the queue is closed: %w", anymail.ErrUnavailable)

// tendInterval is how soon work begins for a receiver that is connected later.
const tendInterval = 250 * time.Millisecond

// tend follows the receivers that are connected and disconnected.
func (q *Queue) tend(ctx context.Context, worked map[string]bool, done chan<- struct{}) {
	defer close(done)
	ticker := time.NewTicker(tendInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			q.tendQueues(ctx, worked)
		}
	}
}

func (q *Queue) tendQueues(ctx context.Context, worked map[string]bool) {
	wanted := map[string]bool{}
	for _, receiver := range slices.Concat(q.signals.Tracking.Receivers(), q.signals.Inbound.Receivers()) {
		wanted[queueName(receiver)] = true
	}
	for name := range wanted {
		if worked[name] {
			continue
		}
		err := q.client.Queues().Add(name, river.QueueConfig{MaxWorkers: q.settings.workers})
		var added *river.QueueAlreadyAddedError // by an earlier Start
		if err != nil && !errors.As(err, &added) {
			q.settings.logger.ErrorContext(ctx, "durable: a receiver's jobs cannot be worked", "queue", name, "error", err)
			continue
		}
		worked[name] = true
	}
	for name := range worked {
		if wanted[name] {
			continue
		}
		if err := q.client.Queues().Remove(ctx, name); err == nil {
			delete(worked, name)
		}
	}
}

// Stop ends the work in good order: it fetches no more jobs and waits for the
// receivers that run. When ctx is done it cancels their contexts, and their
// jobs are run again by another process, or after the next Start. Events are
// taken until Close.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stop(ctx)
}

// cancelGrace is how long receivers have to return once they are cancelled.
const cancelGrace = 5 * time.Second

func (q *Queue) stop(ctx context.Context) error {
	if q.running == nil {
		return nil
	}
	q.running()
	<-q.tended
	q.running = nil
	err := q.client.Stop(ctx)
	if err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		if hard := q.client.StopAndCancel(grace); hard != nil {
			err = errors.Join(err, fmt.Errorf("durable: receivers do not end: %w", hard))
		}
	}
	return err
}

// Close stops at once what still runs and closes the database. Call Stop
// before it for a stop in good order. A receiver that takes no notice of its
// context keeps it for seconds, not for ever.
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
		err = nil // that is how it was told to hurry
	}
	closed := make(chan struct{})
	go func() {
		q.close() // waits for the connections of receivers that do not end
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(cancelGrace):
		err = errors.Join(err, errors.New("durable: receivers do not give back their connections"))
	}
	return err
}

// Shutdown implements [anymail.RunningQueue]: it is Stop, and then Close.
func (q *Queue) Shutdown(ctx context.Context) error {
	return errors.Join(q.Stop(ctx), q.Close())
}

// Of returns the queue that [anymail.New] was given by [SQLite], [Postgres] or
// [anymail.WithQueue]; nil where it has none of this package.
func Of(d *anymail.Dispatcher) *Queue {
	q, _ := d.Queue().(*Queue)
	return q
}
