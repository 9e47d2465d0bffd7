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

// Tx returns the transaction of the call of a receiver. Its first use begins it.
// When the receiver returns nil, the transaction is committed together with the
// fact that the event is done; an error, a panic or the timeout rolls both
// back. So the receiver's writes in the transaction happen exactly once. The
// receiver neither commits nor rolls back. Placeholders are $1, $2, ... in both
// databases.
//
// The tables are in the queue's own database. On SQLite a transaction blocks all
// other writers, new events included: do the slow work first, and then use
// nothing but the transaction. Tx returns [anymail.ErrConfig] if ctx is not the
// context of a receiver called by a [Queue].
func Tx(ctx context.Context) (*sql.Tx, error) {
	t, err := transactionFrom(ctx, "durable.Tx")
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return nil, errEnded
	case t.pgx != nil:
		return nil, anymail.Misconfigured("durable.Tx", "the job's transaction is already a pgx.Tx")
	case t.sql == nil:
		if t.sql, err = t.q.txDB.BeginTx(ctx, nil); err != nil {
			return nil, fmt.Errorf("durable: %w", err)
		}
	}
	return t.sql, nil
}

// PgxTx is [Tx] for receivers that use pgx. It needs PostgreSQL.
func PgxTx(ctx context.Context) (pgx.Tx, error) {
	t, err := transactionFrom(ctx, "durable.PgxTx")
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return nil, errEnded
	case t.q.txPool == nil:
		return nil, anymail.Misconfigured("durable.PgxTx", "needs PostgreSQL")
	case t.sql != nil:
		return nil, anymail.Misconfigured("durable.PgxTx", "the job's transaction is already a sql.Tx")
	case t.pgx == nil:
		if t.pgx, err = t.q.txPool.Begin(ctx); err != nil {
			return nil, fmt.Errorf("durable: %w", err)
		}
	}
	return t.pgx, nil
}

// transaction is the transaction of one job, if its receiver asks for it.
type transaction struct {
	q        *Queue
	progress progress // is stored with the receiver's writes
	mu       sync.Mutex
	ended    bool
	sql      *sql.Tx
	pgx      pgx.Tx
}

// begun reports whether the receiver asked for the transaction.
func (t *transaction) begun() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sql != nil || t.pgx != nil
}

type transactionKey struct{}

var errEnded = errors.New("durable: the job's transaction has ended")

// transactionFrom returns the transaction in a receiver's context, for the
// exported function of that name.
func transactionFrom(ctx context.Context, function string) (*transaction, error) {
	t, ok := ctx.Value(transactionKey{}).(*transaction)
	if !ok {
		return nil, anymail.Misconfigured(function, "ctx must be the context of a receiver called by a Queue")
	}
	return t, nil
}

// commit stores in the transaction, if there is one, that the event is done, and
// commits it.
func (t *transaction) commit(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	var in statements
	var commit func() error
	switch {
	case t.sql != nil:
		in, commit = sqlStatements{t.sql, t.q.prepared}, t.sql.Commit
	case t.pgx != nil:
		in, commit = pgxStatements{t.pgx}, func() error { return t.pgx.Commit(ctx) }
	default:
		return nil
	}
	list := []progress{t.progress}
	complete, err := t.q.record(ctx, in, list)
	switch {
	case err != nil:
		return fmt.Errorf("durable: completion: %w", err)
	case !complete || !list[0].valid:
		return errSuperseded
	}
	if err := commit(); err != nil {
		return fmt.Errorf("durable: commit: %w", err)
	}
	return nil
}

// errSuperseded means that the worker was presumed dead, and that the job's next
// attempt has begun or has done the work, which must not be done twice.
var errSuperseded = errors.New("durable: another worker has the job")

// rollback rolls back, unless the transaction was committed.
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
