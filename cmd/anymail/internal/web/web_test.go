package web_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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
	require.Equal(t, 403, do("DELETE", "/api/requests", "", nil))
	require.Equal(t, 403, do("POST", "/api/requests/1/replay", "", nil))
	require.Equal(t, 200, do("POST", "/api/requests/1/replay", "", ours))
	require.Equal(t, 204, do("DELETE", "/api/requests", "", ours))
	require.Equal(t, 404, do("GET", "/api/requests/1", "", nil))
}

func TestStoreIsBounded(t *testing.T) {
	store := web.NewStore(3, 100<<10)
	handler := store.Capture(http.NotFoundHandler(), 60<<10)
	post := func(n int) {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", n))))
	}
	for range 5 {
		post(1)
	}
	require.Len(t, store.All(), 3)
	post(50 << 10)
	post(60 << 10)
	require.Len(t, store.All(), 1)
	require.Len(t, store.All()[0].Body, 60<<10)
	post(60<<10 + 1)
	last := store.All()[len(store.All())-1]
	require.Empty(t, last.Body, "too large to keep")
	require.Nil(t, store.Get(1))
	require.Equal(t, last, store.Get(last.ID))
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
	for range 1000 {
		b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, nil))
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	rest, err := io.ReadAll(stream)
	require.NoError(t, err, "the answer ends")
	require.Less(t, strings.Count(string(rest), "data: "), 1000)
}
