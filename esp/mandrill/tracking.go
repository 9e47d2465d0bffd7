package mandrill

import (
	"context"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is one element of a batch. Message events have Msg and the visitor's
// fields; changes of lists have Type, Action and the entries.
// https://mailchimp.com/developer/transactional/docs/webhooks/
type event struct {
	Event wire.Text `json:"event"`
	ID    wire.Text `json:"_id"` // the message's, the same in all its events
	TS    wire.Unix `json:"ts"`

	Msg       wire.Object[message] `json:"msg"`
	URL       wire.Text            `json:"url"`
	IP        wire.Text            `json:"ip"`
	UserAgent wire.Text            `json:"user_agent"`
	Agent     wire.Object[struct {
		Type wire.Text `json:"type"`
	}] `json:"user_agent_parsed"`
	Location wire.Object[struct {
		Country wire.Text `json:"country_short"`
		Region  wire.Text `json:"region"`
		City    wire.Text `json:"city"`
	}] `json:"location"`

	Type   wire.Text          `json:"type"`
	Action wire.Text          `json:"action"`
	Reject wire.Object[entry] `json:"reject"`
	Entry  wire.Object[entry] `json:"entry"` // an older name, for the allow list
}

// message is a sent message with its history, as of when the event was posted.
type message struct {
	ID       wire.Text     `json:"_id"`
	Email    wire.Text     `json:"email"`
	Tags     wire.Strings  `json:"tags"`
	Metadata wire.Metadata `json:"metadata"`

	BounceDescription wire.Text `json:"bounce_description"`
	Diag              wire.Text `json:"diag"`
	SMTPEvents        []struct {
		Type wire.Text `json:"type"`
		Diag wire.Text `json:"diag"`
	} `json:"smtp_events"`
	Reject       rejection `json:"reject"`
	RejectReason wire.Text `json:"reject_reason"`
}

// entry is an entry of the deny list or of the allow list.
type entry struct {
	Email  wire.Text `json:"email"`
	Reason wire.Text `json:"reason"`
	Detail wire.Text `json:"detail"`
}

// rejection is why a message was not sent: a word, or an entry that has it.
type rejection struct{ Reason wire.Text }

// UnmarshalJSON implements [json.Unmarshaler].
func (r *rejection) UnmarshalJSON(b []byte) error {
	if b[0] != '{' {
		return r.Reason.UnmarshalJSON(b)
	}
	var e entry
	err := wire.Unmarshal(b, &e)
	r.Reason = e.Reason
	return err
}

// https://mailchimp.com/developer/transactional/docs/webhooks/#event-types
var events = map[string]wire.Outcome{
	"send":        {Type: anymail.EventSent},
	"delivered":   {Type: anymail.EventDelivered},
	"deferral":    {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"hard_bounce": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"soft_bounce": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft}, // Mandrill has given up
	"open":        {Type: anymail.EventOpened},
	"click":       {Type: anymail.EventClicked},
	"spam":        {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"unsub":       {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"reject":      {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"inbound":     {Type: anymail.EventInbound},
}

// bounces are the bounce descriptions that say more than hard or soft does.
var bounces = map[string]wire.Outcome{
	"bad_mailbox":         {Reason: anymail.RejectInvalid},
	"invalid_domain":      {Reason: anymail.RejectInvalid},
	"timeout":             {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"too_large":           {Reason: anymail.RejectOther, Category: anymail.BounceSoft},
	"message_too_large":   {Reason: anymail.RejectOther, Category: anymail.BounceSoft},
	"mail_block":          {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"relay_denied":        {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"attachment_detected": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"spam_block":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"spam_detected":       {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"auto_reply":          {Type: anymail.EventAutoresponded},
	"challenge_response":  {Type: anymail.EventAutoresponded},
	"undetermined":        {Category: anymail.BounceUndetermined},
}

// reasons are those of the send API's reject_reason and of the deny list.
// https://mailchimp.com/developer/transactional/api/messages/send-new-message/
// https://mandrill.zendesk.com/hc/en-us/articles/360039233253
var reasons = map[string]anymail.RejectReason{
	"hard_bounce":     anymail.RejectBounced,
	"soft_bounce":     anymail.RejectOther, // for some time; hard_bounce is permanent
	"spam":            anymail.RejectSpam,
	"unsub":           anymail.RejectUnsubscribed,
	"custom":          anymail.RejectBlocked,
	"rule":            anymail.RejectBlocked,
	"recipient_block": anymail.RejectBlocked,
	"global_block":    anymail.RejectBlocked,
	"invalid":         anymail.RejectInvalid,
	"invalid_sender":  anymail.RejectOther,
	"test_mode_limit": anymail.RejectOther,
	"unsigned":        anymail.RejectOther,
}

// word returns one of Mandrill's words in the spelling of the tables: Mandrill
// writes them with hyphens and with underscores.
func word(s wire.Text) string {
	return strings.ReplaceAll(strings.ToLower(string(s)), "-", "_")
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.TakeForm()
	if err != nil {
		return nil, err
	}
	if !form.Fields.Has(eventsField) {
		return nil, anymail.Malformed("no field "+eventsField, nil)
	}
	elements, err := wire.Split(form.Fields.Bytes(eventsField), p.Limits)
	if err != nil {
		return nil, err
	}
	list := wire.Events(elements, fill)
	for i, ev := range list {
		if ev.Base().Type == anymail.EventInbound {
			list[i] = received(ev.Base(), p)
		}
	}
	return wire.AtLeastOne(list, nil) // "[]" was answered before
}

func fill(w *event, ev *anymail.TrackingEvent) {
	events[word(w.Event)].Apply(ev)
	ev.Timestamp = w.TS.Time
	msg := &w.Msg.Value
	ev.MessageID = first(w.ID, msg.ID)
	ev.Recipient = string(msg.Email)
	ev.Tags = msg.Tags
	ev.Metadata = msg.Metadata.Event()
	ev.ClickURL = string(w.URL)
	ev.UserAgent = string(w.UserAgent)
	ev.IP = wire.Addr(string(w.IP))
	place := w.Location.Value
	ev.Geo = anymail.Geo{Country: string(place.Country), Region: string(place.Region), City: string(place.City)}
	if word(w.Agent.Value.Type) == "robot" {
		ev.Automated = anymail.Yes
	}

	switch ev.Type {
	case anymail.EventSent, anymail.EventDelivered, anymail.EventDeferred:
		wire.Answer(ev, msg.answer(false))
	case anymail.EventBounced:
		ev.Description = string(msg.BounceDescription)
		wire.Answer(ev, msg.answer(true))
		bounces[word(msg.BounceDescription)].Apply(ev)
	case anymail.EventRejected:
		reason := first(msg.Reject.Reason, msg.RejectReason)
		wire.Outcome{Reason: reasons[word(wire.Text(reason))]}.Apply(ev)
		ev.Description = reason
	case anymail.EventInbound:
		return // see received
	case "":
		fillList(w, ev)
		return
	}
	if ev.MessageID != "" && !ev.Timestamp.IsZero() {
		// The message is as of when the event was posted, so another attempt may
		// have more history. ts has whole seconds, in which several links may be
		// clicked.
		ev.Key = anymail.EventKey(ESP, string(w.Event), string(ev.Type), ev.MessageID, ev.Timestamp.Format(time.RFC3339Nano), ev.Recipient,
			ev.ClickURL, string(w.IP), ev.UserAgent)
	}
}

// fillList fills in a change of the deny list or the allow list, which have had
// several names. Such a change is not about a message.
func fillList(w *event, ev *anymail.TrackingEvent) {
	for _, e := range []entry{w.Reject.Value, w.Entry.Value} {
		if e.Email == "" {
			continue
		}
		ev.Recipient = string(e.Email)
		ev.RejectReason = reasons[word(e.Reason)]
		ev.Description = strings.TrimSpace(string(w.Type + " " + w.Action))
		if e.Detail != "" {
			ev.Description += ": " + string(e.Detail)
		}
	}
}

// answer returns what the receiving server said last. For a message that bounced
// later, that is not that the server accepted it.
func (m *message) answer(bounced bool) string {
	if m.Diag == "" && len(m.SMTPEvents) > 0 {
		if last := m.SMTPEvents[len(m.SMTPEvents)-1]; !bounced || last.Type != "sent" {
			return string(last.Diag)
		}
	}
	return string(m.Diag)
}

func first(texts ...wire.Text) string {
	for _, t := range texts {
		if t != "" {
			return string(t)
		}
	}
	return ""
}
