package durable

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
)

// sweep is the job that removes jobs after their retention. River's leader makes
// one every minute, for all processes together.
type sweep struct{}

const (
	sweepQueue    = "anymail"
	sweepInterval = time.Minute
	sweepPage     = "100" // jobs in a transaction, so that it does not delay others
)

// Kind implements [river.JobArgs].
func (sweep) Kind() string { return "anymail_sweep" }

func newSweep() (river.JobArgs, *river.InsertOpts) {
	return sweep{}, &river.InsertOpts{Queue: sweepQueue, MaxAttempts: 1}
}

// sweep removes jobs after their retention, and what belongs to jobs that River's own
// tools have deleted.
func (q *Queue) sweep(ctx context.Context) error {
	completed := "DELETE FROM river_job WHERE id IN (SELECT id FROM river_job WHERE state = 'completed' AND finalized_at < " + q.dialect.ago +
		" AND kind LIKE 'anymail%' LIMIT " + sweepPage + ") RETURNING id"
	dead := strings.Replace(completed, "= 'completed'", "IN ('cancelled', 'discarded')", 1)
	deleted := "SELECT job_id FROM anymail_job WHERE open <> 0 AND NOT EXISTS (SELECT 1 FROM river_job WHERE id = job_id) LIMIT " + sweepPage
	err := q.forgetAll(ctx, completed, q.settings.retention.Seconds())
	if err == nil && q.settings.deadRetention > 0 {
		err = q.forgetAll(ctx, dead, q.settings.deadRetention.Seconds())
	}
	if err == nil {
		err = q.forgetAll(ctx, deleted)
	}
	if err != nil {
		return fmt.Errorf("durable: sweep: %w", err)
	}
	return nil
}

// forgetAll removes what belongs to the jobs that a statement returns, until it
// returns no more.
func (q *Queue) forgetAll(ctx context.Context, statement string, args ...any) error {
	for more := true; more; {
		err := q.transact(ctx, func(s session) error {
			jobs, err := collect(ctx, s, scanID, statement, args...)
			if more = len(jobs) > 0; err != nil || !more {
				return err
			}
			return q.forget(ctx, s, jobs)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forget removes what belongs to jobs that were removed: their keys, and the
// batches that no other job needs.
func (q *Queue) forget(ctx context.Context, s session, jobs []int64) error {
	var batches []int64
	var keys [][]any
	err := q.queryRows(ctx, s, func(scan func(...any) error) error {
		var batch int64
		var hashes []byte
		err := scan(&batch, &hashes)
		batches = append(batches, batch)
		for ; len(hashes) >= hashSize; hashes = hashes[hashSize:] {
			keys = append(keys, []any{hashes[:hashSize]})
		}
		return err
	}, q.queries.forget, ids(jobs))
	if err != nil {
		return err
	}
	if _, err := q.execRows(ctx, s, q.queries.forgetKeys, keys); err != nil {
		return err
	}
	return q.removeBatches(ctx, s, batches)
}

// removeBatches removes the batches that no job needs any more. With the lock, of
// two transactions that end the last two jobs of a batch, the second removes it.
func (q *Queue) removeBatches(ctx context.Context, s statements, batches []int64) error {
	rows := ids(batches)
	if q.dialect.lock != "" {
		if _, err := q.execRows(ctx, s, q.queries.lockBatches, rows); err != nil {
			return err
		}
	}
	_, err := q.execRows(ctx, s, q.queries.removeBatches, rows)
	return err
}
