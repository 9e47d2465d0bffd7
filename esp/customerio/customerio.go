// Package customerio is the adapter for Customer.io's reporting webhooks.
//
// Customer.io signs time and body with the webhook's own key
// (https://docs.customer.io/journeys/webhooks/). It posts no received mail.
//
// Setup, mapping and limits:
// https://github.com/goanymail/anymail/blob/main/docs/esps/customerio.md
package customerio

import (
	"context"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "customerio"

// Config configures the adapter. Its zero value works if the Dispatcher has a shared
// secret, but then nothing checks the signatures.
type Config struct {
	// SigningKeys are the signing keys of reporting webhooks, as Customer.io shows
	// them. Any of them is accepted.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one Customer.io workspace.
type Adapter struct {
	config Config
}

// New returns an adapter. It returns [anymail.ErrConfig] if a key is empty or has
// white space around it.
func New(config Config) (*Adapter, error) {
	if err := verify.CheckKeys(config.SigningKeys, "customerio.Config.SigningKeys", nil); err != nil {
		return nil, err
	}
	return &Adapter{config}, nil
}

// ESP returns "customerio".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns tracking.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:         "tracking",
		Patience:     patience,
		ContentTypes: []string{"application/json"},
		Parser: anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
			return wire.AtLeastOne(wire.Batch(p, fill))
		}),
		// Two attempts within a second have the same signature.
		RepeatsSignature: true,
		// After these, Customer.io waits an hour, and later events wait with it. It
		// does after 400 too, but that is what a forgery is answered with.
		MapStatus: esp.Replace(http.StatusServiceUnavailable,
			http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError),
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.HMAC{
			Keys:       a.config.SigningKeys,
			Signatures: verify.HexHeader("X-CIO-Signature"),
			SignedAt:   verify.UnixHeader(timestampHeader),
			Content:    signed,
		}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}

const timestampHeader = "X-CIO-Timestamp"

var timeAndBody = verify.HeadersAndBody(":", timestampHeader)

// signed returns what a signature covers: "v0:", the timestamp, ":" and the body.
func signed(p *anymail.Payload) ([][]byte, error) {
	chunks, err := timeAndBody(p)
	if err != nil {
		return nil, err
	}
	return append([][]byte{[]byte("v0:")}, chunks...), nil
}
