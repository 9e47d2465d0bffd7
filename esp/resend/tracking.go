package resend

import (
	"cmp"
	"maps"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// event is any of Resend's webhooks.
// https://resend.com/docs/webhooks/event-types
type event struct {
	Type      wire.Text         `json:"type"`
	CreatedAt wire.RFC3339      `json:"created_at"`
	Data      wire.Object[data] `json:"data"` // its created_at is the message's
}

type data struct {
	EmailID  wire.Text     `json:"email_id"`
	SourceID wire.Text     `json:"source_id"` // the message that caused a suppression
	To       wire.Strings  `json:"to"`
	Email    contact       `json:"email"`
	Tags     wire.Metadata `json:"tags"` // an object, or a list as in the send API
	Headers  wire.Headers  `json:"headers"`

	Bounce     wire.Object[bounce]     `json:"bounce"`
	Suppressed wire.Object[suppressed] `json:"suppressed"`
	Failed     wire.Object[failed]     `json:"failed"`
	Click      wire.Object[visit]      `json:"click"`
	Open       wire.Object[visit]      `json:"open"` // not documented: opens come without details
}

type bounce struct {
	Type        string       `json:"type"`
	SubType     string       `json:"subType"`
	Message     string       `json:"message"`
	Diagnostics wire.Strings `json:"diagnosticCode"`
}

type suppressed struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

type failed struct {
	Reason string `json:"reason"`
}

type visit struct {
	Link      string    `json:"link"`
	IP        wire.Text `json:"ipAddress"`
	UserAgent string    `json:"userAgent"`
}

// contact is the address of a contact or suppression. Events of inboxes have a
// whole message under the same name, which is not a recipient.
type contact string

// UnmarshalJSON implements [json.Unmarshaler].
func (c *contact) UnmarshalJSON(b []byte) error {
	*c = ""
	if b[0] != '"' {
		return nil
	}
	return wire.Unmarshal(b, (*string)(c))
}

const receivedType = "email.received"

var types = map[wire.Text]wire.Outcome{
	"email.scheduled":         {Type: anymail.EventQueued},
	"email.sent":              {Type: anymail.EventSent},
	"email.delivered":         {Type: anymail.EventDelivered},
	"email.delivery_delayed":  {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"email.delivered_delayed": {Type: anymail.EventDeferred, Category: anymail.BounceSoft}, // a spelling of the documentation
	"email.bounced":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"email.suppressed":        notSent,
	"email.failed":            {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"email.complained":        {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"email.opened":            {Type: anymail.EventOpened},
	"email.clicked":           {Type: anymail.EventClicked},
}

// notSent is a message that was not sent because of a suppression, after a bounce,
// after a complaint or by hand.
var notSent = wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectBlocked}

// bounceTypes and bounceSubTypes refine a bounce. Resend's pages have Temporary in
// one place and Transient in another. NoEmail says nothing about the mailbox: the
// notice of the bounce did not name the recipient.
// https://resend.com/docs/dashboard/emails/email-bounces
var (
	bounceTypes = map[string]wire.Outcome{
		"Permanent": {Category: anymail.BounceHard},
		"Transient": {Category: anymail.BounceSoft},
		"Temporary": {Category: anymail.BounceSoft},
	}
	bounceSubTypes = map[string]wire.Outcome{
		"Suppressed":               {Type: anymail.EventRejected, Reason: anymail.RejectBounced}, // "a history of producing hard bounces"
		"OnAccountSuppressionList": notSent,
		"MessageTooLarge":          {Reason: anymail.RejectOther},
		"ContentRejected":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
		"AttachmentRejected":       {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	}
)

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	types[w.Type].Apply(ev)
	ev.Timestamp = w.CreatedAt.Time
	ev.MessageID = string(cmp.Or(d.EmailID, d.SourceID))
	ev.Recipient = string(d.Email)
	if strings.HasPrefix(string(w.Type), "email.") {
		ev.Recipient = recipient(d)
	}
	ev.Tags, ev.Metadata = labels(d)

	switch w.Type {
	case "email.bounced":
		fillBounce(&d.Bounce.Value, ev)
	case "email.suppressed":
		bounceSubTypes[d.Suppressed.Value.Type].Apply(ev)
		ev.Description = d.Suppressed.Value.Message
	case "email.failed":
		ev.Description = d.Failed.Value.Reason
		if strings.Contains(strings.ToLower(ev.Description), "recipient") {
			wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectInvalid}.Apply(ev)
		}
	case "email.opened", "email.clicked":
		visit := &d.Click.Value
		if w.Type == "email.opened" {
			visit = &d.Open.Value
		}
		ev.ClickURL, ev.UserAgent, ev.IP = visit.Link, visit.UserAgent, wire.Addr(string(visit.IP))
	case receivedType:
		ev.Description = "a received message, which cannot be fetched without APIKeys"
	}
}

func fillBounce(b *bounce, ev *anymail.TrackingEvent) {
	bounceTypes[b.Type].Apply(ev)
	bounceSubTypes[b.SubType].Apply(ev)
	if b.Type == "" && strings.Contains(b.Message, "suppressed sending") {
		notSent.Apply(ev) // the form of older versions, which had only a message
	}
	ev.Description = b.Message
	if len(b.Diagnostics) > 0 {
		wire.Answer(ev, strings.Join(b.Diagnostics, "\n"))
	}
}

// recipient returns the recipient whose event it is. Each of several recipients has
// an event that lists all of them, so only the answer of a receiving server can
// name the one; otherwise it is the first.
func recipient(d *data) string {
	if len(d.To) == 0 {
		return ""
	}
	if answer := strings.ToLower(strings.Join(d.Bounce.Value.Diagnostics, "\n")); answer != "" {
		for _, mailbox := range d.To {
			if address := bare(mailbox); strings.Contains(answer, "<"+strings.ToLower(address)+">") {
				return address
			}
		}
	}
	return bare(d.To[0])
}

// bare returns the address of a mailbox with or without a name.
func bare(mailbox string) string {
	if list := inbound.Addresses(mailbox); len(list) > 0 {
		return list[0].Address
	}
	return mailbox
}

// labels returns the tags and metadata of a message. Resend's tags are pairs.
// Senders that need plain tags, or values other than strings, put them as JSON into
// the headers X-Tags and X-Metadata.
func labels(d *data) (plain []string, pairs anymail.Metadata) {
	pairs = d.Tags.Event()
	if text := d.Headers.Message().Get("X-Tags"); text != "" {
		var list wire.Strings
		_ = wire.Unmarshal([]byte(text), &list) // invalid JSON is still in Raw
		plain = list
	}
	var more wire.Metadata
	if text := d.Headers.Message().Get("X-Metadata"); text != "" && wire.Unmarshal([]byte(text), &more) == nil && len(more) > 0 {
		if pairs == nil {
			pairs = anymail.Metadata{}
		}
		maps.Copy(pairs, more)
	}
	return plain, pairs
}
