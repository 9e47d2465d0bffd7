// Package agentmail is the adapter for AgentMail, which gives agents mailboxes.
//
// AgentMail sends webhooks through Svix, which signs id, time and body. Each webhook
// has its own secret (https://docs.agentmail.to/webhook-verification). A webhook about
// received mail has the text but no attachments; with an API key the adapter fetches
// the whole message.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/agentmail.md
package agentmail

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
const ESP = "agentmail"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures, and attachments have no content.
type Config struct {
	// TrackingSigningKeys are the signing secrets ("whsec_...") of webhooks that
	// post to the tracking endpoint. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the signing secrets of webhooks that post to the
	// inbound endpoint.
	InboundSigningKeys anymail.KeySource
	// APIKeys are API keys, the first of which fetches the source of received
	// messages. Without one, messages are what the webhook has.
	APIKeys anymail.KeySource
	// Client fetches received messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
	// EU fetches from AgentMail's servers in the EU, api.agentmail.eu.
	EU bool
	// FileHosts are the names of further hosts that the API may refer to for the
	// source of messages; one that begins with "." stands for all below it.
	// AgentMail's own and CloudFront's are always allowed.
	FileHosts []string
}

// Adapter is the adapter for one AgentMail organization.
type Adapter struct {
	config  Config
	apiHost string
	api     fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or not
// base64, or an API key is empty.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "agentmail.Config.TrackingSigningKeys", verify.CheckWebhookSecret),
		verify.CheckKeys(config.InboundSigningKeys, "agentmail.Config.InboundSigningKeys", verify.CheckWebhookSecret),
		verify.CheckKeys(config.APIKeys, "agentmail.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	apiHost := "api.agentmail.to"
	if config.EU {
		apiHost = "api.agentmail.eu"
	}
	hosts := append([]string{apiHost, ".agentmail.to", ".agentmail.eu", ".cloudfront.net"}, config.FileHosts...)
	return &Adapter{config, apiHost, fetch.Getter{Client: config.Client, Hosts: hosts}}, nil
}

// ESP returns "agentmail".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too, since
// one webhook at AgentMail may post both.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{
		a.endpoint("tracking", a.config.TrackingSigningKeys),
		a.endpoint("inbound", a.config.InboundSigningKeys),
	}
}

func (a *Adapter) endpoint(path string, secrets anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:         path,
		Patience:     patience,
		Parser:       anymail.ParserFunc(a.parse),
		ContentTypes: []string{"application/json"},
	}
	if secrets != nil {
		ep.Verifier = verify.StandardWebhooks{Keys: secrets, Prefix: "svix-"}.Verifier()
	}
	return ep
}

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var all []anymail.Event
	for _, raw := range elements {
		if name := wire.StringMember(raw, "event_type"); name == receivedType || strings.HasPrefix(name, receivedType+".") {
			ev, err := a.received(ctx, p, raw)
			if err != nil {
				return nil, err
			}
			all = append(all, ev)
		} else {
			events, err := tracking(raw, p.Limits)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
	}
	return wire.AtLeastOne(all, wire.AtMost(p.Limits, len(all)))
}
