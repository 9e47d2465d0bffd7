package durable

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/goanymail/anymail"
)

// DefaultMaxConns is the size of a connection pool to PostgreSQL, unless the DSN
// sets pool_max_conns.
const DefaultMaxConns = 10

// Postgres is [SQLite] for a queue in a PostgreSQL database, as [OpenPostgres]
// opens it.
func Postgres(ctx context.Context, dsn string, options ...Option) anymail.Option {
	return dispatcherOption(ctx, options, func(signals *anymail.Signals, options []Option) (*Queue, error) {
		return OpenPostgres(ctx, dsn, signals, options...)
	})
}

// OpenPostgres opens a queue in a PostgreSQL database. dsn is a URL or a
// keyword/value string in pgx's format. Its pool_max_conns, [DefaultMaxConns] by
// default, applies to each of two pools: that of the queue and that of
// receivers' transactions. Its search_path sets the schema of the tables.
// Several processes can work on one database. signals has the receivers, usually
// those of the [anymail.Dispatcher].
//
// A transaction pooler such as PgBouncer cannot pass on LISTEN. Then the queue
// notices new jobs at the interval of [WithPolling].
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
		config.MaxConns = DefaultMaxConns
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("durable: postgres: %w", err)
	}
	// Receivers' transactions have a pool of their own, so that they delay
	// neither new events nor each other's completion.
	txPool, err := pgxpool.NewWithConfig(ctx, config.Copy())
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("durable: postgres: %w", err)
	}
	q := newQueue(s, signals, dialectPostgres)
	q.db, q.txDB, q.txPool = stdlib.OpenDBFromPool(pool), stdlib.OpenDBFromPool(txPool), txPool
	q.close = func() {
		_, _ = q.db.Close(), q.txDB.Close()
		pool.Close()
		txPool.Close()
	}
	driver := riverpgxv5.New(pool)
	if err = q.migratePostgres(ctx, driver); err == nil {
		err = connect(q, driver, transactions[pgx.Tx]{
			begin:      pool.Begin,
			commit:     func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
			rollback:   func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
			statements: func(tx pgx.Tx) statements { return pgxStatements{tx} },
		})
	}
	if err != nil {
		q.close()
		return nil, fmt.Errorf("durable: postgres: %w", err)
	}
	return q, nil
}

// migrationLock is the advisory lock that serializes the migrations of processes
// that start together. The number is arbitrary.
const migrationLock = 0x616e796d61696c

func (q *Queue) migratePostgres(ctx context.Context, driver riverdriver.Driver[pgx.Tx]) error {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	if err := migrateRiver(ctx, driver, q.settings); err != nil {
		return err
	}
	if err := q.createTables(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}
