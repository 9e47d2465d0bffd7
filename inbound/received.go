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

// IsEmpty reports whether there is nothing of a message in m: no header field, text,
// subject, address or attachment. An ESP's envelope and verdicts do not count.
func IsEmpty(m *anymail.InboundMessage) bool {
	return len(m.Headers) == 0 && len(m.From) == 0 && len(m.To) == 0 && len(m.CC) == 0 && m.Subject == "" &&
		m.Text == "" && m.HTML == "" && len(m.Attachments) == 0
}
