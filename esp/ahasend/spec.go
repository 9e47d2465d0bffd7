package ahasend

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes AhaSend: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "AhaSend",
		Signature: "Standard Webhooks",
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of webhooks"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of inbound routes"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys")})
		},
		Patience: patience,
		// https://ahasend.com/docs/integrations/webhooks, https://ahasend.com/docs/integrations/routing
		Retries: "AhaSend retries after anything but 2xx: an event six times within about 16 minutes, a received message ten times within seven hours. " +
			"After 100 failures in a row it turns the webhook or route off.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://ahasend.com/docs/integrations/webhooks
const patience = 10 * time.Second
