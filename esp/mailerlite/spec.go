package mailerlite

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes MailerLite: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "MailerLite",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of webhooks"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		// https://developers.mailerlite.com/docs/webhooks.html#delivery-attempts-and-retries
		Patience: patience,
		Retries:  "MailerLite retries after anything but 2xx: three more times, after 10, 100 and 1000 seconds.",
	}
}
