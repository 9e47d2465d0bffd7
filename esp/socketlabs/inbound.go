package socketlabs

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// received is what the Inbound Parse API posts.
// https://github.com/socketlabs/SocketLabs.EventWebhooks.Extensions
type received struct {
	MailFrom  wire.Text            `json:"InboundMailFrom"`
	RcptTo    wire.Text            `json:"InboundRcptTo"`
	SpamScore wire.Number          `json:"SpamScore"`
	Message   wire.Object[message] `json:"Message"`
}

type message struct {
	From        mailbox      `json:"From"`
	To          []mailbox    `json:"To"`
	CC          []mailbox    `json:"CC"`
	BCC         []mailbox    `json:"BCC"`
	ReplyTo     mailbox      `json:"ReplyTo"`
	Subject     string       `json:"Subject"`
	Text        string       `json:"TextBody"`
	HTML        string       `json:"HtmlBody"`
	MessageID   string       `json:"MessageId"`
	Headers     wire.Headers `json:"CustomHeaders"`
	Attachments []attachment `json:"Attachments"`
	Embedded    []attachment `json:"EmbeddedMedia"`
}

type mailbox struct {
	Address string `json:"EmailAddress"`
	Name    string `json:"FriendlyName"`
}

type attachment struct {
	Name        string         `json:"Name"`
	ContentType string         `json:"ContentType"`
	ContentID   string         `json:"ContentId"`
	Content     inbound.Base64 `json:"Content"`
}

func parseInbound(p *anymail.Payload) ([]anymail.Event, error) {
	events, err := inbound.Parse(p, func(w *received, ev *anymail.InboundEvent) {
		m := &ev.Message
		w.Message.Value.fill(m)
		m.EnvelopeSender = wire.TrimID(string(w.MailFrom))
		inbound.SetEnvelopeRecipients(m, string(w.RcptTo))
		m.SpamScore = w.SpamScore.Pointer()
	})
	for _, ev := range events {
		if ev.Base().Type == anymail.EventInboundFailed {
			ev.Base().Key = keyOf(p.Body)
		}
	}
	return events, err
}

func (w *message) fill(m *anymail.InboundMessage) {
	m.From, m.ReplyTo = addresses(w.From), addresses(w.ReplyTo)
	m.To, m.CC, m.BCC = addresses(w.To...), addresses(w.CC...), addresses(w.BCC...)
	m.Subject, m.Text, m.HTML = w.Subject, w.Text, w.HTML
	for _, a := range w.Embedded {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Name, a.ContentType, "inline", a.ContentID, a.Content))
	}
	for _, a := range w.Attachments {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Name, a.ContentType, "attachment", a.ContentID, a.Content))
	}
	inbound.SetHeaders(m, w.Headers.Message())
	m.MessageID = cmp.Or(m.MessageID, wire.TrimID(w.MessageID))
}

func addresses(list ...mailbox) (all []anymail.Address) {
	for _, one := range list {
		if one.Address != "" {
			all = append(all, anymail.Address{Name: one.Name, Address: one.Address})
		}
	}
	return all
}
