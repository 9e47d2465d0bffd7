package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestAnswer(t *testing.T) {
	ev := &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDeferred}, Bounce: anymail.Bounce{Category: anymail.BounceSoft}}
	wire.Answer(ev, "451 4.7.1 later")
	require.Equal(t, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}, ev.Bounce)
	ev = &anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDelivered}}
	wire.Answer(ev, "250 2.0.0 ok")
	require.Equal(t, "250 2.0.0 ok", ev.MTAResponse)
}

func TestSuppression(t *testing.T) {
	for words, want := range map[string]anymail.RejectReason{
		"":                                    anymail.RejectBlocked,
		"blocked : due to blacklist user":     anymail.RejectBlocked,
		"blocked : due to unsubscribed user":  anymail.RejectUnsubscribed,
		"contactFlaggedAsSpam":                anymail.RejectSpam,
		"COMPLAINT":                           anymail.RejectSpam,
		"hardBounce":                          anymail.RejectBounced,
		"invalid address":                     anymail.RejectInvalid,
		"unsubscribed after a spam complaint": anymail.RejectSpam,
	} {
		require.Equal(t, want, wire.Suppression(words), words)
	}
}

func TestFeedback(t *testing.T) {
	complaint := wire.Outcome{Type: anymail.EventComplained, Reason: anymail.RejectSpam}
	for feedbackType, want := range map[string]wire.Outcome{
		"abuse": complaint, "Fraud": complaint, "virus": complaint, "": complaint, "not-spam": {}, "auth-failure": {}, "other": {},
	} {
		require.Equal(t, want, wire.Feedback(feedbackType), feedbackType)
	}
}
