// Package emailengine is the adapter for EmailEngine, which sends and receives through
// the mailboxes of its accounts.
//
// EmailEngine signs the body with its service secret
// (https://learn.emailengine.app/docs/webhooks/overview). A webhook about a received
// message has its parts without attachments; with an access token the adapter fetches
// the whole message.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/emailengine.md
package emailengine

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "emailengine"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures, and attachments have no content.
type Config struct {
	// SigningKeys are service secrets. Any of them is accepted.
	SigningKeys anymail.KeySource
	// APITokens are access tokens, the first of which fetches the source of received
	// messages. Without one, messages are what the webhook has.
	APITokens anymail.KeySource
	// ServerURL is where the API of your EmailEngine is: "https://ee.example.org". It is
	// needed with APITokens.
	ServerURL string
	// Client fetches received messages. It has a timeout of 30 seconds if nil.
	Client *http.Client
}

// Adapter is the adapter for one EmailEngine.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if a secret or a token is empty
// or has white space around it, and if ServerURL is not the https URL of a server.
func New(config Config) (*Adapter, error) {
	server, err := url.Parse(config.ServerURL)
	switch {
	case config.ServerURL == "" && config.APITokens != nil:
		err = anymail.Misconfigured("emailengine.Config.ServerURL", "must be set with APITokens")
	case config.ServerURL != "" && (err != nil || server.Scheme != "https" || server.Host == "" || server.User != nil || server.RawQuery != ""):
		err = anymail.Misconfigured("emailengine.Config.ServerURL", "must be the https URL of a server")
	}
	if err := errors.Join(
		verify.CheckKeys(config.SigningKeys, "emailengine.Config.SigningKeys", nil),
		verify.CheckKeys(config.APITokens, "emailengine.Config.APITokens", nil),
		err,
	); err != nil {
		return nil, err
	}
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: []string{strings.ToLower(server.Hostname())}}}, nil
}

// ESP returns "emailengine".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound. Each accepts the other's requests too, since
// EmailEngine posts both to one URL unless it has webhook routes.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{a.endpoint("tracking"), a.endpoint("inbound")}
}

func (a *Adapter) endpoint(path string) anymail.Endpoint {
	ep := anymail.Endpoint{
		Path:             path,
		Patience:         patience,
		Parser:           anymail.ParserFunc(a.parse),
		ContentTypes:     []string{"application/json"},
		MaxBody:          16 << 20, // text and HTML of any size, unless they are limited
		RepeatsSignature: true,     // no time is signed
	}
	if a.config.SigningKeys != nil {
		ep.Verifier = verify.HMAC{Keys: a.config.SigningKeys, Signatures: verify.SignatureHeader("X-EE-Wh-Signature", verify.Base64URL)}.Verifier()
	}
	return ep
}

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if isReceived(p.Body) {
		return a.received(ctx, p)
	}
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	return wire.AtLeastOne(wire.EventsPerRecipient(elements, p.Limits, fill))
}
