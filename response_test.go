package anymail_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Which status each kind of request gets.
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
		err     error // kind of the rejection
		payload bool  // whether the rejection has the payload
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
		{name: "custom reject status", options: []anymail.Option{anymail.WithRejectStatus(404)}, post: signed(delivered).with("Authorization", ""), status: 404, err: anymail.ErrUnauthenticated},
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
		{name: "address claimed by an untrusted client", options: []anymail.Option{anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24"))}, post: signed(delivered).with("X-Forwarded-For", "192.0.2.1"), status: 403, err: anymail.ErrForbidden},
		{name: "address reported by a proxy", options: []anymail.Option{anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.1/32")), anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24"))}, post: signed(delivered).with("X-Forwarded-For", "203.0.113.9, 192.0.2.1"), status: 200, events: 1},
		{name: "address list unavailable", options: []anymail.Option{anymail.WithAllowedAddressFunc(func(context.Context) ([]netip.Prefix, error) { return nil, errors.New("down") })}, post: signed(delivered), status: 503, err: anymail.ErrUnavailable},

		{name: "plain http refused", options: []anymail.Option{anymail.RequireTLS()}, post: signed(delivered), status: 400, err: anymail.ErrUnauthenticated},
		{name: "https claimed by an untrusted client", options: []anymail.Option{anymail.RequireTLS()}, post: signed(delivered).with("X-Forwarded-Proto", "https"), status: 400, err: anymail.ErrUnauthenticated},
		{name: "https reported by a proxy", options: []anymail.Option{anymail.RequireTLS(), anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"))}, post: signed(delivered).with("X-Forwarded-Proto", "https"), status: 200, events: 1},

		{name: "body over the limit", options: []anymail.Option{anymail.WithLimits(anymail.Limits{Body: 20})}, post: signed(delivered), status: 413, err: anymail.ErrTooLarge},
		{name: "more events than allowed", options: []anymail.Option{anymail.WithLimits(anymail.Limits{BatchEvents: 2})}, post: signed("[{},{},{}]"), status: 413, err: anymail.ErrTooLarge, payload: true},
		{name: "wrong content type", post: signed(delivered).with("Content-Type", "text/plain"), status: 415, err: anymail.ErrUnsupportedMedia, payload: true},
		{name: "wrong content type, forged", post: newPost(delivered).with("Content-Type", "text/plain"), status: 400, err: anymail.ErrUnauthenticated},
		{name: "unknown content encoding", post: signed(delivered).with("Content-Encoding", "br"), status: 415, err: anymail.ErrUnsupportedMedia},
		{name: "undecodable", post: signed(`{"ID":`), status: 400, err: anymail.ErrMalformed, payload: true},
		{name: "trailing data after the JSON", post: signed(delivered + "{}"), status: 400, err: anymail.ErrMalformed, payload: true},
		{name: "nested 20000 deep", post: signed(strings.Repeat("[", 20000)), status: 400, err: anymail.ErrMalformed, payload: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.adapter == nil {
				tt.adapter = newAcme("key")
			}
			srv := newTestServer(t, tt.adapter, tt.options...)
			resp := srv.do(t, tt.post)
			require.Equal(t, tt.status, resp.StatusCode)
			for name, values := range tt.header {
				require.Equal(t, values, resp.Header[name])
			}
			require.Len(t, srv.take(), tt.events)
			if tt.err == nil {
				return
			}
			require.Len(t, srv.rejections, 1)
			r := srv.rejections[0]
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
			require.Contains(t, srv.log.String(), "anymail: request not accepted")
			for _, hidden := range []string{"Long-Enough", "ada@example.com"} {
				require.NotContains(t, srv.log.String()+r.Err.Error(), hidden)
			}
			body, _ := io.ReadAll(resp.Body)
			if tt.post.method != "HEAD" {
				require.Equal(t, http.StatusText(tt.status), strings.TrimSpace(string(body)))
			}
		})
	}
}

// With WithRejectStatus, all unauthenticated requests get the same response.
func TestRejectionsLookTheSame(t *testing.T) {
	now := time.Now()
	good := newPost(delivered).sign("key", now)
	srv := newTestServer(t, newAcme("key"), anymail.WithRejectStatus(410))
	require.Equal(t, 200, srv.do(t, good).StatusCode)
	var first http.Header
	for i, p := range []post{
		good.with("Authorization", ""),
		good.with("Authorization", basic("a:b")),
		newPost(delivered),
		newPost(delivered).sign("other", now),
		newPost(delivered).sign("key", now.Add(-time.Hour)),
		good, // replayed
	} {
		resp := srv.do(t, p)
		require.Equal(t, 410, resp.StatusCode)
		resp.Header.Del("Date")
		if i == 0 {
			first = resp.Header
		}
		require.Empty(t, cmp.Diff(first, resp.Header))
	}
}

// Refusals that an ESP causes in normal operation must not lock it out.
func TestExpectedRefusalsDoNotLockOut(t *testing.T) {
	few := anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 2}})
	now := time.Now()
	good := newPost(delivered).sign("key", now)
	a := newAcme("key")
	a.endpoint.Challenge = true
	tests := []struct {
		name   string
		post   post
		status int
		locks  bool
	}{
		{"asks for the challenge", good.with("Authorization", ""), 401, false},
		{"repeats a signature", good, 400, false},
		{"stale", newPost(delivered).sign("key", now.Add(-time.Hour)), 400, false},
		{"guesses the secret", good.with("Authorization", basic("a:b")), 400, true},
		{"forges", newPost(delivered).sign("other", now), 400, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, a, few)
			require.Equal(t, 200, srv.do(t, good).StatusCode)
			want := tt.status
			for i := range 6 {
				if tt.locks && i == 2 {
					want = 429
				}
				require.Equal(t, want, srv.do(t, tt.post).StatusCode, "time %d", i+1)
			}
		})
	}
	srv := newTestServer(t, newAcme("key"), few)
	for range 2 {
		require.Equal(t, 400, srv.do(t, good.with("Authorization", "")).StatusCode)
	}
	require.Equal(t, 429, srv.do(t, good).StatusCode, "without a challenge, a missing secret is a failure")
}

func TestAllowListsProbes(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Probes = []string{"GET"}
	srv := newTestServer(t, a)
	p := newPost("")
	p.method = "PUT"
	resp := srv.do(t, p)
	require.Equal(t, 405, resp.StatusCode)
	require.Equal(t, "POST, HEAD, GET", resp.Header.Get("Allow"))
	require.ErrorIs(t, srv.rejections[0].Err, anymail.ErrMethodNotAllowed)
}

// A connection stays usable after a request was refused before its body was read.
func TestKeepAliveAfterRefusal(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithLimits(anymail.Limits{Body: 100}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	good := newPost(delivered).sign("key", time.Now())
	answers := bufio.NewReader(conn)
	for _, tt := range []struct {
		post   post
		status int
	}{
		{good.with("Authorization", ""), 400},
		{newPost(strings.Repeat("x", 5000)), 413},
		{good, 200},
	} {
		req, err := http.NewRequest(tt.post.method, srv.url+tt.post.path, strings.NewReader(tt.post.body))
		require.NoError(t, err)
		req.Header = tt.post.header
		require.NoError(t, req.Write(conn))
		resp, err := http.ReadResponse(answers, req)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.Equal(t, tt.status, resp.StatusCode)
	}
	require.Len(t, srv.take(), 1)
}

// The log line of a request has a bounded length, however many receivers fail on
// however many events.
func TestLogLineIsBounded(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	require.NoError(t, srv.Tracking.Connect("fails", func(context.Context, *anymail.TrackingEvent) error { return errors.New("no database") }))
	var batch []string
	for i := range 1000 {
		batch = append(batch, strings.Replace(delivered, "1", fmt.Sprint(i), 1))
	}
	p := newPost("["+strings.Join(batch, ",")+"]").sign("key", time.Now())
	require.Equal(t, 500, srv.do(t, p).StatusCode)
	for line := range strings.Lines(srv.log.String()) {
		require.Less(t, len(line), 10_000)
	}
	require.Contains(t, srv.log.String(), "no database")
	require.Greater(t, len(srv.rejections[0].Err.Error()), 10_000, "the hook gets the full error")
}

// A request that matches no endpoint is logged with what would have matched.
func TestNotFoundIsExplained(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	for path, want := range map[string]string{
		"/hooks/acme/tracing/":          "registered: /acme/tracking",
		"/hooks/ACME/inbound/":          "registered: /acme/tracking",
		"/hooks/webhooks/acme/tracking": "/acme/tracking would match: remove the prefix",
		"/hooks/acme/tracking/more/":    "registered: /acme/tracking",
		"/hooks/":                       "registered: /acme/tracking",
	} {
		srv.log.Reset()
		p := newPost(delivered)
		p.path = path
		require.Equal(t, 404, srv.do(t, p).StatusCode, path)
		require.Contains(t, srv.log.String(), "anymail: no endpoint at this path")
		require.Contains(t, srv.log.String(), want, path)
	}
}

// A refusal tells the operator which URL was assumed and which headers were not
// believed.
func TestRefusalsNameURLAndHeaders(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	p := newPost(delivered).with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "hooks.example.com")
	p.path += "?token=s3cret"
	require.Equal(t, 400, srv.do(t, p).StatusCode)
	rejected := srv.rejections[0]
	require.Equal(t, srv.url+"/hooks/acme/tracking/", rejected.URL)
	require.Equal(t, []string{"X-Forwarded-Proto", "X-Forwarded-Host"}, rejected.IgnoredHeaders)
	require.Contains(t, srv.log.String(), rejected.URL)
	require.Contains(t, srv.log.String(), "X-Forwarded-Proto, X-Forwarded-Host: not sent by a trusted proxy")
	require.NotContains(t, srv.log.String(), "s3cret")

	trusting := newTestServer(t, newAcme("key"), anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")))
	require.Equal(t, 400, trusting.do(t, p).StatusCode)
	require.Equal(t, "https://hooks.example.com/hooks/acme/tracking/", trusting.rejections[0].URL)
	require.Empty(t, trusting.rejections[0].IgnoredHeaders)
}
