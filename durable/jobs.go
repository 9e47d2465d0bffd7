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

// State is the state of a job.
type State string

// The states of a job.
const (
	Pending State = "pending" // waits for a worker, or for its next attempt
	Running State = "running" // a worker runs it, or did when its process died
	Done    State = "done"    // the receiver succeeded
	Dead    State = "dead"    // a dead letter: all attempts failed, or the receiver returned [Permanent]
)

var riverStates = map[State][]rivertype.JobState{
	Pending: {rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled},
	Running: {rivertype.JobStateRunning},
	Done:    {rivertype.JobStateCompleted},
	Dead:    {rivertype.JobStateDiscarded, rivertype.JobStateCancelled},
}

func stateFromRiver(s rivertype.JobState) State {
	for state, of := range riverStates {
		for _, r := range of {
			if r == s {
				return state
			}
		}
	}
	return State(s)
}

// Job is events for one receiver that arrived together. An event that fails becomes
// a job of its own, so a dead letter is one event.
type Job struct {
	ID       int64  `json:"id"`
	State    State  `json:"state"`
	Receiver string `json:"receiver"`
	// Events is how many events the receiver has succeeded for if the job is
	// [Done], and otherwise how many are left.
	Events int `json:"events"`
	// Key is the event's idempotency key; empty if there are several events.
	Key         string    `json:"key"`
	Attempts    int       `json:"attempts"`
	MaxAttempts int       `json:"max_attempts"`
	EnqueuedAt  time.Time `json:"enqueued_at"`
	// NextAt is when a pending job is due.
	NextAt time.Time `json:"next_at,omitzero"`
	// EndedAt is when the job was done or became a dead letter.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Errors are the failed attempts, oldest first.
	Errors []Failure `json:"errors,omitempty"`
}

// Failure is an attempt that failed.
type Failure struct {
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"`
	Error   string    `json:"error"`
}

// ErrNotFound means that no job has that id, or that it is in another state.
var ErrNotFound = errors.New("durable: no such job")

// Filter selects jobs. The zero Filter selects the dead letters.
type Filter struct {
	State    State  // Dead if empty
	Receiver string // all receivers if empty
	// After skips the jobs up to this id: that of the last job of the page before.
	After int64
	// Limit is how many jobs to return: DefaultListLimit if 0, and MaxListLimit at most.
	Limit int
}

// The numbers of jobs that [Queue.List] returns.
const (
	DefaultListLimit = 100    // if Filter.Limit is 0
	MaxListLimit     = 10_000 // at most
)

// List returns the jobs that filter selects, in the order of their ids, which
// is the order of their arrival. A page that is not full is the last one.
func (q *Queue) List(ctx context.Context, filter Filter) ([]Job, error) {
	state, limit := filter.State, min(filter.Limit, MaxListLimit)
	if state == "" {
		state = Dead
	}
	if limit <= 0 {
		limit = DefaultListLimit
	}
	if riverStates[state] == nil {
		return nil, anymail.Misconfigured("durable.Filter.State", "must be the state of a job")
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
		job, _, err := q.decodeJob(row)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, q.countEvents(ctx, jobs)
}

// countEvents sets the numbers of the events of jobs.
func (q *Queue) countEvents(ctx context.Context, jobs []Job) error {
	at := map[int64]*Job{}
	var several []int64
	for i := range jobs {
		if jobs[i].Events > 1 {
			at[jobs[i].ID] = &jobs[i]
			several = append(several, jobs[i].ID)
		}
	}
	if len(several) == 0 {
		return nil
	}
	rows, err := q.db.QueryContext(ctx, q.queries.countEvents, q.dialect.args(ids(several))...)
	if err != nil {
		return fmt.Errorf("durable: list: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var open int
		var keys []byte
		if err := rows.Scan(&id, &open, &keys); err != nil {
			return fmt.Errorf("durable: list: %w", err)
		}
		if job := at[id]; job.State == Done {
			job.Events = countKeys(keys)
		} else {
			job.Events = open
		}
	}
	return rows.Err()
}

// Get returns a job and its event. The event is nil if the job is [Done], because
// it is removed then, or if there are several events.
func (q *Queue) Get(ctx context.Context, id int64) (Job, anymail.Event, error) {
	row, err := q.client.JobGet(ctx, id)
	if err != nil {
		return Job{}, nil, convertNotFound(err)
	}
	job, d, err := q.decodeJob(row)
	if err != nil {
		return Job{}, nil, err
	}
	if job.Events > 1 || job.State == Done {
		jobs := []Job{job}
		err := q.countEvents(ctx, jobs)
		return jobs[0], nil, err
	}
	r, err := q.load(ctx, row, d)
	if err != nil {
		return job, nil, err
	}
	for event := range r.left() {
		ev, err := anymail.DecodeEvent(r.events[event])
		return job, ev, err
	}
	return job, nil, nil // done since
}

// Retry makes a dead letter pending again, with at least one more attempt, or
// makes a pending job due immediately. It returns [ErrNotFound] if id is neither
// a dead letter nor a pending job.
func (q *Queue) Retry(ctx context.Context, id int64) error {
	return convertNotFound(q.transact(ctx, func(s session) error {
		// Without the lock, River could revive a job that a worker has just
		// completed.
		type kindState struct{ kind, state string }
		found, err := collect(ctx, s, func(scan func(...any) error) (f kindState, err error) {
			return f, scan(&f.kind, &f.state)
		}, "SELECT kind, state FROM river_job WHERE id = $1"+q.dialect.lock, id)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].kind != deliveryKind || !canRetry(stateFromRiver(rivertype.JobState(found[0].state))) {
			return ErrNotFound
		}
		return s.retry(ctx, id)
	}))
}

func canRetry(s State) bool { return s == Dead || s == Pending }

// retryPage is how many jobs RetryAll lists at once.
const retryPage = 1000

// RetryAll retries all jobs that filter selects: dead letters or, if its State
// says so, pending jobs. It ignores the filter's Limit. It returns how many events
// the jobs have.
func (q *Queue) RetryAll(ctx context.Context, filter Filter) (int, error) {
	if filter.State != "" && !canRetry(filter.State) {
		return 0, anymail.Misconfigured("durable.Filter.State", "must be dead or pending to retry jobs")
	}
	filter.Limit = retryPage
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
				retried += job.Events
			case !errors.Is(err, ErrNotFound): // another process was faster
				return retried, err
			}
		}
	}
}

// Delete removes a job that is not running. If the job was not done, its receiver
// never sees its events, unless the ESP redelivers them.
func (q *Queue) Delete(ctx context.Context, id int64) error {
	row, err := q.client.JobGet(ctx, id)
	if err != nil {
		return convertNotFound(err)
	}
	if row.Kind != deliveryKind {
		return ErrNotFound
	}
	return convertNotFound(q.transact(ctx, func(s session) error {
		if err := s.delete(ctx, id); err != nil {
			return err
		}
		return q.forget(ctx, s, []int64{id})
	}))
}

// convertNotFound returns ErrNotFound for River's.
func convertNotFound(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rivertype.ErrNotFound), errors.Is(err, ErrNotFound):
		return ErrNotFound
	}
	return fmt.Errorf("durable: %w", err)
}

func (q *Queue) decodeJob(row *rivertype.JobRow) (Job, delivery, error) {
	var d delivery
	if row.Kind != deliveryKind {
		return Job{}, d, ErrNotFound
	}
	if err := json.Unmarshal(row.EncodedArgs, &d); err != nil {
		return Job{}, d, fmt.Errorf("durable: job %d: %w", row.ID, err)
	}
	job := Job{
		ID:          row.ID,
		State:       stateFromRiver(row.State),
		Receiver:    d.Receiver,
		Events:      max(1, d.Events),
		Key:         d.Key,
		Attempts:    row.Attempt,
		MaxAttempts: row.MaxAttempts,
		EnqueuedAt:  row.CreatedAt.UTC(),
	}
	if job.Events > 1 {
		job.MaxAttempts = q.settings.maxAttempts // of each event
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
