package stalwart

import (
	"cmp"
	"context"
	"regexp"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is an event of the telemetry. It has an id, but a new one in every attempt.
// https://stalw.art/docs/telemetry/events
type event struct {
	Type      string            `json:"type"`
	CreatedAt wire.RFC3339      `json:"createdAt"`
	Data      wire.Object[data] `json:"data"`
}

type data struct {
	To        wire.Strings `json:"to"`
	MessageID wire.Text    `json:"messageId"`
	QueueID   wire.Text    `json:"queueId"` // has more digits than a float64
	Code      wire.Number  `json:"code"`
	Details   wire.Text    `json:"details"`
	Reason    wire.Text    `json:"reason"`
}

// outcomes are those of events that name a recipient. Events of the kind dsn- are there
// for each recipient, also if Stalwart sends no DSN.
var outcomes = map[string]wire.Outcome{
	"queue.queue-message-authenticated": {Type: anymail.EventQueued}, // a submission
	"delivery.delivered":                {Type: anymail.EventDelivered},
	"delivery.dsn-success":              {Type: anymail.EventDelivered},
	"delivery.dsn-temp-fail":            {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"delivery.dsn-perm-fail":            {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
}

// permanent refines a dsn-perm-fail by the class of the last answer. One for the time
// being means that Stalwart gave up.
var permanent = map[int]wire.Outcome{
	4: {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	5: {Category: anymail.BounceHard},
}

// answerIn finds the answer of the receiving server in the details of a DSN. If there
// is no enhanced code, Stalwart writes 0.0.0.
var answerIn = regexp.MustCompile(`(?s)(?:^|: )Code: (\d{3}), Enhanced code: ([\d.]+), Message: (.*)`)

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err == nil && len(elements) == 1 {
		if batch := wire.Member(elements[0], "events"); batch != nil {
			elements, err = wire.Split(batch, p.Limits)
		}
	}
	if err != nil {
		return nil, err
	}
	return wire.AtLeastOne(wire.EventsPerRecipient(elements, p.Limits, fill))
}

func fill(w *event, ev *anymail.TrackingEvent) (recipients []string) {
	d := &w.Data.Value
	outcomes[w.Type].Apply(ev)
	ev.Timestamp = w.CreatedAt.Time
	ev.MessageID = string(cmp.Or(d.MessageID, d.QueueID))
	details := string(cmp.Or(d.Details, d.Reason))
	switch answer := answerIn.FindStringSubmatch(details); {
	case answer != nil:
		wire.Reply(ev, wire.ParseNumber(answer[1]).Int(), answer[2], answer[3])
		ev.Description = details
	case d.Code.Valid:
		wire.Reply(ev, d.Code.Int(), "", details)
		_, ev.Bounce.EnhancedCode = wire.SMTP(ev.MTAResponse)
	default:
		ev.Description = details
	}
	switch class := wire.Class(ev.Bounce); {
	case w.Type == "delivery.dsn-perm-fail":
		permanent[class].Apply(ev)
	case w.Type == "delivery.rcpt-to-rejected" && class == 4: // after class 5, a dsn-perm-fail follows
		wire.Outcome{Type: anymail.EventDeferred, Category: anymail.BounceSoft}.Apply(ev)
	}
	ev.Key = w.key(ev)
	return d.To
}

// key returns the key of what happens once to each recipient of a message, whichever
// events report it, and otherwise that of the event without its id.
func (w *event) key(ev *anymail.TrackingEvent) string {
	if id := string(w.Data.Value.QueueID); id != "" && (ev.Type == anymail.EventQueued || ev.Type == anymail.EventDelivered || ev.Type == anymail.EventBounced) {
		return anymail.EventKey(ESP, id, string(ev.Type))
	}
	return anymail.EventKey(ESP, w.Type, w.CreatedAt.Format(time.RFC3339), string(wire.Member(ev.Raw, "data")))
}
