package mailpace

import (
	"cmp"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// event is any webhook about a sent message.
// https://docs.mailpace.com/guide/webhooks
type event struct {
	Event   string               `json:"event"`
	Payload wire.Object[payload] `json:"payload"`
}

type payload struct {
	ID        wire.Text    `json:"id"` // that the send API returned
	CreatedAt wire.RFC3339 `json:"created_at"`
	UpdatedAt wire.RFC3339 `json:"updated_at"`
	To        wire.Text    `json:"to"` // a list with commas
	Tags      wire.Strings `json:"tags"`
}

var outcomes = map[string]wire.Outcome{
	"email.queued":    {Type: anymail.EventQueued},
	"email.delivered": {Type: anymail.EventDelivered},
	"email.deferred":  {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"email.bounced":   {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"email.spam":      {Type: anymail.EventRejected, Reason: anymail.RejectBlocked}, // MailPace's own filter; no recipient complained
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Payload.Value
	outcomes[w.Event].Apply(ev)
	ev.Timestamp = cmp.Or(d.UpdatedAt.Time, d.CreatedAt.Time)
	ev.MessageID = string(d.ID)
	ev.Recipient = string(d.To)
	ev.Tags = d.Tags
	if d.ID != "" {
		ev.Key = anymail.EventKey(ESP, string(d.ID), w.Event, ev.Timestamp.Format(time.RFC3339Nano))
	}
}

// parseTracking returns an event for each recipient: MailPace posts one for all.
func parseTracking(p *anymail.Payload) ([]anymail.Event, error) {
	events, err := wire.AtLeastOne(wire.Batch(p, fill))
	if err != nil {
		return nil, err
	}
	var all []anymail.Event
	for _, one := range events {
		ev, ok := one.(*anymail.TrackingEvent)
		if !ok {
			continue // there are no others
		}
		var recipients []string
		for _, recipient := range inbound.Addresses(ev.Recipient) {
			recipients = append(recipients, recipient.Address)
		}
		if recipients == nil {
			recipients = []string{ev.Recipient}
		}
		for _, its := range wire.PerRecipient(ev, recipients) {
			if its.Key != "" {
				its.Key = anymail.EventKey(ESP, its.Key, its.Recipient)
			}
			all = append(all, its)
		}
	}
	return all, wire.AtMost(p.Limits, len(all))
}
