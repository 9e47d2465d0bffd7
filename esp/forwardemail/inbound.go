package forwardemail

import (
	"bytes"
	"cmp"
	"errors"
	"math"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// message is a received message as it was received, and in parts as the parser
// mailparser of Node.js makes them.
// https://forwardemail.net/en/faq#do-you-support-webhooks
type message struct {
	Raw         wire.Source             `json:"raw"`        // not with ?raw=false in the URL
	Recipients  wire.Strings            `json:"recipients"` // all that share the URL
	Session     wire.Object[session]    `json:"session"`
	Headers     text                    `json:"headers"` // the block as it was received
	MessageID   text                    `json:"messageId"`
	Subject     text                    `json:"subject"`
	Text        text                    `json:"text"`
	HTML        text                    `json:"html"`
	Attachments []attachment            `json:"attachments"` // not with ?attachments=false
	SPF         wire.Object[result]     `json:"spf"`
	DKIM        wire.Object[signatures] `json:"dkim"`
	DMARC       wire.Object[result]     `json:"dmarc"`
}

type session struct {
	Recipient   wire.Text    `json:"recipient"`
	Sender      wire.Text    `json:"sender"`
	ArrivalDate wire.RFC3339 `json:"arrivalDate"`
}

type attachment struct {
	Filename    text    `json:"filename"`
	ContentType text    `json:"contentType"`
	Disposition text    `json:"contentDisposition"`
	ContentID   text    `json:"cid"`
	Content     content `json:"content"`
}

// result and signatures are results of mailauth.
// https://github.com/postalsys/mailauth
type result struct {
	Status struct {
		Result text `json:"result"`
	} `json:"status"`
}

type signatures struct {
	Results []result `json:"results"`
}

// text is a string. For a missing one, mailparser writes false.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	if b[0] != '"' {
		return nil
	}
	return wire.Unmarshal(b, (*string)(t))
}

// content is a Buffer of Node.js as JSON: {"type":"Buffer","data":[104,105]}.
type content []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (c *content) UnmarshalJSON(b []byte) error {
	*c = nil
	list := bytes.TrimSpace(wire.Member(b, "data"))
	if len(list) < 2 || list[0] != '[' {
		return nil
	}
	list = bytes.TrimSpace(list[1 : len(list)-1])
	if len(list) == 0 {
		return nil
	}
	decoded := make(content, 0, 1+bytes.Count(list, []byte(",")))
	for number := range bytes.SplitSeq(list, []byte(",")) {
		n := 0
		number = bytes.TrimSpace(number)
		for _, digit := range number {
			if digit < '0' || digit > '9' {
				return errNotBytes
			}
			n = min(10*n+int(digit-'0'), math.MaxUint8+1)
		}
		if len(number) == 0 || n > math.MaxUint8 {
			return errNotBytes
		}
		decoded = append(decoded, byte(n))
	}
	*c = decoded
	return nil
}

var errNotBytes = errors.New("not a list of bytes")

func parseInbound(p *anymail.Payload) ([]anymail.Event, error) {
	return inbound.Parse(p, func(w *message, ev *anymail.InboundEvent) {
		if !w.Raw.Empty() {
			ev.Message = rawmime.ParseText(w.Raw.Decode(p), string(w.Text), string(w.HTML), p.Limits)
		} else {
			w.fill(&ev.Message)
		}
		w.envelope(ev)
	})
}

// fill makes the message from its parts.
func (w *message) fill(m *anymail.InboundMessage) {
	m.MessageID = wire.TrimID(string(w.MessageID))
	m.Subject = string(w.Subject)
	m.Text, m.HTML = string(w.Text), string(w.HTML)
	for _, a := range w.Attachments {
		m.Attachments = append(m.Attachments,
			inbound.NewAttachment(string(a.Filename), string(a.ContentType), string(a.Disposition), string(a.ContentID), a.Content))
	}
	inbound.SetHeaders(m, inbound.ParseHeaders([]byte(w.Headers)))
}

// envelope sets what Forward Email says about the message.
func (w *message) envelope(ev *anymail.InboundEvent) {
	m, s := &ev.Message, &w.Session.Value
	ev.Timestamp = s.ArrivalDate.Time
	m.EnvelopeSender = string(s.Sender)
	recipients := w.Recipients
	if len(recipients) == 0 {
		recipients = wire.Strings{string(s.Recipient)}
	}
	inbound.SetEnvelopeRecipients(m, recipients...)
	m.Authentication = anymail.Authentication{SPF: w.SPF.Value.word(), DKIM: w.DKIM.Value.word(), DMARC: w.DMARC.Value.word()}
}

func (r *result) word() string { return string(r.Status.Result) }

// word returns "pass" if one signature passes, else the first result.
func (s *signatures) word() string {
	var first string
	for i := range s.Results {
		word := s.Results[i].word()
		if word == "pass" {
			return word
		}
		first = cmp.Or(first, word)
	}
	return first
}
