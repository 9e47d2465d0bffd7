package gateway_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/simulator"
)

// freePort returns a port that is free at an address of this machine.
func freePort(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// startCaddy starts Caddy with the configuration for two gateways in
// docs/deploying.md, and returns its base URL.
func startCaddy(t *testing.T, program string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/deploying.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```caddyfile\n([^`]*health_uri[^`]*)```").FindStringSubmatch(string(text))
	require.NotNil(t, found)
	dir, address := t.TempDir(), "127.0.0.1:"+freePort(t, "127.0.0.1")
	config := strings.NewReplacer(append(replace, "hooks.example.com", "http://"+address)...).Replace(found[1])
	cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config", write(t, dir, "Caddyfile", "{\nadmin off\n}\n"+config))
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("Caddy:\n%s", text)
		}
	})
	return "http://" + address + "/anymail"
}

// load posts events through a proxy, one after the other in several clients, and
// counts the statuses of the answers.
type load struct {
	mu       sync.Mutex
	statuses map[int]int
	failures []error
	sent     map[string]bool // the ids of messages
	ended    chan struct{}
	clients  sync.WaitGroup
	posted   atomic.Int64
}

func startLoad(t *testing.T, base string) *load {
	t.Helper()
	l := &load{statuses: map[int]int{}, sent: map[string]bool{}, ended: make(chan struct{})}
	for range 4 {
		e := newESP(t, "postmark")
		l.clients.Go(func() {
			for {
				select {
				case <-l.ended:
					return
				default:
				}
				params := simulator.NewParams()
				status, err := do(e.request(t, base, sharedSecret, params))
				l.mu.Lock()
				l.statuses[status]++
				l.sent[params.MessageID] = true
				if err != nil {
					l.failures = append(l.failures, err)
				}
				l.mu.Unlock()
				l.posted.Add(1)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return l
}

// more waits until more requests were answered.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	want := l.posted.Load() + n
	require.Eventually(t, func() bool { return l.posted.Load() >= want }, patience, 10*time.Millisecond)
}

func (l *load) stop() {
	close(l.ended)
	l.clients.Wait()
}

// While one gateway after the other is replaced, the proxy's clients see no
// failure, and each event arrives once.
func TestRollingUpdate(t *testing.T) {
	program := os.Getenv("ANYMAIL_TEST_CADDY")
	if program == "" {
		t.Skip("ANYMAIL_TEST_CADDY is not set")
	}
	const first, second = "127.0.0.2", "127.0.0.3"
	webhooks, admin := freePort(t, first), freePort(t, first)
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", "shared_secrets: "+sharedSecret+"\nshutdown_delay: 2s\n")
	start := func(address string) *process {
		return serve(t, dir, "ANYMAIL_LISTEN="+address+":"+webhooks, "ANYMAIL_ADMIN="+address+":"+admin)
	}
	running := map[string]*process{first: start(first), second: start(second)}
	all := []*process{running[first], running[second]}
	base := startCaddy(t, program, "10.0.0.1:8026", first+":"+webhooks, "10.0.0.2:8026", second+":"+webhooks,
		"8027", admin, "health_interval 1s", "health_interval 100ms")
	u, err := url.Parse(base)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", u.Host)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, patience, 20*time.Millisecond)

	l := startLoad(t, base)
	served := func(p *process) func() bool {
		return func() bool { return len(p.stdout.String()) > 0 }
	}
	for _, p := range all {
		require.Eventually(t, served(p), patience, 20*time.Millisecond, "both get requests")
	}
	for _, address := range []string{first, second} {
		old := running[address]
		require.NoError(t, old.cmd.Process.Signal(syscall.SIGTERM))
		old.stderr.wait(t, "the delay", contains("still accepting"))
		status, body := get(t, old.admin+"/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status, body)
		require.Equal(t, 200, newESP(t, "postmark").post(t, old.base, sharedSecret, simulator.NewParams()), "it still accepts requests")
		require.NoError(t, old.wait(t))
		fresh := start(address)
		all, running[address] = append(all, fresh), fresh
		require.Eventually(t, served(fresh), patience, 20*time.Millisecond, "the new one gets requests")
	}
	l.more(t, 20)
	l.stop()
	require.Empty(t, l.failures)
	require.Equal(t, map[int]int{200: len(l.sent)}, l.statuses)
	for _, p := range running {
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	}
	for _, p := range running {
		require.NoError(t, p.wait(t))
	}
	arrived := map[string]int{}
	for _, p := range all {
		for _, ev := range p.events(t, 0) {
			arrived[ev.(*anymail.TrackingEvent).MessageID]++
		}
	}
	for id := range l.sent {
		require.Equal(t, 1, arrived[id], "%s of %d", id, len(l.sent))
	}
	t.Log(fmt.Sprint(len(l.sent), " requests, each answered with 200; each event arrived once"))
}
