package unisendergo

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Unisender Go: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Unisender Go",
		Signature: "MD5 with the API key",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API keys of the user or project whose webhook it is"},
			{Name: "message_id_from", Help: "metadata value to use as the message id"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{APIKeys: v.Keys("api_keys"), MessageIDFrom: v.Text("message_id_from")})
		},
		Patience: patience,
		// https://docs.unione.io/en/web-api-ref#callback-format
		Retries: "Unisender Go retries after anything but 200, every ten minutes for a day. " +
			"It stops a webhook at which ten events failed that long.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://docs.unione.io/en/web-api-ref#callback-format
const patience = 3 * time.Second
