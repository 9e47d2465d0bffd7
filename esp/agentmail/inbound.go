package agentmail

import (
	"context"
	"net/http"
	"net/url"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// notification is what AgentMail posts about a received message.
type notification struct {
	ID      wire.Text `json:"event_id"`
	Type    string    `json:"event_type"`
	Message message   `json:"message"`
}

// message is a received message without its attachments' contents.
// https://github.com/agentmail-to/agentmail-docs/blob/main/fern/definition/messages.yml
type message struct {
	InboxID       wire.Text    `json:"inbox_id"`
	MessageID     string       `json:"message_id"`
	Timestamp     wire.RFC3339 `json:"timestamp"`
	From          mailboxes    `json:"from"`
	ReplyTo       mailboxes    `json:"reply_to"`
	To            mailboxes    `json:"to"`
	CC            mailboxes    `json:"cc"`
	BCC           mailboxes    `json:"bcc"`
	Subject       string       `json:"subject"`
	Text          string       `json:"text"`
	HTML          string       `json:"html"`
	ExtractedText string       `json:"extracted_text"` // without quotations
	ExtractedHTML string       `json:"extracted_html"`
	InReplyTo     string       `json:"in_reply_to"`
	References    wire.Strings `json:"references"`
	Headers       wire.Headers `json:"headers"` // repeats are lost
	Attachments   []attachment `json:"attachments"`
}

type attachment struct {
	Filename    string      `json:"filename"`
	ContentType string      `json:"content_type"`
	Disposition string      `json:"content_disposition"`
	ContentID   string      `json:"content_id"`
	Size        wire.Number `json:"size"`
}

// mailboxes are texts; older pages have objects of name and email.
type mailboxes []anymail.Address

// UnmarshalJSON implements [json.Unmarshaler].
func (m *mailboxes) UnmarshalJSON(b []byte) error {
	*m = nil
	var objects []struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	if b[0] == '[' && wire.Unmarshal(b, &objects) == nil {
		for _, one := range objects {
			*m = append(*m, anymail.Address{Name: one.Name, Address: one.Email})
		}
		return nil
	}
	var texts wire.Strings
	err := wire.Unmarshal(b, &texts)
	*m = inbound.Addresses(texts...)
	return err
}

func (a *Adapter) received(ctx context.Context, p *anymail.Payload, raw []byte) (anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: raw}}
	var w notification
	if err := wire.Unmarshal(raw, &w); err != nil {
		// What can be read may be enough to fetch the message.
		ev.Type = anymail.EventInboundFailed
		w = notification{}
		wire.Salvage(raw, &w)
		w.Message = message{}
		wire.Salvage(wire.Member(raw, "message"), &w.Message)
	}
	ev.ID, ev.Timestamp = string(w.ID), w.Message.Timestamp.Time
	source, err := a.source(ctx, p, &w.Message)
	m := &ev.Message
	switch {
	case err != nil:
		return nil, err
	case source != nil:
		ev.Type = anymail.EventInbound
		*m = rawmime.Parse(source, p.Limits)
		m.EnvelopeSender = inbound.EnvelopeSender(m, m.Headers)
	default:
		w.Message.fill(m)
	}
	if inbound.IsEmpty(m) {
		ev.Type = anymail.EventInboundFailed
	}
	m.StrippedText, m.StrippedHTML = w.Message.ExtractedText, w.Message.ExtractedHTML
	inbound.SetEnvelopeRecipients(m, string(w.Message.InboxID)) // its id is its address
	if w.Type == receivedType+".spam" {
		m.SpamDetected = anymail.Yes
	}
	if ev.Type == anymail.EventInboundFailed && ev.ID == "" {
		ev.Key = anymail.EventKey(ESP, string(raw))
	}
	return ev, nil
}

// source gets a message as it was received. It is nil without an API key, and if
// AgentMail no longer has the message or it is larger than the limit.
// https://docs.agentmail.to/api-reference/inboxes/messages/get-raw
func (a *Adapter) source(ctx context.Context, p *anymail.Payload, w *message) ([]byte, error) {
	inbox, id := string(w.InboxID), w.MessageID
	if a.config.APIKeys == nil || !fetch.IsSegment(inbox) || !fetch.IsSegment(id) {
		return nil, nil
	}
	key, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return nil, err
	}
	at := "https://" + a.apiHost + "/v0/inboxes/" + url.PathEscape(inbox) + "/messages/" + url.PathEscape(id) + "/raw"
	header := http.Header{"Authorization": {"Bearer " + key}, "Accept": {"application/json"}}
	var file struct {
		URL string `json:"download_url"` // signed
	}
	budget := a.api.Budget(p)
	if err := budget.JSON(ctx, at, header, &file); fetch.Final(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return budget.File(ctx, file.URL, nil)
}

// fill makes the message from what AgentMail parsed.
func (w *message) fill(m *anymail.InboundMessage) {
	m.From, m.To, m.CC, m.BCC, m.ReplyTo = w.From, w.To, w.CC, w.BCC, w.ReplyTo
	m.Subject, m.Text, m.HTML = w.Subject, w.Text, w.HTML
	m.MessageID, m.InReplyTo = wire.TrimID(w.MessageID), wire.TrimID(w.InReplyTo)
	for _, id := range w.References {
		m.References = append(m.References, wire.TrimID(id))
	}
	for _, a := range w.Attachments {
		full := inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, nil)
		full.Size = int64(max(a.Size.Int(), 0))
		m.Attachments = append(m.Attachments, full)
	}
	inbound.SetHeaders(m, w.Headers.Message())
}
