package loops

import (
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any of Loops' events. https://loops.so/docs/webhooks
type event struct {
	Name    wire.Text            `json:"eventName"`
	Time    wire.Unix            `json:"eventTime"`
	Contact wire.Object[contact] `json:"contactIdentity"`
	Email   wire.Object[email]   `json:"email"`
	List    wire.Object[list]    `json:"mailingList"`

	SourceType      wire.Text `json:"sourceType"`
	CampaignID      wire.Text `json:"campaignId"`
	LoopID          wire.Text `json:"loopId"`
	TransactionalID wire.Text `json:"transactionalId"`
}

type contact struct {
	ID     wire.Text `json:"id"`
	Email  wire.Text `json:"email"`
	UserID wire.Text `json:"userId"`
}

// email is the message. Its emailMessageId is that of the content, which all
// recipients share.
type email struct {
	ID wire.Text `json:"id"`
}

type list struct {
	ID   wire.Text `json:"id"`
	Name wire.Text `json:"name"`
}

var types = map[wire.Text]wire.Outcome{
	"email.delivered":                  {Type: anymail.EventDelivered},
	"email.softBounced":                {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"email.hardBounced":                {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"email.opened":                     {Type: anymail.EventOpened},
	"email.clicked":                    {Type: anymail.EventClicked},
	"email.spamReported":               {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"email.unsubscribed":               {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"email.resubscribed":               {Type: anymail.EventSubscribed},
	"contact.unsubscribed":             {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"contact.mailingList.unsubscribed": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"contact.mailingList.subscribed":   {Type: anymail.EventSubscribed},
	"transactional.email.sent":         {Type: anymail.EventSent},
	"campaign.email.sent":              {Type: anymail.EventSent},
	"loop.email.sent":                  {Type: anymail.EventSent},
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var id string
	if len(elements) == 1 { // as Loops posts it: the id is the request's
		id = p.Header.Get("Webhook-Id")
	}
	return wire.AtLeastOne(wire.Events(elements, func(w *event, ev *anymail.TrackingEvent) {
		ev.ID = id
		fill(w, ev)
	}), nil)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	types[w.Name].Apply(ev)
	ev.Timestamp = w.Time.Time
	ev.MessageID = string(w.Email.Value.ID)
	ev.Recipient = string(w.Contact.Value.Email)
	if strings.HasPrefix(string(w.Name), "contact.mailingList.") {
		ev.Description = string(w.List.Value.Name)
	}
	metadata := anymail.Metadata{}
	for name, value := range map[string]wire.Text{
		"contactId": w.Contact.Value.ID, "userId": w.Contact.Value.UserID, "mailingListId": w.List.Value.ID,
		"sourceType": w.SourceType, "campaignId": w.CampaignID, "loopId": w.LoopID, "transactionalId": w.TransactionalID,
	} {
		if value != "" {
			metadata[name] = string(value)
		}
	}
	if len(metadata) > 0 {
		ev.Metadata = metadata
	}
}
