// Package bird is the adapter for Bird's email API.
//
// Bird signs id, time and body by Standard Webhooks, each endpoint with its own secret
// (https://bird.com/docs/webhooks). For received mail it posts a notification; with an
// API key the adapter fetches the message. The event webhooks of SparkPost, which Bird
// serves too, are those of package sparkpost.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/bird.md
package bird

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "bird"

// Config configures the adapter. Its zero value works for tracking if the Dispatcher
// has a shared secret, but then nothing checks the signatures.
type Config struct {
	// TrackingSigningKeys are the signing secrets ("whsec_...") of endpoints at Bird
	// that post to the tracking endpoint. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the signing secrets of those that post to the inbound
	// endpoint.
	InboundSigningKeys anymail.KeySource
	// APIKeys are API keys with the scope emails:read, the first of which fetches
	// received messages. Without one there is no inbound endpoint.
	APIKeys anymail.KeySource
	// APIHost is the host of the workspace's region. It is
	// "us1.platform.bird.com" if empty.
	APIHost string
	// Client fetches received messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
}

// Adapter is the adapter for one Bird workspace.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or not
// base64, if APIHost is not a host name, or if InboundSigningKeys is set without APIKeys.
func New(config Config) (*Adapter, error) {
	if config.InboundSigningKeys != nil && config.APIKeys == nil {
		return nil, anymail.Misconfigured("bird.Config.APIKeys", "inbound needs a key to fetch messages")
	}
	if config.APIHost == "" {
		config.APIHost = "us1.platform.bird.com"
	}
	if strings.Trim(strings.ToLower(config.APIHost), "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return nil, anymail.Misconfigured("bird.Config.APIHost", "must be a host name")
	}
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "bird.Config.TrackingSigningKeys", verify.CheckWebhookSecret),
		verify.CheckKeys(config.InboundSigningKeys, "bird.Config.InboundSigningKeys", verify.CheckWebhookSecret),
		verify.CheckKeys(config.APIKeys, "bird.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: []string{config.APIHost}}}, nil
}

// ESP returns "bird".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, and inbound if there is an API key. Each accepts the
// other's requests too, since one endpoint at Bird may post both.
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
		Parser:       anymail.ParserFunc(a.parse),
		ContentTypes: []string{"application/json"},
	}
	if secrets != nil {
		ep.Verifier = verify.StandardWebhooks{Keys: secrets}.Verifier()
	}
	return ep
}

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var id string
	if len(elements) == 1 { // as Bird posts it: the id is the request's
		id = p.Header.Get("Webhook-Id")
		if a.config.APIKeys != nil && wire.StringMember(elements[0], "type") == receivedType {
			return a.received(ctx, p, elements[0], id)
		}
	}
	for _, one := range elements {
		if wire.Member(one, "msys") != nil {
			return nil, anymail.Malformed("a webhook of SparkPost, for the adapter sparkpost", nil)
		}
	}
	return wire.AtLeastOne(wire.Events(elements, func(w *event, ev *anymail.TrackingEvent) {
		ev.ID = id
		fill(w, ev)
	}), nil)
}
