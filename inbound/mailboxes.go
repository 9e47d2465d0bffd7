package inbound

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// Mailboxes is a list of mailboxes in JSON, or one of them. Each is a text, as in a
// header, or an object with an email and a name. Anything else is dropped.
type Mailboxes []anymail.Address

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Mailboxes) UnmarshalJSON(b []byte) error {
	*m = nil
	switch b[0] {
	case '[':
		var list []Mailboxes
		err := wire.Unmarshal(b, &list)
		for _, one := range list {
			*m = append(*m, one...)
		}
		return err
	case '{':
		if address := wire.StringMember(b, "email"); address != "" {
			*m = Mailboxes{{Name: wire.StringMember(b, "name"), Address: address}}
		}
		return nil
	}
	var text wire.Text
	err := wire.Unmarshal(b, &text)
	*m = Addresses(string(text))
	return err
}
