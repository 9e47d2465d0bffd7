package syntax

import (
	"bytes"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/charset"
)

// maxHeaderBytes is how much of a message's header block is kept.
const maxHeaderBytes = 1 << 20

// FieldList collects header fields, unfolded but with their encoded words, up
// to a number of fields and 1 MiB.
type FieldList struct {
	Fields    anymail.Headers
	left      int // fields
	bytesLeft int
}

// NewFieldList returns a list with room for n fields.
func NewFieldList(n int) *FieldList {
	return &FieldList{left: n, bytesLeft: maxHeaderBytes}
}

// Add appends a raw field. The first one that does not fit is cut off or left
// out, and so are all after it.
func (l *FieldList) Add(name, value []byte) {
	if l.left <= 0 || len(name) >= l.bytesLeft {
		l.left = 0
		return
	}
	l.left--
	value = value[:min(len(value), l.bytesLeft-len(name))]
	l.bytesLeft -= len(name) + len(value)
	l.Fields = append(l.Fields, anymail.Header{Name: string(name), Value: Unfold(value)})
}

// Unfold returns a raw field value as one line of UTF-8. Encoded words stay.
func Unfold(value []byte) string {
	return OneLine(DecodeText(bytes.TrimSpace(value), ""))
}

// DecodeFields returns a copy of fields with their encoded words decoded. In
// fields with addresses, decoded names with special characters are quoted.
func DecodeFields(fields anymail.Headers) anymail.Headers {
	if len(fields) == 0 {
		return nil
	}
	decoded := make(anymail.Headers, 0, len(fields))
	for _, f := range fields {
		decode := DecodeWords
		if addressFields[strings.ToLower(f.Name)] {
			decode = DecodeWordsQuoted
		}
		decoded = append(decoded, anymail.Header{Name: OneLine(ValidUTF8(f.Name)), Value: decode(f.Value)})
	}
	return decoded
}

// addressFields are the fields whose values are address lists.
var addressFields = map[string]bool{
	"from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true,
	"resent-from": true, "resent-sender": true, "resent-reply-to": true,
	"resent-to": true, "resent-cc": true, "resent-bcc": true,
	"return-path": true, "disposition-notification-to": true,
	"mail-followup-to": true, "mail-reply-to": true,
}

// TrimStart removes what precedes the first header field in some mails: a byte
// order mark, empty lines, the "From " line of an mbox. If all lines end in a
// bare CR it returns a copy in which they end in LF.
func TrimStart(b []byte) []byte {
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') >= 0 {
		b = bytes.ReplaceAll(b, []byte{'\r'}, []byte{'\n'})
	}
	b = bytes.TrimPrefix(b, []byte(charset.BOM))
	b = bytes.TrimLeft(b, "\r\n")
	if bytes.HasPrefix(b, []byte("From ")) || bytes.HasPrefix(b, []byte(">From ")) {
		if line, next := LineAt(b, 0); !IsField(line) {
			b = b[next:]
		}
	}
	return b
}

// NoDelimiter is the isDelimiter of [ScanHeader] outside of a multipart.
func NoDelimiter([]byte) bool { return false }

// ScanHeader calls add with the name and the value (raw, still folded) of every
// header field at the start of b. It returns the position of the body. The
// header ends with an empty line or before a line that isDelimiter. Some mails
// lack the empty line; there it ends before the first line that is not a field
// and that no further header seems to follow.
func ScanHeader(b []byte, isDelimiter func(line []byte) bool, add func(name, value []byte)) (body int) {
	start, end := -1, 0 // the current field is b[start:end]
	flush := func() {
		if start >= 0 {
			name, value, _ := bytes.Cut(b[start:end], []byte{':'})
			add(bytes.TrimRight(name, " \t"), value)
		}
		start = -1
	}
	defer flush()
	lastField, searched := 0, false // up to lastField, stray lines do not end the header
	for pos := 0; pos < len(b); {
		line, next := LineAt(b, pos)
		switch {
		case len(line) == 0:
			return next
		case isDelimiter(line):
			return pos
		case line[0] == ' ' || line[0] == '\t':
			if start >= 0 {
				end = pos + len(line)
			}
		case IsField(line):
			flush()
			start, end = pos, pos+len(line)
		default:
			if !searched {
				lastField, searched = lastKnownField(b, pos, isDelimiter), true
			}
			if pos >= lastField {
				return pos
			}
			flush()
		}
		pos = next
	}
	return len(b)
}

// lastKnownField returns the position of the last line before the next empty
// one that starts with a well-known field name. It looks 64 KiB ahead.
func lastKnownField(b []byte, pos int, isDelimiter func([]byte) bool) (last int) {
	b = b[:min(len(b), pos+64<<10)]
	for pos < len(b) {
		line, next := LineAt(b, pos)
		if len(line) == 0 || isDelimiter(line) {
			break
		}
		if IsField(line) {
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

// LineAt returns the line that starts at pos, without its end, and the position
// of the next line.
func LineAt(b []byte, pos int) (line []byte, next int) {
	end := bytes.IndexByte(b[pos:], '\n')
	if end < 0 {
		line, next = b[pos:], len(b)
	} else {
		line, next = b[pos:pos+end], pos+end+1
	}
	return bytes.TrimRight(line, "\r"), next
}

// IsField reports whether a line starts with a field name and a colon. Some
// programs put white space before the colon.
func IsField(line []byte) bool {
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
