// Package azure is the adapter for Azure Communication Services Email, which posts
// its events through Azure Event Grid.
//
// Event Grid signs nothing. It sends a header that the user chooses, or an access
// token of Microsoft Entra ID
// (https://learn.microsoft.com/azure/event-grid/security-authentication).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/azure.md
package azure

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "azure"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret. The tokens and the shared secret use the same header, so an endpoint has
// one or the other: give [anymail.WithoutSharedSecret] to Register if the Dispatcher
// has a secret.
type Config struct {
	// BearerTokens are tokens that the user gave to the event subscription as a
	// delivery property "Authorization" with the value "Bearer <token>".
	BearerTokens anymail.KeySource
	// CheckBearer, if set, checks access tokens of Microsoft Entra ID.
	CheckBearer verify.TokenCheck
}

// Adapter is the adapter for Azure Communication Services.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a token is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.BearerTokens, "azure.Config.BearerTokens", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "azure".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:     "tracking",
		Verifier: a.verifier(),
		Parser:   anymail.ParserFunc(parse),
		// One for the Event Grid schema, two for CloudEvents.
		ContentTypes: []string{"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"},
		Patience:     patience,
		Handshake:    answerValidation,
		// Event Grid asks a URL for CloudEvents whether it wants them
		// (https://learn.microsoft.com/azure/event-grid/end-point-validation-cloud-events-schema).
		// This protects others from Azure, not the URL: deliveries need a secret.
		Probes:      []string{http.MethodOptions},
		ProbeHeader: http.Header{"Allow": {"POST"}, "Webhook-Allowed-Origin": {"*"}, "Webhook-Allowed-Rate": {"*"}},
		// Event Grid drops or dead-letters the event at most 4xx. A 503 gives the
		// user a day to fix a wrong secret or limit.
		MapStatus: esp.ReplaceClientErrors(http.StatusServiceUnavailable),
		MaxBody:   16 << 20, // 5000 events; 1 MB is only what the user may prefer
	}}
}

func (a *Adapter) verifier() anymail.Verifier {
	var either []anymail.Verifier
	if a.config.BearerTokens != nil {
		either = append(either, verify.Token{Keys: a.config.BearerTokens, Scheme: "Bearer"}.Verifier())
	}
	if a.config.CheckBearer != nil {
		either = append(either, verify.Token{Check: a.config.CheckBearer, Scheme: "Bearer"}.Verifier())
	}
	if either == nil {
		return nil
	}
	return verify.Any(either...)
}

// answerValidation returns the code of a validation event, which Event Grid posts
// when a subscription is made or changed
// (https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema).
func answerValidation(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if p.Header.Get("Aeg-Event-Type") != "SubscriptionValidation" {
		return nil, nil //nolint:nilnil // not a handshake
	}
	events, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var code string
	if len(events) == 1 {
		code = wire.StringMember(wire.Member(events[0], "data"), "validationCode")
	}
	if code == "" {
		return nil, anymail.Malformed("validation event without a code", nil)
	}
	body, err := json.Marshal(map[string]string{"validationResponse": code})
	return &anymail.Reply{ContentType: "application/json", Body: body}, err
}
