package wire

import (
	"net/netip"
	"strings"

	"github.com/goanymail/anymail/internal/jsonscan"
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

// Bytes is a long string, such as a message as it was received, which is then not
// copied to be parsed. Anything but a string is empty.
type Bytes []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (text *Bytes) UnmarshalJSON(b []byte) error {
	*text = nil
	if b[0] == '"' {
		*text = jsonscan.UnquoteBytes(b)
	}
	return nil
}

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
