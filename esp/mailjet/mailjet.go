// Package mailjet is the adapter for Mailjet.
//
// Mailjet does not sign its webhooks; they are protected by a shared secret in
// the URL (https://dev.mailjet.com/email/guides/webhooks/).
package mailjet

import "github.com/goanymail/anymail"

// ESP is the canonical name of the adapter.
const ESP = "mailjet"

// Config is what the adapter has to know: nothing.
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
		MaxBody:      64 << 20, // a large message, whose attachments are in base64
	}}
}
