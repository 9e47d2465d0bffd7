package usesend

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes useSend: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "useSend",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of webhooks"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Patience: patience,
		// https://docs.usesend.com/guides/webhooks
		Retries: "useSend retries five times within about three minutes after anything but 2xx. " +
			"After 30 failed attempts in a row it turns the webhook off.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://docs.usesend.com/guides/webhooks
const patience = 10 * time.Second
