package inbound

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// SetAuthentication fills the empty fields of m.Authentication from the
// Authentication-Results headers (RFC 8601) and, for SPF, from the first
// Received-SPF header (RFC 7208) of m. A server adds its header on top, so the
// first is from the nearest server. Later Authentication-Results count only if
// they name the same server, since a sender can write headers too. The first
// result of a method counts; for DKIM, one signature in a header that passes is
// enough.
//
// The results are as trustworthy as the server that received the message. If it
// neither adds such headers nor removes the sender's, they are the sender's
// claims.
func SetAuthentication(m *anymail.InboundMessage) {
	a := &m.Authentication
	nearest := "" // the id of the nearest server
	for i, header := range m.Headers.Values("Authentication-Results") {
		server, found := parseAuthenticationResults(header)
		if i == 0 {
			nearest = server
		} else if server == "" || server != nearest {
			continue
		}
		a.SPF = cmp.Or(a.SPF, found.SPF)
		a.DKIM = cmp.Or(a.DKIM, found.DKIM)
		a.DMARC = cmp.Or(a.DMARC, found.DMARC)
	}
	a.SPF = cmp.Or(a.SPF, resultWord(removeComments(m.Headers.Get("Received-SPF"))))
}

// parseAuthenticationResults returns the id of the server (authserv-id), which
// some servers leave out, and the results.
func parseAuthenticationResults(header string) (server string, found anymail.Authentication) {
	for i, info := range splitSemicolons(removeComments(header)) {
		method, result, isResult := strings.Cut(info, "=")
		if !isResult {
			if i == 0 {
				server = syntax.FirstToken(info)
			}
			continue
		}
		method, _, _ = strings.Cut(method, "/") // a version
		result = resultWord(result)
		switch strings.ToLower(strings.TrimSpace(method)) {
		case "spf":
			found.SPF = cmp.Or(found.SPF, result)
		case "dkim":
			if found.DKIM == "" || result == "pass" {
				found.DKIM = result
			}
		case "dmarc":
			found.DMARC = cmp.Or(found.DMARC, result)
		}
	}
	return server, found
}

// splitSemicolons splits s at the semicolons outside of quoted strings.
func splitSemicolons(s string) (fields []string) {
	start, quotes := 0, true
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && quotes:
			n := quotedLength(s[i:])
			quotes = n > 0 // an unclosed quote is plain text
			i += max(n-1, 0)
		case s[i] == ';':
			fields = append(fields, s[start:i])
			start = i + 1
		}
	}
	return append(fields, s[start:])
}

// resultWord returns the word that s starts with, in lower case.
func resultWord(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if i := strings.IndexFunc(s, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		s = s[:i]
	}
	return s
}

// removeComments removes comments from s. An unclosed one extends to the end.
func removeComments(s string) string {
	if !strings.Contains(s, "(") {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, `("`)
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		if s[0] == '(' {
			n := commentLength(s)
			if n == 0 {
				n = len(s)
			}
			s = s[n:]
			continue
		}
		n := quotedLength(s)
		if n == 0 {
			break
		}
		b.WriteString(s[:n])
		s = s[n:]
	}
	b.WriteString(s)
	return b.String()
}
