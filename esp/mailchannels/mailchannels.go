// Package mailchannels is the adapter for the MailChannels Email API.
//
// MailChannels signs its webhooks as RFC 9421 has it
// (https://docs.mailchannels.net/email-api/advanced/delivery-events).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailchannels.md
package mailchannels

import (
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "mailchannels"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the keys that MailChannels' API returns for the keyid of
	// signatures: base64 DER or PEM. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one MailChannels account.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a key is not an Ed25519
// public key.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "mailchannels.Config.SigningKeys", checkKey); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

func checkKey(text string) error {
	key, err := verify.ParsePublicKey(text)
	if _, ok := key.(ed25519.PublicKey); err != nil || !ok {
		return errors.New("must be an Ed25519 public key")
	}
	return nil
}

// ESP returns "mailchannels".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
		// A batch is resent by hand, up to three days later by default. Whether it
		// is signed anew is not documented.
		Window:           72 * time.Hour,
		RepeatsSignature: true,
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.PublicKey{Keys: a.config.SigningKeys, Layout: verify.MessageSignature}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}
