// Package usesend is the adapter for useSend, hosted or self-hosted, which was called
// Unsend and sends through Amazon SES.
//
// useSend signs time and body, each webhook with its own secret
// (https://docs.usesend.com/guides/webhooks). It posts no received mail.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/usesend.md
package usesend

import (
	"context"
	"strconv"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "usesend"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the secrets ("whsec_...") of webhooks, as useSend shows them. Any of
	// them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one useSend team.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "usesend.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "usesend".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:         "tracking",
		Patience:     patience,
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
		Handshake:    answerTest,
	}
	if a.config.SigningKeys != nil {
		// It looks like Standard Webhooks, but the key is the whole text of the secret,
		// the signature is hexadecimal, and the time is in milliseconds.
		tracking.Verifier = verify.HMAC{
			Keys:       a.config.SigningKeys,
			Signatures: verify.SignatureHeader("X-UseSend-Signature", verify.Prefixed("v1=", verify.Hex)),
			SignedAt:   signedAt,
			Content:    verify.HeadersAndBody(".", timeHeader),
		}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}

const timeHeader = "X-UseSend-Timestamp"

// signedAt reads milliseconds since 1970, digits only.
func signedAt(p *anymail.Payload) (time.Time, error) {
	value, err := verify.HeaderValue(p, timeHeader)
	if err != nil {
		return time.Time{}, err
	}
	milliseconds, err := strconv.ParseUint(value, 10, 50)
	if err != nil {
		return time.Time{}, anymail.Unauthenticated(verify.ReasonTimestamp)
	}
	return time.UnixMilli(int64(milliseconds)).UTC(), nil
}

const testType = "webhook.test"

func answerTest(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if wire.StringMember(p.Body, "type") != testType {
		return nil, nil
	}
	return &anymail.Reply{}, nil
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if wire.StringMember(p.Body, "type") == testType {
		return nil, nil // answerTest has answered it
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}
