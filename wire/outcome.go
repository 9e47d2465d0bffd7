package wire

import (
	"strings"

	"github.com/goanymail/anymail"
)

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

// Settle makes of what an ESP says what it means in the model, the same for
// every ESP, once everything else of the event is filled in. [Events] does it.
//
//   - A bounce for the reason [anymail.RejectBounced] is a hard one for the
//     reason [anymail.RejectInvalid] where the receiving server blames the
//     recipient's address: with one of the enhanced status codes 5.1.1, 5.1.2,
//     5.1.3, 5.1.6 and 5.1.10 or, where there is none, the words "user unknown".
//     Other codes of the subject 5.1 blame the sender's.
//   - A bounced event has a category, if only [anymail.BounceUndetermined]. That
//     of a deferral is [anymail.BounceSoft], unless [anymail.BounceBlock].
//   - Only bounced and deferred events have a bounce. A mapping table, or
//     Answer, may set one without looking at the type.
//   - A deferral has no reject reason, since nothing is rejected yet, nor has
//     what is no refusal at all.
//
// Source of the codes: https://www.iana.org/assignments/smtp-enhanced-status-codes
func Settle(ev *anymail.TrackingEvent) {
	switch ev.Type {
	case anymail.EventBounced:
		if ev.RejectReason == anymail.RejectBounced && blamesAddress(ev) {
			ev.RejectReason, ev.Bounce.Category = anymail.RejectInvalid, anymail.BounceHard
		}
		if ev.Bounce.Category == "" {
			ev.Bounce.Category = anymail.BounceUndetermined
		}
	case anymail.EventDeferred:
		ev.RejectReason = ""
		if ev.Bounce.Category != anymail.BounceBlock {
			ev.Bounce.Category = anymail.BounceSoft
		}
	case anymail.EventRejected, anymail.EventFailed, anymail.EventComplained, anymail.EventUnsubscribed:
		ev.Bounce = anymail.Bounce{}
	case anymail.EventUnknown, "":
		// Nobody knows what belongs to it.
	default:
		ev.RejectReason, ev.Bounce = "", anymail.Bounce{}
	}
}

func blamesAddress(ev *anymail.TrackingEvent) bool {
	switch ev.Bounce.EnhancedCode {
	case "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10":
		return true
	case "":
		return strings.Contains(strings.ToLower(ev.MTAResponse+" "+ev.Description), "user unknown")
	}
	return false
}

// Malformed is the event of an element that cannot be decoded, with its text
// and the error, so that nothing is lost.
func Malformed(raw []byte, err error) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:      anymail.Common{Type: anymail.EventUnknown, Raw: raw},
		Description: "malformed event: " + err.Error(),
	}
}
