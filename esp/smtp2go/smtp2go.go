// Package smtp2go is the adapter for SMTP2GO.
//
// SMTP2GO does not sign its webhooks; a shared secret in the URL protects them
// (https://developers.smtp2go.com/docs/webhooks-overview).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/smtp2go.md
package smtp2go

import "github.com/goanymail/anymail"

// ESP is the canonical name of the adapter.
const ESP = "smtp2go"

// Config has no settings.
type Config struct{}

// Adapter is the adapter for SMTP2GO.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) { return &Adapter{}, nil }

// ESP returns "smtp2go".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"},
		Patience:     patience,
	}}
}
