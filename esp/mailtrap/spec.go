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
		Settings: []esp.Setting{
			{Name: "tracking_secrets", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of sending webhooks"},
			{Name: "inbound_secrets", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of inbound webhooks"},
			{Name: "api_tokens", Kind: esp.KindKeys, Secret: true, Help: "API token to fetch received messages"},
			{Name: "file_hosts", Kind: esp.KindList, Help: "further hosts that the API may refer to for contents of messages"},
		},
		InboundNeeds: "api_tokens",
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSecrets: v.Keys("tracking_secrets"), InboundSecrets: v.Keys("inbound_secrets"), APITokens: v.Keys("api_tokens"),
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
