package inbound

import "github.com/goanymail/anymail/inbound/internal/syntax"

// DecodeText converts b to UTF-8. The result is valid UTF-8 whatever b is. A
// byte order mark decides; without one the declared charset does, which is wrong
// in many mails:
//
//   - If Latin-1, ASCII, UTF-8, an unknown charset or none is declared, valid
//     UTF-8 is taken as UTF-8.
//   - Latin-1 and ASCII are decoded as Windows-1252, of which they are subsets
//     except for control characters.
//   - If UTF-8, an unknown charset or none is declared, each run of invalid bytes
//     becomes U+FFFD, unless b has more invalid bytes than multi-byte characters.
//     In that case it is decoded as Windows-1252.
//   - If none is declared, ISO-2022-JP is recognized by its escape sequences.
//
// Any other declared charset is trusted.
func DecodeText(b []byte, charset string) string {
	return syntax.DecodeText(b, charset)
}
