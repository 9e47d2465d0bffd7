package inbound

import (
	"slices"
	"strings"

	"github.com/goanymail/anymail"
)

// maxAddresses is how many addresses are read from one list.
const maxAddresses = 5000

// maxCommentInAngle is how long a comment within angle brackets may be.
const maxCommentInAngle = 128

// Addresses reads address lists as they stand in header fields: From, To and
// the like. Encoded words in names are decoded, members of groups are listed
// like all others, and comments serve as names where there is no other. It is
// lenient: semicolons separate like commas, names need no quotes, and a quote
// or comment that is never closed does not count as one. What has no address in
// it is left out, and so is all after the first 5000.
func Addresses(lists ...string) []anymail.Address {
	var r addressReader
	for _, list := range lists {
		r.s, r.pos = oneLine(validUTF8(list)), 0
		if !r.read(true) {
			r.read(false)
		}
	}
	return r.list
}

// addressReader reads an address list in one pass, and what follows a quote or
// comment that is never closed in a second one.
type addressReader struct {
	s    string
	pos  int // where the mailbox under way begins
	list []anymail.Address
}

// mailbox is one entry of a list, as far as it was read.
type mailbox struct {
	text    []byte // without comments
	comment []byte
	open    int // where the last "<" ends in text; 0 if there is none
	closed  int // where the ">" after it stands; 0 if there is none
	at      bool
}

// read goes on from the mailbox under way. It stops and returns false where
// that has a quote or a comment that is never closed, if it is to heed those.
func (r *addressReader) read(quotes bool) bool {
	var m mailbox
	for i := r.pos; i < len(r.s) && len(r.list) < maxAddresses; i++ {
		rest := r.s[i:]
		inAngle := m.open > 0 && m.closed == 0
		n := 1 // how much of rest belongs to text
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "=?"):
			if word, ok := cutWord(rest); ok {
				n = word.length // whatever is in it
			}
		case c == '"' && quotes:
			if n = quotedLength(rest); n == 0 {
				return false
			}
		case c == '(' && quotes && !inAngle:
			if n = commentLength(rest); n == 0 {
				return false
			}
			m.comment = append(m.comment, rest[1:n-1]...)
			i += n - 1
			continue
		case c == '(' && inAngle:
			// <ann(at work)@example.org> is allowed; in what is longer, or ends
			// after the bracket, somebody forgot a bracket rather.
			within, _, _ := strings.Cut(rest[:min(len(rest), maxCommentInAngle)], ">")
			if n = commentLength(within); n > 0 {
				i += n - 1
				continue
			}
			n = 1
		case c == ',' || c == ';':
			r.add(m)
			m, r.pos = mailbox{text: m.text[:0], comment: m.comment[:0]}, i+1
			continue
		case c == ':' && !m.at && !inAngle && !endsInMailto(m.text):
			m, r.pos = mailbox{text: m.text[:0]}, i+1 // that was the name of a group
			continue
		case c == '<':
			m.open, m.closed = len(m.text)+1, 0
		case c == '>' && inAngle:
			m.closed = len(m.text)
		case c == '@':
			m.at = true
		}
		m.text = append(m.text, rest[:n]...)
		i += n - 1
	}
	r.add(m)
	return true
}

func (r *addressReader) add(m mailbox) {
	name, address := m.split()
	if address == "" && !m.at && strings.Contains(name, "=?") {
		// Some programs encode all of it, address included.
		inner := addressReader{s: DecodeHeader(name)}
		if strings.Contains(inner.s, "@") && !strings.Contains(inner.s, "=?") && inner.read(true) && len(inner.list) > 0 {
			r.list = append(r.list, inner.list[0])
			return
		}
	}
	if address == "" || len(r.list) >= maxAddresses {
		return
	}
	if name == "" {
		name = `"` + string(m.comment) + `"` // backslashes escape in it, too
	}
	r.list = append(r.list, anymail.Address{Name: displayName(name), Address: address})
}

// split returns the name, still quoted and encoded, and the address.
func (m mailbox) split() (name, address string) {
	text := string(m.text)
	if m.open == 0 {
		return splitBare(text)
	}
	end := len(text)
	if m.closed > 0 {
		end = m.closed
	}
	name = strings.TrimSpace(text[:m.open-1])
	if _, address = splitBare(text[m.open:end]); address == "" && m.at {
		return splitBare(name) // a@b <>
	}
	return name, address
}

// splitBare takes the address out of text without angle brackets, which may be
// one with a name before or after it.
func splitBare(text string) (name, address string) {
	text = strings.TrimSpace(text)
	if n := quotedLength(text); n > 0 && !strings.HasPrefix(text[n:], "@") {
		if n == len(text) {
			text = unquote(text)
		} else {
			name, text = text[:n], text[n:]
		}
	} else if n > 0 {
		return "", text // "a b"@c
	}
	fields := strings.Fields(text)
	found := -1
	for i, field := range fields {
		if strings.Contains(field, "@") {
			found = i
		}
	}
	switch {
	case found < 0 && (len(fields) != 1 || name != "" || strings.Contains(text, "=?")):
		return strings.TrimSpace(name + text), ""
	case found < 0:
		found = 0 // a local user
	}
	address = fields[found]
	if len(address) > len("mailto:") && strings.EqualFold(address[:len("mailto:")], "mailto:") {
		address = address[len("mailto:"):]
	}
	if route, after, ok := strings.Cut(address, ":"); ok && strings.HasPrefix(route, "@") {
		address = after
	}
	others := strings.Join(slices.Delete(fields, found, found+1), " ")
	return strings.TrimSpace(name + " " + others), strings.Trim(address, "'<>")
}

// displayName undoes quoting and encoded words.
func displayName(s string) string {
	s = strings.TrimSpace(DecodeHeader(unquote(s)))
	if n := len(s); n > 1 && s[0] == '\'' && s[n-1] == '\'' {
		s = strings.TrimSpace(s[1 : n-1])
	}
	if strings.Trim(s, "<>") == "" {
		return ""
	}
	return s
}

// unquote takes off quotes, and backslashes within them.
func unquote(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return s
	}
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
			continue
		case s[i] == '\\' && quoted && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func endsInMailto(text []byte) bool {
	const scheme = "mailto"
	return len(text) >= len(scheme) && strings.EqualFold(string(text[len(text)-len(scheme):]), scheme)
}

// quotedLength returns how long the quoted string is that s starts with, or 0
// if it starts with none that is closed.
func quotedLength(s string) int {
	if !strings.HasPrefix(s, `"`) {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// commentLength returns how long the comment is that s starts with, those in it
// included, or 0 if it is never closed.
func commentLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
