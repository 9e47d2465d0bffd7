package sendgrid

import (
	"cmp"
	"context"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// attachmentInfo is what attachment-info says about a file.
type attachmentInfo struct {
	Filename  string `json:"filename"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	ContentID string `json:"content-id"`
}

// parseInbound reads what Inbound Parse posts: the parts of a message, or with
// send_raw the message itself in the field email.
// https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
func parseInbound(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	v := form.Fields
	raw := v.Bytes("email")
	if len(raw) == 0 && v.Get("headers") == "" && v.Get("envelope") == "" {
		return nil, anymail.Malformed("not a message of Inbound Parse", nil)
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}
	m := &ev.Message
	if len(raw) > 0 {
		*m = rawmime.Parse(raw, p.Limits)
	} else {
		*m = fromFields(form, p.Limits)
	}
	if inbound.IsEmpty(m) {
		ev.Type, ev.Key = anymail.EventInboundFailed, wire.FormKey(ESP, form)
	}
	for _, sender := range texts(wire.Member(v.Bytes("envelope"), "from")) {
		m.EnvelopeSender = cmp.Or(m.EnvelopeSender, sender)
	}
	inbound.SetEnvelopeRecipients(m, texts(wire.Member(v.Bytes("envelope"), "to"))...)
	m.Authentication.SPF = strings.ToLower(cmp.Or(v.Get("SPF"), v.Get("spf")))
	m.Authentication.DKIM = dkim(v.Get("dkim"))
	m.SpamScore = wire.ParseNumber(v.Get("spam_score")).Pointer()
	return []anymail.Event{ev}, nil
}

// texts returns the texts of a JSON string, or of the strings of an array.
func texts(value []byte) (list []string) {
	switch v := wire.Any(value).(type) {
	case string:
		list = append(list, v)
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				list = append(list, text)
			}
		}
	}
	return list
}

// fromFields makes the message from the parts that SendGrid parsed. The fields of
// text are in the charsets of the message.
func fromFields(form *anymail.Form, limits anymail.Limits) anymail.InboundMessage {
	charsets := map[string]string{}
	for name, charset := range wire.Members(form.Fields.Bytes("charsets")) {
		if text, ok := wire.Any(charset).(string); ok {
			charsets[string(name)] = text
		}
	}
	text := func(field string) string {
		return inbound.DecodeText(form.Fields.Bytes(field), cmp.Or(charsets[field], "utf-8"))
	}
	m := anymail.InboundMessage{Text: text("text"), HTML: text("html")}
	inbound.SetHeaders(&m, inbound.ParseHeaders(form.Fields.Bytes("headers")))
	if len(m.Headers) == 0 { // otherwise they are the better source
		m.From, m.To, m.CC = inbound.Addresses(text("from")), inbound.Addresses(text("to")), inbound.Addresses(text("cc"))
		m.Subject = text("subject")
	}

	infos := map[string]attachmentInfo{}
	for field, value := range wire.Members(form.Fields.Bytes("attachment-info")) {
		var info attachmentInfo
		if wire.Unmarshal(value, &info) == nil {
			infos[string(field)] = info
		}
	}
	contentIDs := map[string]string{}
	for id, field := range wire.Members(form.Fields.Bytes("content-ids")) {
		if name, ok := wire.Any(field).(string); ok {
			contentIDs[name] = string(id)
		}
	}
	for _, f := range wire.Uploads(form, "attachment") {
		info := infos[f.Field]
		m.Attachments = append(m.Attachments, inbound.NewAttachment(
			cmp.Or(info.Filename, f.Filename, info.Name), cmp.Or(f.ContentType, info.Type), "",
			cmp.Or(info.ContentID, contentIDs[f.Field]), f.Content))
	}
	inbound.OpenTNEF(&m, limits)
	return m
}

// dkim reads "{@example.org : pass, @example.com : fail}", or "none". One valid
// signature is enough.
func dkim(text string) string {
	result := ""
	for one := range strings.SplitSeq(strings.ToLower(text), ",") {
		one = strings.Trim(one[strings.LastIndexByte(one, ':')+1:], "{} ")
		if result == "" || one == "pass" {
			result = one
		}
	}
	return result
}
