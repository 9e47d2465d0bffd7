package resend

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/internal/fetch"
	"github.com/goanymail/anymail/wire"
)

// notification is what Resend posts of a received message.
// https://resend.com/docs/webhooks/emails/received
type notification struct {
	CreatedAt wire.RFC3339 `json:"created_at"`
	Data      message      `json:"data"`
}

// message is a received message, as far as the notification or the API tells.
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
	file
}

// file is where to get something: by a signed URL, for an hour.
type file struct {
	URL string `json:"download_url"`
}

type authentication struct {
	SPF   string `json:"spf"`
	DKIM  string `json:"dkim"`
	DMARC string `json:"dmarc"`
}

// results are the words of RFC 8601. Gray is a domain that says nothing.
var results = map[string]string{"pass": "pass", "fail": "fail", "gray": "none", "processing_failed": "temperror"}

const apiHost = "api.resend.com"

func (a *Adapter) received(ctx context.Context, raw []byte, id string, limits anymail.Limits) ([]anymail.Event, error) {
	var w notification
	if err := wire.Unmarshal(raw, &w); err != nil {
		return nil, anymail.Malformed("notification of a received message", err)
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, ID: id, Timestamp: w.CreatedAt.Time, Raw: raw}}
	switch found, err := a.fetch(ctx, string(w.Data.EmailID), limits); {
	case errors.Is(err, fetch.ErrGone), errors.Is(err, anymail.ErrTooLarge):
		ev.Type = anymail.EventInboundFailed
		ev.Message = fields(&w.Data)
		attach(&ev.Message, w.Data.Attachments, nil)
	case err != nil:
		return nil, err
	default:
		ev.Message = found
	}
	for _, list := range []wire.Strings{w.Data.ReceivedFor, w.Data.To} {
		if ev.Message.EnvelopeRecipient == "" && len(list) > 0 {
			ev.Message.EnvelopeRecipient = bare(list[0])
		}
	}
	return []anymail.Event{ev}, nil
}

// fetch gets a message as it was received or, where Resend does not have that or
// it is larger than what may be fetched, puts it together from what the API
// tells, without the contents that are too large.
func (a *Adapter) fetch(ctx context.Context, emailID string, limits anymail.Limits) (m anymail.InboundMessage, err error) {
	key, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return m, err
	}
	if strings.Trim(emailID, "0123456789abcdefABCDEF-") != "" || emailID == "" {
		return m, fetch.ErrGone // it becomes a part of a URL, and is none that Resend has
	}
	header := http.Header{"Authorization": {"Bearer " + key}, "Accept": {"application/json"}}
	base := "https://" + apiHost + "/emails/receiving/" + emailID
	budget := a.api.Budget(limits)

	var w message
	if err := getJSON(ctx, budget, base+"?html_format=cid", header, &w); err != nil {
		return m, err
	}
	raw, err := content(ctx, budget, w.Raw.Value)
	switch {
	case err != nil:
		return m, err
	case raw != nil:
		m = inbound.FromMIME(raw, limits)
	default:
		m = fields(&w)
		if len(w.Attachments) > 0 {
			// Of these the API tells everything but where to get them.
			var list struct {
				Data []attachment `json:"data"`
			}
			if err := getJSON(ctx, budget, base+"/attachments", header, &list); err == nil {
				w.Attachments = list.Data
			} else if !errors.Is(err, fetch.ErrGone) && !errors.Is(err, anymail.ErrTooLarge) {
				return m, err
			}
		}
		if most := limits.MIMEParts; most > 0 && len(w.Attachments) > most {
			w.Attachments = w.Attachments[:most]
		}
		contents := make([][]byte, len(w.Attachments))
		for i, one := range w.Attachments {
			if !budget.Fits(int64(one.Size.Int())) {
				continue
			}
			if contents[i], err = content(ctx, budget, one.file); err != nil {
				return m, err
			}
		}
		attach(&m, w.Attachments, contents)
	}
	m.EnvelopeSender = wire.TrimID(w.Headers.Message().Get("Return-Path"))
	found := w.Authentication.Value
	m.Authentication = anymail.Authentication{SPF: results[found.SPF], DKIM: results[found.DKIM], DMARC: results[found.DMARC]}
	return m, nil
}

// getJSON asks the API.
func getJSON(ctx context.Context, budget *fetch.Budget, url string, header http.Header, v any) error {
	answer, err := budget.Get(ctx, url, header)
	if err != nil {
		return err
	}
	if wire.Unmarshal(answer, v) != nil {
		return anymail.Because(anymail.ErrUnavailable, "the API's answer is not understood", nil)
	}
	return nil
}

// content gets a file, without the API key: nil where it is gone or too large.
func content(ctx context.Context, budget *fetch.Budget, f file) ([]byte, error) {
	if f.URL == "" {
		return nil, nil
	}
	content, err := budget.Get(ctx, f.URL, nil)
	if errors.Is(err, fetch.ErrGone) || errors.Is(err, anymail.ErrTooLarge) {
		return nil, nil
	}
	return content, err
}

// fields makes a message of what Resend has parsed, but for its attachments.
func fields(w *message) anymail.InboundMessage {
	m := anymail.InboundMessage{
		From: inbound.Addresses(w.From), To: addresses(w.To), CC: addresses(w.CC), BCC: addresses(w.BCC), ReplyTo: addresses(w.ReplyTo),
		Subject: w.Subject, MessageID: wire.TrimID(w.MessageID), HTML: w.HTML, Text: w.Text,
	}
	inbound.SetHeaders(&m, w.Headers.Message())
	return m
}

func addresses(list wire.Strings) (all []anymail.Address) {
	for _, text := range list {
		all = append(all, inbound.Addresses(text)...)
	}
	return all
}

// attach adds attachments with as many contents as there are.
func attach(m *anymail.InboundMessage, list []attachment, contents [][]byte) {
	for i, one := range list {
		var content []byte
		if i < len(contents) {
			content = contents[i]
		}
		added := inbound.NewAttachment(one.Filename, one.ContentType, one.Disposition, one.ContentID, content)
		added.Size = cmp.Or(added.Size, int64(max(one.Size.Int(), 0)))
		m.Attachments = append(m.Attachments, added)
	}
}
