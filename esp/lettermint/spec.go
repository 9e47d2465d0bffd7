package lettermint

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Lettermint: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Lettermint",
		Signature: "HMAC-SHA256",
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks of outbound routes"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing secrets of webhooks of inbound routes"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys")})
		},
		// Lettermint documents no time.
		Patience: 0,
		// https://docs.lettermint.co/platform/webhooks/signing: X-Lettermint-Attempt
		Retries: "Lettermint retries after anything but 2xx, and numbers the attempts; how often and for how long is not documented.",
	}
}
