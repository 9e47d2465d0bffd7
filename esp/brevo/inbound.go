package brevo

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// message is one of the "items" of Brevo's inbound webhook.
// https://developers.brevo.com/docs/inbound-parse-webhooks
type message struct {
	UUIDs       wire.Strings `json:"Uuid"`
	MessageID   string       `json:"MessageId"`
	InReplyTo   string
	From        mailboxes
	To          mailboxes
	CC          mailboxes `json:"Cc"`
	Recipients  mailboxes // of the envelope
	ReplyTo     mailboxes
	SentAtDate  string
	Subject     string
	HTML        string `json:"RawHtmlBody"`
	Text        string `json:"RawTextBody"`
	Stripped    string `json:"ExtractedMarkdownMessage"`
	SpamScore   wire.Number
	Spam        wire.Object[struct{ Score wire.Number }] // as documented, instead of SpamScore
	Attachments []attachment
	Headers     wire.Headers
}

type attachment struct {
	Name          string
	ContentType   string
	ContentLength wire.Number
	ContentID     string `json:",case:ignore"` // or ContentId
	DownloadToken string
}

// mailbox is {"Name", "Address"}, or only the address.
type mailbox anymail.Address

// UnmarshalJSON implements [json.Unmarshaler].
func (m *mailbox) UnmarshalJSON(b []byte) error {
	*m = mailbox{}
	if b[0] == '"' {
		return wire.Unmarshal(b, &m.Address)
	}
	var full wire.Object[struct{ Name, Address wire.Text }]
	err := wire.Unmarshal(b, &full)
	*m = mailbox{Name: string(full.Value.Name), Address: string(full.Value.Address)}
	return err
}

// mailboxes is a list of mailboxes, one mailbox, or null.
type mailboxes []anymail.Address

// UnmarshalJSON implements [json.Unmarshaler].
func (m *mailboxes) UnmarshalJSON(b []byte) error {
	*m = nil
	list := make([]mailbox, 1)
	var err error
	if b[0] == '[' {
		err = wire.Unmarshal(b, &list)
	} else {
		err = wire.Unmarshal(b, &list[0])
	}
	for _, one := range list {
		if one.Address != "" {
			*m = append(*m, anymail.Address(one))
		}
	}
	return err
}

// inboundItems returns the text of "items" if the payload is an inbound one with at
// least one item.
func inboundItems(elements [][]byte) []byte {
	if len(elements) != 1 {
		return nil
	}
	var items []byte
	for name, value := range wire.Members(elements[0]) {
		switch string(name) {
		case "event":
			return nil
		case "items":
			if value[0] == '[' && len(bytes.TrimSpace(value[1:len(value)-1])) > 0 {
				items = value
			}
		}
	}
	return items
}

func (a *Adapter) received(ctx context.Context, p *anymail.Payload, items []byte) ([]anymail.Event, error) {
	list, err := wire.Split(items, p.Limits)
	if err != nil {
		return nil, err
	}
	budget := a.api.Budget(p)
	events := make([]anymail.Event, len(list))
	for i, raw := range list {
		ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: raw}}
		var w message
		if wire.Unmarshal(raw, &w) != nil || w.empty() {
			w = message{}
			wire.Salvage(raw, &w)
			ev.Type = anymail.EventInboundFailed
		}
		if len(w.UUIDs) > 0 {
			ev.ID = w.UUIDs[0]
		} else if ev.Type == anymail.EventInboundFailed {
			ev.Key = anymail.EventKey(ESP, string(raw))
		}
		fillMessage(&w, &ev.Message)
		toFetch, err := a.toFetch(ctx, w.Attachments)
		if err != nil {
			return nil, err
		}
		if ev.Message.Attachments, err = budget.Attachments(ctx, toFetch, p.Limits); err != nil {
			return nil, err
		}
		inbound.OpenTNEF(&ev.Message, p.Limits)
		events[i] = ev
	}
	return events, nil
}

// empty reports whether w has nothing of a message.
func (w *message) empty() bool {
	return w.MessageID+w.Subject+w.Text+w.HTML == "" && len(w.UUIDs)+len(w.From)+len(w.To)+len(w.Recipients)+len(w.Headers)+len(w.Attachments) == 0
}

func fillMessage(w *message, m *anymail.InboundMessage) {
	m.From, m.To, m.CC, m.ReplyTo = w.From, w.To, w.CC, w.ReplyTo
	m.Subject = w.Subject
	m.Date = inbound.Date(w.SentAtDate)
	m.MessageID = wire.TrimID(w.MessageID)
	m.InReplyTo = wire.TrimID(w.InReplyTo)
	m.Text, m.HTML, m.StrippedText = w.Text, w.HTML, w.Stripped
	m.SpamScore = w.SpamScore.Pointer()
	if m.SpamScore == nil {
		m.SpamScore = w.Spam.Value.Score.Pointer()
	}
	inbound.SetHeaders(m, w.Headers.Message())
	own := inbound.ServerHeaders(m.Headers)
	m.EnvelopeSender = wire.TrimID(own.Get("Return-Path"))
	recipients := make([]string, len(w.Recipients))
	for i, recipient := range w.Recipients {
		recipients[i] = recipient.Address
	}
	if len(recipients) == 0 {
		recipients = []string{wire.TrimID(own.Get("Delivered-To"))}
	}
	inbound.SetEnvelopeRecipients(m, recipients...)
}

const apiHost = "api.brevo.com"

// toFetch returns the URLs of the attachments: none without a key, and none for an
// invalid token, such as dots, which would lead to another resource.
// https://developers.brevo.com/reference/get_inbound-attachments-downloadtoken
func (a *Adapter) toFetch(ctx context.Context, list []attachment) ([]fetch.Attachment, error) {
	var header http.Header
	if a.config.APIKeys != nil && len(list) > 0 {
		key, err := fetch.Key(ctx, a.config.APIKeys)
		if err != nil {
			return nil, err
		}
		header = http.Header{"Api-Key": {key}}
	}
	all := make([]fetch.Attachment, len(list))
	for i, w := range list {
		all[i] = fetch.Attachment{Filename: w.Name, ContentType: w.ContentType, ContentID: w.ContentID, Size: w.ContentLength, Header: header}
		if header != nil && strings.Trim(w.DownloadToken, ".") != "" {
			all[i].URL = "https://" + apiHost + "/v3/inbound/attachments/" + url.PathEscape(w.DownloadToken)
		}
	}
	return all, nil
}
