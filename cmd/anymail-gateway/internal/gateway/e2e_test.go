package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// binary is the program, built as the documentation describes.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "anymail-gateway")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "anymail-gateway")
	build := exec.Command("go", "build", "-o", binary, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience bounds every wait; nothing depends on how long it takes.
const patience = 2 * time.Minute

// buffer keeps the lines that a process writes.
type buffer struct {
	mu      sync.Mutex
	lines   []string
	ended   bool
	changed chan struct{}
}

func (b *buffer) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		b.mu.Lock()
		if err == nil {
			b.lines = append(b.lines, strings.TrimSuffix(line, "\n"))
		}
		b.ended = err != nil
		close(b.changed)
		b.changed = make(chan struct{})
		b.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (b *buffer) get() (lines []string, ended bool, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[:len(b.lines):len(b.lines)], b.ended, b.changed
}

func (b *buffer) String() string {
	lines, _, _ := b.get()
	return strings.Join(lines, "\n")
}

// wait waits until there are enough lines.
func (b *buffer) wait(t *testing.T, what string, enough func([]string) bool) []string {
	t.Helper()
	timeout := time.After(patience)
	for {
		lines, ended, changed := b.get()
		if enough(lines) {
			return lines
		}
		if ended {
			t.Fatalf("it ended without %s", what)
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("waited in vain for %s in:\n%s", what, b)
		}
	}
}

func contains(text string) func([]string) bool {
	return func(lines []string) bool { return strings.Contains(strings.Join(lines, "\n"), text) }
}

// process is a running "anymail-gateway serve".
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *buffer
	base, admin    string
	exited         chan error
}

var listening = regexp.MustCompile(`listening" webhooks=(\S+) admin=(\S+)`)

// serve starts the gateway in a directory, on free ports and with no other
// environment than env.
func serve(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, "serve"), exited: make(chan error, 1)}
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "ANYMAIL_LISTEN=127.0.0.1:0", "ANYMAIL_ADMIN=127.0.0.1:0"}, env...)
	p.stdout, p.stderr = &buffer{changed: make(chan struct{})}, &buffer{changed: make(chan struct{})}
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	info, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	var readers sync.WaitGroup
	readers.Go(func() { p.stdout.read(out) })
	readers.Go(func() { p.stderr.read(info) })
	done := make(chan struct{})
	go func() {
		readers.Wait()
		p.exited <- p.cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-done
		if t.Failed() {
			t.Logf("standard error of the gateway:\n%s", p.stderr)
		}
	})
	lines := p.stderr.wait(t, "the address", func(lines []string) bool { return listening.MatchString(strings.Join(lines, "\n")) })
	found := listening.FindStringSubmatch(strings.Join(lines, "\n"))
	p.base, p.admin = "http://"+found[1]+"/anymail", "http://"+found[2]
	return p
}

// stop stops the gateway and returns its exit error.
func (p *process) stop(t *testing.T) error {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.wait(t)
}

func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.exited:
		return err
	case <-time.After(patience):
		t.Fatal("the gateway does not end")
		return nil
	}
}

// events waits for n events on standard output.
func (p *process) events(t *testing.T, n int) []anymail.Event {
	t.Helper()
	lines := p.stdout.wait(t, fmt.Sprint(n, " events"), func(lines []string) bool { return len(lines) >= n })
	events := make([]anymail.Event, len(lines))
	for i, line := range lines {
		var err error
		events[i], err = anymail.DecodeEvent([]byte(line))
		require.NoError(t, err)
	}
	return events
}

// esp is a simulated ESP.
type esp struct {
	*simulator.Simulator
	name       string // of the account; empty for the ESP's
	credential simulator.Credential
}

func newESP(t *testing.T, name string) esp {
	t.Helper()
	sim := allsim.Find(name)
	require.NotNil(t, sim, name)
	e := esp{Simulator: sim}
	if sim.NewCredential != nil {
		e.credential = sim.NewCredential()
	}
	return e
}

// request returns the first sample with one event, a tracking event, addressed and signed.
func (e esp) request(t *testing.T, base, secret string, params simulator.Params) *http.Request {
	t.Helper()
	for _, sample := range e.Samples {
		if len(sample.Types) != 1 || sample.Types[0] == anymail.EventInbound {
			continue
		}
		w := simulator.Webhook{Simulator: e.Simulator, Name: e.name, URL: base, Secret: secret, Credential: e.credential}
		r, err := w.Sign(sample.Make(params))
		require.NoError(t, err)
		req, err := r.HTTP()
		require.NoError(t, err)
		return req
	}
	t.Fatalf("%s has no sample", e.ESP)
	return nil
}

// post posts that request and returns the status.
func (e esp) post(t *testing.T, base, secret string, params simulator.Params) int {
	t.Helper()
	status, err := do(e.request(t, base, secret, params))
	require.NoError(t, err)
	return status
}

func do(req *http.Request) (status int, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

var client = &http.Client{Timeout: patience}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// run runs another command of the program to its end.
func run(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, info bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, &out, &info, []string{"PATH=" + os.Getenv("PATH")}
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		code = exit.ExitCode()
	}
	return code, out.String(), info.String()
}

func TestServeInAnEmptyDirectory(t *testing.T) {
	p := serve(t, t.TempDir())
	said := p.stderr.String()
	secret := regexp.MustCompile(`(?m)^  (anymail:\S+)$`).FindStringSubmatch(said)
	require.NotNil(t, secret, said)
	require.Contains(t, said, strings.Replace(p.base, "://", "://"+secret[1]+"@", 1)+"/mailgun/tracking/\n")
	n := 0
	for _, sim := range allsim.List() {
		switch sim.ESP {
		case "amazonses", "scaleway":
			continue // the signature needs a certificate from the ESP
		case "relay":
			continue // it reports no events
		}
		e := newESP(t, sim.ESP)
		refused := 400
		if sim.ESP == "azure" {
			refused = 503 // the one refusal that Event Grid repeats
		}
		require.Equal(t, refused, e.post(t, p.base, "anymail:0123456789abcdefghij", simulator.NewParams()), e.ESP)
		require.Equal(t, 200, e.post(t, p.base, secret[1], simulator.NewParams()), e.ESP)
		n++
		got := p.events(t, n)
		require.Len(t, got, n)
		require.Equal(t, e.ESP, got[n-1].Base().ESP)
	}
	require.NoError(t, p.stop(t), "it ends with status 0")
	require.Len(t, p.events(t, n), n)
}

func TestServeVerifiesSignatures(t *testing.T) {
	dir := t.TempDir()
	config := "adapters:\n"
	var esps []esp
	for name, setting := range map[string]string{"mailgun": "signing_keys", "sendgrid": "tracking_signing_keys", "resend": "tracking_signing_keys"} {
		e := newESP(t, name)
		esps = append(esps, e)
		file := write(t, dir, name, e.credential.Config+"\n")
		config += fmt.Sprintf("  - {esp: %s, settings: {%s_file: %s}%s}\n", name, setting, file,
			map[bool]string{true: ", insecure: true"}[name == "sendgrid"]) // its inbound endpoint has no key here
	}
	write(t, dir, "anymail.yaml", config)
	p := serve(t, dir)
	for i, e := range esps {
		forger := newESP(t, e.ESP)
		require.Equal(t, 400, forger.post(t, p.base, "", simulator.NewParams()), e.ESP)
		params := simulator.NewParams()
		require.Equal(t, 200, e.post(t, p.base, "", params), e.ESP)
		got := p.events(t, i+1)
		require.Len(t, got, i+1, "no forged event")
		require.Equal(t, e.ESP, got[i].Base().ESP)
		require.Equal(t, params.Recipient, got[i].(*anymail.TrackingEvent).Recipient)
	}
}

// A refused request is kept before the gateway ends.
func TestServeKeepsRefusedRequests(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "refused")
	e := newESP(t, "mailgun")
	write(t, dir, "anymail.yaml", "adapters: [{esp: mailgun, settings: {signing_keys: a-key-of-another-account}}]\nrefused: {dir: "+kept+"}\n")
	p := serve(t, dir)
	require.Equal(t, 400, e.post(t, p.base, "", simulator.NewParams()))
	require.NoError(t, p.stop(t))
	names, err := filepath.Glob(filepath.Join(kept, "*-mailgun-tracking-signature-mismatch.http"))
	require.NoError(t, err)
	require.Len(t, names, 1)
}

// hook is the destination of a webhook sink.
type hook struct {
	*httptest.Server
	status func(anymail.Event) int

	mu      sync.Mutex
	tried   map[string]int // by key
	done    map[string]int
	badly   []error
	changed chan struct{}
}

func newHook(t *testing.T, status func(anymail.Event) int) *hook {
	h := &hook{status: status, tried: map[string]int{}, done: map[string]int{}, changed: make(chan struct{})}
	official, err := standardwebhooks.NewWebhook(whsec)
	require.NoError(t, err)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = official.Verify(body, r.Header)
		}
		var ev anymail.Event
		if err == nil {
			ev, err = anymail.DecodeEvent(body)
		}
		if err != nil {
			h.count(func() { h.badly = append(h.badly, err) })
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.count(func() { h.tried[ev.Base().Key]++ })
		status := h.status(ev)
		w.WriteHeader(status)
		if status == http.StatusOK {
			h.count(func() { h.done[ev.Base().Key]++ })
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) count(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *hook) wait(t *testing.T, what string, enough func() bool) {
	t.Helper()
	timeout := time.After(patience + time.Minute)
	for {
		h.mu.Lock()
		ok, badly, changed := enough(), h.badly, h.changed
		h.mu.Unlock()
		require.Empty(t, badly)
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Fatalf("waited in vain for %s; tried %v, done %v", what, h.tried, h.done)
		}
	}
}

const webhookConfig = `
shared_secrets: ` + sharedSecret + `
sinks:
  - {type: webhook, name: crm, secrets: ` + whsec + `, url: "%s"}
`

func TestWebhookSinkThatFailsMakesTheESPRetry(t *testing.T) {
	var mu sync.Mutex
	fail := true
	h := newHook(t, func(anymail.Event) int {
		mu.Lock()
		defer mu.Unlock()
		if fail {
			return http.StatusBadGateway
		}
		return http.StatusOK
	})
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", fmt.Sprintf(webhookConfig, h.URL))
	p := serve(t, dir)
	e, params := newESP(t, "postmark"), simulator.NewParams()
	require.Equal(t, 500, e.post(t, p.base, sharedSecret, params))
	mu.Lock()
	fail = false
	mu.Unlock()
	require.Equal(t, 200, e.post(t, p.base, sharedSecret, params))
	require.Equal(t, 200, e.post(t, p.base, sharedSecret, params), "a redelivery does nothing")
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Empty(t, h.badly)
	require.Len(t, h.done, 1)
	for _, n := range h.tried {
		require.Equal(t, 2, n)
	}
}

// Events accepted before a SIGKILL are delivered after it. The job that was running
// stays in the queue until it is certain that no process runs it: the tests of
// package durable wait for that.
func TestKilledGatewayLosesNothing(t *testing.T) {
	killed := make(chan struct{})
	h := newHook(t, func(anymail.Event) int {
		select {
		case <-killed:
			return http.StatusOK
		default:
			<-killed
			return http.StatusServiceUnavailable
		}
	})
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", fmt.Sprintf(webhookConfig, h.URL)+"queue: sqlite:events.db\nidempotency: sqlite:events.db\ndelivery: {workers: 1}\n")
	p := serve(t, dir)
	e := newESP(t, "postmark")
	const n = 30
	for range n {
		require.Equal(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()))
	}
	h.wait(t, "the first call", func() bool { return len(h.tried) == 1 })
	require.NoError(t, p.cmd.Process.Kill()) // SIGKILL
	require.Error(t, p.wait(t))
	close(killed)
	p = serve(t, dir)
	h.wait(t, "all events but one", func() bool { return len(h.done) == n-1 })
	require.Eventually(t, func() bool {
		_, body := get(t, p.admin+"/metrics")
		return strings.Contains(body, `anymail_queue_jobs{sink="crm",state="running"} 1`+"\n") && strings.Contains(body, `anymail_queue_jobs{sink="crm",state="pending"} 0`+"\n")
	}, patience, 100*time.Millisecond, "the other one is still in the queue")
	require.NoError(t, p.stop(t))
}

func TestDeadLetters(t *testing.T) {
	var mu sync.Mutex
	working := false
	h := newHook(t, func(anymail.Event) int {
		mu.Lock()
		defer mu.Unlock()
		if !working {
			return http.StatusTeapot
		}
		return http.StatusOK
	})
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", fmt.Sprintf(webhookConfig, h.URL)+"queue: sqlite:events.db\ndelivery: {max_attempts: 1}\n")
	p := serve(t, dir)
	e := newESP(t, "postmark")
	for range 3 {
		require.Equal(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()))
	}
	type job struct {
		ID       int64  `json:"id"`
		Receiver string `json:"receiver"`
		Key      string `json:"key"`
	}
	var jobs []job
	for until := time.Now().Add(patience); len(jobs) < 3; time.Sleep(100 * time.Millisecond) {
		require.True(t, time.Now().Before(until), "no dead letters")
		code, out, info := run(t, dir, "dead", "list", "--json")
		require.Zero(t, code, info)
		require.NoError(t, json.Unmarshal([]byte(out), &jobs))
	}
	require.Equal(t, "crm", jobs[0].Receiver)

	code, out, info := run(t, dir, "dead", "list", "--queue", "sqlite:events.db", "--sink", "crm")
	require.Zero(t, code, info)
	require.Empty(t, info, "it logs nothing")
	require.Contains(t, out, jobs[2].Key)
	require.Contains(t, out, "webhook answered 418")

	code, out, info = run(t, dir, "dead", "show", fmt.Sprint(jobs[0].ID))
	require.Zero(t, code, info)
	var shown struct{ Event json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	ev, err := anymail.DecodeEvent(shown.Event)
	require.NoError(t, err)
	require.Equal(t, jobs[0].Key, ev.Base().Key)

	code, _, info = run(t, dir, "dead", "delete", fmt.Sprint(jobs[0].ID))
	require.Zero(t, code, info)
	mu.Lock()
	working = true
	mu.Unlock()
	code, _, info = run(t, dir, "dead", "retry", fmt.Sprint(jobs[1].ID))
	require.Zero(t, code, info)
	h.wait(t, "the first retry", func() bool { return h.done[jobs[1].Key] == 1 })
	code, out, info = run(t, dir, "dead", "retry", "--all")
	require.Zero(t, code, info)
	require.Equal(t, "retrying 1\n", out)
	h.wait(t, "the second retry", func() bool { return h.done[jobs[2].Key] == 1 })
	h.mu.Lock()
	require.Zero(t, h.done[jobs[0].Key], "what was deleted is not delivered")
	h.mu.Unlock()

	code, out, info = run(t, dir, "dead", "list", "--state", "done")
	require.Zero(t, code, info)
	require.Contains(t, out, jobs[1].Key)
	require.Contains(t, out, jobs[2].Key)
	code, _, info = run(t, dir, "dead", "retry", fmt.Sprint(jobs[1].ID))
	require.Equal(t, 1, code)
	require.Contains(t, info, "the job is done: the sink crm got its event at 20")

	mu.Lock()
	working = false
	mu.Unlock()
	for range 2 {
		require.Equal(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()))
	}
	h.wait(t, "two more attempts", func() bool { return len(h.tried) == 5 })
	deletes := func(want string, wantCode int, flags ...string) {
		t.Helper()
		require.Eventually(t, func() bool { // the last attempt may not be stored yet
			code, out, info := run(t, dir, append([]string{"dead", "delete"}, flags...)...)
			return code == wantCode && strings.Contains(out+info, want)
		}, patience, 100*time.Millisecond, "%s %v", want, flags)
	}
	deletes("2 dead letters would be deleted; confirm it with --yes", 2, "--all")
	deletes("deleted 0\n", 0, "--before", "1h", "--yes")
	deletes("deleted 0\n", 0, "--sink", "other", "--yes")
	deletes("deleted 2\n", 0, "--sink", "crm", "--yes")
	deletes("deleted 0\n", 0, "--all")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.db"), nil, 0o600))
	code, _, info = run(t, dir, "dead", "list", "--queue", "sqlite:empty.db")
	require.Equal(t, 1, code)
	require.Contains(t, info, "tables are missing")
	for _, wrong := range [][]string{
		{"dead", "list", "--state", "odd"},
		{"dead", "delete"},
		{"dead", "delete", "--all", "1"},
		{"dead", "delete", "--before", "yesterday", "--yes"},
		{"dead", "list", "--queue", "sqlite:missing.db"},
		{"dead", "list", "--queue", "redis:"},
		{"dead", "retry"},
		{"dead", "retry", "x"},
		{"dead", "show"},
	} {
		code, _, info := run(t, dir, wrong...)
		require.Equal(t, 2, code, "%v: %s", wrong, info)
	}
	require.NoFileExists(t, filepath.Join(dir, "missing.db"))
	require.NoError(t, p.stop(t))
}

func TestGracefulStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := newHook(t, func(anymail.Event) int {
		close(entered) // there is only one
		<-release
		return http.StatusOK
	})
	released := false
	defer func() {
		if !released {
			close(release)
		}
	}()
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", fmt.Sprintf(webhookConfig, h.URL))
	p := serve(t, dir)
	e := newESP(t, "postmark")
	status, body := get(t, p.admin+"/readyz")
	require.Equal(t, 200, status, body)

	answered := make(chan int, 1)
	req := e.request(t, p.base, sharedSecret, simulator.NewParams())
	go func() {
		status, _ := do(req)
		answered <- status
	}()
	<-entered
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	// A request without the secret is 400 until it is 503.
	for until := time.Now().Add(patience); e.post(t, p.base, "", simulator.NewParams()) != 503; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(until), "it still accepts requests")
	}
	status, body = get(t, p.admin+"/readyz")
	require.Equal(t, 503, status)
	require.Contains(t, body, "shutting down")
	status, _ = get(t, p.admin+"/healthz")
	require.Equal(t, 200, status)

	released = true
	close(release)
	require.Equal(t, 200, <-answered, "the running request is finished")
	require.NoError(t, p.wait(t), "it ends with status 0")
}

func TestMetricsAndReadiness(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", "shared_secrets: "+sharedSecret+"\nqueue: sqlite:events.db\n")
	p := serve(t, dir)
	e := newESP(t, "postmark")
	require.Equal(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()))
	require.Equal(t, 400, e.post(t, p.base, otherSecret, simulator.NewParams()))
	p.events(t, 1)
	status, body := get(t, p.admin+"/healthz")
	require.Equal(t, 200, status)
	require.Equal(t, "ok\n", body)
	status, body = get(t, p.admin+"/readyz")
	require.Equal(t, 200, status)
	require.Equal(t, "ready\n", body)
	status, body = get(t, p.admin+"/metrics")
	require.Equal(t, 200, status)
	for _, series := range []string{
		`anymail_requests_total{adapter="postmark",endpoint="tracking",esp="postmark",status="200"} 1`,
		`anymail_requests_total{adapter="postmark",endpoint="tracking",esp="postmark",status="400"} 1`,
		`anymail_requests_refused_total{adapter="postmark",endpoint="tracking",esp="postmark",reason="wrong shared secret"} 1`,
		`anymail_request_duration_seconds_count{endpoint="tracking",esp="postmark"} 2`,
		`anymail_event_outcomes_total{esp="postmark",outcome="queued"} 1`,
		`anymail_key_matches_total{adapter="postmark",endpoint="tracking",index="0",use="secret"} 1`,
		`anymail_sink_attempts_total{outcome="ok",sink="stdout"} 1`,
		`anymail_sink_attempt_duration_seconds_count{sink="stdout"} 1`,
		`anymail_queue_up 1`,
		`anymail_queue_jobs{sink="stdout",state="dead"} 0`,
		`anymail_queue_lag_seconds{sink="stdout"} `,
		`anymail_config_last_reload_successful 1`,
		`process_resident_memory_bytes `,
	} {
		require.Contains(t, body, "\n"+series)
	}
	require.Empty(t, cmp.Diff(documentedMetrics(t), exposedMetrics(body)), "docs/gateway.md and what is exposed")
	require.NotContains(t, body, "example.", "nothing of a payload")
	status, _ = get(t, strings.TrimSuffix(p.base, "/anymail")+"/metrics")
	require.Equal(t, 404, status, "not on the public address")
}

// documentedMetrics returns the labels of each metric in docs/gateway.md.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/gateway.md")
	require.NoError(t, err)
	metrics := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(anymail_[a-z_]+)` \\| ([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		metrics[row[1]] = slices.Sorted(slices.Values(regexp.MustCompile(`\w+`).FindAllString(row[2], -1)))
	}
	return metrics
}

// exposedMetrics returns the labels of each anymail_ metric in an answer of
// /metrics, without those that make up a histogram.
func exposedMetrics(body string) map[string][]string {
	metrics := map[string][]string{}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (anymail_\w+) (\w+)\n(\w+)(?:\{(.*)\})? `).FindAllStringSubmatch(body, -1) {
		var labels []string
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(found[4], -1) {
			if label[1] != "le" {
				labels = append(labels, label[1])
			}
		}
		metrics[found[1]] = labels
	}
	return metrics
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "secrets", sharedSecret)
	write(t, dir, "anymail.yaml", "shared_secrets_file: secrets\n")
	p := serve(t, dir)
	e := newESP(t, "postmark")
	require.Equal(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()))

	write(t, dir, "secrets", "weak")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.stderr.wait(t, "the refusal", contains("not reloaded"))
	_, body := get(t, p.admin+"/metrics")
	require.Contains(t, body, "\nanymail_config_last_reload_successful 0\n")
	require.Equal(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()), "nothing changed")

	write(t, dir, "secrets", otherSecret)
	write(t, dir, "anymail.yaml", "shared_secrets_file: secrets\nstop_timeout: 5s\n")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.stderr.wait(t, "the reload", contains(`msg="anymail: reloaded"`))
	_, body = get(t, p.admin+"/metrics")
	require.Contains(t, body, "\nanymail_config_last_reload_successful 1\n")
	require.Equal(t, 400, e.post(t, p.base, sharedSecret, simulator.NewParams()))
	require.Equal(t, 200, e.post(t, p.base, otherSecret, simulator.NewParams()))
	p.stderr.wait(t, "what needs a restart", contains("after a restart\" key=stop_timeout"))
	p.events(t, 3)
	require.NoError(t, p.stop(t))
}

func TestReloadKeepsTheSecretThatWasMade(t *testing.T) {
	p := serve(t, t.TempDir())
	secret := regexp.MustCompile(`(?m)^  (anymail:\S+)$`).FindStringSubmatch(p.stderr.String())
	require.NotNil(t, secret)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.stderr.wait(t, "the reload", contains(`msg="anymail: reloaded"`))
	require.Equal(t, 200, newESP(t, "postmark").post(t, p.base, secret[1], simulator.NewParams()))
}

func TestTraces(t *testing.T) {
	got := make(chan []byte, 16)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && r.URL.Path == "/v1/traces" {
			select {
			case got <- body:
			default:
			}
		}
	}))
	defer collector.Close()
	p := serve(t, t.TempDir(), "ANYMAIL_SHARED_SECRETS="+sharedSecret, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_SERVICE_NAME=mail-hooks")
	require.Equal(t, 200, newESP(t, "postmark").post(t, p.base, sharedSecret, simulator.NewParams()))
	require.NoError(t, p.stop(t), "the spans are sent at the end")
	body := <-got
	require.Contains(t, string(body), "mail-hooks")
	require.Contains(t, string(body), "postmark")
}

// writeCertificate writes cert.pem and key.pem for 127.0.0.1.
func writeCertificate(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	require.NoError(t, err)
	return pair
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate := writeCertificate(t, dir)
	write(t, dir, "anymail.yaml", "tls: {cert: cert.pem, key: key.pem}\nrequire_tls: true\nshared_secrets: "+sharedSecret+"\n")
	p := serve(t, dir)
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	tlsClient := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := tlsClient.Head(strings.Replace(p.base, "http://", "https://", 1) + "/postmark/tracking/")
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
}

// Events go to a cluster that requires TLS and a password, and are read from it.
func TestKafkaSink(t *testing.T) {
	dir := t.TempDir()
	certificate := writeCertificate(t, dir)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(3, "mail"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "gateway", "pass"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	write(t, dir, "broker", "kafkas://gateway:pass@"+strings.Join(cluster.ListenAddrs(), ",")+"?sasl=scram-sha-512")
	write(t, dir, "anymail.yaml", "shared_secrets: "+sharedSecret+"\nsinks: [{type: kafka, url_file: broker, topic: mail, timeout: 5s}]\n")
	p := serve(t, dir, "SSL_CERT_FILE=cert.pem")
	status, body := get(t, p.admin+"/readyz")
	require.Equal(t, 200, status, body)
	e := newESP(t, "postmark")
	recipients := map[string]bool{}
	for range 5 {
		params := simulator.NewParams()
		recipients[params.Recipient] = true
		require.Equal(t, 200, e.post(t, p.base, sharedSecret, params))
	}

	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DialTLSConfig(&tls.Config{RootCAs: roots}),
		kgo.SASL(scram.Auth{User: "gateway", Pass: "pass"}.AsSha512Mechanism()), kgo.ConsumeTopics("mail"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(recipients) > 0 {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		for _, record := range fetches.Records() {
			ev, err := anymail.DecodeEvent(record.Value)
			require.NoError(t, err)
			delete(recipients, ev.(*anymail.TrackingEvent).Recipient)
		}
	}

	cluster.Close()
	require.NotEqual(t, 200, e.post(t, p.base, sharedSecret, simulator.NewParams()))
	status, body = get(t, p.admin+"/readyz")
	require.Equal(t, 503, status)
	require.Contains(t, body, "the sink kafka cannot work: ")
	require.NoError(t, p.stop(t))
	require.NotContains(t, p.stderr.String(), "pass@")
}

func TestCheckCommand(t *testing.T) {
	dir := t.TempDir()
	code, out, info := run(t, dir, "check")
	require.Zero(t, code, info)
	require.Equal(t, fmt.Sprintf("ok: %d adapters, 1 sinks\n", len(all.Specs())), out)

	write(t, dir, "anymail.yaml", "listn: :1\n")
	code, _, info = run(t, dir, "check")
	require.Equal(t, 2, code)
	require.Contains(t, info, "anymail.yaml:1: listn: unknown key (did you mean listen?)")

	code, _, info = run(t, dir, "check", "--config", "missing.yaml")
	require.Equal(t, 2, code)
	require.Contains(t, info, "missing.yaml")

	write(t, dir, "other.yaml", "adapters: [{esp: postmark}]\n")
	code, _, info = run(t, dir, "check", "--config", "other.yaml")
	require.Equal(t, 2, code)
	require.Contains(t, info, `adapters[0]: `)
	require.Contains(t, info, "any client could post")

	// Values of variables are in no output.
	write(t, dir, "variable.yaml", "listen: ${PATH}\n")
	code, out, info = run(t, dir, "check", "--config", "variable.yaml")
	require.Equal(t, 2, code)
	require.Contains(t, info, "variable.yaml:1: listen: must be an address")
	require.NotContains(t, out+info, os.Getenv("PATH"))
}

// check --connect names the sinks that cannot work, and delivers nothing.
func TestCheckConnect(t *testing.T) {
	redis := os.Getenv("ANYMAIL_TEST_REDIS")
	if redis == "" {
		t.Skip("ANYMAIL_TEST_REDIS is not set")
	}
	asked := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method }))
	defer srv.Close()
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", "sinks:\n- {type: stdout}\n- {type: redis, topic: anymail_no_such_stream, url: 'redis://"+redis+"'}\n- {type: webhook, secrets: "+whsec+", url: "+srv.URL+"}\n")
	code, out, info := run(t, dir, "check", "--connect")
	require.Zero(t, code, info)
	require.Contains(t, out, "3 sinks")
	require.Equal(t, "HEAD", <-asked)
	require.Empty(t, asked)

	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	write(t, dir, "anymail.yaml", "sinks:\n- {type: kafka, topic: missing, url: 'kafka://"+cluster.ListenAddrs()[0]+"'}\n"+
		"- {type: webhook, secrets: "+whsec+", url: '"+closed.URL+"/SECRET'}\n- {type: redis, topic: a, url: '"+strings.Replace(closed.URL, "http://", "redis://u:SECRET@", 1)+"'}\n")
	code, out, info = run(t, dir, "check", "--connect")
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.Contains(t, info, "the sink kafka cannot work: the topic missing: UNKNOWN_TOPIC_OR_PARTITION")
	require.Contains(t, info, "the sink webhook cannot work: no answer")
	require.Contains(t, info, "the sink redis cannot work: dial tcp ")
	require.NotContains(t, info, "SECRET")
}

// Events and secrets in files are for the owner alone.
func TestFilesAreForTheOwner(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", "shared_secrets: "+sharedSecret+"\nqueue: sqlite:queue.db\nidempotency: sqlite:done.db\nrefused: {dir: refused}\nsinks: [{type: stdout, attachments: {directory: a/b}}]\n")
	p := serve(t, dir)
	require.Equal(t, 200, newESP(t, "postmark").post(t, p.base, sharedSecret, simulator.NewParams()))
	modes := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir || entry.Name() == "anymail.yaml" {
			return err
		}
		info, err := entry.Info()
		modes[entry.Name()] = info.Mode().String()
		return err
	}))
	require.Equal(t, map[string]string{
		"queue.db": "-rw-------", "queue.db-wal": "-rw-------", "queue.db-shm": "-rw-------",
		"done.db": "-rw-------", "done.db-wal": "-rw-------", "done.db-shm": "-rw-------",
		"refused": "drwx------", "a": "drwx------", "b": "drwx------",
	}, modes)
	require.NoError(t, p.stop(t))
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dir := t.TempDir()
	write(t, dir, "anymail.yaml", "listen: "+l.Addr().String()+"\nadmin: off\n")
	code, _, info := run(t, dir, "serve")
	require.Equal(t, 1, code)
	require.Contains(t, info, "listen: ")
	require.Contains(t, info, "in use")
}

// schema is a schema of its own in PostgreSQL.
type schema struct {
	name, dsn string
	server    string  // the dsn without the schema
	db        *sql.DB // without the schema
}

func newSchema(t *testing.T) schema {
	t.Helper()
	s := schema{name: fmt.Sprintf("gateway_%d", time.Now().UnixNano()), server: os.Getenv("ANYMAIL_TEST_POSTGRES")}
	if s.server == "" {
		t.Skip("ANYMAIL_TEST_POSTGRES is not set")
	}
	u, err := url.Parse(s.server)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", s.name)
	u.RawQuery = query.Encode()
	s.dsn = u.String()
	s.db, err = sql.Open("pgx", s.server)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.db.Close() })
	_, err = s.db.Exec("CREATE SCHEMA " + s.name)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = s.db.Exec("DROP SCHEMA " + s.name + " CASCADE") })
	return s
}

// Two gateways share a database: either delivers, once, what one accepts.
func TestTwoGatewaysOnOnePostgres(t *testing.T) {
	schema := newSchema(t)
	h := newHook(t, func(anymail.Event) int { return http.StatusOK })
	dir := t.TempDir()
	write(t, dir, "database", schema.dsn)
	write(t, dir, "anymail.yaml", fmt.Sprintf(webhookConfig, h.URL)+"queue_file: database\nidempotency_file: database\n")
	first, second := serve(t, dir), serve(t, dir)
	e, params := newESP(t, "postmark"), simulator.NewParams()
	require.Equal(t, 200, e.post(t, first.base, sharedSecret, params))
	require.Equal(t, 200, e.post(t, second.base, sharedSecret, params), "a redelivery to the other one")
	require.Equal(t, 200, e.post(t, second.base, sharedSecret, simulator.NewParams()))
	h.wait(t, "both events", func() bool { return len(h.done) == 2 })
	status, body := get(t, second.admin+"/readyz")
	require.Equal(t, 200, status, body)
	require.NoError(t, first.stop(t))
	require.NoError(t, second.stop(t))
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, n := range h.done {
		require.Equal(t, 1, n, key)
	}
}
