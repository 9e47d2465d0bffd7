package durable_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

const secret = "hook:correct-horse-battery-42"

// adapter makes an event of each line that is posted; the line is its key.
type adapter struct{}

func (adapter) ESP() string { return "example" }

func (adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{Path: "tracking", Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		var events []anymail.Event
		for key := range strings.Lines(string(p.Body)) {
			events = append(events, event(strings.TrimSpace(key)))
		}
		return events, nil
	})}}
}

func dispatcher(tb testing.TB, q anymail.Queue) *anymail.Dispatcher {
	tb.Helper()
	d, err := anymail.New(anymail.WithQueue(q), anymail.WithSharedSecret(secret), anymail.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(tb, err)
	require.NoError(tb, d.Register("example", adapter{}))
	return d
}

// post posts events as an ESP would, and returns the status; 0 where there was
// no answer.
func post(addr string, keys ...string) int {
	user, password, _ := strings.Cut(secret, ":")
	r, err := http.NewRequest(http.MethodPost, addr+"/example/tracking/", strings.NewReader(strings.Join(keys, "\n")))
	if err != nil {
		return 0
	}
	r.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// A world is a database, and what receivers do to the outside: one leaves a
// line in a file for each call, one writes a row in the job's transaction.
type world struct {
	Kind, DSN, File string
	Ballast         int  // bytes in each row beside the key
	Hold            bool // receivers stop before they do anything

	begun chan struct{} // if not nil, receivers say that they have begun
	gate  chan struct{} // and wait until this is closed
}

func newWorld(t *testing.T, db database) world {
	t.Helper()
	w := world{Kind: db.kind, DSN: db.dsn, File: filepath.Join(t.TempDir(), "calls")}
	require.NoError(t, os.WriteFile(w.File, nil, 0o600))
	q := db.open(t, new(anymail.Signals))
	_, err := q.DB().ExecContext(t.Context(), "CREATE TABLE effects (key text NOT NULL, ballast text)")
	require.NoError(t, err)
	require.NoError(t, q.Close())
	return w
}

// open opens the world's queue with both receivers connected. Jobs of a dead
// process are run again as soon as River can.
func (w world) open(tb testing.TB, options ...durable.Option) *durable.Queue {
	tb.Helper()
	signals := new(anymail.Signals)
	connect(tb, signals, "file", func(_ context.Context, ev *anymail.TrackingEvent) error {
		w.hold()
		f, err := os.OpenFile(w.File, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "%d %s\n", os.Getpid(), ev.Key)
		return errors.Join(err, f.Close())
	})
	connect(tb, signals, "tx", func(ctx context.Context, ev *anymail.TrackingEvent) error {
		w.hold()
		tx, err := durable.Tx(ctx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO effects (key, ballast) VALUES ($1, $2)", ev.Key, strings.Repeat("b", w.Ballast))
		return err
	})
	return database{kind: w.Kind, dsn: w.DSN}.open(tb, signals, append([]durable.Option{
		durable.WithTimeout(10 * time.Second), durable.Quick(11 * time.Second), durable.WithBackoff(soon),
	}, options...)...)
}

func (w world) hold() {
	if w.Hold {
		select {}
	}
	if w.gate != nil {
		w.begun <- struct{}{}
		<-w.gate
	}
}

// calls returns how often the file's receiver saw each key, and which processes
// it ran in.
func (w world) calls(t *testing.T) (calls map[string]int, processes map[string]bool) {
	t.Helper()
	b, err := os.ReadFile(w.File)
	require.NoError(t, err)
	calls, processes = map[string]int{}, map[string]bool{}
	for line := range strings.Lines(string(b)) {
		process, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		calls[key]++
		processes[process] = true
	}
	return calls, processes
}

// effects returns how many rows there are for each key.
func effects(t *testing.T, q *durable.Queue) map[string]int {
	t.Helper()
	rows, err := q.DB().QueryContext(t.Context(), "SELECT key, count(*) FROM effects GROUP BY key")
	require.NoError(t, err)
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var key string
		var n int
		require.NoError(t, rows.Scan(&key, &n))
		all[key] = n
	}
	require.NoError(t, rows.Err())
	return all
}

// check is the promise: whatever was answered 200 reached each receiver at
// least once, and exactly once the one that works in the job's transaction;
// what was not answered may have arrived, but not twice there either.
func (w world) check(t *testing.T, q *durable.Queue, answered []string) {
	t.Helper()
	settled(t, q)
	calls, _ := w.calls(t)
	rows := effects(t, q)
	for _, key := range answered {
		require.GreaterOrEqual(t, calls[key], 1, "file, %s", key)
		require.Equal(t, 1, rows[key], "tx, %s", key)
	}
	for key, n := range rows {
		require.Equal(t, 1, n, "tx, %s", key)
	}
	dead, err := q.List(t.Context(), durable.Filter{})
	require.NoError(t, err)
	require.Empty(t, dead)
}

// child runs this test binary as another process that serves webhooks and works
// in w. It returns its URL and the function that kills it.
func (w world) child(t *testing.T) (addr string, kill func()) {
	t.Helper()
	spec, err := json.Marshal(w)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), kill
}

const childEnv = "ANYMAIL_DURABLE_CHILD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		var w world
		t := new(childTB)
		require.NoError(t, json.Unmarshal([]byte(spec), &w))
		q := w.open(t)
		start(t, q)
		fmt.Println(httptest.NewServer(dispatcher(t, q)).URL)
		select {}
	}
	sqlite.RegisterConnectionHook(limitDisk)
	code := m.Run()
	printTables(os.Stdout) // of the benchmarks, if any ran
	os.Exit(code)
}

// childTB is a testing.TB outside a test.
type childTB struct{ testing.TB }

func (*childTB) Helper()                           {}
func (*childTB) Cleanup(func())                    {}
func (*childTB) Context() context.Context          { return context.Background() }
func (*childTB) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) }
func (*childTB) FailNow()                          { os.Exit(1) }

// poster posts events one by one from several goroutines, and keeps the keys of
// those that were answered 200.
type poster struct {
	prefix   string
	next     atomic.Int64
	mu       sync.Mutex
	answered []string
}

// run posts until enough were answered 200, then calls then, and goes on until
// posts fail, or a little longer.
func (p *poster) run(addr string, enough int, then func()) {
	var called atomic.Bool
	once := sync.OnceFunc(func() { called.Store(true); then() })
	target := len(p.answered) + enough
	deadline := time.Now().Add(patience)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				key := fmt.Sprintf("%s%d", p.prefix, p.next.Add(1))
				if post(addr, key) != http.StatusOK {
					if called.Load() {
						return
					}
					continue // of an outage before this one
				}
				p.mu.Lock()
				p.answered = append(p.answered, key)
				answered := len(p.answered)
				p.mu.Unlock()
				if answered >= target {
					once()
				}
				if answered >= target+10 {
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestKilledBetweenAnswerAndCallback(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		w := newWorld(t, db)
		p := &poster{prefix: "k"}

		holding := w
		holding.Hold = true
		addr, kill := holding.child(t)
		p.run(addr, 10, kill)
		calls, _ := w.calls(t)
		require.Empty(t, calls, "killed before any callback")

		addr, kill = w.child(t)
		p.run(addr, 30, kill) // somewhere in the midst of both

		q := w.open(t)
		muchLater(t, q, db.kind)
		start(t, q)
		w.check(t, q, p.answered)
	})
}

func TestTwoProcessesOnOnePostgres(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPostgres(t))
	q := w.open(t) // takes events, but does not work
	var all []string
	enqueue := func(prefix string) {
		require.NoError(t, q.Enqueue(t.Context(), events(prefix, 20)))
		for key := range once(prefix, 20) {
			all = append(all, key)
		}
	}
	for _, name := range []string{"one", "two"} {
		_, kill := w.child(t)
		defer kill()
		for i := range 3 {
			enqueue(fmt.Sprintf("%s%d-", name, i))
		}
	}
	eventually(t, func() bool { // both of them work
		enqueue(fmt.Sprintf("more%d-", len(all)))
		_, processes := w.calls(t)
		return len(processes) == 2
	}, "one process does nothing")
	w.check(t, q, all)
	calls, _ := w.calls(t)
	for key, n := range calls {
		require.Equal(t, 1, n, key)
	}
	require.Len(t, calls, len(all))
}

// proxy stands between a queue and its server, and can go away.
type proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	down     bool
	conns    map[net.Conn]struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() { _ = l.Close(); p.set(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	if p.down {
		p.mu.Unlock()
		return
	}
	p.conns[c], p.conns[server] = struct{}{}, struct{}{}
	p.mu.Unlock()
	go func() { _, _ = io.Copy(server, c); _ = server.Close() }()
	_, _ = io.Copy(c, server)
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, server)
	p.mu.Unlock()
}

// set takes the server down, with all connections, or up again.
func (p *proxy) set(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	if down {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

func TestDatabaseStoppedAndStarted(t *testing.T) {
	t.Parallel()
	db := onPostgres(t)
	w := newWorld(t, db)
	direct := w.open(t) // around the proxy, to look at things
	u, err := url.Parse(db.dsn)
	require.NoError(t, err)
	p := newProxy(t, u.Host)
	u.Host = p.listener.Addr().String()
	w.DSN = u.String()
	q := w.open(t)
	start(t, q)
	server := httptest.NewServer(dispatcher(t, q))
	defer server.Close()

	posts := &poster{prefix: "k"}
	for range 2 {
		posts.run(server.URL, 30, func() { p.set(true) })
		require.Equal(t, http.StatusServiceUnavailable, post(server.URL, "while it is down"))
		p.set(false)
		eventually(t, func() bool { return post(server.URL, "when it is back") == http.StatusOK }, "it does not come back")
	}
	// As a restart of the server does to its clients, in the midst of work.
	posts.run(server.URL, 30, func() {
		_, err := direct.DB().ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()")
		_ = err // its own pool may be hit
	})
	eventually(t, func() bool { return post(server.URL, "in the end") == http.StatusOK }, "it does not come back")
	w.check(t, q, append(posts.answered, "when it is back", "in the end"))
}

func TestLockedFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onSQLite(t))
	q := w.open(t, durable.Pragma("busy_timeout(50)"))
	server := httptest.NewServer(dispatcher(t, q))
	defer server.Close()
	require.Equal(t, http.StatusOK, post(server.URL, "before"))

	other := w.open(t)
	tx, err := other.DB().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, post(server.URL, "locked"))
	require.NoError(t, tx.Rollback())

	require.Equal(t, http.StatusOK, post(server.URL, "after"))
	start(t, q)
	w.check(t, q, []string{"before", "after"})
	require.NotContains(t, effects(t, q), "locked")
}

// disks says how many pages the SQLite file of a path may have. SQLite counts
// them for each connection, and database/sql replaces a connection whenever a
// query on it was cancelled, so that the limit has to be set on each new one.
var disks sync.Map

func limitDisk(c sqlite.ExecQuerierContext, dsn string) error {
	path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
	pages, limited := disks.Load(path)
	if !limited {
		return nil
	}
	_, err := c.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil)
	return err
}

// limitDisk lets q's file have so many pages more than it has.
func (w world) limitDisk(t *testing.T, q *durable.Queue, more int) {
	t.Helper()
	var pages int
	require.NoError(t, q.DB().QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	pages += more
	disks.Store(w.DSN, pages)
	_, err := q.DB().ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	require.NoError(t, err)
}

const aLot = 1 << 20

func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onSQLite(t))
	q := w.open(t)
	w.limitDisk(t, q, 20) // 80 KiB, two or three batches
	server := httptest.NewServer(dispatcher(t, q))
	defer server.Close()

	var answered, refused []string
	for i := range 6 {
		keys := make([]string, 5)
		for j := range keys {
			keys[j] = fmt.Sprintf("k%d-%d%s", i, j, strings.Repeat("-", 1000))
		}
		switch status := post(server.URL, keys...); status {
		case http.StatusOK:
			answered = append(answered, keys...)
		case http.StatusServiceUnavailable:
			refused = append(refused, strings.Join(keys, "\n"))
		default:
			t.Fatal("status", status)
		}
	}
	require.NotEmpty(t, answered)
	require.NotEmpty(t, refused)

	w.limitDisk(t, q, aLot)         // somebody made room
	for _, batch := range refused { // and the ESP comes again
		require.Equal(t, http.StatusOK, post(server.URL, batch))
		answered = append(answered, strings.Split(batch, "\n")...)
	}
	start(t, q)
	w.check(t, q, answered)
	require.Len(t, answered, 30)
}

func TestDiskFullWhileReceiversRun(t *testing.T) {
	t.Parallel()
	const jobs = 10
	w := newWorld(t, onSQLite(t))
	w.begun, w.gate = make(chan struct{}, aLot), make(chan struct{})
	w.Ballast = 100_000 // so that the rows of the receivers that run have no room
	failed := make(chan error, aLot)
	q := w.open(t, durable.WithMaxAttempts(1000), durable.WithHooks(anymail.Hooks{
		Receiver: func(ctx context.Context, _ string, _ anymail.Event) (context.Context, func(error)) {
			return ctx, func(err error) {
				if err != nil {
					failed <- err
				}
			}
		},
	}))
	require.NoError(t, q.Enqueue(t.Context(), events("e", jobs)))
	start(t, q)
	for range 2 * testWorkers {
		next(t, w.begun, "receivers do not begin")
	}
	w.limitDisk(t, q, 0)
	large := event("large")
	large.Raw = anymail.Raw(strings.Repeat(" ", 500_000))
	require.ErrorIs(t, q.Enqueue(t.Context(), []anymail.Event{large}), anymail.ErrUnavailable)
	close(w.gate)
	require.ErrorContains(t, next(t, failed, "no receiver notices"), "full")

	w.limitDisk(t, q, aLot)
	require.NoError(t, q.Enqueue(t.Context(), []anymail.Event{large}))
	answered := []string{"large"}
	for key := range once("e", jobs) {
		answered = append(answered, key)
	}
	w.check(t, q, answered)
}

func TestSlowReceiverIsStoppedAndKeepsNobodyWaiting(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var fast counter
		connect(t, &signals, "fast", fast.receive)
		connect(t, &signals, "slow", func(ctx context.Context, _ *anymail.TrackingEvent) error {
			<-ctx.Done()
			return ctx.Err()
		})
		q := db.open(t, &signals, durable.WithTimeout(time.Second), durable.WithWorkers(2), durable.WithMaxAttempts(2), durable.WithBackoff(soon))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 4)))
		eventually(t, func() bool { return len(fast.all()) == 4 }, "the fast receiver waits")
		settled(t, q)
		require.Empty(t, cmp.Diff(once("e", 4), fast.all()))
		dead, err := q.List(t.Context(), durable.Filter{})
		require.NoError(t, err)
		require.Len(t, dead, 4)
		for _, job := range dead {
			require.Equal(t, "slow", job.Receiver)
			require.Len(t, job.Errors, 2)
			require.Contains(t, job.Errors[1].Error, context.DeadlineExceeded.Error())
		}
	})
}

func TestPoisonGoesToTheDeadLettersAndOthersGoOn(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
			calls.add(ev.Key)
			switch ev.Key {
			case "e3":
				panic("poison \x00\xff")
			case "e5":
				return errors.New("a NUL \x00 in an error, which PostgreSQL's jsonb refuses")
			case "e7":
				return durable.Permanent(errors.New("never"))
			}
			return nil
		})
		require.NoError(t, signals.Tracking.Connect("picky", calls.receive, func(c *anymail.Common) bool {
			if c.Key == "e9" {
				panic("a filter's poison")
			}
			return false
		}))
		q := db.open(t, &signals, durable.WithMaxAttempts(3), durable.WithBackoff(soon))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 20)))
		settled(t, q)
		want := once("e", 20)
		want["e3"], want["e5"] = 3, 3
		require.Empty(t, cmp.Diff(want, calls.all()))

		dead, err := q.List(t.Context(), durable.Filter{})
		require.NoError(t, err)
		errs := map[string]string{}
		for _, job := range dead {
			errs[job.Receiver+" "+job.Key] = job.Errors[len(job.Errors)-1].Error
		}
		require.Len(t, errs, 4)
		require.Contains(t, errs["crm e3"], "poison")
		require.Contains(t, errs["crm e5"], "a NUL")
		require.Contains(t, errs["crm e7"], "never")
		require.Contains(t, errs["picky e9"], "a filter's poison")
	})
}

// A clock that jumps leaves rows behind whose times are off. River cannot be
// given another clock on both databases, so the rows are made here.
func TestClockJumps(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		w := newWorld(t, db)
		q := w.open(t)
		shift := func(prefix, column, by string) {
			t.Helper()
			query := fmt.Sprintf("UPDATE river_job SET %s = now() + interval '%s' WHERE args ->> 'key' LIKE '%s%%'", column, by, prefix)
			if db.kind == "sqlite" {
				query = fmt.Sprintf("UPDATE river_job SET %s = strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '%s') WHERE args ->> 'key' LIKE '%s%%'", column, by, prefix)
			}
			_, err := q.DB().ExecContext(ctx, query)
			require.NoError(t, err)
		}
		for _, prefix := range []string{"ahead", "behind", "running"} {
			require.NoError(t, q.Enqueue(ctx, events(prefix, 5)))
		}
		// Written while the clock was a day behind: due at once.
		shift("behind", "scheduled_at", "-1 day")
		shift("behind", "created_at", "-1 day")
		// Written while the clock was a day ahead: due tomorrow, or on demand.
		shift("ahead", "scheduled_at", "+1 day")
		// Begun by a process that died, while the clock was a day ahead.
		_, err := q.DB().ExecContext(ctx, "UPDATE river_job SET state = 'running', attempt = 1 WHERE args ->> 'key' LIKE 'running%'")
		require.NoError(t, err)
		shift("running", "attempted_at", "+1 day")

		start(t, q)
		eventually(t, func() bool { return len(effects(t, q)) == 5 }, "what was due is not run")
		eventually(t, func() bool {
			stats, err := q.Stats(ctx)
			return err == nil && stats.Pending == 10 && stats.Running == 10
		}, "jobs of both receivers wait, and none is lost")

		n, err := q.RetryAll(ctx, durable.Filter{State: durable.Pending})
		require.NoError(t, err)
		require.Equal(t, 10, n)
		eventually(t, func() bool { return len(effects(t, q)) == 10 }, "what was made due is not run")

		shift("running", "attempted_at", "-1 hour") // the clock has got there
		restart(t, q)
		var answered []string
		for _, prefix := range []string{"ahead", "behind", "running"} {
			for key := range once(prefix, 5) {
				answered = append(answered, key)
			}
		}
		w.check(t, q, answered)
	})
}

func TestAtItsLimitTheQueueRefusesAndLosesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		const limit, posters, requests, batch = 20, 8, 3, 4
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
			calls.add(ev.Key)
			time.Sleep(time.Millisecond)
			return nil
		})
		q := db.open(t, &signals, durable.WithMaxPending(limit))
		server := httptest.NewServer(dispatcher(t, q))
		defer server.Close()

		var refused atomic.Int64
		want := map[string]int{}
		filled := make(chan struct{})
		fill := sync.OnceFunc(func() { close(filled) })
		var wg sync.WaitGroup
		for p := range posters {
			for r := range requests {
				for k := range batch {
					want[fmt.Sprintf("%d-%d-%d", p, r, k)] = 1
				}
			}
			wg.Go(func() {
				for r := range requests {
					keys := make([]string, batch)
					for k := range keys {
						keys[k] = fmt.Sprintf("%d-%d-%d", p, r, k)
					}
					for { // as an ESP does, though not so soon
						status := post(server.URL, keys...)
						if status == http.StatusOK {
							break
						}
						if status != http.StatusServiceUnavailable {
							t.Errorf("status %d", status)
							return
						}
						refused.Add(1)
						fill()
						time.Sleep(50 * time.Millisecond)
					}
				}
			})
		}
		go func() { wg.Wait(); fill() }() // without a limit all is taken
		<-filled                          // to the brim, before anything is worked off
		start(t, q)
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		highest := 0
		for working := true; working; {
			select {
			case <-done:
				working = false
			case <-time.After(50 * time.Millisecond):
			}
			stats, err := q.Stats(t.Context())
			require.NoError(t, err)
			highest = max(highest, stats.Pending+stats.Running)
		}
		settled(t, q)
		require.Positive(t, refused.Load())
		require.Less(t, highest, limit+batch, "a request that begins below the limit is taken whole")
		require.Empty(t, cmp.Diff(want, calls.all()))
	})
}
