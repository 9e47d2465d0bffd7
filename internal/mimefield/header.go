// Package mimefield reads the header fields of MIME parts (RFC 5322, RFC 2045,
// RFC 2231) in received mail and in form bodies. Nothing in it fails; malformed
// input is read as far as possible, in time in proportion to its size.
package mimefield

import (
	"bytes"
	"strings"
)

// ScanHeader calls add with the name and the value (raw, still folded) of every
// header field at the start of b. It returns the position of the body. The
// header ends with an empty line or before a line that isDelimiter, which is nil
// outside of a multipart. Some mails lack the empty line; there it ends before
// the first line that is not a field and that no further header seems to follow.
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
	headerEnd, searched := 0, false // before headerEnd, stray lines do not end the header
	fields := 0
	for pos := 0; pos < len(b); {
		line, next := LineAt(b, pos)
		switch {
		case len(line) == 0:
			return next
		case isDelimiter != nil && isDelimiter(line):
			return pos
		case fields == 0 && IsField(bytes.TrimLeft(line, " \t")): // even if it is indented
			start, end = next-len(bytes.TrimLeft(b[pos:next], " \t")), pos+len(line)
			fields++
		case line[0] == ' ' || line[0] == '\t':
			if start >= 0 {
				end = pos + len(line)
			} else if fields == 0 && len(bytes.TrimSpace(line)) > 0 {
				return pos
			}
		case IsField(line):
			flush()
			start, end = pos, pos+len(line)
			fields++
		case start >= 0 && continuesParams(b[start:end], line):
			end = pos + len(line) // folded without white space
		default:
			if !searched {
				headerEnd, searched = endOfHeader(b, pos, fields > 0, isDelimiter), true
			}
			if pos >= headerEnd {
				return pos
			}
			flush()
		}
		pos = next
	}
	return len(b)
}

// continuesParams reports whether a line is the next parameter of a field.
func continuesParams(field, line []byte) bool {
	field = bytes.TrimRight(field, " \t\r\n")
	return len(field) > 8 && bytes.EqualFold(field[:8], []byte("Content-")) && field[len(field)-1] == ';' &&
		startsParam(string(line[:min(len(line), 100)]))
}

// maxStrayLines is how many stray lines are taken for a part of the header
// because an empty line follows. More are a text that the empty line should
// precede.
const maxStrayLines = 2

// endOfHeader returns the position up to which lines belong to the header
// although the one at pos is not a field. It looks 64 KiB ahead, to the next
// empty line. The header goes on to the last line that starts with a well-known
// field name. If an empty line follows, it goes on to that if all other lines
// are fields, whatever bytes their names have; of a part, also if all but a few
// are.
func endOfHeader(b []byte, pos int, afterField bool, isDelimiter func([]byte) bool) (end int) {
	b = b[:min(len(b), pos+64<<10)]
	stray, fields := 0, 0
	for pos < len(b) {
		line, next := LineAt(b, pos)
		if len(line) == 0 {
			if afterField && stray <= maxStrayLines && (isDelimiter != nil || fields > 0) {
				return pos
			}
			break
		}
		if isDelimiter != nil && isDelimiter(line) {
			break
		}
		switch {
		case IsField(line):
			fields++
			if isKnownField(line) {
				end = pos + 1
			}
		case isEightBitField(line):
			fields++
		case line[0] != ' ' && line[0] != '\t':
			stray++
		}
		pos = next
	}
	return end
}

func isKnownField(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte{':'})
	name = bytes.TrimRight(name, " \t")
	switch name := strings.ToLower(string(name[:min(len(name), 100)])); {
	case strings.HasPrefix(name, "content-"), name == "mime-version", name == "message-id", name == "received":
		return true
	}
	return false
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
func IsField(line []byte) bool { return startsField(line, false) }

// isEightBitField reports whether a line starts with a field name that is not in
// ASCII.
func isEightBitField(line []byte) bool { return startsField(line, true) }

func startsField(line []byte, eightBit bool) bool {
	for i, c := range line {
		switch {
		case c == ':':
			return i > 0
		case c == ' ' || c == '\t':
			rest := bytes.TrimLeft(line[i:], " \t")
			return i > 0 && len(rest) > 0 && rest[0] == ':'
		case c < ' ' || c == 0x7f || c > 0x7f && !eightBit:
			return false
		}
	}
	return false
}
