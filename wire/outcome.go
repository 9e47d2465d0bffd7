package wire

import (
	"strings"

	"github.com/goanymail/anymail"
)

// Outcome is what one of an ESP's event names, bounce types or reason codes
// means: the right-hand side of an adapter's mapping tables. An empty field has no
// effect.
type Outcome struct {
	Type     anymail.EventType
	Reason   anymail.RejectReason
	Category anymail.BounceCategory
}

// Apply writes the fields of o that are not empty into ev.
func (o Outcome) Apply(ev *anymail.TrackingEvent) {
	if o.Type != "" {
		ev.Type = o.Type
	}
	if o.Reason != "" {
		ev.RejectReason = o.Reason
	}
	if o.Category != "" {
		ev.Bounce.Category = o.Category
	}
}

// Answer sets the answer of the receiving server and the codes found in it. An
// adapter replaces these with the codes that the ESP gives in fields of their own.
func Answer(ev *anymail.TrackingEvent, response string) {
	ev.MTAResponse = response
	ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode = SMTP(response)
}

// Suppression reads from an ESP's own words, such as "hardBounce" or "due to
// unsubscribed user", why it did not send to a suppressed address. It is
// [anymail.RejectBlocked] if they do not say.
func Suppression(words string) anymail.RejectReason {
	words = strings.ToLower(words)
	for _, s := range []struct {
		word   string
		reason anymail.RejectReason
	}{
		{"spam", anymail.RejectSpam},
		{"complain", anymail.RejectSpam},
		{"unsubscri", anymail.RejectUnsubscribed},
		{"bounce", anymail.RejectBounced},
		{"invalid", anymail.RejectInvalid},
	} {
		if strings.Contains(words, s.word) {
			return s.reason
		}
	}
	return anymail.RejectBlocked
}

// Feedback returns what the type of a feedback report (RFC 5965) means. Abuse, fraud and
// virus are complaints, and so is a report without a type. Others, such as "not-spam"
// and "auth-failure", leave the event unknown.
func Feedback(feedbackType string) Outcome {
	switch strings.ToLower(feedbackType) {
	case "abuse", "fraud", "virus", "":
		return Outcome{Type: anymail.EventComplained, Reason: anymail.RejectSpam}
	}
	return Outcome{}
}
