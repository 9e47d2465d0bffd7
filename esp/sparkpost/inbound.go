package sparkpost

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// relayMessage is the class of a received message.
const relayMessage = "relay_message"

// message is what a relay webhook posts.
// https://developers.sparkpost.com/api/relay-webhooks/
type message struct {
	Sender    wire.Text `json:"msg_from"` // "" for a bounce
	Recipient wire.Text `json:"rcpt_to"`
	Content   wire.Object[struct {
		MIME   wire.Source `json:"email_rfc822"`
		Base64 wire.Text   `json:"email_rfc822_is_base64"` // true if MIME is not UTF-8
	}] `json:"content"`
}

// received makes the event of a received message: inbound_failed if there is no
// message in it.
func received(c classed, p *anymail.Payload) anymail.Event {
	var w message
	err := wire.UnmarshalElement(c.value, &w)
	if err != nil {
		p.KeepRaw()
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: c.raw}}
	content := w.Content.Value
	var raw []byte
	if content.Base64 == "true" {
		raw = inbound.DecodeBase64Source(content.MIME, p)
	} else {
		raw = content.MIME.Decode(p)
	}
	if len(raw) > 0 {
		ev.Message = rawmime.Parse(raw, p.Limits)
	}
	if err != nil || inbound.IsEmpty(&ev.Message) {
		ev.Type = anymail.EventInboundFailed
	}
	ev.Message.EnvelopeSender = string(w.Sender)
	inbound.SetEnvelopeRecipients(&ev.Message, string(w.Recipient))
	return ev
}
