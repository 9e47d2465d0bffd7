// Package mailpace is the adapter for MailPace.
//
// MailPace signs the body of its webhooks with Ed25519, each domain with its own key
// (https://docs.mailpace.com/guide/webhooks). Received mail is in the request as a
// whole.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailpace.md
package mailpace

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "mailpace"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret.
type Config struct {
	// TrackingSigningKeys are the public keys of the domains whose webhooks post to the
	// tracking endpoint, as MailPace shows them: base64. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the public keys of the domains whose received mail is posted
	// to the inbound endpoint. Without them the endpoint needs a shared secret.
	InboundSigningKeys anymail.KeySource
}

// Adapter is the adapter for one MailPace organization.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is not an Ed25519
// key.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "mailpace.Config.TrackingSigningKeys", checkKey),
		verify.CheckKeys(config.InboundSigningKeys, "mailpace.Config.InboundSigningKeys", checkKey),
	); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

func checkKey(text string) error {
	key, err := verify.ParsePublicKey(text)
	if err != nil {
		return err
	}
	if _, ok := key.(ed25519.PublicKey); !ok {
		return errors.New("must be a key for Ed25519")
	}
	return nil
}

// ESP returns "mailpace".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := endpoint("tracking", a.config.TrackingSigningKeys)
	inbound := endpoint("inbound", a.config.InboundSigningKeys)
	inbound.MaxBody = 80 << 20 // the message as it was received, and again in parts
	return []anymail.Endpoint{tracking, inbound}
}

func endpoint(path string, keys anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:             path,
		Parser:           anymail.ParserFunc(parse),
		ContentTypes:     []string{"application/json"},
		RepeatsSignature: true, // no time is signed
	}
	if keys != nil {
		ep.Verifier = verify.PublicKey{Keys: keys, Signatures: verify.Base64Header("X-MailPace-Signature")}.Verifier()
	}
	return ep
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if wire.Member(p.Body, "event") == nil && (wire.Member(p.Body, "raw") != nil || wire.Member(p.Body, "messageId") != nil) {
		return parseInbound(p)
	}
	return parseTracking(p)
}
