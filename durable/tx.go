package durable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/goanymail/anymail"
)

// Tx returns the transaction of the job that a receiver is called for. It is
// begun at the first call and committed together with the job's completion when
// the receiver returns nil; an error, a panic or the timeout rolls both back.
// So what the receiver writes through it, it writes exactly once. The receiver
// neither commits nor rolls back. Placeholders are $1, $2, ... in both
// databases.
//
// The tables are in the queue's own database. On SQLite a transaction keeps
// everybody else from writing, new events included: do the slow work first, and
// use nothing but the transaction then. An error is [anymail.ErrConfig] where
// ctx is not that of a receiver called by a [Queue].
func Tx(ctx context.Context) (*sql.Tx, error) {
	t, err := transactionOf(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return nil, errEnded
	case t.pgx != nil:
		return nil, fmt.Errorf("durable: %w: the transaction is a pgx.Tx already", anymail.ErrConfig)
	case t.sql == nil:
		if t.sql, err = t.q.txDB.BeginTx(ctx, nil); err != nil {
			return nil, fmt.Errorf("durable: %w", err)
		}
	}
	return t.sql, nil
}

// PgxTx is [Tx] for receivers that use pgx. It needs PostgreSQL.
func PgxTx(ctx context.Context) (pgx.Tx, error) {
	t, err := transactionOf(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return nil, errEnded
	case t.q.txPool == nil:
		return nil, fmt.Errorf("durable: %w: PgxTx needs PostgreSQL", anymail.ErrConfig)
	case t.sql != nil:
		return nil, fmt.Errorf("durable: %w: the transaction is a sql.Tx already", anymail.ErrConfig)
	case t.pgx == nil:
		if t.pgx, err = t.q.txPool.Begin(ctx); err != nil {
			return nil, fmt.Errorf("durable: %w", err)
		}
	}
	return t.pgx, nil
}

// transaction is that of one job, if its receiver asks for one.
type transaction struct {
	q       *Queue
	job     int64
	attempt int
	mu      sync.Mutex
	ended   bool
	sql     *sql.Tx
	pgx     pgx.Tx
}

type transactionKey struct{}

var errEnded = errors.New("durable: the job's transaction has ended")

func transactionOf(ctx context.Context) (*transaction, error) {
	t, ok := ctx.Value(transactionKey{}).(*transaction)
	if !ok {
		return nil, fmt.Errorf("durable: %w: this is not the context of a receiver called by a Queue", anymail.ErrConfig)
	}
	return t, nil
}

// commit finishes the job in the transaction, if there is one, and commits.
func (t *transaction) commit(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	var completed int64
	var commit func() error
	switch {
	case t.sql != nil:
		result, err := t.sql.ExecContext(ctx, t.q.complete, t.job, t.attempt)
		if err == nil {
			completed, err = result.RowsAffected()
		}
		if err != nil {
			return fmt.Errorf("durable: completion: %w", err)
		}
		commit = t.sql.Commit
	case t.pgx != nil:
		result, err := t.pgx.Exec(ctx, t.q.complete, t.job, t.attempt)
		if err != nil {
			return fmt.Errorf("durable: completion: %w", err)
		}
		completed = result.RowsAffected()
		commit = func() error { return t.pgx.Commit(ctx) }
	default:
		return nil
	}
	if completed != 1 {
		return errOvertaken
	}
	if err := commit(); err != nil {
		return fmt.Errorf("durable: commit: %w", err)
	}
	return nil
}

// errOvertaken: the job was taken for dead, and its next attempt has begun or
// done the work, which must not be done twice.
var errOvertaken = errors.New("durable: the job has been given to another worker")

// The completion of one attempt, as [river.JobCompleteTx] does it, with two
// differences: it works in whatever kind of transaction the receiver wants, and
// it completes nothing but the attempt that the receiver was called for.
// JobCompleteTx is content with a job that has already been completed, so that
// the work of both attempts would be committed.
const (
	completePostgres = `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = $1 AND attempt = $2 AND state = 'running'`
	completeSQLite   = `UPDATE river_job SET state = 'completed', finalized_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = $1 AND attempt = $2 AND state = 'running'`
)

// rollback undoes what was not committed.
func (t *transaction) rollback(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.sql != nil {
		_ = t.sql.Rollback()
	}
	if t.pgx != nil {
		_ = t.pgx.Rollback(context.WithoutCancel(ctx))
	}
}
