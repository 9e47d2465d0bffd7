// Package mailchimp is the adapter for Mailchimp's marketing platform. Mailchimp
// Transactional is [github.com/goanymail/anymail/esp/mandrill].
//
// Mailchimp reports changes of an audience. It signs nothing; a shared secret in the
// URL protects the webhook
// (https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/mailchimp.md
package mailchimp

import (
	"context"
	"net/http"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// ESP is the canonical name of the adapter.
const ESP = "mailchimp"

const patience = 10 * time.Second

// Config has no settings.
type Config struct{}

// Adapter is the adapter for Mailchimp.
type Adapter struct{}

// New returns an adapter. It never fails.
func New(Config) (*Adapter, error) { return &Adapter{}, nil }

// ESP returns "mailchimp".
func (*Adapter) ESP() string { return ESP }

// Mailchimp does not document which answers it takes as final. The user can fix a wrong
// address list, and the rate drops.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden, http.StatusTooManyRequests)

// Endpoints returns tracking.
func (*Adapter) Endpoints() []anymail.Endpoint {
	return []anymail.Endpoint{{
		Path:      "tracking",
		Parser:    anymail.ParserFunc(parse),
		Patience:  patience,
		MapStatus: mapStatus,
		Probes:    []string{http.MethodGet}, // when the webhook is saved
		Handshake: answerTest,
	}}
}

// answerTest answers an empty body: by some reports Mailchimp posts one when the
// webhook is saved.
func answerTest(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if len(p.Body) == 0 {
		return &anymail.Reply{}, nil
	}
	return nil, nil
}
