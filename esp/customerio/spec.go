package customerio

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Customer.io: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Customer.io",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing keys of reporting webhooks"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Patience: patience,
		// https://docs.customer.io/api/webhooks/
		Retries: "Customer.io retries for seven days after anything but 2xx, in growing intervals; later events wait until then. " +
			"After many errors, among them 400, 401, 403, 429 and 500, the first retry comes after an hour.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://docs.customer.io/api/webhooks/
const patience = 4 * time.Second
