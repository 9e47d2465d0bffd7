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
	Content   struct {
		MIME   wire.Text `json:"email_rfc822"`
		Base64 bool      `json:"email_rfc822_is_base64"` // if MIME is not UTF-8
	} `json:"content"`
}

// received makes the event of a received message: inbound_failed if there is no
// message in it, and unknown if it cannot decode the message.
func received(c classed, limits anymail.Limits) anymail.Event {
	var w message
	if err := wire.Unmarshal(c.value, &w); err != nil {
		return &anymail.TrackingEvent{
			Common:      anymail.Common{Type: anymail.EventUnknown, Raw: c.raw},
			Description: "malformed event: " + err.Error(),
		}
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: c.raw}}
	switch mime := string(w.Content.MIME); {
	case mime == "":
		ev.Type = anymail.EventInboundFailed
	case w.Content.Base64:
		ev.Message = rawmime.Parse(inbound.DecodeBase64(mime), limits)
	default:
		ev.Message = rawmime.Parse([]byte(mime), limits)
	}
	ev.Message.EnvelopeSender, ev.Message.EnvelopeRecipient = string(w.Sender), string(w.Recipient)
	return ev
}
