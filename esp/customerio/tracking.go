package customerio

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any reporting webhook; ObjectType and Metric together say which.
// https://docs.customer.io/api/webhooks/
type event struct {
	ID         wire.Text         `json:"event_id"`
	ObjectType string            `json:"object_type"`
	Metric     string            `json:"metric"`
	Timestamp  wire.Unix         `json:"timestamp"`
	Data       wire.Object[data] `json:"data"`
}

type data struct {
	DeliveryID     wire.Text                `json:"delivery_id"`
	Recipient      wire.Text                `json:"recipient"`
	EmailAddress   wire.Text                `json:"email_address"` // of a customer
	Identifiers    wire.Object[identifiers] `json:"identifiers"`
	FailureMessage wire.Text                `json:"failure_message"`
	Href           wire.Text                `json:"href"`

	// Whether a program opened or clicked. Synthetic is not here: it is an open
	// that Customer.io infers from a click.
	Proxied    wire.Text `json:"proxied"`
	Prefetched wire.Text `json:"prefetched"`
	Machine    wire.Text `json:"machine"`

	origin anymail.Metadata
}

type identifiers struct {
	Email wire.Text `json:"email"`
}

// origins are the members that say what the message belongs to.
var origins = map[string]bool{
	"customer_id": true, "campaign_id": true, "broadcast_id": true, "newsletter_id": true, "transactional_message_id": true,
	"action_id": true, "parent_action_id": true, "content_id": true, "journey_id": true, "trigger_id": true, "trigger_event_id": true,
}

// Other implements [wire.Others].
func (d *data) Other(name, value string) {
	if !origins[name] {
		return
	}
	if id := wire.Any(value); id != nil {
		if d.origin == nil {
			d.origin = anymail.Metadata{}
		}
		d.origin[name] = id
	}
}

// The names of outcomes are object_type and metric. Those of other channels (push,
// SMS, in-app messages, ...) are unknown.
var outcomes = map[string]wire.Outcome{
	"email_attempted":       {Type: anymail.EventDeferred, Category: anymail.BounceSoft}, // Customer.io tries again
	"email_sent":            {Type: anymail.EventSent},
	"email_delivered":       {Type: anymail.EventDelivered},
	"email_bounced":         {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"email_dropped":         {Type: anymail.EventRejected}, // a suppressed recipient
	"email_undeliverable":   {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"email_failed":          {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"email_opened":          {Type: anymail.EventOpened},
	"email_clicked":         {Type: anymail.EventClicked},
	"email_spammed":         {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"email_unsubscribed":    {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"customer_unsubscribed": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"customer_subscribed":   {Type: anymail.EventSubscribed},
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	outcomes[w.ObjectType+"_"+w.Metric].Apply(ev)
	ev.ID = string(w.ID)
	ev.Timestamp = w.Timestamp.Time
	ev.MessageID = string(d.DeliveryID)
	ev.Recipient = string(cmp.Or(d.Recipient, d.EmailAddress, d.Identifiers.Value.Email))
	ev.Metadata = d.origin
	ev.Description = string(d.FailureMessage)

	switch ev.Type {
	case anymail.EventBounced, anymail.EventDeferred:
		wire.Answer(ev, ev.Description)
	case anymail.EventRejected:
		if ev.RejectReason == "" {
			ev.RejectReason = wire.Suppression(ev.Description)
		}
	case anymail.EventOpened:
		ev.Automated = wire.AnyOf(d.Proxied, d.Prefetched)
	case anymail.EventClicked:
		ev.ClickURL = string(d.Href)
		ev.Automated = wire.AnyOf(d.Machine)
	}
}
