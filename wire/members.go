package wire

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

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
	var space [256]byte
	text, _ := jsontext.AppendUnquote(space[:0], quoted) // the error is about invalid UTF-8
	return string(text)
}
