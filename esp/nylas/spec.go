package nylas

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Nylas: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Nylas",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of webhooks for tracking"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of webhooks for inbound"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API key to fetch the source of received messages"},
			{Name: "eu", Kind: esp.KindBool, Help: "fetch from the servers in the EU"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys"),
				APIKeys: v.Keys("api_keys"), EU: v.Bool("eu"), Client: v.Client,
			})
		},
		// https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/
		Patience: patience,
		Retries:  "Nylas retries after 408, 429, 502, 503, 504 and 507 only: two more times, the last 10 to 20 minutes after the first. A webhook that fails for 72 hours is switched off.",
	}
}
