package stalwart

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Stalwart: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Stalwart",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signature keys of webhooks"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Patience: patience,
		// https://stalw.art/docs/ref/object/web-hook
		Retries: "Stalwart retries after anything but 2xx, with newer events in the same request, and discards events that are five minutes old, unless it is set otherwise.",
	}
}

// patience is how long the ESP waits for an answer, unless it is set otherwise.
//
// Source:
// https://stalw.art/docs/ref/object/web-hook
const patience = 30 * time.Second
