// Package syntax reads the parts of received mail that header fields and MIME
// bodies share: header blocks (RFC 5322), encoded words (RFC 2047), parameters
// (RFC 2045, RFC 2231) and base64. Nothing in it fails; malformed input is read
// as far as possible.
package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goanymail/anymail/inbound/internal/charset"
)

// DecodeText is inbound.DecodeText.
func DecodeText(b []byte, declared string) string {
	return charset.Decode(b, FirstToken(declared))
}

// ValidUTF8 returns s, decoded as undeclared text if it is not UTF-8.
func ValidUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return DecodeText([]byte(s), "")
}

// folding undoes the folding of lines; other line ends are control characters.
var folding = strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t", "\n ", " ", "\n\t", "\t")

// OneLine returns s with line ends and other control characters replaced by
// spaces, so that it cannot become a second header field or line of a log.
func OneLine(s string) string {
	if strings.IndexFunc(s, IsControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if IsControl(r) {
			return ' '
		}
		return r
	}, folding.Replace(s))
}

// IsControl reports whether r is a control character or line separator other
// than a tab.
func IsControl(r rune) bool {
	return unicode.IsControl(r) && r != '\t' || r == '\u2028' || r == '\u2029'
}

// FirstToken returns the first word of s in lower case, without quotes.
func FirstToken(s string) string {
	s = strings.TrimLeft(s, " \t\"'")
	if i := strings.IndexAny(s, " \t\"';,("); i >= 0 {
		s = s[:i]
	}
	return strings.ToLower(s)
}

// IsWideCharset reports whether a charset uses at least two bytes for every
// character.
func IsWideCharset(name string) bool { return charset.IsWide(FirstToken(name)) }
