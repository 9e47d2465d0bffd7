package bird

import (
	"context"
	"net/http"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/wire"
)

// notification is what Bird posts about a received message.
// https://github.com/messagebird/bird-ai (its reference of inbound mail)
type notification struct {
	Timestamp wire.RFC3339 `json:"timestamp"`
	Data      message      `json:"data"`
}

type message struct {
	ID        wire.Text    `json:"inbound_message_id"`
	MessageID string       `json:"message_id"`
	From      string       `json:"from"` // of the envelope
	To        wire.Strings `json:"to"`   // of the envelope
	Subject   string       `json:"subject"`
	InReplyTo string       `json:"in_reply_to"`
	SPF       *bool        `json:"spf_pass"`
	DKIM      *bool        `json:"dkim_pass"`
	DMARC     *bool        `json:"dmarc_pass"`
	SpamScore wire.Number  `json:"spam_score"`
}

func (a *Adapter) received(ctx context.Context, p *anymail.Payload, raw []byte, id string) ([]anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, ID: id, Raw: raw}}
	var w notification
	if err := wire.Unmarshal(raw, &w); err != nil {
		// What can be read may be enough to fetch the message.
		w = notification{}
		wire.Salvage(raw, &w)
		w.Data = message{}
		wire.Salvage(wire.Member(raw, "data"), &w.Data)
	}
	ev.Timestamp = w.Timestamp.Time
	m, d := &ev.Message, &w.Data
	switch source, err := a.source(ctx, p, string(d.ID)); {
	case fetch.Final(err):
		ev.Type = anymail.EventInboundFailed
		if id == "" {
			ev.Key = anymail.EventKey(ESP, string(raw))
		}
		m.From, m.To = inbound.Addresses(d.From), inbound.Addresses(d.To...)
		m.Subject, m.MessageID, m.InReplyTo = d.Subject, wire.TrimID(d.MessageID), wire.TrimID(d.InReplyTo)
	case err != nil:
		return nil, err
	default:
		*m = rawmime.Parse(source, p.Limits)
	}
	m.EnvelopeSender = d.From
	inbound.SetEnvelopeRecipients(m, d.To...)
	m.Authentication = anymail.Authentication{SPF: result(d.SPF), DKIM: result(d.DKIM), DMARC: result(d.DMARC)}
	m.SpamScore = d.SpamScore.Pointer()
	return []anymail.Event{ev}, nil
}

// result returns a word of RFC 8601, or "" if Bird does not know.
func result(pass *bool) string {
	switch {
	case pass == nil:
		return ""
	case *pass:
		return "pass"
	}
	return "fail"
}

// source gets a message as it was received.
func (a *Adapter) source(ctx context.Context, p *anymail.Payload, id string) ([]byte, error) {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
	if strings.Trim(id, letters) != "" || id == "" {
		return nil, fetch.ErrGone // not an id of Bird, and it would be a part of a URL
	}
	key, err := fetch.Key(ctx, a.config.APIKeys)
	if err != nil {
		return nil, err
	}
	at := "https://" + a.config.APIHost + "/v1/email/inbound-messages/" + id + "/raw"
	return a.api.Budget(p).Get(ctx, at, http.Header{"Authorization": {"Bearer " + key}})
}
