package durable

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// riverClient is what River's client does without knowing the type of
// transactions.
type riverClient interface {
	Start(context.Context) error
	Stop(context.Context) error
	StopAndCancel(context.Context) error
	Queues() *river.QueueBundle
	JobList(context.Context, *river.JobListParams) (*river.JobListResult, error)
	JobGet(context.Context, int64) (*rivertype.JobRow, error)
	JobDelete(context.Context, int64) (*rivertype.JobRow, error)
}

// migrateRiver makes or changes River's tables, or only checks them.
func migrateRiver[Tx any](ctx context.Context, driver riverdriver.Driver[Tx], s settings) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: riverLogger(s.logger)})
	if err != nil {
		return err
	}
	if !s.unmigrated {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
	result, err := m.Validate(ctx, nil)
	if err == nil && !result.OK {
		err = errors.New("the tables are missing or of another version, and WithoutMigration is set: " + strings.Join(result.Messages, "; "))
	}
	return err
}

// transactions has the operations that differ between database/sql and pgx.
type transactions[Tx any] struct {
	begin    func(context.Context) (Tx, error)
	commit   func(context.Context, Tx) error
	rollback func(context.Context, Tx) error
	exec     func(ctx context.Context, tx Tx, query string, args ...any) error
	// lock locks a job until the transaction ends, and returns its kind and
	// state. On SQLite the transaction itself is the lock.
	lock func(ctx context.Context, tx Tx, job int64) (kind, state string, err error)
}

// connect sets q's River client and the functions that need its transactions.
func connect[Tx any](q *Queue, driver riverdriver.Driver[Tx], in transactions[Tx]) error {
	s := q.settings
	workers := river.NewWorkers()
	river.AddWorker(workers, &deliverer{q: q})
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[sweep]) error { return q.sweep(ctx) }))
	c, err := river.NewClient(driver, &river.Config{
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{sweepQueue: {MaxWorkers: 1, FetchCooldown: time.Second, FetchPollInterval: 5 * time.Second}},
		PeriodicJobs:                []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(sweepInterval), newSweep, &river.PeriodicJobOpts{RunOnStart: true})},
		MaxAttempts:                 s.maxAttempts,
		JobTimeout:                  s.timeout,
		RescueStuckJobsAfter:        s.rescueAfter,
		RetryPolicy:                 retryPolicy(s.backoff),
		FetchCooldown:               s.pollCooldown,
		FetchPollInterval:           s.pollInterval,
		CompletedJobRetentionPeriod: s.retention,
		CancelledJobRetentionPeriod: s.deadRetention,
		DiscardedJobRetentionPeriod: s.deadRetention,
		Logger:                      riverLogger(s.logger),
		TestOnly:                    s.testOnly,
	})
	if err != nil {
		return err
	}
	q.client = c
	q.completions = newCompletions(q.db, q.complete, q.ahead, s.logger)
	q.insert = func(ctx context.Context, jobs []river.InsertManyParams, contents []content) (int, error) {
		tx, err := in.begin(ctx)
		if err != nil {
			return 0, err
		}
		defer func() { _ = in.rollback(context.WithoutCancel(ctx), tx) }() // does nothing after a commit
		results, err := c.InsertManyTx(ctx, tx, jobs)
		if err != nil {
			return 0, err
		}
		inserted := 0
		jobsOf := map[string][]int64{}
		for i, result := range results {
			if result.UniqueSkippedAsDuplicate {
				continue
			}
			inserted++
			if id := jobs[i].Args.(delivery).Content; id != "" {
				jobsOf[id] = append(jobsOf[id], result.Job.ID)
			}
		}
		for _, c := range contents {
			if len(jobsOf[c.id]) == 0 {
				continue // all its jobs exist already, with their content
			}
			if err := in.exec(ctx, tx, "INSERT INTO anymail_content (id, event) VALUES ($1, $2)", c.id, c.event); err != nil {
				return 0, err
			}
			for _, job := range jobsOf[c.id] {
				if err := in.exec(ctx, tx, "INSERT INTO anymail_content_job (job_id, content_id) VALUES ($1, $2)", job, c.id); err != nil {
					return 0, err
				}
			}
		}
		if err := in.commit(ctx, tx); err != nil {
			return 0, err
		}
		return inserted, nil
	}
	q.retry = func(ctx context.Context, id int64) error {
		tx, err := in.begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = in.rollback(context.WithoutCancel(ctx), tx) }()
		// Without the lock, JobRetryTx could revive a job that a worker has just
		// completed.
		kind, state, err := in.lock(ctx, tx, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case kind != deliveryKind || !canRetry(stateFromRiver(rivertype.JobState(state))):
			return ErrNotFound
		}
		if _, err := c.JobRetryTx(ctx, tx, id); err != nil {
			return err
		}
		return in.commit(ctx, tx)
	}
	return nil
}

// retryPolicy is a backoff function in River's form.
type retryPolicy func(failures int) time.Duration

// maxSkew is how far the clock of the database may be ahead of this process's
// without an effect on the time between attempts.
const maxSkew = time.Hour

// NextRetry implements [river.ClientRetryPolicy]. The attempt began by the
// database's clock, and cannot have failed before that.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	failed := time.Now()
	if job.AttemptedAt != nil {
		failed = failed.Add(min(max(job.AttemptedAt.Sub(failed), 0), maxSkew))
	}
	return failed.Add(max(0, p(len(job.Errors)+1)))
}
