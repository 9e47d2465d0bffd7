package anymail

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/realclientip/realclientip-go"

	"github.com/goanymail/anymail/internal/ratelimit"
)

// guard checks what can be checked without reading the body, the cheap checks
// first. Each endpoint has one.
type guard struct {
	settings    *settings
	perEndpoint *ratelimit.Limiter // nil for none
	// xForwardedFor finds the client among the addresses that trusted proxies
	// wrote. It is nil if no proxy is trusted.
	xForwardedFor *realclientip.RightmostTrustedRangeStrategy
	secrets       secretChecker
}

func newGuard(s *settings) (*guard, error) {
	g := &guard{settings: s, perEndpoint: s.perEndpoint.limiter(1)}
	if len(s.trustedProxies) == 0 {
		return g, nil
	}
	var ranges []net.IPNet
	for _, p := range s.trustedProxies {
		p = p.Masked()
		ranges = append(ranges, net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
	}
	strategy, err := realclientip.NewRightmostTrustedRangeStrategy("X-Forwarded-For", ranges)
	if err != nil {
		return nil, Misconfigured("WithTrustedProxies", "%w", err)
	}
	g.xForwardedFor = &strategy
	return g, nil
}

// origin tells from where a request came, and how.
type origin struct {
	addr   netip.Addr
	https  bool
	host   string
	prefix string // of the path, that a proxy has removed
}

func (g *guard) origin(r *http.Request) origin {
	o := origin{https: r.TLS != nil, host: r.Host}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return o // a Unix socket, for example: without an address, no address list admits it
	}
	o.addr = peer.Addr().Unmap().WithZone("")
	if !g.isTrusted(o.addr) {
		return o
	}
	if g.believes("Forwarded") {
		g.applyForwarded(&o, r.Header)
	} else {
		g.applyXForwarded(&o, r.Header, r.RemoteAddr)
	}
	if prefix := last(r.Header, "X-Forwarded-Prefix"); strings.HasPrefix(prefix, "/") && g.believes("X-Forwarded-Prefix") {
		o.prefix = strings.TrimRight(prefix, "/")
	}
	return o
}

// nearest returns a header with as much of a field as trusted proxies may have
// written. They write at the end; what comes before may be the client's own, and
// long.
func nearest(h http.Header, name string) http.Header {
	const enough = 1 << 10
	values := h.Values(name)
	for i, room := len(values)-1, enough; i >= 0; i-- {
		if room -= len(values[i]) + 1; room >= 0 {
			continue
		}
		rest := values[i+1:]
		if i == len(values)-1 { // the last is too long by itself
			tail := values[i][len(values[i])-enough:]
			rest = []string{tail[strings.IndexByte(tail, ',')+1:]}
		}
		return http.Header{name: rest}
	}
	return h
}

// last returns the last of a header's values, which the nearest proxy wrote.
func last(h http.Header, name string) string {
	values := h.Values(name)
	if len(values) == 0 {
		return ""
	}
	value := values[len(values)-1]
	return strings.TrimSpace(value[strings.LastIndexByte(value, ',')+1:])
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

var errPlainHTTP = Unauthenticated("https required")

// check makes all checks and returns the index of the shared secret that the
// request proved, or -1 if it needs none.
func (g *guard) check(ctx context.Context, r *http.Request, o origin) (secret int, err error) {
	if !o.https && g.settings.requireTLS {
		return -1, errPlainHTTP
	}
	if g.settings.allowed != nil {
		prefixes, err := g.settings.allowed(ctx)
		if err != nil {
			return -1, Because(ErrUnavailable, "address list", err)
		}
		if !contains(prefixes, o.addr) {
			return -1, Because(ErrForbidden, "not in the endpoint's list", nil)
		}
	}
	if err := g.limit(o.addr); err != nil {
		return -1, err
	}
	if g.settings.secrets == nil {
		return -1, nil
	}
	secrets, err := g.settings.secrets.Keys(ctx)
	if err != nil {
		return -1, Because(ErrUnavailable, "shared secrets", err)
	}
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return -1, errNoSecret
	}
	if len(header) != 1 {
		return -1, errWrongSecret
	}
	if secret = g.secrets.match(header[0], secrets); secret < 0 {
		return -1, errWrongSecret
	}
	return secret, nil
}

// limit counts the request against its rates. A request without an address falls
// under no rate per address: all such requests would share it, and a forger could
// use up the ESP's part.
func (g *guard) limit(addr netip.Addr) error {
	s := g.settings
	if s.perAddress == nil && s.failures == nil && g.perEndpoint == nil {
		return nil
	}
	now := s.now()
	switch {
	case addr.IsValid() && s.failures != nil && !s.failures.Peek(addr, now):
		return Because(ErrRateLimited, "from an address that often fails", nil)
	case addr.IsValid() && s.perAddress != nil && !s.perAddress.Allow(addr, now):
		return Because(ErrRateLimited, "from one address", nil)
	case g.perEndpoint != nil && !g.perEndpoint.Allow(netip.Addr{}, now):
		return Because(ErrRateLimited, "to one endpoint", nil)
	}
	return nil
}

// failed counts a request that did not prove authentic.
func (g *guard) failed(addr netip.Addr) {
	if s := g.settings; s.failures != nil && addr.IsValid() {
		s.failures.Allow(addr, s.now())
	}
}

var (
	errNoSecret    = Unauthenticated("no shared secret")
	errWrongSecret = Unauthenticated("wrong shared secret")
)
