package wire

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/jsonscan"
)

// Object is a T that an ESP may also send as [], "" or null if there is none, as
// programs in PHP do. Anything but a JSON object is the zero T. Of an object that does
// not decode, it keeps the members that do, as [Salvage] does, and returns the error.
type Object[T any] struct{ Value T }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Object[T]) UnmarshalJSON(b []byte) error { return jsonscan.Decode(b, o) }

// UnmarshalAt decodes a value of an event that is being decoded.
func (o *Object[T]) UnmarshalAt(d *jsonscan.Decoder, from int) (to int, err error) {
	*o = Object[T]{}
	if d.Kind(from) != '{' {
		return d.Skip(from)
	}
	if to, err = d.DecodeAt(from, &o.Value); err != nil {
		*o = Object[T]{}
		if b, _, err := d.Part(from); err == nil {
			Salvage(b, &o.Value)
		}
	}
	return to, err
}

// Metadata is a JSON object that an ESP may also send as a string that holds one, or as
// a list of objects with a name and a value each. It is nil for null, "" and [], and for
// anything else, which is still in the event's Raw.
type Metadata anymail.Metadata

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Metadata) UnmarshalJSON(b []byte) error { return jsonscan.Decode(b, m) }

// UnmarshalAt decodes a value of an event that is being decoded.
func (m *Metadata) UnmarshalAt(d *jsonscan.Decoder, from int) (to int, err error) {
	*m = nil
	switch d.Kind(from) {
	case '"':
		text, to, err := d.String(from)
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			_ = Unmarshal([]byte(text), m) // m stays nil if the text is not valid JSON
		}
		return to, err
	case '[':
		var pairs Headers
		to, err = pairs.UnmarshalAt(d, from)
		for _, pair := range pairs {
			m.set(pair.Name, pair.Value)
		}
		return to, err
	case '{':
		return d.Members(from, func(name string, place int) (to int, err error) {
			value, to, err := d.Any(place)
			m.set(name, value)
			return to, err
		})
	}
	return d.Skip(from)
}

func (m *Metadata) set(name string, value any) {
	if *m == nil {
		*m = Metadata{}
	}
	(*m)[name] = value
}

// Event returns m as an event's metadata.
func (m Metadata) Event() anymail.Metadata { return anymail.Metadata(m) }

// Headers are header fields that an ESP sends as one JSON object, with a string
// or a list of strings under each name, or as a list of objects that have a
// name and a value. They keep their order. Anything else is dropped; it is still
// in the event's Raw.
type Headers anymail.Headers

// UnmarshalJSON implements [json.Unmarshaler].
func (hs *Headers) UnmarshalJSON(b []byte) error { return jsonscan.Decode(b, hs) }

// UnmarshalAt decodes a value of an event that is being decoded.
func (hs *Headers) UnmarshalAt(d *jsonscan.Decoder, from int) (to int, err error) {
	*hs = nil
	switch d.Kind(from) {
	case '{':
		return d.Members(from, func(name string, place int) (to int, err error) {
			value := func(place int) (int, error) {
				text, to, err := d.Text(place)
				hs.add(name, text)
				return to, err
			}
			if d.Kind(place) == '[' {
				return d.Elements(place, value)
			}
			return value(place)
		})
	case '[':
		return d.Elements(from, func(place int) (to int, err error) {
			if d.Kind(place) != '{' {
				return d.Skip(place)
			}
			var field anymail.Header
			to, err = d.Members(place, func(name string, place int) (to int, err error) {
				switch {
				case strings.EqualFold(name, "name"):
					field.Name, to, err = d.Text(place)
				case strings.EqualFold(name, "value"):
					field.Value, to, err = d.Text(place)
				default:
					to, err = d.Skip(place)
				}
				return to, err
			})
			if field.Name != "" {
				hs.add(field.Name, field.Value)
			}
			return to, err
		})
	}
	return d.Skip(from)
}

// add adds a field if there is room for it.
func (hs *Headers) add(name, value string) {
	if len(*hs) < jsonscan.MaxElements {
		*hs = append(*hs, anymail.Header{Name: name, Value: value})
	}
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
