package wire

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/jsonscan"
)

// Object is a T that an ESP may also send as [], "" or null if there is none, as
// programs in PHP do. Anything but a JSON object is the zero T. Of an object that does
// not decode, it keeps the members that do, as [Salvage] does, and returns the error.
type Object[T any] struct{ Value T }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Object[T]) UnmarshalJSON(b []byte) error {
	*o = Object[T]{}
	if b[0] != '{' {
		return nil
	}
	err := jsonscan.Decode(b, &o.Value)
	if err != nil {
		*o = Object[T]{}
		Salvage(b, &o.Value)
	}
	return err
}

// Metadata is a JSON object that an ESP may also send as a string that holds
// one, or as null, "" or [] if there is none. It drops anything else, which is
// still in the event's Raw.
type Metadata anymail.Metadata

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Metadata) UnmarshalJSON(b []byte) error {
	*m = nil
	if b[0] == '"' {
		b = []byte(strings.TrimSpace(jsonscan.Unquote(b)))
		if !jsontext.Value(b).IsValid(jsonscan.Lenient) {
			return nil
		}
	}
	for name, value := range jsonscan.Members(b) {
		if *m == nil {
			*m = Metadata{}
		}
		if len(*m) == jsonscan.MaxElements {
			break
		}
		(*m)[string(name)] = Any(value)
	}
	return nil
}

// Event returns m as an event's metadata.
func (m Metadata) Event() anymail.Metadata { return anymail.Metadata(m) }

// Headers are header fields that an ESP sends as one JSON object, with a string
// or a list of strings under each name, or as a list of objects that have a
// name and a value. They keep their order. Anything else is dropped; it is still
// in the event's Raw.
type Headers anymail.Headers

// UnmarshalJSON implements [json.Unmarshaler].
func (hs *Headers) UnmarshalJSON(b []byte) error {
	*hs = nil
	for name, value := range jsonscan.Members(b) {
		if value[0] != '[' {
			hs.add(string(name), value)
		}
		for one := range jsonscan.Elements(value) {
			if !hs.add(string(name), one) {
				break
			}
		}
		if len(*hs) == jsonscan.MaxElements {
			break
		}
	}
	for object := range jsonscan.Elements(b) {
		var name string
		var value []byte
		for member, text := range jsonscan.Members(object) {
			switch {
			case strings.EqualFold(string(member), "name"):
				name = looseText(text)
			case strings.EqualFold(string(member), "value"):
				value = text
			}
		}
		if name != "" && !hs.add(name, value) {
			break
		}
	}
	return nil
}

// add adds a field and reports whether there is room for another.
func (hs *Headers) add(name string, value []byte) bool {
	h := anymail.Header{Name: name}
	if len(value) > 0 {
		h.Value = looseText(value)
	}
	*hs = append(*hs, h)
	return len(*hs) < jsonscan.MaxElements
}

// Message returns hs as a message's headers.
func (hs Headers) Message() anymail.Headers { return anymail.Headers(hs) }

// Custom returns the header fields that begin with X-, which the sender of a message
// sets, as an event's metadata.
func (hs Headers) Custom() anymail.Metadata {
	var metadata anymail.Metadata
	for _, h := range hs {
		if len(h.Name) > 2 && strings.EqualFold(h.Name[:2], "X-") {
			if metadata == nil {
				metadata = anymail.Metadata{}
			}
			metadata[h.Name] = h.Value
		}
	}
	return metadata
}
