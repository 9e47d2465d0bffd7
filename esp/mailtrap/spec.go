package mailtrap

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Mailtrap: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Mailtrap",
		Signature: "HMAC-SHA256",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of sending webhooks"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of inbound webhooks"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API token to fetch received messages"},
			{Name: "file_hosts", Kind: esp.KindList, Help: "further hosts that the API may refer to for contents of messages"},
		},
		InboundNeeds: "api_keys",
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys"), APIKeys: v.Keys("api_keys"),
				FileHosts: v.List("file_hosts"), Client: v.Client,
			})
		},
		// Mailtrap documents no time.
		Patience: 0,
		// https://docs.mailtrap.io/email-api-smtp/advanced/webhooks,
		// https://docs.mailtrap.io/inbound-email/webhooks
		Retries: "Mailtrap retries an event after anything but 200, every five minutes; after forty attempts it pauses the webhook. " +
			"It tries to notify of a received message ten times within 24 hours.",
	}
}
