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
	RawEmail wire.Source
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

// checkID is the MessageID of the message that the button Check of an inbound
// webhook posts, each time the same. Postmark's documentation has it as a sample.
const checkID = "73e6d360-66eb-11e1-8e72-a8904824019b"

func parseInbound(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}
	var w message
	if err := wire.Unmarshal(p.Body, &w); err != nil {
		w = message{}
		if !wire.Salvage(p.Body, &w) {
			return nil, anymail.Malformed("inbound message", err)
		}
		ev.Type = anymail.EventInboundFailed
		p.KeepRaw()
	}
	isMessage := w.MessageID != "" || w.FromFull.Email != "" || wire.Member(p.Body, "FromFull") != nil
	if w.RecordType != "" && w.RecordType != inboundRecord || !isMessage {
		return nil, anymail.Malformed("not an inbound message: is it an event whose URL should be that of the tracking endpoint?", nil)
	}
	ev.ID = w.MessageID
	if ev.ID == checkID {
		ev.Key = testKey(p, ev.Raw) // each time that the user presses the button is an event
	}
	w.fill(&ev.Message, p)
	return []anymail.Event{ev}, nil
}

func (w *message) fill(m *anymail.InboundMessage, p *anymail.Payload) {
	inbound.SetEnvelopeRecipients(m, w.OriginalRecipient)
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
	inbound.OpenTNEF(m, p.Limits)
	headers := w.Headers.Message()
	fromHeaders(m, ownHeaders(headers))
	if !w.RawEmail.Empty() {
		// Text and attachments stay those that Postmark decoded: a JSON string
		// cannot hold a message with bytes that are not UTF-8.
		m.RawMIME = rawEmail(w.RawEmail.Decode(p))
		headers = allHeaders(headers, inbound.ParseHeaders(m.RawMIME))
	}
	inbound.SetHeaders(m, headers)
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

// ownHeaders returns the headers that Postmark put on top of the message:
// Return-Path, a Received of its own, those of SpamAssassin and Received-SPF, each
// once. The sender may write the same headers; they follow the Received by which
// Postmark's server took the message from another one.
func ownHeaders(headers anymail.Headers) anymail.Headers {
	seen := map[string]bool{}
	for i, h := range headers {
		name := strings.ToLower(h.Name)
		switch name {
		case "return-path", "x-spam-checker-version", "x-spam-status", "x-spam-score", "x-spam-tests", "received-spf":
		case "received":
			// Postmark's filter gives the message to its server once more: "by
			// ...inbound.postmarkapp.com (Postfix, from userid ...)".
			filtered := strings.HasPrefix(strings.TrimSpace(h.Value), "by ") ||
				i+1 < len(headers) && strings.EqualFold(headers[i+1].Name, "X-Spam-Checker-Version")
			if !filtered || !strings.Contains(h.Value, ".postmarkapp.com") {
				return headers[:i]
			}
		default:
			return headers[:i]
		}
		if seen[name] {
			return headers[:i]
		}
		seen[name] = true
	}
	return headers
}

// fromHeaders reads the headers that Postmark wrote. Received-SPF has the envelope
// sender that was checked.
func fromHeaders(m *anymail.InboundMessage, headers anymail.Headers) {
	spf := headers.Get("Received-SPF")
	m.EnvelopeSender = wire.TrimID(headers.Get("Return-Path"))
	if found := envelopeFrom.FindStringSubmatch(spf); found != nil && !strings.Contains(spf, "identity=helo") {
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
func rawEmail(b []byte) []byte {
	if headerLine.Match(b) {
		return b
	}
	if decoded := inbound.DecodeBase64(b); headerLine.Match(decoded) {
		return decoded
	}
	return b
}
