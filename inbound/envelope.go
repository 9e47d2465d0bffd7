package inbound

import (
	"strings"

	"github.com/goanymail/anymail"
)

// maxEnvelopeRecipients is how many recipients of an envelope are kept.
const maxEnvelopeRecipients = 5000

// SetEnvelopeRecipients sets m.EnvelopeRecipients to the addresses of list, in
// order, without repeats, and m.EnvelopeRecipient to the first of them. It
// leaves out empty addresses, and addresses after the first 5000.
func SetEnvelopeRecipients(m *anymail.InboundMessage, list ...string) {
	m.EnvelopeRecipient, m.EnvelopeRecipients = "", nil
	seen := map[string]bool{}
	for _, address := range list {
		address = strings.TrimSpace(address)
		if address == "" || seen[address] || len(m.EnvelopeRecipients) == maxEnvelopeRecipients {
			continue
		}
		seen[address] = true
		m.EnvelopeRecipients = append(m.EnvelopeRecipients, address)
	}
	if len(m.EnvelopeRecipients) > 0 {
		m.EnvelopeRecipient = m.EnvelopeRecipients[0]
	}
}
