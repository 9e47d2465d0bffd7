package relay

import (
	"context"
	"net/url"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
)

// parse reads a message that was posted as it is.
func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	ev := &anymail.InboundEvent{
		Common:  anymail.Common{Type: anymail.EventInbound, Raw: p.Body},
		Message: rawmime.Parse(p.Body, p.Limits),
	}
	m := &ev.Message
	if inbound.IsEmpty(m) {
		return nil, anymail.Malformed("there is no message", nil)
	}
	// The server writes the time of receipt behind the last semicolon (RFC 5321,
	// section 4.4), in the field on top.
	received := m.Headers.Get("Received")
	ev.Timestamp = inbound.Date(received[strings.LastIndex(received, ";")+1:])
	setEnvelope(m, p)
	return []anymail.Event{ev}, nil
}

// setEnvelope sets the envelope: from the header, else from the query unless the
// signature should cover it, else from what the mail server wrote into the message.
// Only those fields count that are above its Received: the others may be the
// sender's.
func setEnvelope(m *anymail.InboundMessage, p *anymail.Payload) {
	senders, recipients := p.Header.Values(HeaderFrom), p.Header.Values(HeaderTo)
	if p.Proof.Fingerprint == nil {
		query := queryOf(p.URL)
		if senders == nil {
			senders = query["sender"]
		}
		if recipients == nil {
			recipients = query["recipient"]
		}
	}
	server := inbound.ServerHeaders(m.Headers)
	if senders == nil {
		senders = server.Values("Return-Path")
	}
	for _, name := range recipientFields {
		if recipients == nil {
			recipients = server.Values(name)
		}
	}
	for _, a := range inbound.Addresses(senders...) {
		m.EnvelopeSender = a.Address
		break
	}
	var addresses []string
	for _, a := range inbound.Addresses(recipients...) {
		addresses = append(addresses, a.Address)
	}
	inbound.SetEnvelopeRecipients(m, addresses...)
}

// recipientFields are the fields that mail servers write the envelope recipient into.
// X-Original-To is the address before aliases were expanded, which Delivered-To is
// not (Postfix, pipe(8), flags O and D). Exim has Envelope-To
// (https://www.exim.org/exim-html-current/doc/html/spec_html/ch-generic_options_for_transports.html).
var recipientFields = []string{"X-Original-To", "Envelope-To", "Delivered-To"}

// queryOf returns the query of a URL. A plus is one, since scripts do not escape the
// addresses that they put there.
func queryOf(rawURL string) url.Values {
	_, query, _ := strings.Cut(rawURL, "?")
	values, _ := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B")) // as far as it can be read
	return values
}
