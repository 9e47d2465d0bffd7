package loops

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Loops: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Loops",
		Signature: "Standard Webhooks",
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of the webhook"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Retries: "Loops does not document when it retries.",
	}
}
