package mailchannels

import (
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is an element of a batch.
// https://docs.mailchannels.net/email-api/advanced/delivery-events
type event struct {
	Event      wire.Text    `json:"event"`
	Timestamp  wire.Unix    `json:"timestamp"`
	RequestID  wire.Text    `json:"request_id"`
	SMTPID     wire.Text    `json:"smtp_id"`
	CampaignID wire.Text    `json:"campaign_id"`
	Recipients wire.Strings `json:"recipients"` // "email" is the sender
	Status     wire.Text    `json:"status"`
	Reason     wire.Text    `json:"reason"`
	URL        wire.Text    `json:"url"`
	UserAgent  wire.Text    `json:"user_agent"`
	IP         wire.Text    `json:"ip"`
}

var types = map[wire.Text]wire.Outcome{
	"processed":    {Type: anymail.EventSent},
	"delivered":    {Type: anymail.EventDelivered},
	"hard-bounced": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"soft-bounced": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"dropped":      {Type: anymail.EventRejected},
	"complained":   {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"unsubscribed": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"open":         {Type: anymail.EventOpened},
	"click":        {Type: anymail.EventClicked},
}

// parse makes one event for each recipient of each element.
func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var events []anymail.Event
	for _, element := range elements {
		var recipients []string
		made := wire.Events([][]byte{element}, func(w *event, ev *anymail.TrackingEvent) {
			fill(w, ev)
			recipients = w.Recipients
		})
		if len(recipients) == 0 {
			events = append(events, made...)
		}
		for _, recipient := range recipients {
			one := *made[0].(*anymail.TrackingEvent)
			one.Recipient = recipient
			one.Key = anymail.EventKey(ESP, string(element), recipient)
			events = append(events, &one)
		}
		if err := wire.AtMost(p.Limits, len(events)); err != nil {
			return nil, err
		}
	}
	return wire.AtLeastOne(events, nil)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	types[w.Event].Apply(ev)
	ev.Timestamp = w.Timestamp.Time
	ev.MessageID = wire.TrimID(string(w.SMTPID))
	if w.CampaignID != "" {
		ev.Tags = []string{string(w.CampaignID)}
	}
	switch ev.Type {
	case anymail.EventRejected:
		ev.RejectReason = wire.Suppression(string(w.Reason))
	case anymail.EventBounced, anymail.EventDeferred, anymail.EventDelivered:
		if w.Status != "" {
			wire.Answer(ev, strings.TrimSpace(string(w.Status+" "+w.Reason)))
		}
	}
	ev.Description = string(w.Reason)
	ev.ClickURL = string(w.URL)
	ev.UserAgent = string(w.UserAgent)
	ev.IP = wire.Addr(string(w.IP))
}
