package durable_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// poster posts events one by one from several goroutines, and keeps the keys of
// those that were answered 200.
type poster struct {
	prefix   string
	next     atomic.Int64
	mu       sync.Mutex
	answered []string
}

// run posts until enough requests were answered 200, calls then, and continues
// until posts fail or ten more were answered.
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
					continue // the outage before this one
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
		w := newSandbox(t, db)
		p := &poster{prefix: "k"}

		holding := w
		holding.Hold = true
		addr, kill := holding.child(t)
		p.run(addr, 10, kill)
		calls, _ := w.calls(t)
		require.Empty(t, calls, "no callback before the kill")

		addr, kill = w.child(t)
		p.run(addr, 30, kill) // while requests and receivers run

		q := w.open(t)
		ageDeadProcess(t, q, db.kind)
		start(t, q)
		w.check(t, q, p.answered)
	})
}

func TestTwoProcessesOnOnePostgres(t *testing.T) {
	t.Parallel()
	w := newSandbox(t, onPostgres(t))
	q := w.open(t) // accepts events, but does not start
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
	eventually(t, func() bool { // until both processes have worked
		enqueue(fmt.Sprintf("more%d-", len(all)))
		_, processes := w.calls(t)
		return len(processes) == 2
	}, "one process runs no receivers")
	w.check(t, q, all)
	calls, _ := w.calls(t)
	for key, n := range calls {
		require.Equal(t, 1, n, key)
	}
	require.Len(t, calls, len(all))
}

// proxy is a TCP proxy between a queue and its server that can go down.
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
	w := newSandbox(t, db)
	direct := w.open(t) // without the proxy, to inspect the database
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
		eventually(t, func() bool { return post(server.URL, "when it is back") == http.StatusOK }, "the database does not come back")
	}
	// A restart of the server does this to its clients while they work.
	posts.run(server.URL, 30, func() {
		_, err := direct.DB().ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()")
		_ = err // it may terminate connections of its own pool
	})
	eventually(t, func() bool { return post(server.URL, "in the end") == http.StatusOK }, "the database does not come back")
	w.check(t, q, append(posts.answered, "when it is back", "in the end"))
}

func TestLockedFile(t *testing.T) {
	t.Parallel()
	w := newSandbox(t, onSQLite(t))
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

// diskPages maps the path of an SQLite file to how many pages it may have. SQLite
// has the limit for each connection, and database/sql replaces a connection after
// a query on it was cancelled. So the limit must be set on each new connection.
var diskPages sync.Map

func limitDisk(c sqlite.ExecQuerierContext, dsn string) error {
	path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
	pages, limited := diskPages.Load(path)
	if !limited {
		return nil
	}
	_, err := c.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil)
	return err
}

// limitDisk limits q's file to the pages that it has and more.
func (w sandbox) limitDisk(t *testing.T, q *durable.Queue, more int) {
	t.Helper()
	var pages int
	require.NoError(t, q.DB().QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	pages += more
	diskPages.Store(w.DSN, pages)
	_, err := q.DB().ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	require.NoError(t, err)
}

const aLot = 1 << 20

// incompressible returns a text of n characters that takes its size on disk.
func incompressible(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newSandbox(t, onSQLite(t))
	q := w.open(t)
	w.limitDisk(t, q, 5)
	server := httptest.NewServer(dispatcher(t, q))
	defer server.Close()

	var answered, refused []string
	const batches = 30 // 6 KiB each
	for i := range batches {
		keys := make([]string, 5)
		for j := range keys {
			keys[j] = fmt.Sprintf("k%d-%d%s", i, j, incompressible(1000))
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

	w.limitDisk(t, q, aLot)         // an operator freed space
	for _, batch := range refused { // and the ESP retries
		require.Equal(t, http.StatusOK, post(server.URL, batch))
		answered = append(answered, strings.Split(batch, "\n")...)
	}
	start(t, q)
	w.check(t, q, answered)
	require.Len(t, answered, 5*batches)
}

func TestDiskFullWhileReceiversRun(t *testing.T) {
	t.Parallel()
	const jobs = 10
	w := newSandbox(t, onSQLite(t))
	w.begun, w.release = make(chan struct{}, aLot), make(chan struct{})
	w.Ballast = 100_000 // so that the rows of running receivers do not fit
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
	large.Raw = anymail.Raw(incompressible(500_000))
	require.ErrorIs(t, q.Enqueue(t.Context(), []anymail.Event{large}), anymail.ErrUnavailable)
	close(w.release)
	require.ErrorContains(t, next(t, failed, "no receiver fails"), "full")

	w.limitDisk(t, q, aLot)
	require.NoError(t, q.Enqueue(t.Context(), []anymail.Event{large}))
	answered := []string{"large"}
	for key := range once("e", jobs) {
		answered = append(answered, key)
	}
	w.check(t, q, answered)
}

func TestSlowReceiverDelaysNoOther(t *testing.T) {
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
		eventually(t, func() bool { return len(fast.all()) == 4 }, "the fast receiver is delayed")
		settle(t, q)
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

func TestPoisonEventsBecomeDeadLetters(t *testing.T) {
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
		require.NoError(t, signals.Tracking.Connect("picky", calls.receive, func(ev anymail.Event) bool {
			if ev.Base().Key == "e9" {
				panic("a filter's poison")
			}
			return false
		}))
		q := db.open(t, &signals, durable.WithMaxAttempts(3), durable.WithBackoff(soon))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 20)))
		settle(t, q)
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

// A clock that jumps leaves rows with wrong times. River does not accept another
// clock on both databases, so the test makes such rows.
func TestClockJumps(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		w := newSandbox(t, db)
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
			enqueueOneByOne(t, q, events(prefix, 5))
		}
		// Written while the clock was a day behind: due immediately.
		shift("behind", "scheduled_at", "-1 day")
		shift("behind", "created_at", "-1 day")
		// Written while the clock was a day ahead: due tomorrow, or on demand.
		shift("ahead", "scheduled_at", "+1 day")
		// Begun by a process that died, while the clock was a day ahead.
		_, err := q.DB().ExecContext(ctx, "UPDATE river_job SET state = 'running', attempt = 1 WHERE args ->> 'key' LIKE 'running%'")
		require.NoError(t, err)
		shift("running", "attempted_at", "+1 day")

		start(t, q)
		eventually(t, func() bool { return len(effects(t, q)) == 5 }, "due jobs do not run")
		eventually(t, func() bool {
			stats, err := q.Stats(ctx)
			return err == nil && stats.Pending == 10 && stats.Running == 10
		}, "jobs of both receivers are not pending and running")

		n, err := q.RetryAll(ctx, durable.Filter{State: durable.Pending})
		require.NoError(t, err)
		require.Equal(t, 10, n)
		eventually(t, func() bool { return len(effects(t, q)) == 10 }, "retried jobs do not run")

		shift("running", "attempted_at", "-1 hour") // the clock has caught up
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

// The database's clock was a day ahead, and was set back: what was written before
// has times in the future.
func TestClockSetBack(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		w := newSandbox(t, db)
		q := w.open(t)
		ahead := func(by string) string {
			if db.kind == "sqlite" {
				return fmt.Sprintf("strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '%s')", by)
			}
			return fmt.Sprintf("now() + interval '%s'", by)
		}
		exec := func(statement string) {
			t.Helper()
			_, err := q.DB().ExecContext(ctx, statement)
			require.NoError(t, err)
		}
		for _, prefix := range []string{"new", "failed", "running", "later"} {
			enqueueOneByOne(t, q, events(prefix, 3))
		}
		const where = " WHERE args ->> 'key' LIKE "
		exec("UPDATE river_job SET created_at = " + ahead("+1 day") + ", scheduled_at = " + ahead("+1 day") + where + "'new%'")
		exec("UPDATE river_job SET state = 'retryable', attempt = 1, attempted_at = " + ahead("+1 day") + ", scheduled_at = " + ahead("+25 hours") + where + "'failed%'")
		exec("UPDATE river_job SET state = 'running', attempt = 1, attempted_at = " + ahead("+1 day") + where + "'running%'")
		exec("UPDATE river_job SET state = 'retryable', attempt = 1, attempted_at = " + ahead("+0 seconds") + ", scheduled_at = " + ahead("+1 hour") + where + "'later%'")
		exec("INSERT INTO river_leader (leader_id, name, elected_at, expires_at) VALUES ('dead', 'default', " + ahead("+1 day") + ", " + ahead("+1 day") + ")")

		start(t, q)
		eventually(t, func() bool { return len(effects(t, q)) == 6 }, "jobs wait for the clock")
		eventually(t, func() bool {
			stats, err := q.Stats(ctx)
			return err == nil && stats.Pending == 6 && stats.Running == 6
		}, "the other jobs of both receivers do not wait as long as they should")
		var waiting int
		require.NoError(t, q.DB().QueryRowContext(ctx, "SELECT count(*) FROM river_job WHERE attempted_at > "+ahead("+1 minute")).Scan(&waiting))
		require.Zero(t, waiting, "jobs of a dead process are rescued as soon as usual")

		_, err := q.RetryAll(ctx, durable.Filter{State: durable.Pending})
		require.NoError(t, err)
		ageDeadProcess(t, q, db.kind)
		restart(t, q)
		var answered []string
		for _, prefix := range []string{"new", "failed", "running", "later"} {
			for key := range once(prefix, 3) {
				answered = append(answered, key)
			}
		}
		w.check(t, q, answered)
	})
}

func TestFullQueueRefusesAndLosesNothing(t *testing.T) {
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
					for { // retries as an ESP does, but sooner
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
		go func() { wg.Wait(); fill() }() // without a limit the queue accepts everything
		<-filled                          // full, before any job runs
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
		settle(t, q)
		require.Positive(t, refused.Load())
		require.Less(t, highest, limit+batch, "a request that begins below the limit is accepted whole")
		require.Empty(t, cmp.Diff(want, calls.all()))
	})
}
