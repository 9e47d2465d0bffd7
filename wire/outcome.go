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
//   - A bounce for no better reason than [anymail.RejectBounced] is explained by
//     the enhanced status code of the receiving server, as the table below has
//     it, or, where there is none, by the words "user unknown".
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
		if ev.RejectReason == anymail.RejectBounced {
			explanation(ev).Apply(ev)
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

// explanations are those of the enhanced status codes that say more than that a
// message bounced. Codes of the subject 5.1 that are not here blame the sender's
// address.
var explanations = map[string]Outcome{
	"5.1.1":  noSuchAddress,                  // mailbox
	"5.1.2":  noSuchAddress,                  // system
	"5.1.3":  noSuchAddress,                  // syntax
	"5.1.6":  noSuchAddress,                  // has moved
	"5.1.10": noSuchAddress,                  // null MX
	"4.2.2":  {Category: anymail.BounceSoft}, // mailbox full
	"5.2.2":  {Category: anymail.BounceSoft},
	"5.2.3":  tooLarge, // for the mailbox
	"5.3.4":  tooLarge, // for the system
	"4.4.7":  expired,
	"5.4.7":  expired,
}

var (
	noSuchAddress = Outcome{Reason: anymail.RejectInvalid, Category: anymail.BounceHard}
	tooLarge      = Outcome{Reason: anymail.RejectOther, Category: anymail.BounceSoft}
	expired       = Outcome{Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft}
	refused       = Outcome{Reason: anymail.RejectBlocked, Category: anymail.BounceBlock}
)

func explanation(ev *anymail.TrackingEvent) Outcome {
	switch code := ev.Bounce.EnhancedCode; {
	case code == "" && strings.Contains(strings.ToLower(ev.MTAResponse+" "+ev.Description), "user unknown"):
		return noSuchAddress
	case strings.HasPrefix(code, "5.7."): // security or policy
		return refused
	default:
		return explanations[code]
	}
}

// MalformedEvent is the event of an element that cannot be decoded, with its text
// and the error, so that nothing is lost.
func MalformedEvent(raw []byte, err error) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:      anymail.Common{Type: anymail.EventUnknown, Raw: raw},
		Description: "malformed event: " + err.Error(),
	}
}
