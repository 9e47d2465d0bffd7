package mailomat

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any of Mailomat's events.
// https://github.com/symfony/symfony/tree/7.4/src/Symfony/Component/Mailer/Bridge/Mailomat
type event struct {
	ID          wire.Text            `json:"id"`
	Type        string               `json:"eventType"`
	OccurredAt  wire.RFC3339         `json:"occurredAt"`
	MessageUUID wire.Text            `json:"messageUuid"` // as the send API returns it
	MessageID   wire.Text            `json:"messageId"`   // the header of the message
	Recipient   wire.Text            `json:"recipient"`
	Payload     wire.Object[payload] `json:"payload"`
}

type payload struct {
	Timestamp wire.Unix           `json:"timestamp"` // finer than occurredAt
	Reason    wire.Text           `json:"reason"`
	Status    wire.Object[status] `json:"delivery-status"`
	URL       wire.Text           `json:"url"`
	Client    wire.Object[client] `json:"client"`
}

// status is the answer of the receiving server.
type status struct {
	Code     wire.Number `json:"code"`
	Enhanced wire.Text   `json:"enhanced-code"`
	Message  wire.Text   `json:"message"`
}

type client struct {
	IP        wire.Text `json:"ip"`
	UserAgent wire.Text `json:"user-agent"`
}

var outcomes = map[string]wire.Outcome{
	"accepted":     {Type: anymail.EventQueued},
	"not_accepted": {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"delivered":    {Type: anymail.EventDelivered},
	"failure_tmp":  {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"failure_perm": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"opened":       {Type: anymail.EventOpened},
	"clicked":      {Type: anymail.EventClicked},
}

func fill(w *event, ev *anymail.TrackingEvent) {
	d := &w.Payload.Value
	s, c := &d.Status.Value, &d.Client.Value
	outcomes[w.Type].Apply(ev)
	ev.ID = string(w.ID)
	ev.Timestamp = cmp.Or(d.Timestamp.Time, w.OccurredAt.Time)
	ev.MessageID = string(cmp.Or(w.MessageUUID, w.MessageID))
	ev.Recipient = string(w.Recipient)
	ev.Description = string(cmp.Or(d.Reason, s.Message))
	ev.ClickURL, ev.UserAgent, ev.IP = string(d.URL), string(c.UserAgent), wire.Addr(string(c.IP))
	wire.Answer(ev, string(s.Message))
	if code := s.Code.Int(); code > 0 {
		ev.Bounce.SMTPCode = code
	}
	if code := wire.EnhancedCode(string(s.Enhanced)); code != "" {
		ev.Bounce.EnhancedCode = code
	}
	if ev.Type == anymail.EventBounced && ev.Bounce.SMTPCode/100 == 4 {
		ev.Bounce.Category = anymail.BounceSoft // Mailomat has given up
	}
}
