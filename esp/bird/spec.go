package bird

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Bird: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Bird",
		Signature: "Standard Webhooks",
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of endpoints for tracking, whsec_..."},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of endpoints for inbound"},
			{Name: "api_keys", Kind: esp.KindKeys, Secret: true, Help: "API key to fetch received messages"},
			{Name: "api_host", Help: "host of the workspace's region"},
		},
		InboundNeeds: "api_keys",
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{
				TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys"), APIKeys: v.Keys("api_keys"),
				APIHost: v.Text("api_host"), Client: v.Client,
			})
		},
		// Bird documents no time.
		Patience: 0,
		// https://bird.com/docs/webhooks
		Retries: "Bird retries after anything but 2xx, but does not document how often. After sustained failures it pauses the endpoint until you resume it.",
	}
}
