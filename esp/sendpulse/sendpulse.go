// Package sendpulse is the adapter for SendPulse: for its SMTP service, and for the
// campaigns of its email service.
//
// SendPulse does not sign its webhooks; a shared secret in the URL protects them.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/sendpulse.md
package sendpulse

import "github.com/goanymail/anymail"

// ESP is the canonical name of the adapter.
const ESP = "sendpulse"

// Config has no settings.
type Config struct{}

// Adapter is the adapter for SendPulse.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) { return &Adapter{}, nil }

// ESP returns "sendpulse".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parseTracking),
		ContentTypes: []string{"application/json"},
	}}
}
