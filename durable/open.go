package durable

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite" // the driver "sqlite", without cgo

	"github.com/goanymail/anymail"
)

// SQLite is an option of [anymail.New]: a queue in the SQLite file at path, as
// [OpenSQLite] opens it, which New starts and [anymail.Dispatcher.Shutdown]
// stops. It has the Dispatcher's logger and Receiver hooks. ctx bounds how long
// opening may take.
func SQLite(ctx context.Context, path string, options ...Option) anymail.Option {
	return running(ctx, options, func(signals *anymail.Signals, options []Option) (*Queue, error) {
		return OpenSQLite(ctx, path, signals, options...)
	})
}

// Postgres is [SQLite] for a queue in a PostgreSQL database, as [OpenPostgres]
// opens it.
func Postgres(ctx context.Context, dsn string, options ...Option) anymail.Option {
	return running(ctx, options, func(signals *anymail.Signals, options []Option) (*Queue, error) {
		return OpenPostgres(ctx, dsn, signals, options...)
	})
}

func running(ctx context.Context, options []Option, open func(*anymail.Signals, []Option) (*Queue, error)) anymail.Option {
	return anymail.WithRunningQueue(func(host anymail.QueueHost) (anymail.RunningQueue, error) {
		q, err := open(host.Signals, slices.Concat([]Option{WithLogger(host.Logger), WithHooks(host.Hooks)}, options))
		if err != nil {
			return nil, err
		}
		// Shutdown ends the work in good order; the end of ctx would not.
		if err := q.Start(context.WithoutCancel(ctx)); err != nil {
			return nil, errors.Join(err, q.Close())
		}
		return q, nil
	})
}

// OpenSQLite opens a queue in the SQLite file at path, which is made where it
// is missing; ":memory:" is a queue that ends with the process. signals has
// the receivers, usually those of the [anymail.Dispatcher].
//
// The file is in WAL mode with synchronous=FULL, so an answered event survives
// a power cut; see [WithRelaxedSync]. The directory must be on a local disk.
func OpenSQLite(ctx context.Context, path string, signals *anymail.Signals, options ...Option) (*Queue, error) {
	s, err := newSettings(options)
	if err != nil {
		return nil, err
	}
	sync := "FULL"
	if s.relaxedSync {
		sync = "NORMAL"
	}
	file, vfs := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path), ""
	if path == ":memory:" {
		file, vfs = "/anymail-"+rand.Text(), "&vfs=memdb"
	}
	dsn := "file:" + file +
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)" +
		"&_pragma=foreign_keys(1)&_pragma=synchronous(" + sync + ")" + s.pragmas + vfs
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("durable: sqlite: %w", err)
	}
	// SQLite has one writer at a time. One connection makes those who want to
	// write stand in line, where several would poll for the file's lock.
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)

	driver := riversqlite.New(db)
	q := &Queue{settings: s, signals: signals, db: db, txDB: db, complete: completeSQLite}
	q.close = func() { _ = db.Close() }
	if vfs != "" {
		// A connection is replaced when a query was cancelled, and what is in
		// memory goes with the last one: this one stays.
		keep, err := sql.Open("sqlite", dsn)
		if err == nil {
			err = keep.PingContext(context.WithoutCancel(ctx))
		}
		if err != nil {
			q.close()
			return nil, fmt.Errorf("durable: sqlite: %w", err)
		}
		q.close = func() { _, _ = db.Close(), keep.Close() }
	}
	// Another process may be at it: then what it makes is in our way once.
	for try := 0; ; try++ {
		if err = q.migrateSQLite(ctx, driver); err == nil || try == 5 || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil {
		err = connect(q, driver, transactions[*sql.Tx]{
			begin:    func(ctx context.Context) (*sql.Tx, error) { return db.BeginTx(ctx, nil) },
			commit:   func(_ context.Context, tx *sql.Tx) error { return tx.Commit() },
			rollback: func(_ context.Context, tx *sql.Tx) error { return tx.Rollback() },
			exec: func(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
				_, err := tx.ExecContext(ctx, query, args...)
				return err
			},
			lock: func(ctx context.Context, tx *sql.Tx, job int64) (kind, state string, err error) {
				err = tx.QueryRowContext(ctx, "SELECT kind, state FROM river_job WHERE id = $1", job).Scan(&kind, &state)
				return kind, state, err
			},
		})
	}
	if err != nil {
		q.close()
		return nil, fmt.Errorf("durable: sqlite: %w", err)
	}
	return q, nil
}

// OpenPostgres opens a queue in a PostgreSQL database. dsn is a URL or
// keyword/value string as pgx reads it; its pool_max_conns (10 by default)
// holds twice, for the queue and for receivers' transactions, and its
// search_path says in which schema the tables are. Several processes can work
// on one database. signals has the receivers, usually those of the
// [anymail.Dispatcher].
//
// A transaction pooler such as PgBouncer cannot pass on LISTEN: then new jobs
// are noticed at the interval of [WithPolling].
func OpenPostgres(ctx context.Context, dsn string, signals *anymail.Signals, options ...Option) (*Queue, error) {
	s, err := newSettings(options)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("durable: postgres: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = 10
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("durable: postgres: %w", err)
	}
	// Receivers' transactions have connections of their own, so that they can
	// keep neither new events nor each other's completion waiting.
	txPool, err := pgxpool.NewWithConfig(ctx, config.Copy())
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("durable: postgres: %w", err)
	}
	q := &Queue{settings: s, signals: signals, db: stdlib.OpenDBFromPool(pool),
		txDB: stdlib.OpenDBFromPool(txPool), txPool: txPool, complete: completePostgres}
	q.close = func() {
		_, _ = q.db.Close(), q.txDB.Close()
		pool.Close()
		txPool.Close()
	}
	driver := riverpgxv5.New(pool)
	if err = q.migratePostgres(ctx, pool, driver); err == nil {
		err = connect(q, driver, transactions[pgx.Tx]{
			begin:    pool.Begin,
			commit:   func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
			rollback: func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
			exec: func(ctx context.Context, tx pgx.Tx, query string, args ...any) error {
				_, err := tx.Exec(ctx, query, args...)
				return err
			},
			lock: func(ctx context.Context, tx pgx.Tx, job int64) (kind, state string, err error) {
				err = tx.QueryRow(ctx, "SELECT kind, state FROM river_job WHERE id = $1 FOR UPDATE", job).Scan(&kind, &state)
				return kind, state, err
			},
		})
	}
	if err != nil {
		q.close()
		return nil, fmt.Errorf("durable: postgres: %w", err)
	}
	return q, nil
}

// schema has the large events, and which jobs are about them. Its two words
// that differ between the databases are the types for bytes and for ids.
const schema = `
CREATE TABLE IF NOT EXISTS anymail_content (
	id    text PRIMARY KEY,
	event %[1]s NOT NULL
);
CREATE TABLE IF NOT EXISTS anymail_content_job (
	job_id     %[2]s PRIMARY KEY,
	content_id text NOT NULL
);
CREATE INDEX IF NOT EXISTS anymail_content_job_content_id ON anymail_content_job (content_id);`

func (q *Queue) migrateSQLite(ctx context.Context, driver riverdriver.Driver[*sql.Tx]) error {
	if err := migrate(ctx, driver, q.settings); err != nil {
		return err
	}
	_, err := q.db.ExecContext(ctx, fmt.Sprintf(schema, "blob", "integer"))
	return err
}

// migrationLock is the advisory lock that processes take in turn when they
// start together: an arbitrary number.
const migrationLock = 0x616e796d61696c

func (q *Queue) migratePostgres(ctx context.Context, pool *pgxpool.Pool, driver riverdriver.Driver[pgx.Tx]) error {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	if err := migrate(ctx, driver, q.settings); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(schema, "bytea", "bigint")); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func migrate[Tx any](ctx context.Context, driver riverdriver.Driver[Tx], s settings) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: s.logger})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// transactions is what differs between database/sql and pgx.
type transactions[Tx any] struct {
	begin    func(context.Context) (Tx, error)
	commit   func(context.Context, Tx) error
	rollback func(context.Context, Tx) error
	exec     func(ctx context.Context, tx Tx, query string, args ...any) error
	// lock keeps everybody from a job until the transaction ends, and returns
	// what it is. On SQLite the transaction itself does that.
	lock func(ctx context.Context, tx Tx, job int64) (kind, state string, err error)
}

// connect gives q River's client and what it does in a transaction with it.
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
		FetchCooldown:               s.fetchCooldown,
		FetchPollInterval:           s.pollInterval,
		CompletedJobRetentionPeriod: s.retention,
		CancelledJobRetentionPeriod: s.deadRetention,
		DiscardedJobRetentionPeriod: s.deadRetention,
		Logger:                      s.logger,
		TestOnly:                    s.testOnly,
	})
	if err != nil {
		return err
	}
	q.client = c
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
				continue // all of them were there already, with theirs
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
		// JobRetry would run a job again that a worker has just done.
		kind, state, err := in.lock(ctx, tx, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case kind != deliveryKind || !retriable(stateOf(rivertype.JobState(state))):
			return ErrNotFound
		}
		if _, err := c.JobRetryTx(ctx, tx, id); err != nil {
			return err
		}
		return in.commit(ctx, tx)
	}
	return nil
}

// retryPolicy is a backoff function as River wants it.
type retryPolicy func(failures int) time.Duration

// NextRetry implements [river.ClientRetryPolicy].
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(max(0, p(len(job.Errors)+1)))
}
