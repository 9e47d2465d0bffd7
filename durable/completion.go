package durable

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// attempt is one attempt of a job.
type attempt struct {
	Job     int64 `json:"job"`
	Attempt int   `json:"attempt"`
}

// completion returns the statement that completes attempts, as in
// [river.JobCompleteTx], with two differences: it works in any kind of
// transaction, and it completes only the attempts that receivers were called for.
// JobCompleteTx accepts a job that is already completed, and so would commit the
// work of both attempts.
type completion func(attempts ...attempt) (statement string, args []any)

func completePostgres(attempts ...attempt) (string, []any) {
	jobs, numbers := make([]int64, len(attempts)), make([]int64, len(attempts))
	for i, a := range attempts {
		jobs[i], numbers[i] = a.Job, int64(a.Attempt)
	}
	return `UPDATE river_job SET state = 'completed', finalized_at = now()
		FROM unnest($1::bigint[], $2::bigint[]) AS done (job, attempt)
		WHERE river_job.id = done.job AND river_job.attempt = done.attempt AND river_job.state = 'running'`, []any{jobs, numbers}
}

// The + keeps SQLite from searching by state instead of by id.
func completeSQLite(attempts ...attempt) (string, []any) {
	list, _ := json.Marshal(attempts) // numbers have no errors
	return `UPDATE river_job SET state = 'completed', finalized_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
		FROM json_each($1) AS done
		WHERE river_job.id = done.value ->> 'job' AND river_job.attempt = done.value ->> 'attempt' AND +river_job.state = 'running'`, []any{string(list)}
}

// completions stores that jobs are done, so that a crash repeats few of them.
// River alone would do it several times a second, with hundreds of jobs at a time.
// Each statement stores all jobs that were done during the one before. What
// completions could not store, River does.
type completions struct {
	db       *sql.DB
	complete completion
	// ahead is how many jobs of a receiver may wait to be stored while its
	// workers go on.
	ahead  int
	logger *slog.Logger
	wake   chan struct{} // has an element while jobs are waiting

	mu      sync.Mutex
	waiting []doneJob
	unheld  map[string]int // by receiver: jobs not yet stored whose workers went on
}

type doneJob struct {
	attempt
	receiver string
	stored   chan struct{} // closed when the job is stored; nil if its worker went on
}

func newCompletions(db *sql.DB, complete completion, ahead int, logger *slog.Logger) *completions {
	return &completions{db: db, complete: complete, ahead: max(0, ahead), logger: logger,
		wake: make(chan struct{}, 1), unheld: map[string]int{}}
}

// store stores that an attempt is done. It returns immediately while few jobs of
// the receiver wait, and otherwise when this one is stored or ctx is done. It
// reports whether the job is stored.
func (c *completions) store(ctx context.Context, receiver string, done attempt) bool {
	job := doneJob{attempt: done, receiver: receiver}
	c.mu.Lock()
	if c.unheld[receiver] < c.ahead {
		c.unheld[receiver]++
	} else {
		job.stored = make(chan struct{})
	}
	c.waiting = append(c.waiting, job)
	c.mu.Unlock()
	c.signal()
	if job.stored == nil {
		return false
	}
	select {
	case <-job.stored:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *completions) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// start begins to store completions. stop ends it, without waiting for those that
// are not stored.
func (c *completions) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.wake:
				c.storeWaiting(ctx)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

const (
	storeTimeout = 10 * time.Second // of one try
	storePause   = time.Second      // between tries
)

// storeWaiting stores the jobs that wait. It tries until it succeeds or ctx is
// done.
func (c *completions) storeWaiting(ctx context.Context) {
	c.mu.Lock()
	jobs := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	attempts := make([]attempt, len(jobs))
	for i, job := range jobs {
		attempts[i] = job.attempt
	}
	for err := c.try(ctx, attempts); err != nil; err = c.try(ctx, attempts) {
		if ctx.Err() == nil {
			c.logger.WarnContext(ctx, "durable: completions could not be stored; trying again", "jobs", len(jobs), "error", err)
		}
		select {
		case <-ctx.Done():
			c.mu.Lock()
			defer c.mu.Unlock()
			c.waiting = append(jobs, c.waiting...)
			c.signal() // for the next start
			return
		case <-time.After(storePause):
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, job := range jobs {
		if job.stored != nil {
			close(job.stored)
		} else {
			c.unheld[job.receiver]--
		}
	}
}

func (c *completions) try(ctx context.Context, attempts []attempt) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	statement, args := c.complete(attempts...)
	_, err := c.db.ExecContext(ctx, statement, args...)
	return err
}

// storedError is what a worker returns for a job that is stored as done. River has
// these methods for workers that report several jobs at once; it then does nothing
// for jobs that are not among them. For a nil error it would store the job
// again, which on SQLite costs as much as the first time. For any other error it
// would change nothing either, because the job is no longer running.
type storedError struct{}

func (storedError) Error() string               { return "durable: the job is already stored as done" }
func (storedError) Jobs() []*rivertype.JobRow   { return nil }
func (storedError) ErrorsByID() map[int64]error { return nil }
