package mailpace

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes MailPace: its settings, and how it retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "MailPace",
		Signature: "Ed25519",
		Settings: []esp.Setting{
			{Name: "tracking_signing_keys", Kind: esp.KindKeys, Help: "public keys of domains, for tracking"},
			{Name: "inbound_signing_keys", Kind: esp.KindKeys, Help: "public keys of domains, for inbound"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{TrackingSigningKeys: v.Keys("tracking_signing_keys"), InboundSigningKeys: v.Keys("inbound_signing_keys")})
		},
		// MailPace documents no time.
		Patience: 0,
		// https://docs.mailpace.com/guide/webhooks, https://docs.mailpace.com/guide/inbound
		Retries: "MailPace retries an event up to ten times after a timeout or a TLS error, but turns the webhook off at once after any answer but 2xx. " +
			"It tries to post a received message five times, in growing intervals.",
	}
}
