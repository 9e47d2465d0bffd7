package durable_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// With one more option the receiver runs after the answer. The rest of the
// program stays the same.
func TestDispatcherOption(t *testing.T) {
	var observed counter // runs of the receiver, by the hook
	program := func(t *testing.T, receive func(context.Context, *anymail.TrackingEvent) error, options ...anymail.Option) (*anymail.Dispatcher, string) {
		t.Helper()
		d, err := anymail.New(append(options, anymail.WithSharedSecret(secret), anymail.WithLogger(slog.New(slog.DiscardHandler)),
			anymail.WithHooks(anymail.Hooks{Receiver: func(ctx context.Context, _ string, _ anymail.Event) (context.Context, func(error)) {
				observed.add(t.Name())
				return ctx, nil
			}}))...)
		require.NoError(t, err)
		require.NoError(t, d.Register("example", adapter{}))
		connect(t, &d.Signals, "crm", receive)
		server := httptest.NewServer(d)
		t.Cleanup(server.Close)
		return d, server.URL
	}

	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		var calls counter
		d, url := program(t, calls.receive)
		require.Equal(t, http.StatusOK, post(url, "e0"))
		require.Empty(t, cmp.Diff(once("e", 1), calls.all()))
		require.Equal(t, 1, observed.all()[t.Name()])
		require.Nil(t, durable.Of(d))
		require.NoError(t, d.Shutdown(t.Context()))
		require.Equal(t, http.StatusServiceUnavailable, post(url, "late"))
	})
	onEach(t, func(t *testing.T, db database) {
		option := durable.SQLite
		if db.kind == "postgres" {
			option = durable.Postgres
		}
		opening, opened := context.WithCancel(t.Context())
		begun, release := make(chan struct{}, 2), make(chan struct{})
		var calls counter
		d, url := program(t, func(ctx context.Context, ev *anymail.TrackingEvent) error {
			begun <- struct{}{}
			<-release
			return errors.Join(ctx.Err(), calls.receive(ctx, ev))
		}, option(opening, db.dsn))
		opened() // the workers continue
		require.Equal(t, http.StatusOK, post(url, "e0"))
		next(t, begun, "the receiver does not run")
		require.Empty(t, calls.all(), "the answer does not wait for the receiver")

		stopped := make(chan error, 1)
		go func() { stopped <- d.Shutdown(t.Context()) }()
		eventually(t, func() bool { return post(url, "late") == http.StatusServiceUnavailable }, "the Dispatcher does not stop")
		close(release)
		require.NoError(t, next(t, stopped, "Shutdown does not return"))
		require.Equal(t, 1, calls.all()["e0"], "Shutdown waits for the receiver")
		require.Positive(t, observed.all()[t.Name()])
		require.ErrorIs(t, durable.Of(d).Enqueue(t.Context(), events("late", 1)), anymail.ErrUnavailable, "the queue is closed")
		require.NoError(t, d.Shutdown(t.Context()), "a second call does nothing")

		q := db.open(t, new(anymail.Signals))
		stats, err := q.Stats(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats.Running)
		done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Contains(t, keysOf(done), "crm/e0")
	})
}

func TestEachReceiverGetsEachEventOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var all, bounces counter
		connect(t, &signals, "all", all.receive)
		require.NoError(t, signals.Tracking.Connect("Bounces only!", bounces.receive, anymail.ForTypes(anymail.EventBounced)))
		q := db.open(t, &signals)

		batch := events("e", 20)
		bounced := event("b")
		bounced.Type = anymail.EventBounced
		batch = append(batch, bounced, batch[3], bounced) // an ESP may send an event twice in one request
		require.NoError(t, q.Enqueue(t.Context(), batch))
		require.NoError(t, q.Enqueue(t.Context(), batch), "a redelivery")

		start(t, q)
		settle(t, q)
		require.NoError(t, q.Enqueue(t.Context(), batch), "a redelivery of completed events")
		settle(t, q)

		want := once("e", 20)
		want["b"] = 1
		require.Empty(t, cmp.Diff(want, all.all()))
		require.Empty(t, cmp.Diff(map[string]int{"b": 1}, bounces.all()))
	})
}

// A redelivery reaches the receivers that were connected since, and no other.
func TestRedeliveryReachesNewReceiver(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var first, second counter
		connect(t, &signals, "first", first.receive)
		q := db.open(t, &signals)
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 70))) // more than share a row
		connect(t, &signals, "second", second.receive)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 100)))
		settle(t, q)
		require.Empty(t, cmp.Diff(once("e", 100), first.all()))
		require.Empty(t, cmp.Diff(once("e", 100), second.all()))
	})
}

func TestEventsAreUnchanged(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		gotTracking := make(chan *anymail.TrackingEvent, 10)
		gotInbound := make(chan *anymail.InboundEvent, 10)
		connect(t, &signals, "tracking", func(_ context.Context, ev *anymail.TrackingEvent) error { gotTracking <- ev; return nil })
		require.NoError(t, signals.Inbound.Connect("inbound", func(_ context.Context, ev *anymail.InboundEvent) error { gotInbound <- ev; return nil }))
		q := db.open(t, &signals)
		start(t, q)

		// Values that jsonb refuses or rewrites: NUL, invalid UTF-8, a lone surrogate
		// in the ESP's own escapes, repeated keys, large numbers.
		tracking := event("key with \x00 and \xff")
		tracking.Raw = anymail.Raw("{\"a\":\"\\u0000\\ud800\",\"a\":12345678901234567890123,\"z\":1e2}\xff\x00")
		tracking.Description = "nul \x00 in the middle"
		require.NoError(t, q.Enqueue(t.Context(), []anymail.Event{tracking}))
		require.Empty(t, cmp.Diff(tracking.Raw, (<-gotTracking).Raw))

		for _, size := range []int{10, 40_000} { // in the job, and in a row of its own
			inbound := &anymail.InboundEvent{
				Common: anymail.Common{ESP: "example", Type: anymail.EventInbound, Key: strings.Repeat("k", size%97)},
				Message: anymail.InboundMessage{
					Subject:     "Holiday \x00 pictures",
					Headers:     anymail.Headers{{Name: "X-One", Value: "1"}, {Name: "X-One", Value: "2"}},
					Attachments: []anymail.Attachment{{Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: int64(size), Content: []byte(strings.Repeat("\x00\xfe", size/2))}},
				},
			}
			require.NoError(t, q.Enqueue(t.Context(), []anymail.Event{inbound}))
			require.Empty(t, diff(inbound, <-gotInbound))
		}
		settle(t, q)
	})
}

func TestOnlyFailedReceiverIsRetried(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var good, bad counter
		connect(t, &signals, "good", good.receive)
		connect(t, &signals, "bad", func(_ context.Context, ev *anymail.TrackingEvent) error {
			if bad.add(ev.Key) < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		q := db.open(t, &signals, durable.WithBackoff(soon))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 2)))
		settle(t, q)
		require.Empty(t, cmp.Diff(once("e", 2), good.all()))
		require.Empty(t, cmp.Diff(map[string]int{"e0": 3, "e1": 3}, bad.all()))
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
		settle(t, front)
		require.Empty(t, cmp.Diff(once("a", 3), calls.all()))

		require.True(t, worker.Tracking.Disconnect("crm"))
		require.NoError(t, front.Enqueue(ctx, events("b", 3)))
		connect(t, &worker, "crm", calls.receive)
		settle(t, front)
		want := once("a", 3)
		for key := range once("b", 3) {
			want[key] = 1
		}
		require.Empty(t, cmp.Diff(want, calls.all()))
		done, err := front.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		for _, job := range done {
			require.Equal(t, 1, job.Attempts, "no attempt is wasted")
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
		require.NoError(t, q.Stop(ctx), "the queue is stopped")
		require.Empty(t, calls.all())

		require.NoError(t, q.Enqueue(ctx, events("more", 1)), "a stopped queue accepts events")
		start(t, q)
		<-begun
		<-begun
		stopped := make(chan error)
		go func() { stopped <- q.Stop(ctx) }()
		close(release)
		require.NoError(t, <-stopped)
		require.Empty(t, cmp.Diff(map[string]int{"hurry0": 1, "more0": 1}, calls.all()), "Stop waits for receivers")
		done, err := q.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		for _, job := range done {
			require.Equal(t, 1, job.Attempts, "being stopped does not count as an attempt")
		}

		require.NoError(t, q.Close())
		require.NoError(t, q.Close())
		require.ErrorIs(t, q.Enqueue(ctx, events("late", 1)), anymail.ErrUnavailable)
		require.ErrorIs(t, q.Start(ctx), anymail.ErrUnavailable)
	})
}

func TestShutdownCancelsHangingReceiver(t *testing.T) {
	t.Parallel()
	d, err := anymail.New(durable.SQLite(t.Context(), ":memory:", quiet))
	require.NoError(t, err)
	begun := make(chan struct{}, 10)
	connect(t, &d.Signals, "crm", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	require.NoError(t, durable.Of(d).Enqueue(t.Context(), events("e", 1)))
	next(t, begun, "the receiver does not run")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, d.Shutdown(ctx), context.DeadlineExceeded)
	require.ErrorIs(t, durable.Of(d).Enqueue(t.Context(), events("late", 1)), anymail.ErrUnavailable, "the queue is closed")
}

// The receiver ignores its context and holds a transaction.
func TestShutdownAbandonsReceiverThatIgnoresContext(t *testing.T) {
	t.Parallel()
	db := onPostgres(t)
	d, err := anymail.New(durable.Postgres(t.Context(), db.dsn, quiet))
	require.NoError(t, err)
	begun, release := make(chan error, 10), make(chan struct{})
	connect(t, &d.Signals, "crm", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		_, err := durable.PgxTx(ctx)
		begun <- err
		<-release
		return nil
	})
	require.NoError(t, durable.Of(d).Enqueue(t.Context(), events("e", 1)))
	require.NoError(t, next(t, begun, "the receiver does not run"))
	now, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- d.Shutdown(now) }()
	require.ErrorContains(t, next(t, stopped, "Shutdown does not return"), "did not end")
	close(release)
	// Its writes are rolled back, and its job is left for the next process.
	eventually(t, func() bool { return countConnections(t, db) == 0 }, "its connection stays open")
	jobs, err := db.open(t, new(anymail.Signals)).List(t.Context(), durable.Filter{State: durable.Running})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
}

// countConnections counts the connections to a test's own schema.
func countConnections(t *testing.T, db database) (n int) {
	t.Helper()
	server, err := sql.Open("pgx", os.Getenv(postgresEnv))
	require.NoError(t, err)
	defer server.Close()
	u, err := url.Parse(db.dsn)
	require.NoError(t, err)
	require.NoError(t, server.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", u.Query().Get("application_name")).Scan(&n))
	return n
}

func TestNewReturnsOpenErrors(t *testing.T) {
	t.Parallel()
	_, err := anymail.New(durable.SQLite(t.Context(), t.TempDir()))
	require.ErrorContains(t, err, "durable: sqlite")
	_, err = anymail.New(durable.Postgres(t.Context(), "postgres://127.0.0.1:1/none?connect_timeout=5"))
	require.ErrorContains(t, err, "durable: postgres")
	_, err = anymail.New(durable.SQLite(t.Context(), ":memory:", durable.WithWorkers(0)))
	require.ErrorIs(t, err, anymail.ErrConfig)
}

func TestConcurrentMigrations(t *testing.T) {
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
