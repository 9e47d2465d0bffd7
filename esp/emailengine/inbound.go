package emailengine

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// notification is the webhook about a message that is new in a folder.
// https://learn.emailengine.app/docs/webhooks/messagenew
type notification struct {
	Event      string               `json:"event"`
	Account    wire.Text            `json:"account"`
	Date       wire.RFC3339         `json:"date"`
	SpecialUse string               `json:"specialUse"` // of the folder
	Data       wire.Object[message] `json:"data"`
}

type message struct {
	ID          wire.Text          `json:"id"` // in the folder
	SpecialUse  string             `json:"messageSpecialUse"`
	Labels      wire.Strings       `json:"labels"` // of Gmail, whose messages are in one folder
	Date        wire.Text          `json:"date"`
	Subject     string             `json:"subject"`
	From        mailboxes          `json:"from"`
	ReplyTo     mailboxes          `json:"replyTo"`
	To          mailboxes          `json:"to"`
	CC          mailboxes          `json:"cc"`
	BCC         mailboxes          `json:"bcc"`
	MessageID   string             `json:"messageId"`
	InReplyTo   string             `json:"inReplyTo"`
	Headers     wire.Headers       `json:"headers"` // those that EmailEngine is set to post
	Text        wire.Object[texts] `json:"text"`
	Attachments []attachment       `json:"attachments"`
}

// texts are there if EmailEngine is set to post them, up to a size.
type texts struct {
	Plain string `json:"plain"`
	HTML  string `json:"html"`
}

type attachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"contentType"`
	Inline      bool   `json:"inline"`
	ContentID   string `json:"contentId"`
}

// mailboxes is a list of mailboxes, or one of them.
type mailboxes []anymail.Address

// UnmarshalJSON implements [json.Unmarshaler].
func (m *mailboxes) UnmarshalJSON(b []byte) error {
	*m = nil
	if b[0] == '{' {
		b = slices.Concat([]byte("["), b, []byte("]"))
	}
	var list []struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	}
	err := wire.Unmarshal(b, &list)
	for _, one := range list {
		*m = append(*m, anymail.Address{Name: one.Name, Address: one.Address})
	}
	return err
}

// isReceived reports whether a webhook is about a received message, and not about one
// that the user of the mailbox wrote.
func isReceived(body []byte) bool {
	if wire.StringMember(body, "event") != "messageNew" {
		return false
	}
	var w struct {
		SpecialUse string `json:"specialUse"`
		Data       wire.Object[struct {
			SpecialUse string       `json:"messageSpecialUse"`
			Labels     wire.Strings `json:"labels"`
		}] `json:"data"`
	}
	wire.Salvage(body, &w)
	places := slices.Concat(w.Data.Value.Labels, []string{w.SpecialUse, w.Data.Value.SpecialUse})
	own := func(place string) bool { return place == `\Sent` || place == `\Drafts` || place == `\Draft` }
	return slices.Contains(places, `\Inbox`) || !slices.ContainsFunc(places, own)
}

func (a *Adapter) received(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	var fetchErr error
	events, err := inbound.Parse(p, func(w *notification, ev *anymail.InboundEvent) {
		d := &w.Data.Value
		ev.Timestamp = w.Date.Time
		ev.Key = anymail.EventKey(ESP, w.Event, string(w.Account), string(d.ID), w.Date.Format(time.RFC3339Nano))
		if d.ID == "" {
			ev.Key = anymail.EventKey(ESP, string(p.Body))
		}
		var source []byte
		if source, fetchErr = a.source(ctx, p, string(w.Account), string(d.ID)); source != nil {
			ev.Type = anymail.EventInbound
			ev.Message = rawmime.Parse(source, p.Limits)
			ev.Message.EnvelopeSender = inbound.EnvelopeSender(&ev.Message, ev.Message.Headers)
		} else {
			d.fill(&ev.Message)
		}
		if w.SpecialUse == `\Junk` || d.SpecialUse == `\Junk` {
			ev.Message.SpamDetected = anymail.Yes
		}
	})
	if fetchErr != nil {
		return nil, fetchErr
	}
	return events, err
}

// source gets a message as it was received. It is nil without a token, and if EmailEngine
// no longer has the message or it is larger than the limit.
// https://learn.emailengine.app/docs/api/get-v-1-account-account-message-message-source
func (a *Adapter) source(ctx context.Context, p *anymail.Payload, account, id string) ([]byte, error) {
	if a.config.APITokens == nil || !fetch.IsSegment(account) || !fetch.IsSegment(id) {
		return nil, nil
	}
	token, err := fetch.Key(ctx, a.config.APITokens)
	if err != nil {
		return nil, err
	}
	at := strings.TrimRight(a.config.ServerURL, "/") + "/v1/account/" + url.PathEscape(account) + "/message/" + url.PathEscape(id) + "/source"
	return a.api.Budget(p).File(ctx, at, http.Header{"Authorization": {"Bearer " + token}})
}

// fill makes the message from its parts.
func (d *message) fill(m *anymail.InboundMessage) {
	m.From, m.To, m.CC, m.BCC, m.ReplyTo = d.From, d.To, d.CC, d.BCC, d.ReplyTo
	m.Subject, m.Date = d.Subject, inbound.Date(string(d.Date))
	m.Text, m.HTML = d.Text.Value.Plain, d.Text.Value.HTML
	m.MessageID, m.InReplyTo = wire.TrimID(d.MessageID), wire.TrimID(d.InReplyTo)
	for _, a := range d.Attachments {
		disposition := "attachment"
		if a.Inline {
			disposition = "inline"
		}
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Filename, a.ContentType, disposition, a.ContentID, nil))
	}
	inbound.SetHeaders(m, d.Headers.Message())
}
