// Package cloudmailin is the adapter for CloudMailin.
//
// CloudMailin does not sign its webhooks; a shared secret in the URL protects them
// (https://docs.cloudmailin.com/receiving_email/securing_your_email_url_target/).
// Received mail is in the request: in parts, or as it was received.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/cloudmailin.md
package cloudmailin

import (
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// ESP is the canonical name of the adapter.
const ESP = "cloudmailin"

// Config has no settings.
type Config struct{}

// Adapter is the adapter for CloudMailin.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) { return &Adapter{}, nil }

// ESP returns "cloudmailin".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking and inbound.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parseTracking),
		ContentTypes: []string{"application/json"},
	}, {
		Path:         "inbound",
		Parser:       anymail.ParserFunc(parseInbound),
		ContentTypes: []string{"application/json", "multipart/form-data"},
		MaxBody:      80 << 20, // 50 MB of message, with attachments in base64
		// The sender of the message is waiting. At a 4xx, CloudMailin bounces the
		// message; at a 503, the sender's server tries again.
		// https://docs.cloudmailin.com/receiving_email/http_status_codes/
		MapStatus: esp.ReplaceClientErrors(http.StatusServiceUnavailable),
	}}
}
