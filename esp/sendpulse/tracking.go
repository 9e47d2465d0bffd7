package sendpulse

import (
	"cmp"
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any event of either service. The SMTP service has message_id and recipient,
// the email service task_id and email; bounces of both have those of the latter.
// https://sendpulse.com/knowledge-base/smtp/smtp-webhooks
// https://sendpulse.com/knowledge-base/email-service/additional/webhooks
type event struct {
	Event     wire.Text `json:"event"`
	Timestamp wire.Unix `json:"timestamp"`
	MessageID wire.Text `json:"message_id"`
	TaskID    wire.Text `json:"task_id"`
	Recipient wire.Text `json:"recipient"`
	Email     wire.Text `json:"email"`
	URL       wire.Text `json:"link_url"`
	Reason    wire.Text `json:"reason"` // of an unsubscription

	Code     wire.Number `json:"smtp_server_response_code"`
	Enhanced wire.Text   `json:"smtp_server_response_subcode"`
	Response wire.Text   `json:"smtp_server_response"`
}

var (
	refused      = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}
	hard         = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}
	soft         = wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft}
	opened       = wire.Outcome{Type: anymail.EventOpened}
	clicked      = wire.Outcome{Type: anymail.EventClicked}
	complained   = wire.Outcome{Type: anymail.EventComplained, Reason: anymail.RejectSpam}
	unsubscribed = wire.Outcome{Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}
	subscribed   = wire.Outcome{Type: anymail.EventSubscribed}
)

// outcomes has the names of both services. Of those of the SMTP service, SendPulse
// documents delivered alone; the others are those that public clients have.
var outcomes = map[string]wire.Outcome{
	"delivered":    {Type: anymail.EventDelivered},
	"undelivered":  refused,
	"hard_bounces": hard,
	"hard_bounce":  hard,
	"soft_bounces": soft,
	"soft_bounce":  soft,
	"opened":       opened,
	"open":         opened,
	"clicked":      clicked,
	"click":        clicked,
	"redirected":   clicked,
	"redirect":     clicked,
	"spam_by_user": complained,
	"spam":         complained,
	"unsubscribed": unsubscribed,
	"unsubscribe":  unsubscribed,
	"resubscribed": subscribed,
	"new_emails":   subscribed,
}

// classes are the categories of what the first digit of a reply code means.
var classes = map[int]anymail.BounceCategory{4: anymail.BounceSoft, 5: anymail.BounceHard}

func parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	return wire.AtLeastOne(wire.Batch(p, fill))
}

func fill(w *event, ev *anymail.TrackingEvent) {
	outcomes[strings.ToLower(string(w.Event))].Apply(ev)
	ev.Timestamp = w.Timestamp.Time
	ev.MessageID = string(cmp.Or(w.MessageID, w.TaskID))
	ev.Recipient = string(cmp.Or(w.Recipient, w.Email))
	ev.ClickURL = string(w.URL)
	ev.Description = string(w.Reason)
	if w.Response != "" || w.Code.Valid {
		wire.Answer(ev, string(w.Response))
		ev.Bounce.SMTPCode = cmp.Or(w.Code.Int(), ev.Bounce.SMTPCode)
		ev.Bounce.EnhancedCode = cmp.Or(wire.EnhancedCode(string(w.Enhanced)), ev.Bounce.EnhancedCode)
	}
	if ev.Bounce.Category == anymail.BounceUndetermined {
		ev.Bounce.Category = classes[ev.Bounce.SMTPCode/100]
	}
}
