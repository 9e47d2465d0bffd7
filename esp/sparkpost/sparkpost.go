// Package sparkpost is the adapter for SparkPost, now Bird Email.
//
// SparkPost signs nothing. In addition to credentials in the URL, its webhooks can
// have a token, a custom header, or an OAuth 2.0 access token
// (https://support.sparkpost.com/docs/tech-resources/webhook-authentication).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/sparkpost.md
package sparkpost

import (
	"errors"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "sparkpost"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret.
type Config struct {
	// Tracking and Inbound are how event webhooks and relay webhooks authenticate.
	Tracking, Inbound Auth
	// InitialOpens makes initial_open and amp_initial_open events
	// [anymail.EventOpened]. By default they are [anymail.EventUnknown],
	// because most messages have an open event too.
	InitialOpens bool
}

// Auth is how a webhook authenticates. Any one of the proofs that are set is enough.
// If none is set, only the Dispatcher's shared secret protects the webhook.
type Auth struct {
	// Tokens are the values of X-MessageSystems-Webhook-Token: auth_token at
	// SparkPost.
	Tokens anymail.KeySource
	// HeaderName and HeaderValues are a custom header and its values:
	// custom_headers at SparkPost.
	HeaderName   string
	HeaderValues anymail.KeySource
	// BearerTokens are access tokens that the user's own token endpoint gives
	// to SparkPost (OAuth 2.0). The token and the shared secret use the
	// same header, so an endpoint has one or the other: give
	// [anymail.WithoutSharedSecret] to Register if the Dispatcher has a secret.
	BearerTokens anymail.KeySource
	// CheckBearer, if set, checks access tokens that are not known beforehand.
	CheckBearer verify.TokenCheck
}

// Adapter is the adapter for one SparkPost account.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a token or value is
// empty, if HeaderName is not the name of a header, or if one of HeaderName and
// HeaderValues is set without the other.
func New(config Config) (*Adapter, error) {
	if err := errors.Join(
		config.Tracking.check("sparkpost.Config.Tracking"),
		config.Inbound.check("sparkpost.Config.Inbound"),
	); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "sparkpost".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, for event webhooks, and inbound, for relay
// webhooks. Each accepts the other's requests too.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	secretHeaders := []string{a.config.Tracking.HeaderName, a.config.Inbound.HeaderName}
	return []anymail.Endpoint{{
		Path:          "tracking",
		Patience:      patience,
		Verifier:      a.config.Tracking.verifier(),
		Handshake:     answerTest,
		SecretHeaders: secretHeaders,
		Parser:        anymail.ParserFunc(a.parse),
		ContentTypes:  []string{"application/json"},
	}, {
		Path:          "inbound",
		Patience:      patience,
		Verifier:      a.config.Inbound.verifier(),
		Handshake:     answerTest,
		SecretHeaders: secretHeaders,
		Parser:        anymail.ParserFunc(a.parse),
		ContentTypes:  []string{"application/json"},
		MaxBody:       64 << 20, // 20 MB of message, in base64 and again as text
	}}
}

func (a Auth) check(setting string) error {
	if (a.HeaderName == "") != (a.HeaderValues == nil) {
		return anymail.Misconfigured(setting, "HeaderName and HeaderValues need each other")
	}
	return errors.Join(
		verify.CheckHeaderName(a.HeaderName, setting+".HeaderName"),
		verify.CheckKeys(a.Tokens, setting+".Tokens", nil),
		verify.CheckKeys(a.HeaderValues, setting+".HeaderValues", nil),
		verify.CheckKeys(a.BearerTokens, setting+".BearerTokens", nil),
	)
}

// verifier returns nil if nothing is set.
func (a Auth) verifier() anymail.Verifier {
	var either []anymail.Verifier
	if a.Tokens != nil {
		either = append(either, verify.Token{Keys: a.Tokens, Header: "X-MessageSystems-Webhook-Token"}.Verifier())
	}
	if a.HeaderValues != nil {
		either = append(either, verify.Token{Keys: a.HeaderValues, Header: a.HeaderName}.Verifier())
	}
	if a.BearerTokens != nil {
		either = append(either, verify.Token{Keys: a.BearerTokens, Scheme: "Bearer"}.Verifier())
	}
	if a.CheckBearer != nil {
		either = append(either, verify.Token{Check: a.CheckBearer, Scheme: "Bearer"}.Verifier())
	}
	if either == nil {
		return nil
	}
	return verify.Any(either...)
}
