package scaleway

import (
	"cmp"
	"context"
	"errors"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
	"github.com/goanymail/anymail/wire"
)

// event is the Message of a notification.
// https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads/
type event struct {
	ID              wire.Text    `json:"id"`
	Type            wire.Text    `json:"type"`
	CreatedAt       wire.RFC3339 `json:"created_at"`
	EmailID         wire.Text    `json:"email_id"`
	To              wire.Text    `json:"email_to"`
	Headers         []header     `json:"email_headers"`
	ResponseCode    wire.Number  `json:"email_response_code"`
	ResponseMessage wire.Text    `json:"email_response_message"`
	Error           wire.Text    `json:"email_error"` // deprecated
	BlocklistType   wire.Text    `json:"blocklist_type"`
	BlocklistReason wire.Text    `json:"blocklist_reason"`
}

type header struct {
	Key   wire.Text `json:"key"`
	Value wire.Text `json:"value"`
}

var types = map[wire.Text]wire.Outcome{
	"email_queued":            {Type: anymail.EventQueued},
	"email_delivered":         {Type: anymail.EventDelivered},
	"email_deferred":          {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"email_dropped":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"email_bounced":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}, // in samples for Terraform
	"email_mailbox_not_found": {Type: anymail.EventBounced, Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"email_spam":              {Type: anymail.EventRejected, Reason: anymail.RejectBlocked}, // the content, not the recipient
	"email_blocklisted":       {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
}

// refusedAsSpam is email_spam with the answer of a receiving server. Without one,
// Scaleway itself did not send the message.
var refusedAsSpam = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectSpam, Category: anymail.BounceBlock}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	m, err := sns.Parse(p.Body)
	if err != nil {
		return nil, err
	}
	elements, err := wire.Split([]byte(m.Message), p.Limits)
	switch {
	case errors.Is(err, anymail.ErrMalformed): // another publisher's text: nothing may be lost of it
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: m.MessageID, Timestamp: m.Time(), Raw: p.Body}}
		return []anymail.Event{ev}, nil
	case err != nil:
		return nil, err
	}
	return wire.AtLeastOne(wire.Events(elements, func(w *event, ev *anymail.TrackingEvent) {
		fill(w, ev)
		if ev.ID == "" && len(elements) == 1 {
			ev.ID = m.MessageID
		}
		if ev.Timestamp.IsZero() {
			ev.Timestamp = m.Time()
		}
	}), nil)
}

func fill(w *event, ev *anymail.TrackingEvent) {
	types[w.Type].Apply(ev)
	code := w.ResponseCode.Int()
	switch {
	case w.Type == "email_spam" && code != 0:
		refusedAsSpam.Apply(ev)
	case w.Type == "email_blocklisted" && w.BlocklistType == "mailbox_not_found":
		ev.RejectReason = anymail.RejectInvalid
	}
	ev.ID = string(w.ID)
	ev.Timestamp = w.CreatedAt.Time
	ev.MessageID = string(w.EmailID)
	ev.Recipient = string(w.To)
	if len(w.Headers) > 0 {
		ev.Metadata = anymail.Metadata{}
	}
	for _, h := range w.Headers {
		ev.Metadata[string(h.Key)] = string(h.Value)
	}
	if code != 0 {
		wire.Answer(ev, string(w.ResponseMessage))
		ev.Bounce.SMTPCode = code
	}
	ev.Description = string(cmp.Or(w.ResponseMessage, w.Error, w.BlocklistReason, w.BlocklistType))
}
