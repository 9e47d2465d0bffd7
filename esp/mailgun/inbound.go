package mailgun

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// parseInbound reads what a route posts: forward() with the raw message or its
// parts, or store(notify=...) with the URL of the message. The fields say which.
// https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
func (a *Adapter) parseInbound(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.InboundForm("body-mime")
	if err != nil {
		return nil, err
	}
	v := wire.Texts(form.Fields)
	if _, tracking := eventTypes[v.Get("event")]; tracking {
		return nil, anymail.Malformed("a tracking event: its URL should be that of the tracking endpoint", nil)
	}
	if v.Get("recipient") == "" && v.Get("sender") == "" && v.Get("message-headers") == "" && len(v.Bytes("body-mime")) == 0 {
		return nil, anymail.Malformed("not an inbound message", nil)
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{
		Type:      anymail.EventInbound,
		Timestamp: wire.UnixTime(own(v, "timestamp")),
		Raw:       p.Body,
	}}
	m := &ev.Message
	raw, err := a.rawMIME(ctx, p, form.Fields)
	switch {
	case err != nil && !fetch.Final(err):
		return nil, err
	case raw != nil:
		*m = rawmime.Parse(raw, p.Limits)
	default:
		*m = fromFields(form, v, p.Limits)
	}
	m.EnvelopeSender = wire.TrimID(v.Get("sender"))
	inbound.SetEnvelopeRecipients(m, v.Get("recipient"))
	if at := v.Get("message-url"); at != "" {
		// The message looks different once Mailgun no longer has it.
		ev.Key = anymail.EventKey(ESP, "stored", at, m.EnvelopeRecipient)
	}
	m.StrippedText, m.StrippedHTML = v.Get("stripped-text"), v.Get("stripped-html")

	if inbound.IsEmpty(m) {
		ev.Type, ev.Key = anymail.EventInboundFailed, wire.FormKey(ESP, form, "timestamp", "token", "signature", "parent-signature")
	}
	verdicts(m)
	return []anymail.Event{ev}, nil
}

// verdicts reads what Mailgun found out, if the domain's spam filter is set to mark
// messages. It writes header fields above those that it received, and does not
// document whether it removes the sender's of the same names. Form fields have those
// of the sender as well.
// https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/spam-filter
func verdicts(m *anymail.InboundMessage) {
	own := inbound.ServerHeaders(m.Headers)
	m.Authentication.SPF = strings.ToLower(own.Get("X-Mailgun-Spf"))
	m.Authentication.DKIM = strings.ToLower(own.Get("X-Mailgun-Dkim-Check-Result"))
	if flag := own.Get("X-Mailgun-Sflag"); flag != "" {
		m.SpamDetected = anymail.TriOf(strings.EqualFold(flag, "yes"))
	}
	m.SpamScore = wire.ParseNumber(own.Get("X-Mailgun-Sscore")).Pointer()
}

// rawMIME returns the raw message if there is one: from the form, or from
// Mailgun's store if there is a key for it.
func (a *Adapter) rawMIME(ctx context.Context, p *anymail.Payload, v anymail.Fields) ([]byte, error) {
	if v.Has("body-mime") {
		return v.Bytes("body-mime"), nil
	}
	at := v.Get("message-url")
	if at == "" || a.config.APIKeys == nil {
		return nil, nil
	}
	key, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return nil, err
	}
	var stored struct {
		MIME wire.Source `json:"body-mime"`
	}
	err = a.api.Budget(p).JSON(ctx, at, http.Header{
		"Accept":        {"message/rfc2822"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("api:"+key))},
	}, &stored)
	if err == nil && stored.MIME.Empty() {
		err = anymail.Because(anymail.ErrUnavailable, "Mailgun's store did not give the raw message", nil)
	}
	if err != nil {
		return nil, err
	}
	return stored.MIME.Decode(nil), nil
}

// fromFields makes the message from the parts that Mailgun parsed.
func fromFields(form *anymail.Form, v anymail.Fields, limits anymail.Limits) anymail.InboundMessage {
	m := anymail.InboundMessage{
		Text: v.Get("body-plain"),
		HTML: strings.Join(v.All("body-html"), "\n"),
	}
	// Header fields are also form fields, under names that the sender may have
	// chosen. This field has only headers, in their order.
	inbound.SetHeaders(&m, headerList(v.Get("message-headers")))
	if len(m.From) == 0 {
		m.From = inbound.Addresses(v.Get("from"))
	}
	if m.Subject == "" {
		m.Subject = v.Get("subject")
	}

	contentIDs := map[string]string{} // of form fields, or URLs of stored attachments
	for id, place := range wire.Members(v.Bytes("content-id-map")) {
		if name, ok := wire.Any(place).(string); ok {
			contentIDs[name] = string(id)
		}
	}
	for _, f := range wire.Uploads(form, "attachment-") {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(f.Filename, f.ContentType, "", contentIDs[f.Field], f.Content))
	}
	var stored []struct {
		URL         string      `json:"url"`
		ContentType string      `json:"content-type"`
		Name        string      `json:"name"`
		Size        wire.Number `json:"size"`
	}
	if v.Get("attachments") != "" && wire.Unmarshal(v.Bytes("attachments"), &stored) == nil {
		for i, s := range stored {
			id := cmp.Or(contentIDs[s.URL], contentIDs["attachment-"+strconv.Itoa(i+1)])
			a := inbound.NewAttachment(s.Name, s.ContentType, "", id, nil)
			a.Size = int64(max(s.Size.Int(), 0))
			m.Attachments = append(m.Attachments, a)
		}
	}
	inbound.OpenTNEF(&m, limits)
	return m
}

// headerList reads a JSON array of [name, value].
func headerList(text string) anymail.Headers {
	var pairs []wire.Strings
	if text == "" || wire.Unmarshal([]byte(text), &pairs) != nil {
		return nil
	}
	headers := anymail.Headers{}
	for _, pair := range pairs {
		if len(pair) == 2 {
			headers = append(headers, anymail.Header{Name: pair[0], Value: pair[1]})
		}
	}
	return headers
}
