// Package brevo is the adapter for Brevo (formerly Sendinblue).
//
// Brevo does not sign its webhooks (https://developers.brevo.com/docs/secured-webhooks).
// A setting at Brevo protects them: a user and password in the URL, a bearer token,
// or a custom header.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/brevo.md
package brevo

import (
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "brevo"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret and inbound messages need no attachments.
type Config struct {
	// BearerTokens are the tokens, any of which is accepted, that webhooks
	// carry if they were made with an "auth" of type "bearer". The token and the shared secret use the same header, so an endpoint has one
	// or the other: give [anymail.WithoutSharedSecret] to Register if the
	// Dispatcher has a secret.
	BearerTokens anymail.KeySource
	// HeaderName and HeaderValues are a header that webhooks carry if they were
	// made with "headers", and its values, any of which is accepted.
	HeaderName   string
	HeaderValues anymail.KeySource
	// APIKeys are keys of Brevo's API. The first one fetches the attachments of
	// inbound messages. If nil, attachments have a name, type and size but no
	// content.
	APIKeys anymail.KeySource
	// Client fetches attachments. It has a timeout of 30 seconds if nil.
	Client *http.Client
}

// Adapter is the adapter for one Brevo account.
type Adapter struct {
	config Config
	api    fetch.Getter
}

// New returns an adapter. It returns [anymail.ErrConfig] if one of HeaderName and
// HeaderValues is set without the other, or if a name or key can never match.
func New(config Config) (*Adapter, error) {
	if (config.HeaderName == "") != (config.HeaderValues == nil) {
		return nil, anymail.Misconfigured("brevo.Config", "HeaderName and HeaderValues need each other")
	}
	if err := verify.CheckHeaderName(config.HeaderName, "brevo.Config.HeaderName"); err != nil {
		return nil, err
	}
	if err := errors.Join(
		verify.CheckKeys(config.BearerTokens, "brevo.Config.BearerTokens", nil),
		verify.CheckKeys(config.HeaderValues, "brevo.Config.HeaderValues", nil),
		verify.CheckKeys(config.APIKeys, "brevo.Config.APIKeys", nil),
	); err != nil {
		return nil, err
	}
	return &Adapter{config, fetch.Getter{Client: config.Client, Hosts: []string{apiHost}}}, nil
}

// ESP returns "brevo".
func (*Adapter) ESP() string { return ESP }

// Brevo discards the event at any 4xx and 5xx but 429
// (https://developers.brevo.com/docs/retry-mechanism), so 429 is the answer to
// anything that a retry could fix.
const retry = http.StatusTooManyRequests

var mapStatus = esp.Replace(retry, http.StatusForbidden, http.StatusInternalServerError, http.StatusServiceUnavailable)

// mapInboundStatus gives the user eleven hours to fix a mistake that would lose a
// message: a wrong secret, or a limit that is too small.
func mapInboundStatus(status int) int {
	return mapStatus(esp.ReplaceClientErrors(retry)(status))
}

// Endpoints returns tracking and inbound. Both accept either kind of webhook.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	endpoint := anymail.Endpoint{
		Path:          "tracking",
		Verifier:      a.verifier(),
		Parser:        anymail.ParserFunc(a.parse),
		ContentTypes:  []string{"application/json"},
		MapStatus:     mapStatus,
		SecretHeaders: []string{a.config.HeaderName},
	}
	inbound := endpoint
	inbound.Path = "inbound"
	inbound.MaxBody = 32 << 20 // a message without its attachments
	inbound.MapStatus = mapInboundStatus
	return []anymail.Endpoint{endpoint, inbound}
}

// verifier requires everything that is configured. It is nil if nothing is.
func (a *Adapter) verifier() anymail.Verifier {
	var proofs []anymail.Verifier
	if keys := a.config.BearerTokens; keys != nil {
		proofs = append(proofs, verify.Token{Keys: keys, Scheme: "Bearer"}.Verifier())
	}
	if keys := a.config.HeaderValues; keys != nil {
		proofs = append(proofs, verify.Token{Keys: keys, Header: a.config.HeaderName}.Verifier())
	}
	if len(proofs) == 0 {
		return nil
	}
	return verify.All(proofs...)
}
