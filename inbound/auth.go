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
// that claim to be from the same server, since a sender can write headers too.
// Where a method has several results the first one counts, but one signature
// that passes is enough for DKIM.
//
// The results are as trustworthy as the server that received the message: one
// that adds no such headers and does not remove foreign ones passes on what the
// sender says.
func SetAuthentication(m *anymail.InboundMessage) {
	var found anymail.Authentication
	server := ""
	for i, header := range m.Headers.Values("Authentication-Results") {
		id, results := authenticationResults(header)
		if i == 0 {
			server = id
		}
		if id != server {
			continue
		}
		for _, r := range results {
			switch {
			case r.method == "spf" && found.SPF == "":
				found.SPF = r.result
			case r.method == "dkim" && (found.DKIM == "" || r.result == "pass"):
				found.DKIM = r.result
			case r.method == "dmarc" && found.DMARC == "":
				found.DMARC = r.result
			}
		}
	}
	if found.SPF == "" {
		found.SPF = resultWord(stripComments(m.Headers.Get("Received-SPF")))
	}
	a := &m.Authentication
	a.SPF = cmp.Or(a.SPF, found.SPF)
	a.DKIM = cmp.Or(a.DKIM, found.DKIM)
	a.DMARC = cmp.Or(a.DMARC, found.DMARC)
}

type methodResult struct{ method, result string }

// authenticationResults reads one Authentication-Results header: the server's
// id, which some servers leave out, and the results.
func authenticationResults(header string) (server string, results []methodResult) {
	for i, clause := range strings.Split(stripComments(header), ";") {
		method, result, isResult := strings.Cut(clause, "=")
		if !isResult {
			if fields := strings.Fields(clause); i == 0 && len(fields) > 0 {
				server = strings.ToLower(fields[0])
			}
			continue
		}
		method, _, _ = strings.Cut(method, "/") // a version
		results = append(results, methodResult{strings.ToLower(strings.TrimSpace(method)), resultWord(result)})
	}
	return server, results
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
