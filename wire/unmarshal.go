package wire

import (
	"bytes"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail/internal/jsonscan"
)

// Unmarshal decodes one JSON value into v. Numbers that go into an any become
// float64; use [Metadata] to keep them as they are. Errors hold nothing of raw,
// so that they may be logged.
func Unmarshal(raw []byte, v any) error {
	to := reflect.ValueOf(v)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return jsonscan.Unquoted(json.Unmarshal(raw, v, jsonscan.Lenient))
	}
	if !jsontext.Value(raw).IsValid(jsonscan.Lenient) {
		return jsonscan.ErrSyntax
	}
	return jsonscan.Decode(raw, v)
}

// UnmarshalElement is [Unmarshal] for an element that [Split] returned or a part of it,
// which has been checked. V is a pointer to a struct or a slice.
func UnmarshalElement(element []byte, v any) error { return jsonscan.Decode(element, v) }

// Salvage decodes the members of a JSON object into v, a pointer to a struct, one
// by one, and leaves out those that do not decode. It is for an object that
// [Unmarshal] refuses. It reports whether object is a JSON object at all.
func Salvage(object []byte, v any) bool {
	object = bytes.TrimSpace(object)
	if len(object) == 0 || object[0] != '{' || !jsontext.Value(object).IsValid(jsonscan.Lenient) {
		return false
	}
	for name, value := range jsonscan.Members(object) {
		one, err := jsontext.AppendQuote([]byte{'{'}, name)
		if err != nil {
			continue
		}
		one = append(append(append(one, ':'), value...), '}')
		_ = Unmarshal(one, v) // what is left out is still in the event's Raw
	}
	return true
}

// Others is implemented by structs that take the members for which they have no
// field.
type Others interface {
	// Other is called for each such member, in order. The value is the JSON text that
	// [Any] reads.
	Other(name, value string)
}
