package durable_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func TestKillRepeatsFewJobs(t *testing.T) {
	const jobs, killed = 400, 150
	for _, n := range []int{1, 3 * testWorkers} {
		t.Run(fmt.Sprint("max=", n), func(t *testing.T) {
			onEach(t, func(t *testing.T, db database) {
				w := newSandbox(t, db)
				w.MaxRepeats = n
				q := w.open(t)
				require.NoError(t, q.Enqueue(t.Context(), events("k", jobs)))
				_, kill := w.child(t)
				eventually(t, func() bool { calls, _ := w.calls(t); return len(calls) >= killed }, "the process does not work")
				kill()
				calls, _ := w.calls(t)
				require.Less(t, len(calls), jobs, "killed at work")

				ageDeadProcess(t, q, db.kind)
				start(t, q)
				settle(t, q)
				repeats := 0
				calls, _ = w.calls(t)
				for _, n := range calls {
					repeats += n - 1
				}
				require.Len(t, calls, jobs)
				want := max(n, testWorkers)
				t.Logf("%d repeats, at most %d", repeats, want)
				require.LessOrEqual(t, repeats, want)
			})
		})
	}
}

// Receivers return while the database is away: their workers wait, and no job runs
// again.
func TestCompletionsWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3 * testWorkers} {
		t.Run(fmt.Sprint("max=", n), func(t *testing.T) {
			t.Parallel()
			const jobs = 4 * testWorkers
			db := onPostgres(t)
			u, err := url.Parse(db.dsn)
			require.NoError(t, err)
			p := newProxy(t, u.Host)
			u.Host = p.listener.Addr().String()
			db.dsn = u.String()

			var signals anymail.Signals
			var calls counter
			begun, release := make(chan struct{}, jobs), make(chan struct{})
			connect(t, &signals, "crm", func(ctx context.Context, ev *anymail.TrackingEvent) error {
				begun <- struct{}{}
				<-release
				return calls.receive(ctx, ev)
			})
			q := db.open(t, &signals, durable.WithMaxRepeats(n))
			require.NoError(t, q.Enqueue(t.Context(), events("e", jobs)))
			start(t, q)
			for range testWorkers {
				next(t, begun, "receivers do not begin")
			}
			p.set(true)
			close(release)
			eventually(t, func() bool { return len(calls.all()) >= testWorkers }, "receivers do not end")
			p.set(false)
			settle(t, q)
			require.Empty(t, cmp.Diff(once("e", jobs), calls.all()))
		})
	}
}

func TestStopStoresCompletions(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		const jobs = 50
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "crm", calls.receive)
		q := db.open(t, &signals, durable.WithMaxRepeats(jobs))
		require.NoError(t, q.Enqueue(t.Context(), events("e", jobs)))
		start(t, q)
		eventually(t, func() bool { return len(calls.all()) == jobs }, "receivers are not called")
		require.NoError(t, q.Stop(t.Context()))
		done, err := q.List(t.Context(), durable.Filter{State: durable.Done, Limit: 2 * jobs})
		require.NoError(t, err)
		stored := 0
		for _, job := range done {
			stored += job.Events
		}
		require.Equal(t, jobs, stored)
	})
}

// River must not store again what is stored. It does nothing for the error of a
// worker that has the methods of storedError, which River's documentation does not
// promise.
func TestCompletionIsStoredOnce(t *testing.T) {
	t.Parallel()
	w := newSandbox(t, onSQLite(t))
	q := w.open(t)
	_, err := q.DB().ExecContext(t.Context(), `CREATE TABLE stored (job integer);
		CREATE TRIGGER stored AFTER UPDATE ON river_job WHEN new.state = 'completed' AND new.kind = 'anymail_delivery'
		BEGIN INSERT INTO stored VALUES (new.id); END`)
	require.NoError(t, err)
	enqueueOneByOne(t, q, events("e", 5))
	start(t, q)
	settle(t, q)
	require.NoError(t, q.Stop(t.Context())) // River stores what it has
	var all, jobs int
	require.NoError(t, q.DB().QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT job) FROM stored").Scan(&all, &jobs))
	require.Equal(t, 10, jobs, "of two receivers")
	require.Equal(t, jobs, all)
}
