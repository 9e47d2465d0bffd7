package mandrill

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Mandrill: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Mandrill",
		Signature: "HMAC-SHA1",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "keys of webhooks and inbound routes"},
			{Name: "urls", Kind: esp.KindList, Help: "URLs exactly as entered at Mandrill, if the server sees others"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys"), URLs: v.List("urls")})
		},
		// Mandrill documents no time.
		Patience: 0,
		// https://mandrill.zendesk.com/hc/en-us/articles/205583277
		Retries: "Mandrill retries a failed batch as a whole, until the user stops it at Mandrill.",
	}
}
