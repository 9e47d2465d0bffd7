package durable_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func keysOf(jobs []durable.Job) []string {
	var keys []string
	for _, job := range jobs {
		keys = append(keys, job.Receiver+"/"+job.Key)
	}
	return keys
}

func TestDeadLetters(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		var mu sync.Mutex
		broken := true
		receive := func(context.Context, *anymail.TrackingEvent) error {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return errors.New("broken")
			}
			return nil
		}
		connect(t, &signals, "crm", receive)
		connect(t, &signals, "Other One", receive)
		q := db.open(t, &signals, durable.WithMaxAttempts(2), durable.WithBackoff(soon))
		start(t, q)
		for _, ev := range events("e", 3) { // one by one, to fix their order
			require.NoError(t, q.Enqueue(ctx, []anymail.Event{ev}))
		}
		settle(t, q)

		all, err := q.List(ctx, durable.Filter{})
		require.NoError(t, err)
		require.Len(t, all, 6)
		for _, job := range all {
			require.Equal(t, durable.Dead, job.State)
			require.Equal(t, 2, job.Attempts)
			require.Len(t, job.Errors, 2)
			require.False(t, job.EndedAt.IsZero())
		}
		crm, err := q.List(ctx, durable.Filter{Receiver: "crm", Limit: 2})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff([]string{"crm/e0", "crm/e1"}, keysOf(crm)))
		rest, err := q.List(ctx, durable.Filter{Receiver: "crm", Limit: 2, After: crm[1].ID})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff([]string{"crm/e2"}, keysOf(rest)))

		job, ev, err := q.Get(ctx, crm[0].ID)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(crm[0], job))
		require.Empty(t, diff(anymail.Event(event("e0")), ev))

		require.NoError(t, q.Retry(ctx, crm[0].ID), "one more attempt")
		settle(t, q)
		job, _, err = q.Get(ctx, crm[0].ID)
		require.NoError(t, err)
		require.Equal(t, durable.Dead, job.State)
		require.Equal(t, 3, job.Attempts)

		require.NoError(t, q.Delete(ctx, crm[1].ID))
		mu.Lock()
		broken = false
		mu.Unlock()
		n, err := q.RetryAll(ctx, durable.Filter{Receiver: "crm"})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		settle(t, q)
		done, err := q.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff([]string{"crm/e0", "crm/e2"}, keysOf(done)))
		stats, err := q.Stats(ctx)
		require.NoError(t, err)
		require.Equal(t, durable.Stats{Dead: 3}, stats)
		byReceiver, err := q.StatsByReceiver(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]durable.Stats{"crm": {}, "Other One": {Dead: 3}}, byReceiver)

		for _, id := range []int64{done[0].ID, crm[1].ID, 1 << 40} {
			require.ErrorIs(t, q.Retry(ctx, id), durable.ErrNotFound)
		}
		require.ErrorIs(t, q.Delete(ctx, crm[1].ID), durable.ErrNotFound)
		_, _, err = q.Get(ctx, crm[1].ID)
		require.ErrorIs(t, err, durable.ErrNotFound)
		_, err = q.List(ctx, durable.Filter{State: "odd"})
		require.ErrorIs(t, err, anymail.ErrConfig)
		_, err = q.RetryAll(ctx, durable.Filter{State: durable.Done})
		require.ErrorIs(t, err, anymail.ErrConfig)
	})
}

// River's own tools delete jobs without what belongs to them.
func TestJobsDeletedByOthers(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		connect(t, &signals, "crm", new(counter).receive)
		q := db.open(t, &signals)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 3)))
		_, err := q.DB().ExecContext(t.Context(), "DELETE FROM river_job")
		require.NoError(t, err)
		require.NoError(t, q.Sweep(t.Context()))
		for _, table := range []string{"anymail_job", "anymail_batch", "anymail_key"} {
			var rows int
			require.NoError(t, q.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows))
			require.Zero(t, rows, table)
		}
	})
}

// A worker may complete a job at the moment when another process retries it.
func TestRetryDoesNotReviveCompletedJob(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		connect(t, &signals, "crm", new(counter).receive)
		q, other := db.open(t, &signals), db.open(t, &signals)
		require.NoError(t, q.Enqueue(ctx, events("e", 1)))
		pending, err := q.List(ctx, durable.Filter{State: durable.Pending})
		require.NoError(t, err)
		require.Len(t, pending, 1)
		stats, err := q.StatsByReceiver(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]durable.Stats{"crm": {Pending: 1, Arrived: pending[0].EnqueuedAt}}, stats)

		tx, err := other.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, "UPDATE river_job SET state = 'completed', finalized_at = created_at WHERE id = $1", pending[0].ID)
		require.NoError(t, err)
		retried := make(chan error, 1)
		go func() { retried <- q.Retry(ctx, pending[0].ID) }()
		if db.kind == "postgres" {
			eventually(t, func() bool {
				var waiting int
				err := other.DB().QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = current_setting('application_name')").Scan(&waiting)
				return err == nil && waiting > 0
			}, "Retry does not wait for the worker")
		} else {
			time.Sleep(100 * time.Millisecond) // the wait is not observable
		}
		require.NoError(t, tx.Commit())
		require.ErrorIs(t, next(t, retried, "Retry does not return"), durable.ErrNotFound)
		job, _, err := q.Get(ctx, pending[0].ID)
		require.NoError(t, err)
		require.Equal(t, durable.Done, job.State)
	})
}
