package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestSettleBlamesTheAddress(t *testing.T) {
	bounce := func(enhanced, answer string) *anymail.TrackingEvent {
		return &anymail.TrackingEvent{
			Common:       anymail.Common{Type: anymail.EventBounced},
			RejectReason: anymail.RejectBounced,
			MTAResponse:  answer,
			Bounce:       anymail.Bounce{Category: anymail.BounceSoft, EnhancedCode: enhanced},
		}
	}
	for _, tt := range []struct {
		enhanced, answer string
		invalid          bool
	}{
		{enhanced: "5.1.1", invalid: true},  // no such mailbox
		{enhanced: "5.1.2", invalid: true},  // no such host
		{enhanced: "5.1.10", invalid: true}, // the domain takes no mail
		{enhanced: "5.1.0"},                 // the address of one of the two
		{enhanced: "5.1.7"},                 // the sender's address
		{enhanced: "5.1.8"},                 // the sender's domain
		{enhanced: "5.2.2"},
		{},
		{answer: "550 User unknown in local table", invalid: true},
		{answer: "550 user has no more room"},
		{enhanced: "5.7.1", answer: "550 5.7.1 user unknown to this list"}, // the code knows better
	} {
		ev := bounce(tt.enhanced, tt.answer)
		wire.Settle(ev)
		reason, category := anymail.RejectBounced, anymail.BounceSoft
		if tt.invalid {
			reason, category = anymail.RejectInvalid, anymail.BounceHard
		}
		require.Equal(t, reason, ev.RejectReason, tt)
		require.Equal(t, category, ev.Bounce.Category, tt)
	}
	ev := bounce("5.1.1", "")
	ev.RejectReason = anymail.RejectSpam
	wire.Settle(ev)
	require.Equal(t, anymail.RejectSpam, ev.RejectReason, "what the ESP says itself stays")
}

func TestSettleKeepsWhatBelongsToTheType(t *testing.T) {
	bounce := anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}
	for _, typ := range anymail.EventTypes() {
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: typ}, RejectReason: anymail.RejectOther, Bounce: bounce}
		wire.Settle(ev)
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
		wire.Settle(ev)
		require.Equal(t, tt.after, ev.Bounce.Category, tt)
	}
}
