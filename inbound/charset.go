package inbound

import (
	"bytes"
	"regexp"
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

const (
	bomUTF8    = "\xef\xbb\xbf"
	bomUTF16LE = "\xff\xfe"
	bomUTF16BE = "\xfe\xff"
)

// DecodeText converts b to UTF-8, and returns valid UTF-8 whatever b is. A byte
// order mark decides; failing that the declared charset, which many mails get
// wrong:
//
//   - Declared as Latin-1, ASCII, UTF-8, as something unknown or not at all:
//     valid UTF-8 is taken as that.
//   - Latin-1 and ASCII stand for Windows-1252, of which they are subsets but for
//     control characters.
//   - Where UTF-8 is declared, or nothing that is known, and no more bytes are
//     wrong in UTF-8 than characters of several bytes are right, each run of
//     wrong ones becomes U+FFFD; otherwise all is taken as Windows-1252.
//   - ISO-2022-JP is known by its escape sequences where nothing is declared.
//
// Any other declared charset is believed.
func DecodeText(b []byte, charset string) string {
	switch {
	case bytes.HasPrefix(b, []byte(bomUTF8)):
		b, charset = b[len(bomUTF8):], "utf-8"
	case bytes.HasPrefix(b, []byte(bomUTF16LE)), bytes.HasPrefix(b, []byte(bomUTF16BE)):
		charset = "utf-16"
	}
	switch e := lookup(charset, b); e {
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

// decodeHTML is [DecodeText] for an html body: where no charset is declared, it
// asks the document.
func decodeHTML(b []byte, charset string) string {
	if charset == "" {
		if found := metaCharset.FindSubmatch(b[:min(len(b), 2048)]); found != nil {
			charset = string(found[1])
			if strings.HasPrefix(strings.ToLower(charset), "utf-16") {
				charset = "utf-8" // in UTF-16 this could not have been read
			}
		}
	}
	return DecodeText(b, charset)
}

var metaCharset = regexp.MustCompile(`(?i)<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([a-z0-9_:.-]{2,40})`)

func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return DecodeText([]byte(s), "")
}

// lookup returns the encoding that a charset name stands for in the text b, or
// nil where it is not known.
func lookup(charset string, b []byte) encoding.Encoding {
	name := firstToken(charset)
	switch name {
	case "":
		if bytes.Contains(b, []byte("\x1b$B")) || bytes.Contains(b, []byte("\x1b$@")) {
			return japanese.ISO2022JP
		}
		return nil
	case "utf-16", "utf16":
		order := unicode.BigEndian // says RFC 2781, but few heed it
		if len(b) > 1 && b[0] != 0 && b[1] == 0 {
			order = unicode.LittleEndian
		}
		return unicode.UTF16(order, unicode.UseBOM)
	}
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	if e, err := htmlindex.Get(name); err == nil {
		// Browsers are to show nothing of some charsets, for safety's sake.
		if canonical, err := htmlindex.Name(e); err != nil || canonical != "replacement" {
			if e == simplifiedchinese.GBK {
				return simplifiedchinese.GB18030 // its superset, and how browsers decode GBK
			}
			return e
		}
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil {
		return e // nil where the name is known but the encoding is not supported
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

// mostlyUTF8 tells whether b has at least as many characters of several bytes
// as it has bytes that are not UTF-8.
func mostlyUTF8(b []byte) bool {
	characters, wrong := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			wrong++
		} else {
			characters++
		}
		i += size
	}
	return wrong <= characters
}

// transcode converts b to UTF-8 twice: once to learn how long that is, so that
// a large text takes the memory it needs and no more.
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
	write(b) // what a decoder stumbled over
}
