package mailersend

import (
	"cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

const inboundType = "inbound.message"

// received is the webhook of an inbound route: the message as it was received,
// and the same in parts.
// https://developers.mailersend.com/api/v1/inbound.html
type received struct {
	CreatedAt wire.RFC3339         `json:"created_at"`
	Data      wire.Object[content] `json:"data"`
}

type content struct {
	ID          wire.Text               `json:"id"`
	CreatedAt   wire.RFC3339            `json:"created_at"`
	Recipients  wire.Object[recipients] `json:"recipients"`
	From        wire.Object[mailbox]    `json:"from"`
	Sender      wire.Object[mailbox]    `json:"sender"` // of the envelope
	Subject     string                  `json:"subject"`
	Date        string                  `json:"date"`
	Headers     wire.Headers            `json:"headers"`
	Text        string                  `json:"text"`
	HTML        string                  `json:"html"`
	Raw         wire.Source             `json:"raw"`
	Attachments []attachment            `json:"attachments"`
	SPF         wire.Object[spfCheck]   `json:"spf_check"`
	DKIM        wire.Text               `json:"dkim_check"`
}

type recipients struct {
	RcptTo []mailbox              `json:"rcptTo"` // of the envelope
	To     wire.Object[mailboxes] `json:"to"`
	CC     wire.Object[mailboxes] `json:"cc"`
}

type mailboxes struct {
	Data []mailbox `json:"data"`
}

type attachment struct {
	Filename    string         `json:"file_name"`
	ContentType string         `json:"content_type"`
	Disposition string         `json:"content_disposition"`
	ContentID   string         `json:"content_id"`
	Content     inbound.Base64 `json:"content"`
}

type spfCheck struct {
	Code string `json:"code"`
}

type mailbox struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

func addresses(list ...mailbox) []anymail.Address {
	var out []anymail.Address
	for _, m := range list {
		if m.Email != "" {
			out = append(out, anymail.Address{Name: m.Name, Address: m.Email})
		}
	}
	return out
}

// spfResults are named by the qualifiers of RFC 7208, section 4.6.2.
var spfResults = map[string]string{"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

func parseInbound(p *anymail.Payload) ([]anymail.Event, error) {
	return inbound.Parse(p, func(w *received, ev *anymail.InboundEvent) {
		d, m := &w.Data.Value, &ev.Message
		ev.ID = string(d.ID)
		ev.Timestamp = cmp.Or(d.CreatedAt.Time, w.CreatedAt.Time)
		if !d.Raw.Empty() {
			*m = rawmime.ParseText(d.Raw.Decode(p), d.Text, d.HTML, p.Limits)
		} else {
			d.fill(m)
		}
		m.EnvelopeSender = d.Sender.Value.Email
		recipients := make([]string, len(d.Recipients.Value.RcptTo))
		for i, recipient := range d.Recipients.Value.RcptTo {
			recipients[i] = recipient.Email
		}
		inbound.SetEnvelopeRecipients(m, recipients...)
		m.Authentication.SPF = spfResults[d.SPF.Value.Code]
		if d.DKIM == "true" {
			m.Authentication.DKIM = "pass" // false is not a failure: properly signed messages had it
		}
	})
}

// fill makes the message from the parts that MailerSend parsed.
func (d *content) fill(m *anymail.InboundMessage) {
	m.From = addresses(d.From.Value)
	m.To = addresses(d.Recipients.Value.To.Value.Data...)
	m.CC = addresses(d.Recipients.Value.CC.Value.Data...)
	m.Subject = d.Subject
	m.Date = inbound.Date(d.Date)
	m.Text, m.HTML = d.Text, d.HTML
	for _, a := range d.Attachments {
		m.Attachments = append(m.Attachments,
			inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, a.Content))
	}
	inbound.SetHeaders(m, d.Headers.Message())
}
