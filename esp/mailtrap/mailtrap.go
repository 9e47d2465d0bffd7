// Package mailtrap is the adapter for Mailtrap.
//
// Mailtrap signs its webhooks with a secret that each webhook has of its own
// (https://docs.mailtrap.io/email-api-smtp/advanced/webhooks). For received mail
// it posts a notification alone; the adapter fetches the message.
package mailtrap

import (
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/fetch"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "mailtrap"

// Config is what the adapter has to know. Its zero value is fine for tracking
// where the Dispatcher has a shared secret.
type Config struct {
	// TrackingSecrets are the signing secrets of sending webhooks, as Mailtrap
	// shows them when a webhook is created. Any of them is accepted.
	TrackingSecrets anymail.KeySource
	// InboundSecrets are those of inbound webhooks. A webhook's secret is its
	// own, so these are others.
	InboundSecrets anymail.KeySource
	// APITokens holds the API token by which received messages are fetched,
	// the first one if there are several. Without it there is no inbound
	// endpoint.
	APITokens anymail.KeySource
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

// New returns an adapter. It returns an error that is [anymail.ErrConfig] where
// a secret is empty, or where inbound webhooks could be verified but their
// messages not be fetched.
func New(config Config) (*Adapter, error) {
	if config.InboundSecrets != nil && config.APITokens == nil {
		return nil, anymail.Misconfigured("mailtrap.Config.APITokens", "inbound needs a token to fetch messages")
	}
	if err := errors.Join(
		verify.CheckKeys(config.TrackingSecrets, "mailtrap.Config.TrackingSecrets", nil),
		verify.CheckKeys(config.InboundSecrets, "mailtrap.Config.InboundSecrets", nil),
		verify.CheckKeys(config.APITokens, "mailtrap.Config.APITokens", nil),
	); err != nil {
		return nil, err
	}
	hosts := append([]string{apiHost, "." + apiHost, ".amazonaws.com"}, config.FileHosts...)
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: hosts}}, nil
}

// ESP returns "mailtrap".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, and inbound if there is an API token. Either takes
// what is for the other as well: which webhook posts where is set at Mailtrap.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	endpoints := []anymail.Endpoint{a.endpoint("tracking", a.config.TrackingSecrets)}
	if a.config.APITokens != nil {
		endpoints = append(endpoints, a.endpoint("inbound", a.config.InboundSecrets))
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
		ep.Verifier = verify.HMAC{Keys: secrets, Signatures: verify.HexHeader("Mailtrap-Signature")}.Verifier()
	}
	return ep
}
