package lettermint

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

const inboundType = "message.inbound"

// received is the webhook of an inbound route.
// https://docs.lettermint.co/platform/webhooks/events
type received struct {
	ID        wire.Text            `json:"id"`
	Timestamp wire.RFC3339         `json:"timestamp"`
	CreatedAt wire.RFC3339         `json:"created_at"` // in place of timestamp, until 2025
	Data      wire.Object[message] `json:"data"`
}

type message struct {
	MessageID   string                `json:"message_id"`
	From        inbound.Mailboxes     `json:"from"`
	To          inbound.Mailboxes     `json:"to"`
	CC          inbound.Mailboxes     `json:"cc"`
	ReplyTo     inbound.Mailboxes     `json:"reply_to"`
	Recipient   wire.Text             `json:"recipient"`
	Envelope    wire.Object[envelope] `json:"envelope"`
	Subject     string                `json:"subject"`
	Date        string                `json:"date"`
	Body        wire.Object[body]     `json:"body"`
	Headers     wire.Headers          `json:"headers"`
	Attachments []attachment          `json:"attachments"`
	IsSpam      wire.Text             `json:"is_spam"`
	SpamScore   wire.Number           `json:"spam_score"`
}

// envelope is that of the SMTP dialogue. Its members are not documented.
type envelope struct {
	From inbound.Mailboxes `json:"from"`
	To   inbound.Mailboxes `json:"to"`
}

type body struct {
	Text string `json:"text"`
	HTML string `json:"html"`
}

type attachment struct {
	Filename    string         `json:"filename"`
	ContentType string         `json:"content_type"`
	ContentID   string         `json:"content_id"`
	Content     inbound.Base64 `json:"content"`
}

func parseInbound(p *anymail.Payload) ([]anymail.Event, error) {
	return inbound.Parse(p, func(w *received, ev *anymail.InboundEvent) {
		ev.ID = string(w.ID)
		ev.Timestamp = cmp.Or(w.Timestamp.Time, w.CreatedAt.Time)
		w.Data.Value.fill(&ev.Message)
	})
}

func (d *message) fill(m *anymail.InboundMessage) {
	envelope := &d.Envelope.Value
	if len(envelope.From) > 0 {
		m.EnvelopeSender = envelope.From[0].Address
	}
	recipients := []string{string(d.Recipient)}
	for _, recipient := range envelope.To {
		recipients = append(recipients, recipient.Address)
	}
	inbound.SetEnvelopeRecipients(m, recipients...)

	m.From, m.To, m.CC, m.ReplyTo = d.From, d.To, d.CC, d.ReplyTo
	m.Subject = d.Subject
	m.Date = inbound.Date(d.Date)
	m.Text, m.HTML = d.Body.Value.Text, d.Body.Value.HTML
	for _, a := range d.Attachments {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Filename, a.ContentType, "", a.ContentID, a.Content))
	}
	m.SpamDetected, m.SpamScore = wire.AnyOf(d.IsSpam), d.SpamScore.Pointer()
	inbound.SetHeaders(m, d.Headers.Message())
	m.MessageID = cmp.Or(m.MessageID, wire.TrimID(d.MessageID))
}
