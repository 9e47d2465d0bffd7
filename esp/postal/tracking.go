package postal

import (
	"context"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// webhook is any of Postal's webhooks; Event says which.
// https://docs.postalserver.io/developer/webhooks
type webhook struct {
	Event   string               `json:"event"`
	Time    wire.Unix            `json:"timestamp"` // when it was queued
	UUID    wire.Text            `json:"uuid"`      // the same for every attempt
	Payload wire.Object[payload] `json:"payload"`
}

type payload struct {
	Message  wire.Object[message] `json:"message"`
	Original wire.Object[message] `json:"original_message"` // the message that bounced
	Status   string               `json:"status"`
	Details  string               `json:"details"`
	Output   string               `json:"output"`    // what the receiving server answered
	Time     wire.Unix            `json:"timestamp"` // of the attempt

	URL       string `json:"url"`
	IP        string `json:"ip_address"`
	UserAgent string `json:"user_agent"`

	// For DomainDNSError.
	SPFError        string `json:"spf_error"`
	DKIMError       string `json:"dkim_error"`
	MXError         string `json:"mx_error"`
	ReturnPathError string `json:"return_path_error"`
}

type message struct {
	MessageID wire.Text `json:"message_id"`
	To        wire.Text `json:"to"`
	Tag       wire.Text `json:"tag"`
	Direction string    `json:"direction"`
}

var eventTypes = map[string]wire.Outcome{
	"MessageSent":           {Type: anymail.EventDelivered},                              // the receiving server accepted it
	"MessageDelayed":        {Type: anymail.EventDeferred, Category: anymail.BounceSoft}, // for each attempt
	"MessageDeliveryFailed": {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"MessageHeld":           {Type: anymail.EventQueued},
	"MessageBounced":        {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"MessageLinkClicked":    {Type: anymail.EventClicked},
	"MessageLoaded":         {Type: anymail.EventOpened},
}

// statusEvents are the events of Postal 1, which did not always name them.
var statusEvents = map[string]string{
	"Sent": "MessageSent", "SoftFail": "MessageDelayed", "HardFail": "MessageDeliveryFailed", "Held": "MessageHeld",
}

// failures are Postal's words for why Postal itself gave up.
// https://github.com/postalserver/postal/tree/main/app/lib/message_dequeuer
var failures = []struct {
	words string
	is    wire.Outcome
}{
	{"Maximum number of delivery attempts", wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft}},
	{"Message is likely spam", wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectBlocked}},
	{"Message doesn't have an RCPT to", wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectInvalid}},
}

// parse reads what Postal posts to either endpoint.
func parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if p.MediaType() == "application/x-www-form-urlencoded" {
		return parseForm(p)
	}
	for name := range wire.Members(p.Body) {
		switch string(name) {
		case "event", "payload":
			return wire.AtLeastOne(wire.Batch(p, fill))
		case "rcpt_to":
			return parseJSON(p)
		}
	}
	return wire.AtLeastOne(wire.Batch(p, fill))
}

func fill(w *webhook, ev *anymail.TrackingEvent) {
	d := &w.Payload.Value
	m := &d.Message.Value
	if *m == (message{}) {
		m = &d.Original.Value
	}
	event := w.Event
	switch {
	case event != "":
	case d.Status != "":
		event = statusEvents[d.Status]
	case d.Original.Value != (message{}):
		event = "MessageBounced"
	case d.URL != "":
		event = "MessageLinkClicked"
	case d.IP != "":
		event = "MessageLoaded"
	}

	ev.ID = string(w.UUID)
	if ev.Timestamp = d.Time.Time; ev.Timestamp.IsZero() {
		ev.Timestamp = w.Time.Time
	}
	ev.MessageID = wire.TrimID(string(m.MessageID))
	ev.Recipient = string(m.To)
	if m.Tag != "" {
		ev.Tags = []string{string(m.Tag)}
	}
	ev.Description = d.Details
	if event == "DomainDNSError" {
		ev.Description = strings.Join(slices.DeleteFunc([]string{d.SPFError, d.DKIMError, d.MXError, d.ReturnPathError},
			func(text string) bool { return text == "" }), "; ")
	}
	ev.ClickURL = d.URL
	ev.UserAgent = d.UserAgent
	ev.IP = wire.Addr(d.IP)
	if m.Direction == "incoming" {
		ev.MTAResponse = d.Output
		return // a received message on its way to the HTTP endpoint: unknown
	}
	eventTypes[event].Apply(ev)
	if d.Output != "" {
		wire.Answer(ev, strings.TrimSpace(d.Output))
	}
	switch event {
	case "MessageDeliveryFailed":
		failed(ev, d.Details)
	case "MessageHeld":
		held(ev, d.Details)
	}
}

// failed distinguishes the receiving server's refusals from Postal's own.
func failed(ev *anymail.TrackingEvent, details string) {
	for _, f := range failures {
		if strings.HasPrefix(details, f.words) {
			f.is.Apply(ev)
			return
		}
	}
	switch code := ev.Bounce.SMTPCode; {
	case code >= 500:
		wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}.Apply(ev)
	case code >= 400:
		wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft}.Apply(ev)
	}
}

// held distinguishes messages that Postal keeps for good, because the recipient is
// suppressed, from those that a user may release: "Recipient (ada@example.com) is on the suppression
// list (reason: too many hard fails)".
func held(ev *anymail.TrackingEvent, details string) {
	_, why, suppressed := strings.Cut(details, " is on the suppression list")
	if !suppressed {
		return
	}
	ev.Type = anymail.EventRejected
	if ev.RejectReason = wire.Suppression(why); strings.Contains(why, " fails") {
		ev.RejectReason = anymail.RejectBounced
	}
}
