package wire

import (
	"iter"

	"github.com/goanymail/anymail/internal/jsonscan"
)

// Members returns the members of a JSON object in order, repeated names
// included: each name without its quotes, which is valid until the next one, and
// the JSON text of its value, a slice of object. It ends early if object is not a
// JSON object, or ceases to be one; it checks values no further than it takes to
// find their ends.
//
// It is for names that are data, which a typed struct cannot express.
func Members(object []byte) iter.Seq2[[]byte, []byte] { return jsonscan.Members(object) }

// Member returns the JSON text of the first member of a JSON object that has this
// name, a slice of object, or nil if there is none. It reads no further.
func Member(object []byte, name string) []byte {
	for member, value := range Members(object) {
		if string(member) == name {
			return value
		}
	}
	return nil
}

// From returns object from the value of that [Member] on, or nothing. It does not look
// for the end of the value, which [Members] does not need.
func From(object []byte, name string) []byte { return object[jsonscan.Find(object, name):] }

// StringMember returns the value of that [Member] if it is a string, and
// otherwise "".
func StringMember(object []byte, name string) string {
	text, _ := Any(Member(object, name)).(string)
	return text
}

// Any returns the value of a JSON text as an event's metadata has it: a string,
// bool, json.Number, nil, []any or map[string]any. White space around the text
// has no effect. Strings may be parts of a value that is a string.
func Any[T string | []byte](value T) any { return jsonscan.Any(string(value)) }
