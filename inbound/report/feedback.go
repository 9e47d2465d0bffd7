package report

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// Feedback is a report of a feedback loop (ARF, RFC 5965).
type Feedback struct {
	Form Form
	// Type is in lower case: "abuse", "fraud", "virus", "not-spam", "auth-failure", ...
	Type string
	// UserAgent is the program that made the report.
	UserAgent    string
	ReportingMTA string
	// MailFrom is the envelope sender of the original message.
	MailFrom string
	// Recipients are those of the original message, without the ones that the
	// reporter has made unreadable (RFC 6590). Redacted counts these.
	Recipients []string
	Redacted   int
	// ArrivalDate is when the original message arrived.
	ArrivalDate time.Time
	SourceIP    netip.Addr
	// Incidents is how many complaints the report stands for, 0 if it does not say.
	Incidents int
	// Domains and URIs are those that the complaint is about.
	Domains, URIs []string
	// Authentication are the results (RFC 8601) that the reporter found for the
	// original message.
	Authentication []string
	// Raw is the part of the report with these fields.
	Raw anymail.Raw
}

// maxValues is how many values of a repeated field are kept. That includes recipients:
// the event of each repeats the raw text.
const maxValues = 100

func readFeedback(r *Report, m *anymail.InboundMessage, limit int) bool {
	limit = min(limit, maxValues)
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if a.ContentType != "message/feedback-report" {
			continue
		}
		raw := a.Content[:min(len(a.Content), maxProse)]
		hs := inbound.ParseHeaders(raw)
		f := &Feedback{
			Form:           FormStandard,
			Type:           feedbackType(hs.Get("Feedback-Type")),
			UserAgent:      cut(hs.Get("User-Agent")),
			ReportingMTA:   typed(hs.Get("Reporting-MTA")),
			MailFrom:       address(hs.Get("Original-Mail-From")),
			ArrivalDate:    inbound.Date(hs.Get("Arrival-Date")),
			SourceIP:       wire.Addr(hs.Get("Source-IP")),
			Domains:        values(hs, "Reported-Domain"),
			URIs:           values(hs, "Reported-URI"),
			Authentication: values(hs, "Authentication-Results"),
			Raw:            raw,
		}
		if f.ArrivalDate.IsZero() { // its name in drafts
			f.ArrivalDate = inbound.Date(hs.Get("Received-Date"))
		}
		if n, err := strconv.Atoi(strings.TrimSpace(hs.Get("Incidents"))); err == nil && n > 0 {
			f.Incidents = n
		}
		for _, name := range []string{"Original-Rcpt-To", "Removal-Recipient"} {
			for _, value := range hs.Values(name) {
				f.addRecipient(value, limit)
			}
			if len(f.Recipients) > 0 {
				break
			}
		}
		r.Kind, r.Feedback = KindFeedback, f
		r.Original.EnvelopeID = cut(hs.Get("Original-Envelope-Id"))
		r.Original.Headers = returnedHeaders(m)
		if len(f.Recipients) == 0 {
			f.addOriginalRecipient(r.Original.Headers, limit)
		}
		return true
	}
	return false
}

// readJMRP reads a complaint that attaches the original message and names its
// recipient in a field of that, or of the report.
func readJMRP(r *Report, m *anymail.InboundMessage) bool {
	headers := returnedHeaders(m)
	to := headers.Get(jmrpRecipient)
	if to == "" {
		to = m.Headers.Get(jmrpRecipient)
	}
	if to == "" {
		return false
	}
	f := &Feedback{Form: FormJMRP, Type: "abuse"}
	f.addRecipient(to, 1)
	r.Kind, r.Feedback, r.Original.Headers = KindFeedback, f, headers
	return true
}

const jmrpRecipient = "X-HmXmrOriginalRecipient"

// addOriginalRecipient adds the recipient that the returned headers name. A message
// to several people or to a list does not tell who complained.
func (f *Feedback) addOriginalRecipient(headers anymail.Headers, limit int) {
	if to := headers.Get(jmrpRecipient); to != "" {
		f.addRecipient(to, limit)
		return
	}
	to := inbound.Addresses(append(headers.Values("To"), headers.Values("Cc")...)...)
	if len(to) == 1 && headers.Get("List-Id") == "" && !isRedacted(to[0].Address) {
		f.addRecipient(to[0].Address, limit)
	}
}

func (f *Feedback) addRecipient(value string, limit int) {
	to := address(value)
	switch {
	case isRedacted(to):
		f.Redacted++
	case len(f.Recipients) < limit:
		f.Recipients = append(f.Recipients, to)
	}
}

// isRedacted reports whether an address is not the real one. A local part that is
// replaced by a hash, as RFC 6590 recommends, cannot be told from a real one.
func isRedacted(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return true
	}
	local := strings.ToLower(address[:at])
	return strings.Contains(local, "redacted") || strings.Trim(local, "*") == "" || len(local) > 2 && strings.Trim(local, "x") == ""
}

func feedbackType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(cut(s))
}

// values returns the values of a repeated field.
func values(hs anymail.Headers, name string) []string {
	var list []string
	for _, value := range hs.Values(name) {
		if value = cut(value); value != "" && len(list) < maxValues {
			list = append(list, value)
		}
	}
	return list
}
