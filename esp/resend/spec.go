package resend

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Resend: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Resend",
		Signature: "Standard Webhooks",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks for tracking, whsec_..."},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks for inbound"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API key to fetch received messages"},
			{Name: "file_hosts", Kind: esp.KindList, Help: "further hosts that the API may refer to for contents of messages"},
		},
		InboundNeeds: "api_keys",
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys"), APIKeys: v.Keys("api_keys"),
				FileHosts: v.List("file_hosts"), Client: v.Client,
			})
		},
		Patience: patience,
		// https://resend.com/docs/webhooks/retries-and-replays
		Retries: "Resend retries after anything but 2xx: seven times within 28 hours. " +
			"After days of failures it turns the webhook off.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// Svix, which delivers for Resend: https://docs.svix.com/retries
const patience = 15 * time.Second
