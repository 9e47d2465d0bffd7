package anymail_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// seen is what an adapter learns of where a request came from.
type seen struct {
	Addr string
	URL  string
}

// from sends a request that a peer has sent, without a listener in between, and
// returns what the adapter saw of it.
func from(t *testing.T, peer string, header http.Header, options ...anymail.Option) (saw seen, status int) {
	t.Helper()
	a := newAcme()
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		saw = seen{p.RemoteAddr.String(), p.URL}
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

// Who a request comes from is what the connection says, and beyond that only
// what trusted proxies say.
func TestForwarded(t *testing.T) {
	const client, proxy = "192.0.2.1", "10.0.0.1"
	spoofed := http.Header{
		"X-Forwarded-For": {client}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"},
		"Forwarded": {"for=192.0.2.1;proto=https;host=evil.example"}, "X-Real-Ip": {client}, "True-Client-Ip": {client},
		"X-Forwarded-Scheme": {"https"}, "X-Forwarded-Ssl": {"on"}, "Front-End-Https": {"on"}, "Cf-Connecting-Ip": {client},
	}
	xff := func(values ...string) http.Header { return http.Header{"X-Forwarded-For": values} }
	plain := func(addr string) seen { return seen{addr, "http://hooks.example.com/acme/tracking"} }
	trusted := prefix("10.0.0.0/8", "2001:db8:1::/48", "fe80::/10")
	tests := []struct {
		name    string
		peer    string
		header  http.Header
		trusted []netip.Prefix
		want    seen
	}{
		{"nobody trusted", proxy + ":1", spoofed, nil, plain(proxy)},
		{"spoofed by a stranger", "203.0.113.7:1", spoofed, trusted, plain("203.0.113.7")},
		{"spoofed over IPv6", "[2001:db8:2::7]:1", spoofed, trusted, plain("2001:db8:2::7")},
		{"spoofed by a neighbour of the proxy", "11.0.0.0:1", spoofed, trusted, plain("11.0.0.0")},
		{"told by a proxy", proxy + ":1", spoofed, trusted, seen{client, "https://evil.example/acme/tracking"}},
		{"told by a proxy over IPv6", "[2001:db8:1::1]:1", xff(client), trusted, plain(client)},
		{"told by a proxy, IPv4-mapped", "[::ffff:10.0.0.1]:1", xff(client), trusted, plain(client)},
		{"told by a proxy with a zone", "[fe80::1%eth0]:1", xff(client), trusted, plain(client)},
		{"other headers of a proxy", proxy + ":1", http.Header{"X-Real-Ip": {client}, "Forwarded": {"for=192.0.2.1"}}, trusted, plain(proxy)},
		{"client writes the list's beginning", proxy + ":1", xff("192.0.2.1, 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"client writes a header of its own", proxy + ":1", xff("192.0.2.1", "203.0.113.7"), trusted, plain("203.0.113.7")},
		{"chain of proxies", proxy + ":1", xff("192.0.2.1, 203.0.113.7, 10.9.9.9, 2001:db8:1::9"), trusted, plain("203.0.113.7")},
		{"client claims to be a proxy", proxy + ":1", xff("192.0.2.1, 10.0.0.2, 203.0.113.7, 10.9.9.9"), trusted, plain("203.0.113.7")},
		{"client writes nonsense", proxy + ":1", xff("evil, 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"proxy writes nonsense", proxy + ":1", xff("192.0.2.1, unknown"), trusted, plain(proxy)},
		{"empty", proxy + ":1", xff(""), trusted, plain(proxy)},
		{"nobody but proxies", proxy + ":1", xff("10.0.0.7, 10.0.0.8"), trusted, plain(proxy)},
		{"mapped client", proxy + ":1", xff("::ffff:192.0.2.1"), trusted, plain(client)},
		{"client with a port", proxy + ":1", xff("[2001:db8:2::7]:443"), trusted, plain("2001:db8:2::7")},
		{"two claims of https", proxy + ":1", http.Header{"X-Forwarded-Proto": {"https, http"}}, trusted, plain(proxy)},
		{"two headers that claim https", proxy + ":1", http.Header{"X-Forwarded-Proto": {"https", "http"}}, trusted, plain(proxy)},
		{"client writes much", proxy + ":1", xff(strings.Repeat("192.0.2.1,", 100_000) + " 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"client writes many headers", proxy + ":1", xff(append(strings.Split(strings.Repeat("192.0.2.1,", 1000), ","), "203.0.113.7")...), trusted, plain("203.0.113.7")},
		{"client writes much of nothing", proxy + ":1", xff(strings.Repeat("1", 100_000) + ", 203.0.113.7"), trusted, plain("203.0.113.7")},
		{"much of nothing", proxy + ":1", xff(strings.Repeat("1", 100_000)), trusted, plain(proxy)},
		{"no address", "@", spoofed, trusted, plain("invalid IP")},
		{"peer that is none", "evil", spoofed, trusted, plain("invalid IP")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			saw, status := from(t, tt.peer, tt.header, anymail.WithTrustedProxies(tt.trusted...))
			require.Equal(t, 200, status)
			require.Empty(t, cmp.Diff(tt.want, saw))
		})
	}

	t.Run("a long list costs no more than a short one", func(t *testing.T) {
		costs := func(value string) float64 {
			header := xff(value)
			return testing.AllocsPerRun(20, func() { from(t, proxy+":1", header, anymail.WithTrustedProxies(trusted...)) })
		}
		// Of a long list its last 1024 bytes are looked at: 103 addresses.
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
		{"mapped does not make it IPv6", "[::ffff:192.0.2.9]:1", nil, allow("::/0"), 403},
		{"no address against a list of everything", "@", nil, allow("0.0.0.0/0", "::/0"), 403},
		{"claims to be in the list", "203.0.113.7:1", http.Header{"X-Forwarded-For": {"192.0.2.9"}}, allow("192.0.2.0/24"), 403},
		{"no list", "203.0.113.7:1", nil, anymail.WithoutAllowedAddresses(), 200},
		{"list that is empty today", "203.0.113.7:1", nil, anymail.WithAllowedAddressFunc(func(context.Context) ([]netip.Prefix, error) { return nil, nil }), 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, status := from(t, tt.peer, tt.header, tt.option)
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

// Over a Unix socket there is no address and no proof of https. Whoever can
// connect is believed no more than anybody else.
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
		"open":           {nil, 0, 200},
		"list":           {[]anymail.Option{anymail.WithAllowedAddresses(prefix("0.0.0.0/0", "::/0")...)}, 0, 403},
		"https":          {[]anymail.Option{anymail.RequireTLS()}, 0, 400},
		"proxy":          {[]anymail.Option{anymail.RequireTLS(), anymail.WithTrustedProxies(prefix("0.0.0.0/0", "::/0")...)}, 0, 400},
		"rate of nobody": {[]anymail.Option{anymail.WithRateLimit(anymail.DefaultRateLimit())}, 50, 200},
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

// A request reaches an endpoint by its own path or not at all, and by whichever
// path it comes it meets the same checks.
func TestPaths(t *testing.T) {
	h := newHouse(t, newAcme())
	open := acme{anymail.Endpoint{Path: "open", Parser: newAcme().endpoint.Parser}}
	require.NoError(t, h.Register("other", open, anymail.WithoutSharedSecret(), anymail.Insecure()))
	for _, path := range []string{
		"//hooks/acme/tracking/", "/hooks//acme/tracking/", "/hooks/acme//tracking/", "/hooks/acme/tracking//",
		"/hooks/./acme/tracking/", "/hooks/acme/../acme/tracking/", "/hooks/other/../acme/tracking/", "/hooks/other/open/../../acme/tracking/",
		"/hooks/other/%2e%2e/acme/tracking/", "/hooks/other%2f..%2facme/tracking/", "/hooks/acme%2ftracking/", "/hooks/acme%2Ftracking",
		"/hooks/acme/track%69ng/", "/hooks/%61cme/tracking/", "/hooks/acme/tracking%00/", "/hooks/acme/tracking%20/", "/hooks/acme/tracking;x=1/",
		"/hooks/ACME/tracking/", "/hooks/acme/Tracking/", "/HOOKS/acme/tracking/", "/hooks/acme\\tracking/",
		"/hooks/acme/tracking/?x", "/hooks/acme/tracking?/hooks/other/open/", "/hooks/ac_me/trac_king", "/hooks/_acme_/tracking/",
		"/hooks/acme/open/", "/hooks/other/tracking/", "/hooks/acme/", "/hooks/acme",
	} {
		t.Run(path, func(t *testing.T) {
			p := newPost(delivered).with("Authorization", "")
			c := dial(t, h)
			p.path = path
			c.begin(t, p, fmt.Sprintf("Content-Length: %d", len(p.body)), p.body)
			require.Contains(t, []int{400, 404}, c.status(t))
			require.Empty(t, h.take())
		})
	}
}

// basic makes an Authorization header.
func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func TestSharedSecretHeader(t *testing.T) {
	const odd = "esp:p\xff\x00ss:w\u00f6rd-Of-Any-Bytes"
	right := basic(secret)
	tests := []struct {
		name   string
		values []string
		status int
	}{
		{"right", []string{right}, 200},
		{"scheme in lower case", []string{"basic" + strings.TrimPrefix(right, "Basic")}, 200},
		{"more blanks", []string{"Basic   " + strings.TrimPrefix(right, "Basic ")}, 200},
		{"any bytes", []string{basic(odd)}, 200},
		{"twice the right one", []string{right, right}, 400},
		{"right, then wrong", []string{right, basic("a:b")}, 400},
		{"wrong, then right", []string{basic("a:b"), right}, 400},
		{"joined by a comma", []string{right + ", " + right}, 400},
		{"empty", []string{""}, 400},
		{"scheme alone", []string{"Basic"}, 400},
		{"scheme and a blank", []string{"Basic "}, 400},
		{"no scheme", []string{strings.TrimPrefix(right, "Basic ")}, 400},
		{"another scheme", []string{"Bearer" + strings.TrimPrefix(right, "Basic")}, 400},
		{"not encoded", []string{"Basic " + secret}, 400},
		{"no colon", []string{basic(strings.ReplaceAll(secret, ":", ""))}, 400},
		{"user alone", []string{basic("esp:")}, 400},
		{"password alone", []string{basic(":a-Long-Enough-Password")}, 400},
		{"another user", []string{basic("Esp:a-Long-Enough-Password")}, 400},
		{"a beginning", []string{basic(secret[:len(secret)-1])}, 400},
		{"and more", []string{basic(secret + "\x00")}, 400},
		{"and a line", []string{basic(secret + "\n")}, 400},
		{"not padded", []string{strings.TrimRight(basic(secret+"!"), "=")}, 400},
		{"rubbish after it", []string{right + "x"}, 400},
		{"rubbish that is base64 after it", []string{right + "eHh4"}, 400},
		{"not UTF-8", []string{basic("\xff\xfe:\xff")}, 400},
		{"huge", []string{basic(secret + strings.Repeat("x", 500_000))}, 400},
		{"huge rubbish", []string{"Basic " + strings.Repeat("=", 500_000)}, 400},
	}
	h := newHouse(t, newAcme(), anymail.WithSharedSecret(secret, odd))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPost("[]")
			p.header["Authorization"] = tt.values
			require.Equal(t, tt.status, h.do(t, p).StatusCode)
		})
	}
	_, err := anymail.New(anymail.WithSharedSecret("esp:" + strings.Repeat("0123456789abcdef", 100)))
	require.ErrorIs(t, err, anymail.ErrConfig, "longer than what is looked at")
}

// While secrets and keys change, what is valid all along is taken and what
// never was is not. Run with -race.
func TestRotationUnderLoad(t *testing.T) {
	const next = "esp:the-Next-Password-is-it"
	secrets, keys := anymail.NewKeyRing(secret), anymail.NewKeyRing("key")
	a := newAcme("key")
	a.endpoint.Verifier = newAcmeVerifier(keys)
	h := newHouse(t, a, anymail.WithSharedSecretSource(secrets), anymail.WithLogger(quiet))

	stop := make(chan struct{})
	var rotating, posting sync.WaitGroup
	rotating.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				secrets.Set(next, secret)
				keys.Set("next", "key")
				secrets.Set(secret)
				keys.Set("key")
			}
		}
	})
	for i := range 4 {
		posting.Go(func() {
			for j := range 50 {
				body := fmt.Sprintf(`{"ID":"%d-%d","Event":"delivered"}`, i, j)
				good := newPost(body).sign("key", time.Now())
				require.Equal(t, 400, h.do(t, good.with("Authorization", basic("esp:never-Was-a-Password"))).StatusCode)
				require.Equal(t, 400, h.do(t, newPost(body).sign("never", time.Now())).StatusCode)
				require.Equal(t, 200, h.do(t, good).StatusCode)
			}
		})
	}
	posting.Wait()
	close(stop)
	rotating.Wait()
	require.Len(t, h.take(), 200)
}

// Accounts of one ESP have their own keys, and what one may post to its URL it
// may not post to another's.
func TestAccounts(t *testing.T) {
	h := newHouse(t, newAcme("key"))
	const second = "esp:a-Second-Strong-Password"
	require.NoError(t, h.Register("acme-eu", newAcme("key of eu")))
	require.NoError(t, h.Register("acme-own", newAcme("key of own"), anymail.WithSharedSecret(second)))
	require.NoError(t, h.Register("acme-same", newAcme("key")))
	event := func(id string) string { return `{"ID":"` + id + `","Event":"delivered"}` }
	at := func(name string, p post) post {
		p.path = "/hooks/" + name + "/tracking/"
		return p
	}
	now := time.Now()
	tests := []struct {
		name   string
		post   post
		status int
		events int
	}{
		{"own key", at("acme", newPost(event("1")).sign("key", now)), 200, 1},
		{"own key of the second", at("acme-eu", newPost(event("2")).sign("key of eu", now)), 200, 1},
		{"another account's key", at("acme-eu", newPost(event("3")).sign("key", now)), 400, 0},
		{"the other way round", at("acme", newPost(event("4")).sign("key of eu", now)), 400, 0},
		{"own key, another account's secret", at("acme-own", newPost(event("5")).sign("key of own", now)), 400, 0},
		{"own key and secret", at("acme-own", newPost(event("6")).sign("key of own", now).with("Authorization", basic(second))), 200, 1},
		{"replayed", at("acme", newPost(event("1")).sign("key", now)), 400, 0},
		{"replayed at an account with another key", at("acme-eu", newPost(event("1")).sign("key", now)), 400, 0},
		// The request is authentic there, but its event was done.
		{"replayed at an account with the same key", at("acme-same", newPost(event("1")).sign("key", now)), 200, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.status, h.do(t, tt.post).StatusCode)
			require.Len(t, h.take(), tt.events)
		})
	}
}

// What an ESP does in the course of things must not lock it out.
func TestFailuresThatAreNone(t *testing.T) {
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
		{"comes again", good, 400, false},
		{"is late", newPost(delivered).sign("key", now.Add(-time.Hour)), 400, false},
		{"guesses the secret", good.with("Authorization", basic("a:b")), 400, true},
		{"forges", newPost(delivered).sign("other", now), 400, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, a, few)
			require.Equal(t, 200, h.do(t, good).StatusCode)
			want := tt.status
			for i := range 6 {
				if tt.locks && i == 2 {
					want = 429
				}
				require.Equal(t, want, h.do(t, tt.post).StatusCode, "time %d", i+1)
			}
		})
	}
	h := newHouse(t, newAcme("key"), few)
	for range 2 {
		require.Equal(t, 400, h.do(t, good.with("Authorization", "")).StatusCode)
	}
	require.Equal(t, 429, h.do(t, good).StatusCode, "nobody was asked to come without a secret")
}

// With RejectStatus, every way of not being authentic looks the same from
// outside.
func TestRejectionsLookTheSame(t *testing.T) {
	now := time.Now()
	good := newPost(delivered).sign("key", now)
	h := newHouse(t, newAcme("key"), anymail.WithRejectStatus(410))
	require.Equal(t, 200, h.do(t, good).StatusCode)
	var first http.Header
	for i, p := range []post{
		good.with("Authorization", ""),
		good.with("Authorization", basic("a:b")),
		newPost(delivered),
		newPost(delivered).sign("other", now),
		newPost(delivered).sign("key", now.Add(-time.Hour)),
		good, // replayed
	} {
		resp := h.do(t, p)
		require.Equal(t, 410, resp.StatusCode)
		resp.Header.Del("Date")
		if i == 0 {
			first = resp.Header
		}
		require.Empty(t, cmp.Diff(first, resp.Header))
	}
}
