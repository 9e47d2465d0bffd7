package hyvorrelay

import (
	"cmp"
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any webhook. Which members of the payload it has depends on the event.
// https://relay.hyvor.com/docs/webhooks
type event struct {
	Event   string               `json:"event"`
	Payload wire.Object[payload] `json:"payload"`
}

type payload struct {
	Send        wire.Object[send]        `json:"send"`
	Recipient   wire.Object[recipient]   `json:"recipient"`
	Attempt     wire.Object[attempt]     `json:"attempt"`
	Bounce      wire.Object[bounce]      `json:"bounce"` // reported by mail, after the message was accepted
	Complaint   wire.Object[complaint]   `json:"complaint"`
	Suppression wire.Object[suppression] `json:"suppression"`
}

type send struct {
	UUID    string        `json:"uuid"`
	From    string        `json:"from_address"`
	Headers wire.Metadata `json:"headers"` // not documented; Hyvor's own newsletter program reads it
}

type recipient struct {
	ID      wire.Text `json:"id"`
	Address string    `json:"address"`
}

// attempt is an attempt to send to all recipients of a domain.
type attempt struct {
	CreatedAt     wire.Unix                  `json:"created_at"`
	Conversations conversations              `json:"smtp_conversations"`
	Recipients    []wire.Object[attemptedTo] `json:"recipients"`
}

type attemptedTo struct {
	CreatedAt   wire.Unix   `json:"created_at"`
	RecipientID wire.Text   `json:"recipient_id"`
	Code        wire.Number `json:"smtp_code"`          // 0 if there is none
	Enhanced    wire.Text   `json:"smtp_enhanced_code"` // "0.0.0" if there is none
	Message     wire.Text   `json:"smtp_message"`
}

// conversations are those with the servers of a domain. It holds the first network error.
type conversations string

// UnmarshalJSON implements [json.Unmarshaler].
func (c *conversations) UnmarshalJSON(b []byte) error {
	*c = ""
	for _, conversation := range wire.Members(b) {
		*c = cmp.Or(*c, conversations(wire.StringMember(conversation, "network_error")))
	}
	return nil
}

type bounce struct {
	Text   wire.Text `json:"text"`   // of the report, for people
	Status wire.Text `json:"status"` // an enhanced code
}

type complaint struct {
	Text wire.Text `json:"text"`
	Type string    `json:"feedback_type"`
}

type suppression struct {
	CreatedAt   wire.Unix `json:"created_at"`
	Email       string    `json:"email"`
	Reason      string    `json:"reason"`
	Description wire.Text `json:"description"`
}

var outcomes = map[string]wire.Outcome{
	"send.recipient.accepted":   {Type: anymail.EventDelivered},
	"send.recipient.deferred":   {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"send.recipient.bounced":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}, // after a code of the class 5
	"send.recipient.failed":     {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"send.recipient.suppressed": {Type: anymail.EventRejected},
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	return wire.AtLeastOne(wire.Batch(p, fill))
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Payload.Value
	outcomes[w.Event].Apply(ev)
	ev.MessageID = d.Send.Value.messageID()
	ev.Recipient = cmp.Or(d.Recipient.Value.Address, d.Suppression.Value.Email)
	ev.Metadata = d.Send.Value.Headers.Event()
	d.Attempt.Value.fill(d.Recipient.Value.ID, ev)
	if b := &d.Bounce.Value; b.Status != "" || b.Text != "" {
		ev.Description = string(b.Text)
		ev.Bounce.EnhancedCode = wire.EnhancedCode(string(b.Status))
	}
	switch s := &d.Suppression.Value; w.Event {
	case "send.recipient.complained":
		wire.Feedback(d.Complaint.Value.Type).Apply(ev)
		ev.Description = string(d.Complaint.Value.Text)
	case "send.recipient.suppressed": // at some time after the suppression was made
		ev.RejectReason = wire.Suppression(s.Reason)
		ev.Description = string(s.Description)
	case "suppression.created":
		ev.Timestamp = s.CreatedAt.Time
		ev.Description = string(s.Description)
	}
}

// messageID returns the id of the message as the send API returns it. Hyvor Relay posts
// only its parts.
func (s *send) messageID() string {
	if _, domain, ok := strings.Cut(s.From, "@"); ok && s.UUID != "" {
		return s.UUID + "@" + domain
	}
	return s.UUID
}

// fill sets what became of the attempt for one recipient.
func (a *attempt) fill(id wire.Text, ev *anymail.TrackingEvent) {
	ev.Timestamp = a.CreatedAt.Time
	ev.Description = string(a.Conversations)
	for i := range a.Recipients {
		if r := &a.Recipients[i].Value; r.RecipientID == id {
			ev.Timestamp = cmp.Or(r.CreatedAt.Time, a.CreatedAt.Time)
			wire.Reply(ev, r.Code.Int(), string(r.Enhanced), string(r.Message))
			return
		}
	}
}
