package durable_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// One option more, and the receiver runs after the answer; everything else of
// the program is the same.
func TestAnOptionOfNewMakesADispatcherDurable(t *testing.T) {
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
		opened() // the workers go on
		require.Equal(t, http.StatusOK, post(url, "e0"))
		next(t, begun, "the receiver does not run")
		require.Empty(t, calls.all(), "the answer does not wait for it")

		stopped := make(chan error, 1)
		go func() { stopped <- d.Shutdown(t.Context()) }()
		eventually(t, func() bool { return post(url, "late") == http.StatusServiceUnavailable }, "it does not stop")
		close(release)
		require.NoError(t, next(t, stopped, "it does not stop"))
		require.Equal(t, 1, calls.all()["e0"], "Shutdown waits for the receiver")
		require.Positive(t, observed.all()[t.Name()])
		require.ErrorIs(t, durable.Of(d).Enqueue(t.Context(), events("late", 1)), anymail.ErrUnavailable, "it is closed")
		require.NoError(t, d.Shutdown(t.Context()), "once more does nothing")

		q := db.open(t, new(anymail.Signals))
		stats, err := q.Stats(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats.Running)
		done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Contains(t, keysOf(done), "crm/e0")
	})
}

func TestAReceiverThatHangsDoesNotKeepShutdown(t *testing.T) {
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
	require.ErrorIs(t, durable.Of(d).Enqueue(t.Context(), events("late", 1)), anymail.ErrUnavailable, "it is closed")
}

// Nor does one that takes no notice of its context and holds a transaction.
func TestAReceiverThatTakesNoNoticeDoesNotKeepShutdown(t *testing.T) {
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
	require.ErrorContains(t, next(t, stopped, "Shutdown waits for ever"), "do not end")
	close(release)
	// What it wrote is gone, and its job is for the next process.
	eventually(t, func() bool { return connections(t, db) == 0 }, "its connection stays")
	jobs, err := db.open(t, new(anymail.Signals)).List(t.Context(), durable.Filter{State: durable.Running})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
}

// connections counts those to a test's own schema.
func connections(t *testing.T, db database) (n int) {
	t.Helper()
	server, err := sql.Open("pgx", os.Getenv(postgresEnv))
	require.NoError(t, err)
	defer server.Close()
	u, err := url.Parse(db.dsn)
	require.NoError(t, err)
	require.NoError(t, server.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", u.Query().Get("application_name")).Scan(&n))
	return n
}

func TestNewReturnsWhatKeepsTheQueueFromOpening(t *testing.T) {
	t.Parallel()
	_, err := anymail.New(durable.SQLite(t.Context(), t.TempDir()))
	require.ErrorContains(t, err, "durable: sqlite")
	_, err = anymail.New(durable.Postgres(t.Context(), "postgres://127.0.0.1:1/none?connect_timeout=5"))
	require.ErrorContains(t, err, "durable: postgres")
	_, err = anymail.New(durable.SQLite(t.Context(), ":memory:", durable.WithWorkers(0)))
	require.ErrorIs(t, err, anymail.ErrConfig)
}

// Connections are replaced when a query on them was cancelled.
func TestWhatIsInMemoryOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	var signals anymail.Signals
	var calls counter
	connect(t, &signals, "crm", calls.receive)
	memory := database{kind: "sqlite", dsn: ":memory:"}
	q := memory.open(t, &signals)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 3)))
	conn, err := q.DB().Conn(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, conn.Raw(func(any) error { return driver.ErrBadConn }), driver.ErrBadConn)
	_ = conn.Close()
	start(t, q)
	settled(t, q)
	require.Empty(t, cmp.Diff(once("e", 3), calls.all()))

	other := memory.open(t, &signals) // shares nothing with it
	done, err := other.List(t.Context(), durable.Filter{State: durable.Done})
	require.NoError(t, err)
	require.Empty(t, done)
}

func TestSQLiteWaitsForTheDiskUnlessItIsToldNotTo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options []durable.Option
		want    int // as PRAGMA synchronous numbers them
	}{
		{[]durable.Option{quiet}, 2},
		{[]durable.Option{quiet, durable.WithRelaxedSync()}, 1},
	} {
		q, err := durable.OpenSQLite(t.Context(), onSQLite(t).dsn, new(anymail.Signals), c.options...)
		require.NoError(t, err)
		var synchronous int
		var journal string
		require.NoError(t, q.DB().QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous))
		require.NoError(t, q.DB().QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&journal))
		require.Equal(t, c.want, synchronous)
		require.Equal(t, "wal", journal)
		require.NoError(t, q.Close())
	}
}
