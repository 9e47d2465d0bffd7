package mailgun

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Mailgun: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Mailgun",
		Signature: "HMAC-SHA256",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "HTTP webhook signing keys"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "private API key to get stored messages"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys"), APIKeys: v.Keys("api_keys"), Client: v.Client})
		},
		// Mailgun documents no time.
		Patience: 0,
		// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries
		Retries: "Mailgun retries after anything but 200 and 406, for 8 hours at growing intervals. " +
			"It posts delivered events once only.",
	}
}
