package syntax

import (
	"bytes"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/charset"
	"github.com/goanymail/anymail/internal/mimefield"
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
	if trimmed := bytes.TrimLeft(b, " \t\r\n"); isFromLine(trimmed) || mimefield.IsField(trimmed[:min(len(trimmed), maxIndented)]) {
		b = trimmed
	}
	if isFromLine(b) {
		_, next := mimefield.LineAt(b, 0)
		b = b[next:]
	}
	return b
}

// maxIndented is how long the name of an indented first field may be.
const maxIndented = 100

// isFromLine reports whether b starts with the "From " line of an mbox.
func isFromLine(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("From ")) && !bytes.HasPrefix(b, []byte(">From ")) {
		return false
	}
	line, _ := mimefield.LineAt(b, 0)
	return !mimefield.IsField(line)
}
