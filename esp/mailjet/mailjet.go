// Package mailjet is the adapter for Mailjet.
//
// Mailjet does not sign its webhooks; a shared secret in the URL protects them
// (https://dev.mailjet.com/email/guides/webhooks/).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailjet.md
package mailjet

import "github.com/goanymail/anymail"

// ESP is the canonical name of the adapter.
const ESP = "mailjet"

// Config has no settings.
type Config struct{}

// Adapter is the adapter for Mailjet.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) {
	return &Adapter{}, nil
}

// ESP returns "mailjet".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, for the Event API, and inbound, for the Parse API.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parseTracking),
		ContentTypes: []string{"application/json"},
	}, {
		Path:         "inbound",
		Parser:       anymail.ParserFunc(parseInbound),
		ContentTypes: []string{"application/json"},
		MaxBody:      64 << 20, // a large message, with attachments in base64
	}}
}
