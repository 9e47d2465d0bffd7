package mailtrap

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/internal/fetch"
	"github.com/goanymail/anymail/wire"
)

// notification says that there is a received message to be fetched.
// https://docs.mailtrap.io/inbound-email/webhooks
type notification struct {
	event
	raw anymail.Raw
}

func isNotification(event string) bool {
	return event == "inbound.message_received" || event == "inbound_message_received"
}

// message is what the API tells of a received message.
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
	RawURL     string       `json:"raw_message_url"` // good for an hour, and so are the others

	Attachments []struct {
		Filename    string      `json:"filename"`
		ContentType string      `json:"content_type"`
		Disposition string      `json:"content_disposition"`
		ContentID   string      `json:"content_id"`
		Size        wire.Number `json:"size"`
		URL         string      `json:"download_url"`
	} `json:"attachments"`
}

// fetcher gets the messages of one request.
type fetcher struct {
	client *http.Client
	token  string
	hosts  []string // of contents; the API has one of its own
	left   int64    // bytes, for all messages together: a batch may hold 500
}

func (a *Adapter) fetcher(ctx context.Context, limits anymail.Limits) (*fetcher, error) {
	tokens, err := a.config.APITokens.Keys(ctx)
	if err == nil && (len(tokens) == 0 || tokens[0] == "") {
		err = errors.New("there is none")
	}
	if err != nil {
		return nil, anymail.Because(anymail.ErrUnavailable, "API token", err)
	}
	hosts := append([]string{apiHost, "." + apiHost, ".amazonaws.com"}, a.config.FileHosts...)
	return &fetcher{a.config.Client, tokens[0], hosts, limits.Fetch}, nil
}

func (f *fetcher) get(ctx context.Context, url string, header http.Header, hosts ...string) ([]byte, error) {
	content, err := fetch.Getter{Client: f.client, Hosts: hosts, MaxBytes: f.left}.Get(ctx, url, header)
	if f.left > 0 {
		f.left = max(f.left-int64(len(content)), 1)
	}
	return content, err
}

// message makes an event of a notification: of the message itself if Mailtrap
// has it still, and otherwise of what the notification says.
func (f *fetcher) message(ctx context.Context, n *notification, limits anymail.Limits) (anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{
		Type: anymail.EventInbound, ID: string(n.ID), Timestamp: n.Time.Time, Raw: n.raw,
	}}
	switch found, err := f.find(ctx, n); {
	case errors.Is(err, fetch.ErrGone):
		ev.Type = anymail.EventInboundFailed
		ev.Message.From = inbound.Addresses(n.From)
	case err != nil:
		return nil, err
	default:
		if ev.Timestamp.IsZero() {
			ev.Timestamp = found.ReceivedAt.Time
		}
		if ev.Message, err = f.read(ctx, found, limits); err != nil {
			return nil, err
		}
	}
	// The event id is of the notification, of which there may be several.
	ev.Key = anymail.EventKey(ESP, "inbound", string(n.InboxID), string(n.MessageID), string(ev.Type))
	return ev, nil
}

const apiHost = "mailtrap.io"

// find asks the API for the message.
func (f *fetcher) find(ctx context.Context, n *notification) (*message, error) {
	for _, id := range []wire.Text{n.InboxID, n.MessageID} {
		if id == "" || len(id) > 20 || strings.Trim(string(id), "0123456789") != "" {
			return nil, fetch.ErrGone // it becomes a part of a URL, and is none that Mailtrap has
		}
	}
	url := "https://" + apiHost + "/api/inbound/inboxes/" + string(n.InboxID) + "/messages/" + string(n.MessageID)
	answer, err := f.get(ctx, url, http.Header{"Authorization": {"Bearer " + f.token}, "Accept": {"application/json"}}, apiHost)
	if err != nil {
		return nil, err
	}
	found := new(message)
	if err := wire.Unmarshal(answer, found); err != nil {
		return nil, anymail.Because(anymail.ErrUnavailable, "the API's answer is no message", nil)
	}
	return found, nil
}

// read gets the message as it was received or, where Mailtrap does not have that,
// puts it together from what the API tells.
func (f *fetcher) read(ctx context.Context, w *message, limits anymail.Limits) (m anymail.InboundMessage, err error) {
	headers := w.Headers.Message()
	raw, err := f.content(ctx, w.RawURL)
	switch {
	case err != nil:
		return m, err
	case raw != nil:
		m = inbound.FromMIME(raw, limits)
	default:
		m = anymail.InboundMessage{
			From: inbound.Addresses(w.From), To: addresses(w.To), CC: addresses(w.CC), BCC: addresses(w.BCC),
			ReplyTo: inbound.Addresses(w.ReplyTo), Subject: w.Subject, MessageID: wire.TrimID(w.MessageID),
			InReplyTo: wire.TrimID(w.InReplyTo), References: inbound.MessageIDs(strings.Join(w.References, " ")),
			Text: w.Text, HTML: w.HTML,
		}
		inbound.SetHeaders(&m, headers)
		for _, file := range w.Attachments {
			content, err := f.content(ctx, file.URL)
			if err != nil {
				return m, err
			}
			attachment := inbound.NewAttachment(file.Filename, file.ContentType, file.Disposition, file.ContentID, content)
			if content == nil {
				attachment.Size = int64(max(file.Size.Int(), 0))
			}
			m.Attachments = append(m.Attachments, attachment)
		}
	}
	m.EnvelopeSender = wire.TrimID(headers.Get("Return-Path"))
	return m, nil
}

// content gets what a signed URL refers to, without the token: nil where there
// is none.
func (f *fetcher) content(ctx context.Context, url string) ([]byte, error) {
	if url == "" {
		return nil, nil
	}
	content, err := f.get(ctx, url, nil, f.hosts...)
	if errors.Is(err, fetch.ErrGone) {
		return nil, nil
	}
	return content, err
}

func addresses(list wire.Strings) (all []anymail.Address) {
	for _, text := range list {
		all = append(all, inbound.Addresses(text)...)
	}
	return all
}
