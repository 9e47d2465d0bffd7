package anymail

import "context"

// Verification tells what shows that a report that came as mail is about a message that
// was sent. Anyone can send mail that looks like a report.
type Verification string

// The verifications. The zero value is for the ESPs' own events, which prove authentic
// as requests do.
const (
	// VerifiedToken: a token of package mailtoken in the envelope sender or in
	// List-Unsubscribe, bound to the recipient or known to have gone there.
	VerifiedToken Verification = "token"
	// VerifiedMessageID: the same in the Message-ID of the message that was sent.
	VerifiedMessageID Verification = "message_id"
	// VerifiedDKIM: a reporter that is trusted, whose DKIM signature the ESP found valid.
	VerifiedDKIM Verification = "dkim"
	// VerifiedNone: nothing.
	VerifiedNone Verification = "none"
)

// Verifications returns every verification, in the order of their constants.
func Verifications() []Verification {
	return []Verification{VerifiedToken, VerifiedMessageID, VerifiedDKIM, VerifiedNone}
}

// ReportReader reads reports that come as mail: bounces, complaints, automatic replies
// and unsubscriptions. Package inbound/report has one.
type ReportReader interface {
	// ReadReport returns what a received message reports, nothing if it is not a
	// report. Keep tells whether the message is delivered too. An error makes the ESP
	// retry. It must not change in.
	ReadReport(ctx context.Context, in *InboundEvent) (events []*TrackingEvent, keep bool, err error)
}

// WithReports turns received mail that reports something about a sent message into
// tracking events, which are delivered like those of an ESP. Given to Register, it is
// for the mail of that adapter. A nil reader turns it off.
func WithReports(reader ReportReader) Option {
	return func(s *settings) { s.reports = reader }
}

// withReports returns the events of a request and those that they report, which follow
// the message that they came with.
func (ep *endpoint) withReports(ctx context.Context, events []Event) ([]Event, error) {
	var all []Event
	for _, ev := range events {
		in, ok := ev.(*InboundEvent)
		if !ok || in.Type != EventInbound {
			all = append(all, ev)
			continue
		}
		reported, keep, err := ep.settings.reports.ReadReport(ctx, in)
		if err != nil {
			return nil, Because(ErrUnavailable, "reports", err)
		}
		if keep {
			all = append(all, in)
		}
		for _, r := range reported {
			Normalize(r, in.ESP)
			r.Account = in.Account
			all = append(all, r)
		}
	}
	return all, nil
}
