package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// walkers are decoders with the buffers that they read, so that a walk over a
// small object allocates nothing.
var walkers = sync.Pool{New: func() any {
	w := new(walker)
	w.decoder = jsontext.NewDecoder(&w.buffer)
	return w
}}

type walker struct {
	buffer  bytes.Buffer
	decoder *jsontext.Decoder
}

func (w *walker) reset(object []byte) {
	w.buffer = *bytes.NewBuffer(object)
	w.decoder.Reset(&w.buffer, lenient)
}

// Members returns the members of a JSON object in their order, repeated names
// included: each name without its quotes, which is valid until the next one,
// and the JSON text of its value, a slice of object. It ends early where object
// is not a JSON object, or ceases to be one.
//
// It is for what a typed struct cannot say, at a third of the cost of decoding
// into one: the members that are not among those known, or names that are data.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		w := walkers.Get().(*walker)
		defer walkers.Put(w)
		w.reset(object)
		defer w.reset(nil) // lest the pool keep object
		d := w.decoder
		if d.PeekKind() != '{' {
			return
		}
		if _, err := d.ReadToken(); err != nil {
			return
		}
		for d.PeekKind() == '"' {
			quoted, err := d.ReadValue()
			if err != nil {
				return
			}
			from := int(d.InputOffset()) - len(quoted)
			name := object[from+1 : from+len(quoted)-1 : from+len(quoted)-1]
			if bytes.IndexByte(name, '\\') >= 0 || !utf8.Valid(name) {
				name = []byte(unquote(quoted))
			}
			value, err := d.ReadValue()
			if err != nil {
				return
			}
			end := int(d.InputOffset())
			if !yield(name, object[end-len(value):end:end]) {
				return
			}
		}
	}
}

// Any returns the value of a JSON text as it stands in [anymail.Metadata]: a
// string, bool, json.Number, nil, []any or map[string]any.
func Any(value []byte) any {
	if len(value) == 0 {
		return nil
	}
	switch c := value[0]; {
	case c == '"':
		return unquote(value)
	case c == '{' || c == '[':
		d := json.NewDecoder(bytes.NewReader(value))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil
		}
		return v
	case string(value) == "true":
		return true
	case string(value) == "false":
		return false
	case (c == '-' || c >= '0' && c <= '9') && json.Valid(value):
		return json.Number(value)
	}
	return nil
}

// unquote returns the text of a JSON string. Invalid UTF-8 becomes U+FFFD.
func unquote(quoted []byte) string {
	if len(quoted) < 2 {
		return ""
	}
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // the error is about invalid UTF-8
	return string(text)
}
