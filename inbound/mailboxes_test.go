package inbound_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

func TestMailboxes(t *testing.T) {
	ada, bob := anymail.Address{Name: "Ada", Address: "ada@example.com"}, anymail.Address{Address: "bob@example.com"}
	for text, want := range map[string][]anymail.Address{
		`null`: nil,
		`[]`:   nil,
		`{}`:   nil,
		`"Ada <ada@example.com>, bob@example.com"`:                     {ada, bob},
		`{"name":"Ada","email":"ada@example.com"}`:                     {ada},
		`[{"email":"ada@example.com","name":"Ada"},{"name":"Carl"}]`:   {ada},
		`["bob@example.com",{"email":"ada@example.com","name":"Ada"}]`: {bob, ada},
	} {
		var w struct {
			To inbound.Mailboxes `json:"to"`
		}
		require.NoError(t, wire.Unmarshal([]byte(`{"to":`+text+`}`), &w), text)
		require.Equal(t, inbound.Mailboxes(want), w.To, text)
	}
}
