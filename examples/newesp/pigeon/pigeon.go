// Package pigeon is the adapter for Pigeon, an ESP that does not exist. It is outside
// the anymail module, like an adapter of your own.
//
// Pigeon posts JSON arrays of events and signs them: X-Pigeon-Signature is the
// hexadecimal HMAC-SHA256 of X-Pigeon-Time, a dot, and the body.
package pigeon

import (
	"context"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
	"github.com/goanymail/anymail/wire"
)

// ESP is the canonical name of the adapter.
const ESP = "pigeon"

// Config configures the adapter.
type Config struct {
	// SigningKeys are the signing keys of the webhook, any of which may match.
	SigningKeys anymail.KeySource
}

// Adapter is the adapter for one Pigeon account.
type Adapter struct{ config Config }

// New returns an adapter.
func New(config Config) (*Adapter, error) { return &Adapter{config}, nil }

// ESP returns "pigeon".
func (*Adapter) ESP() string { return ESP }

// Endpoints returns the tracking endpoint.
func (a *Adapter) Endpoints() []anymail.Endpoint {
	tracking := anymail.Endpoint{
		Path:         "tracking",
		Parser:       anymail.ParserFunc(parse),
		ContentTypes: []string{"application/json"},
	}
	if a.config.SigningKeys != nil {
		tracking.Verifier = verify.HMAC{
			Keys:       a.config.SigningKeys,
			Signatures: verify.HexHeader("X-Pigeon-Signature"),
			Content:    verify.HeadersAndBody(".", "X-Pigeon-Time"),
			SignedAt:   verify.UnixHeader("X-Pigeon-Time"),
		}.Verifier()
	}
	return []anymail.Endpoint{tracking}
}

// event is one event on the wire.
type event struct {
	ID      string        `json:"id"`
	Event   string        `json:"event"`
	Time    wire.Unix     `json:"time"`
	Letter  string        `json:"letter"`
	To      string        `json:"to"`
	Reason  string        `json:"reason"`
	Answer  string        `json:"answer"`
	Labels  wire.Strings  `json:"labels"`
	Details wire.Metadata `json:"details"`
}

var events = map[string]wire.Outcome{
	"took_off": {Type: anymail.EventSent},
	"landed":   {Type: anymail.EventDelivered},
	"returned": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"lost":     {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"read":     {Type: anymail.EventOpened},
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	return wire.Batch(p, func(w *event, ev *anymail.TrackingEvent) {
		events[w.Event].Apply(ev)
		ev.ID, ev.Timestamp = w.ID, w.Time.Time
		ev.MessageID, ev.Recipient, ev.Description = w.Letter, w.To, w.Reason
		wire.Answer(ev, w.Answer)
		ev.Tags, ev.Metadata = w.Labels, w.Details.Event()
	})
}
