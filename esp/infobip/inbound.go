package infobip

import (
	"cmp"
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// attachmentInfo is what attachmentInfo says about a file.
type attachmentInfo struct {
	Field       string `json:"name"`
	Filename    string `json:"filename"`
	ContentType string `json:"contentType"`
	ContentID   string `json:"contentId"` // even of files that the text does not show
}

type envelope struct {
	From wire.Text    `json:"from"`
	To   wire.Strings `json:"to"`
}

// parseInbound reads the form that Infobip makes of a received message.
// https://www.infobip.com/docs/api/channels/email/receive-inbound-email
func parseInbound(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	v := wire.Texts(form.Fields)
	if v.Get("id") == "" && v.Get("headers") == "" && v.Get("envelope") == "" {
		return nil, anymail.Malformed("not a message that Infobip parsed", nil)
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, ID: v.Get("id"), Raw: p.Body}}
	m := &ev.Message
	m.Text, m.HTML = v.Get("text"), v.Get("html")
	var headers wire.Headers
	_ = wire.Unmarshal([]byte(v.Get("headers")), &headers) // none, if it is not readable
	inbound.SetHeaders(m, headers.Message())
	if m.From == nil {
		m.From = inbound.Addresses(v.Get("from"))
	}
	if m.To == nil {
		m.To = inbound.Addresses(strings.Trim(v.Get("to"), "[]")) // "[help@example.org]"
	}
	m.Subject = cmp.Or(m.Subject, v.Get("subject"))
	fillAttachments(m, form, v.Get("attachmentInfo"))
	inbound.OpenTNEF(m, p.Limits)
	if inbound.IsEmpty(m) {
		ev.Type = anymail.EventInboundFailed
		if ev.ID == "" {
			ev.Key = wire.FormKey(ESP, form)
		}
	}

	var path envelope
	wire.Salvage([]byte(v.Get("envelope")), &path)
	m.EnvelopeSender = string(path.From)
	inbound.SetEnvelopeRecipients(m, path.To...)
	m.Authentication.SPF = strings.ToLower(v.Get("spfCheck"))
	m.Authentication.DKIM = strings.ToLower(wire.StringMember([]byte(v.Get("dkimCheck")), "result"))
	return []anymail.Event{ev}, nil
}

func fillAttachments(m *anymail.InboundMessage, form *anymail.Form, infos string) {
	var list []attachmentInfo
	_ = wire.Unmarshal([]byte(infos), &list) // the files have names and types of their own
	byField := map[string]attachmentInfo{}
	for _, info := range list {
		byField[info.Field] = info
	}
	for _, f := range wire.Uploads(form, "attachment") {
		info, disposition := byField[f.Field], "attachment"
		if id := wire.TrimID(info.ContentID); id != "" && strings.Contains(m.HTML, "cid:"+id) {
			disposition = "inline"
		}
		m.Attachments = append(m.Attachments, inbound.NewAttachment(
			cmp.Or(info.Filename, f.Filename), cmp.Or(info.ContentType, f.ContentType), disposition, info.ContentID, f.Content))
	}
}
