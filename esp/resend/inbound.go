package resend

import (
	"context"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// notification is what Resend posts about a received message.
// https://resend.com/docs/webhooks/emails/received
type notification struct {
	CreatedAt wire.RFC3339 `json:"created_at"`
	Data      message      `json:"data"`
}

// message is a received message in the notification or from the API.
// https://resend.com/docs/api-reference/emails/retrieve-received-email
type message struct {
	EmailID     wire.Text    `json:"email_id"` // in the notification
	From        string       `json:"from"`
	To          wire.Strings `json:"to"`
	CC          wire.Strings `json:"cc"`
	BCC         wire.Strings `json:"bcc"`
	ReplyTo     wire.Strings `json:"reply_to"`
	ReceivedFor wire.Strings `json:"received_for"`
	MessageID   string       `json:"message_id"`
	Subject     string       `json:"subject"`
	HTML        string       `json:"html"`
	Text        string       `json:"text"`
	Headers     wire.Headers `json:"headers"` // names in lower case, repeats lost
	Attachments []attachment `json:"attachments"`

	Authentication wire.Object[authentication] `json:"authentication"`
	Raw            wire.Object[file]           `json:"raw"`
}

type attachment struct {
	Filename    string      `json:"filename"`
	ContentType string      `json:"content_type"`
	Disposition string      `json:"content_disposition"`
	ContentID   string      `json:"content_id"`
	Size        wire.Number `json:"size"`
	URL         string      `json:"download_url"` // signed, valid for an hour
}

type file struct {
	URL string `json:"download_url"`
}

type authentication struct {
	SPF   string `json:"spf"`
	DKIM  string `json:"dkim"`
	DMARC string `json:"dmarc"`
}

// results are the words of RFC 8601. GRAY is a domain without a policy.
var results = map[string]string{"pass": "pass", "fail": "fail", "gray": "none", "processing_failed": "temperror"}

const apiHost = "api.resend.com"

func (a *Adapter) received(ctx context.Context, p *anymail.Payload, raw []byte, id string) ([]anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, ID: id, Raw: raw}}
	var w notification
	if err := wire.Unmarshal(raw, &w); err != nil {
		// What can be read may be enough to fetch the message.
		w = notification{}
		wire.Salvage(raw, &w)
		w.Data = message{}
		wire.Salvage(wire.Member(raw, "data"), &w.Data)
	}
	ev.Timestamp = w.CreatedAt.Time
	switch found, err := a.fetch(ctx, p, string(w.Data.EmailID)); {
	case fetch.Final(err):
		ev.Type = anymail.EventInboundFailed
		if id == "" {
			ev.Key = anymail.EventKey(ESP, string(raw))
		}
		ev.Message = fields(&w.Data)
		for _, one := range w.Data.Attachments {
			ev.Message.Attachments = append(ev.Message.Attachments, inbound.NewAttachment(one.Filename, one.ContentType, one.Disposition, one.ContentID, nil))
		}
	case err != nil:
		return nil, err
	default:
		ev.Message = found
	}
	if list := w.Data.ReceivedFor; len(list) > 0 {
		inbound.SetEnvelopeRecipients(&ev.Message, bare(list[0]))
	}
	return []anymail.Event{ev}, nil
}

// fetch gets a message as it was received. If Resend no longer has that, or it is
// larger than the limit, fetch composes the message from what the API says, without
// the contents that are too large.
func (a *Adapter) fetch(ctx context.Context, p *anymail.Payload, emailID string) (m anymail.InboundMessage, err error) {
	key, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return m, err
	}
	if strings.Trim(emailID, "0123456789abcdefABCDEF-") != "" || emailID == "" {
		return m, fetch.ErrGone // not an id of Resend, and it would be a part of a URL
	}
	header := http.Header{"Authorization": {"Bearer " + key}, "Accept": {"application/json"}}
	base := "https://" + apiHost + "/emails/receiving/" + emailID
	budget := a.api.Budget(p)

	var w message
	if err := budget.JSON(ctx, base+"?html_format=cid", header, &w); err != nil {
		return m, err
	}
	raw, err := budget.File(ctx, w.Raw.Value.URL, nil)
	switch {
	case err != nil:
		return m, err
	case raw != nil:
		m = rawmime.Parse(raw, p.Limits)
	default:
		if len(w.Attachments) > 0 {
			// The API says everything about these except where to get them.
			var list struct {
				Data []attachment `json:"data"`
			}
			if err := budget.JSON(ctx, base+"/attachments", header, &list); err == nil {
				w.Attachments = list.Data
			} else if !fetch.Final(err) {
				return m, err
			}
		}
		m = fields(&w)
		if m.Attachments, err = budget.Attachments(ctx, toFetch(w.Attachments), p.Limits); err != nil {
			return m, err
		}
		inbound.OpenTNEF(&m, p.Limits)
	}
	m.EnvelopeSender = inbound.EnvelopeSender(&m, w.Headers.Message())
	if len(w.ReceivedFor) > 0 {
		inbound.SetEnvelopeRecipients(&m, bare(w.ReceivedFor[0])) // the others may be those of earlier servers
	}
	found := w.Authentication.Value
	m.Authentication = anymail.Authentication{SPF: results[found.SPF], DKIM: results[found.DKIM], DMARC: results[found.DMARC]}
	return m, nil
}

// fields makes a message from what Resend parsed, except for the attachments.
func fields(w *message) anymail.InboundMessage {
	m := anymail.InboundMessage{
		From: inbound.Addresses(w.From), To: inbound.Addresses(w.To...), CC: inbound.Addresses(w.CC...),
		BCC: inbound.Addresses(w.BCC...), ReplyTo: inbound.Addresses(w.ReplyTo...),
		Subject: w.Subject, MessageID: wire.TrimID(w.MessageID), HTML: w.HTML, Text: w.Text,
	}
	inbound.SetHeaders(&m, w.Headers.Message())
	return m
}

func toFetch(list []attachment) []fetch.Attachment {
	all := make([]fetch.Attachment, len(list))
	for i, one := range list {
		all[i] = fetch.Attachment{
			Filename: one.Filename, ContentType: one.ContentType, Disposition: one.Disposition, ContentID: one.ContentID,
			Size: one.Size, URL: one.URL,
		}
	}
	return all
}
