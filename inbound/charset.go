package inbound

import "github.com/goanymail/anymail/inbound/internal/syntax"

// DecodeText converts b to UTF-8. The result is valid UTF-8 whatever b is. A
// byte order mark decides; without one the declared charset does, which is wrong
// in many mails:
//
//   - Names of charsets are compared without punctuation and without the prefixes
//     of vendors. The many names of ASCII mean the same.
//   - If Latin-1, ASCII, UTF-8, an unknown charset or none is declared, valid
//     UTF-8 is taken as UTF-8. Latin-1 and ASCII are decoded as Windows-1252, of
//     which they are subsets except for control characters.
//   - Valid UTF-8 is also taken as UTF-8 if it cannot be the declared charset: one
//     of seven bits does not have its bytes, a decoder finds invalid ones, or its
//     characters are too many to be valid by chance. Text labelled UTF-16 or
//     UTF-32 is UTF-8 if it is valid UTF-8 without control characters.
//   - Each line of a text that is not UTF-8 as a whole is judged alone, since
//     mailing lists append text in another charset. If UTF-8, an unknown charset
//     or none is declared, each run of invalid bytes becomes U+FFFD, unless the
//     line has more of them than multi-byte characters. In that case the line is
//     decoded as Windows-1252.
//   - If none is declared, ISO-2022-JP is recognized by its escape sequences.
//
// Any other declared charset is trusted.
func DecodeText(b []byte, charset string) string {
	return syntax.DecodeText(b, charset)
}
