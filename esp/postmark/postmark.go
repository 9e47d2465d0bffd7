// Package postmark is the adapter for Postmark.
//
// Postmark does not sign its webhooks (https://postmarkapp.com/developer/webhooks/webhooks-overview).
// A shared secret in the URL protects them, and outbound webhooks also a custom
// header that is set at Postmark.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/postmark.md
package postmark

import (
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "postmark"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret.
type Config struct {
	// HeaderName and HeaderValues are a custom HTTP header of outbound webhooks
	// (HttpHeaders at Postmark) and its values, any of which is accepted. Postmark's inbound webhooks cannot have one.
	HeaderName   string
	HeaderValues anymail.KeySource
}

// Adapter is the adapter for one Postmark server.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if one of HeaderName and
// HeaderValues is set without the other, or if one of them can never match.
func New(config Config) (*Adapter, error) {
	if (config.HeaderName == "") != (config.HeaderValues == nil) {
		return nil, anymail.Misconfigured("postmark.Config", "HeaderName and HeaderValues need each other")
	}
	if err := verify.CheckHeaderName(config.HeaderName, "postmark.Config.HeaderName"); err != nil {
		return nil, err
	}
	if err := verify.CheckKeys(config.HeaderValues, "postmark.Config.HeaderValues", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "postmark".
func (*Adapter) ESP() string { return ESP }

// Postmark stops for good at 403 (https://postmarkapp.com/developer/webhooks/webhooks-overview),
// which a wrong address list would cause, and the user can fix that list.
var mapStatus = esp.Replace(http.StatusBadRequest, http.StatusForbidden)

// Endpoints returns tracking and inbound.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:          "tracking",
		Patience:      patience,
		Parser:        anymail.ParserFunc(parseTracking),
		ContentTypes:  []string{"application/json"},
		MapStatus:     mapStatus,
		SecretHeaders: []string{a.config.HeaderName},
	}
	if a.config.HeaderValues != nil {
		tracking.Verifier = verify.Token{Keys: a.config.HeaderValues, Header: a.config.HeaderName}.Verifier()
	}
	return []anymail.Endpoint{tracking, {
		Path:          "inbound",
		Patience:      patience,
		Parser:        anymail.ParserFunc(parseInbound),
		ContentTypes:  []string{"application/json"},
		MapStatus:     mapStatus,
		SecretHeaders: tracking.SecretHeaders,
		MaxBody:       64 << 20, // 35 MB of message, in base64
	}}
}
