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
	RecordType string // of the other webhooks
	MessageID  string // Postmark's; the message's own is in Headers
	FromFull   mailbox
	ToFull     []mailbox
	CcFull     []mailbox
	BccFull    []mailbox
	ReplyTo    string
	Subject    string
	Date       string

	OriginalRecipient string
	TextBody          string
	HtmlBody          string //nolint:revive // as on the wire
	StrippedTextReply string
	Headers           wire.Headers // without the headers that are fields here
	Attachments       []struct {
		Name, ContentType, ContentID string
		Content                      inbound.Base64
		Data                         inbound.Base64 // instead of Content in Postmark's test
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
	if w.RecordType != "" && w.RecordType != "Inbound" || w.MessageID == "" && w.FromFull.Email == "" {
		return nil, anymail.Malformed("not an inbound message: is it an event whose URL should be that of the tracking endpoint?", nil)
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
	for _, a := range w.Attachments {
		if a.Content == nil {
			a.Content = a.Data
		}
		m.Attachments = append(m.Attachments, inbound.NewAttachment(a.Name, a.ContentType, "", a.ContentID, a.Content))
	}
	headers := w.Headers.Message()
	fromHeaders(m, headers)
	if w.RawEmail != "" {
		// Text and attachments stay those that Postmark decoded: a JSON string
		// cannot hold a message with bytes that are not UTF-8.
		m.RawMIME = rawEmail(w.RawEmail)
		headers = allHeaders(headers, inbound.ParseHeaders(m.RawMIME))
	}
	inbound.SetHeaders(m, headers)
	return []anymail.Event{ev}, nil
}

// allHeaders returns the headers of the whole message, below those that only
// Postmark has.
func allHeaders(added, whole anymail.Headers) anymail.Headers {
	has := map[string]bool{}
	for _, h := range whole {
		has[strings.ToLower(h.Name)] = true
	}
	var all anymail.Headers
	for _, h := range added {
		if !has[strings.ToLower(h.Name)] {
			all = append(all, h)
		}
	}
	return append(all, whole...)
}

// fromHeaders reads the headers that Postmark puts on top.
func fromHeaders(m *anymail.InboundMessage, headers anymail.Headers) {
	spf := headers.Get("Received-SPF")
	m.EnvelopeSender = wire.TrimID(headers.Get("Return-Path"))
	if found := envelopeFrom.FindStringSubmatch(spf); m.EnvelopeSender == "" && found != nil {
		m.EnvelopeSender = found[1]
	}
	result, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(spf)), " ")
	m.Authentication.SPF = strings.TrimRight(result, ":;")
	tests := headers.Get("X-Spam-Tests")
	switch {
	case strings.Contains(tests, "DKIM_VALID"):
		m.Authentication.DKIM = "pass"
	case strings.Contains(tests, "DKIM_SIGNED"):
		m.Authentication.DKIM = "fail"
	}
	if status := headers.Get("X-Spam-Status"); status != "" {
		m.SpamDetected = anymail.TriOf(strings.HasPrefix(strings.ToLower(status), "yes"))
	}
	m.SpamScore = wire.ParseNumber(headers.Get("X-Spam-Score")).Pointer()
}

var (
	envelopeFrom = regexp.MustCompile(`envelope-from="?<?([^";>\s]+)`)
	headerLine   = regexp.MustCompile(`^[!-9;-~]+:`)
)

// rawEmail returns the message itself. It is documented as plain text, but has been
// described as base64 too.
func rawEmail(s string) []byte {
	if headerLine.MatchString(s) {
		return []byte(s)
	}
	if decoded := inbound.DecodeBase64(s); headerLine.Match(decoded) {
		return decoded
	}
	return []byte(s)
}
