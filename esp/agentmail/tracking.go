package agentmail

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// event is any webhook about a sent message. Each has the member that belongs to its
// type.
// https://github.com/agentmail-to/agentmail-docs/blob/main/fern/definition/events.yml
type event struct {
	Type      string               `json:"event_type"`
	ID        wire.Text            `json:"event_id"`
	Send      wire.Object[details] `json:"send"`
	Delivery  wire.Object[details] `json:"delivery"`
	Bounce    wire.Object[details] `json:"bounce"`
	Complaint wire.Object[details] `json:"complaint"`
	Reject    wire.Object[details] `json:"reject"`
}

type details struct {
	MessageID  wire.Text    `json:"message_id"`
	Timestamp  wire.RFC3339 `json:"timestamp"`
	Type       wire.Text    `json:"type"`
	SubType    wire.Text    `json:"sub_type"`
	Reason     wire.Text    `json:"reason"`
	Recipients recipients   `json:"recipients"`
}

// recipients are mailboxes, or objects with the address of one.
type recipients []string

// UnmarshalJSON implements [json.Unmarshaler].
func (r *recipients) UnmarshalJSON(b []byte) error {
	*r = nil
	var list []wire.Object[struct {
		Address wire.Text `json:"address"`
	}]
	if b[0] == '[' && strings.Contains(string(b), "{") && wire.Unmarshal(b, &list) == nil {
		for _, one := range list {
			if one.Value.Address != "" {
				*r = append(*r, string(one.Value.Address))
			}
		}
		if *r != nil {
			return nil
		}
	}
	var texts wire.Strings
	err := wire.Unmarshal(b, &texts)
	*r = recipients(texts)
	return err
}

const receivedType = "message.received"

var outcomes = map[string]wire.Outcome{
	"message.sent":       {Type: anymail.EventSent},
	"message.delivered":  {Type: anymail.EventDelivered},
	"message.bounced":    {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"message.complained": {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"message.rejected":   {Type: anymail.EventRejected, Reason: anymail.RejectOther},
}

// bounceTypes and bounceSubTypes refine a bounce. The words are those of Amazon SES.
// https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
var (
	bounceTypes = map[wire.Text]wire.Outcome{
		"Permanent": {Category: anymail.BounceHard},
		"Transient": {Category: anymail.BounceSoft},
	}
	bounceSubTypes = map[wire.Text]wire.Outcome{
		"Suppressed":               {Type: anymail.EventRejected, Reason: anymail.RejectBounced}, // bounced before, for any customer of SES
		"OnAccountSuppressionList": {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
		"MessageTooLarge":          {Reason: anymail.RejectOther},
		"ContentRejected":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
		"AttachmentRejected":       {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	}
)

func (w *event) details() *details {
	for _, one := range []*details{&w.Send.Value, &w.Delivery.Value, &w.Bounce.Value, &w.Complaint.Value, &w.Reject.Value} {
		if one.MessageID != "" || !one.Timestamp.IsZero() || one.Recipients != nil {
			return one
		}
	}
	return new(details)
}

// tracking returns an event for each recipient: AgentMail posts one for all.
func tracking(raw []byte, limits anymail.Limits) ([]anymail.Event, error) {
	return wire.EventsPerRecipient([][]byte{raw}, limits, func(w *event, ev *anymail.TrackingEvent) (recipients []string) {
		d := w.details()
		outcomes[w.Type].Apply(ev)
		ev.ID, ev.Timestamp, ev.MessageID = string(w.ID), d.Timestamp.Time, string(d.MessageID)
		switch ev.Type {
		case anymail.EventBounced:
			bounceTypes[d.Type].Apply(ev)
			bounceSubTypes[d.SubType].Apply(ev)
			ev.Description = strings.TrimSpace(string(d.Type + " " + d.SubType))
		case anymail.EventComplained:
			ev.Description = strings.TrimSpace(string(d.Type + " " + d.SubType))
		case anymail.EventRejected:
			ev.Description = string(d.Reason)
		}
		for _, mailbox := range d.Recipients {
			if list := inbound.Addresses(mailbox); len(list) > 0 {
				mailbox = list[0].Address
			}
			recipients = append(recipients, mailbox)
		}
		return recipients
	})
}
