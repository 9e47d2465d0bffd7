package wire

import (
	"net/netip"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/jsonscan"
	"github.com/goanymail/anymail/internal/mimefield"
)

// Text is a string that an ESP may also send as a number, a bool or null. It
// keeps any other value as its JSON text.
type Text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(b []byte) error { return jsonscan.Decode(b, t) }

// UnmarshalAt decodes a value of an event that is being decoded.
func (t *Text) UnmarshalAt(d *jsonscan.Decoder, from int) (to int, err error) {
	text, to, err := d.Text(from)
	*t = Text(text)
	return to, err
}

// Source is the JSON string that holds the source of a message: a part of the payload,
// not decoded yet. It is empty for an empty string and for anything but a string.
type Source struct{ quoted []byte }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Source) UnmarshalJSON(b []byte) error {
	s.quoted = nil
	if b[0] == '"' && len(b) > len(`""`) {
		s.quoted = b
	}
	return nil
}

// Empty reports whether there is no source.
func (s Source) Empty() bool { return s.quoted == nil }

// JSON returns the JSON string, or nil.
func (s Source) JSON() []byte { return s.quoted }

// Decode returns the text of the JSON string. It decodes a part of the payload's Body in
// place if [anymail.Payload.DecodesInPlace] allows that, so that it can be called once.
// A source that does not belong to a payload, which is nil then, is always decoded so.
func (s Source) Decode(p *anymail.Payload) []byte {
	// A text that does not begin with a header field may not be a message.
	if p == nil || p.DecodesInPlace(len(s.quoted)) && mimefield.IsField(jsonscan.UnquoteBytes(s.quoted[:longName])) {
		return jsonscan.UnquoteInPlace(s.quoted)
	}
	return jsonscan.UnquoteBytes(s.quoted)
}

// longName is more than the name of a header field has.
const longName = 200

// String returns the text.
func (t Text) String() string { return string(t) }

// Strings is a list of strings that an ESP may also send as one string or null.
// It keeps elements that are not strings as their JSON text.
type Strings []string

// UnmarshalJSON implements [json.Unmarshaler].
func (list *Strings) UnmarshalJSON(b []byte) error { return jsonscan.Decode(b, list) }

// UnmarshalAt decodes a value of an event that is being decoded.
func (list *Strings) UnmarshalAt(d *jsonscan.Decoder, from int) (to int, err error) {
	*list, to, err = d.Texts(from)
	return to, err
}

// Addr reads an IP address. It returns the zero Addr for anything else.
func Addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// TrimID removes the angle brackets of a message id.
func TrimID(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}
