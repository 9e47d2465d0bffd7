// Package forwardemail is the adapter for Forward Email.
//
// Forward Email signs the body of bounces and of received mail with the key of the
// domain (https://forwardemail.net/en/faq). Received mail is in the request, as it was
// received and in parts.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/forwardemail.md
package forwardemail

import (
	"context"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "forwardemail"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the keys that Forward Email calls "Webhook Signature Payload
	// Verification Key", each of a domain. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for the domains of one Forward Email account.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "forwardemail.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "forwardemail".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, for bounces, and inbound. Each accepts the other's
// requests too.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking, inbound := a.endpoint("tracking"), a.endpoint("inbound")
	// A message of 50 MB, which is the largest, with its texts a second time.
	// Attachments as lists of numbers take more.
	inbound.MaxBody = 80 << 20
	return []anymail.Endpoint{tracking, inbound}
}

func (a *Adapter) endpoint(path string) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:             path,
		Patience:         patience,
		Parser:           anymail.ParserFunc(parse),
		ContentTypes:     []string{"application/json"},
		RepeatsSignature: true, // no time is signed
	}
	if a.config.SigningKeys != nil {
		ep.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Signatures: verify.HexHeader("X-Webhook-Signature")}.Verifier()
	}
	return ep
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if wire.Member(p.Body, "session") != nil || wire.Member(p.Body, "raw") != nil {
		return parseInbound(p)
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}
