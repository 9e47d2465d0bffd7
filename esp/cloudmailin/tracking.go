package cloudmailin

import (
	"context"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is one of the list "events". Only its first three members are documented.
// https://docs.cloudmailin.com/outbound/sending_email_events_webhook/
type event struct {
	Kind      string       `json:"kind"`
	Recipient wire.Text    `json:"recipient"`
	MessageID wire.Text    `json:"message_id"`
	Timestamp wire.RFC3339 `json:"timestamp"`
	Details   wire.Text    `json:"details"`
	URL       wire.Text    `json:"url"`
}

var outcomes = map[string]wire.Outcome{
	"registration":         {Type: anymail.EventQueued},
	"dispatch":             {Type: anymail.EventSent},
	"rate_limit":           {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"delivery":             {Type: anymail.EventDelivered},
	"soft_bounce":          {Type: anymail.EventDeferred, Category: anymail.BounceSoft}, // CloudMailin tries again
	"dispatch_soft_bounce": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"bounce":               {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"retries_exhausted":    {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"error":                {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	// An earlier bounce, the content, or a domain that is not verified.
	"suppressed": {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"open":       {Type: anymail.EventOpened},
	"read":       {Type: anymail.EventOpened}, // open for some time
	"click":      {Type: anymail.EventClicked},
	"auto_reply": {Type: anymail.EventAutoresponded},
	// Documented until 2026.
	"blocked":         {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	"spamd":           {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"complaint":       {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"dispatch_bounce": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
}

func parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	body, err := wire.Split(p.Body, p.Limits) // checks the whole body
	if err != nil {
		return nil, err
	}
	if len(body) != 1 || wire.Member(body[0], "events") == nil {
		return nil, anymail.Malformed("no list of events", nil)
	}
	elements, err := wire.Split(wire.Member(body[0], "events"), p.Limits)
	return wire.AtLeastOne(wire.Events(elements, fill), err)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	outcomes[w.Kind].Apply(ev)
	ev.Timestamp = w.Timestamp.Time
	ev.MessageID, ev.Recipient = string(w.MessageID), string(w.Recipient)
	ev.Description = string(w.Details)
	if ev.Type == anymail.EventBounced || ev.Type == anymail.EventDeferred {
		wire.Answer(ev, ev.Description)
	}
	if ev.Type == anymail.EventClicked {
		ev.ClickURL = string(w.URL)
	}
}
