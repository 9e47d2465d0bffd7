package web_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
)

// Nothing goes on after the end: no stream, no client that waits, no request that is
// forwarded to a program that does not answer.
func TestNoGoroutineIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	hung := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-hung:
		}
	}))
	defer slow.Close()
	defer close(hung)
	l, err := web.New(web.Options{Keep: 100, Forward: slow.URL, Store: filepath.Join(t.TempDir(), "requests.ndjson"), Warn: func(err error) { t.Error(err) }})
	require.NoError(t, err)
	server := httptest.NewServer(l)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	stream, err := client.Get(server.URL + "/api/stream")
	require.NoError(t, err)
	events := bufio.NewReader(stream.Body)
	hello, err := events.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, ": hello\n", hello)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if resp, err := client.Get(server.URL + "/api/wait"); err == nil {
			_ = resp.Body.Close()
		}
	})
	for range 20 {
		resp, err := client.Post(server.URL+"/anymail/nobody/", "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	line, err := events.ReadString('\n')
	for err == nil && !strings.HasPrefix(line, "event: ") {
		line, err = events.ReadString('\n')
	}
	require.NoError(t, err)
	require.Equal(t, "event: request\n", line)

	server.CloseClientConnections()
	server.Close()
	waiting.Wait()
	require.NoError(t, stream.Body.Close())
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "again")
}
