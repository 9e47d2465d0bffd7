package smtp2go

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is an event, which SMTP2GO posts in JSON or as a form.
// https://developers.smtp2go.com/docs/webhooks-overview
type event struct {
	ID         wire.Text    `json:"id"`
	Event      string       `json:"event"`
	Time       wire.RFC3339 `json:"time"`
	EmailID    wire.Text    `json:"email_id"`
	Recipient  wire.Text    `json:"rcpt"`
	Recipients wire.Strings `json:"recipients"` // of processed, in place of rcpt
	Bounce     wire.Text    `json:"bounce"`
	Message    wire.Text    `json:"message"`
	Context    wire.Text    `json:"context"`
	URL        wire.Text    `json:"url"`
	Link       wire.Text    `json:"link"`      // another name of url, in an SDK
	ClickURL   wire.Text    `json:"click_url"` // and another
	UserAgent  wire.Text    `json:"user-agent"`
	IP         wire.Text    `json:"srchost"` // of the reader, but otherwise of the sender
	Country    wire.Text    `json:"geoip-country"`
	City       wire.Text    `json:"geoip-city"`
}

// SMTP2GO documents the shorter names. The longer ones are those of an SDK.
var outcomes = map[string]wire.Outcome{
	"processed":      {Type: anymail.EventQueued},
	"delivered":      {Type: anymail.EventDelivered},
	"bounce hard":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"bounce soft":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"bounce":         {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"reject":         {Type: anymail.EventRejected},
	"spam":           {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"spam_complaint": {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"unsubscribe":    {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"unsubscribed":   {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"resubscribe":    {Type: anymail.EventSubscribed},
	"open":           {Type: anymail.EventOpened},
	"opened":         {Type: anymail.EventOpened},
	"click":          {Type: anymail.EventClicked},
	"clicked":        {Type: anymail.EventClicked},
}

// fields are the members that SMTP2GO has names for. The others are header fields of
// the message that the user chose for the webhook.
var fields = map[string]bool{
	"event": true, "time": true, "sendtime": true, "sender": true, "from": true, "from_address": true, "from_name": true, "rcpt": true,
	"recipients": true, "auth": true, "host": true, "message": true, "context": true, "email_id": true, "id": true, "bounce": true,
	"message-id": true, "Message-Id": true, "message_id": true, "subject": true, "Subject": true,
	"url": true, "link": true, "click_url": true, "opened-at": true, "clicked-at": true, "read-secs": true, "user-agent": true,
	"client": true, "client-device": true, "client-os": true, "geoip-continent": true, "geoip-country": true, "geoip-city": true, "srchost": true,
}

// parse returns an event for each recipient: SMTP2GO posts one "processed" for all.
func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	object, err := objectOf(p)
	if err != nil {
		return nil, err
	}
	elements, err := wire.Split(object, p.Limits)
	if err != nil {
		return nil, err
	}
	var all []anymail.Event
	for _, one := range wire.Events(elements, fill) {
		ev, ok := one.(*anymail.TrackingEvent)
		if !ok {
			continue // there are no others
		}
		if p.MediaType() != "application/json" {
			ev.Raw = p.Body
		}
		recipients := strings.FieldsFunc(ev.Recipient, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
		if len(recipients) == 0 {
			recipients = []string{""}
		}
		for _, its := range wire.PerRecipient(ev, recipients) {
			if its.Key != "" {
				its.Key = anymail.EventKey(ESP, its.Key, its.Recipient)
			}
			all = append(all, its)
		}
	}
	return wire.AtLeastOne(all, wire.AtMost(p.Limits, len(all)))
}

// objectOf returns the event as JSON.
func objectOf(p *anymail.Payload) ([]byte, error) {
	if p.MediaType() == "application/json" {
		return p.Body, nil
	}
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	object := map[string]any{}
	for name := range form.Fields {
		if object[name] = form.Fields.Get(name); len(form.Fields[name]) > 1 {
			object[name] = form.Fields.All(name)
		}
	}
	if len(object) == 0 {
		return nil, anymail.Malformed("no field in the form", nil)
	}
	return json.Marshal(object)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	name := w.Event
	if w.Bounce == "hard" || w.Bounce == "soft" {
		name += " " + string(w.Bounce)
	}
	outcomes[name].Apply(ev)
	ev.ID, ev.Timestamp = string(w.ID), w.Time.Time
	ev.MessageID = string(w.EmailID)
	ev.Recipient = cmp.Or(string(w.Recipient), strings.Join(w.Recipients, ","))
	message := cmp.Or(available(w.Message), available(w.Context))
	ev.Description = message
	switch ev.Type {
	case anymail.EventBounced, anymail.EventDelivered:
		wire.Answer(ev, message)
	case anymail.EventRejected:
		ev.RejectReason = rejection(message)
	case anymail.EventOpened, anymail.EventClicked:
		ev.ClickURL = string(cmp.Or(w.URL, w.Link, w.ClickURL))
		ev.UserAgent, ev.IP = string(w.UserAgent), wire.Addr(string(w.IP))
		ev.Geo = anymail.Geo{Country: string(w.Country), City: string(w.City)}
	}
	if w.EmailID == "" {
		return // an event of a text message
	}
	// It is not documented whether the id is the event's or the webhook's, and
	// whether it stays when the event is posted again.
	ev.Key = anymail.EventKey(ESP, string(w.EmailID), name, ev.Timestamp.String(), ev.ClickURL, string(w.IP), string(w.UserAgent))
	for name, value := range wire.Members(ev.Raw) {
		if !fields[string(name)] {
			if ev.Metadata == nil {
				ev.Metadata = anymail.Metadata{}
			}
			ev.Metadata[string(name)] = wire.Any(value)
		}
	}
}

// available returns a text unless it is the one that SMTP2GO writes for none.
func available(text wire.Text) string {
	if text == "Unavailable" {
		return ""
	}
	return string(text)
}

// rejection returns why SMTP2GO did not send: an earlier event of the recipient, or
// the sender, who is not verified or may not leave the sandbox.
func rejection(message string) anymail.RejectReason {
	words := strings.ToLower(message)
	for _, sender := range []string{"sender", "verif", "sandbox"} {
		if strings.Contains(words, sender) {
			return anymail.RejectOther
		}
	}
	return wire.Suppression(message)
}
