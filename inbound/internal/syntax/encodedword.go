package syntax

import (
	"strings"

	"github.com/goanymail/anymail/internal/mimefield"
)

// DecodeWords decodes the encoded words (RFC 2047) of a header value. It is
// inbound.DecodeHeader.
func DecodeWords(s string) string { return decodeWords(s, false) }

// DecodeWordsQuoted is [DecodeWords] for an address list: decoded text that has
// special characters is put in quotes.
func DecodeWordsQuoted(s string) string { return decodeWords(s, true) }

func decodeWords(s string, quote bool) string {
	s = OneLine(ValidUTF8(s))
	if !strings.Contains(s, "=?") {
		return s
	}
	d := wordDecoder{quote: quote}
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		word, ok := cutEncodedWord(s[i:])
		if !ok {
			d.literal(s[:i+2])
			s = s[i+2:]
			continue
		}
		if d.charset == "" || strings.Trim(s[:i], " \t") != "" {
			d.literal(s[:i])
		}
		d.word(word)
		s = s[i+word.length:]
	}
	d.literal(s)
	return OneLine(d.out.String())
}

// encodedWord is one encoded word.
type encodedWord struct {
	charset string
	base64  bool
	text    string
	length  int // from "=?" to "?="
}

// EncodedWordLength returns the length of the encoded word that s starts with,
// or 0 if it does not start with one.
func EncodedWordLength(s string) int {
	if !strings.HasPrefix(s, "=?") {
		return 0
	}
	w, _ := cutEncodedWord(s)
	return w.length
}

// cutEncodedWord reads the encoded word that s, which has the prefix "=?",
// starts with. A word ends before the next one begins, so that all words of a
// header are found in one pass.
func cutEncodedWord(s string) (w encodedWord, ok bool) {
	const maxCharset = 60 // with the language
	rest := s[len("=?"):]
	i := strings.IndexByte(rest[:min(len(rest), maxCharset)], '?')
	if i <= 0 || i+2 >= len(rest) || rest[i+2] != '?' {
		return encodedWord{}, false
	}
	w.charset, _, _ = strings.Cut(rest[:i], "*") // RFC 2231 adds a language
	if w.charset == "" || strings.ContainsAny(w.charset, " \t=<>\"") {
		return encodedWord{}, false
	}
	switch rest[i+1] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return encodedWord{}, false
	}
	rest = rest[i+len("?q?"):]
	for n := 0; n < len(rest); n++ {
		if rest[n] != '?' {
			continue
		}
		if n+1 < len(rest) && rest[n+1] == '=' {
			w.text = rest[:n]
			w.length = len(s) - len(rest) + n + len("?=")
			return w, true
		}
		if n > 0 && rest[n-1] == '=' {
			return encodedWord{}, false
		}
	}
	return encodedWord{}, false
}

// wordDecoder joins adjacent encoded words of one charset as bytes, since many
// programs split them within a character.
type wordDecoder struct {
	out      strings.Builder
	quote    bool
	inQuotes bool // out ends within a quoted string; used only with quote

	charset string // of run; empty after text that is not encoded
	run     base64Decoder
}

func (d *wordDecoder) word(w encodedWord) {
	if d.charset != "" && !strings.EqualFold(d.charset, w.charset) {
		d.flush()
	}
	d.charset = w.charset
	if w.base64 {
		d.run.write([]byte(w.text)) // the next word may complete its last quantum
		return
	}
	d.run.endQuantum()
	d.run.out = appendQDecoded(d.run.out, w.text)
}

// flush writes the pending encoded words.
func (d *wordDecoder) flush() {
	d.run.endQuantum()
	text := DecodeText(d.run.out, d.charset)
	d.run.out, d.charset = d.run.out[:0], ""
	if !d.quote || !strings.ContainsAny(text, `()<>[]:;@\,"`) {
		d.out.WriteString(text)
		return
	}
	escaped := quoting.Replace(OneLine(text))
	if !d.inQuotes {
		escaped = `"` + escaped + `"`
	}
	d.out.WriteString(escaped)
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// literal writes the pending encoded words and then text that is not encoded.
func (d *wordDecoder) literal(s string) {
	d.flush()
	d.out.WriteString(s)
	if !d.quote {
		return
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && d.inQuotes:
			i++
		case s[i] == '"':
			d.inQuotes = !d.inQuotes
		}
	}
}

// appendQDecoded decodes the Q encoding of RFC 2047.
func appendQDecoded(out []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '_':
			out = append(out, ' ')
		case '=':
			if b, ok := mimefield.HexByte(text[i+1:]); ok {
				out = append(out, b)
				i += 2
				continue
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return out
}
