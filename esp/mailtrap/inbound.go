package mailtrap

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

// notification announces a received message, which has to be fetched.
// https://docs.mailtrap.io/inbound-email/webhooks
type notification struct {
	event
	raw anymail.Raw
}

func isNotification(event string) bool {
	return event == "inbound.message_received" || event == "inbound_message_received"
}

// message is what the API says about a received message.
// https://github.com/mailtrap/mailtrap-openapi/blob/main/specs/inbound.openapi.yml
type message struct {
	From       string       `json:"from"`
	To         wire.Strings `json:"to"`
	CC         wire.Strings `json:"cc"`
	BCC        wire.Strings `json:"bcc"`
	ReplyTo    string       `json:"reply_to"`
	Subject    string       `json:"subject"`
	MessageID  string       `json:"message_id"`
	InReplyTo  string       `json:"in_reply_to"`
	References wire.Strings `json:"references"`
	Headers    wire.Headers `json:"headers"` // some of them, in lower case
	ReceivedAt wire.RFC3339 `json:"received_at"`
	HTML       string       `json:"html_body"`
	Text       string       `json:"text_body"`
	RawURL     string       `json:"raw_message_url"` // valid for an hour, like the others

	Attachments []struct {
		Filename    string      `json:"filename"`
		ContentType string      `json:"content_type"`
		Disposition string      `json:"content_disposition"`
		ContentID   string      `json:"content_id"`
		Size        wire.Number `json:"size"`
		URL         string      `json:"download_url"`
	} `json:"attachments"`
}

const apiHost = "mailtrap.io"

// fetcher gets the messages of one request: a batch may hold 500.
type fetcher struct {
	budget *fetch.Budget
	header http.Header // for the API, not for files
	limits anymail.Limits
}

func (a *Adapter) fetcher(ctx context.Context, p *anymail.Payload) (*fetcher, error) {
	token, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}}
	return &fetcher{a.api.Budget(p), header, p.Limits}, nil
}

// message makes the event of a notification from the message itself, or from the
// notification if Mailtrap no longer has the message.
func (f *fetcher) message(ctx context.Context, n *notification) (anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{
		Type: anymail.EventInbound, ID: string(n.ID), Timestamp: n.Time.Time, Raw: n.raw,
	}}
	switch found, err := f.find(ctx, n); {
	case fetch.Final(err):
		ev.Type = anymail.EventInboundFailed
		ev.Message.From = inbound.Addresses(n.From)
	case err != nil:
		return nil, err
	default:
		if ev.Timestamp.IsZero() {
			ev.Timestamp = found.ReceivedAt.Time
		}
		if ev.Message, err = f.read(ctx, found); err != nil {
			return nil, err
		}
	}
	// The event id is the notification's, and there may be several.
	ev.Key = anymail.EventKey(ESP, "inbound", string(n.InboxID), string(n.MessageID), string(ev.Type))
	if n.InboxID == "" || n.MessageID == "" {
		ev.Key = anymail.EventKey(ESP, string(n.raw))
	}
	return ev, nil
}

// find asks the API for the message.
func (f *fetcher) find(ctx context.Context, n *notification) (*message, error) {
	for _, id := range []wire.Text{n.InboxID, n.MessageID} {
		if id == "" || len(id) > 20 || strings.Trim(string(id), "0123456789") != "" {
			return nil, fetch.ErrGone // not an id of Mailtrap, and it would be a part of a URL
		}
	}
	url := "https://" + apiHost + "/api/inbound/inboxes/" + string(n.InboxID) + "/messages/" + string(n.MessageID)
	found := new(message)
	return found, f.budget.JSON(ctx, url, f.header, found)
}

// read gets the message as it was received or, if that is gone, composes it from
// what the API says.
func (f *fetcher) read(ctx context.Context, w *message) (m anymail.InboundMessage, err error) {
	headers := w.Headers.Message()
	raw, err := f.budget.File(ctx, w.RawURL, nil)
	switch {
	case err != nil:
		return m, err
	case raw != nil:
		m = rawmime.Parse(raw, f.limits)
	default:
		m = anymail.InboundMessage{
			From: inbound.Addresses(w.From), To: inbound.Addresses(w.To...), CC: inbound.Addresses(w.CC...), BCC: inbound.Addresses(w.BCC...),
			ReplyTo: inbound.Addresses(w.ReplyTo), Subject: w.Subject, MessageID: wire.TrimID(w.MessageID),
			InReplyTo: wire.TrimID(w.InReplyTo), References: inbound.MessageIDs(strings.Join(w.References, " ")),
			Text: w.Text, HTML: w.HTML,
		}
		inbound.SetHeaders(&m, headers)
		toFetch := make([]fetch.Attachment, len(w.Attachments))
		for i, one := range w.Attachments {
			toFetch[i] = fetch.Attachment{
				Filename: one.Filename, ContentType: one.ContentType, Disposition: one.Disposition, ContentID: one.ContentID,
				Size: one.Size, URL: one.URL,
			}
		}
		if m.Attachments, err = f.budget.Attachments(ctx, toFetch, f.limits); err != nil {
			return m, err
		}
		inbound.OpenTNEF(&m, f.limits)
	}
	m.EnvelopeSender = inbound.EnvelopeSender(&m, headers)
	return m, nil
}
