package wire

import (
	"strings"

	"github.com/goanymail/anymail"
)

// Object is a T that an ESP may also send as [], "" or null where there is
// none, as programs in PHP do. Anything but a JSON object is the zero T.
type Object[T any] struct{ Value T }

func (Object[T]) isObject() {}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Object[T]) UnmarshalJSON(b []byte) error {
	*o = Object[T]{}
	if b[0] != '{' {
		return nil
	}
	return Unmarshal(b, &o.Value)
}

// Member returns the JSON text of the first member of a JSON object that has this
// name, a slice of object, or nil where there is none. It reads no further.
func Member(object []byte, name string) []byte {
	for member, value := range Members(object) {
		if string(member) == name {
			return value
		}
	}
	return nil
}

// StringMember returns the value of that [Member] if it is a string, and
// otherwise "".
func StringMember(object []byte, name string) string {
	text, _ := Any(Member(object, name)).(string)
	return text
}

// Headers are header fields that an ESP sends as one JSON object, with a string
// or a list of strings under each name, or as a list of objects that have a
// name and a value. They keep their order; anything else is dropped (it is
// still in the event's Raw).
type Headers anymail.Headers

// UnmarshalJSON implements [json.Unmarshaler].
func (hs *Headers) UnmarshalJSON(b []byte) error {
	s := newSource(b)
	hs.decode(&s, 0)
	return nil
}

func (hs *Headers) decode(s *source, from int) {
	*hs = nil
	switch s.raw[from] {
	case '{':
		for m, ok := next(s.raw, from); ok && len(*hs) < maxElements; m, ok = next(s.raw, m.valueEnd) {
			hs.add(s, s.string(m.name, m.nameEnd), m.value, m.valueEnd)
		}
	case '[':
		for from, to, ok := element(s.raw, from); ok && len(*hs) < maxElements; from, to, ok = element(s.raw, to) {
			var h anymail.Header
			for m, ok := next(s.raw, from); ok && s.raw[from] == '{'; m, ok = next(s.raw, m.valueEnd) {
				switch name := s.string(m.name, m.nameEnd); {
				case strings.EqualFold(name, "name"):
					h.Name = s.loose(m.value, m.valueEnd)
				case strings.EqualFold(name, "value"):
					h.Value = s.loose(m.value, m.valueEnd)
				}
			}
			if h.Name != "" {
				*hs = append(*hs, h)
			}
		}
	}
}

// add adds a field for the value, or one for each element of an array.
func (hs *Headers) add(s *source, name string, from, to int) {
	if s.raw[from] != '[' {
		*hs = append(*hs, anymail.Header{Name: name, Value: s.loose(from, to)})
		return
	}
	for from, to, ok := element(s.raw, from); ok && len(*hs) < maxElements; from, to, ok = element(s.raw, to) {
		*hs = append(*hs, anymail.Header{Name: name, Value: s.loose(from, to)})
	}
}

// Message returns hs as a message's headers.
func (hs Headers) Message() anymail.Headers { return anymail.Headers(hs) }

// Suppression reads from an ESP's own words, such as "hardBounce" or "due to
// unsubscribed user", why it did not send to a suppressed address. It is
// [anymail.RejectBlocked] where they do not tell.
func Suppression(words string) anymail.RejectReason {
	words = strings.ToLower(words)
	for _, s := range []struct {
		word   string
		reason anymail.RejectReason
	}{
		{"spam", anymail.RejectSpam},
		{"complain", anymail.RejectSpam},
		{"unsubscri", anymail.RejectUnsubscribed},
		{"bounce", anymail.RejectBounced},
		{"invalid", anymail.RejectInvalid},
	} {
		if strings.Contains(words, s.word) {
			return s.reason
		}
	}
	return anymail.RejectBlocked
}
