package esp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

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
		"no source":                {anymail.Headers{path("other@example.com")}, nil, "said@example.com"},
		"the server's":             {anymail.Headers{path("server@example.com"), received, path("sender@example.com")}, anymail.Raw("x"), "server@example.com"},
		"the sender's":             {anymail.Headers{received, path("sender@example.com")}, anymail.Raw("x"), ""},
		"none":                     {anymail.Headers{received}, anymail.Raw("x"), "said@example.com"},
		"of a bounce":              {anymail.Headers{path(""), received}, anymail.Raw("x"), ""},
		"of no message that moved": {anymail.Headers{path("server@example.com")}, anymail.Raw("x"), "server@example.com"},
	} {
		m := &anymail.InboundMessage{Headers: tt.source, RawMIME: tt.raw}
		require.Equal(t, tt.want, esp.EnvelopeSender(m, said), name)
	}
}
