package inbound

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// maxAddresses is how many addresses are read from one list.
const maxAddresses = 5000

// maxCommentInAddress is how long a comment within angle brackets may be.
const maxCommentInAddress = 128

// maxSpace is the memory in bytes that is prepared for the text of an entry.
const maxSpace = 128

// Addresses reads the address lists of header fields such as From and To.
// Encoded words in names are decoded, members of groups are listed like other
// addresses, and a comment is the name of an address without one. It is lenient:
// semicolons separate like commas, a comma between two addresses may be missing,
// names need no quotes and may have quotes within quotes, blanks and comments
// within an address are dropped, and an unclosed quote or comment is plain text.
// Entries without an "@" are left out, since they are not addresses, and so are
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
	next    int  // the position in the list after that
	at      bool // there is an "@" outside of quotes and comments
}

// parse continues from the current mailbox. With quotes, it stops and returns
// false if that mailbox has an unclosed quote or comment; without, quotes and
// comments are plain text.
func (p *addressParser) parse(quotes bool) bool {
	m := mailbox{text: make([]byte, 0, min(len(p.s), maxSpace))}
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
			if m.closed > 0 && m.at && m.hasAddress() {
				first, second := m.cut() // the comma is missing
				p.add(first)
				m, p.pos = second, m.next
			}
			m.open, m.closed = len(m.text)+1, 0
		case c == '>' && inAngle:
			m.closed, m.next = len(m.text), i+1
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
	if first, second, ok := m.twoAddresses(); ok {
		p.addOne(first)
		m = second
	}
	p.addOne(m)
}

func (p *addressParser) addOne(m mailbox) {
	if m.open == 0 && bytes.ContainsFunc(m.text, unicode.IsSpace) {
		for _, address := range bareAddresses(string(m.text)) {
			if len(p.list) < maxAddresses {
				p.list = append(p.list, anymail.Address{Address: address})
			}
			m.text = nil
		}
	}
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

// hasAddress reports whether there is an "@" between the angle brackets.
func (m mailbox) hasAddress() bool {
	return bytes.IndexByte(m.text[m.open:m.closed], '@') >= 0
}

// twoAddresses splits an entry in which an address without angle brackets follows
// one with them.
func (m mailbox) twoAddresses() (first, second mailbox, ok bool) {
	if m.open == 0 || m.closed == 0 || !m.hasAddress() || bytes.IndexByte(m.text[m.closed:], '@') < 0 {
		return m, m, false
	}
	first, second = m.cut()
	return first, second, true
}

// cut splits an entry after its angle brackets.
func (m mailbox) cut() (first, second mailbox) {
	end := min(m.closed+1, len(m.text))
	first = mailbox{text: m.text[:end], comment: m.comment, open: m.open, closed: m.closed, at: true}
	second = mailbox{text: bytes.Clone(m.text[end:])}
	second.at = bytes.IndexByte(second.text, '@') >= 0
	return first, second
}

// bareAddresses returns the addresses of a text that consists of at least two,
// with nothing but blanks between them.
func bareAddresses(text string) []string {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return nil
	}
	for _, field := range fields {
		if !isAddress(field) || strings.Count(field, "@") != 1 || strings.ContainsAny(field, `"<>`) {
			return nil
		}
	}
	return fields
}

// isAddress reports whether s has an "@" with something on either side.
func isAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1
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
	if _, address = splitBare(withoutBlanks(text[m.open:end])); address == "" && m.at {
		return splitBare(name) // a@b <>
	}
	return name, address
}

// withoutBlanks removes the blanks around the dots and the "@" of an address in
// angle brackets (RFC 5322, section 4.4).
func withoutBlanks(address string) string {
	if !strings.ContainsAny(address, " \t") || strings.Contains(address, `"`) || strings.Count(address, "@") != 1 {
		return address
	}
	return blanksInAddress.ReplaceAllString(address, "$1")
}

var (
	blanksInAddress = regexp.MustCompile(`[ \t]*([.@])[ \t]*`)
	// Outside of brackets, a name may precede or follow, even one with a dot.
	blanksAroundAt  = regexp.MustCompile(`[ \t]+@[ \t]*|@[ \t]+`)
	blanksBeforeDot = regexp.MustCompile(`[ \t]+\.[ \t]*`)
)

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
	blanks := strings.ContainsAny(text, " \t")
	if blanks && !slices.ContainsFunc(strings.Fields(text), isAddress) {
		text = blanksAroundAt.ReplaceAllString(text, "@")
	}
	if at := strings.IndexByte(text, '@'); blanks && at >= 0 {
		text = text[:at] + blanksBeforeDot.ReplaceAllString(text[at:], ".")
	}
	fields := strings.Fields(text)
	found := -1
	for i, field := range fields {
		if isAddress(field) {
			found = i
		}
	}
	if found < 0 {
		return strings.TrimSpace(name + text), ""
	}
	address = fields[found]
	if len(address) > len("mailto:") && strings.EqualFold(address[:len("mailto:")], "mailto:") {
		address = address[len("mailto:"):]
	}
	if route, after, ok := strings.Cut(address, ":"); ok && strings.HasPrefix(route, "@") {
		address = after
	}
	if address = strings.Trim(address, "'<>"); !isAddress(address) {
		return strings.TrimSpace(name + text), ""
	}
	others := strings.Join(slices.Delete(fields, found, found+1), " ")
	return strings.TrimSpace(name + " " + others), address
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

// unquote removes quotes, and escaping backslashes within them. Quotes within
// quotes stay.
func unquote(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return s
	}
	var b strings.Builder
	for s != "" {
		n := quotedLength(s)
		switch {
		case n > 0:
			for i := 1; i < n-1; i++ {
				if s[i] == '\\' && i+1 < n-1 {
					i++
				}
				b.WriteByte(s[i])
			}
		case s[0] == '"':
			n = 1
		default:
			n = 1
			b.WriteByte(s[0])
		}
		s = s[n:]
	}
	return b.String()
}

func endsInMailto(text []byte) bool {
	const scheme = "mailto"
	return len(text) >= len(scheme) && strings.EqualFold(string(text[len(text)-len(scheme):]), scheme)
}

// maxNested is how far from its start a quoted string with quotes in it is read.
const maxNested = 256

// quotedLength returns the length of the quoted string that s starts with, or 0
// if there is none or it is not closed. Some programs do not escape quotes: one
// between a blank and a word opens a string within the string, if all that are
// opened are closed.
func quotedLength(s string) int {
	if !strings.HasPrefix(s, `"`) {
		return 0
	}
	closed, depth := 0, 1
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if closed == 0 {
				closed = i + 1
			}
			if opensQuote(s, i) {
				depth++
			} else if depth--; depth == 0 {
				return i + 1
			}
		case '<', '@':
			if closed > 0 {
				return closed
			}
		}
		if closed > 0 && i > maxNested {
			break
		}
	}
	return closed
}

// opensQuote reports whether the quote at s[i] is between a blank and a word.
func opensQuote(s string, i int) bool {
	return (s[i-1] == ' ' || s[i-1] == '\t') && i+1 < len(s) && strings.IndexByte(" \t,;:<>()@\"", s[i+1]) < 0
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
