package mandrill

import (
	"bytes"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// mail is a received message: the whole one in RawMsg, and Mandrill's parsed form.
// https://mandrill.zendesk.com/hc/en-us/articles/205583207
type mail struct {
	RawMsg    wire.Source  `json:"raw_msg"`
	Headers   wire.Headers `json:"headers"`
	Text      wire.Text    `json:"text"`
	HTML      wire.Text    `json:"html"`
	FromEmail wire.Text    `json:"from_email"`
	FromName  wire.Text    `json:"from_name"`
	Subject   wire.Text    `json:"subject"`
	To        addresses    `json:"to"`
	CC        addresses    `json:"cc"`
	Email     wire.Text    `json:"email"` // the recipient's address

	// The names of the members repeat file names and content ids.
	Attachments files `json:"attachments"`
	Images      files `json:"images"`

	SpamReport wire.Object[struct {
		Score wire.Number `json:"score"`
	}] `json:"spam_report"`
	SPF wire.Object[struct {
		Result wire.Text `json:"result"`
	}] `json:"spf"`
	DKIM wire.Object[struct {
		Signed wire.Text `json:"signed"`
		Valid  wire.Text `json:"valid"`
	}] `json:"dkim"`
}

// addresses are pairs of an address and a name, which may be null.
type addresses []anymail.Address

// UnmarshalJSON implements [json.Unmarshaler].
func (list *addresses) UnmarshalJSON(b []byte) error {
	*list = nil
	pairs, _ := wire.Any(b).([]any)
	for _, one := range pairs {
		if len(*list) == maxAddresses {
			break
		}
		var a anymail.Address
		switch pair := one.(type) {
		case string:
			a.Address = pair
		case []any:
			if len(pair) > 0 {
				a.Address, _ = pair[0].(string)
			}
			if len(pair) > 1 {
				a.Name, _ = pair[1].(string)
			}
		}
		if a.Address != "" {
			*list = append(*list, a)
		}
	}
	return nil
}

const maxAddresses = 5000

// files are parts of a message in their order, at most maxFiles. An empty list may
// be [].
type files []file

const maxFiles = 1000

type file struct {
	key     string    // the file's name or the image's Content-ID
	Name    wire.Text `json:"name"`
	Type    wire.Text `json:"type"`
	Content wire.Text `json:"content"`
	Base64  wire.Text `json:"base64"` // absent for images, and sometimes for other parts
}

// UnmarshalJSON implements [json.Unmarshaler].
func (fs *files) UnmarshalJSON(b []byte) error {
	*fs = nil
	for key, value := range wire.Members(b) {
		if len(*fs) == maxFiles {
			break
		}
		var f wire.Object[file]
		if err := wire.Unmarshal(value, &f); err != nil {
			return err
		}
		f.Value.key = string(key)
		*fs = append(*fs, f.Value)
	}
	return nil
}

// content decodes a part unless Mandrill says that it is text, or says nothing and
// the part looks like text.
func (f *file) content() []byte {
	encoded := !strings.HasPrefix(string(f.Type), "text/")
	if f.Base64 != "" {
		encoded = f.Base64 == "true"
	}
	if !encoded {
		return []byte(f.Content)
	}
	return inbound.DecodeBase64(string(f.Content))
}

// received makes the event of a received message: inbound_failed if there is no
// message in it.
func received(base *anymail.Common, p *anymail.Payload) anymail.Event {
	var w struct {
		Msg wire.Object[mail] `json:"msg"`
	}
	ev := &anymail.InboundEvent{Common: *base}
	err := wire.UnmarshalElement(base.Raw, &w)
	if err != nil {
		p.KeepRaw()
	}
	w.Msg.Value.fill(&ev.Message, p)
	if err != nil || inbound.IsEmpty(&ev.Message) {
		ev.Type = anymail.EventInboundFailed
	}
	return ev
}

func (w *mail) fill(m *anymail.InboundMessage, p *anymail.Payload) {
	raw := w.RawMsg.Decode(p)
	if len(raw) > 0 {
		*m = rawmime.Parse(raw, p.Limits)
		// Mandrill's own, if it is on top. Mandrill does not document it, and further
		// down it is the sender's.
		m.EnvelopeSender = wire.TrimID(inbound.ServerHeaders(m.Headers).Get("Return-Path"))
	} else {
		inbound.SetHeaders(m, w.Headers.Message())
	}
	if len(raw) == 0 || bytes.Contains(raw, []byte("\ufffd")) {
		// A JSON string cannot hold text that is not UTF-8, but Mandrill decoded
		// it before.
		w.fillParsed(m, p.Limits)
	}
	inbound.SetEnvelopeRecipients(m, string(w.Email))
	m.SpamScore = w.SpamReport.Value.Score.Pointer()
	m.Authentication.SPF = strings.ToLower(string(w.SPF.Value.Result))
	switch dkim := w.DKIM.Value; {
	case dkim.Signed == "":
	case dkim.Signed != "true":
		m.Authentication.DKIM = "none"
	case dkim.Valid == "true":
		m.Authentication.DKIM = "pass"
	default:
		m.Authentication.DKIM = "fail"
	}
}

func (w *mail) fillParsed(m *anymail.InboundMessage, limits anymail.Limits) {
	if w.FromEmail != "" {
		m.From = []anymail.Address{{Name: string(w.FromName), Address: string(w.FromEmail)}}
	}
	if len(w.To) > 0 {
		m.To = w.To
	}
	if len(w.CC) > 0 {
		m.CC = w.CC
	}
	if w.Subject != "" {
		m.Subject = string(w.Subject)
	}
	if w.Text != "" || w.HTML != "" {
		m.Text, m.HTML = string(w.Text), string(w.HTML)
	}
	if len(w.Attachments)+len(w.Images) > 0 {
		m.Attachments = nil
	}
	for _, f := range w.Attachments {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(f.name(), string(f.Type), "attachment", "", f.content()))
	}
	for _, f := range w.Images {
		m.Attachments = append(m.Attachments, inbound.NewAttachment(f.name(), string(f.Type), "inline", f.key, f.content()))
	}
	if len(w.Attachments) > 0 { // rawmime has opened one in the raw message
		inbound.OpenTNEF(m, limits)
	}
}

func (f *file) name() string { return first(f.Name, wire.Text(f.key)) }
