package inbound

import (
	"bytes"
	"encoding/json"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/internal/syntax"
	"github.com/goanymail/anymail/internal/jsonscan"
	"github.com/goanymail/anymail/internal/mimefield"
	"github.com/goanymail/anymail/wire"
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

// DecodeBase64Source is [wire.Source.Decode] for the source of a message in base64.
func DecodeBase64Source(s wire.Source, p *anymail.Payload) []byte {
	quoted := s.JSON()
	switch {
	case quoted == nil:
		return nil
	case p == nil, p.DecodesInPlace(len(quoted)) && beginsMessage(jsonscan.UnquoteBytes(quoted[:longName])):
		return syntax.DecodeBase64InPlace(jsonscan.UnquoteInPlace(quoted))
	}
	return decodeQuoted(quoted)
}

// DecodeBase64Field is DecodeBase64Source for the value of a form's field.
func DecodeBase64Field(value []byte, p *anymail.Payload) []byte {
	if p.DecodesInPlace(len(value)) && beginsMessage(value[:longName]) {
		return syntax.DecodeBase64InPlace(value)
	}
	return syntax.DecodeBase64(value)
}

// beginsMessage reports whether base64 begins like a message, which can be parsed then.
func beginsMessage(encoded []byte) bool { return mimefield.IsField(syntax.DecodeBase64(encoded)) }

// longName is more than the first name in the header of a message has in base64.
const longName = 300

// decodeQuoted decodes the base64 in a JSON string, without an intermediate text.
func decodeQuoted(s []byte) []byte {
	n := len(s) - 2*bytes.Count(s, []byte(`\n`)) - 2*bytes.Count(s, []byte(`\r`))
	return syntax.DecodeBase64Pieces(n, jsonscan.Pieces(s))
}

// Base64 is the content of a JSON string of base64, decoded as by
// [DecodeBase64]. It needs no intermediate string, which would take more memory
// than the content.
type Base64 []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (content *Base64) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' {
		var text string
		err := json.Unmarshal(b, &text)
		*content = DecodeBase64(text)
		return err
	}
	*content = decodeQuoted(b)
	return nil
}
