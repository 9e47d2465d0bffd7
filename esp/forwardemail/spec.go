package forwardemail

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Forward Email: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Forward Email",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "webhook signature payload verification keys of the domains"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Patience: patience,
		// https://forwardemail.net/en/faq
		Retries: "Forward Email retries a bounce once after anything but 200. It posts a received message up to three times, waiting 60 seconds each time; " +
			"then it refuses the message for the time being, and the sending server tries again, usually for days.",
	}
}

// patience is how long the ESP waits for an answer to a bounce.
//
// Source:
// https://forwardemail.net/en/faq#do-you-support-bounce-webhooks
const patience = 5 * time.Second
