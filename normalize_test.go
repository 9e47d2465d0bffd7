package anymail_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// https://www.iana.org/assignments/smtp-enhanced-status-codes
func TestNormalizeExplainsBounces(t *testing.T) {
	bounce := func(enhanced, answer string) *anymail.TrackingEvent {
		return &anymail.TrackingEvent{
			Common:       anymail.Common{Type: anymail.EventBounced},
			RejectReason: anymail.RejectBounced,
			MTAResponse:  answer,
			Bounce:       anymail.Bounce{Category: anymail.BounceUndetermined, EnhancedCode: enhanced},
		}
	}
	type want struct {
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}
	nothing := want{anymail.RejectBounced, anymail.BounceUndetermined}
	invalid := want{anymail.RejectInvalid, anymail.BounceHard}
	for _, tt := range []struct {
		enhanced, answer string
		want             want
	}{
		{"5.1.1", "", invalid},  // no such mailbox
		{"5.1.2", "", invalid},  // no such host
		{"5.1.10", "", invalid}, // the domain takes no mail
		{"5.1.0", "", nothing},  // the address of one of the two
		{"5.1.7", "", nothing},  // the sender's address
		{"5.1.8", "", nothing},  // the sender's domain
		{"5.2.1", "", nothing},  // disabled, for some time or for good
		{"5.2.2", "", want{anymail.RejectBounced, anymail.BounceSoft}},
		{"4.2.2", "", want{anymail.RejectBounced, anymail.BounceSoft}},
		{"5.2.3", "", want{anymail.RejectOther, anymail.BounceSoft}},
		{"5.3.4", "", want{anymail.RejectOther, anymail.BounceSoft}},
		{"4.4.7", "", want{anymail.RejectTimedOut, anymail.BounceSoft}},
		{"5.7.1", "", want{anymail.RejectBlocked, anymail.BounceBlock}},
		{"5.7.26", "", want{anymail.RejectBlocked, anymail.BounceBlock}},
		{"4.7.1", "", nothing}, // greylisting is not a refusal
		{"", "", nothing},
		{"", "550 User unknown in local table", invalid},
		{"", "550 user has no more room", nothing},
		{"5.2.1", "550 5.2.1 user unknown to this list", nothing}, // the code knows better
	} {
		ev := bounce(tt.enhanced, tt.answer)
		anymail.Normalize(ev, "acme")
		require.Equal(t, tt.want, want{ev.RejectReason, ev.Bounce.Category}, tt)
	}
	ev := bounce("5.1.1", "")
	ev.RejectReason = anymail.RejectSpam
	anymail.Normalize(ev, "acme")
	require.Equal(t, anymail.RejectSpam, ev.RejectReason, "what the ESP says itself stays")
}

func TestNormalizeKeepsWhatBelongsToTheType(t *testing.T) {
	bounce := anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}
	for _, typ := range anymail.EventTypes() {
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: typ}, RejectReason: anymail.RejectOther, Bounce: bounce}
		anymail.Normalize(ev, "acme")
		var reason anymail.RejectReason
		switch typ {
		case anymail.EventRejected, anymail.EventFailed, anymail.EventBounced, anymail.EventComplained,
			anymail.EventUnsubscribed, anymail.EventUnknown:
			reason = anymail.RejectOther
		}
		require.Equal(t, reason, ev.RejectReason, typ)
		switch typ {
		case anymail.EventBounced, anymail.EventDeferred, anymail.EventUnknown:
			require.Equal(t, bounce, ev.Bounce, typ)
		default:
			require.Zero(t, ev.Bounce, typ)
		}
	}
	for _, tt := range []struct {
		typ           anymail.EventType
		before, after anymail.BounceCategory
	}{
		{anymail.EventBounced, "", anymail.BounceUndetermined},
		{anymail.EventBounced, anymail.BounceSoft, anymail.BounceSoft},
		{anymail.EventDeferred, "", anymail.BounceSoft},
		{anymail.EventDeferred, anymail.BounceHard, anymail.BounceSoft}, // nothing is for good yet
		{anymail.EventDeferred, anymail.BounceBlock, anymail.BounceBlock},
	} {
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: tt.typ}, Bounce: anymail.Bounce{Category: tt.before}}
		anymail.Normalize(ev, "acme")
		require.Equal(t, tt.after, ev.Bounce.Category, tt)
	}
}
