package anymail_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func gzipText(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// The limit holds for the bytes that arrive and for their decompressed form,
// whatever length the request declares.
func TestBodySize(t *testing.T) {
	const limit = 64 << 10
	batch := func(size int) string { return "[" + strings.Repeat(" ", size-2) + "]" }
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	const isChunked, isGzip = "Transfer-Encoding: chunked", "\r\nContent-Encoding: gzip"
	chunked := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text) }
	bomb, fits := gzipText(t, batch(limit+1)), gzipText(t, batch(limit))
	corrupt := []byte(fits)
	corrupt[12] ^= 0xff
	tests := []struct {
		name         string
		length, body string
		status       int
	}{
		{"at the limit", length(limit), batch(limit), 200},
		{"declared too large", length(limit + 1), batch(limit + 1), 413},
		{"declared far too large, nothing sent", length(1 << 60), "", 413},
		{"chunked, at the limit", isChunked, chunked(batch(limit)), 200},
		{"chunked, too large", isChunked, chunked(batch(limit + 1)), 413},
		{"chunked, too large, unterminated", isChunked, "ffffffff\r\n" + batch(2*limit), 413},
		{"gzip, at the limit", length(len(fits)) + isGzip, fits, 200},
		{"gzip bomb", length(len(bomb)) + isGzip, bomb, 413},
		{"chunked gzip bomb", isChunked + isGzip, chunked(bomb), 413},
		{"gzip of many members", length(3*len(fits)) + isGzip, fits + fits + fits, 413},
		{"invalid gzip", length(9) + isGzip, "no gzip !", 400},
		{"corrupt gzip", length(len(corrupt)) + isGzip, string(corrupt), 400},
		{"twice gzip", length(len(fits)) + isGzip + ", gzip", fits, 415},
		{"invalid chunk", isChunked, "zz\r\n", 503}, // a transport error: the ESP may retry
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, newAcme(), anymail.WithLimits(anymail.Limits{Body: limit, BodyTime: 10 * time.Second}))
			c := dial(t, srv)
			c.begin(t, newPost(""), tt.length, tt.body)
			require.Equal(t, tt.status, c.status(t))
			require.Empty(t, srv.take())
		})
	}
}

// A body that stalls ends at its time limit, even if the request is refused:
// net/http reads the rest of the body before it sends a refusal.
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
		{"gzip", good.with("Content-Encoding", "gzip"), "Content-Length: 100000", gzipText(t, delivered), nil, 503},
		{"wrong secret", good.with("Authorization", "Basic x"), "Content-Length: 100000", "{", nil, 400},
		{"wrong secret, chunked", good.with("Authorization", "Basic x"), "Transfer-Encoding: chunked", "1\r\n{\r\n", nil, 400},
		{"refused method", post{"PUT", good.path, "", good.header}, "Content-Length: 100000", "{", nil, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, newAcme(), append(tt.options, anymail.WithLimits(anymail.Limits{BodyTime: 30 * time.Millisecond}))...)
			c := dial(t, srv)
			c.begin(t, tt.post, tt.length, tt.body)
			require.Equal(t, tt.status, c.status(t))
			require.Empty(t, srv.take())
		})
	}

	// The time limit of the body does not apply to receivers.
	srv := newTestServer(t, newAcme(), anymail.WithLimits(anymail.Limits{BodyTime: 100 * time.Millisecond}))
	require.NoError(t, srv.Tracking.Connect("patient", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
			return nil
		}
	}))
	require.Equal(t, 200, srv.do(t, good).StatusCode)
}

// A body that stalls costs its time limit and a small buffer, whatever length it
// declares.
func TestSlowBodyWithDeclaredLength(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithLimits(anymail.Limits{BodyTime: 50 * time.Millisecond}))
	p := newPost(delivered).sign("key", time.Now())
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 1000000\r\n\r\n{", p.path, p.header.Get("Authorization"))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "503 Service Unavailable")
	require.Empty(t, srv.take())
}

// A body shorter than declared means a broken connection: a retry can succeed.
func TestTruncatedBody(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	for _, encoding := range []string{"identity", "gzip"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(srv.url, "http://"))
		require.NoError(t, err)
		p := newPost(delivered)
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Encoding: %s\r\nContent-Length: 1000\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", p.path, p.header.Get("Authorization"), encoding)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Contains(t, string(answer), "503 Service Unavailable", encoding)
		require.NoError(t, conn.Close())
	}
}

func TestGzip(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithLimits(anymail.Limits{Body: 1 << 20}))
	p := newPost(delivered).sign("key", time.Now()).with("Content-Encoding", "gzip")
	p.body = gzipText(t, delivered)
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	require.Len(t, srv.take(), 1)

	p.body = gzipText(t, strings.Repeat(" ", 1<<20+1))
	require.Less(t, len(p.body), 1<<12)
	require.Equal(t, 413, srv.do(t, p).StatusCode)
	p.body = "not gzip, despite the header"
	require.Equal(t, 400, srv.do(t, p).StatusCode)
	p.body = gzipText(t, delivered)[:30]
	require.Equal(t, 400, srv.do(t, p).StatusCode)
}

// A body that a middleware has consumed is not a signature mismatch.
func TestBodyReadByMiddleware(t *testing.T) {
	for name, consume := range map[string]func(*http.Request){
		"read":   func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
		"parsed": func(r *http.Request) { _ = r.ParseForm() },
		"form of unknown length": func(r *http.Request) {
			r.ContentLength = -1
			_ = r.ParseForm()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var rejected anymail.Rejection
			d, err := anymail.New(anymail.WithLogger(quiet), anymail.WithHooks(anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) { rejected = r }}))
			require.NoError(t, err)
			require.NoError(t, d.Register("acme", newAcme("key")))
			r := httptest.NewRequest(http.MethodPost, "/acme/tracking/", strings.NewReader("a=1&b=2"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			consume(r)
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			require.Equal(t, 503, w.Code, "a change of the program helps, so the ESP should retry")
			require.ErrorContains(t, rejected.Err, "the body was read before it arrived here")
		})
	}
}
