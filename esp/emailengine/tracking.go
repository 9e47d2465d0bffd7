package emailengine

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any webhook about a sent message.
// https://learn.emailengine.app/docs/reference/webhook-events
type event struct {
	Event string            `json:"event"`
	Date  wire.RFC3339      `json:"date"`
	Data  wire.Object[data] `json:"data"`
}

type data struct {
	MessageID  wire.Text             `json:"messageId"`
	OriginalID wire.Text             `json:"originalMessageId"` // that the submit API returned, if the server changed it
	Envelope   wire.Object[envelope] `json:"envelope"`
	Response   wire.Text             `json:"response"` // an answer, or the object of a bounce
	Error      wire.Text             `json:"error"`

	SMTPResponse     wire.Text   `json:"smtpResponse"`
	SMTPResponseCode wire.Number `json:"smtpResponseCode"`

	Recipient      wire.Text                    `json:"recipient"`
	Action         wire.Text                    `json:"action"`         // of a bounce, RFC 3464
	MessageHeaders wire.Headers                 `json:"messageHeaders"` // of the message that bounced
	Report         wire.Object[report]          `json:"arf"`
	Complained     wire.Object[complainedAbout] `json:"headers"` // of a complaint
	ListID         wire.Text                    `json:"listId"`
	URL            wire.Text                    `json:"url"`
	RemoteAddress  wire.Text                    `json:"remoteAddress"`
	UserAgent      wire.Text                    `json:"userAgent"`
}

type envelope struct {
	To wire.Strings `json:"to"`
}

// answer is what a bounce says about the answer of the receiving server.
type answer struct {
	Message wire.Text `json:"message"`
	Status  wire.Text `json:"status"` // an enhanced code
}

// report is a feedback report, RFC 5965.
type report struct {
	Type       string       `json:"feedbackType"`
	AbuseType  wire.Text    `json:"abuseType"`
	OriginalTo wire.Strings `json:"originalRcptTo"`
}

// complainedAbout is the message that a recipient complained about.
type complainedAbout struct {
	MessageID wire.Text    `json:"messageId"`
	To        wire.Strings `json:"to"`
}

var outcomes = map[string]wire.Outcome{
	"messageSent":          {Type: anymail.EventSent}, // the account's server took it
	"messageDeliveryError": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"messageFailed":        {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"trackOpen":            {Type: anymail.EventOpened},
	"trackClick":           {Type: anymail.EventClicked},
	"listUnsubscribe":      {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"listSubscribe":        {Type: anymail.EventSubscribed},
}

// actions are those of a messageBounce.
var actions = map[wire.Text]wire.Outcome{
	"":        {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"failed":  {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"delayed": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
}

var categories = map[int]anymail.BounceCategory{4: anymail.BounceSoft, 5: anymail.BounceHard}

func fill(w *event, ev *anymail.TrackingEvent) (recipients []string) {
	d := &w.Data.Value
	outcomes[w.Event].Apply(ev)
	ev.Timestamp = w.Date.Time
	ev.MessageID = string(cmp.Or(d.OriginalID, d.MessageID, d.Complained.Value.MessageID))
	ev.Description = string(d.Error)
	ev.ClickURL = string(d.URL)
	ev.IP = wire.Addr(string(d.RemoteAddress))
	ev.UserAgent = string(d.UserAgent)
	if d.ListID != "" {
		ev.Metadata = anymail.Metadata{"listId": string(d.ListID)}
	}
	switch r := &d.Report.Value; w.Event {
	case "messageSent":
		wire.Answer(ev, string(d.Response))
	case "messageDeliveryError":
		wire.Reply(ev, d.SMTPResponseCode.Int(), "", string(d.SMTPResponse))
		_, ev.Bounce.EnhancedCode = wire.SMTP(ev.MTAResponse)
	case "messageBounce":
		d.fillBounce(ev)
	case "messageComplaint":
		wire.Feedback(r.Type).Apply(ev)
		ev.Description = string(cmp.Or(r.AbuseType, wire.Text(r.Type)))
	}
	switch {
	case d.Recipient != "":
		return []string{string(d.Recipient)}
	case len(d.Report.Value.OriginalTo) > 0: // the report does not say whose complaint it is if there are several
		return d.Report.Value.OriginalTo[:1]
	case len(d.Complained.Value.To) > 0:
		return d.Complained.Value.To[:1]
	}
	return d.Envelope.Value.To
}

func (d *data) fillBounce(ev *anymail.TrackingEvent) {
	actions[d.Action].Apply(ev)
	reply := answer{Message: d.Response}
	if strings.HasPrefix(string(d.Response), "{") {
		reply = answer{}
		_ = wire.Unmarshal([]byte(d.Response), &reply) // it is JSON
	}
	wire.Answer(ev, string(reply.Message))
	if code := wire.EnhancedCode(string(reply.Status)); code != "" {
		ev.Bounce.EnhancedCode = code
	}
	if category, ok := categories[wire.Class(ev.Bounce)]; ok {
		ev.Bounce.Category = category
	}
	ev.Metadata = d.MessageHeaders.Custom()
}
