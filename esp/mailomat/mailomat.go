// Package mailomat is the adapter for Mailomat (mailomat.swiss).
//
// Mailomat signs the header fields of a webhook and not its body
// (https://api.mailomat.swiss/docs/#tag/webhook-security). It posts no received mail.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailomat.md
package mailomat

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "mailomat"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the secrets of webhooks. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one Mailomat account.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "mailomat.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "mailomat".
func (*Adapter) ESP() string { return ESP }

// window is that of Symfony's bridge. Mailomat does not document whether it signs a
// retry anew.
const window = 12 * time.Hour

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:             "tracking",
		Parser:           anymail.ParserFunc(parse),
		ContentTypes:     []string{"application/json"},
		Window:           window,
		RepeatsSignature: true,
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Layout: signed}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}

const (
	idHeader    = "X-Mom-Webhook-Id"
	eventHeader = "X-Mom-Webhook-Event"
	timeHeader  = "X-Mom-Webhook-Timestamp"
)

var (
	readSignature = verify.SignatureHeader("X-Mom-Webhook-Signature", verify.Prefixed("sha256=", verify.Hex))
	readTime      = verify.UnixHeader(timeHeader)
	readFields    = verify.HeadersAndBody(".", idHeader, eventHeader, timeHeader)
)

// signed describes HMAC-SHA256 over id, event and time, with "." between them.
func signed(p *anymail.Payload) ([]verify.SignedContent, error) {
	signatures, err := readSignature(p)
	if err != nil {
		return nil, err
	}
	at, err := readTime(p)
	if err != nil {
		return nil, err
	}
	content, err := readFields(p)
	if err != nil {
		return nil, err
	}
	if wire.StringMember(p.Body, "eventType") != p.Header.Get(eventHeader) {
		return nil, anymail.Unauthenticated("the body is of another event than the signed header")
	}
	// Not the MAC: if the id is that of the webhook, which is not documented, two events
	// within a second have the same.
	fingerprint := sha256.Sum256(slices.Concat(content...))
	return []verify.SignedContent{{
		Signatures: signatures, SignedAt: at, Fingerprint: fingerprint[:],
		Content: content[:len(content)-2], // without the body and the "." before it
	}}, nil
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	return wire.AtLeastOne(wire.Batch(p, fill))
}
