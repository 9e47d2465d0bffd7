package relay

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes mail servers: their settings, and how they wait and retry.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Raw mail relay",
		Signature: "HMAC-SHA256 (`anymail relay`)",
		Confirmed: true,
		Settings: []esp.Setting{
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "keys that anymail relay signs with"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{SigningKeys: v.Keys("signing_keys")})
		},
		Patience: patience,
		Retries: "That is the command of Rails; anymail relay waits for a minute. " +
			"Both make the mail server keep the message and retry after anything but 2xx, for as long as it is configured to: " +
			"five days by default (Postfix). Only a message that is too large bounces, and only with anymail relay.",
	}
}

// patience is how long the most impatient sender waits for an answer.
//
// Source:
// https://github.com/rails/rails/blob/main/actionmailbox/lib/action_mailbox/relayer.rb
const patience = 10 * time.Second
