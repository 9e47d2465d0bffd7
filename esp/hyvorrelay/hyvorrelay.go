// Package hyvorrelay is the adapter for Hyvor Relay, self-hosted or not.
//
// Hyvor Relay signs the body, each webhook with its own secret
// (https://relay.hyvor.com/docs/webhooks).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/hyvorrelay.md
package hyvorrelay

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "hyvorrelay"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the secrets of webhooks. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for the projects of one Hyvor Relay.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "hyvorrelay.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "hyvorrelay".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Parser:           anymail.ParserFunc(parse),
		ContentTypes:     []string{"application/json"},
		RepeatsSignature: true, // no time is signed
	}
	if a.config.SigningKeys != nil {
		// The secret looks like hexadecimal digits, but the key is its text.
		tracking.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Signatures: verify.HexHeader("X-Signature")}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}
