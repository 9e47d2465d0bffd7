package mailersend

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// webhook is any of MailerSend's webhooks except inbound messages, in version 2
// or in version 1, which MailerSend ends on 2026-12-01. Only the form of data.email
// tells the versions apart.
// https://developers.mailersend.com/api/v1/webhooks.html#payload-example
type webhook struct {
	Type      wire.Text             `json:"type"`
	CreatedAt wire.RFC3339          `json:"created_at"` // of the attempt in version 1
	Data      wire.Object[activity] `json:"data"`
}

type activity struct {
	ID        wire.Text    `json:"id"`
	Type      wire.Text    `json:"type"`
	CreatedAt wire.RFC3339 `json:"created_at"`
	MessageID wire.Text    `json:"message_id"`
	Recipient address      `json:"recipient"`
	Email     email        `json:"email"`
	Address   address      `json:"address"` // the address that was verified
	Tags      wire.Strings `json:"tags"`
	Reason    wire.Text    `json:"reason"`             // of a received message that was rejected
	InboundID wire.Text    `json:"inbound_message_id"` // of one that was not forwarded

	Meta  wire.Object[meta]  `json:"meta"`
	Morph wire.Object[morph] `json:"morph"`
}

// meta is what version 2 adds.
type meta struct {
	URL               wire.Text   `json:"url"`
	UserAgent         wire.Text   `json:"user_agent"`
	IP                wire.Text   `json:"ip"`
	BounceCode        wire.Number `json:"bounce_code"`
	BounceReason      wire.Text   `json:"bounce_reason"`
	RejectReason      wire.Text   `json:"reject_reason"`
	SuppressionReason wire.Text   `json:"suppression_reason"`
	UnsubscribeReason wire.Text   `json:"unsubscribe_reason"`
	Reason            wire.Text   `json:"reason"`
}

// morph is what version 1 adds.
type morph struct {
	URL            wire.Text `json:"url"`
	IP             wire.Text `json:"ip"`
	Reason         wire.Text `json:"reason"`
	ReadableReason wire.Text `json:"readable_reason"`
}

// email is the message in version 1. In version 2 it is documented as the
// recipient's address; real webhooks have that in "recipient".
type email struct {
	address address
	v1      *legacy
}

type legacy struct {
	Tags      wire.Strings         `json:"tags"`
	Recipient address              `json:"recipient"`
	Message   wire.Object[message] `json:"message"`
}

type message struct {
	ID wire.Text `json:"id"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (e *email) UnmarshalJSON(b []byte) error {
	*e = email{}
	if b[0] == '{' {
		e.v1 = new(legacy)
		return wire.Unmarshal(b, e.v1)
	}
	return e.address.UnmarshalJSON(b)
}

// address is a string, or the "email" of an object.
type address string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *address) UnmarshalJSON(b []byte) error {
	*a = ""
	if b[0] == '"' {
		return wire.Unmarshal(b, (*string)(a))
	}
	var object wire.Object[mailbox]
	err := wire.Unmarshal(b, &object)
	*a = address(object.Value.Email)
	return err
}

// https://developers.mailersend.com/api/v1/webhooks.html#available-events
var types = map[wire.Text]wire.Outcome{
	"activity.sent":            {Type: anymail.EventSent},
	"activity.delivered":       {Type: anymail.EventDelivered},
	"activity.deferred":        {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"activity.soft_bounced":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"activity.hard_bounced":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"activity.suppressed":      {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"activity.opened":          {Type: anymail.EventOpened},
	"activity.opened_unique":   {Type: anymail.EventOpened},
	"activity.clicked":         {Type: anymail.EventClicked},
	"activity.clicked_unique":  {Type: anymail.EventClicked},
	"activity.unsubscribed":    {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"activity.spam_complaint":  {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"activity.spam_complaints": {Type: anymail.EventComplained, Reason: anymail.RejectSpam}, // as in data.type
	"inbound_forward.failed":   {Type: anymail.EventInboundFailed},
	"inbound_message.rejected": {Type: anymail.EventInboundFailed},
}

func fill(w *webhook, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	meta, morph := &d.Meta.Value, &d.Morph.Value
	name := w.Type
	if name == "" && d.Type != "" {
		name = "activity." + d.Type
	}
	outcome, known := types[name]
	outcome.Apply(ev)
	ev.ID = string(d.ID)
	ev.Timestamp = w.CreatedAt.Time
	ev.MessageID = string(d.MessageID)
	ev.Recipient = string(cmp.Or(d.Recipient, d.Email.address, d.Address))
	ev.Tags = d.Tags
	if v1 := d.Email.v1; v1 != nil {
		ev.Timestamp = cmp.Or(d.CreatedAt.Time, w.CreatedAt.Time)
		ev.MessageID = string(v1.Message.Value.ID)
		ev.Recipient = string(v1.Recipient)
		ev.Tags = v1.Tags
	}
	if name == "activity.suppressed" {
		ev.RejectReason = wire.Suppression(string(meta.SuppressionReason))
	}
	ev.Description = string(cmp.Or(meta.BounceReason, meta.RejectReason, meta.SuppressionReason, meta.UnsubscribeReason, meta.Reason,
		morph.ReadableReason, morph.Reason, d.Reason))
	if ev.Type == anymail.EventBounced || ev.Type == anymail.EventDeferred {
		answer(ev, meta.BounceCode.Int())
	}
	ev.ClickURL = string(cmp.Or(meta.URL, morph.URL))
	ev.UserAgent = string(meta.UserAgent)
	ev.IP = wire.Addr(string(cmp.Or(meta.IP, morph.IP)))

	switch id := cmp.Or(d.ID, d.InboundID); {
	case id == "":
	case known, strings.HasPrefix(string(name), "activity."):
		// MailerSend's type is in the key: it reports the first opening as
		// "opened" and as "opened_unique", which are one type here.
		ev.Key = anymail.EventKey(ESP, string(name), string(id), ev.Recipient)
	default:
		// The same may happen again to the thing that has the id: a sender
		// identity, or a recipient that is put on hold.
		ev.Key = anymail.EventKey(ESP, string(ev.Raw))
	}
}

// answer takes the description as the receiving server's if there is a code, in
// the text or next to it. Without a code the words are MailerSend's.
func answer(ev *anymail.TrackingEvent, code int) {
	inText, enhanced := wire.SMTP(ev.Description)
	if code < 200 || code > 599 {
		code = inText
	}
	if code != 0 || enhanced != "" {
		ev.MTAResponse = ev.Description
		ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode = code, enhanced
	}
}
