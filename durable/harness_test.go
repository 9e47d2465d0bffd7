package durable_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

const postgresEnv = "ANYMAIL_TEST_POSTGRES"

// database is the database of a test's queue: an SQLite file, or a schema of its
// own on the PostgreSQL server that the environment names.
type database struct {
	kind   string // "sqlite" or "postgres"
	dsn    string
	synced bool // waits for the disk: only for benchmarks, because no test cuts the power
}

func (db database) open(tb testing.TB, signals *anymail.Signals, options ...durable.Option) *durable.Queue {
	tb.Helper()
	q, err := db.tryOpen(tb.Context(), signals, options...)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = q.Close() })
	return q
}

func (db database) tryOpen(ctx context.Context, signals *anymail.Signals, options ...durable.Option) (*durable.Queue, error) {
	options = append([]durable.Option{durable.WithLogger(slog.New(slog.DiscardHandler)), durable.WithTimeout(20 * time.Second), durable.Quick(21 * time.Second)}, options...)
	if !db.synced {
		// River stops trying to store completed jobs after ten seconds, and the
		// race detector makes SQLite fifty times as slow. With few workers,
		// storing is fast enough even on a busy machine.
		options = append([]durable.Option{durable.Pragma("synchronous(OFF)"), durable.WithWorkers(testWorkers), durable.WithPolling(50*time.Millisecond, time.Second)}, options...)
	}
	if db.kind == "sqlite" {
		return durable.OpenSQLite(ctx, db.dsn, signals, options...)
	}
	return durable.OpenPostgres(ctx, db.dsn, signals, options...)
}

const testWorkers = 4

func onSQLite(tb testing.TB) database {
	return database{"sqlite", filepath.Join(tb.TempDir(), "events.db"), isBenchmark(tb)}
}

func isBenchmark(tb testing.TB) bool {
	_, is := tb.(*testing.B)
	return is
}

// onPostgres makes a schema that is dropped when the test ends.
func onPostgres(tb testing.TB) database {
	tb.Helper()
	dsn := os.Getenv(postgresEnv)
	if dsn == "" {
		tb.Skipf("%s is not set: it is the URL of a PostgreSQL database in which to make schemas", postgresEnv)
	}
	server, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	schema := "anymail_" + strings.ToLower(rand.Text()[:12])
	_, err = server.ExecContext(tb.Context(), "CREATE SCHEMA "+schema)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		_, err := server.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		require.NoError(tb, err)
		require.NoError(tb, server.Close())
	})
	u, err := url.Parse(dsn)
	require.NoError(tb, err, "%s must be a URL", postgresEnv)
	query := u.Query()
	query.Set("search_path", schema)
	query.Set("application_name", schema)
	if !isBenchmark(tb) {
		query.Set("synchronous_commit", "off")
	}
	u.RawQuery = query.Encode()
	return database{"postgres", u.String(), isBenchmark(tb)}
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(*testing.T, database)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, onSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, onPostgres(t)) })
}

// diff is cmp.Diff that also compares events, whose addresses have no exported
// fields.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
}

// counter counts calls by a text.
type counter struct {
	mu    sync.Mutex
	calls map[string]int
}

func (c *counter) add(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[what]++
	return c.calls[what]
}

func (c *counter) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := map[string]int{}
	for what, n := range c.calls {
		calls[what] = n
	}
	return calls
}

// receive counts the keys of the events that a receiver is called with.
func (c *counter) receive(_ context.Context, ev *anymail.TrackingEvent) error {
	c.add(ev.Key)
	return nil
}

// events makes n delivered events whose keys begin with prefix.
func events(prefix string, n int) []anymail.Event {
	evs := make([]anymail.Event, n)
	for i := range evs {
		evs[i] = event(fmt.Sprintf("%s%d", prefix, i))
	}
	return evs
}

func event(key string) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "example", Type: anymail.EventDelivered, Key: key, Raw: anymail.Raw(`{"event":"delivered"}`)},
		Recipient: "ada@example.com",
	}
}

// enqueueOneByOne enqueues events so that each has a job of its own.
func enqueueOneByOne(tb testing.TB, q *durable.Queue, evs []anymail.Event) {
	tb.Helper()
	for _, ev := range evs {
		require.NoError(tb, q.Enqueue(tb.Context(), []anymail.Event{ev}))
	}
}

// once returns the counts after each of events(prefix, n) arrived once.
func once(prefix string, n int) map[string]int {
	want := map[string]int{}
	for i := range n {
		want[fmt.Sprintf("%s%d", prefix, i)] = 1
	}
	return want
}

// patience is how long a test waits for something that must happen. No test
// measures time.
const patience = 4 * time.Minute

func eventually(tb testing.TB, condition func() bool, what string) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal(what)
		}
	}
}

// next receives from c, and fails the test after patience.
func next[T any](tb testing.TB, c <-chan T, what string) (value T) {
	tb.Helper()
	select {
	case value = <-c:
	case <-time.After(patience):
		tb.Fatal(what)
	}
	return value
}

// restart stops the work and starts it again. At a start River looks immediately
// for jobs to remove or to rescue; otherwise it looks every half minute.
func restart(tb testing.TB, q *durable.Queue) {
	tb.Helper()
	require.NoError(tb, q.Stop(tb.Context()))
	start(tb, q)
}

// ageDeadProcess makes the jobs of a dead process, and its place as River's
// leader, old enough for another process to take over.
func ageDeadProcess(tb testing.TB, q *durable.Queue, kind string) {
	tb.Helper()
	past := "now() - interval '1 hour'"
	if kind == "sqlite" {
		past = "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour')"
	}
	for _, statement := range []string{"UPDATE river_job SET attempted_at = " + past + " WHERE state = 'running'", "DELETE FROM river_leader"} {
		_, err := q.DB().ExecContext(tb.Context(), statement)
		require.NoError(tb, err)
	}
}

// settle waits until no job is pending or running.
func settle(tb testing.TB, q *durable.Queue) {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		stats, err := q.Stats(tb.Context())
		if err == nil && stats.Pending == 0 && stats.Running == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("jobs are left: %+v, %v", stats, err)
		}
	}
}

func start(tb testing.TB, q *durable.Queue) {
	tb.Helper()
	require.NoError(tb, q.Start(context.Background()))
}

func connect(tb testing.TB, s *anymail.Signals, name string, receive func(context.Context, *anymail.TrackingEvent) error) {
	tb.Helper()
	require.NoError(tb, s.Tracking.Connect(name, receive))
}

func soon(int) time.Duration { return 10 * time.Millisecond }
