package inbound

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
)

// SetAuthentication fills the empty fields of m.Authentication from the
// Authentication-Results headers (RFC 8601) and, for SPF, the first Received-SPF
// header (RFC 7208) of m. Servers add these on top, so that the first one is
// from the nearest server; of further Authentication-Results only those count
// that name the same server, since a sender can write headers too. The first
// result of a method counts, but one signature of several in a header that
// passes is enough for DKIM.
//
// The results are as trustworthy as the server that received the message: one
// that adds no such headers and does not remove foreign ones passes on what the
// sender says.
func SetAuthentication(m *anymail.InboundMessage) {
	a := &m.Authentication
	nearest := ""
	for i, header := range m.Headers.Values("Authentication-Results") {
		server, found := authenticationResults(header)
		if i == 0 {
			nearest = server
		} else if server == "" || server != nearest {
			continue
		}
		a.SPF = cmp.Or(a.SPF, found.SPF)
		a.DKIM = cmp.Or(a.DKIM, found.DKIM)
		a.DMARC = cmp.Or(a.DMARC, found.DMARC)
	}
	a.SPF = cmp.Or(a.SPF, resultWord(stripComments(m.Headers.Get("Received-SPF"))))
}

// authenticationResults reads one Authentication-Results header: the server's
// name, which some servers leave out, and the results.
func authenticationResults(header string) (server string, found anymail.Authentication) {
	for i, clause := range splitClauses(stripComments(header)) {
		method, result, isResult := strings.Cut(clause, "=")
		if !isResult {
			if i == 0 {
				server = firstToken(clause)
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

// splitClauses splits s at the semicolons that are not in quoted strings.
func splitClauses(s string) (clauses []string) {
	start, quotes := 0, true
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && quotes:
			n := quotedLength(s[i:])
			quotes = n > 0 // one that is never closed is none
			i += max(n-1, 0)
		case s[i] == ';':
			clauses = append(clauses, s[start:i])
			start = i + 1
		}
	}
	return append(clauses, s[start:])
}

// resultWord returns the word that s starts with, in lower case.
func resultWord(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if i := strings.IndexFunc(s, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		s = s[:i]
	}
	return s
}

// stripComments takes comments in parentheses out of s. One that is never
// closed goes on to the end.
func stripComments(s string) string {
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
