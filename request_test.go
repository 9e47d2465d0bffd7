package anymail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// The test runs on the fake clock of synctest.
func TestRequestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithLimits(anymail.Limits{RequestTime: time.Minute}))
		require.NoError(t, err)
		require.NoError(t, d.Register("acme", newAcme()))
		ran := map[string]int{}
		stuck := true
		connect := func(name string, receive func(context.Context) error) {
			require.NoError(t, d.Tracking.Connect(name, func(ctx context.Context, _ *anymail.TrackingEvent) error {
				ran[name]++
				return receive(ctx)
			}))
		}
		connect("quick", func(context.Context) error { return nil })
		connect("stuck", func(ctx context.Context) error {
			if !stuck {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Hour):
				return nil
			}
		})
		connect("late", func(context.Context) error { return nil })
		post := func() int {
			p := newPost(delivered)
			r := httptest.NewRequestWithContext(t.Context(), p.method, "/acme/tracking", strings.NewReader(p.body))
			r.Header = p.header
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			return w.Code
		}
		began := time.Now()
		require.Equal(t, 500, post())
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, map[string]int{"quick": 1, "stuck": 1}, ran, "after the time limit no receiver starts")

		stuck = false
		require.Equal(t, 200, post(), "the retry succeeds")
		require.Equal(t, map[string]int{"quick": 1, "stuck": 2, "late": 1}, ran)
	})
}

// A receiver that is slower than the ESP's patience runs to its end, and what it
// did is recorded, so that the ESP's next attempt is answered with 200.
func TestClientGone(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Patience = time.Hour
	srv := newTestServer(t, a)
	entered, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var runs atomic.Int32
	require.NoError(t, srv.Tracking.Connect("slow", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		runs.Add(1)
		close(entered)
		<-release
		ended <- ctx.Err()
		return ctx.Err()
	}))
	send := func(ctx context.Context) (*http.Response, error) {
		p := newPost(delivered).sign("key", time.Now()) // each attempt is signed anew
		p.header.Set("X-Attempt", "1")
		req, err := http.NewRequestWithContext(ctx, p.method, srv.url+p.path, strings.NewReader(p.body))
		require.NoError(t, err)
		req.Header = p.header
		return http.DefaultClient.Do(req)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	resp, err := send(ctx)
	if err == nil {
		resp.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	time.Sleep(1100 * time.Millisecond) // so that the next attempt has another signature

	resp, err = send(t.Context())
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 503, resp.StatusCode, "the first attempt still runs")

	close(release)
	require.NoError(t, <-ended, "the client's going does not cancel the receiver")
	require.Eventually(t, func() bool {
		resp, err := send(t.Context())
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 5*time.Second, 100*time.Millisecond)
	require.EqualValues(t, 1, runs.Load())
	require.NoError(t, srv.Shutdown(t.Context()), "Shutdown waits for the request")
	require.Contains(t, srv.log.String(), "hung_up=true")
}

// A queue and an adapter's fetches go on as well when the ESP hangs up.
func TestClientGoneWithQueue(t *testing.T) {
	entered, release, stored := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	srv := newTestServer(t, newAcme("key"), anymail.WithQueue(contextQueue(func(ctx context.Context, _ []anymail.Event) error {
		close(entered)
		<-release
		stored <- ctx.Err()
		return ctx.Err()
	})))
	p := newPost(delivered).sign("key", time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, p.method, srv.url+p.path, strings.NewReader(p.body))
	require.NoError(t, err)
	req.Header = p.header
	go func() {
		<-entered
		cancel()
	}()
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	require.NoError(t, <-stored)
	require.NoError(t, srv.Shutdown(t.Context()))
}

// A timestamp outside the window is refused with figures that help to find the
// clock that is wrong.
func TestWindowIsExplained(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	for _, tt := range []struct {
		off  time.Duration
		want string
	}{
		{-7 * time.Minute, `it was signed 7m\d+s before it arrived, and the window is 5m0s`},
		{2 * time.Hour, `it was signed (2h0m0s|1h59m\d+s) after it arrived, and the window is 5m0s`},
	} {
		require.Equal(t, 400, srv.do(t, newPost(delivered).sign("key", time.Now().Add(tt.off))).StatusCode)
		err := srv.rejections[len(srv.rejections)-1].Err
		require.ErrorIs(t, err, anymail.ErrReplayed)
		require.Regexp(t, tt.want, err.Error())
	}
}

// A key that the ESP publishes proves nothing: nothing is remembered or run, and
// the request counts as a failure.
func TestPublishedTestKey(t *testing.T) {
	a := newAcme("key")
	own := a.endpoint.Verifier
	a.endpoint.Verifier = anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if p.Header.Get("X-Acme-Signature") == "test" {
			return anymail.Proof{TestKey: true, Fingerprint: []byte(p.Header.Get("X-Number"))}, nil
		}
		return own.Verify(ctx, p)
	})
	store := &faultyStore{IdempotencyStore: anymail.NewMemoryStore(0), claim: func() error { t.Error("remembered"); return nil }}
	srv := newTestServer(t, a, anymail.WithIdempotencyStore(store), anymail.WithoutSharedSecret(),
		anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 3}}))
	statuses := map[int]int{}
	for i := range 6 {
		statuses[srv.do(t, newPost(delivered).with("X-Acme-Signature", "test").with("X-Number", fmt.Sprint(i))).StatusCode]++
	}
	require.Equal(t, map[int]int{200: 3, 429: 3}, statuses)
	require.Empty(t, srv.take())
}

// What is answered with 200 and has no effect leaves a trace, and an operator can
// follow a rotation.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var results []anymail.RequestResult
	var log bytes.Buffer
	a := newAcme("newer", "older")
	srv := newTestServer(t, a, anymail.WithSharedSecret("esp:another-Long-Password", secret),
		anymail.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		anymail.WithHooks(anymail.Hooks{Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return ctx, func(r anymail.RequestResult) {
				mu.Lock()
				defer mu.Unlock()
				r.Events = nil
				results = append(results, r)
			}
		}}))
	require.NoError(t, srv.Tracking.Connect("bounces", func(context.Context, *anymail.TrackingEvent) error { return nil }, anymail.ForTypes(anymail.EventBounced)))
	send := func(body string, at time.Time) {
		require.Equal(t, 200, srv.do(t, newPost(body).sign("older", at)).StatusCode)
	}
	now := time.Now()
	send(delivered, now)
	send(delivered, now.Add(time.Second)) // redelivered, signed anew
	send(`[]`, now)
	require.True(t, srv.Tracking.Disconnect("keep"))
	send(`{"ID":"2","Event":"opened","Email":"ada@example.com"}`, now)
	require.NoError(t, srv.Shutdown(t.Context()))
	want := []anymail.RequestResult{
		{Status: 200, Key: 1, Secret: 1, Delivery: anymail.Delivery{Completed: 1}},
		{Status: 200, Key: 1, Secret: 1, Delivery: anymail.Delivery{Duplicates: 1}},
		{Status: 200, Key: 1, Secret: 1},
		{Status: 200, Key: 1, Secret: 1, Delivery: anymail.Delivery{Unreceived: 1}},
	}
	require.Equal(t, want, results)
	require.Contains(t, log.String(), `msg="anymail: request accepted" name=acme esp=acme endpoint=tracking status=200 method=POST events=1 completed=0 duplicates=1`)
	require.Contains(t, log.String(), `msg="anymail: request without events"`)
	require.Contains(t, log.String(), "unreceived=1")
}

// Mail that no receiver wants is gone, since its ESP does not keep it: a warning
// says so, with a queue as well.
func TestMailWithoutReceiver(t *testing.T) {
	queue := anymail.WithQueue(contextQueue(func(context.Context, []anymail.Event) error { return nil }))
	for name, options := range map[string][]anymail.Option{"no queue": nil, "queue": {queue}} {
		t.Run(name, func(t *testing.T) {
			a := newAcme("key")
			a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
				return []anymail.Event{&anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}}, nil
			})
			srv := newTestServer(t, a, options...)
			require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
			require.Contains(t, srv.log.String(), "level=WARN")
			require.Contains(t, srv.log.String(), "no receiver is connected for a received message")
			srv.log.Reset()
			require.NoError(t, srv.Inbound.Connect("desk", func(context.Context, *anymail.InboundEvent) error { return nil }))
			require.Equal(t, 200, srv.do(t, newPost(delivered+" ").sign("key", time.Now())).StatusCode)
			require.Empty(t, srv.log.String())
		})
	}
}

func TestHandshake(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Probes = []string{"OPTIONS"}
	a.endpoint.ProbeHeader = http.Header{"Webhook-Allowed-Origin": {"*"}}
	a.endpoint.Handshake = func(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
		var w struct{ Challenge string }
		if json.Unmarshal(p.Body, &w) != nil || w.Challenge == "" {
			return nil, nil //nolint:nilerr // not a handshake, which is not an error
		}
		return &anymail.Reply{Status: 202, ContentType: "text/plain", Body: []byte(w.Challenge)}, nil
	}
	srv := newTestServer(t, a)
	resp := srv.do(t, newPost(`{"Challenge":"echo"}`).sign("key", time.Now()))
	body, _ := io.ReadAll(resp.Body)
	require.Equal(t, 202, resp.StatusCode)
	require.Equal(t, "echo", string(body))
	require.Empty(t, resp.Header.Get("WebHook-Allowed-Origin"))
	require.Equal(t, 400, srv.do(t, newPost(`{"Challenge":"echo"}`)).StatusCode, "only authentic requests get a handshake")
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Len(t, srv.take(), 1)
	probe := newPost("")
	probe.method = "OPTIONS"
	resp = srv.do(t, probe)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "*", resp.Header.Get("WebHook-Allowed-Origin"))
}

// A parser's panic is a bug in the server: the ESP should retry.
func TestPanickingAdapter(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) { panic("bug") })
	srv := newTestServer(t, a)
	require.Equal(t, 500, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Equal(t, 500, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode, "not a replay")
}

func TestFailingReceivers(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	fail := map[string]error{"fails": errors.New("database is away"), "panics": nil}
	ran := map[string]int{}
	connect := func(name string, receive func() error) {
		require.NoError(t, srv.Tracking.Connect(name, func(context.Context, *anymail.TrackingEvent) error {
			ran[name]++
			return receive()
		}))
	}
	connect("fails", func() error { return fail["fails"] })
	connect("panics", func() error {
		if ran["panics"] == 1 {
			panic("a bug")
		}
		return nil
	})
	connect("last", func() error { return nil })

	p := newPost(delivered).sign("key", time.Now())
	require.Equal(t, 500, srv.do(t, p).StatusCode)
	require.Equal(t, map[string]int{"fails": 1, "panics": 1, "last": 1}, ran)
	require.Len(t, srv.take(), 1)
	err := srv.rejections[0].Err
	require.ErrorIs(t, err, anymail.ErrReceiver)
	require.ErrorIs(t, err, fail["fails"])
	var panicked *anymail.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, "a bug", panicked.Value)
	require.NotEmpty(t, panicked.Stack)
	for _, word := range []string{`"fails"`, `"panics"`, "delivered"} {
		require.Contains(t, err.Error(), word)
	}

	// Receivers that succeeded do not run again, even if the retry has a new signature.
	p = p.sign("key", time.Now().Add(time.Second))
	require.Equal(t, 500, srv.do(t, p).StatusCode)
	require.Equal(t, map[string]int{"fails": 2, "panics": 2, "last": 1}, ran)
	require.Empty(t, srv.take())

	fail["fails"] = nil
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	require.Equal(t, map[string]int{"fails": 3, "panics": 2, "last": 1}, ran)

	// All receivers have succeeded: the same signature is a replay, a new one is not.
	require.Equal(t, 400, srv.do(t, p).StatusCode)
	require.Equal(t, 200, srv.do(t, p.sign("key", time.Now().Add(2*time.Second))).StatusCode)
	require.Equal(t, map[string]int{"fails": 3, "panics": 2, "last": 1}, ran)
}

func TestQueue(t *testing.T) {
	var queued []anymail.Event
	fail := true
	srv := newTestServer(t, newAcme("key"), anymail.WithQueue(queueFunc(func(events []anymail.Event) error {
		if fail {
			return errors.New("disk full")
		}
		queued = append(queued, events...)
		return nil
	})))
	p := newPost(delivered).sign("key", time.Now())
	resp := srv.do(t, p)
	require.Equal(t, 503, resp.StatusCode)
	require.Equal(t, "5", resp.Header.Get("Retry-After"))
	fail = false
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	require.Len(t, queued, 1)
	require.Empty(t, srv.take(), "with a queue, the request does not run receivers")
}

// If an ESP signs no time, every attempt has the same signature. A retry of a
// completed request has to succeed, and a retry of a failed one has to run.
func TestRepeatedSignature(t *testing.T) {
	adapter := newAcme("key")
	adapter.endpoint.RepeatsSignature = true
	srv := newTestServer(t, adapter)
	failing := true
	require.NoError(t, srv.Tracking.Connect("fails", func(context.Context, *anymail.TrackingEvent) error {
		if failing {
			return errors.New("not available")
		}
		return nil
	}))
	p := newPost(delivered).sign("key", time.Now())
	require.Equal(t, 500, srv.do(t, p).StatusCode)
	failing = false
	for range 3 {
		require.Equal(t, 200, srv.do(t, p).StatusCode)
	}
	require.Len(t, srv.take(), 1)
	require.Len(t, srv.rejections, 1, "only the failure")
	require.Equal(t, 400, srv.do(t, p.sign("other key", time.Now())).StatusCode)
}

func TestReplayCheckCanBeOff(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithoutReplayCheck())
	p := newPost(delivered).sign("key", time.Now())
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	require.Len(t, srv.take(), 1, "the idempotency store still applies")
}

// Requests that a proxy and the server behind it may interpret differently. A
// request that is hidden in another one is checked like any other, and no event
// is delivered twice.
func TestRequestShapes(t *testing.T) {
	auth := "Authorization: " + basic(secret) + "\r\n"
	head := func(more ...string) string {
		return "POST /hooks/acme/tracking/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + strings.Join(more, "\r\n") + "\r\n"
	}
	length := fmt.Sprintf("Content-Length: %d", len(delivered))
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(delivered), delivered)
	const isChunked, end = "Transfer-Encoding: chunked", "Connection: close"
	hidden := head(length, "Connection: close") + "\r\n" + delivered // without a secret
	tests := []struct {
		name     string
		text     string
		statuses []int
		events   int
	}{
		{"plain", head(length, end) + auth + "\r\n" + delivered, []int{200}, 1},
		{"two requests, pipelined", head(length) + auth + "\r\n" + delivered + head(length, end) + auth + "\r\n" + strings.Replace(delivered, "1", "2", 1), []int{200, 200}, 2},
		{"one with a secret, one without", head(length) + auth + "\r\n" + delivered + hidden, []int{200, 400}, 1},
		{"length and chunks", head(length, isChunked, end) + auth + "\r\n" + chunks, []int{200}, 1},
		{"hidden after the chunks", head(fmt.Sprintf("Content-Length: %d", len(chunks)+len(hidden)), isChunked) + auth + "\r\n" + chunks + hidden, []int{200, 400}, 1},
		{"hidden in the length", head(fmt.Sprintf("Content-Length: %d", len(hidden)), end) + auth + "\r\n" + hidden, []int{400}, 0},
		{"two lengths", head(length, "Content-Length: 1") + auth + "\r\n" + delivered, []int{400}, 0},
		{"length with a sign", head(fmt.Sprintf("Content-Length: +%d", len(delivered))) + auth + "\r\n" + delivered, []int{400}, 0},
		{"negative length", head("Content-Length: -1") + auth + "\r\n" + delivered, []int{400}, 0},
		{"length that overflows", head("Content-Length: "+strings.Repeat("9", 100)) + auth + "\r\n" + delivered, []int{400}, 0},
		{"space before the colon", head("Content-Length : 1") + auth + "\r\n" + delivered, []int{400}, 0},
		{"unknown transfer encoding", head("Transfer-Encoding: xchunked") + auth + "\r\n" + chunks, []int{501}, 0},
		{"chunks twice", head(isChunked, isChunked) + auth + "\r\n" + chunks, []int{501}, 0},
		{"chunks in chunks", head("Transfer-Encoding: chunked, chunked") + auth + "\r\n" + chunks, []int{501}, 0},
		{"gzip as a transfer encoding", head("Transfer-Encoding: gzip, chunked") + auth + "\r\n" + chunks, []int{501}, 0},
		{"huge chunk extension", head(isChunked) + auth + "\r\n1;" + strings.Repeat("x", 1<<20), []int{503}, 0},
		{"chunks of one byte with long extensions", head(isChunked) + auth + "\r\n" + strings.Repeat("1;"+strings.Repeat("x", 4000)+"\r\n \r\n", 100), []int{503}, 0},
		{"secret in a trailer", head(isChunked, "Trailer: Authorization", end) + "\r\n" + strings.TrimSuffix(chunks, "\r\n") + auth + "\r\n", []int{400}, 0},
		{"secret in a folded header", head(length, end) + "X-A: b\r\n " + auth + "\r\n" + delivered, []int{400}, 0},
		{"no host", strings.Replace(head(length, end), "Host: x\r\n", "", 1) + auth + "\r\n" + delivered, []int{400}, 0},
		{"two hosts", head(length, "Host: y", end) + auth + "\r\n" + delivered, []int{400}, 0},
		{"NUL in a header", head(length, "X-A: \x00", end) + auth + "\r\n" + delivered, []int{400}, 0},
		{"absolute URL of another host", strings.Replace(head(length, end), "POST ", "POST http://elsewhere.example", 1) + auth + "\r\n" + delivered, []int{200}, 1},
		{"expects 100-continue", head(length, "Expect: 100-continue", end) + auth + "\r\n" + delivered, []int{100, 200}, 1},
		{"expects something else", head(length, "Expect: magic", end) + auth + "\r\n" + delivered, []int{417}, 0},
		{"HEAD with a body", strings.Replace(head(fmt.Sprintf("Content-Length: %d", len(hidden)), end), "POST", "HEAD", 1) + auth + "\r\n" + hidden, []int{200}, 0},
		{"method in lower case", strings.Replace(head(length, end), "POST", "post", 1) + auth + "\r\n" + delivered, []int{405}, 0},
		{"unknown method", strings.Replace(head(length, end), "POST", "SMUGGLE", 1) + auth + "\r\n" + delivered, []int{405}, 0},
		{"content encoding twice", head(length, "Content-Encoding: identity", "Content-Encoding: gzip", end) + auth + "\r\n" + delivered, []int{415}, 0},
		{"content encoding in two fields", head(length, "Content-Encoding: gzip", "Content-Encoding: gzip", end) + auth + "\r\n" + delivered, []int{415}, 0},
		{"content type twice", head(length, "Content-Type: text/plain", end) + auth + "\r\n" + delivered, []int{415}, 0},
		{"deflate", head(length, "Content-Encoding: deflate", end) + auth + "\r\n" + delivered, []int{415}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, newAcme(), anymail.WithLimits(anymail.Limits{BodyTime: 10 * time.Second}))
			c := dial(t, srv)
			_, _ = io.WriteString(c, tt.text) // the server may close the connection before the end
			if strings.Contains(tt.text, "HEAD") {
				answer, err := io.ReadAll(c)
				require.NoError(t, err)
				require.Contains(t, string(answer), "200 OK")
				require.Equal(t, 1, bytes.Count(answer, []byte("HTTP/1.1")))
			} else {
				require.Equal(t, tt.statuses, c.all(t))
			}
			require.Len(t, srv.take(), tt.events)
		})
	}
}

// The limits hold over HTTP/2 as well, where the server cannot close the connection
// of a single request.
func TestHTTP2(t *testing.T) {
	const limit = 64 << 10
	srv := new(testServer)
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.RequireTLS(), anymail.WithLogger(quiet),
		anymail.WithLimits(anymail.Limits{Body: limit, BodyTime: 100 * time.Millisecond}))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme()))
	require.NoError(t, d.Tracking.Connect("keep", func(_ context.Context, ev *anymail.TrackingEvent) error {
		srv.events = append(srv.events, ev)
		return nil
	}))
	server := httptest.NewUnstartedServer(http.StripPrefix("/hooks", d))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	// A body that sends text and then stalls.
	stuck := func(text string) io.Reader {
		r, w := io.Pipe()
		t.Cleanup(func() { w.Close() })
		go func() { _, _ = io.WriteString(w, text) }()
		return r
	}
	batch := func(size int) string { return "[" + strings.Repeat(" ", size-2) + "]" }
	tests := []struct {
		name   string
		body   io.Reader
		header string // replaces the secret
		status int
		events int
	}{
		{"good", strings.NewReader(delivered), "", 200, 1},
		{"at the limit", strings.NewReader(batch(limit)), "", 200, 0},
		{"too large", strings.NewReader(batch(limit + 1)), "", 413, 0},
		{"too large, no declared length", io.MultiReader(strings.NewReader(batch(limit)), strings.NewReader(" ")), "", 413, 0},
		{"slow", stuck("["), "", 503, 0},
		{"slow and refused", stuck("["), basic("a:b"), 400, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPost("")
			if tt.header != "" {
				p = p.with("Authorization", tt.header)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+p.path, tt.body)
			require.NoError(t, err)
			req.Header = p.header
			resp, err := server.Client().Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 2, resp.ProtoMajor)
			require.Equal(t, tt.status, resp.StatusCode)
			require.Len(t, srv.take(), tt.events)
		})
	}
}

func TestPublicURL(t *testing.T) {
	var seen string
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		seen = p.URL
		return nil, nil
	})
	trusted := anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"))
	tests := []struct {
		name    string
		options []anymail.Option
		header  map[string]string
		want    string // HOST is replaced by the listener's address
	}{
		{"from the request", nil, nil, "http://HOST/hooks/acme/tracking/?a=1"},
		{"claimed by an untrusted client", nil, map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}, "http://HOST/hooks/acme/tracking/?a=1"},
		{"reported by a proxy", []anymail.Option{trusted}, map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "mail.example.com"}, "https://mail.example.com/hooks/acme/tracking/?a=1"},
		{"set", []anymail.Option{anymail.WithPublicURL("https://mail.example.com/elsewhere/")}, nil, "https://mail.example.com/elsewhere/acme/tracking/?a=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, a, tt.options...)
			p := newPost("[]").sign("key", time.Now())
			p.path += "?a=1"
			for name, value := range tt.header {
				p = p.with(name, value)
			}
			require.Equal(t, 200, srv.do(t, p).StatusCode)
			require.Equal(t, strings.Replace(tt.want, "http://HOST", srv.url, 1), seen)
		})
	}
}

func TestProbeEcho(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Probes, a.endpoint.ProbeEcho = []string{"GET"}, "challenge"
	srv := newTestServer(t, a)
	for query, want := range map[string]string{
		"?challenge=a%2Bb%3Cc%3E":  "a+b<c>",
		"?challenge=a&challenge=b": "a",
		"?other=a":                 "",
		"":                         "",
		"?challenge=" + strings.Repeat("a", 1<<10+1): "",
	} {
		probe := newPost("").with("Authorization", "")
		probe.method, probe.path = "GET", probe.path+query
		resp := srv.do(t, probe)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, want, string(body))
		if want != "" {
			require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		}
	}
	require.Empty(t, srv.take())
}
