package durable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

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
	q     *Queue
	job   int64
	mu    sync.Mutex
	ended bool
	sql   *sql.Tx
	pgx   pgx.Tx
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
	switch {
	case t.sql != nil:
		if err := t.complete(ctx, t.q.sqlDriver.UnwrapExecutor(t.sql)); err != nil {
			return err
		}
		return t.sql.Commit()
	case t.pgx != nil:
		if err := t.complete(ctx, riverpgxv5.New(nil).UnwrapExecutor(t.pgx)); err != nil {
			return err
		}
		return t.pgx.Commit(ctx)
	}
	return nil
}

// complete does what [river.JobCompleteTx] does, which works only with the type
// of transaction that its client has. It finds no running job where the job was
// taken for dead, run again and completed meanwhile: then the work is done, and
// must not be done twice.
func (t *transaction) complete(ctx context.Context, in riverdriver.Executor) error {
	now := time.Now().UTC()
	rows, err := in.JobSetStateIfRunningMany(ctx, &riverdriver.JobSetStateIfRunningManyParams{
		ID:              []int64{t.job},
		Attempt:         []*int{nil},
		ErrData:         [][]byte{nil},
		FinalizedAt:     []*time.Time{&now},
		MetadataDoMerge: []bool{false},
		MetadataUpdates: [][]byte{nil},
		ScheduledAt:     []*time.Time{nil},
		State:           []rivertype.JobState{rivertype.JobStateCompleted},
	})
	if err == nil && len(rows) == 0 {
		err = errors.New("job is not running any more")
	}
	if err != nil {
		return fmt.Errorf("durable: completion: %w", err)
	}
	return nil
}

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
