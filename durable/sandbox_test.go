package durable_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

const secret = "hook:correct-horse-battery-42"

// adapter makes an event of each line of the body; the line is its key.
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

// post posts events as an ESP would, and returns the status; 0 without an
// answer.
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

// sandbox is a database and two receivers with side effects: one appends a line
// to a file for each call, one writes a row in the job's transaction.
type sandbox struct {
	Kind, DSN, File string
	Ballast         int  // bytes in each row in addition to the key
	Hold            bool // receivers block before they do anything
	MaxRepeats      int
	Workers         int
	MaxAttempts     int
	Synced          bool // see database
	TxEvery         int  // the receiver that works in Tx wants one event in so many

	begun   chan struct{} // if not nil, receivers send to it when they begin
	release chan struct{} // and wait until this is closed
}

func newSandbox(t *testing.T, db database) sandbox {
	t.Helper()
	w := sandbox{Kind: db.kind, DSN: db.dsn, File: filepath.Join(t.TempDir(), "calls")}
	require.NoError(t, os.WriteFile(w.File, nil, 0o600))
	q := db.open(t, new(anymail.Signals))
	_, err := q.DB().ExecContext(t.Context(), "CREATE TABLE effects (key text NOT NULL, ballast text)")
	require.NoError(t, err)
	require.NoError(t, q.Close())
	return w
}

// open opens the sandbox's queue with both receivers connected. Jobs of a dead
// process are run again as soon as River can.
func (w sandbox) open(tb testing.TB, options ...durable.Option) *durable.Queue {
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
	err := signals.Tracking.Connect("tx", func(ctx context.Context, ev *anymail.TrackingEvent) error {
		w.hold()
		tx, err := durable.Tx(ctx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO effects (key, ballast) VALUES ($1, $2)", ev.Key, strings.Repeat("b", w.Ballast))
		return err
	}, func(ev anymail.Event) bool { return w.wantsTx(ev.Base().Key) })
	require.NoError(tb, err)
	return database{w.Kind, w.DSN, w.Synced}.open(tb, signals, append([]durable.Option{
		durable.WithTimeout(10 * time.Second), durable.Quick(11 * time.Second), durable.WithBackoff(soon),
		durable.WithMaxRepeats(max(1, w.MaxRepeats)),
		durable.WithWorkers(cmp.Or(w.Workers, testWorkers)), durable.WithMaxAttempts(cmp.Or(w.MaxAttempts, durable.DefaultMaxAttempts)),
	}, options...)...)
}

// wantsTx reports whether the receiver that works in Tx wants the event.
func (w sandbox) wantsTx(key string) bool {
	return w.TxEvery <= 1 || crc32.ChecksumIEEE([]byte(key))%uint32(w.TxEvery) == 0
}

func (w sandbox) hold() {
	if w.Hold {
		select {}
	}
	if w.release != nil {
		w.begun <- struct{}{}
		<-w.release
	}
}

// calls returns how often the file's receiver saw each key, and which processes
// it ran in.
func (w sandbox) calls(t *testing.T) (calls map[string]int, processes map[string]bool) {
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

// check checks the guarantee: each event that was answered 200 reached each
// receiver at least once, and exactly once the receiver that works in the job's
// transaction. An event that was not answered may have arrived there, but not
// twice.
func (w sandbox) check(t *testing.T, q *durable.Queue, answered []string) {
	t.Helper()
	settle(t, q)
	calls, _ := w.calls(t)
	rows := effects(t, q)
	for _, key := range answered {
		require.GreaterOrEqual(t, calls[key], 1, "file, %s", key)
		require.Equal(t, w.wantsTx(key), rows[key] == 1, "tx, %s", key)
	}
	for key, n := range rows {
		require.Equal(t, 1, n, "tx, %s", key)
	}
	dead, err := q.List(t.Context(), durable.Filter{})
	require.NoError(t, err)
	require.Empty(t, dead)
}

// child runs this test binary as another process that serves webhooks and works
// in the sandbox. It returns its URL and the function that kills it.
func (w sandbox) child(t *testing.T) (addr string, kill func()) {
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
		var w sandbox
		t := new(childTB)
		require.NoError(t, json.Unmarshal([]byte(spec), &w))
		q := w.open(t)
		start(t, q)
		fmt.Println(httptest.NewServer(dispatcher(t, q)).URL)
		select {}
	}
	if dsn := os.Getenv(steadyChildEnv); dsn != "" {
		steadyChild(dsn)
		return
	}
	sqlite.RegisterConnectionHook(limitDisk)
	code := m.Run()
	printTables(os.Stdout) // if benchmarks ran
	os.Exit(code)
}

// childTB is a testing.TB outside a test.
type childTB struct{ testing.TB }

func (*childTB) Helper()                           {}
func (*childTB) Cleanup(func())                    {}
func (*childTB) Context() context.Context          { return context.Background() }
func (*childTB) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) }
func (*childTB) FailNow()                          { os.Exit(1) }
