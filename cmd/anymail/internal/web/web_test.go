package web_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/simulator"
)

func TestAPI(t *testing.T) {
	url, post := startPage(t)
	require.Equal(t, 200, post("postmark", "HardBounce", nil))
	require.Equal(t, 200, post("postmark", "Inbound", withHTML(t)))
	require.Equal(t, 400, post("mailgun", "delivered", func(r *simulator.Request) {
		r.Body = []byte(strings.Replace(string(r.Body), `"token"`, `"taken"`, 1))
		r.Header.Set("Authorization", "Basic aHVzaDpodXNo")
	}))
	require.Equal(t, 404, post("postmark", "Delivery", func(r *simulator.Request) { r.URL = url + "/anymail/nobody/tracking/" }))

	_, list := get(t, url+"/api/requests")
	var answer struct {
		Requests []struct {
			ID     int
			Status int
			Error  string
			Events []struct{ ESP, Type, Recipient, Reason string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(list), &answer))
	require.Len(t, answer.Requests, 4)
	require.Equal(t, "bounced", answer.Requests[3].Events[0].Type)
	require.Equal(t, "invalid", answer.Requests[3].Events[0].Reason)
	require.Contains(t, answer.Requests[1].Error, "not authenticated")
	require.Equal(t, "no adapter has this path", answer.Requests[0].Error)

	_, detail := get(t, url+"/api/requests/3")
	require.Contains(t, detail, "(hidden)")
	require.NotContains(t, detail, "aHVzaDpodXNo")

	resp, saved := get(t, url+"/api/requests/3/http")
	require.Equal(t, "attachment; filename=request-3.http", resp.Header.Get("Content-Disposition"))
	require.NotContains(t, saved, "aHVzaDpodXNo")
	again, err := http.ReadRequest(bufio.NewReader(strings.NewReader(saved)))
	require.NoError(t, err)
	require.Equal(t, "/anymail/mailgun/tracking/", again.URL.Path)
	require.Contains(t, saved, `"taken"`)

	resp, page := get(t, url+"/api/requests/2/events/0/html")
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'")
	require.Contains(t, page, `src="data:image/png;base64,iVBORw0KGgo="`)
	resp, content := get(t, url+"/api/requests/2/events/0/attachments/1")
	require.Equal(t, "a note", content)
	require.Equal(t, "attachment; filename=notes.txt", resp.Header.Get("Content-Disposition"))
	require.Equal(t, "application/octet-stream", resp.Header.Get("Content-Type"))
	for _, path := range []string{"/api/requests/99", "/api/requests/x", "/api/requests/1/events/0/html", "/api/requests/2/events/7/html", "/api/requests/2/events/0/attachments/-1", "/nothing"} {
		resp, _ := get(t, url+path)
		require.Equal(t, 404, resp.StatusCode, path)
	}
}

// Other sites must not use the browser in which the page is open.
func TestProtection(t *testing.T) {
	url, post := startPage(t)
	require.Equal(t, 200, post("postmark", "Delivery", nil))
	do := func(method, path, host string, header http.Header) int {
		req, err := http.NewRequest(method, url+path, strings.NewReader(`{"url":"http://127.0.0.1:1/"}`))
		require.NoError(t, err)
		req.Host, req.Header = host, header
		if host == "" {
			req.Host = req.URL.Host
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	ours := http.Header{"X-Anymail": {"1"}}
	require.Equal(t, 200, do("GET", "/", "localhost:1", nil))
	require.Equal(t, 403, do("GET", "/api/requests", "rebound.example.net", nil))
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded"} {
		require.Equal(t, 403, do("GET", "/api/requests", "localhost", http.Header{name: {"203.0.113.7"}}), "a tunnel")
	}
	require.Equal(t, 403, do("PUT", "/api/forward", "", nil))
	require.Equal(t, 403, do("PUT", "/api/answer", "", nil))
	require.Equal(t, 403, do("POST", "/api/trigger", "", nil))
	require.Equal(t, 403, do("POST", "/api/replay", "", nil))
	require.Equal(t, 403, do("DELETE", "/api/requests", "", nil))
	require.Equal(t, 403, do("POST", "/api/requests/1/replay", "", nil))
	require.Equal(t, 200, do("POST", "/api/requests/1/replay", "", ours))
	require.Equal(t, 204, do("DELETE", "/api/requests", "", ours))
	require.Equal(t, 404, do("GET", "/api/requests/1", "", nil))
}

// Old requests go when there are too many events, or when they are too large.
func TestBounds(t *testing.T) {
	b := start(t, func(o *web.Options) { o.Keep, o.Size = 4, 100<<10 })
	kept := func() []int64 {
		var l list
		b.getJSON(t, "/api/requests", &l)
		return l.ids()
	}
	unknown := func(n int) {
		t.Helper()
		resp, err := http.Post(b.url+"/anymail/nobody/", "text/plain", strings.NewReader(strings.Repeat("x", n)))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
	}
	for range 5 {
		unknown(1)
	}
	require.Equal(t, []int64{5, 4, 3, 2}, kept(), "a request without events counts as one")
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", b.batch(t, "delivered", "open")))
	require.Equal(t, []int64{6, 5, 4}, kept(), "a batch of two counts as two")
	require.Equal(t, 200, b.post(t, "sendgrid", "delivered", b.batch(t, "delivered", "open", "click", "delivered", "open")))
	require.Equal(t, []int64{7}, kept(), "the latest stays, whole")
	unknown(1)
	require.Equal(t, []int64{8}, kept())
	unknown(30 << 10)
	require.Equal(t, []int64{9, 8}, kept())
	unknown(60 << 10)
	require.Equal(t, []int64{10}, kept())
}

// A page that does not keep up is told to start anew, instead of missing some.
func TestSlowPage(t *testing.T) {
	b := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /api/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	stream := bufio.NewReader(conn)
	for line := ""; line != ": hello\n"; { // subscribed, and reads no more
		line, err = stream.ReadString('\n')
		require.NoError(t, err)
	}
	path := "/anymail/" + strings.Repeat("x", 64<<10) // fills what the connection buffers
	for range 300 {
		b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, nil))
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	rest, err := io.ReadAll(stream)
	require.NoError(t, err, "the answer ends")
	require.Less(t, strings.Count(string(rest), "data: "), 300)
}

// Clients that post, look, wait and clear at the same time do not disturb each other.
func TestConcurrentUse(t *testing.T) {
	b := start(t, func(o *web.Options) {
		o.Keep, o.Store = 20, filepath.Join(t.TempDir(), "requests.ndjson")
		o.Warn = func(err error) { t.Error(err) }
	})
	var wg sync.WaitGroup
	do := func(f func()) {
		wg.Go(func() {
			for range 20 {
				f()
			}
		})
	}
	for range 3 {
		do(func() { b.post(t, "postmark", "HardBounce", nil) })
		do(func() { b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)) })
	}
	for _, path := range []string{"/api/requests?q=ada", "/api/events", "/api/stats", "/api/export", "/api/requests/5", "/api/wait?timeout=1ms", "/api/requests/7/gotest"} {
		do(func() {
			if resp, err := http.Get(b.url + path); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	do(func() {
		b.send(t, "PUT", "/api/answer", map[string]any{"status": 503, "times": 1}, nil)
		b.send(t, "POST", "/api/trigger", map[string]any{"esp": "mailgun", "type": "opened"}, nil)
	})
	do(func() { b.send(t, "PUT", "/api/forward", map[string]any{"url": "http://127.0.0.1:1"}, nil) })
	do(func() { b.send(t, "POST", "/api/replay", map[string]any{"ids": []int{3, 4, 5}}, nil) })
	do(func() { time.Sleep(5 * time.Millisecond); b.send(t, "DELETE", "/api/requests", nil, nil) })
	wg.Wait()
	require.Equal(t, 200, b.send(t, "PUT", "/api/answer", map[string]any{}, nil))
	require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
	var l list
	b.getJSON(t, "/api/requests?limit=1", &l)
	require.Equal(t, "bounced", l.Requests[0].Events[0].Type)
}

// A header that holds a secret is not shown, copied or kept, whether its name says so or
// a setting does.
func TestSecretsStayHidden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	b := start(t, withStore(t, file), func(o *web.Options) {
		o.Settings["brevo"] = map[string][]string{"header_name": {"X-Our-Shop"}, "header_values": {"open-sesame-and-more"}}
	})
	authorization := base64.StdEncoding.EncodeToString([]byte("user:hush-hush-password"))
	secrets := http.Header{
		"X-Our-Shop": {"open-sesame-and-more"}, "Cookie": {"hush-hush-cookie"}, "Authorization": {"Basic " + authorization}, "X-Api-Key": {"hush-hush-key"},
	}
	require.Equal(t, 200, b.post(t, "brevo", "delivered", func(r *simulator.Request) { maps.Copy(r.Header, secrets) }))
	require.Equal(t, 400, b.post(t, "brevo", "delivered", func(r *simulator.Request) {
		maps.Copy(r.Header, secrets)
		r.Header.Set("X-Our-Shop", "open-sesame-or-less")
	}))
	for _, path := range []string{"/api/requests", "/api/export", "/api/settings", "/api/events", "/api/stats"} {
		_, text := get(t, b.url+path)
		require.NotRegexp(t, "sesame|hush|"+authorization, text, path)
	}
	for _, id := range []string{"1", "2"} {
		for _, part := range []string{"", "/http", "/curl", "/gotest"} {
			_, text := get(t, b.url+"/api/requests/"+id+part)
			require.NotRegexp(t, "sesame|hush|"+authorization, text, part)
		}
	}
	var l list
	b.getJSON(t, "/api/requests?q=sesame", &l)
	require.Empty(t, l.Requests, "and not found")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotRegexp(t, "sesame|hush|"+authorization, string(content))
}
