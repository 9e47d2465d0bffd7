package lettermint

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any webhook about a sent message.
// https://docs.lettermint.co/platform/webhooks/events
type event struct {
	ID        wire.Text         `json:"id"`
	Event     string            `json:"event"`
	Timestamp wire.RFC3339      `json:"timestamp"`
	CreatedAt wire.RFC3339      `json:"created_at"` // in place of timestamp, until 2025
	Data      wire.Object[data] `json:"data"`
}

type data struct {
	MessageID wire.Text     `json:"message_id"`
	Recipient wire.Text     `json:"recipient"`
	To        wire.Strings  `json:"to"` // of message.created, which has no recipient
	Tag       wire.Text     `json:"tag"`
	Metadata  wire.Metadata `json:"metadata"`
	Reason    wire.Text     `json:"reason"`

	Response       wire.Object[response] `json:"response"`
	OpenedAt       wire.RFC3339          `json:"opened_at"`
	ClickedAt      wire.RFC3339          `json:"clicked_at"`
	UnsubscribedAt wire.RFC3339          `json:"unsubscribed_at"`
	URL            wire.Text             `json:"destination_url"`
	UserAgent      wire.Text             `json:"user_agent"`
	Bot            wire.Object[bot]      `json:"bot"`
}

// response is the answer of the receiving server. The SDKs differ on where its text is.
type response struct {
	Code     wire.Number `json:"status_code"`
	Enhanced wire.Text   `json:"enhanced_status_code"`
	Content  wire.Text   `json:"content"`
	Message  wire.Text   `json:"message"`
}

type bot struct {
	Detected wire.Text `json:"detected"`
	Machine  wire.Text `json:"machine"`
}

var outcomes = map[string]wire.Outcome{
	"message.created":         {Type: anymail.EventQueued},
	"message.sent":            {Type: anymail.EventSent},
	"message.delivered":       {Type: anymail.EventDelivered},
	"message.soft_bounced":    {Type: anymail.EventDeferred, Category: anymail.BounceSoft}, // a temporary failure
	"message.hard_bounced":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"message.failed":          {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"message.suppressed":      {Type: anymail.EventRejected},
	"message.policy_rejected": {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"message.spam_complaint":  {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"message.unsubscribed":    {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"message.auto_replied":    {Type: anymail.EventAutoresponded},
	"message.opened":          {Type: anymail.EventOpened},
	"message.clicked":         {Type: anymail.EventClicked},
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	outcomes[w.Event].Apply(ev)
	ev.ID = string(w.ID)
	ev.Timestamp = cmp.Or(d.OpenedAt.Time, d.ClickedAt.Time, d.UnsubscribedAt.Time, w.Timestamp.Time, w.CreatedAt.Time)
	ev.MessageID = string(d.MessageID)
	ev.Recipient = string(d.Recipient)
	if ev.Recipient == "" && len(d.To) > 0 {
		ev.Recipient = d.To[0]
	}
	if d.Tag != "" {
		ev.Tags = []string{string(d.Tag)}
	}
	ev.Metadata = d.Metadata.Event()
	ev.ClickURL = string(d.URL)
	ev.UserAgent = string(d.UserAgent)
	ev.Automated = wire.AnyOf(d.Bot.Value.Detected, d.Bot.Value.Machine)
	if w.Event == "message.suppressed" {
		ev.RejectReason = wire.Suppression(string(d.Reason))
	}
	fillResponse(&d.Response.Value, ev)
	ev.Description = cmp.Or(string(d.Reason), ev.MTAResponse)
}

func fillResponse(r *response, ev *anymail.TrackingEvent) {
	if text := cmp.Or(r.Content, r.Message); text != "" {
		wire.Answer(ev, string(text))
		ev.MTAResponse = string(text)
	}
	if code := r.Code.Int(); code > 0 {
		ev.Bounce.SMTPCode = code
	}
	if code := wire.EnhancedCode(string(r.Enhanced)); code != "" {
		ev.Bounce.EnhancedCode = code
	}
}
