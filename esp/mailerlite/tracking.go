package mailerlite

import (
	"cmp"
	"context"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any of MailerLite's events. Most have the subscriber's members among their
// own, others in a member "subscriber".
// https://developers.mailerlite.com/docs/webhooks.html
type event struct {
	Event      wire.Text               `json:"event"`
	Type       wire.Text               `json:"type"` // in place of event, in events with a subscriber
	Subscriber wire.Object[subscriber] `json:"subscriber"`
	Group      wire.Object[named]      `json:"group"`
	Automation wire.Object[named]      `json:"automation"`
	Name       wire.Text               `json:"name"` // of the campaign, in campaign.sent
	Date       wire.RFC3339            `json:"date"`

	subscriber
}

type subscriber struct {
	Email          wire.Text     `json:"email"`
	Status         wire.Text     `json:"status"`
	IP             wire.Text     `json:"ip_address"`
	OptInIP        wire.Text     `json:"optin_ip"`
	Fields         wire.Metadata `json:"fields"`
	CreatedAt      wire.RFC3339  `json:"created_at"`
	UpdatedAt      wire.RFC3339  `json:"updated_at"`
	UnsubscribedAt wire.RFC3339  `json:"unsubscribed_at"`
	DeletedAt      wire.RFC3339  `json:"deleted_at"`
}

type named struct {
	Name wire.Text `json:"name"`
}

const created = "subscriber.created"

// https://developers.mailerlite.com/docs/webhooks.html#available-events
var outcomes = map[wire.Text]wire.Outcome{
	created:                    {Type: anymail.EventSubscribed}, // if the subscriber is active
	"subscriber.active":        {Type: anymail.EventSubscribed},
	"subscriber.unsubscribed":  {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"subscriber.bounced":       {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"subscriber.spam_reported": {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"campaign.open":            {Type: anymail.EventOpened},
	"campaign.click":           {Type: anymail.EventClicked},
}

// parse reads an event, or several in a member "events".
func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	if list := wire.Member(p.Body, "events"); len(list) > 0 && list[0] == '[' {
		if elements, err = wire.Split(list, p.Limits); err != nil {
			return nil, err
		}
	}
	return wire.AtLeastOne(wire.Events(elements, fill), nil)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	name := cmp.Or(w.Event, w.Type)
	s := &w.subscriber
	if w.Subscriber.Value.Email != "" {
		s = &w.Subscriber.Value
	}
	if name != created || s.Status == "active" {
		outcomes[name].Apply(ev)
	}
	ev.Timestamp = w.time(name)
	ev.Recipient = string(s.Email)
	ev.Metadata = s.Fields.Event()
	ev.Description = string(cmp.Or(w.Group.Value.Name, w.Automation.Value.Name, w.Name))
	if ev.Type == anymail.EventSubscribed {
		ev.IP = cmp.Or(wire.Addr(string(s.OptInIP)), wire.Addr(string(s.IP)))
	}
}

// time returns when the event happened. Only changes of the subscriber have a time:
// that of the change is the subscriber's last one.
func (w *event) time(name wire.Text) time.Time {
	s := &w.subscriber
	switch name {
	case created:
		return s.CreatedAt.Time
	case "subscriber.unsubscribed":
		return cmp.Or(s.UnsubscribedAt.Time, s.UpdatedAt.Time)
	case "subscriber.deleted":
		return cmp.Or(s.DeletedAt.Time, s.UpdatedAt.Time)
	case "subscriber.active", "subscriber.updated", "subscriber.bounced", "subscriber.spam_reported":
		return s.UpdatedAt.Time
	}
	return w.Date.Time
}
