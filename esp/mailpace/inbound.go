package mailpace

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// message is a received message, as it was received and in parts.
// https://docs.mailpace.com/guide/inbound
type message struct {
	From        string       `json:"from"`
	To          string       `json:"to"`
	CC          string       `json:"cc"`
	BCC         string       `json:"bcc"`
	ReplyTo     string       `json:"replyTo"`
	Subject     string       `json:"subject"`
	MessageID   string       `json:"messageId"`
	InReplyTo   string       `json:"inReplyTo"`
	Headers     wire.Strings `json:"headers"` // lines
	HTML        string       `json:"html"`
	Text        string       `json:"text"`
	Raw         wire.Source  `json:"raw"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Filename    string         `json:"filename"`
	ContentType string         `json:"contentType"`
	Disposition string         `json:"contentDisposition"`
	ContentID   string         `json:"contentId"`
	CID         string         `json:"cid"` // the same without angle brackets
	Content     inbound.Base64 `json:"content"`
}

func parseInbound(p *anymail.Payload) ([]anymail.Event, error) {
	return inbound.Parse(p, func(w *message, ev *anymail.InboundEvent) {
		if !w.Raw.Empty() {
			ev.Message = rawmime.ParseText(w.Raw.Decode(p), w.Text, w.HTML, p.Limits)
		} else {
			w.fill(&ev.Message)
		}
	})
}

// fill makes the message from the parts that MailPace parsed.
func (w *message) fill(m *anymail.InboundMessage) {
	m.From, m.ReplyTo = inbound.Addresses(w.From), inbound.Addresses(w.ReplyTo)
	m.To, m.CC, m.BCC = inbound.Addresses(w.To), inbound.Addresses(w.CC), inbound.Addresses(w.BCC)
	m.Subject = w.Subject
	m.MessageID, m.InReplyTo = wire.TrimID(w.MessageID), wire.TrimID(w.InReplyTo)
	m.Text, m.HTML = w.Text, w.HTML
	for _, a := range w.Attachments {
		m.Attachments = append(m.Attachments,
			inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, cmp.Or(a.CID, a.ContentID), a.Content))
	}
	inbound.SetHeaders(m, inbound.ParseHeaders([]byte(strings.Join(w.Headers, "\r\n"))))
}
