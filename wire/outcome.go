package wire

import "github.com/goanymail/anymail"

// Outcome is what one of an ESP's event names, bounce types or reason codes
// means: the right-hand side of an adapter's mapping tables. Empty fields say
// nothing.
type Outcome struct {
	Type     anymail.EventType
	Reason   anymail.RejectReason
	Category anymail.BounceCategory
}

// Apply writes into ev what o says and leaves the rest as it is.
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

// Answer sets what the receiving server answered, and the codes found in it.
// Codes that the ESP gives in fields of their own go over these.
func Answer(ev *anymail.TrackingEvent, response string) {
	ev.MTAResponse = response
	ev.Bounce.SMTPCode, ev.Bounce.EnhancedCode = SMTP(response)
}

// MalformedEvent is the event of an element that cannot be decoded, with its text
// and the error, so that nothing is lost.
func MalformedEvent(raw []byte, err error) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:      anymail.Common{Type: anymail.EventUnknown, Raw: raw},
		Description: "malformed event: " + err.Error(),
	}
}
