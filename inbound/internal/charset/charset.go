// Package charset converts text in any charset to UTF-8. It alone imports the
// tables of golang.org/x/text/encoding.
package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// Byte order marks.
const (
	BOM        = "\xef\xbb\xbf" // of UTF-8
	bomUTF16LE = "\xff\xfe"
	bomUTF16BE = "\xfe\xff"
)

// Decode returns b in UTF-8, by the rules of inbound.DecodeText. The name of the
// charset is in lower case, and empty if none is declared.
func Decode(b []byte, name string) string {
	switch {
	case bytes.HasPrefix(b, []byte(BOM)):
		b, name = b[len(BOM):], "utf-8"
	case bytes.HasPrefix(b, []byte(bomUTF16LE)), bytes.HasPrefix(b, []byte(bomUTF16BE)):
		name = "utf-16"
	}
	switch e := lookup(name, b); e {
	case nil, unicode.UTF8:
		if utf8.Valid(b) {
			return string(b)
		}
		if mostlyUTF8(b) {
			return strings.ToValidUTF8(string(b), "\uFFFD")
		}
		return transcode(charmap.Windows1252, b)
	case charmap.Windows1252:
		if utf8.Valid(b) {
			return string(b)
		}
		return transcode(e, b)
	default:
		return transcode(e, b)
	}
}

// lookup returns the encoding of the text b in a charset, or nil if the charset
// is unknown.
func lookup(name string, b []byte) encoding.Encoding {
	switch name {
	case "":
		if bytes.Contains(b, []byte("\x1b$B")) || bytes.Contains(b, []byte("\x1b$@")) {
			return japanese.ISO2022JP
		}
		return nil
	case "utf-16", "utf16":
		order := unicode.BigEndian // RFC 2781 says so, but few programs follow it
		if len(b) > 1 && b[0] != 0 && b[1] == 0 {
			order = unicode.LittleEndian
		}
		return unicode.UTF16(order, unicode.UseBOM)
	}
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	if e, err := htmlindex.Get(name); err == nil {
		// For safety, browsers must not show some charsets at all: their encoding
		// is the replacement.
		if canonical, err := htmlindex.Name(e); err != nil || canonical != "replacement" {
			if e == simplifiedchinese.GBK {
				return simplifiedchinese.GB18030 // a superset; browsers decode GBK by it
			}
			return e
		}
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil {
		return e // nil if the name is registered but the encoding is not supported
	}
	return nil
}

// aliases are names that neither index has.
var aliases = map[string]string{
	"cp932": "shift_jis", "cp-932": "shift_jis",
	"cp936": "gbk", "ms936": "gbk",
	"cp949": "euc-kr", "ms949": "euc-kr",
	"cp950": "big5", "ms950": "big5",
	"latin-1": "iso-8859-1",
}

// mostlyUTF8 reports whether b has at least as many multi-byte characters as
// bytes that are not UTF-8.
func mostlyUTF8(b []byte) bool {
	characters, invalid := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			invalid++
		} else {
			characters++
		}
		i += size
	}
	return invalid <= characters
}

// transcode converts b to UTF-8 twice. The first pass measures the result, so
// that a large text allocates only the memory it needs.
func transcode(e encoding.Encoding, b []byte) string {
	chunk := make([]byte, min(3*len(b)+16, 4<<10))
	size := 0
	transformAll(e, b, chunk, func(out []byte) { size += len(out) })
	var s strings.Builder
	s.Grow(size)
	transformAll(e, b, chunk, func(out []byte) { s.Write(out) })
	return strings.ToValidUTF8(s.String(), "\uFFFD")
}

func transformAll(e encoding.Encoding, b, chunk []byte, write func([]byte)) {
	for d := e.NewDecoder(); ; {
		written, read, err := d.Transform(chunk, b, true)
		write(chunk[:written])
		b = b[read:]
		if err == nil || written+read == 0 {
			break
		}
	}
	write(b) // the rest, if the decoder stopped at an error
}
