package postal

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Postal: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Postal",
		Signature: "RSA",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Help: "the installation's public key, as default-dkim-record prints it or in PEM"},
			{Name: "require_sha256", Kind: esp.KindBool, Help: "refuse SHA-1 signatures"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys"), RequireSHA256: v.Bool("require_sha256")})
		},
		Patience: patience,
		// https://github.com/postalserver/postal/blob/main/app/senders/http_sender.rb
		Retries: "Postal tries a webhook six times within 36 minutes. " +
			"It retries a message at an HTTP endpoint for a day after a 5xx; any 4xx is final.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// Of webhooks, and the default of HTTP endpoints.
// https://github.com/postalserver/postal
const patience = 5 * time.Second
