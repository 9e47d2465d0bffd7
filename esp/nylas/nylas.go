// Package nylas is the adapter for Nylas (API v3): mailboxes that an application
// connects, Agent Accounts and transactional mail.
//
// Nylas signs the body, each webhook with its own secret
// (https://developer.nylas.com/docs/v3/notifications/). A webhook about received mail
// has the text but no attachments; with an API key the adapter fetches the whole
// message.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/nylas.md
package nylas

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "nylas"

const patience = 10 * time.Second

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures, and attachments have no content.
type Config struct {
	// TrackingSigningKeys are the secrets of webhooks that post to the tracking
	// endpoint. Any of them is accepted.
	TrackingSigningKeys anymail.KeySource
	// InboundSigningKeys are the secrets of webhooks that post to the inbound endpoint.
	InboundSigningKeys anymail.KeySource
	// APIKeys are API keys, the first of which fetches the source of received
	// messages. Without one, messages are what the webhook has.
	APIKeys anymail.KeySource
	// Client fetches received messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
	// EU fetches from Nylas' servers in the EU.
	EU bool
}

// Adapter is the adapter for one Nylas application.
type Adapter struct {
	config  Config
	apiHost string
	api     fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret or an API key is
// empty or has white space around it.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSigningKeys, "nylas.Config.TrackingSigningKeys", nil),
		verify.CheckKeys(config.InboundSigningKeys, "nylas.Config.InboundSigningKeys", nil),
		verify.CheckKeys(config.APIKeys, "nylas.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	apiHost := "api.us.nylas.com"
	if config.EU {
		apiHost = "api.eu.nylas.com"
	}
	return &Adapter{config, apiHost, fetch.Getter{Client: config.Client, Hosts: []string{apiHost}}}, nil
}

// ESP returns "nylas".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too, since
// one webhook at Nylas may post both.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{
		a.endpoint("tracking", a.config.TrackingSigningKeys),
		a.endpoint("inbound", a.config.InboundSigningKeys),
	}
}

func (a *Adapter) endpoint(path string, secrets anymail.KeySource) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:             path,
		Patience:         patience,
		Parser:           anymail.ParserFunc(a.parse),
		ContentTypes:     []string{"application/json"},
		MapStatus:        mapStatus,
		RepeatsSignature: true, // no time is signed
		// The secret of a webhook exists only when this was answered.
		Probes:    []string{http.MethodGet},
		ProbeEcho: "challenge",
	}
	if secrets != nil {
		ep.Verifier = verify.HMAC{Keys: secrets, Signatures: verify.HexHeader("X-Nylas-Signature")}.Verifier()
	}
	return ep
}

// Nylas retries after 408, 429, 502, 503, 504 and 507 only
// (https://developer.nylas.com/docs/cookbook/use-cases/build/retry-failed-webhooks/).
// The user can fix a wrong address list or a limit that is too small.
var mapStatus = esp.Replace(http.StatusServiceUnavailable,
	http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusInternalServerError)

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	if typ, _ := cutSuffixes(wire.StringMember(p.Body, "type")); typ == createdType && !isOutgoing(p.Body) {
		return a.received(ctx, p)
	}
	return wire.AtLeastOne(tracking(elements), nil)
}

// cutSuffixes removes from a type what says that the notification is not the usual one,
// and reports whether a part of the message is missing.
func cutSuffixes(typ string) (base string, cut bool) {
	for {
		i := strings.LastIndexByte(typ, '.')
		if i < 0 {
			return typ, cut
		}
		switch typ[i:] {
		case ".truncated", ".metadata": // over 1 MB; by the scope of the grant
			cut = true
		case ".transformed", ".cleaned": // by choice of the user
		default:
			return typ, cut
		}
		typ = typ[:i]
	}
}
