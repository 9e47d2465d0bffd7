// Package ahasend is the adapter for AhaSend.
//
// AhaSend signs id, time and body as Standard Webhooks do, each webhook and each
// inbound route with its own secret, which is not base64
// (https://ahasend.com/docs/integrations/webhooks). Received mail is in the request,
// in parts.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/ahasend.md
package ahasend

import (
	"context"
	"errors"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "ahasend"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// TrackingSigningKeys are the secrets of webhooks, as AhaSend shows them. Any of them
	// is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the secrets of inbound routes.
	InboundSigningKeys anymail.KeySource
}

// Adapter is the adapter for one AhaSend account.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "ahasend.Config.TrackingSigningKeys", nil),
		verify.CheckKeys(config.InboundSigningKeys, "ahasend.Config.InboundSigningKeys", nil),
	); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "ahasend".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := endpoint("tracking", a.config.TrackingSigningKeys)
	inbound := endpoint("inbound", a.config.InboundSigningKeys)
	inbound.MaxBody = 64 << 20 // a message with attachments, in base64
	return []anymail.Endpoint{tracking, inbound}
}

func endpoint(path string, secrets anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:         path,
		Patience:     patience,
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
		// The first retry may come within the same second.
		RepeatsSignature: true,
	}
	if secrets != nil {
		ep.Verifier = verify.StandardWebhooks{
			Keys:      secrets,
			DecodeKey: func(secret string) ([]byte, error) { return []byte(secret), nil },
		}.Verifier()
	}
	return ep
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if inboundTypes[wire.StringMember(p.Body, "type")] {
		return parseInbound(p)
	}
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	return wire.AtLeastOne(wire.Events(elements, func(w *event, ev *anymail.TrackingEvent) {
		if len(elements) == 1 { // as AhaSend posts it: the id is the request's
			ev.ID = p.Header.Get(idHeader)
		}
		fill(w, ev)
	}), nil)
}

const idHeader = "Webhook-Id"
