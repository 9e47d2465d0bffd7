package mailchannels

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes MailChannels: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "MailChannels",
		Signature: "Ed25519",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Help: "public keys of webhook signatures"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		// https://docs.mailchannels.com/email-api/webhook-retries
		Retries: "MailChannels does not document automatic retries: it keeps a batch that was not answered with 2xx, and you resend it by API.",
	}
}
