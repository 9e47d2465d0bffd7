package durable

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	_ "modernc.org/sqlite" // the driver "sqlite", without cgo

	"github.com/goanymail/anymail"
)

// SQLite is an option of [anymail.New]: a queue in the SQLite file at path, as
// [OpenSQLite] opens it. New starts the queue and
// [anymail.Dispatcher.Shutdown] stops it. It has the Dispatcher's logger and
// Receiver hooks. ctx bounds how long opening may take.
func SQLite(ctx context.Context, path string, options ...Option) anymail.Option {
	return dispatcherOption(ctx, options, func(signals *anymail.Signals, options []Option) (*Queue, error) {
		return OpenSQLite(ctx, path, signals, options...)
	})
}

// OpenSQLite opens a queue in the SQLite file at path, and creates the file if
// it is missing. The path ":memory:" is a queue that ends with the process.
// signals has the receivers, usually those of the [anymail.Dispatcher].
//
// The file is in WAL mode with synchronous=FULL, so that an answered event
// survives a power cut; see [WithRelaxedSync]. The directory must be on a local
// disk.
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
	// SQLite has one writer at a time. With one connection, writers wait in a
	// line; several connections would poll for the lock of the file.
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)

	driver := riversqlite.New(db)
	q := newQueue(s, signals, dialectSQLite)
	q.db, q.txDB = db, db
	q.close = func() { _ = db.Close() }
	if vfs != "" {
		// database/sql replaces a connection after a query was cancelled, and a
		// database in memory ends with its last connection. This one stays open.
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
	// Another process may migrate at the same time; then this attempt fails.
	for try := 0; ; try++ {
		if err = q.migrateSQLite(ctx, driver); err == nil || try == 5 || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil {
		err = q.prepare(ctx)
	}
	if err == nil {
		err = connect(q, driver, transactions[*sql.Tx]{
			begin:      func(ctx context.Context) (*sql.Tx, error) { return db.BeginTx(ctx, nil) },
			commit:     func(_ context.Context, tx *sql.Tx) error { return tx.Commit() },
			rollback:   func(_ context.Context, tx *sql.Tx) error { return tx.Rollback() },
			statements: func(tx *sql.Tx) statements { return sqlStatements{tx, q.prepared} },
		})
	}
	if err != nil {
		q.close()
		return nil, fmt.Errorf("durable: sqlite: %w", err)
	}
	return q, nil
}

func (q *Queue) migrateSQLite(ctx context.Context, driver riverdriver.Driver[*sql.Tx]) error {
	if err := migrateRiver(ctx, driver, q.settings); err != nil {
		return err
	}
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := q.createTables(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// prepare prepares the statements that run most often. Only SQLite needs that: pgx
// prepares what it runs.
func (q *Queue) prepare(ctx context.Context) error {
	q.prepared = map[string]*sql.Stmt{}
	s := q.queries
	for _, statement := range []string{s.insertKeys, s.insertBatch, s.insertJobs, s.load, s.progress, s.complete, s.removeBatches} {
		prepared, err := q.db.PrepareContext(ctx, statement) //nolint:sqlclosecheck // ends with the database
		if err != nil {
			return err
		}
		q.prepared[statement] = prepared
	}
	return nil
}
