// Package mailtrap is the adapter for Mailtrap.
//
// Mailtrap signs its webhooks, each with its own secret
// (https://docs.mailtrap.io/email-api-smtp/advanced/webhooks). For received mail it
// posts only a notification; the adapter fetches the message.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailtrap.md
package mailtrap

import (
	"context"
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "mailtrap"

// Config configures the adapter. Its zero value works for tracking if the
// Dispatcher has a shared secret.
type Config struct {
	// TrackingSigningKeys are the signing secrets of sending webhooks, as Mailtrap
	// shows them when a webhook is created. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the signing secrets of inbound webhooks. Each webhook
	// has its own.
	InboundSigningKeys anymail.KeySource
	// APIKeys are API tokens, the first of which fetches received messages.
	// Without one there is no inbound endpoint.
	APIKeys anymail.KeySource
	// Client fetches received messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
	// FileHosts are the names of further hosts that the API may refer to for
	// the contents of messages; one that begins with "." stands for all below
	// it. Those of Mailtrap and of Amazon S3 are always allowed.
	FileHosts []string
}

// Adapter is the adapter for one Mailtrap account.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty, or if
// InboundSigningKeys is set without APIKeys.
func New(config Config) (*Adapter, error) {
	if config.InboundSigningKeys != nil && config.APIKeys == nil {
		return nil, anymail.Misconfigured("mailtrap.Config.APIKeys", "inbound needs a token to fetch messages")
	}
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "mailtrap.Config.TrackingSigningKeys", nil),
		verify.CheckKeys(config.InboundSigningKeys, "mailtrap.Config.InboundSigningKeys", nil),
		verify.CheckKeys(config.APIKeys, "mailtrap.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	hosts := append([]string{apiHost, "." + apiHost, ".amazonaws.com"}, config.FileHosts...)
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: hosts}}, nil
}

// ESP returns "mailtrap".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, and inbound if there is an API token. Each accepts the
// other's requests too: a setting at Mailtrap decides which webhook posts where.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	endpoints := []anymail.Endpoint{a.endpoint("tracking", a.config.TrackingSigningKeys)}
	if a.config.APIKeys != nil {
		endpoints = append(endpoints, a.endpoint("inbound", a.config.InboundSigningKeys))
	}
	return endpoints
}

func (a *Adapter) endpoint(path string, secrets anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:   path,
		Parser: anymail.ParserFunc(a.parse),
		// No time is signed, and a webhook that fails for hours is paused.
		RepeatsSignature: true,
	}
	if secrets != nil {
		signature := verify.HMAC{Keys: secrets, Signatures: verify.HexHeader("Mailtrap-Signature")}.Verifier()
		ep.Verifier = anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
			proof, err := signature.Verify(ctx, p)
			if err == nil && isTest(p) {
				proof.Fingerprint = nil // each test is the same and is no replay
			}
			return proof, err
		})
	}
	return ep
}
