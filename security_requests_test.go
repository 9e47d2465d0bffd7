package anymail_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// answers reads what comes until the server hangs up, 100s included.
func (c *rawClient) all(t *testing.T) (statuses []int) {
	t.Helper()
	for {
		resp, err := http.ReadResponse(c.answers, nil)
		if err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			return statuses
		}
		if resp.StatusCode != http.StatusContinue {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		statuses = append(statuses, resp.StatusCode)
	}
}

// Requests of strange shapes, as they are made to be read by a proxy otherwise
// than by the server behind it. Whatever comes of one, a request that is hidden
// in it has to prove itself like any other, and no event is taken twice.
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
		{"two in one go", head(length) + auth + "\r\n" + delivered + head(length, end) + auth + "\r\n" + strings.Replace(delivered, "1", "2", 1), []int{200, 200}, 2},
		{"one that proves itself, one that does not", head(length) + auth + "\r\n" + delivered + hidden, []int{200, 400}, 1},
		{"length and chunks", head(length, isChunked, end) + auth + "\r\n" + chunks, []int{200}, 1},
		{"hidden behind the chunks", head(fmt.Sprintf("Content-Length: %d", len(chunks)+len(hidden)), isChunked) + auth + "\r\n" + chunks + hidden, []int{200, 400}, 1},
		{"hidden in the length", head(fmt.Sprintf("Content-Length: %d", len(hidden)), end) + auth + "\r\n" + hidden, []int{400}, 0},
		{"two lengths", head(length, "Content-Length: 1") + auth + "\r\n" + delivered, []int{400}, 0},
		{"length with a sign", head(fmt.Sprintf("Content-Length: +%d", len(delivered))) + auth + "\r\n" + delivered, []int{400}, 0},
		{"negative length", head("Content-Length: -1") + auth + "\r\n" + delivered, []int{400}, 0},
		{"length that is too long for a number", head("Content-Length: "+strings.Repeat("9", 100)) + auth + "\r\n" + delivered, []int{400}, 0},
		{"blank before the colon", head("Content-Length : 1") + auth + "\r\n" + delivered, []int{400}, 0},
		{"chunks of another spelling", head("Transfer-Encoding: xchunked") + auth + "\r\n" + chunks, []int{501}, 0},
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
		{"another URL than that of the server", strings.Replace(head(length, end), "POST ", "POST http://elsewhere.example", 1) + auth + "\r\n" + delivered, []int{200}, 1},
		{"told to go on", head(length, "Expect: 100-continue", end) + auth + "\r\n" + delivered, []int{100, 200}, 1},
		{"expects something else", head(length, "Expect: magic", end) + auth + "\r\n" + delivered, []int{417}, 0},
		{"HEAD with a body", strings.Replace(head(fmt.Sprintf("Content-Length: %d", len(hidden)), end), "POST", "HEAD", 1) + auth + "\r\n" + hidden, []int{200}, 0},
		{"method in lower case", strings.Replace(head(length, end), "POST", "post", 1) + auth + "\r\n" + delivered, []int{405}, 0},
		{"method that nobody knows", strings.Replace(head(length, end), "POST", "SMUGGLE", 1) + auth + "\r\n" + delivered, []int{405}, 0},
		{"content encoding twice", head(length, "Content-Encoding: identity", "Content-Encoding: gzip", end) + auth + "\r\n" + delivered, []int{415}, 0},
		{"content encoding in two fields", head(length, "Content-Encoding: gzip", "Content-Encoding: gzip", end) + auth + "\r\n" + delivered, []int{415}, 0},
		{"content type twice", head(length, "Content-Type: text/plain", end) + auth + "\r\n" + delivered, []int{415}, 0},
		{"deflate", head(length, "Content-Encoding: deflate", end) + auth + "\r\n" + delivered, []int{415}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, newAcme(), anymail.WithLimits(anymail.Limits{BodyTime: 10 * time.Second}))
			c := dial(t, h)
			_, _ = io.WriteString(c, tt.text) // the server may have heard enough before the end
			if strings.Contains(tt.text, "HEAD") {
				answer, err := io.ReadAll(c)
				require.NoError(t, err)
				require.Contains(t, string(answer), "200 OK")
				require.Equal(t, 1, bytes.Count(answer, []byte("HTTP/1.1")))
			} else {
				require.Equal(t, tt.statuses, c.all(t))
			}
			require.Len(t, h.take(), tt.events)
		})
	}
}

// Who waits to be told to send the body is told nothing if nobody wants it.
func TestRefusedBeforeTheBody(t *testing.T) {
	h := newHouse(t, newAcme())
	c := dial(t, h)
	c.begin(t, newPost("").with("Authorization", ""), "Content-Length: 100000\r\nExpect: 100-continue", "")
	require.Equal(t, 400, c.status(t))
}

// A method that no router knows is answered like any other that is not POST.
func TestUnknownMethods(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme()))
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("SMUGGLE", "/acme/tracking/", nil))
	require.Equal(t, 405, w.Code)
	require.Equal(t, "POST, HEAD", w.Header().Get("Allow"))
}

// The bounds hold over HTTP/2 too, where the server cannot hang up on one
// request alone.
func TestHTTP2(t *testing.T) {
	const limit = 64 << 10
	h := new(house)
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.RequireTLS(), anymail.WithLogger(quiet),
		anymail.WithLimits(anymail.Limits{Body: limit, BodyTime: 100 * time.Millisecond}))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme()))
	require.NoError(t, d.Tracking.Connect("keep", func(_ context.Context, ev *anymail.TrackingEvent) error {
		h.events = append(h.events, ev)
		return nil
	}))
	server := httptest.NewUnstartedServer(http.StripPrefix("/hooks", d))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	// A body that does not end: it has been sent, and then there is silence.
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
		header string // instead of the secret
		status int
		events int
	}{
		{"good", strings.NewReader(delivered), "", 200, 1},
		{"as large as it may be", strings.NewReader(batch(limit)), "", 200, 0},
		{"too large", strings.NewReader(batch(limit + 1)), "", 413, 0},
		{"too large, of no declared length", io.MultiReader(strings.NewReader(batch(limit)), strings.NewReader(" ")), "", 413, 0},
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
			require.Len(t, h.take(), tt.events)
		})
	}
}

// What a parser stumbled over may be part of a letter, or of a secret.
func TestErrorsDoNotQuoteForms(t *testing.T) {
	const private = "ada@example.com"
	const kind = "multipart/form-data; boundary=b"
	for name, tt := range map[string]struct{ kind, body string }{
		"part header":          {kind, "--b\r\n" + private + "\r\n\r\nx\r\n--b--\r\n"},
		"no delimiter":         {kind, "--b\r\n\r\nx\r\n--b" + private + "\r\n"},
		"content type":         {private + "/; a=b; a=c", ""},
		"content type, params": {"multipart/form-data; " + private + "=b; " + private + "=c", ""},
		"escape":               {"application/x-www-form-urlencoded", private + "=%zz"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &anymail.Payload{Header: http.Header{"Content-Type": {tt.kind}}, Body: []byte(tt.body)}
			_, err := p.Form()
			require.Error(t, err)
			require.NotContains(t, err.Error(), private)
		})
	}
}
