package anymail_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func prefix(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// requestOrigin is what an adapter learns about the origin of a request.
type requestOrigin struct {
	Addr string
	URL  string
}

// handleFrom handles a request from peer, without a listener, and returns what the
// adapter saw.
func handleFrom(t *testing.T, peer string, header http.Header, options ...anymail.Option) (saw requestOrigin, status int) {
	t.Helper()
	a := newAcme()
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		saw = requestOrigin{p.RemoteAddr.String(), p.URL}
		return nil, nil
	})
	d, err := anymail.New(append([]anymail.Option{anymail.WithSharedSecret(secret), anymail.WithLogger(quiet)}, options...)...)
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", a))
	r := httptest.NewRequest(http.MethodPost, "http://hooks.example.com/acme/tracking", strings.NewReader("[]"))
	r.RemoteAddr = peer
	r.Header = newPost("").header
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return saw, w.Code
}

// The origin of a request is that of the connection, or what trusted proxies
// report.
func TestForwarded(t *testing.T) {
	const client, proxy = "192.0.2.1", "10.0.0.1"
	spoofed := http.Header{
		"X-Forwarded-For": {client}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"},
		"Forwarded": {"for=192.0.2.1;proto=https;host=evil.example"}, "X-Real-Ip": {client}, "True-Client-Ip": {client},
		"X-Forwarded-Scheme": {"https"}, "X-Forwarded-Ssl": {"on"}, "Front-End-Https": {"on"}, "Cf-Connecting-Ip": {client},
	}
	xff := func(values ...string) http.Header { return http.Header{"X-Forwarded-For": values} }
	plain := func(addr string) requestOrigin { return requestOrigin{addr, "http://hooks.example.com/acme/tracking"} }
	trusted := prefix("10.0.0.0/8", "2001:db8:1::/48", "fe80::/10")
	tests := []struct {
		name    string
		peer    string
		header  http.Header
		trusted []netip.Prefix
		want    requestOrigin
	}{
		{"no trusted proxy", proxy + ":1", spoofed, nil, plain(proxy)},
		{"spoofed by an untrusted client", "203.0.113.7:1", spoofed, trusted, plain("203.0.113.7")},
		{"spoofed over IPv6", "[2001:db8:2::7]:1", spoofed, trusted, plain("2001:db8:2::7")},
		{"spoofed by a neighbour of the proxy", "11.0.0.0:1", spoofed, trusted, plain("11.0.0.0")},
		{"reported by a proxy", proxy + ":1", spoofed, trusted, requestOrigin{client, "https://evil.example/acme/tracking"}},
		{"reported by a proxy over IPv6", "[2001:db8:1::1]:1", xff(client), trusted, plain(client)},
		{"reported by a proxy, IPv4-mapped", "[::ffff:10.0.0.1]:1", xff(client), trusted, plain(client)},
		{"reported by a proxy with a zone", "[fe80::1%eth0]:1", xff(client), trusted, plain(client)},
		{"other headers of a proxy", proxy + ":1", http.Header{"X-Real-Ip": {client}, "Forwarded": {"for=192.0.2.1"}}, trusted, plain(proxy)},
		{"client writes the beginning of the list", proxy + ":1", xff("192.0.2.1, 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"client writes a header of its own", proxy + ":1", xff("192.0.2.1", "203.0.113.7"), trusted, plain("203.0.113.7")},
		{"chain of proxies", proxy + ":1", xff("192.0.2.1, 203.0.113.7, 10.9.9.9, 2001:db8:1::9"), trusted, plain("203.0.113.7")},
		{"client claims to be a proxy", proxy + ":1", xff("192.0.2.1, 10.0.0.2, 203.0.113.7, 10.9.9.9"), trusted, plain("203.0.113.7")},
		{"client writes nonsense", proxy + ":1", xff("evil, 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"proxy writes nonsense", proxy + ":1", xff("192.0.2.1, unknown"), trusted, plain(proxy)},
		{"empty", proxy + ":1", xff(""), trusted, plain(proxy)},
		{"only proxies", proxy + ":1", xff("10.0.0.7, 10.0.0.8"), trusted, plain(proxy)},
		{"mapped client", proxy + ":1", xff("::ffff:192.0.2.1"), trusted, plain(client)},
		{"client with a port", proxy + ":1", xff("[2001:db8:2::7]:443"), trusted, plain("2001:db8:2::7")},
		{"two protocols in one header", proxy + ":1", http.Header{"X-Forwarded-Proto": {"https, http"}}, trusted, plain(proxy)},
		{"two headers with a protocol", proxy + ":1", http.Header{"X-Forwarded-Proto": {"https", "http"}}, trusted, plain(proxy)},
		{"client writes a long list", proxy + ":1", xff(strings.Repeat("192.0.2.1,", 100_000) + " 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"client writes many headers", proxy + ":1", xff(append(strings.Split(strings.Repeat("192.0.2.1,", 1000), ","), "203.0.113.7")...), trusted, plain("203.0.113.7")},
		{"client writes a long invalid entry", proxy + ":1", xff(strings.Repeat("1", 100_000) + ", 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"long invalid entry", proxy + ":1", xff(strings.Repeat("1", 100_000)), trusted, plain(proxy)},
		{"no address", "@", spoofed, trusted, plain("invalid IP")},
		{"invalid peer", "evil", spoofed, trusted, plain("invalid IP")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			saw, status := handleFrom(t, tt.peer, tt.header, anymail.WithTrustedProxies(tt.trusted...))
			require.Equal(t, 200, status)
			require.Empty(t, cmp.Diff(tt.want, saw))
		})
	}

	t.Run("a long list costs no more than a short one", func(t *testing.T) {
		costs := func(value string) float64 {
			header := xff(value)
			return testing.AllocsPerRun(20, func() { handleFrom(t, proxy+":1", header, anymail.WithTrustedProxies(trusted...)) })
		}
		// Only the last 1024 bytes of a list are read: 103 addresses.
		require.Less(t, costs(strings.Repeat("192.0.2.1,", 100_000)+"192.0.2.1")-costs("192.0.2.1"), 1000.0)
	})
}

func TestAllowedAddresses(t *testing.T) {
	allow := func(texts ...string) anymail.Option { return anymail.WithAllowedAddresses(prefix(texts...)...) }
	tests := []struct {
		name   string
		peer   string
		header http.Header
		option anymail.Option
		status int
	}{
		{"in the list", "192.0.2.9:1", nil, allow("198.51.100.0/24", "192.0.2.0/24"), 200},
		{"not in the list", "192.0.3.9:1", nil, allow("198.51.100.0/24", "192.0.2.0/24"), 403},
		{"IPv4-mapped", "[::ffff:192.0.2.9]:1", nil, allow("192.0.2.0/24"), 200},
		{"IPv6", "[2001:db8::9]:1", nil, allow("2001:db8::/64"), 200},
		{"IPv6 not in the list", "[2001:db8:0:1::9]:1", nil, allow("2001:db8::/64"), 403},
		{"IPv6 with a zone", "[fe80::9%eth0]:1", nil, allow("fe80::/10"), 200},
		{"IPv6 against a list of all of IPv4", "[2001:db8::9]:1", nil, allow("0.0.0.0/0"), 403},
		{"IPv4-mapped is not IPv6", "[::ffff:192.0.2.9]:1", nil, allow("::/0"), 403},
		{"no address against a list of everything", "@", nil, allow("0.0.0.0/0", "::/0"), 403},
		{"claims to be in the list", "203.0.113.7:1", http.Header{"X-Forwarded-For": {"192.0.2.9"}}, allow("192.0.2.0/24"), 403},
		{"no list", "203.0.113.7:1", nil, anymail.WithoutAllowedAddresses(), 200},
		{"loaded list is empty", "203.0.113.7:1", nil, anymail.WithAllowedAddressFunc(func(context.Context) ([]netip.Prefix, error) { return nil, nil }), 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, status := handleFrom(t, tt.peer, tt.header, tt.option)
			require.Equal(t, tt.status, status)
		})
	}
	for _, bad := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:192.0.2.0/120")} {
		_, err := anymail.New(anymail.WithAllowedAddresses(bad))
		require.ErrorIs(t, err, anymail.ErrConfig, "would match nothing")
		_, err = anymail.New(anymail.WithTrustedProxies(bad))
		require.ErrorIs(t, err, anymail.ErrConfig, "would match nothing")
	}
}

// A Unix socket has no address and no proof of https, so its clients are not
// trusted more than others.
func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // t.TempDir makes names that are too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	for name, tt := range map[string]struct {
		options []anymail.Option
		forged  int
		status  int
	}{
		"open":       {nil, 0, 200},
		"list":       {[]anymail.Option{anymail.WithAllowedAddresses(prefix("0.0.0.0/0", "::/0")...)}, 0, 403},
		"https":      {[]anymail.Option{anymail.RequireTLS()}, 0, 400},
		"proxy":      {[]anymail.Option{anymail.RequireTLS(), anymail.WithTrustedProxies(prefix("0.0.0.0/0", "::/0")...)}, 0, 400},
		"rate limit": {[]anymail.Option{anymail.WithRateLimit(anymail.DefaultRateLimit())}, 50, 200},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := anymail.New(append(tt.options, anymail.WithSharedSecret(secret), anymail.WithLogger(quiet))...)
			require.NoError(t, err)
			require.NoError(t, d.Register("acme", newAcme()))
			listener, err := net.Listen("unix", path)
			require.NoError(t, err)
			server := httptest.NewUnstartedServer(http.StripPrefix("/hooks", d))
			require.NoError(t, server.Listener.Close())
			server.Listener = listener
			server.Start()
			defer server.Close()
			transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			}}
			send := func(secret string) int {
				p := newPost("[]").with("X-Forwarded-For", "192.0.2.1").with("X-Forwarded-Proto", "https")
				r, err := http.NewRequest(http.MethodPost, "http://unix"+p.path, strings.NewReader(p.body))
				require.NoError(t, err)
				r.Header = p.header
				if secret != "" {
					r.SetBasicAuth("anymail", secret)
				}
				resp, err := transport.RoundTrip(r)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return resp.StatusCode
			}
			for range tt.forged {
				require.Equal(t, 400, send("a-guess"))
			}
			require.Equal(t, tt.status, send(""))
		})
	}
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
			srv := newTestServer(t, newAcme("key"), loopback, anymail.WithRateLimit(tt.limit))
			for i, p := range tt.posts {
				resp := srv.do(t, p)
				require.Equal(t, tt.want[i], resp.StatusCode, "request %d", i)
				if resp.StatusCode == http.StatusTooManyRequests {
					require.Equal(t, "5", resp.Header.Get("Retry-After"))
					require.ErrorIs(t, srv.rejections[len(srv.rejections)-1].Err, anymail.ErrRateLimited)
				}
			}
		})
	}
}

// A client that waits for "100 Continue" is refused without one.
func TestRefusedBeforeTheBody(t *testing.T) {
	srv := newTestServer(t, newAcme())
	c := dial(t, srv)
	c.begin(t, newPost("").with("Authorization", ""), "Content-Length: 100000\r\nExpect: 100-continue", "")
	require.Equal(t, 400, c.status(t))
}

// costs is a Dispatcher with all protections, and makes requests that each fail a
// different one.
type costs struct {
	*anymail.Dispatcher
	made int
}

// newCosts makes log lines as a production program does, and discards them.
func newCosts(t testing.TB) *costs {
	t.Helper()
	d, err := anymail.New(
		anymail.WithSharedSecret(secret),
		anymail.WithLogger(slog.New(slog.NewJSONHandler(io.Discard, nil))), //nolint:sloglint // the cost of the line has to count
		anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24")),
		anymail.WithRateLimit(anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 1e6, Burst: 1 << 30}}),
	)
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme("key")))
	require.NoError(t, d.Register("over", newAcme("key"), anymail.WithRateLimit(anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 1e-6, Burst: 1}})))
	c := &costs{Dispatcher: d}
	c.ServeHTTP(newSink(), c.request(t, "over the rate")) // uses up the rate
	return c
}

// refusals are the requests that are refused, in the order of the checks.
var refusals = []string{"wrong address", "over the rate", "no secret", "wrong secret", "huge secret", "wrong signature", "no signature"}

// request makes a new request: a batch of 20 events, about 2 kB.
func (c *costs) request(t testing.TB, wrong string) *http.Request {
	t.Helper()
	c.made++
	var events []string
	for i := range 20 {
		events = append(events, fmt.Sprintf(`{"ID":"%d-%d","Event":"delivered","Email":"ada@example.com","Note":"the rest of the event"}`, c.made, i))
	}
	p := newPost("["+strings.Join(events, ",")+"]").sign("key", time.Now())
	path, addr := "/acme/tracking/", "192.0.2.1:1"
	switch wrong {
	case "wrong address":
		addr = "198.51.100.1:1"
	case "over the rate":
		path = "/over/tracking/"
	case "no secret":
		p = p.with("Authorization", "")
	case "wrong secret":
		p = p.with("Authorization", basic("esp:never-Was-a-Password"))
	case "huge secret":
		p = p.with("Authorization", basic(secret+strings.Repeat("x", 1<<16)))
	case "wrong signature":
		p = p.sign("other", time.Now())
	case "no signature":
		p = p.with("X-Acme-Signature", "")
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(p.body))
	r.Header, r.RemoteAddr = p.header, addr
	return r
}

// sink is a ResponseWriter that allocates nothing.
type sink struct {
	header http.Header
	status int
}

func newSink() *sink                           { return &sink{header: http.Header{}} }
func (s *sink) Header() http.Header            { return s.header }
func (s *sink) WriteHeader(status int)         { s.status = status }
func (s *sink) Write(text []byte) (int, error) { return len(text), nil }

// measureAllocations returns the bytes that handling the requests allocates.
func measureAllocations(h http.Handler, requests []*http.Request) (bytes uint64, statuses map[int]int) {
	statuses = map[int]int{}
	sinks := make([]*sink, len(requests))
	for i := range sinks {
		sinks[i] = newSink()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i, r := range requests {
		h.ServeHTTP(sinks[i], r)
	}
	runtime.ReadMemStats(&after)
	for _, s := range sinks {
		statuses[s.status]++
	}
	return after.TotalAlloc - before.TotalAlloc, statuses
}

// Refusing a request allocates less than half of what accepting it does, the log
// line included.
func TestRefusalsAllocateLess(t *testing.T) {
	const n = 100
	c := newCosts(t)
	measure := func(wrong string) (uint64, map[int]int) {
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = c.request(t, wrong)
		}
		return measureAllocations(c, requests)
	}
	measure("") // fills pools
	accepted, statuses := measure("")
	require.Equal(t, map[int]int{200: n}, statuses)
	for _, wrong := range refusals {
		refused, statuses := measure(wrong)
		require.NotContains(t, statuses, 200)
		require.Less(t, refused, accepted/2, wrong)
		t.Logf("%-16s %5d of %d bytes, %v", wrong, refused/n, accepted/n, statuses)
	}
}

// The body of a refused request is not read, so its length does not matter.
func TestRefusedBodiesAreNotRead(t *testing.T) {
	c := newCosts(t)
	for _, wrong := range []string{"wrong address", "over the rate", "no secret", "wrong secret"} {
		r := c.request(t, wrong)
		r.Body = unreadable{t}
		c.ServeHTTP(newSink(), r)
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ t *testing.T }

func (n unreadable) Read([]byte) (int, error) {
	n.t.Error("the body of a refused request was read")
	return 0, io.EOF
}
func (unreadable) Close() error { return nil }

func benchmark(b *testing.B, c *costs, wrong string) {
	r := c.request(b, wrong)
	body, err := io.ReadAll(r.Body)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.ServeHTTP(newSink(), r)
	}
}

// BenchmarkRefused is for comparison with [BenchmarkAccepted]: the same body.
func BenchmarkRefused(b *testing.B) {
	for _, wrong := range refusals {
		b.Run(strings.ReplaceAll(wrong, " ", "-"), func(b *testing.B) { benchmark(b, newCosts(b), wrong) })
	}
}

// BenchmarkAccepted is a lower bound: no receiver is connected, and the replay
// check is off, since it would refuse the second request.
func BenchmarkAccepted(b *testing.B) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithoutReplayCheck(), anymail.WithLogger(quiet),
		anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24")),
		anymail.WithRateLimit(anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 1e6, Burst: 1 << 30}}))
	require.NoError(b, err)
	require.NoError(b, d.Register("acme", newAcme("key")))
	benchmark(b, &costs{Dispatcher: d}, "")
}
