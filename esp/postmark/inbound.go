package postmark

import (
	"context"
	"regexp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// message is Postmark's inbound webhook.
// https://postmarkapp.com/developer/webhooks/inbound-webhook
type message struct {
	MessageID string // Postmark's own; the message's is among Headers
	FromFull  mailbox
	ToFull    []mailbox
	CcFull    []mailbox
	BccFull   []mailbox
	ReplyTo   string
	Subject   string
	Date      string

	OriginalRecipient string
	TextBody          string
	HtmlBody          string //nolint:revive // as on the wire
	StrippedTextReply string
	Headers           []struct{ Name, Value string }
	Attachments       []struct {
		Name, ContentType, ContentID string
		Content                      string
		Data                         string // instead of Content in Postmark's test
	}
	RawEmail string
}

type mailbox struct{ Email, Name string }

func addresses(list ...mailbox) []anymail.Address {
	var out []anymail.Address
	for _, m := range list {
		if m.Email != "" {
			out = append(out, anymail.Address{Name: m.Name, Address: m.Email})
		}
	}
	return out
}

func parseInbound(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	var w message
	if err := wire.Unmarshal(p.Body, &w); err != nil {
		return nil, anymail.Malformed("inbound message", err)
	}
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, ID: w.MessageID, Raw: p.Body}}
	m := &ev.Message
	m.EnvelopeRecipient = w.OriginalRecipient
	m.From = addresses(w.FromFull)
	m.To, m.CC, m.BCC = addresses(w.ToFull...), addresses(w.CcFull...), addresses(w.BccFull...)
	m.ReplyTo = inbound.Addresses(w.ReplyTo)
	m.Subject = w.Subject
	m.Date = inbound.Date(w.Date)
	m.Text, m.HTML, m.StrippedText = w.TextBody, w.HtmlBody, w.StrippedTextReply
	if w.RawEmail != "" {
		m.RawMIME = rawEmail(w.RawEmail)
	}
	for _, a := range w.Attachments {
		content := inbound.DecodeBase64(a.Content + a.Data)
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Name, a.ContentType, "", a.ContentID, content))
	}
	var headers anymail.Headers
	for _, h := range w.Headers {
		headers = append(headers, anymail.Header(h))
	}
	inbound.SetHeaders(m, headers)
	fromHeaders(m)
	return []anymail.Event{ev}, nil
}

// fromHeaders reads what Postmark tells in the headers that it puts on top.
func fromHeaders(m *anymail.InboundMessage) {
	spf := m.Headers.Get("Received-SPF")
	m.EnvelopeSender = wire.TrimID(m.Headers.Get("Return-Path"))
	if found := envelopeFrom.FindStringSubmatch(spf); m.EnvelopeSender == "" && found != nil {
		m.EnvelopeSender = found[1]
	}
	result, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(spf)), " ")
	m.Authentication.SPF = strings.TrimRight(result, ":;")
	tests := m.Headers.Get("X-Spam-Tests")
	switch {
	case strings.Contains(tests, "DKIM_VALID"):
		m.Authentication.DKIM = "pass"
	case strings.Contains(tests, "DKIM_SIGNED"):
		m.Authentication.DKIM = "fail"
	}
	if status := m.Headers.Get("X-Spam-Status"); status != "" {
		m.SpamDetected = anymail.TriOf(strings.HasPrefix(strings.ToLower(status), "yes"))
	}
	m.SpamScore = wire.ParseNumber(m.Headers.Get("X-Spam-Score")).Pointer()
}

var (
	envelopeFrom = regexp.MustCompile(`envelope-from="?<?([^";>\s]+)`)
	headerLine   = regexp.MustCompile(`^[!-9;-~]+:`)
)

// rawEmail is the message itself; it is documented as such but has been
// described as base64 as well.
func rawEmail(s string) []byte {
	if headerLine.MatchString(s) {
		return []byte(s)
	}
	if decoded := inbound.DecodeBase64(s); headerLine.Match(decoded) {
		return decoded
	}
	return []byte(s)
}
