// Package stalwart is the adapter for Stalwart, a mail server that its operator runs.
//
// Stalwart posts events of its telemetry in batches and signs the body
// (https://stalw.art/docs/telemetry/webhooks).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/stalwart.md
package stalwart

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "stalwart"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the signature keys of webhooks. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for Stalwart.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty or has white
// space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "stalwart.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "stalwart".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking. Stalwart sets no content type.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Patience:         patience,
		Parser:           anymail.ParserFunc(parse),
		RepeatsSignature: true, // no time is signed
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Signatures: verify.Base64Header("X-Signature")}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}
