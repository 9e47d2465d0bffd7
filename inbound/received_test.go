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

func TestEnvelopeSender(t *testing.T) {
	path := func(address string) anymail.Header {
		return anymail.Header{Name: "Return-Path", Value: "<" + address + ">"}
	}
	received := anymail.Header{Name: "received", Value: "from a by b"}
	said := anymail.Headers{path("said@example.com")}
	for name, tt := range map[string]struct {
		source anymail.Headers
		raw    anymail.Raw
		want   string
	}{
		"no source":                 {anymail.Headers{path("other@example.com")}, nil, "said@example.com"},
		"the server's":              {anymail.Headers{path("server@example.com"), received, path("sender@example.com")}, anymail.Raw("x"), "server@example.com"},
		"the sender's":              {anymail.Headers{received, path("sender@example.com")}, anymail.Raw("x"), ""},
		"none":                      {anymail.Headers{received}, anymail.Raw("x"), "said@example.com"},
		"of a bounce":               {anymail.Headers{path(""), received}, anymail.Raw("x"), ""},
		"nothing shows whose it is": {anymail.Headers{path("anyone@example.com")}, anymail.Raw("x"), ""},
	} {
		m := &anymail.InboundMessage{Headers: tt.source, RawMIME: tt.raw}
		require.Equal(t, tt.want, inbound.EnvelopeSender(m, said), name)
	}
}
