package inbound

import (
	"bytes"
	"encoding/json"

	"github.com/goanymail/anymail/inbound/internal/syntax"
	"github.com/goanymail/anymail/internal/jsonscan"
)

// DecodeBase64 decodes s in the standard or the URL alphabet. It never fails: it
// skips characters of neither alphabet, continues after padding, and decodes a
// truncated end as far as possible.
func DecodeBase64[T string | []byte](s T) []byte {
	if b, ok := any(s).([]byte); ok {
		return syntax.DecodeBase64(b)
	}
	return syntax.DecodeBase64String(string(s))
}

// Base64 is the content of a JSON string of base64, decoded as by
// [DecodeBase64]. It needs no intermediate string, which would take more memory
// than the content.
type Base64 []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (content *Base64) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) < 2 || b[0] != '"':
		var text string
		err := json.Unmarshal(b, &text)
		*content = DecodeBase64(text)
		return err
	case bytes.IndexByte(b, '\\') >= 0:
		b = jsonscan.UnquoteBytes(b)
	default:
		b = b[1 : len(b)-1]
	}
	*content = syntax.DecodeBase64(b)
	return nil
}
