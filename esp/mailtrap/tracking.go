package mailtrap

import (
	"bytes"
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any event of a webhook; Event says which.
// https://github.com/mailtrap/mailtrap-openapi/blob/main/specs/webhooks.openapi.yml
type event struct {
	Event     string    `json:"event"`
	ID        wire.Text `json:"event_id"`
	Time      moment    `json:"timestamp"`
	MessageID wire.Text `json:"message_id"`
	Email     string    `json:"email"`

	Category  string        `json:"category"`
	Variables wire.Metadata `json:"custom_variables"`

	Response       string      `json:"response"`
	ResponseCode   wire.Number `json:"response_code"`
	BounceCategory string      `json:"bounce_category"`
	Reason         string      `json:"reason"`      // of a reject or suspension
	Description    string      `json:"description"` // of an activity

	URL       string `json:"url"`
	IP        string `json:"ip"`
	UserAgent string `json:"user_agent"`

	// For the notification of a received message.
	InboxID     wire.Text `json:"inbox_id"`
	TestInboxID wire.Text `json:"inbound_inbox_id"`
	From        string    `json:"from"`
}

// sampleIDs are the event ids of the samples in Mailtrap's documentation, which the
// button "Run Test" posts. No other event has them.
var sampleIDs = map[string]bool{
	"bede7236-2284-43d6-a953-1fdcafd0fdbc": true,
	"657b8544-6a95-4c47-997f-6e47922a5052": true,
}

// isTest reports whether p has nothing but samples.
func isTest(p *anymail.Payload) bool {
	possible := false
	for id := range sampleIDs {
		possible = possible || bytes.Contains(p.Body, []byte(id))
	}
	if !possible {
		return false // without taking it apart
	}
	elements, err := split(p.Body, p.Limits)
	for _, raw := range elements {
		if !sampleIDs[wire.StringMember(raw, "event_id")] {
			return false
		}
	}
	return err == nil && len(elements) > 0
}

// moment is in seconds, or in milliseconds for received mail.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(b []byte) error {
	const year5138 = 1e11 // seconds, or milliseconds in 1973
	text := strings.Trim(string(b), `"`)
	if wire.ParseNumber(text).Value < year5138 {
		m.Time = wire.UnixTime(text)
		return nil
	}
	var ms wire.UnixMilli
	err := ms.UnmarshalJSON(b)
	m.Time = ms.Time
	return err
}

// https://docs.mailtrap.io/email-api-smtp/advanced/webhooks
var eventTypes = map[string]wire.Outcome{
	"sending":     {Type: anymail.EventQueued}, // not in webhooks
	"delivery":    {Type: anymail.EventDelivered},
	"open":        {Type: anymail.EventOpened},
	"click":       {Type: anymail.EventClicked},
	"unsubscribe": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"spam":        {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"soft bounce": {Type: anymail.EventDeferred}, // ten more attempts follow
	"bounce":      {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"suspension":  {Type: anymail.EventDeferred}, // because of the sender's limits; Mailtrap retries
	"reject":      {Type: anymail.EventRejected},
}

// bounceCategories say why a message bounced. They are compared in lower case.
// https://docs.mailtrap.io/email-api-smtp/bounce-categorization
var bounceCategories = map[string]wire.Outcome{
	"badrecipient":  {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"verifyfail":    {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}, // the recipient's address, or the sender's
	"transientfail": {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"dnsfail":       {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"serverfail":    {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"overquota":     {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"timeout":       {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"greylisting":   {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"badsender":     {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"block":         {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"relayfail":     {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"serverpolicy":  {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"content":       {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"spam":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"spam_gmail":    {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock}, // for authentication, traffic or reputation
	"generalfail":   {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"other":         {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
}

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	received := map[anymail.Event]notification{}
	events := wire.Events(elements, func(e *event, ev *anymail.TrackingEvent) {
		fill(e, ev)
		switch {
		case sampleIDs[ev.ID]:
			// Each time that the user presses the button is an event.
			ev.Key = anymail.EventKey(ESP, "test", p.ReceivedAt.UTC().Format(time.RFC3339Nano), string(ev.Raw))
		case !isNotification(e.Event):
		case a.config.APIKeys == nil:
			ev.MessageID = "" // it is not a sent message
			ev.Description = "a received message, which cannot be fetched without APIKeys"
		default:
			received[ev] = notification{*e, ev.Raw}
		}
	})
	if a.config.APIKeys != nil {
		a.salvage(events, received)
	}
	if len(received) > 0 {
		events, err = a.fetchAll(ctx, p, events, received)
		if err == nil && len(events) == 0 {
			return nil, nil // the test of an inbound webhook, and nothing else
		}
	}
	return wire.AtLeastOne(events, err)
}

// salvage adds the notifications that do not decode to received, with what can be read
// of them.
func (a *Adapter) salvage(events []anymail.Event, received map[anymail.Event]notification) {
	for _, ev := range events {
		raw := ev.Base().Raw
		if _, ok := received[ev]; ok || !isNotification(wire.StringMember(raw, "event")) {
			continue
		}
		n := notification{raw: raw}
		wire.Salvage(raw, &n.event)
		received[ev] = n
	}
}

// fetchAll puts received messages in the places of their notifications.
func (a *Adapter) fetchAll(ctx context.Context, p *anymail.Payload, events []anymail.Event, received map[anymail.Event]notification) ([]anymail.Event, error) {
	fetcher, err := a.fetcher(ctx, p)
	if err != nil {
		return nil, err
	}
	kept := events[:0]
	for _, ev := range events {
		if n, ok := received[ev]; ok {
			if n.InboxID == "1" || n.InboxID == "" && n.TestInboxID != "" {
				continue // the panel's test, which is not about a message
			}
			if ev, err = fetcher.message(ctx, &n); err != nil {
				return nil, err
			}
		}
		kept = append(kept, ev)
	}
	return kept, nil
}

// split returns the events of a body in either of Mailtrap's formats: JSON,
// {"events": [...]}, and JSON Lines, an event in each line. It does not use the
// content type, which a proxy may have changed.
func split(body []byte, limits anymail.Limits) ([][]byte, error) {
	elements, err := wire.SplitLines(body, limits)
	if err != nil || len(elements) != 1 {
		return elements, err
	}
	var batch struct {
		Events jsontext.Value `json:"events"`
	}
	if wire.Unmarshal(elements[0], &batch) == nil && batch.Events.Kind() == '[' {
		if events, err := wire.Split(batch.Events, limits); len(events) > 0 || err != nil {
			return events, err
		}
	}
	return elements, nil // one event or one line, or an object without events, which is unknown
}

func fill(e *event, ev *anymail.TrackingEvent) {
	eventTypes[strings.ReplaceAll(e.Event, "_", " ")].Apply(ev) // soft bounce is soft_bounce in older texts
	switch ev.Type {
	case anymail.EventBounced, anymail.EventDeferred:
		bounceCategories[strings.ToLower(e.BounceCategory)].Apply(ev)
	case anymail.EventRejected:
		ev.RejectReason = wire.Suppression(e.Reason) // "Recipient in suppression list. Reason: unsubscription"
	}

	ev.ID = string(e.ID)
	ev.Timestamp = e.Time.Time
	ev.MessageID = string(e.MessageID)
	ev.Recipient = e.Email
	ev.Description = cmp.Or(e.Reason, e.Description, e.BounceCategory)
	if e.Response != "" {
		words := e.Response
		if _, rest, ok := strings.Cut(words, "] "); ok && words[0] == '[' { // Mailtrap's own code, "[CS01] ", comes first
			words = rest
		}
		wire.Answer(ev, words)
		ev.MTAResponse = e.Response
	}
	if code := e.ResponseCode.Int(); code > 0 {
		ev.Bounce.SMTPCode = code
	}
	if e.Category != "" {
		ev.Tags = []string{e.Category}
	}
	ev.Metadata = e.Variables.Event()
	ev.ClickURL = e.URL
	ev.UserAgent = e.UserAgent
	ev.IP = wire.Addr(e.IP)
}
