package inbound

import "github.com/goanymail/anymail"

// IsEmpty reports whether there is nothing of a message in m: no header field, text,
// subject, address or attachment. An ESP's envelope and verdicts do not count.
func IsEmpty(m *anymail.InboundMessage) bool {
	return len(m.Headers) == 0 && len(m.From) == 0 && len(m.To) == 0 && len(m.CC) == 0 && m.Subject == "" &&
		m.Text == "" && m.HTML == "" && len(m.Attachments) == 0
}
