package anymail

import (
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers in which proxies say how a request reached them. The first three are
// believed by default.
var forwardingHeaders = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "Forwarded"}

// isTrusted reports whether a trusted proxy has this address.
func (g *guard) isTrusted(addr netip.Addr) bool { return contains(g.settings.trustedProxies, addr) }

// believes reports whether the trusted proxies set a header.
func (g *guard) believes(header string) bool {
	if g.settings.forwardedHeaders == nil {
		return slices.Contains(forwardingHeaders[:3], header)
	}
	return slices.Contains(g.settings.forwardedHeaders, header)
}

// applyXForwarded changes o to what the X-Forwarded-* headers of a trusted proxy say.
// remote is the proxy's address and port.
func (g *guard) applyXForwarded(o *origin, h http.Header, remote string) {
	if g.believes("X-Forwarded-For") {
		if ip, err := netip.ParseAddr(g.xForwardedFor.ClientIP(nearest(h, "X-Forwarded-For"), remote)); err == nil {
			o.addr = ip.Unmap().WithZone("")
		}
	}
	if proto := last(h, "X-Forwarded-Proto"); proto != "" && g.believes("X-Forwarded-Proto") {
		o.https = strings.EqualFold(proto, "https")
	}
	if host := last(h, "X-Forwarded-Host"); host != "" && g.believes("X-Forwarded-Host") {
		o.host = host
	}
}

// applyForwarded changes o to what the Forwarded header of a trusted proxy says: the
// client and, for each of protocol and host, the value that the proxy farthest from
// this server gives. It reads elements from the last on, for as long as trusted
// proxies wrote them.
func (g *guard) applyForwarded(o *origin, h http.Header) {
	list := strings.Join(nearest(h, "Forwarded").Values("Forwarded"), ",")
	for list != "" {
		var text string
		list, text = cutLastElement(list)
		element, ok := parseForwarded(text)
		if !ok {
			return
		}
		if element.proto != "" {
			o.https = strings.EqualFold(element.proto, "https")
		}
		if element.host != "" {
			o.host = element.host
		}
		if !element.client.IsValid() {
			return
		}
		if !g.isTrusted(element.client) {
			o.addr = element.client
			return
		}
	}
}

// cutLastElement cuts the last element off a Forwarded header. It reads from the end:
// that is what a proxy wrote, and what comes before may be the client's own, with a
// quote that never closes.
func cutLastElement(list string) (before, element string) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == ',' && !quoted:
			return list[:i], list[i+1:]
		case list[i] == '"' && (!quoted || !isEscaped(list, i)):
			quoted = !quoted
		}
	}
	return "", list
}

// isEscaped reports whether an odd number of backslashes precedes text[i].
func isEscaped(text string, i int) bool {
	return (i-len(strings.TrimRight(text[:i], `\`)))%2 == 1
}

// forwarded is what one proxy writes in a Forwarded header: RFC 7239, section 4.
type forwarded struct {
	client      netip.Addr // invalid if it is unknown, obfuscated or missing
	proto, host string
}

// parseForwarded parses one element. It has the syntax of the parameters of a media
// type, which must not repeat.
func parseForwarded(element string) (f forwarded, ok bool) {
	_, params, err := mime.ParseMediaType("forwarded;" + element)
	if err != nil {
		return f, false
	}
	return forwarded{client: nodeAddress(params["for"]), proto: params["proto"], host: params["host"]}, true
}

// nodeAddress returns the address of a node, which may have a port: RFC 7239,
// section 6. It is invalid for "unknown" and for obfuscated identifiers.
func nodeAddress(node string) netip.Addr {
	if inner, ok := strings.CutPrefix(node, "["); ok {
		node, _, _ = strings.Cut(inner, "]")
	} else if strings.Count(node, ":") == 1 {
		node, _, _ = strings.Cut(node, ":")
	}
	addr, err := netip.ParseAddr(node)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// ignoredHeaders returns the forwarding headers of a request that are not believed,
// and why.
func (g *guard) ignoredHeaders(r *http.Request) (ignored []string, why string) {
	believed, why := func(string) bool { return false }, "not sent by a trusted proxy"
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && g.isTrusted(peer.Addr().Unmap().WithZone("")) {
		believed, why = g.believes, "not among the headers that trusted proxies set"
	}
	for _, name := range forwardingHeaders {
		if r.Header.Get(name) != "" && !believed(name) {
			ignored = append(ignored, name)
		}
	}
	return ignored, why
}
