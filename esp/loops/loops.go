// Package loops is the adapter for Loops (loops.so).
//
// Loops signs its webhooks by Standard Webhooks (https://loops.so/docs/webhooks).
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/loops.md
package loops

import (
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
)

// ESP is the canonical name of the adapter.
const ESP = "loops"

// Config configures the adapter. Its zero value works if the Dispatcher has a
// shared secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the signing secrets ("whsec_...") of the webhook. Any of
	// them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one Loops account.
type Adapter struct{ config Config }

// New returns an adapter. It returns [anymail.ErrConfig] if a secret is empty or not
// base64.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "loops.Config.SigningKeys", verify.CheckWebhookSecret); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "loops".
func (*Adapter) ESP() string { return ESP }

// Loops does not document which answers it takes as final. The user can fix a wrong
// address list, and the rate drops.
var mapStatus = esp.Replace(http.StatusServiceUnavailable, http.StatusForbidden, http.StatusTooManyRequests)

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
		MapStatus:    mapStatus,
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.StandardWebhooks{Keys: a.config.SigningKeys}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}
