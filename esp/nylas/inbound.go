package nylas

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// created is a notification of a message in a mailbox.
// https://developer.nylas.com/docs/reference/notifications/messages/message-created/
type created struct {
	ID   wire.Text `json:"id"`
	Type string    `json:"type"`
	Time wire.Unix `json:"time"`
	Data wire.Object[struct {
		Object wire.Object[mail] `json:"object"`
	}] `json:"data"`
}

type mail struct {
	ID          wire.Text         `json:"id"`
	GrantID     wire.Text         `json:"grant_id"`
	Folders     wire.Strings      `json:"folders"`
	From        inbound.Mailboxes `json:"from"`
	To          inbound.Mailboxes `json:"to"`
	CC          inbound.Mailboxes `json:"cc"`
	BCC         inbound.Mailboxes `json:"bcc"`
	ReplyTo     inbound.Mailboxes `json:"reply_to"`
	Subject     string            `json:"subject"`
	Date        wire.Unix         `json:"date"`
	Body        string            `json:"body"`
	Headers     wire.Headers      `json:"headers"` // of message.created.metadata
	Attachments []attachment      `json:"attachments"`
}

type attachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Disposition string `json:"content_disposition"`
	ContentID   string `json:"content_id"`
}

// isOutgoing reports whether a notification is about a message that is in the folder of
// sent messages or of drafts, and not in the inbox: one that the user wrote.
func isOutgoing(notification []byte) bool {
	var folders wire.Strings
	if list := wire.Member(wire.Member(wire.Member(notification, "data"), "object"), "folders"); list != nil {
		_ = folders.UnmarshalJSON(list) // never fails
	}
	return inAny(folders, "sent", "sent items", "sent mail", "[gmail]/sent mail", "draft", "drafts") && !inAny(folders, "inbox")
}

func inAny(folders []string, names ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return slices.Contains(names, strings.ToLower(folder)) })
}

func (a *Adapter) received(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	var posted mail
	events, err := inbound.Parse(p, func(w *created, ev *anymail.InboundEvent) {
		ev.ID, ev.Timestamp = string(w.ID), w.Time.Time
		posted = w.Data.Value.Object.Value
		typ, cut := cutSuffixes(w.Type)
		posted.fill(&ev.Message, strings.HasPrefix(w.Type, typ+".cleaned"))
		if cut {
			ev.Type = anymail.EventInboundFailed
		}
	})
	if err != nil {
		return nil, err
	}
	source, err := a.source(ctx, p, string(posted.GrantID), string(posted.ID))
	if err != nil {
		return nil, err
	}
	if source != nil {
		ev := events[0].(*anymail.InboundEvent)
		m := rawmime.Parse(source, p.Limits)
		m.EnvelopeSender = inbound.EnvelopeSender(&m, m.Headers)
		m.SpamDetected, m.StrippedText = ev.Message.SpamDetected, ev.Message.StrippedText
		ev.Type, ev.Message = anymail.EventInbound, m
	}
	return events, nil
}

// fill makes the message from what Nylas posts. A cleaned body is Markdown.
func (w *mail) fill(m *anymail.InboundMessage, cleaned bool) {
	m.From, m.To, m.CC, m.BCC, m.ReplyTo = w.From, w.To, w.CC, w.BCC, w.ReplyTo
	m.Subject, m.Date, m.HTML = w.Subject, w.Date.Time, w.Body
	if cleaned {
		m.Text, m.StrippedText, m.HTML = w.Body, w.Body, ""
	}
	if inAny(w.Folders, "spam", "junk", "junk email") {
		m.SpamDetected = anymail.Yes
	}
	for _, a := range w.Attachments {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, nil))
	}
	inbound.SetHeaders(m, w.Headers.Message())
}

// source gets a message as it was received. It is nil without an API key, and if Nylas
// does not have the message or it is larger than the limit.
// https://developer.nylas.com/docs/reference/api/messages/get-messages-id/
func (a *Adapter) source(ctx context.Context, p *anymail.Payload, grant, id string) ([]byte, error) {
	if a.config.APIKeys == nil || !fetch.IsSegment(grant) || !fetch.IsSegment(id) {
		return nil, nil
	}
	key, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return nil, err
	}
	at := "https://" + a.apiHost + "/v3/grants/" + url.PathEscape(grant) + "/messages/" + url.PathEscape(id) + "?fields=raw_mime"
	var answer struct {
		Data struct {
			MIME wire.Source `json:"raw_mime"`
		} `json:"data"`
	}
	err = a.api.Budget(p).JSON(ctx, at, http.Header{"Authorization": {"Bearer " + key}, "Accept": {"application/json"}}, &answer)
	if err != nil && !fetch.Final(err) {
		return nil, err
	}
	return inbound.DecodeBase64Source(answer.Data.MIME, nil), nil
}
