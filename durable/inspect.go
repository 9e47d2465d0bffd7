package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/goanymail/anymail"
)

// State says where a job is.
type State string

// The states of a job.
const (
	Pending State = "pending" // waits for a worker, or for its next attempt
	Running State = "running" // a worker is at it, or was when its process died
	Done    State = "done"    // the receiver succeeded
	Dead    State = "dead"    // a dead letter: all attempts failed, or the receiver said [Permanent]
)

var riverStates = map[State][]rivertype.JobState{
	Pending: {rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled},
	Running: {rivertype.JobStateRunning},
	Done:    {rivertype.JobStateCompleted},
	Dead:    {rivertype.JobStateDiscarded, rivertype.JobStateCancelled},
}

func stateOf(s rivertype.JobState) State {
	for state, of := range riverStates {
		for _, r := range of {
			if r == s {
				return state
			}
		}
	}
	return State(s)
}

// Job is one event for one receiver.
type Job struct {
	ID       int64  `json:"id"`
	State    State  `json:"state"`
	Receiver string `json:"receiver"`
	// Key is the event's idempotency key.
	Key         string    `json:"key"`
	Attempts    int       `json:"attempts"`
	MaxAttempts int       `json:"max_attempts"`
	EnqueuedAt  time.Time `json:"enqueued_at"`
	// NextAt is when a pending job is due.
	NextAt time.Time `json:"next_at,omitzero"`
	// EndedAt is when a job was done or became a dead letter.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Errors are the failed attempts, the latest last.
	Errors []Failure `json:"errors,omitempty"`
}

// Failure is an attempt that failed.
type Failure struct {
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"`
	Error   string    `json:"error"`
}

// ErrNotFound means that there is no such job, or none in that state.
var ErrNotFound = errors.New("durable: no such job")

// Filter selects jobs. The zero Filter selects the dead letters.
type Filter struct {
	State    State  // Dead if empty
	Receiver string // all receivers if empty
	// After leaves out jobs up to this id: the last one of the page before.
	After int64
	// Limit is how many to return at most: 100 if 0, and never more than 10000.
	Limit int
}

const maxPage = 10_000

// List returns the jobs that filter selects, in the order of their ids, which
// is that of their arrival. A page that is not full is the last one.
func (q *Queue) List(ctx context.Context, filter Filter) ([]Job, error) {
	state, limit := filter.State, min(filter.Limit, maxPage)
	if state == "" {
		state = Dead
	}
	if limit <= 0 {
		limit = 100
	}
	if riverStates[state] == nil {
		return nil, fmt.Errorf("durable: %w: no state %q", anymail.ErrConfig, state)
	}
	params := river.NewJobListParams().
		Kinds(deliveryKind).
		States(riverStates[state]...).
		OrderBy(river.JobListOrderByID, river.SortOrderAsc).
		First(limit)
	if filter.Receiver != "" {
		params = params.Queues(queueName(filter.Receiver))
	}
	if filter.After > 0 {
		params = params.Where("id > @after", river.NamedArgs{"after": filter.After})
	}
	result, err := q.client.JobList(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("durable: list: %w", err)
	}
	jobs := make([]Job, 0, len(result.Jobs))
	for _, row := range result.Jobs {
		job, _, err := jobOf(row)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// Get returns a job and its event. The event of a job that is [Done] is nil
// where it was large and has been removed.
func (q *Queue) Get(ctx context.Context, id int64) (Job, anymail.Event, error) {
	row, err := q.client.JobGet(ctx, id)
	if err != nil {
		return Job{}, nil, notFound(err)
	}
	job, d, err := jobOf(row)
	if err != nil {
		return Job{}, nil, err
	}
	ev, err := q.event(ctx, d)
	if err != nil && job.State == Done {
		err = nil
	}
	return job, ev, err
}

// Retry makes a dead letter pending again, with at least one more attempt, or a pending
// job due at once. It returns [ErrNotFound] where id is that of neither.
func (q *Queue) Retry(ctx context.Context, id int64) error {
	return notFound(q.retry(ctx, id))
}

func retriable(s State) bool { return s == Dead || s == Pending }

// RetryAll retries all jobs that filter selects, without regard to its Limit:
// dead letters or, by its State, pending jobs. It returns how many there were.
func (q *Queue) RetryAll(ctx context.Context, filter Filter) (int, error) {
	if filter.State != "" && !retriable(filter.State) {
		return 0, fmt.Errorf("durable: %w: jobs that are %s cannot be retried", anymail.ErrConfig, filter.State)
	}
	filter.Limit = 1000
	retried := 0
	for {
		page, err := q.List(ctx, filter)
		if err != nil || len(page) == 0 {
			return retried, err
		}
		for _, job := range page {
			filter.After = job.ID
			switch err := q.Retry(ctx, job.ID); {
			case err == nil:
				retried++
			case !errors.Is(err, ErrNotFound): // somebody else was faster
				return retried, err
			}
		}
	}
}

// Delete removes a job that is not running. If it was not done, its receiver
// never sees the event, unless the ESP delivers it once more.
func (q *Queue) Delete(ctx context.Context, id int64) error {
	row, err := q.client.JobGet(ctx, id)
	if err != nil {
		return notFound(err)
	}
	if row.Kind != deliveryKind {
		return ErrNotFound
	}
	_, err = q.client.JobDelete(ctx, id)
	return notFound(err)
}

func notFound(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rivertype.ErrNotFound), errors.Is(err, ErrNotFound):
		return ErrNotFound
	}
	return fmt.Errorf("durable: %w", err)
}

func jobOf(row *rivertype.JobRow) (Job, delivery, error) {
	var d delivery
	if row.Kind != deliveryKind {
		return Job{}, d, ErrNotFound
	}
	if err := json.Unmarshal(row.EncodedArgs, &d); err != nil {
		return Job{}, d, fmt.Errorf("durable: job %d: %w", row.ID, err)
	}
	job := Job{
		ID:          row.ID,
		State:       stateOf(row.State),
		Receiver:    d.Receiver,
		Key:         d.Key,
		Attempts:    row.Attempt,
		MaxAttempts: row.MaxAttempts,
		EnqueuedAt:  row.CreatedAt.UTC(),
	}
	if job.State == Pending {
		job.NextAt = row.ScheduledAt.UTC()
	}
	if row.FinalizedAt != nil {
		job.EndedAt = row.FinalizedAt.UTC()
	}
	for _, e := range row.Errors {
		text := strings.TrimPrefix(e.Error, "JobCancelError: ") // River's word for Permanent
		job.Errors = append(job.Errors, Failure{At: e.At.UTC(), Attempt: e.Attempt, Error: text})
	}
	return job, d, nil
}

// Stats are numbers for a dashboard or an alert.
type Stats struct {
	Pending int
	Running int
	Dead    int
	// Oldest is when the oldest pending job has been due since; zero where
	// none is due.
	Oldest time.Time
}

// Stats counts jobs. It reads an index over all jobs that are not done: ask
// every ten seconds, not at every request. It serves as a check of the
// database as well.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	rows, err := q.db.QueryContext(ctx, "SELECT state, count(*) FROM river_job WHERE state <> 'completed' AND kind = $1 GROUP BY state", deliveryKind)
	if err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return stats, fmt.Errorf("durable: stats: %w", err)
		}
		switch stateOf(rivertype.JobState(state)) {
		case Pending:
			stats.Pending += n
		case Running:
			stats.Running += n
		case Dead:
			stats.Dead += n
		}
	}
	if err := rows.Err(); err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	var due any // SQLite has no type for times
	if err := q.db.QueryRowContext(ctx, "SELECT min(scheduled_at) FROM river_job WHERE state = 'available' AND queue LIKE 'anymail-%'").Scan(&due); err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	switch due := due.(type) {
	case time.Time:
		stats.Oldest = due.UTC()
	case string:
		if stats.Oldest, err = time.Parse(sqliteTime, due); err != nil {
			return stats, fmt.Errorf("durable: stats: %w", err)
		}
	}
	return stats, nil
}

// sqliteTime is how River writes times to SQLite, in UTC.
const sqliteTime = "2006-01-02 15:04:05.999"

// countPending counts what WithMaxPending limits.
func (q *Queue) countPending(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, "SELECT count(*) FROM river_job WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled')").Scan(&n)
	return n, err
}
