package rawmime

import (
	"bytes"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
	"github.com/goanymail/anymail/internal/mimefield"
)

const (
	// depthCap applies whatever the limits say. Every level costs stack, and a
	// comparison for each line that might be a delimiter.
	depthCap = 100
	// maxGuesses is how often a boundary other than the declared one is guessed.
	// Each guess takes another pass over the multipart.
	maxGuesses = 10
)

// part is an entity that is not a multipart.
type part struct {
	fields    contentFields
	mediaType string // lower case; the default if it is missing, empty if it is invalid
	params    map[string]string
	parent    string // the media type of the multipart around it; empty for the whole message
	first     bool   // of the parts of its parent
	body      []byte // not yet decoded
}

// contentFields holds the fields that describe a part, unfolded. If one is
// repeated, the first counts.
type contentFields struct {
	contentType, disposition, transferEncoding, contentID string
}

func (f *contentFields) add(name, value []byte) {
	const prefix = "Content-"
	if len(name) <= len(prefix) || len(name) > len("Content-Transfer-Encoding") || !bytes.EqualFold(name[:len(prefix)], []byte(prefix)) {
		return
	}
	var field *string
	switch strings.ToLower(string(name[len(prefix):])) {
	case "type":
		field = &f.contentType
	case "disposition":
		field = &f.disposition
	case "transfer-encoding":
		field = &f.transferEncoding
	case "id":
		field = &f.contentID
	default:
		return
	}
	if *field == "" {
		*field = syntax.Unfold(value[:min(len(value), mimefield.MaxBytes)])
	}
}

// parser cuts a message into its parts in one pass. It examines only lines that
// start with two hyphens, and compares them with the boundaries of all open
// multiparts, so that one that is never closed ends with the one around it.
type parser struct {
	raw        []byte
	pos        int      // always at the start of a line
	boundaries []string // of the open multiparts, outermost first

	maxDepth int // how many multiparts may be open
	parts    int // how many more parts are read
	guesses  int // how many more boundaries are guessed

	add func(part)
}

// newParser expects limits with their defaults applied.
func newParser(raw []byte, limits anymail.Limits, add func(part)) *parser {
	return &parser{
		raw:      raw,
		maxDepth: min(limits.MIMEDepth, depthCap),
		parts:    limits.MIMEParts,
		guesses:  maxGuesses,
		add:      add,
	}
}

// delimiter is what ends a body: a delimiter line, or the end of the message.
type delimiter struct {
	level   int  // of its multipart; endOfMessage at the end
	closing bool // it closes the multipart
	end     int  // where the body before it ends
}

const endOfMessage = -1

// next advances past the next delimiter.
func (p *parser) next() delimiter {
	start := p.pos
	for pos := start; len(p.boundaries) > 0; {
		if !bytes.HasPrefix(p.raw[pos:], []byte("--")) {
			i := bytes.Index(p.raw[pos:], []byte("\n--"))
			if i < 0 {
				break
			}
			pos += i + 1
		}
		line, next := mimefield.LineAt(p.raw, pos)
		if level, closing := p.match(line); level != endOfMessage {
			p.pos = next
			// The line end before a delimiter belongs to it.
			body := bytes.TrimSuffix(p.raw[start:pos], []byte{'\n'})
			body = bytes.TrimSuffix(body, []byte{'\r'})
			return delimiter{level, closing, start + len(body)}
		}
		pos = next
	}
	p.pos = len(p.raw)
	return delimiter{level: endOfMessage, end: len(p.raw)}
}

// match returns the level of the multipart that a line delimits. The innermost
// one wins, since some programs reuse the boundary of the multipart around it.
func (p *parser) match(line []byte) (level int, closing bool) {
	line, ok := bytes.CutPrefix(line, []byte("--"))
	if !ok {
		return endOfMessage, false
	}
	line = bytes.TrimRight(line, " \t\r")
	// Some programs add characters to the line that closes a multipart.
	shortened, closes := bytes.CutSuffix(bytes.TrimRight(line, "<>!.,;:'\"*"), []byte("--"))
	for level := len(p.boundaries) - 1; level >= 0; level-- {
		switch boundary := p.boundaries[level]; {
		case string(line) == boundary:
			return level, false
		case closes && string(shortened) == boundary:
			return level, true
		}
	}
	return endOfMessage, false
}

func (p *parser) isDelimiter(line []byte) bool {
	level, _ := p.match(line)
	return level != endOfMessage
}

// message reads the whole message, and calls addField with every header field.
func (p *parser) message(addField func(name, value []byte)) {
	var fields contentFields
	p.pos += mimefield.ScanHeader(p.raw, nil, func(name, value []byte) {
		fields.add(name, value)
		addField(name, value)
	})
	p.body(fields, "", true)
}

// part reads one part of a multipart, and returns the delimiter that ended it.
func (p *parser) part(parent string, first bool) delimiter {
	if p.parts == 0 {
		return delimiter{level: endOfMessage}
	}
	p.parts--
	var fields contentFields
	p.pos += mimefield.ScanHeader(p.raw[p.pos:], p.isDelimiter, fields.add)
	return p.body(fields, parent, first)
}

// body reads what follows a header.
func (p *parser) body(fields contentFields, parent string, first bool) delimiter {
	leaf := part{fields: fields, parent: parent, first: first}
	leaf.mediaType, leaf.params = syntax.MediaType(fields.contentType)
	switch {
	case fields.contentType != "":
	case parent == "multipart/digest":
		leaf.mediaType = "message/rfc822"
	default:
		leaf.mediaType = "text/plain"
	}
	if strings.HasPrefix(leaf.mediaType, "multipart/") && len(p.boundaries) < p.maxDepth {
		if end, ok := p.multipart(leaf.mediaType, strings.TrimRight(leaf.params["boundary"], " \t")); ok {
			return end
		}
		leaf.mediaType = "text/plain" // it has no parts
	}
	start := p.pos
	end := p.next()
	leaf.body = p.raw[start:end.end]
	p.add(leaf)
	return end
}

// multipart reads the parts between delimiters, and skips the epilogue. It reads
// nothing and returns false if there is no delimiter.
func (p *parser) multipart(mediaType, boundary string) (end delimiter, ok bool) {
	if end, ok = p.open(boundary); !ok && p.guesses > 0 {
		p.guesses--
		end, ok = p.open(p.guessBoundary())
	}
	if !ok {
		return end, false
	}
	level := len(p.boundaries) - 1
	for first := true; end.level == level && !end.closing; first = false {
		end = p.part(mediaType, first)
	}
	p.boundaries = p.boundaries[:level]
	if end.level == level {
		end = p.next()
	}
	return end, true
}

// open opens a multipart and advances to its first part. It does neither if no
// line delimits it.
func (p *parser) open(boundary string) (delimiter, bool) {
	start, level := p.pos, len(p.boundaries)
	if boundary == "" {
		return delimiter{}, false
	}
	p.boundaries = append(p.boundaries, boundary)
	if first := p.next(); first.level == level {
		return first, true
	}
	p.boundaries, p.pos = p.boundaries[:level], start
	return delimiter{}, false
}

// guessBoundary returns the boundary of the first line that looks like a
// delimiter and precedes something like a header. It looks 64 KiB ahead.
func (p *parser) guessBoundary() string {
	b := p.raw[p.pos:min(len(p.raw), p.pos+64<<10)]
	for pos := 0; pos < len(b); {
		line, next := mimefield.LineAt(b, pos)
		if p.isDelimiter(line) {
			break // of a multipart around this one
		}
		boundary, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t"), []byte("--"))
		if ok && 0 < len(boundary) && len(boundary) <= 100 && next < len(b) && !bytes.ContainsAny(boundary, " \t") {
			following, _ := mimefield.LineAt(b, next)
			ruler := len(bytes.Trim(boundary, "-=_*")) == 0
			if mimefield.IsField(following) || len(following) == 0 && !ruler {
				return string(boundary)
			}
		}
		pos = next
	}
	return ""
}
