package pigeon

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Pigeon.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Pigeon",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing keys of webhooks"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Patience: 10 * time.Second,
		Retries:  "Pigeon retries after anything but 2xx, for a day.",
	}
}
