package inbound

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/goanymail/anymail"
)

const (
	// maxHeaderBytes is how much of a message's header block is kept.
	maxHeaderBytes = 1 << 20
	// maxFieldBytes is how much of a field that describes a part is read.
	maxFieldBytes = 32 << 10
)

// ParseHeaders reads a raw header block. Lines end in LF, CRLF or CR and may be
// folded; order and repeats are kept, and values are decoded as [DecodeHeader]
// does it. In a field with addresses a decoded name that has a comma or the
// like comes out quoted, so that [Addresses] still reads it as one name. What
// follows the first empty line is not looked at. At most 2000 fields and 1 MiB
// are kept.
func ParseHeaders(block []byte) anymail.Headers {
	list := fieldList{left: maxHeaders, bytesLeft: maxHeaderBytes}
	scanHeader(trimStart(block), noDelimiter, list.add)
	return decodeFields(list.fields)
}

// decodeFields returns a copy of fields with their values decoded.
func decodeFields(fields anymail.Headers) anymail.Headers {
	if len(fields) == 0 {
		return nil
	}
	hs := make(anymail.Headers, 0, len(fields))
	for _, f := range fields {
		hs = append(hs, anymail.Header{Name: oneLine(validUTF8(f.Name)), Value: decodeField(f.Name, f.Value)})
	}
	return hs
}

func decodeField(name, value string) string {
	return decodeHeader(value, addressFields[strings.ToLower(name)])
}

// addressFields are those whose values are address lists.
var addressFields = map[string]bool{
	"from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true,
	"resent-from": true, "resent-sender": true, "resent-reply-to": true,
	"resent-to": true, "resent-cc": true, "resent-bcc": true,
	"return-path": true, "disposition-notification-to": true,
	"mail-followup-to": true, "mail-reply-to": true,
}

// fieldList keeps header fields, unfolded but with their encoded words, while
// there is room.
type fieldList struct {
	fields    anymail.Headers
	left      int // fields
	bytesLeft int
}

func (l *fieldList) add(name, value []byte) {
	if l.left <= 0 || len(name) >= l.bytesLeft {
		l.left = 0
		return
	}
	l.left--
	value = value[:min(len(value), l.bytesLeft-len(name))]
	l.bytesLeft -= len(name) + len(value)
	l.fields = append(l.fields, anymail.Header{Name: string(name), Value: unfold(value)})
}

// partHeader holds the fields that describe a part, unfolded. Of each the first
// counts.
type partHeader struct {
	contentType, disposition, encoding, contentID string
}

func (h *partHeader) add(name, value []byte) {
	const prefix = "Content-"
	if len(name) <= len(prefix) || len(name) > len("Content-Transfer-Encoding") || !bytes.EqualFold(name[:len(prefix)], []byte(prefix)) {
		return
	}
	var field *string
	switch strings.ToLower(string(name[len(prefix):])) {
	case "type":
		field = &h.contentType
	case "disposition":
		field = &h.disposition
	case "transfer-encoding":
		field = &h.encoding
	case "id":
		field = &h.contentID
	default:
		return
	}
	if *field == "" {
		*field = unfold(value[:min(len(value), maxFieldBytes)])
	}
}

// trimStart takes off what stands before the first header field of some mails:
// a byte order mark, empty lines, the "From " line of an mbox. Where lines end
// in CR alone it returns a copy in which they end in LF.
func trimStart(b []byte) []byte {
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') >= 0 {
		b = bytes.ReplaceAll(b, []byte{'\r'}, []byte{'\n'})
	}
	b = bytes.TrimPrefix(b, []byte(bomUTF8))
	b = bytes.TrimLeft(b, "\r\n")
	if bytes.HasPrefix(b, []byte("From ")) || bytes.HasPrefix(b, []byte(">From ")) {
		if line, next := lineAt(b, 0); !isField(line) {
			b = b[next:]
		}
	}
	return b
}

func noDelimiter([]byte) bool { return false }

// scanHeader calls add with the name and the value (raw, still folded) of every
// header field at the beginning of b, and returns where the body begins: after
// an empty line, at a line that isDelimiter, or, since some mails lack the
// empty line, at the first line that is no field and after which no more header
// seems to come.
func scanHeader(b []byte, isDelimiter func(line []byte) bool, add func(name, value []byte)) (body int) {
	start, end := -1, 0 // the field under way is b[start:end]
	flush := func() {
		if start >= 0 {
			name, value, _ := bytes.Cut(b[start:end], []byte{':'})
			add(bytes.TrimRight(name, " \t"), value)
		}
		start = -1
	}
	defer flush()
	goesOn, looked := 0, false // how far the header goes at least, despite stray lines
	for pos := 0; pos < len(b); {
		line, next := lineAt(b, pos)
		switch {
		case len(line) == 0:
			return next
		case isDelimiter(line):
			return pos
		case line[0] == ' ' || line[0] == '\t':
			if start >= 0 {
				end = pos + len(line)
			}
		case isField(line):
			flush()
			start, end = pos, pos+len(line)
		default:
			if !looked {
				goesOn, looked = lastKnownField(b, pos, isDelimiter), true
			}
			if pos >= goesOn {
				return pos
			}
			flush()
		}
		pos = next
	}
	return len(b)
}

// lastKnownField returns where the last line before the next empty one starts
// that can hardly be anything but a header field. It looks ahead 64 KiB.
func lastKnownField(b []byte, pos int, isDelimiter func([]byte) bool) (last int) {
	b = b[:min(len(b), pos+64<<10)]
	for pos < len(b) {
		line, next := lineAt(b, pos)
		if len(line) == 0 || isDelimiter(line) {
			break
		}
		if isField(line) {
			name, _, _ := bytes.Cut(line, []byte{':'})
			switch name := strings.ToLower(string(bytes.TrimRight(name, " \t"))); {
			case strings.HasPrefix(name, "content-"), name == "mime-version", name == "message-id", name == "received":
				last = pos
			}
		}
		pos = next
	}
	return last
}

// lineAt returns the line that starts at pos, without its end, and where the
// next one starts.
func lineAt(b []byte, pos int) (line []byte, next int) {
	end := bytes.IndexByte(b[pos:], '\n')
	if end < 0 {
		line, next = b[pos:], len(b)
	} else {
		line, next = b[pos:pos+end], pos+end+1
	}
	return bytes.TrimRight(line, "\r"), next
}

// isField tells whether a line starts with a field name and a colon. Some
// programs put white space before the colon.
func isField(line []byte) bool {
	for i, c := range line {
		switch {
		case c == ':':
			return i > 0
		case c == ' ' || c == '\t':
			rest := bytes.TrimLeft(line[i:], " \t")
			return i > 0 && len(rest) > 0 && rest[0] == ':'
		case c <= ' ' || c >= 0x7f:
			return false
		}
	}
	return false
}

// unfold returns a raw field value as one line of UTF-8. Encoded words stay.
func unfold(value []byte) string {
	return oneLine(DecodeText(bytes.TrimSpace(value), ""))
}

// foldings undoes the folding of lines; other line ends are control characters.
var foldings = strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t", "\n ", " ", "\n\t", "\t")

// oneLine returns s without line ends and other control characters, so that it
// cannot become more than one header field, line of a log or the like.
func oneLine(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, foldings.Replace(s))
}

func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\t' || r == '\u2028' || r == '\u2029'
}
