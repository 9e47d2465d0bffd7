// Package charset converts text in any charset to UTF-8. It alone imports the
// tables of golang.org/x/text/encoding.
package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// Byte order marks.
const (
	BOM        = "\xef\xbb\xbf" // of UTF-8
	bomUTF16LE = "\xff\xfe"
	bomUTF32LE = "\xff\xfe\x00\x00"
	bomUTF16BE = "\xfe\xff"
)

// Decode returns b in UTF-8, by the rules of inbound.DecodeText. The name of the
// charset is in lower case, and empty if none is declared.
func Decode(b []byte, name string) string {
	switch {
	case bytes.HasPrefix(b, []byte(BOM)):
		b, name = b[len(BOM):], "utf-8"
	case bytes.HasPrefix(b, []byte(bomUTF32LE)):
		name = "utf-32"
	case bytes.HasPrefix(b, []byte(bomUTF16LE)), bytes.HasPrefix(b, []byte(bomUTF16BE)):
		name = "utf-16"
	}
	e, wide := lookup(name, b)
	switch {
	case utf8.Valid(b):
		if isUTF8(e, wide, b) {
			return string(b)
		}
		return transcode(e, b)
	case wide || e != nil && !extendsASCII(e):
		return transcode(e, b)
	}
	return decodeLines(e, b)
}

// lookup returns the encoding of the text b in a charset, or nil if the charset
// is unknown.
func lookup(name string, b []byte) (e encoding.Encoding, wide bool) {
	if name == "" {
		if bytes.Contains(b, []byte("\x1b$B")) || bytes.Contains(b, []byte("\x1b$@")) {
			return japanese.ISO2022JP, false
		}
		return nil, false
	}
	e, wide = byName(name)
	if wide && !strings.HasSuffix(name, "le") && !strings.HasSuffix(name, "be") {
		// Without a mark, the order is big-endian (RFC 2781), but few programs follow it.
		if short := squash(name); strings.Contains(short, "32") || strings.Contains(short, "ucs4") {
			if len(b) > 3 && b[0] != 0 && b[3] == 0 {
				return utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), true
			}
			return e, true
		}
		order := unicode.BigEndian
		if len(b) > 1 && b[0] != 0 && b[1] == 0 {
			order = unicode.LittleEndian
		}
		return unicode.UTF16(order, unicode.UseBOM), true
	}
	return e, wide
}

// isUTF8 reports whether b, which is valid UTF-8, is that, although e was
// declared.
func isUTF8(e encoding.Encoding, wide bool, b []byte) bool {
	switch {
	case e == nil, e == unicode.UTF8, e == charmap.Windows1252:
		return true
	case wide:
		// In two bytes each, short texts may look like anything.
		return bytes.IndexFunc(b, isControl) < 0 && (len(b) > 3 || len(b)%2 == 1)
	}
	two, three := 0, 0 // characters of two bytes, and of more
	for i := 0; i < len(b); {
		_, size := utf8.DecodeRune(b[i:])
		switch i += size; size {
		case 1:
		case 2:
			two++
		default:
			three++
		}
	}
	if two+three == 0 || !extendsASCII(e) {
		return false
	}
	if isSevenBit(e) {
		return true
	}
	if _, ok := e.(*charmap.Charmap); ok {
		// In most charsets of one byte, such pairs and triples are not words.
		if two+three >= 3 && !likeUTF8[e] {
			return true
		}
	} else if three >= 2 && three > two {
		return true // no text of as many pairs of bytes is valid by chance
	}
	return hasInvalid(e, b)
}

// likeUTF8 has the charsets of one byte in which words may be valid UTF-8.
var likeUTF8 = map[encoding.Encoding]bool{
	charmap.CodePage866: true, charmap.CodePage855: true, charmap.MacintoshCyrillic: true, charmap.Windows874: true,
}

// isControl reports whether r is a control character that plain texts do not have.
func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' || r == 0x7f
}

// isSevenBit reports whether no byte of a text in e is above 0x7f.
func isSevenBit(e encoding.Encoding) bool {
	return e == japanese.ISO2022JP || e == simplifiedchinese.HZGB2312
}

// extendsASCII reports whether e encodes ASCII as ASCII.
func extendsASCII(e encoding.Encoding) bool {
	const sample = "aZ0 <\n"
	decoded, err := e.NewDecoder().String(sample)
	return err == nil && decoded == sample
}

// hasInvalid reports whether b has bytes that are invalid in e.
func hasInvalid(e encoding.Encoding, b []byte) bool {
	found := false
	chunk := make([]byte, min(3*len(b)+16, 4<<10))
	transformAll(e.NewDecoder(), b, chunk, func(out []byte) { found = found || bytes.Contains(out, []byte("\uFFFD")) })
	return found
}

// reading is how a line is decoded.
type reading int

const (
	anyReading    reading = iota // in ASCII
	asUTF8                       // with invalid bytes replaced
	asDeclared                   // by the declared encoding
	asWindows1252                // if none is declared
)

// decodeLines decodes a text that is not valid UTF-8 line by line, since some
// programs append text in another charset.
func decodeLines(e encoding.Encoding, b []byte) string {
	d := lineDecoder{declared: e, multibyte: hasMultibyte(b), all: b}
	start, current := 0, anyReading
	for pos := 0; pos < len(b); {
		end := len(b)
		if i := bytes.IndexByte(b[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		switch r := d.reading(b[pos:end], end == len(b)); {
		case r == anyReading || r == current:
		case current == anyReading:
			current = r
		default:
			d.decode(b[start:pos], current)
			start, current = pos, r
		}
		pos = end
	}
	if start == 0 && current == asDeclared {
		return transcode(e, b) // takes less memory
	}
	d.decode(b[start:], current)
	return d.out.String()
}

type lineDecoder struct {
	declared  encoding.Encoding
	multibyte bool // the text has characters of UTF-8 of several bytes
	all       []byte
	decoder   *encoding.Decoder
	chunk     []byte
	out       strings.Builder
}

// reading returns how a line is to be decoded.
func (d *lineDecoder) reading(line []byte, last bool) reading {
	e := d.declared
	sevenBit := e != nil && isSevenBit(e)
	switch {
	case isASCII(line):
		if sevenBit {
			return asDeclared
		}
		return anyReading
	case utf8.Valid(line) && isUTF8(e, false, line):
		return asUTF8
	case e != nil && e != unicode.UTF8:
		return asDeclared
	case mostlyUTF8(line), last && d.multibyte && isTruncated(line):
		return asUTF8
	}
	return asWindows1252
}

func (d *lineDecoder) decode(b []byte, r reading) {
	if d.out.Cap() == 0 {
		d.out.Grow(len(d.all) + len(d.all)/4)
	}
	switch r {
	case asDeclared:
		if d.decoder == nil {
			d.decoder, d.chunk = d.declared.NewDecoder(), make([]byte, 4<<10)
		}
		d.decoder.Reset()
		transformAll(d.decoder, b, d.chunk, func(out []byte) { d.out.WriteString(strings.ToValidUTF8(string(out), "\uFFFD")) })
	case asWindows1252:
		for _, c := range b {
			d.out.WriteRune(charmap.Windows1252.DecodeByte(c))
		}
	default:
		d.out.WriteString(strings.ToValidUTF8(string(b), "\uFFFD"))
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mostlyUTF8 reports whether b has at least as many multi-byte characters as
// bytes that are not UTF-8.
func mostlyUTF8(b []byte) bool {
	characters, invalid := countUTF8(b)
	return invalid <= characters
}

func hasMultibyte(b []byte) bool {
	characters, _ := countUTF8(b)
	return characters > 0
}

// isTruncated reports whether only the end of b, within a character, is not UTF-8.
func isTruncated(b []byte) bool {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			return !utf8.FullRune(tail) && utf8.Valid(b[:len(b)-n])
		}
	}
	return false
}

// countUTF8 counts multi-byte characters and bytes that are not UTF-8.
func countUTF8(b []byte) (characters, invalid int) {
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
	return characters, invalid
}

// transcode converts b to UTF-8 twice. The first pass measures the result, so
// that a large text allocates only the memory it needs.
func transcode(e encoding.Encoding, b []byte) string {
	chunk := make([]byte, min(3*len(b)+16, 4<<10))
	size := 0
	transformAll(e.NewDecoder(), b, chunk, func(out []byte) { size += len(out) })
	var s strings.Builder
	s.Grow(size)
	transformAll(e.NewDecoder(), b, chunk, func(out []byte) { s.Write(out) })
	return strings.ToValidUTF8(s.String(), "\uFFFD")
}

func transformAll(d *encoding.Decoder, b, chunk []byte, write func([]byte)) {
	for {
		written, read, err := d.Transform(chunk, b, true)
		write(chunk[:written])
		b = b[read:]
		if err == nil || written+read == 0 {
			break
		}
	}
	write(b) // the rest, if the decoder stopped at an error
}
