package jsonscan

import (
	"encoding/json"
	"reflect"
	"strings"
)

// MaxShared is the length of the longest text whose strings share a copy of it.
const MaxShared = 4 << 10

// Decode decodes text into v, a pointer.
func Decode(text []byte, v any) error { return new(Decoder).Decode(text, v) }

// Decoder decodes one text after another.
type Decoder struct {
	text   []byte
	shared string   // a copy of text; "" if that is longer than MaxShared
	plain  bool     // text is UTF-8 without backslashes, so no string needs unquoting
	lists  int      // for how many strings room is allocated at a time
	room   []string // memory for the next lists
}

// Together is how many events of a batch are allocated at a time, and how many strings
// of their lists.
const Together = 16

// NewDecoder returns a Decoder for that many texts. Their lists of strings share memory.
func NewDecoder(texts int) *Decoder { return &Decoder{lists: min(Together, texts)} }

// Decode decodes text into v, a pointer.
func (d *Decoder) Decode(text []byte, v any) error {
	d.text, d.shared = text, ""
	if len(text) <= MaxShared {
		d.shared = string(text)
	}
	d.plain = isPlain(text)
	from := space(text, 0)
	if from == len(text) {
		return ErrSyntax
	}
	_, err := d.DecodeAt(from, v)
	return err
}

// DecodeAt decodes the value that begins at a place of the text, and returns its end.
func (d *Decoder) DecodeAt(from int, v any) (to int, err error) {
	into := reflect.ValueOf(v).Elem()
	return decoderOf(into.Type())(d, from, into)
}

// Unmarshaler is implemented by types that decode the value which begins at a place of
// the Decoder's text, and return its end.
type Unmarshaler interface {
	UnmarshalAt(d *Decoder, from int) (to int, err error)
}

// part returns the text from one place to another.
func (d *Decoder) part(from, to int) string {
	if d.shared != "" {
		return d.shared[from:to]
	}
	return string(d.text[from:to])
}

// unquote returns the text of the JSON string from one place to another.
func (d *Decoder) unquote(from, to int) string {
	switch {
	case d.plain:
		return d.part(from+1, to-1)
	case d.shared != "":
		return Unquote(d.shared[from:to])
	}
	return Unquote(d.text[from:to])
}

// Kind returns the first byte of the value that begins at from.
func (d *Decoder) Kind(from int) byte { return d.text[from] }

// Skip returns the end of the value that begins at from.
func (d *Decoder) Skip(from int) (to int, err error) {
	if to = endOfValue(d.text, from); to < 0 {
		return to, ErrSyntax
	}
	return to, nil
}

// Part returns the JSON text of the value that begins at from.
func (d *Decoder) Part(from int) (value []byte, to int, err error) {
	if to, err = d.Skip(from); err != nil {
		return nil, to, err
	}
	return d.text[from:to:to], to, nil
}

// String returns the text of the JSON string that begins at from.
func (d *Decoder) String(from int) (text string, to int, err error) {
	if to = endOfString(d.text, from); to < 0 {
		return "", to, ErrSyntax
	}
	return d.unquote(from, to), to, nil
}

// Text returns the value that begins at from: the text of a string, "" for null, and
// the JSON text of anything else.
func (d *Decoder) Text(from int) (text string, to int, err error) {
	if d.text[from] == '"' {
		return d.String(from)
	}
	if to, err = d.Skip(from); err != nil || d.text[from] == 'n' {
		return "", to, err
	}
	return strings.ToValidUTF8(d.part(from, to), "\ufffd"), to, nil
}

// Texts returns what Text returns for each element of an array, or for a value that
// is not one, unless that is "".
func (d *Decoder) Texts(from int) (list []string, to int, err error) {
	if cap(d.room) == 0 {
		d.room = make([]string, 0, max(1, d.lists))
	}
	list = d.room
	add := func(place int) (to int, err error) {
		var text string
		text, to, err = d.Text(place)
		list = append(list, text)
		return to, err
	}
	if d.text[from] == '[' {
		to, err = d.Elements(from, add)
	} else if to, err = add(from); list[0] == "" {
		list = nil
	}
	switch {
	case len(list) == 0:
		return nil, to, err
	case cap(list) == cap(d.room):
		d.room = list[len(list):]
	default: // it took memory of its own
		d.room = nil
	}
	return list[:len(list):len(list)], to, err
}

// Elements calls decode with the place of each element of the array that begins at
// from, of the first [MaxElements]. It ends with the first error of decode, which
// returns the element's end.
func (d *Decoder) Elements(from int, decode func(place int) (to int, err error)) (to int, err error) {
	at, n := from, 0
	for place, ok := nextElement(d.text, at); ok; place, ok = nextElement(d.text, at) {
		if n++; n > MaxElements {
			return d.Skip(from)
		}
		if at, err = decode(place); err != nil {
			return -1, err
		}
	}
	return closed(d.text, from, at, ']')
}

// Members is Elements for an object. decode gets the name of each member too.
func (d *Decoder) Members(from int, decode func(name string, place int) (to int, err error)) (to int, err error) {
	at, n := from, 0
	for m, ok := nextName(d.text, at); ok; m, ok = nextName(d.text, at) {
		if n++; n > MaxElements {
			return d.Skip(from)
		}
		if at, err = decode(d.unquote(m.name, m.nameEnd), m.value); err != nil {
			return -1, err
		}
	}
	return closed(d.text, from, at, '}')
}

// Any returns the value that begins at from as [Any] does.
func (d *Decoder) Any(from int) (v any, to int, err error) {
	if d.text[from] == '"' {
		text, to, err := d.String(from)
		return text, to, err
	}
	if to, err = d.Skip(from); err != nil {
		return nil, to, err
	}
	return Any(d.part(from, to)), to, nil
}

// Any returns the value of a JSON text as an event's metadata has it: a string, bool,
// json.Number, nil, []any or map[string]any. Its strings may be parts of value.
func Any(value string) any {
	value = strings.Trim(value, " \t\r\n")
	if value == "" {
		return nil
	}
	switch c := value[0]; {
	case c == '"':
		return Unquote(value)
	case c == '{' || c == '[':
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil
		}
		return v
	case value == "true":
		return true
	case value == "false":
		return false
	case (c == '-' || c >= '0' && c <= '9') && json.Valid([]byte(value)):
		return json.Number(value)
	}
	return nil
}
