package gateway

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"; durable has "sqlite"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/sqlstore"
)

// openIdempotency opens the store, and its database if it has one.
func openIdempotency(ctx context.Context, text string) (anymail.IdempotencyStore, *sql.DB, error) {
	kind, dsn, err := parseStore(text)
	if err != nil {
		return nil, nil, err
	}
	var driver string
	var dialect sqlstore.Dialect
	switch kind {
	case "sqlite":
		if err := createPrivate(dsn); err != nil {
			return nil, nil, fmt.Errorf("idempotency: %w", err)
		}
		driver, dialect = "sqlite", sqlstore.SQLite
		dsn = "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(dsn) +
			"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
	case "postgres":
		driver, dialect = "pgx", sqlstore.Postgres
	default:
		return anymail.NewMemoryStore(0), nil, nil
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("idempotency: %w", err)
	}
	if kind == "sqlite" {
		db.SetMaxOpenConns(1) // so that writers wait for each other
	}
	store, err := sqlstore.New(db, dialect)
	if err == nil {
		err = store.Migrate(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("idempotency: %w", err)
	}
	return store, db, nil
}

// OpenQueue opens the durable queue of a text such as sqlite:FILE or
// postgres://..., or returns nil for none. It does not start the queue.
func OpenQueue(ctx context.Context, text string, signals *anymail.Signals, options ...durable.Option) (*durable.Queue, error) {
	kind, dsn, err := parseStore(text)
	switch {
	case err != nil || kind == "memory":
		return nil, fmt.Errorf("%w: a queue is none, sqlite:FILE or postgres://host/db", anymail.ErrConfig)
	case kind == "sqlite":
		if err := createPrivate(dsn); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		return durable.OpenSQLite(ctx, dsn, signals, options...)
	case kind == "postgres":
		return durable.OpenPostgres(ctx, dsn, signals, options...)
	}
	return nil, nil
}

// createPrivate creates a database's file if it does not exist, for the owner alone.
// SQLite gives the mode of this file to the others that it makes.
func createPrivate(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (d Delivery) options(logger *slog.Logger, hooks []anymail.Hooks) []durable.Option {
	options := []durable.Option{
		durable.WithLogger(logger),
		durable.WithWorkers(d.Workers),
		durable.WithTimeout(d.Timeout),
		durable.WithMaxAttempts(d.MaxAttempts),
		durable.WithRetention(d.Retention),
		durable.WithMaxPending(d.MaxPending),
		durable.WithMaxRepeats(d.MaxRepeats),
	}
	for _, h := range hooks {
		options = append(options, durable.WithHooks(h))
	}
	if d.DeadLetterRetention > 0 {
		options = append(options, durable.WithDeadLetterRetention(d.DeadLetterRetention))
	}
	return options
}
