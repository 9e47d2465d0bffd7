package inbound

import (
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// maxAddresses is how many addresses are read from one list.
const maxAddresses = 5000

// maxCommentInAddress is how long a comment within angle brackets may be.
const maxCommentInAddress = 128

// Addresses reads the address lists of header fields such as From and To.
// Encoded words in names are decoded, members of groups are listed like other
// addresses, and a comment is the name of an address without one. It is lenient:
// semicolons separate like commas, names need no quotes, and an unclosed quote or
// comment is plain text. Entries without an address are left out, and so are
// addresses after the first 5000.
func Addresses(lists ...string) []anymail.Address {
	var p addressParser
	for _, list := range lists {
		p.s, p.pos = syntax.OneLine(syntax.ValidUTF8(list)), 0
		if !p.parse(true) {
			p.parse(false)
		}
	}
	return p.list
}

// addressParser reads an address list in one pass. If it finds an unclosed quote
// or comment, it reads the rest in a second pass.
type addressParser struct {
	s    string
	pos  int // where the current mailbox begins
	list []anymail.Address
}

// mailbox is one entry of a list, as far as it has been read.
type mailbox struct {
	text    []byte // without comments
	comment []byte
	open    int  // the position in text after the last "<"; 0 if there is none
	closed  int  // the position in text of the ">" after it; 0 if there is none
	at      bool // there is an "@" outside of quotes and comments
}

// parse continues from the current mailbox. With quotes, it stops and returns
// false if that mailbox has an unclosed quote or comment; without, quotes and
// comments are plain text.
func (p *addressParser) parse(quotes bool) bool {
	var m mailbox
	for i := p.pos; i < len(p.s) && len(p.list) < maxAddresses; i++ {
		rest := p.s[i:]
		inAngle := m.open > 0 && m.closed == 0
		n := 1 // how many bytes of rest are appended to text
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "=?"):
			n = max(1, syntax.EncodedWordLength(rest)) // whatever it contains
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
			// <ann(at work)@example.org> is valid. If the comment is longer, or
			// ends after the bracket, more likely a parenthesis is missing.
			within, _, _ := strings.Cut(rest[:min(len(rest), maxCommentInAddress)], ">")
			if n = commentLength(within); n > 0 {
				i += n - 1
				continue
			}
			n = 1
		case c == ',' || c == ';':
			p.add(m)
			m, p.pos = mailbox{text: m.text[:0], comment: m.comment[:0]}, i+1
			continue
		case c == ':' && !m.at && !inAngle && !endsInMailto(m.text):
			m, p.pos = mailbox{text: m.text[:0]}, i+1 // the name of a group ends
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
	p.add(m)
	return true
}

func (p *addressParser) add(m mailbox) {
	name, address := m.split()
	if address == "" && !m.at && strings.Contains(name, "=?") {
		// Some programs encode the whole entry, with its address.
		inner := addressParser{s: DecodeHeader(name)}
		if strings.Contains(inner.s, "@") && !strings.Contains(inner.s, "=?") && inner.parse(true) && len(inner.list) > 0 {
			p.list = append(p.list, inner.list[0])
			return
		}
	}
	if address == "" || len(p.list) >= maxAddresses {
		return
	}
	if name == "" {
		name = `"` + string(m.comment) + `"` // a backslash escapes in it, too
	}
	p.list = append(p.list, anymail.Address{Name: displayName(name), Address: address})
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

// splitBare splits text without angle brackets into a name and an address, in
// either order.
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
		found = 0 // a local user name
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

// displayName removes quotes and decodes encoded words.
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

// unquote removes quotes, and escaping backslashes within them.
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

// quotedLength returns the length of the quoted string that s starts with, or 0
// if there is none or it is not closed.
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

// commentLength returns the length of the comment that s starts with, including
// nested ones, or 0 if there is none or it is not closed.
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
