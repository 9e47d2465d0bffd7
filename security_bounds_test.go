package anymail_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/simulator"
)

// rawClient is a client that does as it likes: it sends what it is told to, byte for
// byte, and nothing else. It gives up after a minute, so that what should have
// been cut off fails and does not hang.
type rawClient struct {
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, h *house) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return &rawClient{conn, bufio.NewReader(conn)}
}

// begin sends a request's head and the beginning of its body.
func (c *rawClient) begin(t *testing.T, p post, length, body string) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", p.method, p.path, length)
	require.NoError(t, p.header.Write(&b))
	b.WriteString("\r\n" + body)
	_, err := c.Write(b.Bytes())
	require.NoError(t, err)
}

func (c *rawClient) status(t *testing.T) int {
	t.Helper()
	resp, err := http.ReadResponse(c.answers, nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// The limit is on what arrives, and on what it expands to, whatever it says of
// itself.
func TestBodySize(t *testing.T) {
	const limit = 64 << 10
	batch := func(size int) string { return "[" + strings.Repeat(" ", size-2) + "]" }
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	const isChunked, isGzip = "Transfer-Encoding: chunked", "\r\nContent-Encoding: gzip"
	chunked := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text) }
	bomb, fits := zipped(t, batch(limit+1)), zipped(t, batch(limit))
	corrupt := []byte(fits)
	corrupt[12] ^= 0xff
	tests := []struct {
		name         string
		length, body string
		status       int
	}{
		{"as large as it may be", length(limit), batch(limit), 200},
		{"declared too large", length(limit + 1), batch(limit + 1), 413},
		{"declared too large by far, nothing sent", length(1 << 60), "", 413},
		{"chunked, as large as it may be", isChunked, chunked(batch(limit)), 200},
		{"chunked, too large", isChunked, chunked(batch(limit + 1)), 413},
		{"chunked, too large, without an end", isChunked, "ffffffff\r\n" + batch(2*limit), 413},
		{"gzip, as large as it may be", length(len(fits)) + isGzip, fits, 200},
		{"gzip bomb", length(len(bomb)) + isGzip, bomb, 413},
		{"chunked gzip bomb", isChunked + isGzip, chunked(bomb), 413},
		{"gzip of many members", length(3*len(fits)) + isGzip, fits + fits + fits, 413},
		{"gzip that is none", length(9) + isGzip, "no gzip !", 400},
		{"corrupt gzip", length(len(corrupt)) + isGzip, string(corrupt), 400},
		{"twice gzip", length(len(fits)) + isGzip + ", gzip", fits, 415},
		{"chunk that is none", isChunked, "zz\r\n", 503}, // torn on the way: the ESP may come again
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, newAcme(), anymail.WithLimits(anymail.Limits{Body: limit, BodyTime: 10 * time.Second}))
			c := dial(t, h)
			c.begin(t, newPost(""), tt.length, tt.body)
			require.Equal(t, tt.status, c.status(t))
			require.Empty(t, h.take())
		})
	}
}

// A body that stops half-way costs its time limit, whether or not somebody
// still wants it: net/http reads on before it sends a refusal.
func TestSlowBodies(t *testing.T) {
	good := newPost(delivered)
	tests := []struct {
		name    string
		post    post
		length  string
		body    string
		options []anymail.Option
		status  int
	}{
		{"authentic", good, "Content-Length: 100000", "{", nil, 503},
		{"authentic, chunked", good, "Transfer-Encoding: chunked", "1\r\n{\r\n", nil, 503},
		{"gzip", good.with("Content-Encoding", "gzip"), "Content-Length: 100000", zipped(t, delivered), nil, 503},
		{"wrong secret", good.with("Authorization", "Basic x"), "Content-Length: 100000", "{", nil, 400},
		{"wrong secret, chunked", good.with("Authorization", "Basic x"), "Transfer-Encoding: chunked", "1\r\n{\r\n", nil, 400},
		{"refused by its method", post{"PUT", good.path, "", good.header}, "Content-Length: 100000", "{", nil, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, newAcme(), append(tt.options, anymail.WithLimits(anymail.Limits{BodyTime: 30 * time.Millisecond}))...)
			c := dial(t, h)
			c.begin(t, tt.post, tt.length, tt.body)
			require.Equal(t, tt.status, c.status(t))
			require.Empty(t, h.take())
		})
	}

	// Receivers have their own time, after the body's.
	h := newHouse(t, newAcme(), anymail.WithLimits(anymail.Limits{BodyTime: 100 * time.Millisecond}))
	require.NoError(t, h.Tracking.Connect("patient", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
			return nil
		}
	}))
	require.Equal(t, 200, h.do(t, good).StatusCode)
}

// The clock is a synthetic one: it goes on when all there is to do is to wait.
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
		require.Equal(t, map[string]int{"quick": 1, "stuck": 1}, ran, "what had not begun when the time was up does not begin")

		stuck = false
		require.Equal(t, 200, post(), "comes again and is finished")
		require.Equal(t, map[string]int{"quick": 1, "stuck": 2, "late": 1}, ran)
	})
}

func TestJSONBounds(t *testing.T) {
	deep := func(n int) string {
		return `{"ID":"1","Event":"delivered","More":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	batch := func(n int) string { return "[" + strings.Repeat("{},", n-1) + "{}]" }
	tests := []struct {
		name   string
		body   string
		limits anymail.Limits
		status int
		events int
	}{
		{"nested 1000 deep", deep(1000), anymail.Limits{}, 200, 1},
		{"nested a million deep", deep(1_000_000), anymail.Limits{}, 400, 0},
		{"nested a million deep, never closed", strings.Repeat(`{"a":`, 1_000_000), anymail.Limits{}, 400, 0},
		// All of them are the same event: one call of the receiver.
		{"20000 elements", batch(20_000), anymail.Limits{}, 200, 1},
		{"20001 elements", batch(20_001), anymail.Limits{}, 413, 0},
		{"more elements than set", batch(4), anymail.Limits{BatchEvents: 3}, 413, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, newAcme(), anymail.WithLimits(tt.limits))
			require.Equal(t, tt.status, h.do(t, newPost(tt.body)).StatusCode)
			require.Len(t, h.take(), tt.events)
		})
	}
}

// Forms are counted before anything is believed in them, the signature included.
func TestFormBounds(t *testing.T) {
	fields := func(n int) simulator.Request {
		values := url.Values{}
		for i := range n {
			values.Set(fmt.Sprint("field", i), "x")
		}
		return simulator.URLEncoded("inbound", values)
	}
	parts := func(n int) simulator.Request {
		list := make([]simulator.Field, n)
		for i := range list {
			list[i] = simulator.Field{Name: fmt.Sprint("field", i), Value: "x"}
		}
		return simulator.Multipart("inbound", list...)
	}
	repeated := simulator.URLEncoded("inbound", nil)
	repeated.Body = []byte(strings.Repeat("&", 1<<20))
	tests := []struct {
		name    string
		request simulator.Request
		limits  anymail.Limits
		status  int
	}{
		{"1000 fields, not signed", fields(1000), anymail.Limits{}, 400},
		{"1001 fields", fields(1001), anymail.Limits{}, 413},
		{"a million empty fields", repeated, anymail.Limits{}, 413},
		{"more fields than set", fields(6), anymail.Limits{FormFields: 5}, 413},
		{"1000 parts, not signed", parts(1000), anymail.Limits{}, 400},
		{"1001 parts", parts(1001), anymail.Limits{}, 413},
		{"more parts than set", parts(6), anymail.Limits{FormFields: 5}, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := anymailtest.NewServer(t, mailgunsim.New(), anymail.WithLimits(tt.limits))
			status, _ := s.Post(t, s.Address(t, tt.request))
			require.Equal(t, tt.status, status)
			require.Empty(t, s.Take())
		})
	}
}

// A message within the limits of the body can still be made to hurt. What is
// over the limits of MIME is left out, and the rest delivered: the sender is a
// stranger, and a refusal would only make the ESP come again.
func TestMIMEBounds(t *testing.T) {
	const top = "Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	part := "--b\r\nContent-Type: application/pdf\r\n\r\nx\r\n"
	var nested strings.Builder
	for i := range 50 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	tests := []struct {
		name        string
		mime        string
		limits      anymail.Limits
		attachments int
		headers     int
	}{
		{"2000 parts", top + "\r\n" + strings.Repeat(part, 2000) + "--b--\r\n", anymail.Limits{}, 1000, 2},
		{"more parts than set", top + "\r\n" + strings.Repeat(part, 9) + "--b--\r\n", anymail.Limits{MIMEParts: 3}, 3, 2},
		{"50 deep", "Subject: s\r\n" + nested.String() + "\r\nhello", anymail.Limits{}, 1, 2}, // what is deeper is an attachment as it is
		{"3000 headers", strings.Repeat("X: y\r\n", 2999) + "Subject: s\r\n\r\nhello", anymail.Limits{}, 0, 2000},
		{"more headers than set", strings.Repeat("X: y\r\n", 9) + "\r\nhello", anymail.Limits{MIMEHeaders: 4}, 0, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := mailgunsim.New()
			s := anymailtest.NewServer(t, sim, anymail.WithLimits(tt.limits))
			sample, ok := sim.Sample("route-forward-mime")
			require.True(t, ok)
			p := simulator.NewParams()
			p.MIME = []byte(tt.mime)
			events := s.Send(t, sample, p)
			require.Len(t, events, 1)
			m := events[0].(*anymail.InboundEvent).Message
			require.Len(t, m.Attachments, tt.attachments)
			require.Len(t, m.Headers, tt.headers)
		})
	}
}

// heap returns the bytes of heap in use, and of stacks: what an attacker takes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// crowd opens n requests that declare a body, send the beginning of it and
// then nothing, and waits until all of them are let in.
func crowd(t *testing.T, h *house, entered *atomic.Int64, n, declared int, sent string) []*rawClient {
	t.Helper()
	clients := make([]*rawClient, n)
	for i := range clients {
		clients[i] = dial(t, h)
		clients[i].begin(t, newPost(""), fmt.Sprintf("Content-Length: %d", declared), sent)
	}
	require.Eventually(t, func() bool { return entered.Load() == int64(n) }, time.Minute, time.Millisecond)
	return clients
}

// counting counts the requests that were let in.
func counting(entered *atomic.Int64) anymail.Option {
	return anymail.WithHooks(anymail.Hooks{Stage: func(ctx context.Context, _ anymail.RequestInfo, stage anymail.Stage) (context.Context, func(error)) {
		if stage == anymail.StageGuard {
			entered.Add(1)
		}
		return ctx, nil
	}})
}

// With a thousand slow requests under way, each of which promised 60 MB, one
// more is answered at once, and all together hold next to nothing.
func TestThousandSlowRequests(t *testing.T) {
	const n, declared = 1000, 60 << 20
	var entered atomic.Int64
	h := newHouse(t, newAcme(), counting(&entered), anymail.WithMaxInFlight(n),
		anymail.WithLimits(anymail.Limits{Body: 64 << 20, BodyTime: time.Minute}))
	before := heap()
	clients := crowd(t, h, &entered, n, declared, "[")
	require.Less(t, heap()-before, int64(160<<20), "for promises of 60 GB")

	resp := h.do(t, newPost(delivered))
	require.Equal(t, 503, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("Retry-After"))
	h.mu.Lock()
	require.ErrorContains(t, h.rejections[0].Err, "too many requests in flight")
	h.mu.Unlock()

	for _, c := range clients {
		c.Close()
	}
	require.NoError(t, h.Shutdown(t.Context()), "all are counted out")
}

// Many bodies that nobody has vouched for yet, none of them over the limit, are
// bounded all together.
func TestBytesInFlight(t *testing.T) {
	const n, sent, limit = 24, 1 << 20, 8 << 20
	var entered atomic.Int64
	h := newHouse(t, newAcme("key"), anymail.WithoutSharedSecret(), counting(&entered), anymail.WithMaxInFlightBytes(limit),
		anymail.WithLimits(anymail.Limits{Body: 2 * sent, BodyTime: time.Minute}))
	body := bytes.Repeat([]byte{' '}, sent) // one for all, so that the clients take no memory
	refused := func() (n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, r := range h.rejections {
			if strings.Contains(r.Err.Error(), "too many bytes in flight") {
				n++
			}
		}
		return n
	}
	before := heap()
	var wg sync.WaitGroup
	clients := crowd(t, h, &entered, n, 2*sent, "")
	for _, c := range clients {
		wg.Go(func() { _, _ = c.Write(body) }) // fails where it is refused meanwhile
	}
	// Half of what a body needs is more than 16 of them may have.
	require.Eventually(t, func() bool { return refused() >= n-limit/sent }, time.Minute, time.Millisecond)
	require.Less(t, heap()-before, int64(limit+limit))
	for _, c := range clients {
		c.Close()
	}
	wg.Wait()

	large := newPost("["+strings.Repeat(" ", 2*sent-2)+"]").sign("key", time.Now())
	require.Eventually(t, func() bool { return h.do(t, large).StatusCode != http.StatusServiceUnavailable }, time.Minute, 10*time.Millisecond, "the bytes are given back")

	d, err := anymail.New()
	require.NoError(t, err)
	err = d.Register("acme", newAcme("key"), anymail.WithMaxInFlightBytes(1))
	require.ErrorIs(t, err, anymail.ErrConfig, "it is for all adapters together")
	_, err = anymail.New(anymail.WithMaxInFlightBytes(0))
	require.ErrorIs(t, err, anymail.ErrConfig)
}

// What a form is decoded into counts as well.
func TestFormsInFlight(t *testing.T) {
	const size = 1 << 20
	form := func(kind string) post {
		return newPost("a="+strings.Repeat("x", size-2)).with("Content-Type", kind)
	}
	urlencoded := "application/x-www-form-urlencoded"
	multipart := `Multipart/Form-Data; boundary="b"`
	for _, tt := range []struct {
		kind   string
		room   int64
		status int
	}{
		{"text/plain", 3 * size / 2, 415},
		{urlencoded, 3 * size / 2, 503},
		{urlencoded, 3 * size, 415}, // acme takes no forms
		{multipart, 3 * size / 2, 503},
		{multipart, 3 * size, 415},
	} {
		h := newHouse(t, newAcme(), anymail.WithMaxInFlightBytes(tt.room))
		require.Equal(t, tt.status, h.do(t, form(tt.kind)).StatusCode, "%s, %d", tt.kind, tt.room)
		require.Equal(t, tt.status, h.do(t, form(tt.kind)).StatusCode, "the bytes are given back")
	}
}

// A listener that fills the backlog of one adapter leaves room for others.
func TestInFlightPerAdapter(t *testing.T) {
	h := newHouse(t, newAcme("key"))
	require.NoError(t, h.Register("narrow", newAcme("key"), anymail.WithMaxInFlight(1)))
	entered, release := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	require.NoError(t, h.Tracking.Connect("slow", func(_ context.Context, ev *anymail.TrackingEvent) error {
		if ev.ID == "slow" {
			close(entered)
			<-release
		}
		return nil
	}))
	at := func(name, body string) post {
		p := newPost(body).sign("key", time.Now())
		p.path = "/hooks/" + name + "/tracking/"
		return p
	}
	status := make(chan int, 1)
	go func() { status <- h.do(t, at("narrow", `{"ID":"slow"}`)).StatusCode }()
	<-entered
	require.Equal(t, 503, h.do(t, at("narrow", `{"ID":"1"}`)).StatusCode)
	require.Equal(t, 200, h.do(t, at("acme", `{"ID":"2"}`)).StatusCode)
	letGo()
	require.Equal(t, 200, <-status)
	require.True(t, errors.Is(h.rejections[0].Err, anymail.ErrUnavailable))
}
