package durable

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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
		err = fmt.Errorf("%w: %s", errUnmigrated, strings.Join(result.Messages, "; "))
	}
	return err
}

// statements runs statements in a transaction of database/sql or of pgx.
type statements interface {
	exec(ctx context.Context, statement string, args ...any) (affected int64, err error)
	// query calls row for each row.
	query(ctx context.Context, row func(scan func(...any) error) error, statement string, args ...any) error
}

type sqlStatements struct {
	*sql.Tx
	prepared map[string]*sql.Stmt
}

func (s sqlStatements) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	var result sql.Result
	var err error
	if prepared := s.prepared[statement]; prepared != nil {
		result, err = s.StmtContext(ctx, prepared).ExecContext(ctx, args...) //nolint:sqlclosecheck // ends with the transaction
	} else {
		result, err = s.ExecContext(ctx, statement, args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s sqlStatements) query(ctx context.Context, row func(func(...any) error) error, statement string, args ...any) error {
	var rows *sql.Rows
	var err error
	if prepared := s.prepared[statement]; prepared != nil {
		rows, err = s.StmtContext(ctx, prepared).QueryContext(ctx, args...) //nolint:sqlclosecheck // ends with the transaction
	} else {
		rows, err = s.QueryContext(ctx, statement, args...)
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type pgxStatements struct{ pgx.Tx }

func (s pgxStatements) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.Exec(ctx, statement, args...)
	return result.RowsAffected(), err
}

func (s pgxStatements) query(ctx context.Context, row func(func(...any) error) error, statement string, args ...any) error {
	rows, err := s.Query(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect returns the rows of a query.
func collect[T any](ctx context.Context, s statements, row func(scan func(...any) error) (T, error), statement string, args ...any) (all []T, err error) {
	err = s.query(ctx, func(scan func(...any) error) error {
		value, err := row(scan)
		all = append(all, value)
		return err
	}, statement, args...)
	return all, err
}

func scanID(scan func(...any) error) (id int64, err error) { return id, scan(&id) }

// session is a transaction of the queue, in which River works as well.
type session interface {
	statements
	insert(context.Context, []river.InsertManyParams) (ids []int64, err error)
	// insertFull inserts a job in any state. It announces it to no worker.
	insertFull(context.Context, *riverdriver.JobInsertFullParams) (id int64, err error)
	retry(ctx context.Context, job int64) error
	delete(ctx context.Context, job int64) error
}

type riverSession[Tx any] struct {
	statements
	client *river.Client[Tx]
	driver riverdriver.Driver[Tx]
	tx     Tx
}

func (s riverSession[Tx]) insert(ctx context.Context, jobs []river.InsertManyParams) ([]int64, error) {
	results, err := s.client.InsertManyTx(ctx, s.tx, jobs)
	inserted := make([]int64, len(results))
	for i, result := range results {
		inserted[i] = result.Job.ID
	}
	return inserted, err
}

func (s riverSession[Tx]) insertFull(ctx context.Context, job *riverdriver.JobInsertFullParams) (int64, error) {
	row, err := s.driver.UnwrapExecutor(s.tx).JobInsertFull(ctx, job)
	if err != nil {
		return 0, err
	}
	return row.ID, nil
}

func (s riverSession[Tx]) retry(ctx context.Context, job int64) error {
	_, err := s.client.JobRetryTx(ctx, s.tx, job)
	return err
}

func (s riverSession[Tx]) delete(ctx context.Context, job int64) error {
	_, err := s.client.JobDeleteTx(ctx, s.tx, job)
	return err
}

// transactions has the operations that differ between database/sql and pgx.
type transactions[Tx any] struct {
	begin      func(context.Context) (Tx, error)
	commit     func(context.Context, Tx) error
	rollback   func(context.Context, Tx) error
	statements func(Tx) statements
}

// connect sets q's River client and the functions that need its transactions.
func connect[Tx any](q *Queue, driver riverdriver.Driver[Tx], in transactions[Tx]) error {
	s := q.settings
	workers := river.NewWorkers()
	river.AddWorker(workers, &deliverer{q: q})
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[sweep]) error { return q.sweep(ctx) }))
	c, err := river.NewClient(driver, &river.Config{
		Workers:              workers,
		Queues:               map[string]river.QueueConfig{sweepQueue: {MaxWorkers: 1, FetchCooldown: time.Second, FetchPollInterval: 5 * time.Second}},
		PeriodicJobs:         []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(sweepInterval), newSweep, &river.PeriodicJobOpts{RunOnStart: true})},
		MaxAttempts:          s.maxAttempts,
		JobTimeout:           s.timeout,
		RescueStuckJobsAfter: s.rescueAfter,
		RetryPolicy:          retryPolicy(s.backoff),
		FetchCooldown:        s.pollCooldown,
		FetchPollInterval:    s.pollInterval,
		// The sweep removes jobs, with what belongs to them.
		CompletedJobRetentionPeriod: -1,
		CancelledJobRetentionPeriod: -1,
		DiscardedJobRetentionPeriod: -1,
		Logger:                      riverLogger(s.logger),
		TestOnly:                    s.testOnly,
	})
	if err != nil {
		return err
	}
	q.client = c
	q.transact = func(ctx context.Context, work func(session) error) error {
		tx, err := in.begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = in.rollback(context.WithoutCancel(ctx), tx) }() // does nothing after a commit
		if err := work(riverSession[Tx]{in.statements(tx), c, driver, tx}); err != nil {
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
