package durable_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
		for _, ev := range events("e", 3) { // one by one, for their order
			require.NoError(t, q.Enqueue(ctx, []anymail.Event{ev}))
		}
		settled(t, q)

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
		settled(t, q)
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
		settled(t, q)
		done, err := q.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Empty(t, cmp.Diff([]string{"crm/e0", "crm/e2"}, keysOf(done)))
		stats, err := q.Stats(ctx)
		require.NoError(t, err)
		require.Equal(t, durable.Stats{Dead: 3}, stats)

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

// A worker may be done with a job just when somebody retries it.
func TestRetryDoesNotReviveWhatWasDoneMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		connect(t, &signals, "crm", new(counter).receive)
		q, other := db.open(t, &signals), db.open(t, &signals)
		require.NoError(t, q.Enqueue(ctx, events("e", 1)))
		pending, err := q.List(ctx, durable.Filter{State: durable.Pending})
		require.NoError(t, err)
		require.Len(t, pending, 1)

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
			}, "it does not wait for the worker")
		} else {
			time.Sleep(100 * time.Millisecond) // its wait cannot be seen
		}
		require.NoError(t, tx.Commit())
		require.ErrorIs(t, next(t, retried, "it waits for ever"), durable.ErrNotFound)
		job, _, err := q.Get(ctx, pending[0].ID)
		require.NoError(t, err)
		require.Equal(t, durable.Done, job.State)
	})
}

func TestLargeContentIsKeptOnceAndRemovedWhenAllIsDone(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		var calls counter
		count := func(_ context.Context, ev *anymail.InboundEvent) error { calls.add(ev.Key); return nil }
		for _, name := range []string{"one", "two"} {
			require.NoError(t, signals.Inbound.Connect(name, count))
		}
		require.NoError(t, signals.Inbound.Connect("broken", func(context.Context, *anymail.InboundEvent) error { return errors.New("broken") }))
		q := db.open(t, &signals, durable.WithInlineLimit(1000), durable.WithMaxAttempts(1))
		contents := func() (n int) {
			require.NoError(t, q.DB().QueryRowContext(ctx, "SELECT count(*) FROM anymail_content").Scan(&n))
			return n
		}
		jobBytes := func() (n int) {
			length := "max(length(args))"
			if db.kind == "postgres" {
				length = "max(length(args::text))"
			}
			require.NoError(t, q.DB().QueryRowContext(ctx, "SELECT "+length+" FROM river_job").Scan(&n))
			return n
		}
		large := &anymail.InboundEvent{Common: anymail.Common{ESP: "example", Key: "large"}, Message: anymail.InboundMessage{Text: strings.Repeat("text ", 10_000)}}
		for range 3 { // redeliveries add nothing
			require.NoError(t, q.Enqueue(ctx, []anymail.Event{large, large}))
		}
		require.Equal(t, 1, contents())
		require.Less(t, jobBytes(), 1000)
		require.NoError(t, q.Sweep(ctx))
		require.Equal(t, 1, contents(), "jobs wait")

		start(t, q)
		settled(t, q)
		require.Empty(t, cmp.Diff(map[string]int{"large": 2}, calls.all()))
		require.NoError(t, q.Sweep(ctx))
		require.Equal(t, 1, contents(), "a dead letter needs it")
		dead, err := q.List(ctx, durable.Filter{})
		require.NoError(t, err)
		require.Len(t, dead, 1)
		_, ev, err := q.Get(ctx, dead[0].ID)
		require.NoError(t, err)
		require.Empty(t, diff(anymail.Event(large), ev))

		require.NoError(t, q.Delete(ctx, dead[0].ID))
		require.NoError(t, q.Sweep(ctx))
		require.Zero(t, contents())
		done, err := q.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Len(t, done, 2)
		_, ev, err = q.Get(ctx, done[0].ID)
		require.NoError(t, err)
		require.Nil(t, ev)
	})
}

func TestWhatIsDoneIsForgottenAfterItsRetention(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
			calls.add(ev.Key)
			if ev.Key == "dead0" {
				return durable.Permanent(errors.New("never"))
			}
			return nil
		})
		q := db.open(t, &signals, durable.WithRetention(time.Hour))
		both := append(events("done", 1), events("dead", 1)...)
		start(t, q)
		require.NoError(t, q.Enqueue(ctx, both))
		settled(t, q)
		past := "now() - interval '59 minutes'"
		if db.kind == "sqlite" {
			past = "strftime('%Y-%m-%d %H:%M:%f', 'now', '-59 minutes')"
		}
		_, err := q.DB().ExecContext(ctx, "UPDATE river_job SET finalized_at = "+past+" WHERE finalized_at IS NOT NULL")
		require.NoError(t, err)
		require.NoError(t, q.Enqueue(ctx, both))
		settled(t, q)
		require.Empty(t, cmp.Diff(map[string]int{"done0": 1, "dead0": 1}, calls.all()), "remembered")

		_, err = q.DB().ExecContext(ctx, "UPDATE river_job SET finalized_at = "+strings.Replace(past, "59", "61", 1)+" WHERE finalized_at IS NOT NULL")
		require.NoError(t, err)
		restart(t, q)
		eventually(t, func() bool {
			done, err := q.List(ctx, durable.Filter{State: durable.Done})
			return err == nil && len(done) == 0
		}, "it is not removed")
		require.NoError(t, q.Enqueue(ctx, both))
		settled(t, q)
		require.Empty(t, cmp.Diff(map[string]int{"done0": 2, "dead0": 1}, calls.all()), "dead letters stay")
	})
}

func TestJobsWaitForTheirReceiver(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var web, worker anymail.Signals
		connect(t, &web, "crm", func(context.Context, *anymail.TrackingEvent) error { return errors.New("not in this process") })
		var calls counter
		front := db.open(t, &web)
		back := db.open(t, &worker)
		connect(t, &worker, "other", calls.receive)
		start(t, back)
		require.NoError(t, front.Enqueue(ctx, events("a", 3)))

		connect(t, &worker, "crm", calls.receive) // while it runs
		settled(t, front)
		require.Empty(t, cmp.Diff(once("a", 3), calls.all()))

		require.True(t, worker.Tracking.Disconnect("crm"))
		require.NoError(t, front.Enqueue(ctx, events("b", 3)))
		connect(t, &worker, "crm", calls.receive)
		settled(t, front)
		want := once("a", 3)
		for key := range once("b", 3) {
			want[key] = 1
		}
		require.Empty(t, cmp.Diff(want, calls.all()))
		done, err := front.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		for _, job := range done {
			require.Equal(t, 1, job.Attempts, "no attempt is burnt")
		}
	})
}

func TestStop(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		var calls counter
		begun := make(chan struct{}, 10)
		release := make(chan struct{})
		connect(t, &signals, "crm", func(ctx context.Context, ev *anymail.TrackingEvent) error {
			begun <- struct{}{}
			select {
			case <-release:
				calls.add(ev.Key)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		q := db.open(t, &signals)
		start(t, q)
		require.ErrorIs(t, q.Start(ctx), anymail.ErrConfig)
		require.NoError(t, q.Enqueue(ctx, events("hurry", 1)))
		<-begun
		now, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, q.Stop(now), context.Canceled)
		require.NoError(t, q.Stop(ctx), "it is stopped")
		require.Empty(t, calls.all())

		require.NoError(t, q.Enqueue(ctx, events("more", 1)), "it still takes events")
		start(t, q)
		<-begun
		<-begun
		stopped := make(chan error)
		go func() { stopped <- q.Stop(ctx) }()
		close(release)
		require.NoError(t, <-stopped)
		require.Empty(t, cmp.Diff(map[string]int{"hurry0": 1, "more0": 1}, calls.all()), "Stop waits")
		done, err := q.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		for _, job := range done {
			require.Equal(t, 1, job.Attempts, "being stopped is no attempt")
		}

		require.NoError(t, q.Close())
		require.NoError(t, q.Close())
		require.ErrorIs(t, q.Enqueue(ctx, events("late", 1)), anymail.ErrUnavailable)
		require.ErrorIs(t, q.Start(ctx), anymail.ErrUnavailable)
	})
}

func TestSeveralProcessesOpenANewDatabaseAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				q, err := db.tryOpen(context.Background(), new(anymail.Signals))
				if err != nil {
					t.Error(err)
					return
				}
				_ = q.Close()
			})
		}
		wg.Wait()
	})
}

func TestHooks(t *testing.T) {
	t.Parallel()
	var signals anymail.Signals
	var calls counter
	connect(t, &signals, "crm", calls.receive)
	seen := make(chan string, 10)
	hooks := func(name string) anymail.Hooks {
		return anymail.Hooks{Receiver: func(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
			seen <- name + " begins " + receiver
			return ctx, func(err error) {
				seen <- fmt.Sprint(name, " ends ", err)
				panic("a hook only observes")
			}
		}}
	}
	q := database{kind: "sqlite", dsn: ":memory:"}.open(t, &signals, durable.WithHooks(hooks("outer")), durable.WithHooks(anymail.Hooks{}), durable.WithHooks(hooks("inner")),
		durable.WithHooks(anymail.Hooks{Receiver: func(context.Context, string, anymail.Event) (context.Context, func(error)) {
			panic("nor does it begin")
		}}))
	start(t, q)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 1)))
	settled(t, q)
	var got []string
	for range 4 {
		got = append(got, <-seen)
	}
	require.Empty(t, cmp.Diff([]string{"outer begins crm", "inner begins crm", "inner ends <nil>", "outer ends <nil>"}, got))
	require.Empty(t, cmp.Diff(once("e", 1), calls.all()))
}

func TestConfigurationErrors(t *testing.T) {
	for name, option := range map[string]durable.Option{
		"workers":               durable.WithWorkers(0),
		"attempts":              durable.WithMaxAttempts(0),
		"backoff":               durable.WithBackoff(nil),
		"timeout":               durable.WithTimeout(0),
		"retention":             durable.WithRetention(-1),
		"dead letter retention": durable.WithDeadLetterRetention(0),
		"max pending":           durable.WithMaxPending(0),
		"inline limit":          durable.WithInlineLimit(-1),
		"polling":               durable.WithPolling(time.Second, time.Millisecond),
		"logger":                durable.WithLogger(nil),
	} {
		_, err := durable.OpenSQLite(t.Context(), ":memory:", new(anymail.Signals), option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		_, err = durable.OpenPostgres(t.Context(), "postgres://db.example.com/x", new(anymail.Signals), option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
	_, err := durable.OpenPostgres(t.Context(), "postgres://user:s3cret-passw0rd@db.example.com:bad/x", new(anymail.Signals))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
	_, err = durable.OpenSQLite(t.Context(), t.TempDir(), new(anymail.Signals))
	require.Error(t, err)
}

func TestBackoffGrowsAndNeverOverflows(t *testing.T) {
	for failures, seconds := range map[int]float64{-1: 1, 0: 1, 1: 1, 2: 16, 3: 81, 14: 38416, 1000: 6_250_000} {
		wait := durable.Backoff(failures).Seconds()
		require.GreaterOrEqual(t, wait, 0.9*seconds)
		require.LessOrEqual(t, wait, 1.1*seconds)
	}
}
