package report

import (
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/internal/mimefield"
)

// Kind tells what a message reports.
type Kind string

// The kinds of reports.
const (
	// KindNone: the message is not a report, or not in a form that is known.
	KindNone Kind = ""
	// KindDelivery: a bounce, a delay or a confirmation of delivery.
	KindDelivery Kind = "delivery"
	// KindFeedback: a complaint, or another report of a feedback loop.
	KindFeedback Kind = "feedback"
	// KindAutoReply: an automatic reply, such as a vacation notice.
	KindAutoReply Kind = "auto_reply"
	// KindUnsubscribe: a request to receive no more mail.
	KindUnsubscribe Kind = "unsubscribe"

	// The following are recognized and not read. They make no events.

	// KindDisposition: a notice that a message was displayed or deleted (RFC 8098).
	KindDisposition Kind = "disposition"
	// KindDMARC: an aggregate report about a domain (RFC 7489).
	KindDMARC Kind = "dmarc"
	// KindTLS: a report about TLS between servers (RFC 8460).
	KindTLS Kind = "tls"
)

// Report is what a message reports.
type Report struct {
	Kind Kind

	// One of these is set if the Kind is its own.
	Delivery    *Delivery
	Feedback    *Feedback
	AutoReply   *AutoReply
	Unsubscribe *Unsubscribe

	// Original is the message that the report is about.
	Original Original
}

// Original is what a report says about the message that was sent.
type Original struct {
	// EnvelopeID is the ENVID that the sender gave in the SMTP dialogue (RFC 3461).
	EnvelopeID string
	// MessageID has no angle brackets. It is that of the returned headers, or, if
	// there are none, the one that the report replies to.
	MessageID string
	// Headers are those that the report returns, decoded.
	Headers anymail.Headers
}

// ID returns the message id, or the envelope id if the report has no message id.
func (o *Original) ID() string {
	if o.MessageID != "" {
		return o.MessageID
	}
	return o.EnvelopeID
}

// Bounds on what is read of one report, whatever its size.
const (
	maxRecipients = 1000
	maxPart       = 1 << 20 // bytes of a part with fields, and of returned headers
	maxProse      = 64 << 10
	maxText       = 4 << 10 // bytes of a reason or of a field
)

// Read tells what a message reports. It never fails: it leaves out what it cannot
// read. It does not change m, but the Raw of its results shares the memory of m.
//
// Anyone can send a message that looks like a report. Read verifies nothing.
//
// At most limits.BatchEvents recipients, but never more than 1000 of a bounce and 100 of
// a complaint, and limits.MIMEHeaders returned header fields are kept. A limit that is
// 0 or less has its default.
func Read(m *anymail.InboundMessage, limits anymail.Limits) Report {
	limits = limits.OrDefaults()
	recipients := min(limits.BatchEvents, maxRecipients)
	reportType := typeOf(m)

	var r Report
	switch {
	case readStatus(&r, m, reportType, recipients):
	case readFeedback(&r, m, recipients):
	case reportType == "disposition-notification" || hasPart(m, "message/disposition-notification", "message/global-disposition-notification"):
		r.Kind = KindDisposition
	case reportType == "tlsrpt" || m.Headers.Get("TLS-Report-Domain") != "" || hasPart(m, "application/tlsrpt+gzip", "application/tlsrpt+json"):
		r.Kind = KindTLS
	case isDMARC(m):
		r.Kind = KindDMARC
	case readJMRP(&r, m):
	case readProse(&r, m, recipients):
	case readAutoReply(&r, m):
	case readUnsubscribe(&r, m):
	}

	if r.Kind == KindDelivery || r.Kind == KindFeedback {
		if r.Original.Headers == nil {
			r.Original.Headers = returnedHeaders(m)
		}
		if ids := inbound.MessageIDs(r.Original.Headers.Get("Message-ID")); len(ids) > 0 {
			r.Original.MessageID = cut(ids[0])
		}
	}
	if r.Kind == KindDelivery || r.Kind == KindAutoReply {
		repliesTo(&r.Original, m)
	}
	r.Original.Headers = r.Original.Headers[:min(len(r.Original.Headers), limits.MIMEHeaders)]
	return r
}

// typeOf returns the report-type of a multipart/report, in lower case.
func typeOf(m *anymail.InboundMessage) string {
	mediaType, params := mimefield.ParseParams(cut(m.Headers.Get("Content-Type")), inbound.DecodeText)
	if !strings.EqualFold(mediaType, "multipart/report") {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(params["report-type"]))
}

func hasPart(m *anymail.InboundMessage, types ...string) bool {
	for i := range m.Attachments {
		for _, t := range types {
			if m.Attachments[i].ContentType == t {
				return true
			}
		}
	}
	return false
}

// isDMARC reports whether m has the subject that RFC 7489, section 7.2.1.1, asks for,
// or an attachment named by its rule: receiver!domain!begin!end.
func isDMARC(m *anymail.InboundMessage) bool {
	for i := range m.Attachments {
		a := &m.Attachments[i]
		switch a.ContentType {
		case "application/gzip", "application/x-gzip", "application/zip", "application/x-zip-compressed",
			"application/xml", "text/xml", "application/octet-stream":
			if strings.Count(a.Filename, "!") >= 3 || hasPrefixFold(m.Subject, "Report domain:") {
				return true
			}
		}
	}
	return false
}

// returnedHeaders returns the header fields of the first part that holds the message
// or its header.
func returnedHeaders(m *anymail.InboundMessage) anymail.Headers {
	for i := range m.Attachments {
		a := &m.Attachments[i]
		switch a.ContentType {
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers":
			if headers := fields(a.Content); len(headers) > 0 {
				return headers
			}
		}
	}
	return nil
}

// repliesTo sets the message id of an original that is not returned. Most servers
// and programs make a report or a reply an answer to it.
func repliesTo(o *Original, m *anymail.InboundMessage) {
	if o.MessageID != "" || len(o.Headers) > 0 {
		return
	}
	o.MessageID = cut(m.InReplyTo)
	if o.MessageID == "" && len(m.References) > 0 {
		o.MessageID = cut(m.References[len(m.References)-1])
	}
}

// fields reads header fields of a bounded part.
func fields(b []byte) anymail.Headers {
	return inbound.ParseHeaders(b[:min(len(b), maxPart)])
}

// cut returns s without the spaces around it and of a bounded length.
func cut(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
