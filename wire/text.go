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
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = Text(looseText(b))
	return nil
}

// looseText returns a JSON value as [Text] keeps it.
func looseText(value []byte) string {
	switch value[0] {
	case '"':
		return jsonscan.Unquote(value)
	case 'n':
		return ""
	}
	return strings.ToValidUTF8(string(value), "\ufffd")
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
func (list *Strings) UnmarshalJSON(b []byte) error {
	*list = nil
	if b[0] != '[' {
		if one := looseText(b); one != "" {
			*list = Strings{one}
		}
		return nil
	}
	for value := range jsonscan.Elements(b) {
		if len(*list) == jsonscan.MaxElements {
			break
		}
		*list = append(*list, looseText(value))
	}
	return nil
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
