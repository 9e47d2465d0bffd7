package inbound

import "strings"

// DecodeHeader decodes the encoded words (RFC 2047) of a header value, in any
// charset, also where they stand inside of quotes or touch other text. Adjacent
// words of one charset are joined as bytes before they are decoded, since many
// programs split them within a character. Line ends and other control
// characters become spaces. What cannot be decoded stays as it is.
func DecodeHeader(s string) string { return decodeHeader(s, false) }

// decodeHeader is DecodeHeader. With quote it puts decoded text that has
// special characters in quotes, as names in an address list need it.
func decodeHeader(s string, quote bool) string {
	s = oneLine(validUTF8(s))
	if !strings.Contains(s, "=?") {
		return s
	}
	d := wordDecoder{quote: quote}
	for s != "" {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		word, ok := cutWord(s[i:])
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
	return oneLine(d.out.String())
}

// word is one encoded word.
type word struct {
	charset string
	base64  bool
	text    string
	length  int // of the whole, from "=?" to "?="
}

// cutWord reads the encoded word that s, which has the prefix "=?", starts
// with. A word ends before the next one begins, so that all words of a header
// are found in one pass over it.
func cutWord(s string) (w word, ok bool) {
	const maxCharset = 60 // and language
	rest := s[len("=?"):]
	i := strings.IndexByte(rest[:min(len(rest), maxCharset)], '?')
	if i <= 0 || i+2 >= len(rest) || rest[i+2] != '?' {
		return word{}, false
	}
	w.charset, _, _ = strings.Cut(rest[:i], "*") // RFC 2231 adds a language
	if w.charset == "" || strings.ContainsAny(w.charset, " \t=<>\"") {
		return word{}, false
	}
	switch rest[i+1] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return word{}, false
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
			return word{}, false
		}
	}
	return word{}, false
}

// wordDecoder collects the bytes of adjacent words.
type wordDecoder struct {
	out      strings.Builder
	quote    bool
	inQuotes bool // out ends within a quoted string; kept only with quote

	charset string // of run; empty where the last thing was no word
	run     base64Decoder
}

func (d *wordDecoder) word(w word) {
	if d.charset != "" && !strings.EqualFold(d.charset, w.charset) {
		d.flush()
	}
	d.charset = w.charset
	if w.base64 {
		d.run.write([]byte(w.text)) // it may end within a group that the next word completes
		return
	}
	d.run.endGroup()
	d.run.out = appendQ(d.run.out, w.text)
}

// flush writes what has been collected.
func (d *wordDecoder) flush() {
	d.run.endGroup()
	text := DecodeText(d.run.out, d.charset)
	d.run.out, d.charset = d.run.out[:0], ""
	if !d.quote || !strings.ContainsAny(text, `()<>[]:;@\,"`) {
		d.out.WriteString(text)
		return
	}
	escaped := quoting.Replace(oneLine(text))
	if !d.inQuotes {
		escaped = `"` + escaped + `"`
	}
	d.out.WriteString(escaped)
}

var quoting = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// literal writes text that is not encoded, after what has been collected.
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

// appendQ decodes the Q encoding of RFC 2047.
func appendQ(out []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			out = append(out, unhex(text[i+1])<<4|unhex(text[i+2]))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}
