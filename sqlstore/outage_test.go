//go:build unix

package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/sqlstore"
)

// server is a PostgreSQL server of the test's own, which it can stop.
type server struct {
	bin, data string
	port      int
	account   *syscall.Credential // PostgreSQL refuses to run as root
	process   *exec.Cmd
}

// newServer starts a server whose data end with the test.
func newServer(t *testing.T) *server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if os.Getenv(postgresEnv) == "" || len(found) == 0 {
		t.Skipf("%s is not set, or the programs of a PostgreSQL server are not installed", postgresEnv)
	}
	dir, err := os.MkdirTemp("", "anymail-postgres")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{bin: filepath.Dir(found[len(found)-1]), data: filepath.Join(dir, "data")}
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, err := strconv.Atoi(account.Uid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(dir, uid, -1))
		s.account = &syscall.Credential{Uid: uint32(uid)}
	}
	out, err := s.command("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--pgdata="+s.data).CombinedOutput()
	require.NoError(t, err, "%s", out)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	s.start(t)
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })
	return s
}

func (s *server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = filepath.Dir(s.data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return cmd
}

func (s *server) dsn() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// start starts the server, and returns when it accepts connections. After a kill,
// the first attempts fail until the last backend has noticed.
func (s *server) start(t *testing.T) {
	t.Helper()
	handle, err := sql.Open("pgx", s.dsn())
	require.NoError(t, err)
	defer handle.Close()
	exited := make(chan struct{})
	close(exited)
	require.Eventually(t, func() bool {
		select {
		case <-exited:
			exited = make(chan struct{})
			s.process = s.command("postgres", "-D", s.data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
				"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB")
			require.NoError(t, s.process.Start())
			go func(p *exec.Cmd, exited chan struct{}) { _ = p.Wait(); close(exited) }(s.process, exited)
		default:
		}
		return handle.PingContext(t.Context()) == nil
	}, time.Minute, 20*time.Millisecond)
}

// stop stops the server with a signal. SIGINT and SIGQUIT are PostgreSQL's fast
// and immediate shutdown.
func (s *server) stop(signal syscall.Signal) {
	_ = s.process.Process.Signal(signal)
	for s.process.Process.Signal(syscall.Signal(0)) == nil {
		time.Sleep(time.Millisecond)
	}
}

// runs counts how often each receiver ran on each event.
type runs struct {
	mu    sync.Mutex
	count map[string]int
	total int
}

func (r *runs) receiver(name string) func(context.Context, *anymail.TrackingEvent) error {
	return func(_ context.Context, ev *anymail.TrackingEvent) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.count[name+" "+ev.Key]++
		r.total++
		return nil
	}
}

// await returns when the receivers have run n times more.
func (r *runs) await(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	target := r.total + n
	r.mu.Unlock()
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.total >= target
	}, time.Minute, time.Millisecond)
}

// The server is stopped and killed while batches run. Each batch is posted until
// it is answered 200, as an ESP does. Every receiver then has run once on every
// event.
func TestServerStoppedAndKilledInABatch(t *testing.T) {
	const posters, batch, receivers = 4, 200, 2
	srv := newServer(t)
	store, _ := database{"pgx", srv.dsn(), sqlstore.DefaultTable}.open(t)
	r := &runs{count: map[string]int{}}
	d := dispatcher(t, store, r.receiver("one"), r.receiver("two"))

	stopped := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var answered []string
	statuses := map[int]int{}
	for p := range posters {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopped:
					return
				default:
				}
				keys := make([]string, batch)
				for i := range keys {
					keys[i] = fmt.Sprintf("%d-%d-%d", p, n, i)
				}
				for {
					status := post(d, strings.Join(keys, "\n"))
					mu.Lock()
					statuses[status]++
					mu.Unlock()
					if status == http.StatusOK {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				mu.Lock()
				answered = append(answered, keys...)
				mu.Unlock()
			}
		})
	}
	outages := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL, syscall.SIGINT, syscall.SIGKILL}
	for _, signal := range outages {
		r.await(t, posters*batch/2)
		srv.stop(signal)
		srv.start(t)
	}
	r.await(t, posters*batch/2)
	close(stopped)
	wg.Wait()

	require.NotEmpty(t, answered)
	for _, key := range answered {
		for _, name := range []string{"one", "two"} {
			require.Positive(t, r.count[name+" "+key], "%s %s", name, key)
		}
	}
	again := 0
	for _, n := range r.count {
		again += n - 1
	}
	t.Logf("%d events answered, %d outages, %d runs again, statuses %v", len(answered), len(outages), again, statuses)
	require.Zero(t, again)
	require.Positive(t, statuses[http.StatusServiceUnavailable])
	require.Len(t, statuses, 2, "only 200 and 503: %v", statuses)
	require.Len(t, r.count, receivers*len(answered))
}
