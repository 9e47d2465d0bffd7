package inbound

import (
	"bytes"
	"strings"

	"github.com/goanymail/anymail"
)

const (
	maxHeaders = 2000 // fields
	maxParts   = 1000
	maxDepth   = 24
	// depthCap holds whatever the limits say; every level costs stack and a
	// comparison for each line that might be a delimiter.
	depthCap = 100
	// maxGuesses is how often a boundary is looked for that is not the declared
	// one. Each takes one more pass over the part.
	maxGuesses = 10
)

// part is a part without parts of its own, or a whole mail that has none.
type part struct {
	header partHeader
	media  string // lower case, the default where there is none; empty where it is unreadable
	params map[string]string
	parent string // the media type of the multipart around it; empty for the whole mail
	body   []byte // as transferred
}

// splitter cuts a mail into its parts, in one pass: it looks only at lines that
// start with two hyphens, and compares them with the boundaries of all
// multiparts that it is in, so that one that is never closed ends with the one
// around it.
type splitter struct {
	raw  []byte
	pos  int      // always at the start of a line
	open []string // the boundaries of the multiparts around pos, from outside in

	depth   int // how many multiparts may be open
	parts   int // how many more parts are read
	guesses int // how many more boundaries are guessed

	leaf func(part)
}

func newSplitter(raw []byte, limits anymail.Limits, leaf func(part)) *splitter {
	return &splitter{
		raw:     raw,
		depth:   min(orDefault(limits.MIMEDepth, maxDepth), depthCap),
		parts:   orDefault(limits.MIMEParts, maxParts),
		guesses: maxGuesses,
		leaf:    leaf,
	}
}

func orDefault(n, byDefault int) int {
	if n > 0 {
		return n
	}
	return byDefault
}

// delimiter is what ends a part: a line, or the end of the mail.
type delimiter struct {
	level int  // of the multipart that it belongs to; endOfMail if of none
	last  bool // it closes the multipart
	end   int  // where what stands before it ends
}

const endOfMail = -1

// next goes on to after the next delimiter.
func (s *splitter) next() delimiter {
	start := s.pos
	for pos := start; len(s.open) > 0; {
		if !bytes.HasPrefix(s.raw[pos:], []byte("--")) {
			i := bytes.Index(s.raw[pos:], []byte("\n--"))
			if i < 0 {
				break
			}
			pos += i + 1
		}
		line, next := lineAt(s.raw, pos)
		if level, last := s.match(line); level != endOfMail {
			s.pos = next
			// The line end before a delimiter belongs to it.
			before := bytes.TrimSuffix(s.raw[start:pos], []byte{'\n'})
			before = bytes.TrimSuffix(before, []byte{'\r'})
			return delimiter{level, last, start + len(before)}
		}
		pos = next
	}
	s.pos = len(s.raw)
	return delimiter{level: endOfMail, end: len(s.raw)}
}

// match tells which multipart a line delimits. The innermost one wins, since
// some programs give a multipart the boundary of the one around it.
func (s *splitter) match(line []byte) (level int, last bool) {
	line, ok := bytes.CutPrefix(line, []byte("--"))
	if !ok {
		return endOfMail, false
	}
	line = bytes.TrimRight(line, " \t\r")
	closing, closes := bytes.CutSuffix(line, []byte("--"))
	for level := len(s.open) - 1; level >= 0; level-- {
		switch boundary := s.open[level]; {
		case string(line) == boundary:
			return level, false
		case closes && string(closing) == boundary:
			return level, true
		}
	}
	return endOfMail, false
}

func (s *splitter) isDelimiter(line []byte) bool {
	level, _ := s.match(line)
	return level != endOfMail
}

// message reads the whole mail, and gives every header field to add.
func (s *splitter) message(add func(name, value []byte)) {
	var h partHeader
	s.pos += scanHeader(s.raw, noDelimiter, func(name, value []byte) {
		h.add(name, value)
		add(name, value)
	})
	s.entity(h, "")
}

// part reads one part of a multipart, and returns what ended it.
func (s *splitter) part(parent string) delimiter {
	if s.parts == 0 {
		return delimiter{level: endOfMail}
	}
	s.parts--
	var h partHeader
	s.pos += scanHeader(s.raw[s.pos:], s.isDelimiter, h.add)
	return s.entity(h, parent)
}

// entity reads what follows a header.
func (s *splitter) entity(h partHeader, parent string) delimiter {
	p := part{header: h, parent: parent}
	p.media, p.params = mediaType(h.contentType)
	switch {
	case h.contentType != "":
	case parent == "multipart/digest":
		p.media = "message/rfc822"
	default:
		p.media = "text/plain"
	}
	if strings.HasPrefix(p.media, "multipart/") && len(s.open) < s.depth {
		if end, ok := s.multipart(p.media, strings.TrimRight(p.params["boundary"], " \t")); ok {
			return end
		}
		p.media = "text/plain" // it has no parts
	}
	start := s.pos
	end := s.next()
	p.body = s.raw[start:end.end]
	s.leaf(p)
	return end
}

// multipart reads the parts between delimiters, and what follows them, which is
// nobody's. It reads nothing and returns false where there is no delimiter.
func (s *splitter) multipart(media, boundary string) (end delimiter, ok bool) {
	if end, ok = s.enter(boundary); !ok && s.guesses > 0 {
		s.guesses--
		end, ok = s.enter(s.guessBoundary())
	}
	if !ok {
		return end, false
	}
	level := len(s.open) - 1
	for end.level == level && !end.last {
		end = s.part(media)
	}
	s.open = s.open[:level]
	if end.level == level {
		end = s.next()
	}
	return end, true
}

// enter opens a multipart and goes on to its first part. It does neither where
// no line delimits it.
func (s *splitter) enter(boundary string) (delimiter, bool) {
	start, level := s.pos, len(s.open)
	if boundary == "" {
		return delimiter{}, false
	}
	s.open = append(s.open, boundary)
	if first := s.next(); first.level == level {
		return first, true
	}
	s.open, s.pos = s.open[:level], start
	return delimiter{}, false
}

// guessBoundary returns the boundary that the first line seems to have that
// looks like a delimiter and stands before something like a header. It looks
// ahead 64 KiB.
func (s *splitter) guessBoundary() string {
	b := s.raw[s.pos:min(len(s.raw), s.pos+64<<10)]
	for pos := 0; pos < len(b); {
		line, next := lineAt(b, pos)
		if s.isDelimiter(line) {
			break // of a multipart around this one
		}
		boundary, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t"), []byte("--"))
		if ok && 0 < len(boundary) && len(boundary) <= 100 && next < len(b) && !bytes.ContainsAny(boundary, " \t") {
			following, _ := lineAt(b, next)
			ruler := len(bytes.Trim(boundary, "-=_*")) == 0
			if isField(following) || len(following) == 0 && !ruler {
				return string(boundary)
			}
		}
		pos = next
	}
	return ""
}
