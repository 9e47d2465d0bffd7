package mailersend

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes MailerSend: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "MailerSend",
		Signature: "HMAC-SHA256",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "secrets of inbound routes"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys")})
		},
		Patience: patience,
		// https://developers.mailersend.com/api/v1/account/webhooks
		Retries: "MailerSend retries an event for about three days after anything but 2xx; a 4xx other than 429 is final, " +
			"and a webhook that fails for long is paused. " +
			"It does not retry inbound messages.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// https://mailersend.com/help/webhooks
const patience = 3 * time.Second
