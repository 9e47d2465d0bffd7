package syntax

import (
	"bytes"
	"unicode/utf8"

	"github.com/goanymail/anymail/internal/mimefield"
)

// longLine is how many characters of base64 no word of a plain text has.
const longLine = 60

// CutBase64 cuts a body that is declared as base64 into the part to decode and
// the plain text around it, such as the footer that a mailing list appends.
// Encoded is nil if the whole body is plain.
//
// Padding ends the data unless more of it follows. A line with characters that
// are not base64's is plain text, unless they are few among many that are or
// the data continues after it.
func CutBase64(body []byte) (encoded, plain []byte) {
	if isPlainBase64(body) {
		return body, nil
	}
	c := base64Cutter{body: body, start: -1, end: len(body)}
	c.findForeign()
	c.scan()
	if !c.isBase64() {
		return nil, nil
	}
	if c.start < 0 {
		return body, nil // no line is clean; the decoder skips the other characters
	}
	if before := bytes.TrimSpace(body[:c.start]); len(before) > 0 {
		plain = append(bytes.Clone(before), '\n')
	}
	after := bytes.TrimLeft(body[c.end:], "\r\n")
	if plain == nil {
		plain = after
	} else {
		plain = append(plain, after...)
	}
	if len(c.gaps) == 0 {
		return body[c.start:c.end], plain
	}
	for _, gap := range c.gaps {
		encoded = append(encoded, body[c.start:gap[0]]...)
		c.start = gap[1]
	}
	return append(encoded, body[c.start:c.end]...), plain
}

// isPlainBase64 reports whether b is base64 and nothing else.
func isPlainBase64(b []byte) bool {
	count, padding := 0, 0
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		var values byte
		for _, c := range line {
			values |= base64Values[c]
		}
		if values < 64 && padding == 0 { // as nearly every line is
			count += len(line)
			continue
		}
		for _, c := range line {
			switch {
			case base64Values[c] < 64:
				if padding > 0 {
					return false
				}
				count++
			case c == '=':
				padding++
			case c != '\r' && c != ' ' && c != '\t':
				return false
			}
		}
	}
	if bytes.IndexByte(bytes.TrimSpace(b), ' ') >= 0 || padding > 2 {
		return false
	}
	return count%4 == 0 || padding > 0 || count >= longLine
}

// base64Cutter reads a body line by line.
type base64Cutter struct {
	body        []byte
	lastForeign int // the position of the last foreign line; -1 if there is none

	start, end int      // of the data; start is -1 as long as there is none
	gaps       [][2]int // foreign lines within the data
	count      int      // of the characters of the data
	long       bool     // a line of the data is long
	padded     bool     // there is padding
}

// findForeign sets lastForeign.
func (c *base64Cutter) findForeign() {
	c.lastForeign = -1
	for pos := 0; pos < len(c.body); {
		line, next := mimefield.LineAt(c.body, pos)
		if kindOfLine(line) == foreignLine {
			c.lastForeign = pos
		}
		pos = next
	}
}

// scan finds the data.
func (c *base64Cutter) scan() {
	ended, joined := false, false // the last line was padded; what follows is data, too
	for pos := 0; pos < len(c.body); {
		line, next := mimefield.LineAt(c.body, pos)
		switch kind := kindOfLine(line); {
		case kind == blankLine:
			if c.start >= 0 && pos < c.lastForeign && (ended || c.count%4 == 0) && !c.continues(next) {
				c.end = pos
				return
			}
		case kind == foreignLine && c.start >= 0:
			if n := paddedPrefix(line); n > 0 && !ended {
				c.end, c.padded = pos+n, true
				return
			}
			if ended || !c.continues(next) {
				c.end = pos
				return
			}
			c.gaps = append(c.gaps, [2]int{pos, next})
		case kind == foreignLine:
			if n := paddedPrefix(line); n >= 8 {
				c.start, c.end, c.padded = pos, pos+n, true
				return
			}
		default:
			if ended && !joined {
				if joined = c.moreData(pos); !joined {
					c.end = pos
					return
				}
			}
			if c.start < 0 {
				c.start = pos
			}
			if n := paddedPrefix(line); n > 0 && n < len(line) && !isQuanta(line[n:]) {
				c.end, c.padded = pos+n, true
				return
			}
			c.count += len(line)
			c.long = c.long || len(line) >= longLine
			ended = bytes.HasSuffix(bytes.TrimRight(line, " \t"), []byte{'='})
			c.padded = c.padded || ended
		}
		pos = next
	}
}

// continues reports whether a long line of base64 follows.
func (c *base64Cutter) continues(pos int) bool {
	for limit := pos + 1<<10; pos < min(limit, len(c.body)); {
		line, next := mimefield.LineAt(c.body, pos)
		if kind := kindOfLine(line); kind != blankLine {
			return kind == base64Line && len(line) >= longLine
		}
		pos = next
	}
	return false
}

// moreData reports whether the rest of the body is base64 of its own.
func (c *base64Cutter) moreData(pos int) bool {
	rest := bytes.TrimSpace(c.body[pos:])
	line, _ := mimefield.LineAt(rest, 0)
	return pos > c.lastForeign && isQuanta(rest) && (rest[len(rest)-1] == '=' || len(line) >= longLine)
}

// isBase64 reports whether the body is base64 at all. Short words of a plain text
// look like it; what they decode to does not look like text.
func (c *base64Cutter) isBase64() bool {
	if c.long || c.padded && c.start >= 0 {
		return true
	}
	sample := c.body[:min(len(c.body), 4<<10)]
	if !looksLikeText(sample) {
		return true
	}
	if c.start < 0 {
		trimmed := bytes.TrimSpace(c.body)
		spaced := bytes.HasSuffix(trimmed, []byte{'='}) && isQuanta(trimmed)
		decoded := DecodeBase64(sample)
		return spaced || len(decoded) > 0 && looksLikeText(decoded)
	}
	decoded := DecodeBase64(c.body[c.start:c.end])
	const few = 16 // bytes that look like text by chance, unless they must be UTF-8
	return c.count%4 != 1 && looksLikeText(decoded) && (len(decoded) > few || utf8.Valid(decoded))
}

// isQuanta reports whether b is of base64, padding and white space only, in
// groups of four.
func isQuanta(b []byte) bool {
	n := 0
	for _, c := range b {
		switch {
		case base64Values[c] < 64 || c == '=':
			n++
		case c != '\n' && c != '\r' && c != ' ' && c != '\t':
			return false
		}
	}
	return n > 0 && n%4 == 0 && len(bytes.Trim(b, "-_= \t\r\n")) > 0
}

// paddedPrefix returns the length of the padded base64 that a line starts with,
// or 0.
func paddedPrefix(line []byte) int {
	n := 0
	for n < len(line) && base64Values[line[n]] < 64 {
		n++
	}
	end := n
	for end < len(line) && end < n+2 && line[end] == '=' {
		end++
	}
	if n < 2 || end == n || end%4 != 0 {
		return 0
	}
	return end
}

type lineKind int

const (
	blankLine lineKind = iota
	base64Line
	foreignLine
)

// kindOfLine tells base64 from plain text. A ruler is plain text.
func kindOfLine(line []byte) lineKind {
	line = bytes.Trim(line, " \t\r\f\v\x00")
	if len(line) == 0 {
		return blankLine
	}
	if len(line) > 1 && len(bytes.Trim(line, "-_")) == 0 || len(line) > 2 && len(bytes.Trim(line, "=")) == 0 {
		return foreignLine
	}
	foreign, run, longest := 0, 0, 0
	for _, c := range line {
		switch {
		case base64Values[c] < 64:
			run++
			longest = max(longest, run)
			continue
		case c != '=':
			foreign++
		}
		run = 0
	}
	const longRun = 40
	if foreign == 0 || longest >= longRun && 8*foreign <= len(line) {
		return base64Line
	}
	return foreignLine
}

// looksLikeText reports whether b has no control characters, apart from those
// that texts have, and few bytes that no text in UTF-8 has.
func looksLikeText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b || c == 0x7f {
			return false
		}
	}
	for range utf8.UTFMax - 1 { // a sample may end within a character
		if utf8.Valid(b) || len(b) == 0 {
			return true
		}
		if b[len(b)-1] < utf8.RuneSelf {
			break
		}
		b = b[:len(b)-1]
	}
	for _, c := range b {
		if 0x80 <= c && c < 0xa0 {
			return false
		}
	}
	return true
}
