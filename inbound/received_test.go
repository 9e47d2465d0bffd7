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

func TestServerHeaders(t *testing.T) {
	a, b, received := anymail.Header{Name: "X-A", Value: "1"}, anymail.Header{Name: "X-B"}, anymail.Header{Name: "RECEIVED", Value: "from a"}
	for _, tt := range []struct{ headers, want anymail.Headers }{
		{anymail.Headers{a, b, received, a, received, b}, anymail.Headers{a, b}},
		{anymail.Headers{received, a}, anymail.Headers{}},
		{anymail.Headers{a, b}, nil},
		{nil, nil},
	} {
		require.Equal(t, tt.want, inbound.ServerHeaders(tt.headers))
	}
}
