package inbound

import (
	"strings"

	"github.com/goanymail/anymail"
)

// ServerHeaders returns the header fields that only the receiving server can have
// written: those above the first Received field. A server writes above what it got.
// Below, and everywhere if there is no Received field, fields may be the sender's.
func ServerHeaders(headers anymail.Headers) anymail.Headers {
	for i, h := range headers {
		if strings.EqualFold(h.Name, "Received") {
			return headers[:i]
		}
	}
	return nil
}

// EnvelopeSender returns the address in the Return-Path that the receiving server
// wrote into a message's source. If the source is missing or has no Return-Path, it
// returns the one of the headers that an API gives. If only the sender wrote one, the
// API can give no other, so there is none.
func EnvelopeSender(source *anymail.InboundMessage, given anymail.Headers) string {
	if source.RawMIME == nil || len(source.Headers.Values("Return-Path")) == 0 {
		return trimAngles(given.Get("Return-Path"))
	}
	return trimAngles(ServerHeaders(source.Headers).Get("Return-Path"))
}

func trimAngles(address string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(address), "<"), ">")
}

// IsEmpty reports whether there is nothing of a message in m: no header field, text,
// subject, address or attachment. An ESP's envelope and verdicts do not count.
func IsEmpty(m *anymail.InboundMessage) bool {
	return len(m.Headers) == 0 && len(m.From) == 0 && len(m.To) == 0 && len(m.CC) == 0 && m.Subject == "" &&
		m.Text == "" && m.HTML == "" && len(m.Attachments) == 0
}
