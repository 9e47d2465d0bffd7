package inspect

import (
	"context"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/report"
	"github.com/goanymail/anymail/mailtoken"
)

// ReportReader returns a reader of reports that come as mail, for tools: it shows what
// nothing verifies too. Keys are those of tokens; there may be none.
func ReportReader(keys []string, now func() time.Time) (*report.Reader, error) {
	options := report.Options{Unverified: true}
	if len(keys) > 0 {
		tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys(keys...), Now: now})
		if err != nil {
			return nil, err
		}
		options.Tokens = tokens
	}
	return report.NewReader(options)
}

// checkReport tells what verifies a report. Nothing depends on it: the message is as
// authentic as its request.
func checkReport(_ context.Context, t *tries) *Check {
	for _, ev := range t.parsed.Events {
		ev, ok := ev.(*anymail.TrackingEvent)
		switch {
		case !ok || ev.Verified == "":
		case ev.Verified != anymail.VerifiedNone:
			return &Check{Result: OK, Reason: "verified by " + verifiedBy[ev.Verified]}
		case len(t.TokenKeys) == 0:
			return &Check{Result: Skipped, Reason: "nothing verifies it: no key of tokens was given (--token-key)", Hints: []string{reportHint}}
		default:
			return &Check{Result: Skipped, Reason: "nothing verifies it: it has no valid token", Hints: []string{reportHint}}
		}
	}
	return nil
}

const reportHint = "Anyone can send such mail. A server makes no tracking event of it, unless it accepts unverified ones."

var verifiedBy = map[anymail.Verification]string{
	anymail.VerifiedToken:     "a token of the message that was sent",
	anymail.VerifiedMessageID: "the token in the Message-ID of the message that was sent",
	anymail.VerifiedDKIM:      "the reporter's signature",
}
