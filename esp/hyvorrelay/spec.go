package hyvorrelay

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Hyvor Relay: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Hyvor Relay",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of webhooks"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		// Its worker sets no time.
		Patience: 0,
		// https://relay.hyvor.com/docs/webhooks#retrying
		Retries: "Hyvor Relay retries six times within about 30 hours after anything but 2xx.",
	}
}
