package inbound

import (
	"bytes"
	"encoding/json"

	"github.com/goanymail/anymail/inbound/internal/syntax"
)

// DecodeBase64 decodes s in the standard or the URL alphabet. It never fails: it
// skips characters of neither alphabet, continues after padding, and decodes a
// truncated end as far as possible.
func DecodeBase64(s string) []byte { return syntax.DecodeBase64String(s) }

// Base64 is the content of a JSON string of base64, decoded as by
// [DecodeBase64]. It needs no intermediate string, which would take more memory
// than the content.
type Base64 []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (content *Base64) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || bytes.IndexByte(b, '\\') >= 0 {
		var text string
		err := json.Unmarshal(b, &text)
		*content = DecodeBase64(text)
		return err
	}
	*content = syntax.DecodeBase64(b[1 : len(b)-1])
	return nil
}
