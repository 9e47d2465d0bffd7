package jsonscan

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail/internal/mimefield"
)

// The functions below find where values end, which is all that valid JSON needs.
// They return -1 if there is no value or no end.

// space returns the end of the white space that begins at i.
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

// member is the place of a name, with its quotes, and of its value in a text.
type member struct{ name, nameEnd, value int }

// nextName finds the member that follows position i: the opening brace, or the
// end of the member before.
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

// nextElement finds the element that follows position i of an array: the opening
// bracket, or the end of the element before.
func nextElement(text []byte, i int) (from int, ok bool) {
	i = space(text, i)
	if i >= len(text) || text[i] != '[' && text[i] != ',' {
		return 0, false
	}
	from = space(text, i+1)
	return from, from < len(text) && text[from] != ']'
}

// Members returns the members of a JSON object in order, repeated names
// included: each name without its quotes, which is valid until the next one, and
// the JSON text of its value, a slice of object. It ends early if object is not a
// JSON object, or ceases to be one.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		at := space(object, 0)
		if at >= len(object) || object[at] != '{' {
			return
		}
		for m, ok := nextName(object, at); ok; m, ok = nextName(object, at) {
			if at = endOfValue(object, m.value); at < 0 {
				return
			}
			name := object[m.name+1 : m.nameEnd-1 : m.nameEnd-1]
			if bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name) {
				name = []byte(Unquote(object[m.name:m.nameEnd]))
			}
			if !yield(name, object[m.value:at:at]) {
				return
			}
		}
	}
}

// Find returns the place of the value of the first member of object that has this name,
// or the end of object.
func Find(object []byte, name string) int {
	at := space(object, 0)
	if at == len(object) || object[at] != '{' {
		return len(object)
	}
	for m, ok := nextName(object, at); ok; m, ok = nextName(object, at) {
		if quoted := object[m.name:m.nameEnd]; string(quoted[1:len(quoted)-1]) == name || Unquote(quoted) == name {
			return m.value
		}
		if at = endOfValue(object, m.value); at < 0 {
			break
		}
	}
	return len(object)
}

// Elements returns the JSON texts of the elements of an array, slices of array.
// It ends early if array is not a JSON array, or ceases to be one.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		at := space(array, 0)
		if at >= len(array) || array[at] != '[' {
			return
		}
		for from, ok := nextElement(array, at); ok; from, ok = nextElement(array, at) {
			if at = endOfValue(array, from); at < 0 || !yield(array[from:at:at]) {
				return
			}
		}
	}
}

// Unquote returns the text of a JSON string. Invalid UTF-8 becomes U+FFFD. The text of
// a string is a part of it if possible.
func Unquote[T string | []byte](quoted T) string {
	if len(quoted) < 2 {
		return ""
	}
	if inner := quoted[1 : len(quoted)-1]; isPlain(inner) {
		return string(inner)
	}
	var space [256]byte
	text, _ := jsontext.AppendUnquote(space[:0], quoted) // the error is about invalid UTF-8
	return string(text)
}

// isPlain reports whether text is UTF-8 without backslashes, which stands for itself in
// a JSON string.
func isPlain[T string | []byte](text T) bool {
	switch text := any(text).(type) {
	case string:
		return strings.IndexByte(text, '\\') < 0 && utf8.ValidString(text)
	case []byte:
		return bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text)
	}
	return false
}

// UnquoteBytes is [Unquote] for a text that may be long. It copies the text once.
func UnquoteBytes(quoted []byte) []byte { return unquoteTo(quoted, false) }

// UnquoteInPlace is UnquoteBytes in the memory of the JSON string, if the text takes no
// more.
func UnquoteInPlace(quoted []byte) []byte { return unquoteTo(quoted, true) }

func unquoteTo(quoted []byte, inPlace bool) []byte {
	if len(quoted) < 2 {
		return nil
	}
	if !utf8.Valid(quoted) { // U+FFFD is longer than what it replaces
		text, _ := jsontext.AppendUnquote(make([]byte, 0, len(quoted)), quoted)
		return slices.Clip(text)
	}
	text := quoted[1:1]
	if !inPlace {
		text = make([]byte, 0, len(quoted)-2)
	}
	for piece := range Pieces(quoted) {
		text = append(text, piece...)
	}
	return slices.Clip(text)
}

// Pieces returns the text of a JSON string in pieces, so that a long one need not be
// copied to be read. A piece is valid until the next one. Together they are never longer
// than what they were made from, so that they can be moved to its start, one by one. They
// hold the invalid UTF-8 that the string has.
func Pieces(quoted []byte) iter.Seq[[]byte] {
	return func(yield func(piece []byte) bool) {
		var space [utf8.UTFMax]byte
		for inner := quoted[1 : len(quoted)-1]; len(inner) > 0; {
			i := bytes.IndexByte(inner, '\\')
			if i < 0 || i+1 == len(inner) {
				yield(inner)
				return
			}
			if i > 0 && !yield(inner[:i]) {
				return
			}
			var r rune
			if r, inner = cutEscape(inner[i+1:]); !yield(utf8.AppendRune(space[:0], r)) {
				return
			}
		}
	}
}

// cutEscape cuts what follows a backslash. Half of a surrogate pair becomes U+FFFD when
// it is encoded.
func cutEscape(s []byte) (r rune, rest []byte) {
	switch rest = s[1:]; s[0] {
	case 'b':
		return '\b', rest
	case 'f':
		return '\f', rest
	case 'n':
		return '\n', rest
	case 'r':
		return '\r', rest
	case 't':
		return '\t', rest
	case 'u':
		r, rest = cutUnit(rest)
		if utf16.IsSurrogate(r) && bytes.HasPrefix(rest, []byte(`\u`)) {
			low, after := cutUnit(rest[2:])
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, after
			}
		}
		return r, rest
	}
	return rune(s[0]), rest
}

// cutUnit cuts the four digits of a UTF-16 code unit.
func cutUnit(s []byte) (unit rune, rest []byte) {
	if len(s) < 4 {
		return utf8.RuneError, nil
	}
	high, ok := mimefield.HexByte(s)
	low, alsoOK := mimefield.HexByte(s[2:])
	if !ok || !alsoOK {
		return utf8.RuneError, s[4:]
	}
	return rune(high)<<8 | rune(low), s[4:]
}
