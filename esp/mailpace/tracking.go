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

// parseTracking returns an event for each recipient: MailPace posts one for all.
func parseTracking(p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	return wire.AtLeastOne(wire.EventsPerRecipient(elements, p.Limits, fill))
}

func fill(w *event, ev *anymail.TrackingEvent) (recipients []string) {
	d := &w.Payload.Value
	outcomes[w.Event].Apply(ev)
	ev.Timestamp = cmp.Or(d.UpdatedAt.Time, d.CreatedAt.Time)
	ev.MessageID = string(d.ID)
	ev.Tags = d.Tags
	if d.ID != "" {
		ev.Key = anymail.EventKey(ESP, string(d.ID), w.Event, ev.Timestamp.Format(time.RFC3339Nano))
	}
	for _, recipient := range inbound.Addresses(string(d.To)) {
		recipients = append(recipients, recipient.Address)
	}
	if recipients == nil {
		recipients = []string{string(d.To)}
	}
	return recipients
}
