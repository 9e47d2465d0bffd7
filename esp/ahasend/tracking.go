package ahasend

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any webhook about sent mail.
// https://github.com/AhaSend/ahasend-go/blob/main/openapi/webhooks.yaml
type event struct {
	Type      string            `json:"type"`
	Timestamp wire.RFC3339      `json:"timestamp"`
	Data      wire.Object[data] `json:"data"`
}

type data struct {
	ID        wire.Text `json:"id"`
	MessageID wire.Text `json:"message_id_header"` // that the send API returned
	Recipient wire.Text `json:"recipient"`
	Reason    wire.Text `json:"reason"` // of suppression.created
	URL       wire.Text `json:"url"`
	UserAgent wire.Text `json:"user_agent"`
	IP        wire.Text `json:"ip"`
	IsBot     wire.Text `json:"is_bot"` // means something in opens and clicks only
}

var outcomes = map[string]wire.Outcome{
	"message.reception":       {Type: anymail.EventQueued},
	"message.delivered":       {Type: anymail.EventDelivered},
	"message.transient_error": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"message.failed":          {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}, // a permanent failure
	"message.bounced":         {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"message.suppressed":      {Type: anymail.EventRejected, Reason: anymail.RejectBlocked}, // after bounces, or by hand
	"message.opened":          {Type: anymail.EventOpened},
	"message.clicked":         {Type: anymail.EventClicked},
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	outcomes[w.Type].Apply(ev)
	ev.Timestamp = w.Timestamp.Time
	ev.MessageID = wire.TrimID(string(cmp.Or(d.MessageID, d.ID)))
	ev.Recipient = string(d.Recipient)
	ev.Description = string(d.Reason)
	if ev.Type == anymail.EventOpened || ev.Type == anymail.EventClicked {
		ev.ClickURL = string(d.URL)
		ev.UserAgent = string(d.UserAgent)
		ev.IP = wire.Addr(string(d.IP))
		ev.Automated = wire.AnyOf(d.IsBot)
	}
}
