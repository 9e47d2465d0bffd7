package inbound_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func TestIsEmpty(t *testing.T) {
	require.True(t, inbound.IsEmpty(&anymail.InboundMessage{}))
	require.True(t, inbound.IsEmpty(&anymail.InboundMessage{EnvelopeRecipient: "ada@example.com", SpamDetected: anymail.No}))
	ada := []anymail.Address{{Address: "ada@example.com"}}
	for _, m := range []anymail.InboundMessage{
		{Headers: anymail.Headers{{Name: "X-A"}}}, {From: ada}, {To: ada}, {CC: ada}, {Subject: "Hi"}, {Text: "Hi"}, {HTML: "Hi"},
		{Attachments: []anymail.Attachment{{}}},
	} {
		require.False(t, inbound.IsEmpty(&m), "%+v", m)
	}
}
