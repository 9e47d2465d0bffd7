// Package mailerlite is the adapter for MailerLite, whose webhooks report changes of
// subscribers and visits of campaigns.
//
// MailerLite signs the body, each webhook with its own secret
// (https://developers.mailerlite.com/docs/webhooks.html). It posts no received mail.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailerlite.md
package mailerlite

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "mailerlite"

const patience = 3 * time.Second

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the secrets of webhooks, as the API returns them when a webhook is
	// created. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one MailerLite account.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "mailerlite.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "mailerlite".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Patience:         patience,
		Parser:           anymail.ParserFunc(parse),
		ContentTypes:     []string{"application/json"},
		RepeatsSignature: true, // no time is signed
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Signatures: verify.HexHeader("Signature")}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}
