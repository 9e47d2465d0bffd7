package anymail_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "esp:a-Long-Enough-Password"

// acme is an ESP made up for these tests: JSON batches, signed by an HMAC over
// a timestamp and the body.
type acme struct {
	endpoint anymail.Endpoint
}

func newAcme(keys ...string) acme {
	a := acme{anymail.Endpoint{
		Path:         "tracking",
		ContentTypes: []string{"application/json"},
		Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
			return wire.Batch(p, func(w *struct {
				ID, Event, Email string
			}, ev *anymail.TrackingEvent) {
				ev.ID, ev.Type, ev.Recipient = w.ID, anymail.EventType(w.Event), w.Email
			})
		}),
	}}
	if len(keys) > 0 {
		a.endpoint.Verifier = newAcmeVerifier(anymail.Keys(keys...))
	}
	return a
}

func newAcmeVerifier(keys anymail.KeySource) anymail.Verifier {
	return verify.HMAC{
		Keys:       keys,
		Signatures: verify.HexHeader("X-Acme-Signature"),
		Content:    verify.HeadersAndBody(".", "X-Acme-Time"),
		SignedAt:   verify.UnixHeader("X-Acme-Time"),
	}.Verifier()
}

// quiet is a logger for tests that make much noise.
var quiet = slog.New(slog.DiscardHandler)

func (acme) ESP() string                     { return "acme" }
func (a acme) Endpoints() []anymail.Endpoint { return []anymail.Endpoint{a.endpoint} }

const delivered = `{"ID":"1","Event":"delivered","Email":"ada@example.com"}`

// post is a request in the making.
type post struct {
	method, path, body string
	header             http.Header
}

func newPost(body string) post {
	p := post{"POST", "/hooks/acme/tracking/", body, http.Header{}}
	p.header.Set("Content-Type", "application/json")
	p.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)))
	return p
}

func (p post) sign(key string, at time.Time) post {
	p.header = p.header.Clone()
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(stamp + "." + p.body))
	p.header.Set("X-Acme-Time", stamp)
	p.header.Set("X-Acme-Signature", hex.EncodeToString(mac.Sum(nil)))
	return p
}

func (p post) with(name, value string) post {
	p.header = p.header.Clone()
	p.header.Set(name, value)
	if value == "" {
		p.header.Del(name)
	}
	return p
}

// house is a Dispatcher behind a real listener.
type house struct {
	*anymail.Dispatcher
	url string

	mu         sync.Mutex
	events     []*anymail.TrackingEvent
	rejections []anymail.Rejection
	log        bytes.Buffer
}

func newHouse(t *testing.T, adapter anymail.Adapter, options ...anymail.Option) *house {
	t.Helper()
	h := new(house)
	options = append([]anymail.Option{
		anymail.WithSharedSecret(secret),
		anymail.WithLogger(slog.New(slog.NewTextHandler(&h.log, nil))),
		anymail.WithHooks(anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.rejections = append(h.rejections, r)
		}}),
	}, options...)
	d, err := anymail.New(options...)
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", adapter))
	require.NoError(t, d.Tracking.Connect("keep", func(_ context.Context, ev *anymail.TrackingEvent) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, ev)
		return nil
	}))
	router := chi.NewRouter()
	router.Mount("/hooks", d)
	h.Dispatcher, h.url = d, serve(t, router)
	return h
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return server.URL
}

func (h *house) take() []*anymail.TrackingEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

func (h *house) do(t *testing.T, p post) *http.Response {
	t.Helper()
	req, err := http.NewRequest(p.method, h.url+p.path, strings.NewReader(p.body))
	require.NoError(t, err)
	req.Header = p.header
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

// TestAnswers holds the table of section 4 of the design, row by row.
func TestAnswers(t *testing.T) {
	now := time.Now()
	signed := func(body string) post { return newPost(body).sign("key", now) }
	path := func(p post, path string) post { p.path = path; return p }
	method := func(p post, method string) post { p.method = method; return p }
	tests := []struct {
		name    string
		adapter anymail.Adapter // newAcme("key") if nil
		options []anymail.Option
		post    post
		status  int
		header  http.Header
		events  int
		err     error // of the rejection
		payload bool  // whether the rejection has it
	}{
		{name: "HEAD", post: method(path(signed(""), "/hooks/acme/tracking"), "HEAD").with("Authorization", ""), status: 200},
		{name: "GET", post: method(signed(""), "GET"), status: 405, header: http.Header{"Allow": {"POST, HEAD"}}},
		{name: "PUT", post: method(signed(delivered), "PUT"), status: 405, header: http.Header{"Allow": {"POST, HEAD"}}},
		{name: "no such adapter", post: path(signed(delivered), "/hooks/nobody/tracking/"), status: 404},
		{name: "no such endpoint", post: path(signed(delivered), "/hooks/acme/inbound/"), status: 404},
		{name: "root", post: path(signed(delivered), "/hooks/"), status: 404},
		{name: "deeper", post: path(signed(delivered), "/hooks/acme/tracking/more"), status: 404},

		{name: "good", post: signed(delivered), status: 200, events: 1},
		{name: "good without the last slash", post: path(signed(delivered), "/hooks/acme/tracking"), status: 200, events: 1},
		{name: "good with underscores", post: path(signed(delivered), "/hooks/ac_me/tracking/"), status: 200, events: 1},
		{name: "good batch", post: signed("[" + delivered + "," + strings.Replace(delivered, "1", "2", 1) + "]"), status: 200, events: 2},
		{name: "the same event twice in a batch", post: signed("[" + delivered + "," + delivered + "]"), status: 200, events: 1},
		{name: "empty batch", post: signed("[]"), status: 200},

		{name: "no shared secret", post: signed(delivered).with("Authorization", ""), status: 400, err: anymail.ErrUnauthenticated},
		{name: "wrong shared secret", post: signed(delivered).with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret+"x"))), status: 400, err: anymail.ErrUnauthenticated},
		{name: "shared secret of another scheme", post: signed(delivered).with("Authorization", "Bearer "+base64.StdEncoding.EncodeToString([]byte(secret))), status: 400, err: anymail.ErrUnauthenticated},
		{name: "broken shared secret", post: signed(delivered).with("Authorization", "Basic !"), status: 400, err: anymail.ErrUnauthenticated},
		{name: "older shared secret", options: []anymail.Option{anymail.WithSharedSecret("new:another-Good-Password", secret)}, post: signed(delivered), status: 200, events: 1},
		{name: "reject status of choice", options: []anymail.Option{anymail.WithRejectStatus(404)}, post: signed(delivered).with("Authorization", ""), status: 404, err: anymail.ErrUnauthenticated},
		{
			name: "challenge", adapter: acme{func() anymail.Endpoint { e := newAcme("key").endpoint; e.Challenge = true; return e }()},
			post: signed(delivered).with("Authorization", ""), status: 401, err: anymail.ErrUnauthenticated,
			header: http.Header{"Www-Authenticate": {`Basic realm="anymail", charset="UTF-8"`}},
		},
		{name: "no signature", post: newPost(delivered), status: 400, err: anymail.ErrUnauthenticated},
		{name: "wrong key", post: newPost(delivered).sign("other", now), status: 400, err: anymail.ErrUnauthenticated},
		{name: "older key", adapter: newAcme("newer", "key"), post: signed(delivered), status: 200, events: 1},
		{name: "stale", post: newPost(delivered).sign("key", now.Add(-6*time.Minute)), status: 400, err: anymail.ErrReplayed},
		{name: "from the future", post: newPost(delivered).sign("key", now.Add(6*time.Minute)), status: 400, err: anymail.ErrReplayed},
		{name: "old within a wider window", options: []anymail.Option{anymail.WithTimestampWindow(time.Hour)}, post: newPost(delivered).sign("key", now.Add(-50*time.Minute)), status: 200, events: 1},

		{name: "address not allowed", options: []anymail.Option{anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24"))}, post: signed(delivered), status: 403, err: anymail.ErrForbidden},
		{name: "address allowed", options: []anymail.Option{anymail.WithAllowedAddresses(netip.MustParsePrefix("127.0.0.0/8"))}, post: signed(delivered), status: 200, events: 1},
		{name: "address claimed by somebody who is no proxy", options: []anymail.Option{anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24"))}, post: signed(delivered).with("X-Forwarded-For", "192.0.2.1"), status: 403, err: anymail.ErrForbidden},
		{name: "address told by a proxy", options: []anymail.Option{anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.1/32")), anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24"))}, post: signed(delivered).with("X-Forwarded-For", "203.0.113.9, 192.0.2.1"), status: 200, events: 1},
		{name: "address list out of reach", options: []anymail.Option{anymail.WithAllowedAddressFunc(func(context.Context) ([]netip.Prefix, error) { return nil, errors.New("down") })}, post: signed(delivered), status: 503, err: anymail.ErrUnavailable},

		{name: "plain http refused", options: []anymail.Option{anymail.RequireTLS()}, post: signed(delivered), status: 400, err: anymail.ErrUnauthenticated},
		{name: "https claimed by somebody who is no proxy", options: []anymail.Option{anymail.RequireTLS()}, post: signed(delivered).with("X-Forwarded-Proto", "https"), status: 400, err: anymail.ErrUnauthenticated},
		{name: "https told by a proxy", options: []anymail.Option{anymail.RequireTLS(), anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"))}, post: signed(delivered).with("X-Forwarded-Proto", "https"), status: 200, events: 1},

		{name: "body over the limit", options: []anymail.Option{anymail.WithLimits(anymail.Limits{Body: 20})}, post: signed(delivered), status: 413, err: anymail.ErrTooLarge},
		{name: "more events than allowed", options: []anymail.Option{anymail.WithLimits(anymail.Limits{BatchEvents: 2})}, post: signed("[{},{},{}]"), status: 413, err: anymail.ErrTooLarge, payload: true},
		{name: "wrong content type", post: signed(delivered).with("Content-Type", "text/plain"), status: 415, err: anymail.ErrUnsupportedMedia, payload: true},
		{name: "wrong content type of a forgery", post: newPost(delivered).with("Content-Type", "text/plain"), status: 400, err: anymail.ErrUnauthenticated},
		{name: "unknown content encoding", post: signed(delivered).with("Content-Encoding", "br"), status: 415, err: anymail.ErrUnsupportedMedia},
		{name: "undecodable", post: signed(`{"ID":`), status: 400, err: anymail.ErrMalformed, payload: true},
		{name: "something else after the JSON", post: signed(delivered + "{}"), status: 400, err: anymail.ErrMalformed, payload: true},
		{name: "nested 20000 deep", post: signed(strings.Repeat("[", 20000)), status: 400, err: anymail.ErrMalformed, payload: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.adapter == nil {
				tt.adapter = newAcme("key")
			}
			h := newHouse(t, tt.adapter, tt.options...)
			resp := h.do(t, tt.post)
			require.Equal(t, tt.status, resp.StatusCode)
			for name, values := range tt.header {
				require.Equal(t, values, resp.Header[name])
			}
			require.Len(t, h.take(), tt.events)
			if tt.err == nil {
				return
			}
			require.Len(t, h.rejections, 1)
			r := h.rejections[0]
			require.ErrorIs(t, r.Err, tt.err)
			require.Equal(t, tt.status, r.Status)
			require.Equal(t, tt.payload, r.Payload != nil, "payload of the rejection")
			if tt.payload {
				require.Equal(t, tt.post.body, string(r.Payload.Body))
				require.Empty(t, r.Payload.Header.Get("Authorization"))
			}
			var requestErr *anymail.RequestError
			require.ErrorAs(t, r.Err, &requestErr)
			require.Equal(t, "acme", requestErr.ESP)
			require.Equal(t, "tracking", requestErr.Endpoint)
			require.Contains(t, h.log.String(), "anymail: request not accepted")
			for _, hidden := range []string{"Long-Enough", "ada@example.com"} {
				require.NotContains(t, h.log.String()+r.Err.Error(), hidden)
			}
			body, _ := io.ReadAll(resp.Body)
			if tt.post.method != "HEAD" {
				require.Equal(t, http.StatusText(tt.status), strings.TrimSpace(string(body)))
			}
		})
	}
}

func TestMountedOnServeMux(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme("key")))
	mux := http.NewServeMux()
	mux.Handle("/deep/down/", http.StripPrefix("/deep/down", d))
	h := &house{url: serve(t, mux)}
	p := newPost(delivered).sign("key", time.Now())
	p.path = "/deep/down/acme/tracking/"
	require.Equal(t, 200, h.do(t, p).StatusCode)
	p.path = "/deep/down/acme/"
	require.Equal(t, 404, h.do(t, p).StatusCode)
}

func TestFailingReceivers(t *testing.T) {
	h := newHouse(t, newAcme("key"))
	fail := map[string]error{"fails": errors.New("database is away"), "panics": nil}
	ran := map[string]int{}
	connect := func(name string, receive func() error) {
		require.NoError(t, h.Tracking.Connect(name, func(context.Context, *anymail.TrackingEvent) error {
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
	require.Equal(t, 500, h.do(t, p).StatusCode)
	require.Equal(t, map[string]int{"fails": 1, "panics": 1, "last": 1}, ran)
	require.Len(t, h.take(), 1)
	err := h.rejections[0].Err
	require.ErrorIs(t, err, anymail.ErrReceiver)
	require.ErrorIs(t, err, fail["fails"])
	var panicked *anymail.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, "a bug", panicked.Value)
	require.NotEmpty(t, panicked.Stack)
	for _, word := range []string{`"fails"`, `"panics"`, "delivered"} {
		require.Contains(t, err.Error(), word)
	}

	// Those that had succeeded are not run again, also by a request signed anew.
	p = p.sign("key", time.Now().Add(time.Second))
	require.Equal(t, 500, h.do(t, p).StatusCode)
	require.Equal(t, map[string]int{"fails": 2, "panics": 2, "last": 1}, ran)
	require.Empty(t, h.take())

	fail["fails"] = nil
	require.Equal(t, 200, h.do(t, p).StatusCode)
	require.Equal(t, map[string]int{"fails": 3, "panics": 2, "last": 1}, ran)

	// Now all is done: the same signature is a replay, a new one is fine.
	require.Equal(t, 400, h.do(t, p).StatusCode)
	require.Equal(t, 200, h.do(t, p.sign("key", time.Now().Add(2*time.Second))).StatusCode)
	require.Equal(t, map[string]int{"fails": 3, "panics": 2, "last": 1}, ran)
}

func TestReplayCheckCanBeOff(t *testing.T) {
	h := newHouse(t, newAcme("key"), anymail.WithoutReplayCheck())
	p := newPost(delivered).sign("key", time.Now())
	require.Equal(t, 200, h.do(t, p).StatusCode)
	require.Equal(t, 200, h.do(t, p).StatusCode)
	require.Len(t, h.take(), 1, "the idempotency store still holds")
}

// An ESP that signs no time cannot sign an attempt anew: what it missed the
// answer to has to succeed when it comes again, and what failed has to run.
func TestRepeatedSignature(t *testing.T) {
	adapter := newAcme("key")
	adapter.endpoint.RepeatsSignature = true
	h := newHouse(t, adapter)
	failing := true
	require.NoError(t, h.Tracking.Connect("fails", func(context.Context, *anymail.TrackingEvent) error {
		if failing {
			return errors.New("out of order")
		}
		return nil
	}))
	p := newPost(delivered).sign("key", time.Now())
	require.Equal(t, 500, h.do(t, p).StatusCode)
	failing = false
	for range 3 {
		require.Equal(t, 200, h.do(t, p).StatusCode)
	}
	require.Len(t, h.take(), 1)
	require.Len(t, h.rejections, 1, "the failure alone")
	require.Equal(t, 400, h.do(t, p.sign("other key", time.Now())).StatusCode)
}

type queueFunc func([]anymail.Event) error

func (f queueFunc) Enqueue(_ context.Context, events []anymail.Event) error { return f(events) }

func TestQueue(t *testing.T) {
	var queued []anymail.Event
	fail := true
	h := newHouse(t, newAcme("key"), anymail.WithQueue(queueFunc(func(events []anymail.Event) error {
		if fail {
			return errors.New("disk full")
		}
		queued = append(queued, events...)
		return nil
	})))
	p := newPost(delivered).sign("key", time.Now())
	resp := h.do(t, p)
	require.Equal(t, 503, resp.StatusCode)
	require.Equal(t, "5", resp.Header.Get("Retry-After"))
	fail = false
	require.Equal(t, 200, h.do(t, p).StatusCode)
	require.Len(t, queued, 1)
	require.Empty(t, h.take(), "the queue is in front of the receivers")
}

func TestOverloadAndShutdown(t *testing.T) {
	h := newHouse(t, newAcme("key"), anymail.WithMaxInFlight(1))
	entered, release := make(chan struct{}), make(chan struct{})
	require.NoError(t, h.Tracking.Connect("slow", func(context.Context, *anymail.TrackingEvent) error {
		entered <- struct{}{}
		<-release
		return nil
	}))
	status := make(chan int, 1)
	go func() { status <- h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode }()
	<-entered

	other := newPost(strings.Replace(delivered, "1", "2", 1)).sign("key", time.Now())
	resp := h.do(t, other)
	require.Equal(t, 503, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("Retry-After"))

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, h.Shutdown(ctx), context.DeadlineExceeded)
	close(release)
	require.Equal(t, 200, <-status)
	require.NoError(t, h.Shutdown(t.Context()))
	require.Equal(t, 503, h.do(t, other).StatusCode)
	require.Len(t, h.take(), 1)
}

func TestClientGone(t *testing.T) {
	h := newHouse(t, newAcme("key"))
	entered := make(chan struct{})
	ended := make(chan error, 1)
	require.NoError(t, h.Tracking.Connect("patient", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		close(entered)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}))
	require.NoError(t, h.Tracking.Connect("next", func(context.Context, *anymail.TrackingEvent) error {
		t.Error("ran though nobody waits for the answer any more")
		return nil
	}))
	p := newPost(delivered).sign("key", time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, p.method, h.url+p.path, strings.NewReader(p.body))
	require.NoError(t, err)
	req.Header = p.header
	go func() {
		<-entered
		cancel()
	}()
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, h.Shutdown(t.Context()), "waits for the request to end")
	require.Len(t, h.take(), 1, "the first receiver had done its work")
}

func TestGzip(t *testing.T) {
	zip := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(s))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.String()
	}
	h := newHouse(t, newAcme("key"), anymail.WithLimits(anymail.Limits{Body: 1 << 20}))
	p := newPost(delivered).sign("key", time.Now()).with("Content-Encoding", "gzip")
	p.body = zip(delivered)
	require.Equal(t, 200, h.do(t, p).StatusCode)
	require.Len(t, h.take(), 1)

	p.body = zip(strings.Repeat(" ", 1<<20+1))
	require.Less(t, len(p.body), 1<<12)
	require.Equal(t, 413, h.do(t, p).StatusCode)
	p.body = "no gzip at all, though it says so"
	require.Equal(t, 400, h.do(t, p).StatusCode)
	p.body = zip(delivered)[:30]
	require.Equal(t, 400, h.do(t, p).StatusCode)
}

// A body that stops half-way costs its time limit and a small buffer, whatever
// length it declares.
func TestSlowBody(t *testing.T) {
	h := newHouse(t, newAcme("key"), anymail.WithLimits(anymail.Limits{BodyTime: 50 * time.Millisecond}))
	p := newPost(delivered).sign("key", time.Now())
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 1000000\r\n\r\n{", p.path, p.header.Get("Authorization"))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "503 Service Unavailable")
	require.Empty(t, h.take())
}

func TestRateLimits(t *testing.T) {
	now := time.Now()
	good, forged := newPost(delivered).sign("key", now), newPost(delivered).sign("other", now)
	loopback := anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"))
	from := func(p post, addr string) post { return p.with("X-Forwarded-For", addr) }
	tests := []struct {
		name  string
		limit anymail.RateLimit
		posts []post
		want  []int
	}{
		{
			"per address", anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 0.001, Burst: 2}},
			[]post{from(good, "192.0.2.1"), from(forged, "192.0.2.1"), from(forged, "192.0.2.1"), from(forged, "192.0.2.2")},
			[]int{200, 400, 429, 400},
		},
		{
			"per endpoint", anymail.RateLimit{PerEndpoint: anymail.Rate{PerSecond: 0.001, Burst: 2}},
			[]post{from(good, "192.0.2.1"), from(forged, "192.0.2.2"), from(forged, "192.0.2.3")},
			[]int{200, 400, 429},
		},
		{
			"failures", anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 2}},
			[]post{
				from(forged, "192.0.2.1"), from(forged.with("Authorization", ""), "192.0.2.1"), from(good, "192.0.2.1"),
				from(good, "192.0.2.2"), from(newPost("[]").sign("key", now), "192.0.2.2"), from(newPost(" []").sign("key", now), "192.0.2.2"), from(newPost("[] ").sign("key", now), "192.0.2.2"),
			},
			[]int{400, 400, 429, 200, 200, 200, 200},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, newAcme("key"), loopback, anymail.WithRateLimit(tt.limit))
			for i, p := range tt.posts {
				resp := h.do(t, p)
				require.Equal(t, tt.want[i], resp.StatusCode, "request %d", i)
				if resp.StatusCode == http.StatusTooManyRequests {
					require.Equal(t, "5", resp.Header.Get("Retry-After"))
					require.ErrorIs(t, h.rejections[len(h.rejections)-1].Err, anymail.ErrRateLimited)
				}
			}
		})
	}
}

func TestRegisterRefuses(t *testing.T) {
	open := acme{anymail.Endpoint{Path: "tracking", Parser: newAcme().endpoint.Parser}}
	tests := []struct {
		name    string
		as      string
		adapter anymail.Adapter
		options []anymail.Option
		want    string // in the error; "" for none
	}{
		{"signature alone", "a", newAcme("key"), nil, ""},
		{"secret alone", "a", open, []anymail.Option{anymail.WithSharedSecret(secret)}, ""},
		{"neither", "a", open, nil, "any client could post"},
		{"insecure in so many words", "a", open, []anymail.Option{anymail.Insecure()}, ""},
		{"empty name", "", newAcme("key"), nil, "a name must have"},
		{"name with a slash", "a/b", newAcme("key"), nil, "a name must have"},
		{"name taken", "taken", newAcme("key"), nil, "already registered"},
		{"name taken but for an underscore", "ta_ken", newAcme("key"), nil, "already registered"},
		{"no parser", "a", acme{anymail.Endpoint{Path: "tracking", Verifier: newAcme("key").endpoint.Verifier}}, nil, "no parser"},
		{"secret without a user", "a", open, []anymail.Option{anymail.WithSharedSecret("a-Long-Enough-Password")}, "user:password"},
		{"short secret", "a", open, []anymail.Option{anymail.WithSharedSecret("esp:short")}, "16 characters"},
		{"monotonous secret", "a", open, []anymail.Option{anymail.WithSharedSecret("esp:aaaaaaaaaaaaaaaaaaaaaaaa")}, "different characters"},
		{"reject status", "a", newAcme("key"), []anymail.Option{anymail.WithRejectStatus(200)}, "must be 400 to 499"},
		{"public URL", "a", newAcme("key"), []anymail.Option{anymail.WithPublicURL("example.com/x")}, "absolute"},
		{"max in flight", "a", newAcme("key"), []anymail.Option{anymail.WithMaxInFlight(0)}, "at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := anymail.New()
			require.NoError(t, err)
			require.NoError(t, d.Register("taken", newAcme("key")))
			err = d.Register(tt.as, tt.adapter, tt.options...)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, anymail.ErrConfig)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "a-Long-Enough-Password")
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
		want    string // HOST stands for the listener
	}{
		{"as the request says", nil, nil, "http://HOST/hooks/acme/tracking/?a=1"},
		{"told by a stranger", nil, map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}, "http://HOST/hooks/acme/tracking/?a=1"},
		{"told by a proxy", []anymail.Option{trusted}, map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "mail.example.com"}, "https://mail.example.com/hooks/acme/tracking/?a=1"},
		{"set", []anymail.Option{anymail.WithPublicURL("https://mail.example.com/elsewhere/")}, nil, "https://mail.example.com/elsewhere/acme/tracking/?a=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, a, tt.options...)
			p := newPost("[]").sign("key", time.Now())
			p.path += "?a=1"
			for name, value := range tt.header {
				p = p.with(name, value)
			}
			require.Equal(t, 200, h.do(t, p).StatusCode)
			require.Equal(t, strings.Replace(tt.want, "http://HOST", h.url, 1), seen)
		})
	}
}

func TestHandshake(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Probes = []string{"OPTIONS"}
	a.endpoint.Handshake = func(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
		var w struct{ Challenge string }
		if json.Unmarshal(p.Body, &w) != nil || w.Challenge == "" {
			return nil, nil //nolint:nilerr // not a handshake, and that is no error
		}
		return &anymail.Reply{Status: 202, ContentType: "text/plain", Body: []byte(w.Challenge)}, nil
	}
	h := newHouse(t, a)
	resp := h.do(t, newPost(`{"Challenge":"echo"}`).sign("key", time.Now()))
	body, _ := io.ReadAll(resp.Body)
	require.Equal(t, 202, resp.StatusCode)
	require.Equal(t, "echo", string(body))
	require.Equal(t, 400, h.do(t, newPost(`{"Challenge":"echo"}`)).StatusCode, "only for what is authentic")
	require.Equal(t, 200, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Len(t, h.take(), 1)
	probe := newPost("")
	probe.method = "OPTIONS"
	require.Equal(t, 200, h.do(t, probe).StatusCode)
}

// A parser's panic is this side's bug: the ESP should come again.
func TestPanickingAdapter(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) { panic("bug") })
	h := newHouse(t, a)
	require.Equal(t, 500, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Equal(t, 500, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode, "and no replay")
}

func TestRotationWhileServing(t *testing.T) {
	ring := anymail.NewKeyRing(secret)
	h := newHouse(t, newAcme(), anymail.WithSharedSecretSource(ring))
	require.Equal(t, 200, h.do(t, newPost(delivered)).StatusCode)
	ring.Set("esp:the-Next-Password-is-it")
	require.Equal(t, 400, h.do(t, newPost(delivered)).StatusCode)
	next := newPost(delivered).with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("esp:the-Next-Password-is-it")))
	require.Equal(t, 200, h.do(t, next).StatusCode)
	ring.Set("weak:weak")
	weak := next.with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("weak:weak")))
	require.Equal(t, 400, h.do(t, weak).StatusCode, "a weak secret opens nothing")
	ring.Set()
	require.Equal(t, 400, h.do(t, next).StatusCode)
}
