// Package socketlabs is the adapter for SocketLabs.
//
// SocketLabs signs nothing. It writes the secret key of an endpoint into the body of
// each request (https://help.socketlabs.com/docs/event-webhooks-authentication-and-access).
// Received mail is in the request, in parts.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/socketlabs.md
package socketlabs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "socketlabs"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the secret keys.
type Config struct {
	// TrackingSecretKeys are the secret keys of event webhooks. Any of them is accepted.
	TrackingSecretKeys anymail.KeySource
	// InboundSecretKeys are the secret keys of the Inbound Parse API.
	InboundSecretKeys anymail.KeySource
}

// Adapter is the adapter for one SocketLabs account.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSecretKeys, "socketlabs.Config.TrackingSecretKeys", nil),
		verify.CheckKeys(config.InboundSecretKeys, "socketlabs.Config.InboundSecretKeys", nil),
	); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "socketlabs".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := endpoint("tracking", a.config.TrackingSecretKeys)
	inbound := endpoint("inbound", a.config.InboundSecretKeys)
	inbound.MaxBody = 80 << 20 // 50 MB of message, with attachments in base64
	return []anymail.Endpoint{tracking, inbound}
}

func endpoint(path string, keys anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:             path,
		Parser:           anymail.ParserFunc(parse),
		Handshake:        answerValidation,
		ContentTypes:     []string{"application/json"},
		RepeatsSignature: true,
	}
	if keys != nil {
		ep.Verifier = secretKey(keys)
	}
	return ep
}

// secretKey verifies the member SecretKey of each event. The fingerprint is that of
// the body, so that a copy of a request runs nothing.
func secretKey(keys anymail.KeySource) anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (proof anymail.Proof, err error) {
		events, err := wire.Split(p.Body, p.Limits)
		if err != nil || len(events) == 0 {
			return proof, anymail.Unauthenticated(verify.ReasonMissing)
		}
		for _, event := range events {
			if proof, err = verify.MatchSecret(ctx, keys, wire.StringMember(event, "SecretKey")); err != nil {
				return anymail.Proof{}, err
			}
		}
		sum := sha256.Sum256(p.Body)
		proof.Fingerprint = sum[:]
		return proof, nil
	})
}

// answerValidation answers the event that SocketLabs posts when an endpoint is saved.
// By its docs the answer is the secret key
// (https://help.socketlabs.com/docs/email/v2/account-level-event-webhook). By other
// receivers the event has a ValidationKey, and that is the answer.
func answerValidation(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if wire.StringMember(p.Body, "Type") != "Validation" {
		return nil, nil //nolint:nilnil // not a handshake
	}
	if key := wire.StringMember(p.Body, "ValidationKey"); key != "" {
		body, err := json.Marshal(map[string]string{"ValidationKey": key})
		return &anymail.Reply{ContentType: "application/json", Body: body}, err
	}
	return &anymail.Reply{ContentType: "text/plain; charset=utf-8", Body: []byte(wire.StringMember(p.Body, "SecretKey"))}, nil
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if wire.Member(p.Body, "Type") == nil && wire.Member(p.Body, "Message") != nil {
		return parseInbound(p)
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}
