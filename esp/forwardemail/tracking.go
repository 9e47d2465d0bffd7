package forwardemail

import (
	"cmp"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is a bounce of a sent message.
// https://forwardemail.net/en/faq#do-you-support-bounce-webhooks
type event struct {
	EmailID      wire.Text           `json:"email_id"` // that the send API returned
	Recipient    wire.Text           `json:"recipient"`
	Message      wire.Text           `json:"message"`
	Response     wire.Text           `json:"response"`
	ResponseCode wire.Number         `json:"response_code"`
	Bounce       wire.Object[bounce] `json:"bounce"`
	Headers      wire.Headers        `json:"headers"` // of the message
	BouncedAt    wire.RFC3339        `json:"bounced_at"`
}

type bounce struct {
	Action   wire.Text `json:"action"`
	Message  wire.Text `json:"message"`
	Category wire.Text `json:"category"`
	Status   wire.Text `json:"status"`
}

// actions are those of ZoneMTA, with which Forward Email sends. Its own pages name
// reject only.
var actions = map[wire.Text]wire.Outcome{
	"reject":   {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"defer":    {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"slowdown": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
}

// categories refine a rejection. Without one that is listed, the answer of the server
// decides.
var categories = map[wire.Text]wire.Outcome{
	"recipient": {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"block":     {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"policy":    {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"virus":     {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"spam":      {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"capacity":  {Category: anymail.BounceSoft},
	"network":   {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
}

func fill(w *event, ev *anymail.TrackingEvent) {
	b := &w.Bounce.Value
	code := w.ResponseCode.Int()
	action := b.Action
	if action == "" {
		switch {
		case code >= 500:
			action = "reject"
		case code >= 400:
			action = "defer"
		}
	}
	actions[action].Apply(ev)
	if ev.Type == anymail.EventBounced {
		if code >= 500 {
			ev.Bounce.Category = anymail.BounceHard
		}
		categories[b.Category].Apply(ev)
	}
	ev.Timestamp = w.BouncedAt.Time
	ev.MessageID = cmp.Or(string(w.EmailID), wire.TrimID(w.Headers.Message().Get("Message-ID")))
	ev.Recipient = string(w.Recipient)
	ev.Description = string(cmp.Or(b.Message, w.Message))
	if w.Response != "" {
		wire.Answer(ev, string(w.Response))
	}
	if code != 0 {
		ev.Bounce.SMTPCode = code
	}
	if status := wire.EnhancedCode(string(b.Status)); status != "" {
		ev.Bounce.EnhancedCode = status
	}
	ev.Metadata = w.Headers.Custom()
	if w.EmailID != "" && !ev.Timestamp.IsZero() {
		ev.Key = anymail.EventKey(ESP, string(w.EmailID), string(w.Recipient), string(b.Action), ev.Timestamp.Format(time.RFC3339Nano))
	}
}
