package wire

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// What is known to be JSON needs no second parser to be taken apart: it is
// enough to find where values end. The functions below do that and no more.
// They return -1 where there is no value or no end, and never read past the
// text, whatever it holds.

// space returns where the white space from i on ends.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// endOfString returns the end of the string that begins at i.
func endOfString(text []byte, i int) int {
	for from := i + 1; from < len(text); {
		n := bytes.IndexByte(text[from:], '"')
		if n < 0 {
			return -1
		}
		from += n + 1
		escapes := 0
		for j := from - 2; j > i && text[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return from
		}
	}
	return -1
}

// endOfValue returns the end of the value that begins at i.
func endOfValue(text []byte, i int) int {
	depth := 0
	for i >= 0 && i < len(text) {
		switch text[i] {
		case '"':
			if i = endOfString(text, i); depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return -1
			}
		default:
			if depth == 0 {
				return endOfWord(text, i)
			}
		}
		i++
	}
	return -1
}

// endOfWord returns the end of a number, true, false or null.
func endOfWord(text []byte, i int) int {
	if c := text[i]; c != '-' && c != 't' && c != 'f' && c != 'n' && (c < '0' || c > '9') {
		return -1
	}
	n := bytes.IndexAny(text[i:], ",}] \n\t\r")
	if n < 0 {
		return len(text)
	}
	return i + n
}

// member is where a name, with its quotes, and its value stand in a text.
type member struct{ name, nameEnd, value, valueEnd int }

// next finds the member that follows position i: the opening brace, or the end
// of the member before.
func next(text []byte, i int) (m member, ok bool) {
	if m, ok = nextName(text, i); ok {
		m.valueEnd = endOfValue(text, m.value)
	}
	return m, ok && m.valueEnd >= 0
}

// nextName is next without the end of the value.
func nextName(text []byte, i int) (m member, ok bool) {
	i = space(text, i)
	if i >= len(text) || text[i] != '{' && text[i] != ',' {
		return m, false
	}
	if m.name = space(text, i+1); m.name >= len(text) || text[m.name] != '"' {
		return m, false
	}
	if m.nameEnd = endOfString(text, m.name); m.nameEnd < 0 {
		return m, false
	}
	if i = space(text, m.nameEnd); i >= len(text) || text[i] != ':' {
		return m, false
	}
	m.value = space(text, i+1)
	return m, m.value < len(text)
}

// element finds the element that follows position i of an array: its opening
// bracket, or the end of the element before.
func element(text []byte, i int) (from, to int, ok bool) {
	if from, ok = nextElement(text, i); ok {
		to = endOfValue(text, from)
	}
	return from, to, ok && to >= 0
}

// nextElement is element without the end.
func nextElement(text []byte, i int) (from int, ok bool) {
	i = space(text, i)
	if i >= len(text) || text[i] != '[' && text[i] != ',' {
		return 0, false
	}
	from = space(text, i+1)
	return from, from < len(text) && text[from] != ']'
}

// Members returns the members of a JSON object in their order, repeated names
// included: each name without its quotes, which is valid until the next one,
// and the JSON text of its value, a slice of object. It ends early where object
// is not a JSON object, or ceases to be one; it looks no closer at values than
// is needed to find their ends.
//
// It is for what a typed struct cannot say, at a fraction of the cost of
// decoding into one: names that are data.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if i := space(object, 0); i >= len(object) || object[i] != '{' {
			return
		}
		for m, ok := next(object, 0); ok; m, ok = next(object, m.valueEnd) {
			name := object[m.name+1 : m.nameEnd-1 : m.nameEnd-1]
			if bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name) {
				name = []byte(unquote(object[m.name:m.nameEnd]))
			}
			if !yield(name, object[m.value:m.valueEnd:m.valueEnd]) {
				return
			}
		}
	}
}

// source is the JSON text that is being decoded. The strings that are taken
// from it are parts of one copy of it where nothing has to be unescaped, which
// is nearly always: one allocation for an event instead of one for each field.
type source struct {
	raw  []byte
	text string // the copy; "" where that would be too large to be kept for one of its strings
	utf8 bool   // all of it is
	flat bool   // it is, and nothing in it is escaped
}

const maxShared = 64 << 10

func newSource(raw []byte) source {
	if len(raw) > maxShared {
		return source{raw: raw}
	}
	text := string(raw)
	valid := utf8.ValidString(text)
	return source{raw, text, valid, valid && strings.IndexByte(text, '\\') < 0}
}

// string returns the string that stands between two places.
func (s *source) string(from, to int) string {
	if s.text == "" {
		return unquote(s.raw[from:to])
	}
	inner := s.text[from+1 : to-1]
	if s.flat || strings.IndexByte(inner, '\\') < 0 && (s.utf8 || utf8.ValidString(inner)) {
		return inner
	}
	return unquote(s.raw[from:to])
}

// loose returns the text of the value that stands between two places, as [Text]
// does.
func (s *source) loose(from, to int) string {
	switch {
	case s.raw[from] == '"':
		return s.string(from, to)
	case s.raw[from] == 'n':
		return ""
	case s.text != "" && s.utf8:
		return s.text[from:to]
	}
	return strings.ToValidUTF8(string(s.raw[from:to]), "\ufffd")
}

// any returns the value that stands between two places, as [Any] does.
func (s *source) any(from, to int) any {
	if s.raw[from] == '"' {
		return s.string(from, to)
	}
	return Any(s.raw[from:to])
}
