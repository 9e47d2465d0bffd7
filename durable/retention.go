package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// sweep is the job that removes jobs after their retention. River's leader makes
// one every minute, for all processes together.
type sweep struct{}

const (
	sweepQueue    = "anymail"
	sweepInterval = time.Minute
	sweepPage     = 100 // jobs in a transaction, so that it does not delay others
)

// Kind implements [river.JobArgs].
func (sweep) Kind() string { return "anymail_sweep" }

func newSweep() (river.JobArgs, *river.InsertOpts) {
	return sweep{}, &river.InsertOpts{Queue: sweepQueue, MaxAttempts: 1}
}

func (q *Queue) sweep(ctx context.Context) error {
	for states, retention := range map[string]time.Duration{
		"('completed')":              q.settings.retention,
		"('cancelled', 'discarded')": q.settings.deadRetention,
	} {
		for removed := sweepPage; retention > 0 && removed == sweepPage; {
			err := q.transact(ctx, func(s session) error {
				jobs, err := collect(ctx, s, scanID, "DELETE FROM river_job WHERE id IN (SELECT id FROM river_job WHERE state IN "+states+
					" AND finalized_at < "+q.dialect.ago+" AND kind LIKE 'anymail%'"+fmt.Sprintf(" LIMIT %d) RETURNING id", sweepPage), retention.Seconds())
				removed = len(jobs)
				if err != nil {
					return err
				}
				return q.forget(ctx, s, jobs)
			})
			if err != nil {
				return fmt.Errorf("durable: sweep: %w", err)
			}
		}
	}
	return nil
}

// forget removes what belongs to jobs that were removed: their keys, and the
// batches that no other job needs.
func (q *Queue) forget(ctx context.Context, s session, jobs []int64) error {
	var batches []int64
	var keys [][]any
	err := s.query(ctx, func(scan func(...any) error) error {
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
	if _, err := s.exec(ctx, q.queries.forgetKeys, rows(keys)); err != nil {
		return err
	}
	return q.removeBatches(ctx, s, batches)
}

// removeBatches removes the batches that no job needs any more. With the lock, of
// two transactions that end the last two jobs of a batch, the second removes it.
func (q *Queue) removeBatches(ctx context.Context, s statements, batches []int64) error {
	if len(batches) == 0 {
		return nil
	}
	encoded := ids(batches)
	if q.dialect.lock != "" {
		if _, err := s.exec(ctx, q.queries.lockBatches, encoded); err != nil {
			return err
		}
	}
	_, err := s.exec(ctx, q.queries.removeBatches, encoded)
	return err
}
