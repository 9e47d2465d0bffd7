package wire

import (
	"bytes"
	"encoding/json"
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

// StringMember returns the value of that [Member] if it is a string, and
// otherwise "".
func StringMember(object []byte, name string) string {
	text, _ := Any(Member(object, name)).(string)
	return text
}

// Any returns the value of a JSON text as an event's metadata has it: a string,
// bool, json.Number, nil, []any or map[string]any. White space around the text
// has no effect.
func Any(value []byte) any {
	value = bytes.Trim(value, " \t\r\n")
	if len(value) == 0 {
		return nil
	}
	switch c := value[0]; {
	case c == '"':
		return jsonscan.Unquote(value)
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
