package ahasend

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// inboundTypes are the names of a received message, the second of which is older.
var inboundTypes = map[string]bool{"message.routing": true, "route.message": true}

// received is the webhook of an inbound route.
// https://ahasend.com/docs/integrations/routing
type received struct {
	Timestamp wire.RFC3339         `json:"timestamp"`
	Data      wire.Object[message] `json:"data"`
}

type message struct {
	From        string       `json:"from"`
	ReplyTo     string       `json:"reply_to"`
	To          string       `json:"to"` // the recipient that matched the route
	CC          string       `json:"cc"`
	Subject     string       `json:"subject"`
	MessageID   string       `json:"message_id"`
	InReplyTo   string       `json:"in_reply_to"`
	References  string       `json:"references"`
	Date        string       `json:"date"`
	HTML        string       `json:"html_body"`
	Text        string       `json:"plain_body"`
	Reply       string       `json:"reply_from_plain_body"`
	SpamScore   wire.Number  `json:"spam_score"`
	Headers     wire.Headers `json:"headers"` // only if the route has them enabled
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Filename    string         `json:"filename"`
	ContentType string         `json:"content_type"`
	ContentID   string         `json:"content_id"`
	Disposition string         `json:"disposition"`
	Content     inbound.Base64 `json:"data"`
}

func parseInbound(p *anymail.Payload) ([]anymail.Event, error) {
	return inbound.Parse(p, func(w *received, ev *anymail.InboundEvent) {
		ev.ID = p.Header.Get(idHeader)
		ev.Timestamp = w.Timestamp.Time
		w.Data.Value.fill(&ev.Message)
	})
}

func (d *message) fill(m *anymail.InboundMessage) {
	matched := inbound.Addresses(d.To)
	recipients := make([]string, len(matched))
	for i, recipient := range matched {
		recipients[i] = recipient.Address
	}
	inbound.SetEnvelopeRecipients(m, recipients...)
	m.From, m.ReplyTo, m.CC = inbound.Addresses(d.From), inbound.Addresses(d.ReplyTo), inbound.Addresses(d.CC)
	m.Subject = d.Subject
	m.Date = inbound.Date(d.Date)
	m.MessageID, m.InReplyTo = wire.TrimID(d.MessageID), wire.TrimID(d.InReplyTo)
	for id := range strings.FieldsSeq(d.References) {
		m.References = append(m.References, wire.TrimID(id))
	}
	m.Text, m.HTML, m.StrippedText = d.Text, d.HTML, d.Reply
	m.SpamScore = d.SpamScore.Pointer()
	for _, a := range d.Attachments {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, a.Content))
	}
	inbound.SetHeaders(m, d.Headers.Message())
	if m.To == nil {
		m.To = matched
	}
}
