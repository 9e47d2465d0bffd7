// Package resend is the adapter for Resend.
//
// Resend sends webhooks through Svix, which signs id, time and body. Each webhook has
// its own secret (https://resend.com/docs/webhooks/verify-webhooks-requests). For
// received mail Resend posts only a notification; the adapter fetches the message.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/resend.md
package resend

import (
	"context"
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "resend"

// Config configures the adapter. Its zero value works for tracking if the Dispatcher
// has a shared secret, but then nothing checks the signatures.
type Config struct {
	// TrackingSigningKeys are the signing secrets ("whsec_...") of webhooks that
	// post to the tracking endpoint. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the signing secrets of webhooks that post to the
	// inbound endpoint. Each webhook has its own.
	InboundSigningKeys anymail.KeySource
	// APIKeys are API keys ("re_...", with full access), the first of which
	// fetches received messages. Without one there is no inbound endpoint.
	APIKeys anymail.KeySource
	// Client fetches received messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
	// FileHosts are the names of further hosts that the API may refer to for
	// the contents of messages; one that begins with "." stands for all below
	// it. Those of Resend are always allowed.
	FileHosts []string
}

// Adapter is the adapter for one Resend account.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or not
// base64, or if InboundSigningKeys is set without APIKeys.
func New(config Config) (*Adapter, error) {
	if config.InboundSigningKeys != nil && config.APIKeys == nil {
		return nil, anymail.Misconfigured("resend.Config.APIKeys", "inbound needs a key to fetch messages")
	}
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "resend.Config.TrackingSigningKeys", verify.CheckWebhookSecret),
		verify.CheckKeys(config.InboundSigningKeys, "resend.Config.InboundSigningKeys", verify.CheckWebhookSecret),
		verify.CheckKeys(config.APIKeys, "resend.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	hosts := append([]string{apiHost, ".resend.com"}, config.FileHosts...)
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: hosts}}, nil
}

// ESP returns "resend".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, and inbound if there is an API key. Each accepts the
// other's requests too, since one webhook at Resend may post both.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	endpoints := []anymail.Endpoint{a.endpoint("tracking", a.config.TrackingSigningKeys)}
	if a.config.APIKeys != nil {
		endpoints = append(endpoints, a.endpoint("inbound", a.config.InboundSigningKeys))
	}
	return endpoints
}

func (a *Adapter) endpoint(path string, secrets anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:         path,
		Patience:     patience,
		Parser:       anymail.ParserFunc(a.parse),
		ContentTypes: []string{"application/json"},
	}
	if secrets == nil {
		return ep
	}
	svix := verify.StandardWebhooks{Keys: secrets, Prefix: svixPrefix}.Verifier()
	standard := verify.StandardWebhooks{Keys: secrets, Prefix: standardPrefix}.Verifier()
	ep.Verifier = anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if prefix(p) == standardPrefix {
			return standard.Verify(ctx, p)
		}
		return svix.Verify(ctx, p)
	})
	return ep
}

const (
	svixPrefix     = "Svix-"
	standardPrefix = "Webhook-"
)

// prefix returns the prefix of the signed headers' names: Svix's own or, as Svix's
// libraries accept too, that of standardwebhooks.com. The two are never mixed: an id
// from unsigned headers could make an old event a new one.
func prefix(p *anymail.Payload) string {
	if p.Header.Get(svixPrefix+"Signature") == "" && p.Header.Get(standardPrefix+"Signature") != "" {
		return standardPrefix
	}
	return svixPrefix
}

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var id string
	single := len(elements) == 1
	if single { // as Resend posts it: the id is the request's
		id = p.Header.Get(prefix(p) + "Id")
	}
	var kind wire.Text
	events := wire.Events(elements, func(w *event, ev *anymail.TrackingEvent) {
		kind, ev.ID = w.Type, id
		fill(w, ev)
	})
	if single && a.config.APIKeys != nil {
		if kind == "" { // it did not decode
			kind = wire.Text(wire.StringMember(elements[0], "type"))
		}
		if kind == receivedType {
			return a.received(ctx, p, elements[0], id)
		}
	}
	return wire.AtLeastOne(events, nil)
}
