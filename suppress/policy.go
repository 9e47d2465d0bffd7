package suppress

import (
	"github.com/goanymail/anymail"
)

// Reason is why an address must not be mailed. A [Policy] may have reasons of its
// own, such as "unsubscribed from news": at most 64 bytes of text.
type Reason string

// The reasons of [DefaultPolicy], and one for [List.Add].
const (
	// Bounced: mail bounced for good, or the address is invalid.
	Bounced Reason = "bounced"
	// Complained: the recipient reported mail as spam.
	Complained Reason = "complained"
	// Unsubscribed: the recipient asked for no more mail.
	Unsubscribed Reason = "unsubscribed"
	// SoftBounced: mail soft-bounced as often as [WithSoftBounces] says.
	SoftBounced Reason = "soft_bounced"
	// Manual: a person listed the address.
	Manual Reason = "manual"
)

// Policy returns what an event means for its recipient: whether the address is
// listed for a reason, or no longer. The reason is empty if the event has no effect.
type Policy func(ev *anymail.TrackingEvent) (reason Reason, listed bool)

// DefaultPolicy lists the recipients of events that should suppress
// ([anymail.TrackingEvent.ShouldSuppress]), and of soft bounces, except for messages
// that were too large. A subscription removes an unsubscription only. A bounce stays, since
// the wish for mail makes no mailbox. A complaint stays, since some ESPs also report a
// subscription if the sender adds an address to a list.
func DefaultPolicy(ev *anymail.TrackingEvent) (reason Reason, listed bool) {
	switch {
	case ev.Verified == anymail.VerifiedNone: // anyone may have sent it
	case ev.Type == anymail.EventSubscribed:
		return Unsubscribed, false
	case ev.ShouldSuppress():
		switch {
		case ev.Type == anymail.EventComplained, ev.RejectReason == anymail.RejectSpam:
			return Complained, true
		case ev.Type == anymail.EventUnsubscribed, ev.RejectReason == anymail.RejectUnsubscribed:
			return Unsubscribed, true
		}
		return Bounced, true
	case ev.Type == anymail.EventBounced && ev.Bounce.Category == anymail.BounceSoft && ev.RejectReason != anymail.RejectOther:
		return SoftBounced, true
	}
	return "", false
}
