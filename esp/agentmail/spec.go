package agentmail

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes AgentMail: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "AgentMail",
		Signature: "Standard Webhooks",
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks for tracking, whsec_..."},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks for inbound"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API key to fetch the source of received messages"},
			{Name: "eu", Kind: esp.KindBool, Help: "fetch from the servers in the EU"},
			{Name: "file_hosts", Kind: esp.KindList, Help: "further hosts that the API may refer to for the source of messages"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys"), APIKeys: v.Keys("api_keys"),
				EU: v.Bool("eu"), FileHosts: v.List("file_hosts"), Client: v.Client,
			})
		},
		Patience: patience,
		Retries:  "AgentMail does not document its retries; those of Svix, which delivers for it, are seven within 28 hours, after anything but 2xx.",
	}
}

// patience is how long the ESP waits for an answer.
//
// Source:
// Svix, which delivers for AgentMail: https://docs.svix.com/retries
const patience = 15 * time.Second
