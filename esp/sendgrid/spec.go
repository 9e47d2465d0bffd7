package sendgrid

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes SendGrid: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "SendGrid",
		Signature: "ECDSA P-256",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Help: "public keys of signed event webhooks"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Help: "public keys of security policies of Inbound Parse"},
			{Name: "message_id_from", Help: "custom argument to use as the message id"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys"), MessageIDFrom: v.Text("message_id_from"),
			})
		},
		// SendGrid documents no time.
		Patience: 0,
		// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook,
		// https://support.sendgrid.com/hc/en-us/articles/46513815674395-Understanding-Inbound-Parse-Webhook-Retry-Logic
		Retries: "SendGrid retries events for 24 hours after anything but 2xx. " +
			"Inbound Parse retries a message for 72 hours after a 5xx; any 4xx or redirect is final.",
	}
}
