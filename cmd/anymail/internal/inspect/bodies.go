package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// body is a body that may be the one that was signed.
type body struct {
	content func() []byte
	hint    string
	anew    bool // it is the captured JSON, written anew
}

// maxRewritten is the largest compact JSON that is written anew: there are some
// two hundred ways.
const maxRewritten = 1 << 20

const writtenAnew = ": something has parsed the body and written it anew"

// bodies returns the bodies of which a capture may have made the captured one, the
// likely ones first.
func (t *tries) bodies() []body {
	captured := t.admitted.payload.Body
	lf := bytes.ReplaceAll(captured, []byte("\r\n"), []byte("\n"))
	var list []body
	inside := []struct {
		b    []byte
		hint string
	}{
		{captured, ""},
		{lf, "with line ends LF in place of CRLF"},
		{bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")), "with line ends CRLF in place of LF"},
	}
	for _, in := range inside {
		unended := bytes.TrimRight(in.b, "\r\n")
		for _, end := range []struct {
			b    []byte
			hint string
		}{
			{in.b, "the capture has changed them"},
			{unended, "without the line end at the end of the body: an editor or the capture has added it"},
			{bytes.TrimSpace(in.b), "without the spaces or line ends around the body: an editor or the capture has added them"},
			{bytes.TrimLeft(in.b, " \t\r\n"), "without the spaces or line ends before the body: an editor or the capture has added them"},
			{slices.Concat(unended, []byte("\n")), "with a line end (LF) at the end of the body: the capture has lost it"},
			{slices.Concat(unended, []byte("\r\n")), "with a line end (CRLF) at the end of the body: the capture has lost it"},
		} {
			hint := end.hint
			if in.hint != "" && bytes.Equal(end.b, in.b) {
				hint = in.hint + ": " + end.hint
			} else if in.hint != "" {
				hint = in.hint + " and " + end.hint
			}
			if !bytes.Equal(end.b, captured) {
				list = append(list, body{func() []byte { return end.b }, hint, false})
			}
		}
	}
	return append(list, rewritten(captured)...)
}

// rewritten returns the ways in which programs write the JSON of a body: each
// combination of spaces, escapes and the end.
func rewritten(captured []byte) []body {
	var compact bytes.Buffer
	if json.Compact(&compact, captured) != nil || compact.Len() > maxRewritten {
		return nil
	}
	var list []body
	for _, escape := range escapes {
		for _, space := range spaces {
			for _, end := range []struct{ text, hint string }{
				{"", ""}, {"\n", " and a line end (LF) at the end"}, {"\r\n", " and a line end (CRLF) at the end"},
			} {
				hint := "with the JSON " + space.hint + end.hint + prefixed(", ", escape.hint) + writtenAnew
				list = append(list, body{func() []byte {
					return append(space.write(escape.write(compact.Bytes())), end.text...)
				}, hint, true})
			}
		}
		list = append(list, body{
			func() []byte { return likeSendGrid(escape.write(compact.Bytes())) },
			"with the JSON as SendGrid writes it (CRLF between events and at the end)" + prefixed(", ", escape.hint) + writtenAnew, true,
		})
	}
	return list
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// spaces are the ways to write compact JSON with spaces.
var spaces = []struct {
	hint  string
	write func(compact []byte) []byte
}{
	{"written without spaces", slices.Clone[[]byte]},
	{"written with a space after colons and commas", func(b []byte) []byte { return spaced(b, ", ") }},
	{"written with a space after colons", func(b []byte) []byte { return spaced(b, ",") }},
	{"indented by two spaces", func(b []byte) []byte { return indented(b, "  ", "\n") }},
	{"indented by four spaces", func(b []byte) []byte { return indented(b, "    ", "\n") }},
	{"indented by tabs", func(b []byte) []byte { return indented(b, "\t", "\n") }},
	{"indented by two spaces, with line ends CRLF", func(b []byte) []byte { return indented(b, "  ", "\r\n") }},
	{"indented by four spaces, with line ends CRLF", func(b []byte) []byte { return indented(b, "    ", "\r\n") }},
}

// structure calls each with the bytes of JSON that are outside of strings, and
// copies strings.
func structure(compact []byte, each func(to []byte, at int) []byte) []byte {
	to := make([]byte, 0, len(compact)+len(compact)/4)
	quoted := false
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; {
		case quoted && c == '\\' && i+1 < len(compact):
			to = append(to, c, compact[i+1])
			i++
		case quoted || c == '"':
			quoted = quoted != (c == '"')
			to = append(to, c)
		default:
			to = each(to, i)
		}
	}
	return to
}

func spaced(compact []byte, comma string) []byte {
	return structure(compact, func(to []byte, at int) []byte {
		switch c := compact[at]; c {
		case ':':
			return append(to, ": "...)
		case ',':
			return append(to, comma...)
		default:
			return append(to, c)
		}
	})
}

func indented(compact []byte, indent, end string) []byte {
	var b bytes.Buffer
	if json.Indent(&b, compact, "", indent) != nil {
		return nil
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte(end))
}

// likeSendGrid ends the line after each event, and after the batch.
func likeSendGrid(compact []byte) []byte {
	depth := 0
	lines := structure(compact, func(to []byte, at int) []byte {
		c := compact[at]
		switch {
		case c == '[' || c == '{':
			depth++
		case (c == ']' || c == '}') && depth == 1:
			depth--
			return append(to, "\r\n"+string(c)...)
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			return append(to, ",\r\n"...)
		}
		return append(to, c)
	})
	return append(lines, "\r\n"...)
}

// escapes are the ways to write the characters of strings.
var escapes = []struct {
	hint  string
	write func(compact []byte) []byte
}{
	{"", slices.Clone[[]byte]},
	{`with characters in place of \uXXXX`, func(b []byte) []byte { return unescaped(b, false) }},
	{`with characters in place of \uXXXX and / in place of \/`, func(b []byte) []byte { return unescaped(b, true) }},
	{`with \uXXXX in place of characters beyond ASCII`, func(b []byte) []byte { return escaped(unescaped(b, true), "") }},
	{`with \/ in place of /`, func(b []byte) []byte { return slashed(unescaped(b, true)) }},
	{`with \uXXXX in place of characters beyond ASCII and \/ in place of /`, func(b []byte) []byte { return slashed(escaped(unescaped(b, true), "")) }},
	{`with \u003c, \u003e and \u0026 in place of <, > and &`, func(b []byte) []byte { return marked(unescaped(b, true)) }},
	{`with \uXXXX in place of characters beyond ASCII and of <, > and &`, func(b []byte) []byte { return escaped(unescaped(b, true), "<>&") }},
}

func slashed(b []byte) []byte { return bytes.ReplaceAll(b, []byte("/"), []byte(`\/`)) }

// marked escapes as encoding/json does.
func marked(b []byte) []byte {
	var to bytes.Buffer
	json.HTMLEscape(&to, b)
	return to.Bytes()
}

// escaped writes \uXXXX for characters beyond ASCII, and for those of also.
func escaped(b []byte, also string) []byte {
	to := make([]byte, 0, len(b))
	for _, r := range string(b) {
		switch {
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			to = fmt.Appendf(to, `\u%04x\u%04x`, high, low)
		case r >= utf8.RuneSelf || strings.ContainsRune(also, r):
			to = fmt.Appendf(to, `\u%04x`, r)
		default:
			to = append(to, byte(r)) //nolint:gosec // below utf8.RuneSelf
		}
	}
	return to
}

// unescaped writes characters in place of \uXXXX, unless JSON needs the escape.
func unescaped(b []byte, slashes bool) []byte {
	to := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			to = append(to, b[i])
			continue
		}
		if r, n := unicodeEscape(b[i:]); n > 0 {
			to = utf8.AppendRune(to, r)
			i += n - 1
			continue
		}
		if !slashes || b[i+1] != '/' {
			to = append(to, b[i])
		}
		to = append(to, b[i+1])
		i++
	}
	return to
}

// unicodeEscape returns the character of \uXXXX, or of a pair of them, and the
// length of the escape. The length is 0 without an escape, or if JSON needs it.
func unicodeEscape(b []byte) (rune, int) {
	unit := func(b []byte) (rune, bool) {
		var r rune
		if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
			return 0, false
		}
		for _, c := range b[2:6] {
			digit := strings.IndexByte("0123456789abcdef", c|0x20)
			if digit < 0 {
				return 0, false
			}
			r = r<<4 | rune(digit) //nolint:gosec // below 16
		}
		return r, true
	}
	r, ok := unit(b)
	switch {
	case !ok || r < 0x20 || r == '"' || r == '\\':
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := unit(b[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}
