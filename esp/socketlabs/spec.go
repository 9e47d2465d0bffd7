package socketlabs

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes SocketLabs: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "SocketLabs",
		Signature: "secret key in the body",
		Settings: []esp.Setting{
			{Name: "tracking_secret_keys", Kind: esp.KindKeys, Secret: true, Help: "secret keys of event webhooks"},
			{Name: "inbound_secret_keys", Kind: esp.KindKeys, Secret: true, Help: "secret keys of the Inbound Parse API"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{TrackingSecretKeys: v.Keys("tracking_secret_keys"), InboundSecretKeys: v.Keys("inbound_secret_keys")})
		},
		// SocketLabs documents no time.
		Patience: 0,
		// https://help.socketlabs.com/docs/event-webhooks-authentication-and-access
		Retries: "SocketLabs wants 200. Whether, how often and for how long it retries is not documented.",
	}
}
