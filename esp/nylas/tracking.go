package nylas

import (
	"cmp"
	"slices"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// notification is any of Nylas' notifications.
// https://developer.nylas.com/docs/reference/notifications/
type notification struct {
	ID   wire.Text         `json:"id"`
	Type string            `json:"type"`
	Time wire.Unix         `json:"time"`
	Data wire.Object[data] `json:"data"`
}

type data struct {
	Object wire.Object[object] `json:"object"`
	Reason wire.Text           `json:"reason"` // of message.send_failed, as error
	Error  wire.Object[struct {
		Message wire.Text `json:"message"`
	}] `json:"error"`
}

// object is what the notification is about: a message, or something that has one.
type object struct {
	message
	Message wire.Object[message] `json:"message"`

	Delivered  wire.Object[details] `json:"delivered"`
	Bounce     wire.Object[details] `json:"bounce"`
	Complaint  wire.Object[details] `json:"complaint"`
	RejectedAt wire.Unix            `json:"rejected_at"`

	// Of message.bounce_detected.
	BounceReason wire.Text         `json:"bounce_reason"`
	BounceDate   string            `json:"bounce_date"`
	Bounced      inbound.Mailboxes `json:"bounced_addresses"`
	Code         wire.Number       `json:"code"`

	// Of opens and clicks.
	MessageID wire.Text `json:"message_id"` // of message.bounce_detected too
	Label     wire.Text `json:"label"`
	Links     []link    `json:"link_data"`
	Recents   []visit   `json:"recents"`
	Timestamp wire.Unix `json:"timestamp"`
}

type message struct {
	ID       wire.Text         `json:"id"`
	To       inbound.Mailboxes `json:"to"`
	CC       inbound.Mailboxes `json:"cc"`
	BCC      inbound.Mailboxes `json:"bcc"`
	Metadata wire.Metadata     `json:"metadata"`
}

// details are those of a delivery, a bounce or a complaint.
type details struct {
	DeliveredAt wire.Unix   `json:"delivered_at"`
	BouncedAt   wire.Unix   `json:"bounced_at"`
	ReportedAt  wire.Unix   `json:"reported_at"`
	Type        wire.Text   `json:"type"`
	Recipients  []recipient `json:"recipients"`
	Complained  []recipient `json:"complained_recipients"`
}

// recipient is an address, or an object that has one and the server's answer.
type recipient struct{ Address, Answer string }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *recipient) UnmarshalJSON(b []byte) error {
	if b[0] == '{' {
		*r = recipient{wire.StringMember(b, "email"), wire.StringMember(b, "diagnostic_code")}
		return nil
	}
	var text wire.Text
	err := text.UnmarshalJSON(b)
	*r = recipient{Address: string(text)}
	return err
}

type link struct {
	URL wire.Text `json:"url"`
}

// visit is an open or a click.
type visit struct {
	IP        wire.Text   `json:"ip"`
	LinkIndex wire.Number `json:"link_index"`
	Timestamp wire.Unix   `json:"timestamp"`
	UserAgent wire.Text   `json:"user_agent"`
}

const (
	createdType  = "message.created"
	detectedType = "message.bounce_detected"
)

var (
	bounced    = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}
	complained = wire.Outcome{Type: anymail.EventComplained, Reason: anymail.RejectSpam}
	rejected   = wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectBlocked} // for a virus
)

var outcomes = map[string]wire.Outcome{
	"message.send_success":            {Type: anymail.EventSent},
	"message.send_failed":             {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"message.delivered":               {Type: anymail.EventDelivered},
	"message.transactional.delivered": {Type: anymail.EventDelivered},
	"message.bounced":                 bounced,
	"message.transactional.bounced":   bounced,
	detectedType:                      {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"message.complaint":               complained,
	"message.transactional.complaint": complained,
	"message.rejected":                rejected,
	"message.transactional.rejected":  rejected,
	"message.opened":                  {Type: anymail.EventOpened},
	"message.link_clicked":            {Type: anymail.EventClicked},
}

// bounceTypes refine a bounce. Nylas documents MailboxFull alone, which is a word of
// Amazon SES, and so are the others.
// https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
var bounceTypes = map[wire.Text]wire.Outcome{
	"MailboxFull":              {Category: anymail.BounceSoft},
	"MessageTooLarge":          {Reason: anymail.RejectOther, Category: anymail.BounceSoft},
	"ContentRejected":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"AttachmentRejected":       {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"Suppressed":               {Type: anymail.EventRejected},
	"OnAccountSuppressionList": {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"Undetermined":             {Category: anymail.BounceUndetermined},
}

// tracking returns an event for each recipient: Nylas posts one for all.
func tracking(elements [][]byte) []anymail.Event {
	var all []anymail.Event
	for _, raw := range elements {
		var to []recipient
		events := wire.Events([][]byte{raw}, func(w *notification, ev *anymail.TrackingEvent) { to = fill(w, ev) })
		first := events[0].(*anymail.TrackingEvent)
		if len(to) == 0 {
			all = append(all, first)
		}
		seen := map[string]bool{}
		for _, r := range to {
			if seen[r.Address] {
				continue
			}
			seen[r.Address] = true
			its := *first
			its.Recipient = r.Address
			if r.Answer != "" {
				wire.Answer(&its, r.Answer)
			}
			all = append(all, &its)
		}
	}
	return all
}

// fill makes the event of all recipients, and returns them.
func fill(w *notification, ev *anymail.TrackingEvent) []recipient {
	typ, _ := cutSuffixes(w.Type)
	o := &w.Data.Value.Object.Value
	m := &o.Message.Value
	if m.ID == "" {
		m = &o.message
	}
	outcomes[typ].Apply(ev)
	ev.ID, ev.Timestamp = string(w.ID), w.Time.Time
	ev.MessageID, ev.Metadata = string(m.ID), m.Metadata.Event()

	switch typ {
	case detectedType:
		return o.fillDetected(ev)
	case "message.opened", "message.link_clicked":
		o.fillVisit(ev)
		return nil
	case createdType:
		return nil
	}
	var to []recipient
	for _, d := range []*details{&o.Delivered.Value, &o.Bounce.Value, &o.Complaint.Value} {
		ev.Timestamp = cmp.Or(d.DeliveredAt.Time, d.BouncedAt.Time, d.ReportedAt.Time, ev.Timestamp)
		ev.Description += string(d.Type)
		to = append(append(to, d.Recipients...), d.Complained...)
	}
	if ev.Type == anymail.EventBounced {
		bounceTypes[o.Bounce.Value.Type].Apply(ev)
	}
	ev.Timestamp = cmp.Or(o.RejectedAt.Time, ev.Timestamp)
	switch outcomes[typ].Type { // not that of a bounce that was rejected
	case anymail.EventFailed:
		ev.Description = string(cmp.Or(w.Data.Value.Error.Value.Message, w.Data.Value.Reason))
	case anymail.EventSent, anymail.EventRejected:
	default:
		return to
	}
	if len(to) == 0 { // what happened to the message happened to all
		for _, mailbox := range slices.Concat(m.To, m.CC, m.BCC) {
			to = append(to, recipient{Address: mailbox.Address})
		}
	}
	return to
}

// fillDetected reads a bounce that Nylas found in the sender's mailbox.
func (o *object) fillDetected(ev *anymail.TrackingEvent) (to []recipient) {
	ev.MessageID = string(o.MessageID)
	if at := inbound.Date(o.BounceDate); !at.IsZero() {
		ev.Timestamp = at
	}
	ev.Description = string(o.BounceReason)
	ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode = wire.SMTP(ev.Description)
	if code := o.Code.Int(); code > 0 {
		ev.Bounce.SMTPCode = code
	}
	switch ev.Bounce.SMTPCode / 100 {
	case 4:
		ev.Bounce.Category = anymail.BounceSoft
	case 5:
		ev.Bounce.Category = anymail.BounceHard
	}
	for _, mailbox := range o.Bounced {
		to = append(to, recipient{Address: mailbox.Address})
	}
	return to
}

// fillVisit reads the newest of the visits. Each notification has older ones again.
func (o *object) fillVisit(ev *anymail.TrackingEvent) {
	ev.MessageID = string(o.MessageID)
	if o.Label != "" {
		ev.Tags = []string{string(o.Label)}
	}
	var newest visit
	for _, v := range o.Recents {
		if !v.Timestamp.Before(newest.Timestamp.Time) {
			newest = v
		}
	}
	ev.Timestamp = cmp.Or(newest.Timestamp.Time, o.Timestamp.Time, ev.Timestamp)
	ev.UserAgent, ev.IP = string(newest.UserAgent), wire.Addr(string(newest.IP))
	if i := newest.LinkIndex.Int(); i >= 0 && i < len(o.Links) {
		ev.ClickURL = string(o.Links[i].URL)
	}
}
