package anymail_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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

// quiet is a logger for tests that log a lot.
var quiet = slog.New(slog.DiscardHandler)

func (acme) ESP() string                     { return "acme" }
func (a acme) Endpoints() []anymail.Endpoint { return []anymail.Endpoint{a.endpoint} }

const delivered = `{"ID":"1","Event":"delivered","Email":"ada@example.com"}`

// post is a request to send.
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

// testServer is a Dispatcher behind a real listener.
type testServer struct {
	*anymail.Dispatcher
	url string

	mu         sync.Mutex
	events     []*anymail.TrackingEvent
	rejections []anymail.Rejection
	log        bytes.Buffer
}

func newTestServer(t *testing.T, adapter anymail.Adapter, options ...anymail.Option) *testServer {
	t.Helper()
	srv := new(testServer)
	options = append([]anymail.Option{
		anymail.WithSharedSecret(secret),
		anymail.WithLogger(slog.New(slog.NewTextHandler(&srv.log, nil))),
		anymail.WithHooks(anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) {
			srv.mu.Lock()
			defer srv.mu.Unlock()
			srv.rejections = append(srv.rejections, r)
		}}),
	}, options...)
	d, err := anymail.New(options...)
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", adapter))
	require.NoError(t, d.Tracking.Connect("keep", func(_ context.Context, ev *anymail.TrackingEvent) error {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		srv.events = append(srv.events, ev)
		return nil
	}))
	router := chi.NewRouter()
	router.Mount("/hooks", d)
	srv.Dispatcher, srv.url = d, serve(t, router)
	return srv
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

func (srv *testServer) take() []*anymail.TrackingEvent {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	events := srv.events
	srv.events = nil
	return events
}

func (srv *testServer) do(t *testing.T, p post) *http.Response {
	t.Helper()
	req, err := http.NewRequest(p.method, srv.url+p.path, strings.NewReader(p.body))
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

type queueFunc func([]anymail.Event) error

func (f queueFunc) Enqueue(_ context.Context, events []anymail.Event) error { return f(events) }

// rawClient sends exactly the bytes that a test gives it. It gives up after a
// minute, so that a connection that the server should have closed fails the test
// and does not hang it.
type rawClient struct {
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, srv *testServer) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.url, "http://"))
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

// all returns the statuses of all responses, 100s included, until the server
// closes the connection.
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

// basic makes an Authorization header.
func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func event(esp string, typ anymail.EventType, key string) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{Common: anymail.Common{ESP: esp, Type: typ, Key: key}}
}

// contextQueue is a queue that looks at its context.
type contextQueue func(context.Context, []anymail.Event) error

func (f contextQueue) Enqueue(ctx context.Context, events []anymail.Event) error {
	return f(ctx, events)
}
