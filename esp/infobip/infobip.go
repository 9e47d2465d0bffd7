// Package infobip is the adapter for Infobip Email.
//
// Infobip can sign its webhooks, but documents neither the header nor what is signed.
// A shared secret protects them: in the URL, or as the credentials of a subscription.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/infobip.md
package infobip

import "github.com/goanymail/anymail"

// ESP is the canonical name of the adapter.
const ESP = "infobip"

// Config has no settings.
type Config struct{}

// Adapter is the adapter for Infobip.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) { return &Adapter{}, nil }

// ESP returns "infobip".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking, for delivery reports and user events, and inbound.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parseTracking),
		ContentTypes: []string{"application/json"},
	}, {
		Path:         "inbound",
		Parser:       anymail.ParserFunc(parseInbound),
		ContentTypes: []string{"multipart/form-data"},
		MaxBody:      64 << 20, // a large message, with attachments
	}}
}
