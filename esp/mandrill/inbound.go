package mandrill

import (
	"strings"
	"unicode/utf8"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// mail is a received message: the whole one in RawMsg, and Mandrill's parsed form.
// https://mandrill.zendesk.com/hc/en-us/articles/205583207
type mail struct {
	RawMsg    string       `json:"raw_msg"`
	Headers   wire.Headers `json:"headers"`
	Text      wire.Text    `json:"text"`
	HTML      wire.Text    `json:"html"`
	FromEmail wire.Text    `json:"from_email"`
	FromName  wire.Text    `json:"from_name"`
	Subject   wire.Text    `json:"subject"`
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
		Signed *bool `json:"signed"`
		Valid  bool  `json:"valid"`
	}] `json:"dkim"`
}

// files are parts of a message in their order, at most maxFiles. An empty list may
// be [].
type files []file

const maxFiles = 1000

type file struct {
	key     string    // the file's name or the image's Content-ID
	Name    wire.Text `json:"name"`
	Type    wire.Text `json:"type"`
	Content wire.Text `json:"content"`
	Base64  *bool     `json:"base64"` // absent for images, and sometimes for other parts
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
	if f.Base64 != nil {
		encoded = *f.Base64
	}
	if !encoded {
		return []byte(f.Content)
	}
	return inbound.DecodeBase64(string(f.Content))
}

// received makes the event of a received message, or an unknown event if it cannot
// decode the message.
func received(base *anymail.Common, limits anymail.Limits) anymail.Event {
	var w struct {
		Msg mail `json:"msg"`
	}
	if err := wire.Unmarshal(base.Raw, &w); err != nil {
		return &anymail.TrackingEvent{
			Common:      anymail.Common{Type: anymail.EventUnknown, Timestamp: base.Timestamp, Raw: base.Raw},
			Description: "malformed event: " + err.Error(),
		}
	}
	ev := &anymail.InboundEvent{Common: *base}
	w.Msg.fill(&ev.Message, limits)
	return ev
}

func (w *mail) fill(m *anymail.InboundMessage, limits anymail.Limits) {
	if w.RawMsg != "" {
		*m = rawmime.Parse([]byte(w.RawMsg), limits)
	} else {
		inbound.SetHeaders(m, w.Headers.Message())
	}
	if w.RawMsg == "" || strings.ContainsRune(w.RawMsg, utf8.RuneError) {
		// A JSON string cannot hold text that is not UTF-8, but Mandrill decoded
		// it before.
		w.fillParsed(m)
	}
	m.EnvelopeRecipient = string(w.Email)
	m.EnvelopeSender = wire.TrimID(m.Headers.Get("Return-Path"))
	m.SpamScore = w.SpamReport.Value.Score.Pointer()
	m.Authentication.SPF = strings.ToLower(string(w.SPF.Value.Result))
	switch dkim := w.DKIM.Value; {
	case dkim.Signed == nil:
	case !*dkim.Signed:
		m.Authentication.DKIM = "none"
	case dkim.Valid:
		m.Authentication.DKIM = "pass"
	default:
		m.Authentication.DKIM = "fail"
	}
}

func (w *mail) fillParsed(m *anymail.InboundMessage) {
	if w.FromEmail != "" {
		m.From = []anymail.Address{{Name: string(w.FromName), Address: string(w.FromEmail)}}
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
}

func (f *file) name() string { return first(f.Name, wire.Text(f.key)) }
