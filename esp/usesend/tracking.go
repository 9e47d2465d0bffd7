package usesend

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// event is any of useSend's webhooks.
// https://github.com/usesend/useSend/blob/main/packages/lib/src/webhook/webhook-events.ts
type event struct {
	ID        wire.Text         `json:"id"` // of the call, the same for all attempts
	Type      string            `json:"type"`
	CreatedAt wire.RFC3339      `json:"createdAt"` // the same for all attempts
	Data      wire.Object[data] `json:"data"`
}

type data struct {
	ID         wire.Text    `json:"id"` // of the message, or of a contact or domain
	To         wire.Strings `json:"to"` // all recipients of the message
	Email      wire.Text    `json:"email"`
	OccurredAt wire.RFC3339 `json:"occurredAt"`

	Bounce      wire.Object[bounce]      `json:"bounce"`
	Failed      wire.Object[failed]      `json:"failed"`
	Suppression wire.Object[suppression] `json:"suppression"`
	Open        wire.Object[visit]       `json:"open"`
	Click       wire.Object[visit]       `json:"click"`
	Metadata    wire.Object[details]     `json:"metadata"`
}

type bounce struct {
	Type    wire.Text `json:"type"`
	SubType wire.Text `json:"subType"`
	Message wire.Text `json:"message"` // SES's diagnosticCode of the first recipient
}

type failed struct {
	Reason wire.Text `json:"reason"`
}

type suppression struct {
	Type   wire.Text `json:"type"`
	Reason wire.Text `json:"reason"`
}

type visit struct {
	Timestamp wire.RFC3339 `json:"timestamp"`
	URL       wire.Text    `json:"url"`
	UserAgent wire.Text    `json:"userAgent"`
	IP        wire.Text    `json:"ip"`
}

// details are what useSend takes out of SES's event. They are not the sender's.
type details struct {
	DelayType    wire.Text `json:"delayType"`
	FeedbackType wire.Text `json:"feedbackType"`
	Reason       wire.Text `json:"reason"`       // of email.rejected
	ErrorMessage wire.Text `json:"errorMessage"` // of email.rendering_failure
}

var outcomes = map[string]wire.Outcome{
	"email.queued":            {Type: anymail.EventQueued},
	"email.sent":              {Type: anymail.EventSent},
	"email.delivered":         {Type: anymail.EventDelivered},
	"email.delivery_delayed":  {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"email.bounced":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"email.rejected":          {Type: anymail.EventRejected, Reason: anymail.RejectBlocked}, // SES found a virus
	"email.rendering_failure": {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"email.failed":            {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"email.complained":        {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"email.suppressed":        notSent,
	"email.opened":            {Type: anymail.EventOpened},
	"email.clicked":           {Type: anymail.EventClicked},
}

// notSent is a message that was not sent because of a suppression of unknown cause.
var notSent = wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectBlocked}

// The types and subtypes of bounces are those of Amazon SES, of which useSend passes on
// these. NoEmail says nothing about the mailbox: the notice of the bounce did not name
// the recipient.
var (
	bounceTypes = map[wire.Text]wire.Outcome{
		"Permanent": {Category: anymail.BounceHard},
		"Transient": {Category: anymail.BounceSoft},
	}
	bounceSubTypes = map[wire.Text]wire.Outcome{
		"Suppressed":               {Type: anymail.EventRejected},
		"OnAccountSuppressionList": notSent,
		"MessageTooLarge":          {Reason: anymail.RejectOther},
		"ContentRejected":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
		"AttachmentRejected":       {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	}
	delayTypes = map[wire.Text]wire.Outcome{
		"SpamDetected":    {Category: anymail.BounceBlock},
		"IPFailure":       {Category: anymail.BounceBlock},
		"SendingDeferral": {Category: anymail.BounceBlock},
	}
	suppressions = map[wire.Text]wire.Outcome{
		"Bounce":    {Reason: anymail.RejectBounced},
		"Complaint": {Reason: anymail.RejectSpam},
	}
)

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Data.Value
	b, opened, clicked := &d.Bounce.Value, &d.Open.Value, &d.Click.Value
	outcomes[w.Type].Apply(ev)
	ev.ID = string(w.ID)
	// occurredAt is when SES took the message, whatever happened to it later.
	ev.Timestamp = cmp.Or(opened.Timestamp.Time, clicked.Timestamp.Time, w.CreatedAt.Time, d.OccurredAt.Time)
	ev.Recipient = string(d.Email)
	if strings.HasPrefix(w.Type, "email.") {
		ev.MessageID = string(d.ID)
		ev.Recipient = recipient(d.To, string(b.Message))
	}
	switch w.Type {
	case "email.bounced":
		bounceTypes[b.Type].Apply(ev)
		bounceSubTypes[b.SubType].Apply(ev)
		ev.Description = string(b.Type + ": " + b.SubType)
		switch {
		case b.Message == "":
		case ev.Type == anymail.EventRejected:
			ev.Description = string(b.Message) // written by SES
		default:
			wire.Answer(ev, string(b.Message))
		}
	case "email.delivery_delayed":
		delayTypes[d.Metadata.Value.DelayType].Apply(ev)
		ev.Description = string(d.Metadata.Value.DelayType)
	case "email.suppressed":
		suppressions[d.Suppression.Value.Type].Apply(ev)
		ev.Description = string(d.Suppression.Value.Reason)
	case "email.complained":
		ev.Description = string(d.Metadata.Value.FeedbackType)
		if ev.Description == "not-spam" { // withdraws a complaint
			ev.Type, ev.RejectReason = anymail.EventUnknown, ""
		}
	case "email.rejected", "email.rendering_failure", "email.failed":
		ev.Description = string(cmp.Or(d.Failed.Value.Reason, d.Metadata.Value.Reason, d.Metadata.Value.ErrorMessage))
	case "email.opened", "email.clicked":
		ev.ClickURL = string(clicked.URL)
		ev.UserAgent = string(cmp.Or(opened.UserAgent, clicked.UserAgent))
		ev.IP = wire.Addr(string(cmp.Or(opened.IP, clicked.IP)))
	}
}

// recipient returns the recipient whose event it is: of several, the one that the
// answer of the receiving server names. If it names none, it is the first, since
// nothing else tells.
func recipient(to []string, answer string) string {
	answer = strings.ToLower(answer)
	list := inbound.Addresses(to...)
	for _, one := range list {
		if strings.Contains(answer, "<"+strings.ToLower(one.Address)+">") {
			return one.Address
		}
	}
	switch {
	case len(list) > 0:
		return list[0].Address
	case len(to) > 0:
		return to[0]
	}
	return ""
}
