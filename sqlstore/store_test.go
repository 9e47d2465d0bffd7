package sqlstore_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/sqlstore"
)

const postgresEnv = "ANYMAIL_TEST_POSTGRES"

// database has what a child process needs to open the same store.
type database struct{ driver, dsn, table string }

// handle returns connections that end with the test.
func (db database) handle(tb testing.TB) (*sql.DB, sqlstore.Dialect) {
	tb.Helper()
	handle, err := sql.Open(db.driver, db.dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = handle.Close() })
	if db.driver == "pgx" {
		return handle, sqlstore.Postgres
	}
	return handle, sqlstore.SQLite
}

func (db database) open(tb testing.TB, options ...sqlstore.Option) (*sqlstore.Store, *sql.DB) {
	tb.Helper()
	handle, dialect := db.handle(tb)
	store, err := sqlstore.New(handle, dialect, append([]sqlstore.Option{sqlstore.WithTable(db.table)}, options...)...)
	require.NoError(tb, err)
	require.NoError(tb, store.Migrate(tb.Context()))
	return store, handle
}

func onSQLite(tb testing.TB) database {
	return database{"sqlite", "file:" + filepath.Join(tb.TempDir(), "store.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)", sqlstore.DefaultTable}
}

// onPostgres returns a database with a table name of its own. The table is
// dropped when the test ends.
func onPostgres(tb testing.TB) database {
	dsn := os.Getenv(postgresEnv)
	if dsn == "" {
		tb.Skipf("%s is not set: it is the URL of a PostgreSQL database in which to make tables", postgresEnv)
	}
	db := database{"pgx", dsn, "anymail_test_" + strings.ToLower(rand.Text()[:12])}
	tb.Cleanup(func() {
		handle, err := sql.Open(db.driver, db.dsn)
		require.NoError(tb, err)
		defer handle.Close()
		_, err = handle.ExecContext(context.Background(), "DROP TABLE IF EXISTS "+db.table)
		require.NoError(tb, err)
	})
	return db
}

func onEach(t *testing.T, test func(*testing.T, database)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, onSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, onPostgres(t)) })
}

const (
	granted = anymail.ClaimGranted
	done    = anymail.ClaimDone
	busy    = anymail.ClaimBusy
)

func TestClaims(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		s, _ := db.open(t)
		other, _ := db.open(t) // like another process
		claim := func(s *sqlstore.Store, receiver string, want []anymail.Claim, keys ...string) {
			t.Helper()
			got, err := s.Claim(ctx, receiver, keys)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, got))
		}
		claim(s, "crm", []anymail.Claim{})
		claim(s, "crm", []anymail.Claim{granted, granted, busy, granted}, "b", "a", "b", "c")
		claim(s, "crm", []anymail.Claim{busy, granted}, "a", "d")
		claim(other, "crm", []anymail.Claim{busy}, "a")
		claim(other, "billing", []anymail.Claim{granted}, "a")

		require.NoError(t, s.Finish(ctx, "crm", "a", true))
		require.NoError(t, s.Finish(ctx, "crm", "b", false))
		claim(other, "crm", []anymail.Claim{done, granted, done, busy, busy}, "a", "b", "a", "b", "c")

		require.NoError(t, s.Finish(ctx, "crm", "b", false), "s no longer owns the claim")
		claim(s, "crm", []anymail.Claim{busy}, "b")
		require.NoError(t, other.Finish(ctx, "crm", "b", true))
		claim(s, "crm", []anymail.Claim{done}, "b")
	})
}

func TestClaimsOfManyKeys(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, _ := db.open(t)
		keys := make([]string, 2500)
		want := make([]anymail.Claim, len(keys))
		for i := range keys {
			keys[i] = fmt.Sprintf("key %d", i%2400) // the last hundred are repeats
			if i >= 2400 {
				want[i] = busy
			}
		}
		got, err := s.Claim(t.Context(), "crm", keys)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(want, got))
	})
}

func TestKeysThatDatabasesRefuse(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		s, _ := db.open(t)
		keys := []string{"nul \x00", "not utf-8 \xff", strings.Repeat("long", 10_000), strings.Repeat("long", 10_001), "'; DROP TABLE", ""}
		for range 2 {
			got, err := s.Claim(t.Context(), "receiver \x00", keys)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff([]anymail.Claim{granted, granted, granted, granted, granted, granted}, got))
			for _, key := range keys {
				require.NoError(t, s.Finish(t.Context(), "receiver \x00", key, false))
			}
		}
	})
}

// expire makes every row of the table expire immediately.
func expire(t *testing.T, db database, handle *sql.DB) {
	t.Helper()
	_, err := handle.ExecContext(t.Context(), "UPDATE "+db.table+" SET expires_at = 0")
	require.NoError(t, err)
}

func TestLateFinishFreesNoOtherClaim(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		first, handle := db.open(t)
		second, _ := db.open(t)
		claim := func(s *sqlstore.Store) anymail.Claim {
			claims, err := s.Claim(ctx, "crm", []string{"a"})
			require.NoError(t, err)
			return claims[0]
		}
		for _, holder := range []*sqlstore.Store{second, first} { // in another process, and in the same one
			require.Equal(t, granted, claim(first))
			expire(t, db, handle)
			require.Equal(t, granted, claim(holder), "the lease has expired")
			require.NoError(t, first.Finish(ctx, "crm", "a", false), "late")
			require.Equal(t, busy, claim(first))
			require.NoError(t, holder.Finish(ctx, "crm", "a", false))
		}

		require.Equal(t, granted, claim(first))
		expire(t, db, handle)
		require.Equal(t, granted, claim(second))
		require.NoError(t, first.Finish(ctx, "crm", "a", true), "late, but the work is done")
		require.NoError(t, second.Finish(ctx, "crm", "a", false))
		require.Equal(t, done, claim(second))
	})
}

func TestRetention(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		s, handle := db.open(t)
		rows := func() (n int) {
			require.NoError(t, handle.QueryRowContext(ctx, "SELECT count(*) FROM "+db.table).Scan(&n))
			return n
		}
		_, err := s.Claim(ctx, "crm", []string{"done", "claimed"})
		require.NoError(t, err)
		require.NoError(t, s.Finish(ctx, "crm", "done", true))
		n, err := s.Purge(ctx, time.Hour)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = s.Purge(ctx, 0)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "a valid claim stays")

		require.NoError(t, s.Finish(ctx, "crm", "claimed", true))
		expire(t, db, handle)
		claims, err := s.Claim(ctx, "crm", []string{"claimed"})
		require.NoError(t, err)
		require.Equal(t, granted, claims[0], "forgotten")
		expire(t, db, handle)
		many := make([]string, 1000)
		for i := range many {
			many[i] = fmt.Sprint(i)
		}
		_, err = s.Claim(ctx, "crm", many)
		require.NoError(t, err)
		require.Equal(t, 1000, rows(), "the expired row is removed")
	})
}

// While the table is hidden, the database is out of reach.
func hide(t *testing.T, db database, handle *sql.DB) (show func()) {
	t.Helper()
	rename := func(from, to string) {
		t.Helper()
		_, err := handle.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
		require.NoError(t, err)
	}
	rename(db.table, db.table+"_hidden")
	return func() { t.Helper(); rename(db.table+"_hidden", db.table) }
}

// What could not be stored while the database was away is stored before the next
// Claim: completed events are not granted again, and the rest of the batch does
// not wait for the lease.
func TestOutageInABatch(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		s, handle := db.open(t)
		other, _ := db.open(t)
		claim := func(s *sqlstore.Store, want []anymail.Claim, keys ...string) {
			t.Helper()
			got, err := s.Claim(ctx, "crm", keys)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, got))
		}
		claim(s, []anymail.Claim{granted, granted, granted, granted}, "a", "b", "c", "d")
		claim(s, []anymail.Claim{granted}, "another request's")
		require.NoError(t, s.Finish(ctx, "crm", "a", true))
		show := hide(t, db, handle)
		require.Error(t, s.Finish(ctx, "crm", "b", true))
		for range 2 {
			_, err := s.Claim(ctx, "crm", []string{"e"})
			require.Error(t, err)
		}
		show()
		claim(other, []anymail.Claim{done, busy, busy, busy, granted}, "a", "b", "c", "d", "e")
		claim(s, []anymail.Claim{done, done, granted, granted, busy, busy}, "a", "b", "c", "d", "e", "another request's")

		// No old claim is in the way of the new ones.
		require.NoError(t, s.Finish(ctx, "crm", "c", false))
		claim(other, []anymail.Claim{granted, busy}, "c", "d")
		require.NoError(t, other.Finish(ctx, "crm", "c", true))
		show = hide(t, db, handle)
		require.Error(t, s.Finish(ctx, "crm", "d", false))
		require.NoError(t, s.Finish(ctx, "crm", "d", false), "it has ended")
		show()
		claim(s, []anymail.Claim{done, granted}, "c", "d")
	})
}

// Times are by the clock of the database. If it jumps, that has the effect of
// moving all stored times by as much in the other direction.
func TestClockJumps(t *testing.T) {
	const lease, retention = time.Minute, time.Hour
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		s, handle := db.open(t, sqlstore.WithLease(lease), sqlstore.WithRetention(retention))
		other, _ := db.open(t, sqlstore.WithLease(lease), sqlstore.WithRetention(retention))
		jump := func(d time.Duration) {
			t.Helper()
			_, err := handle.ExecContext(ctx, "UPDATE "+db.table+" SET expires_at = expires_at - $1, done_at = done_at - $1", d.Milliseconds())
			require.NoError(t, err)
		}
		claim := func(want anymail.Claim, key string) {
			t.Helper()
			got, err := other.Claim(ctx, "crm", []string{key})
			require.NoError(t, err)
			require.Equal(t, want, got[0], key)
		}
		_, err := s.Claim(ctx, "crm", []string{"done", "running", "dead"})
		require.NoError(t, err)
		require.NoError(t, s.Finish(ctx, "crm", "done", true))

		jump(-24 * time.Hour)
		claim(busy, "running")
		claim(busy, "dead")
		claim(done, "done")
		require.NoError(t, s.Finish(ctx, "crm", "running", true))
		claim(done, "running")
		jump(lease)
		claim(granted, "dead") // not a day later

		jump(retention - 2*lease)
		claim(done, "running")
		jump(2 * lease) // ahead by more than what is remembered
		claim(granted, "running")
		claim(granted, "dead")
	})
}

func TestConfigurationErrors(t *testing.T) {
	handle, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer handle.Close()
	for name, make := range map[string]func() (*sqlstore.Store, error){
		"no database": func() (*sqlstore.Store, error) { return sqlstore.New(nil, sqlstore.SQLite) },
		"no dialect":  func() (*sqlstore.Store, error) { return sqlstore.New(handle, 0) },
		"lease":       func() (*sqlstore.Store, error) { return sqlstore.New(handle, sqlstore.SQLite, sqlstore.WithLease(0)) },
		"retention": func() (*sqlstore.Store, error) {
			return sqlstore.New(handle, sqlstore.SQLite, sqlstore.WithRetention(-1))
		},
		"table": func() (*sqlstore.Store, error) {
			return sqlstore.New(handle, sqlstore.SQLite, sqlstore.WithTable("a; DROP TABLE b"))
		},
	} {
		_, err := make()
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
}

func TestUnavailableDatabaseMakesESPRetry(t *testing.T) {
	s, handle := onSQLite(t).open(t)
	require.NoError(t, handle.Close())
	d := dispatcher(t, s, func(context.Context, *anymail.TrackingEvent) error { return nil })
	require.Equal(t, http.StatusServiceUnavailable, post(d, "k"))
}

// dispatcher returns a Dispatcher that makes an event of each line of a request;
// the line is its key.
func dispatcher(tb testing.TB, store anymail.IdempotencyStore, receivers ...func(context.Context, *anymail.TrackingEvent) error) *anymail.Dispatcher {
	tb.Helper()
	d, err := anymail.New(anymail.WithIdempotencyStore(store), anymail.WithSharedSecret("hook:correct-horse-battery-42"),
		anymail.WithTrustedProxies(netip.MustParsePrefix("192.0.2.0/24")), anymail.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(tb, err)
	require.NoError(tb, d.Register("example", adapter{}))
	for i, receive := range receivers {
		require.NoError(tb, d.Tracking.Connect(fmt.Sprint("receiver", i), receive))
	}
	return d
}

type adapter struct{}

func (adapter) ESP() string { return "example" }

func (adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{Path: "tracking", Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		var events []anymail.Event
		for key := range strings.SplitSeq(string(p.Body), "\n") {
			events = append(events, &anymail.TrackingEvent{Common: anymail.Common{Key: key, Type: anymail.EventDelivered}})
		}
		return events, nil
	})}}
}

func post(d http.Handler, key string) int {
	r := httptest.NewRequest(http.MethodPost, "/example/tracking/", strings.NewReader(key))
	r.SetBasicAuth("hook", "correct-horse-battery-42")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code
}

func TestConcurrentDuplicatesRunEachReceiverOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		const duplicates = 64
		var mu sync.Mutex
		runs := map[string]int{}
		// The first receiver runs until all other requests are answered, or until
		// it runs again, which must not happen.
		var answered atomic.Int64
		others, again := make(chan struct{}), make(chan struct{}, duplicates)
		count := func(name string) func(context.Context, *anymail.TrackingEvent) error {
			return func(context.Context, *anymail.TrackingEvent) error {
				mu.Lock()
				runs[name]++
				run := runs[name]
				mu.Unlock()
				switch {
				case name == "first" && run == 1:
					select {
					case <-others:
					case <-again:
					}
				case name == "first":
					again <- struct{}{}
				case name == "fails first" && run == 1:
					return errors.New("not this time")
				}
				return nil
			}
		}
		dispatchers := make([]*anymail.Dispatcher, 4) // like four processes
		for i := range dispatchers {
			store, _ := db.open(t)
			dispatchers[i] = dispatcher(t, store, count("first"), count("fails first"), count("last"))
		}
		begin := make(chan struct{})
		var wg sync.WaitGroup
		statuses := make([]int, duplicates)
		for i := range duplicates {
			wg.Go(func() {
				<-begin
				statuses[i] = post(dispatchers[i%len(dispatchers)], "the same")
				if answered.Add(1) == duplicates-1 {
					close(others)
				}
			})
		}
		close(begin)
		wg.Wait()
		for _, status := range statuses {
			require.Contains(t, []int{200, 500, 503}, status)
		}
		require.Equal(t, 200, post(dispatchers[0], "the same"), "a redelivery")
		require.Empty(t, cmp.Diff(map[string]int{"first": 1, "fails first": 2, "last": 1}, runs))
	})
}

const childEnv = "ANYMAIL_SQLSTORE_CHILD"

// crashLease is long enough to kill the child in, even on a slow machine, and
// short enough to wait for.
const crashLease = 5 * time.Second

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		child(spec)
	}
	os.Exit(m.Run())
}

// child accepts one event and prints a line when its receiver has done its work.
// The test kills it before it can mark the event.
func child(spec string) {
	part := strings.Split(spec, "\n")
	t := new(childTB)
	store, _ := database{part[0], part[1], part[2]}.open(t, sqlstore.WithLease(crashLease))
	if len(part) > 4 {
		childWithBatches(store, part[3])
	}
	post(dispatcher(t, store, func(_ context.Context, ev *anymail.TrackingEvent) error {
		work(part[3], "worked")
		fmt.Println("done the work")
		select {}
	}), "k")
	os.Exit(1)
}

// killChild starts a child, and kills it when it has printed a line.
func killChild(t *testing.T, db database, arguments ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{db.driver, db.dsn, db.table}, arguments...), "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "done the work\n", line)
	require.NoError(t, cmd.Process.Kill()) // SIGKILL
	_ = cmd.Wait()
}

// The batches that a killed process accepts at the same time.
const (
	crashRequests = 4
	crashBatch    = 200
)

func crashKeys(request int) []string {
	keys := make([]string, crashBatch)
	for i := range keys {
		keys[i] = fmt.Sprintf("%d-%d", request, i)
	}
	return keys
}

// childWithBatches accepts all batches at once, and prints a line when a third of
// the work is done. The test kills it then.
func childWithBatches(store *sqlstore.Store, file string) {
	var runs atomic.Int64
	d := dispatcher(new(childTB), store, func(_ context.Context, ev *anymail.TrackingEvent) error {
		work(file, ev.Key)
		if runs.Add(1) == crashRequests*crashBatch/3 {
			fmt.Println("done the work")
		}
		return nil
	})
	var wg sync.WaitGroup
	for request := range crashRequests {
		wg.Go(func() { post(d, strings.Join(crashKeys(request), "\n")) })
	}
	wg.Wait()
	os.Exit(1) // too late to be killed
}

// A process that is killed in its batches repeats at most the event that each of
// them was at.
func TestAKilledProcessRepeatsOneEventOfEachBatchAtMost(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		file := filepath.Join(t.TempDir(), "work")
		store, _ := db.open(t, sqlstore.WithLease(crashLease))
		killChild(t, db, file, "batches")
		d := dispatcher(t, store, func(_ context.Context, ev *anymail.TrackingEvent) error { work(file, ev.Key); return nil })
		want := map[string]bool{}
		for request := range crashRequests {
			for _, key := range crashKeys(request) {
				want[key] = true
			}
			require.Eventually(t, func() bool {
				return post(d, strings.Join(crashKeys(request), "\n")) == http.StatusOK
			}, time.Minute, 50*time.Millisecond)
		}
		lines, err := os.ReadFile(file)
		require.NoError(t, err)
		ran, total := map[string]bool{}, 0
		for key := range strings.Lines(string(lines)) {
			ran[strings.TrimSpace(key)] = true
			total++
		}
		require.Empty(t, cmp.Diff(want, ran))
		require.LessOrEqual(t, total, crashRequests*(crashBatch+1))
	})
}

// work is the receiver's work: it appends a line to a file.
func work(file, line string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	if _, err := io.WriteString(f, line+"\n"); err != nil {
		panic(err)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}

// childTB is a testing.TB outside a test.
type childTB struct{ testing.TB }

func (*childTB) Helper()                           {}
func (*childTB) Cleanup(func())                    {}
func (*childTB) Context() context.Context          { return context.Background() }
func (*childTB) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) }
func (*childTB) FailNow()                          { os.Exit(1) }

func TestAKilledProcessRunsAReceiverOnceMoreAtMost(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		file := filepath.Join(t.TempDir(), "work")
		store, _ := db.open(t, sqlstore.WithLease(crashLease))
		killChild(t, db, file) // between callback and mark

		d := dispatcher(t, store, func(context.Context, *anymail.TrackingEvent) error { work(file, "worked"); return nil })
		// The ESP retries until the answer is 200.
		require.Eventually(t, func() bool {
			status := post(d, "k")
			require.Contains(t, []int{200, 503}, status)
			return status == 200
		}, time.Minute, 50*time.Millisecond)
		for range 3 {
			require.Equal(t, 200, post(d, "k"))
		}
		lines, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "worked\nworked\n", string(lines), "once by the killed process, once more after its lease")
	})
}
