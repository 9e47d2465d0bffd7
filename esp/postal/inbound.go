package postal

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// received is what Postal posts to an HTTP endpoint: Message in the format "raw
// message", everything else in the format "processed". Either can be JSON or a
// form.
// https://docs.postalserver.io/developer/http-payloads
type received struct {
	ID       wire.Text `json:"id"` // unique at one mail server of an installation
	RcptTo   wire.Text `json:"rcpt_to"`
	MailFrom wire.Text `json:"mail_from"`

	Message *wire.Source `json:"message"`
	Base64  wire.Text    `json:"base64"`

	Token       wire.Text    `json:"token"`
	Time        wire.Unix    `json:"timestamp"`
	SpamStatus  string       `json:"spam_status"`
	From        wire.Text    `json:"from"` // header fields are decoded, and the last of a name counts
	To          wire.Text    `json:"to"`
	CC          wire.Text    `json:"cc"`
	ReplyTo     wire.Strings `json:"reply_to"` // all addresses
	Subject     wire.Text    `json:"subject"`
	Date        wire.Text    `json:"date"`
	MessageID   wire.Text    `json:"message_id"` // without brackets
	InReplyTo   wire.Text    `json:"in_reply_to"`
	References  wire.Text    `json:"references"`
	AutoSubmit  wire.Text    `json:"auto_submitted"`
	Text        string       `json:"plain_body"`
	Replies     string       `json:"replies_from_plain_body"` // what "strip replies" removed from Text
	HTML        string       `json:"html_body"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Filename    wire.Text      `json:"filename"`
	ContentType wire.Text      `json:"content_type"`
	Size        wire.Number    `json:"size"`
	Data        inbound.Base64 `json:"data"` // base64, with line breaks
}

func parseJSON(p *anymail.Payload) ([]anymail.Event, error) {
	var w received
	err := wire.Unmarshal(p.Body, &w)
	if err != nil {
		w = received{}
		if !wire.Salvage(p.Body, &w) {
			return nil, anymail.Malformed("inbound message", err)
		}
		p.KeepRaw()
	}
	c := content{raw: p.Body, decoded: err == nil, identity: func() string { return string(p.Body) }}
	if w.Message != nil {
		c.plain = func() []byte { return w.Message.Decode(p) }
		c.base64 = func() []byte { return inbound.DecodeBase64Source(*w.Message, p) }
	}
	return []anymail.Event{w.event(p, c)}, nil
}

func parseForm(p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.InboundForm("message")
	if err != nil {
		return nil, err
	}
	v := wire.Texts(form.Fields)
	if !v.Has("rcpt_to") {
		return nil, anymail.Malformed("not an inbound message", nil)
	}
	text := func(name string) wire.Text { return wire.Text(v.Get(name)) }
	w := received{
		ID: text("id"), RcptTo: text("rcpt_to"), MailFrom: text("mail_from"), Base64: text("base64"),
		Token: text("token"), Time: wire.Unix{Time: wire.UnixTime(v.Get("timestamp"))}, SpamStatus: v.Get("spam_status"),
		From: text("from"), To: text("to"), CC: text("cc"), Subject: text("subject"), Date: text("date"), MessageID: text("message_id"),
		InReplyTo: text("in_reply_to"), References: text("references"), AutoSubmit: text("auto_submitted"),
		Text: v.Get("plain_body"), Replies: v.Get("replies_from_plain_body"), HTML: v.Get("html_body"),
	}
	c := content{raw: p.Body, decoded: true, identity: func() string { return wire.FormKey(ESP, form) }}
	if v.Has("message") {
		raw := form.Fields.Bytes("message") // may be in any charset
		c.plain = func() []byte { return raw }
		c.base64 = func() []byte { return inbound.DecodeBase64Field(raw, p) }
	}
	for _, replyTo := range append(v.All("reply_to"), v.All("reply_to[]")...) {
		if replyTo != "" {
			w.ReplyTo = append(w.ReplyTo, replyTo)
		}
	}
	w.Attachments = formAttachments(v)
	return []anymail.Event{w.event(p, c)}, nil
}

// formAttachments reads attachments[0][filename] and so on.
func formAttachments(v anymail.Fields) (list []attachment) {
	for {
		field := func(name string) string { return fmt.Sprintf("attachments[%d][%s]", len(list), name) }
		if !v.Has(field("data")) && !v.Has(field("filename")) {
			return list
		}
		list = append(list, attachment{
			Filename: wire.Text(v.Get(field("filename"))), ContentType: wire.Text(v.Get(field("content_type"))),
			Size: wire.ParseNumber(v.Get(field("size"))), Data: inbound.DecodeBase64(v.Get(field("data"))),
		})
	}
}

// content is what JSON and forms hold in their own ways.
type content struct {
	raw           anymail.Raw
	decoded       bool          // all of it
	identity      func() string // of the whole
	plain, base64 func() []byte // decode the source of the message; nil without one
}

// event makes the event. The message failed if it could not be decoded, or if there is
// nothing in it.
func (w *received) event(p *anymail.Payload, c content) anymail.Event {
	ev := &anymail.InboundEvent{Common: anymail.Common{
		Type: anymail.EventInbound, ID: string(w.ID), Timestamp: w.Time.Time, Raw: c.raw,
	}}
	identity := []string{string(w.ID), string(w.Token), string(w.RcptTo)}
	decoded := c.decoded
	switch {
	case c.plain != nil:
		decode := c.base64
		if w.Base64 == "false" || w.Base64 == "0" {
			decode = c.plain
		}
		raw := decode()
		decoded = decoded && len(raw) > 0
		ev.Message = rawmime.Parse(raw, p.Limits)
		spamHeaders(&ev.Message)
		sum := sha256.Sum256(raw)
		identity = append(identity, string(w.MailFrom), string(sum[:]))
	default:
		decoded = decoded && !w.empty()
		w.fill(&ev.Message)
		inbound.OpenTNEF(&ev.Message, p.Limits)
		if w.Token == "" { // it is random
			identity = append(identity, c.identity())
		}
	}
	if !decoded {
		ev.Type = anymail.EventInboundFailed
		identity = append(identity, string(ev.Type), c.identity())
	}
	// The id is unique at one mail server; an installation has several.
	ev.Key = anymail.EventKey(ESP, identity...)
	ev.Message.EnvelopeSender = wire.TrimID(string(w.MailFrom))
	inbound.SetEnvelopeRecipients(&ev.Message, wire.TrimID(string(w.RcptTo)))
	return ev
}

// empty reports whether w, in the processed format, has nothing of a message.
func (w *received) empty() bool {
	return w.From+w.To+w.CC+w.Subject+w.Date+w.MessageID == "" && w.Text+w.HTML == "" && len(w.Attachments) == 0
}

// fill makes the message from the parts that Postal parsed.
func (w *received) fill(m *anymail.InboundMessage) {
	m.Text, m.HTML = w.Text, w.HTML
	if w.Replies != "" { // the white space between the two is lost
		m.Text, m.StrippedText = w.Text+"\n\n"+w.Replies, w.Text
	}
	switch w.SpamStatus {
	case "Spam":
		m.SpamDetected = anymail.Yes
	case "NotSpam":
		m.SpamDetected = anymail.No
	}
	for _, a := range w.Attachments {
		made := inbound.NewAttachment(string(a.Filename), string(a.ContentType), "", "", a.Data)
		m.Attachments = append(m.Attachments, made)
	}

	var headers anymail.Headers
	add := func(name, value string) {
		if value != "" {
			headers = append(headers, anymail.Header{Name: name, Value: value})
		}
	}
	add("From", string(w.From))
	add("To", string(w.To))
	add("Cc", string(w.CC))
	for _, replyTo := range w.ReplyTo {
		add("Reply-To", replyTo)
	}
	add("Subject", string(w.Subject))
	add("Date", string(w.Date))
	if w.MessageID != "" {
		add("Message-ID", "<"+wire.TrimID(string(w.MessageID))+">")
	}
	add("In-Reply-To", string(w.InReplyTo))
	add("References", string(w.References))
	add("Auto-Submitted", string(w.AutoSubmit))
	inbound.SetHeaders(m, headers)
}

// spamHeaders reads Postal's spam verdict. Postal puts it on top of the message;
// the headers below the first Received are the sender's.
// https://docs.postalserver.io/features/spam-and-virus-checking and
// https://github.com/postalserver/postal/blob/main/app/lib/message_dequeuer/incoming_message_processor.rb
func spamHeaders(m *anymail.InboundMessage) {
	for _, h := range inbound.ServerHeaders(m.Headers) {
		switch strings.ToLower(h.Name) {
		case "x-postal-spam":
			m.SpamDetected = anymail.TriOf(strings.EqualFold(strings.TrimSpace(h.Value), "yes"))
		case "x-postal-spam-score":
			m.SpamScore = wire.ParseNumber(h.Value).Pointer()
		}
	}
}
