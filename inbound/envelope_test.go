package inbound_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func TestSetEnvelopeRecipients(t *testing.T) {
	m := anymail.InboundMessage{EnvelopeRecipient: "old@example.org", EnvelopeRecipients: []string{"old@example.org"}}
	inbound.SetEnvelopeRecipients(&m, "", " b@example.org ", "a@example.org", "b@example.org")
	require.Equal(t, "b@example.org", m.EnvelopeRecipient)
	require.Equal(t, []string{"b@example.org", "a@example.org"}, m.EnvelopeRecipients)

	inbound.SetEnvelopeRecipients(&m)
	require.Empty(t, m.EnvelopeRecipient)
	require.Empty(t, m.EnvelopeRecipients)

	var many []string
	for i := range 6000 {
		many = append(many, strconv.Itoa(i)+"@example.org")
	}
	inbound.SetEnvelopeRecipients(&m, many...)
	require.Len(t, m.EnvelopeRecipients, 5000)
}
