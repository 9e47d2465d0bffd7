package mailjet

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// message is what the Parse API posts. The content of each part is a member with
// the name that ContentRef gives it.
// https://dev.mailjet.com/email/guides/parse-api/
type message struct {
	Sender    wire.Text      `json:"Sender"`
	Recipient wire.Text      `json:"Recipient"`
	From      wire.Text      `json:"From"`
	Subject   wire.Text      `json:"Subject"`
	Headers   wire.Headers   `json:"Headers"`
	Parts     jsontext.Value `json:"Parts"` // a list of part
	SpamScore wire.Number    `json:"SpamAssassinScore"`
}

type part struct {
	Headers    wire.Headers `json:"Headers"`
	ContentRef wire.Text    `json:"ContentRef"`
}

func parseInbound(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	var w message
	if err := wire.Unmarshal(p.Body, &w); err != nil {
		return nil, anymail.Malformed("inbound message", err)
	}
	if len(w.Headers) == 0 && w.Recipient == "" {
		return nil, anymail.Malformed("not of the Parse API", nil) // of the Event API, perhaps
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}
	m := &ev.Message
	m.EnvelopeSender = string(w.Sender)
	inbound.SetEnvelopeRecipients(m, string(w.Recipient))
	m.SpamScore = w.SpamScore.Pointer()
	inbound.SetHeaders(m, w.Headers.Message())
	if len(m.From) == 0 {
		m.From = inbound.Addresses(string(w.From))
	}
	if m.Subject == "" {
		m.Subject = string(w.Subject)
	}
	var parts []part
	if w.Parts != nil {
		if err := wire.Unmarshal(w.Parts, &parts); err != nil {
			parts, ev.Type = nil, anymail.EventInboundFailed
		}
	}
	fillParts(m, parts, p.Body)
	inbound.OpenTNEF(m, p.Limits)
	if ev.Type == anymail.EventInboundFailed || inbound.IsEmpty(m) {
		ev.Type = anymail.EventInboundFailed
	}
	return []anymail.Event{ev}, nil
}

// fillParts reads the contents of parts: texts are in UTF-8, and everything else
// in base64, whatever the part's headers say.
func fillParts(m *anymail.InboundMessage, parts []part, body []byte) {
	contents := map[string][]byte{}
	for name, value := range wire.Members(body) {
		if len(contents) < maxContents {
			contents[string(name)] = value
		}
	}
	take := func(ref string) (text string, found bool) {
		value, found := contents[ref]
		delete(contents, ref)
		text, _ = wire.Any(value).(string)
		return text, found
	}
	var text, html strings.Builder
	for _, p := range append(parts, part{ContentRef: "Text-part"}, part{ContentRef: "Html-part"}) {
		ref := string(p.ContentRef)
		content, found := take(ref)
		switch {
		case !found:
		case strings.HasPrefix(ref, "Text-part"):
			writePiece(&text, content)
		case strings.HasPrefix(ref, "Html-part"):
			writePiece(&html, content)
		default:
			m.Attachments = append(m.Attachments, p.attachment(inbound.DecodeBase64(content)))
		}
	}
	m.Text, m.HTML = text.String(), html.String()
}

// writePiece starts every piece on a new line.
func writePiece(b *strings.Builder, piece string) {
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	b.WriteString(piece)
}

// maxContents bounds how many members a message may have.
const maxContents = 2000

func (p *part) attachment(content []byte) anymail.Attachment {
	h := p.Headers.Message()
	disposition := h.Get("Content-Disposition")
	if disposition == "" && strings.HasPrefix(string(p.ContentRef), "Inline") {
		disposition = "inline"
	}
	return inbound.NewAttachment("", h.Get("Content-Type"), disposition, h.Get("Content-Id"), content)
}
