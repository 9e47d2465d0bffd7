package anymail_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Elements with addresses of the documentation are examples of RFC 7239, sections 4
// and 7.1.
func TestForwardedHeader(t *testing.T) {
	const path = "/acme/tracking"
	plain := requestOrigin{"10.0.0.1", "http://hooks.example.com" + path}
	from := func(addr string) requestOrigin { return requestOrigin{addr, plain.URL} }
	at := func(addr, base string) requestOrigin { return requestOrigin{addr, base + path} }
	tests := []struct {
		name   string
		values []string
		want   requestOrigin
	}{
		{"address and port", []string{`for="203.0.113.47:4711"`}, from("203.0.113.47")},
		{"IPv6 and port, other case", []string{`For="[2001:db8:cafe::17]:4711"`}, from("2001:db8:cafe::17")},
		{"IPv6", []string{`for="[2001:db8:cafe::17]"`}, from("2001:db8:cafe::17")},
		{"IPv6 with an obfuscated port", []string{`for="[2001:db8:cafe::17]:_port"`}, from("2001:db8:cafe::17")},
		{"IPv6 without brackets", []string{`for="2001:db8:cafe::17"`}, from("2001:db8:cafe::17")},
		{"IPv4-mapped", []string{`for="[::ffff:203.0.113.7]"`}, from("203.0.113.7")},
		{"all parameters", []string{"for=203.0.113.60;proto=https;by=203.0.113.43;host=mail.example.com"}, at("203.0.113.60", "https://mail.example.com")},
		{"white space", []string{" for=203.0.113.60 ; Proto=HTTPS ;host=mail.example.com "}, at("203.0.113.60", "https://mail.example.com")},
		{"host with a port", []string{`host="mail.example.com:8443";proto=https`}, at("10.0.0.1", "https://mail.example.com:8443")},
		{"quoted, with escapes", []string{`for="203.0.113.60";host="a, b\"c, for=192.0.2.1"`}, at("203.0.113.60", `http://a, b"c, for=192.0.2.1`)},
		{"obfuscated", []string{`for="_gazonk";proto=https`}, at("10.0.0.1", "https://hooks.example.com")},
		{"unknown", []string{"for=unknown"}, plain},
		{"extension", []string{"for=203.0.113.60;secret=x"}, from("203.0.113.60")},
		{"client and proxy", []string{"for=192.0.2.1;host=evil.example, for=203.0.113.60;proto=https"}, at("203.0.113.60", "https://hooks.example.com")},
		{"client and proxy, two headers", []string{"for=192.0.2.1;host=evil.example", "for=203.0.113.60;proto=https"}, at("203.0.113.60", "https://hooks.example.com")},
		{"two proxies", []string{"for=192.0.2.1;proto=http, for=203.0.113.60;proto=https;host=mail.example.com, for=10.0.0.2;proto=http;host=inner"}, at("203.0.113.60", "https://mail.example.com")},
		{"two proxies, only the nearer names the host", []string{"for=203.0.113.60, for=10.0.0.2;proto=https;host=mail.example.com"}, at("203.0.113.60", "https://mail.example.com")},
		{"only proxies", []string{"for=10.0.0.3, for=10.0.0.2"}, plain},
		{"client behind an obfuscated one", []string{"for=192.0.2.1, for=_hidden"}, plain},
		{"client leaves a quote open", []string{`for="192.0.2.1;host=evil.example, for=203.0.113.60;proto=https`}, at("203.0.113.60", "https://hooks.example.com")},
		{"client ends with a backslash", []string{`for="192.0.2.1\`, "for=203.0.113.60"}, from("203.0.113.60")},
		{"client writes a long list", []string{strings.Repeat("for=192.0.2.1,", 100_000) + "for=203.0.113.60"}, from("203.0.113.60")},
		{"repeated parameter", []string{"for=203.0.113.60;for=192.0.2.1;proto=https"}, plain},
		{"invalid", []string{"203.0.113.60"}, plain},
		{"invalid after a proxy", []string{"for=, for=10.0.0.2;proto=https"}, at("10.0.0.1", "https://hooks.example.com")},
		{"empty", []string{"", ","}, plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The proxy sets Forwarded, so these are the client's.
			header := http.Header{"Forwarded": tt.values, "X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Prefix": {"/evil"}}
			forwarded := anymail.WithForwardedHeaders("forwarded")
			saw, status := handleFrom(t, "10.0.0.1:1", header, anymail.WithTrustedProxies(prefix("10.0.0.0/8")...), forwarded)
			require.Equal(t, 200, status)
			require.Empty(t, cmp.Diff(tt.want, saw))

			saw, _ = handleFrom(t, "203.0.113.7:1", header, anymail.WithTrustedProxies(prefix("10.0.0.0/8")...), forwarded)
			require.Empty(t, cmp.Diff(from("203.0.113.7"), saw), "from an untrusted client")
		})
	}
}

// Only the headers that the proxies set are believed.
func TestForwardedHeaders(t *testing.T) {
	header := http.Header{
		"X-Forwarded-For": {"203.0.113.60"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"mail.example.com"},
		"X-Forwarded-Prefix": {"/claimed, /hooks/"}, "Forwarded": {"for=192.0.2.1;host=evil.example"},
	}
	tests := []struct {
		names []string
		want  requestOrigin
	}{
		{nil, requestOrigin{"203.0.113.60", "https://mail.example.com/acme/tracking"}},
		{[]string{"X-Forwarded-For"}, requestOrigin{"203.0.113.60", "http://hooks.example.com/acme/tracking"}},
		{[]string{"X-Forwarded-Proto"}, requestOrigin{"10.0.0.1", "https://hooks.example.com/acme/tracking"}},
		{[]string{"X-Forwarded-Host"}, requestOrigin{"10.0.0.1", "http://mail.example.com/acme/tracking"}},
		{[]string{"X-Forwarded-Prefix"}, requestOrigin{"10.0.0.1", "http://hooks.example.com/hooks/acme/tracking"}},
		{[]string{"forwarded", "x-forwarded-prefix"}, requestOrigin{"192.0.2.1", "http://evil.example/hooks/acme/tracking"}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.names, ","), func(t *testing.T) {
			options := []anymail.Option{anymail.WithTrustedProxies(prefix("10.0.0.0/8")...)}
			if tt.names != nil {
				options = append(options, anymail.WithForwardedHeaders(tt.names...))
			}
			saw, _ := handleFrom(t, "10.0.0.1:1", header, options...)
			require.Empty(t, cmp.Diff(tt.want, saw))
		})
	}

	prefixed := func(value string) string {
		saw, _ := handleFrom(t, "10.0.0.1:1", http.Header{"X-Forwarded-Prefix": {value}}, anymail.WithTrustedProxies(prefix("10.0.0.0/8")...), anymail.WithForwardedHeaders("X-Forwarded-Prefix"))
		return saw.URL
	}
	require.Equal(t, "http://hooks.example.com/acme/tracking", prefixed("/"))
	require.Equal(t, "http://hooks.example.com/acme/tracking", prefixed(".evil.example"), "it must not extend the host")

	for _, bad := range [][]string{{"X-Real-IP"}, {"Forwarded", "X-Forwarded-For"}, {"Forwarded", "x-forwarded-proto"}, {"X-Forwarded-Host", "Forwarded"}} {
		_, err := anymail.New(anymail.WithForwardedHeaders(bad...))
		require.ErrorIs(t, err, anymail.ErrConfig, "%v", bad)
	}
}

// A refusal names the headers that a trusted proxy passed on and does not set.
func TestRefusalsNamePassedHeaders(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")))
	require.Equal(t, 400, srv.do(t, newPost(delivered).with("X-Forwarded-Proto", "https").with("Forwarded", "for=192.0.2.1")).StatusCode)
	require.Equal(t, []string{"Forwarded"}, srv.rejections[0].IgnoredHeaders)
	require.Contains(t, srv.log.String(), "Forwarded: not among the headers that trusted proxies set")
}

// Whatever a client claims, the element that the proxy appends decides. A host is
// written as a quoted string, and read as it was.
func FuzzForwarded(f *testing.F) {
	f.Add(`for="192.0.2.1`, "mail.example.com")
	f.Add(`for=192.0.2.1;host="a\"`, `a", for=192.0.2.1;host="b\`)
	f.Add(`\\\"`, `\\",\"`)
	f.Fuzz(func(t *testing.T, claim, host string) {
		if len(host) > 900 || !utf8.ValidString(host) || strings.ContainsFunc(host, unicode.IsControl) {
			return // of a list, 1 KiB is read; the others are not valid in a header
		}
		element := `for=203.0.113.60;proto=https;host="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(host) + `"`
		if len(element) > 1000 {
			return
		}
		want := requestOrigin{"203.0.113.60", "https://" + host + "/acme/tracking"}
		if host == "" {
			want.URL = "https://hooks.example.com/acme/tracking"
		}
		for _, values := range [][]string{{claim + "," + element}, {claim, element}} {
			saw, _ := handleFrom(t, "10.0.0.1:1", http.Header{"Forwarded": values}, anymail.WithTrustedProxies(prefix("10.0.0.0/8")...), anymail.WithForwardedHeaders("Forwarded"))
			require.Empty(t, cmp.Diff(want, saw))
		}
	})
}
