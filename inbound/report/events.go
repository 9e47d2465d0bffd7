package report

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// Events returns what a report, read from in.Message, means for the messages that were
// sent: an event for each recipient of a delivery report or a complaint, and one for an
// automatic reply or a request to unsubscribe. Other reports give none, and neither
// does a bounce that names no recipient.
//
//   - ESP and Account are those of in.
//   - MessageID is the id of the message that was sent: [Original.ID].
//   - Timestamp is the time of the last attempt, if the report has it, else the date
//     of the report.
//   - Type, reason, codes and category are made as those of the ESPs' own events: see
//     [anymail.Normalize].
//   - Raw is what the report says about that recipient, in the standard form.
//   - Key is the same for every redelivery of in, and for a report that arrives twice.
//     It is not the key of an ESP's event.
func (r *Report) Events(in *anymail.InboundEvent) []*anymail.TrackingEvent {
	var events []*anymail.TrackingEvent
	seen := map[string]bool{}
	add := func(ev *anymail.TrackingEvent) {
		ev.MessageID, ev.Account = r.Original.ID(), in.Account
		if ev.Timestamp.IsZero() {
			ev.Timestamp = in.Message.Date
		}
		if ev.Timestamp.IsZero() {
			ev.Timestamp = in.Timestamp
		}
		ev.Key = r.key(in, ev)
		anymail.Normalize(ev, in.ESP)
		if !seen[ev.Key] { // a recipient may be named twice
			seen[ev.Key] = true
			events = append(events, ev)
		}
	}
	switch r.Kind {
	case KindDelivery:
		for i := range r.Delivery.Recipients {
			add(r.Delivery.Recipients[i].event())
		}
	case KindFeedback:
		for _, to := range r.Feedback.Recipients {
			add(r.Feedback.event(to))
		}
		if len(r.Feedback.Recipients) == 0 {
			add(r.Feedback.event(""))
		}
	case KindAutoReply:
		add(&anymail.TrackingEvent{
			Common:      anymail.Common{Type: anymail.EventAutoresponded},
			Recipient:   r.AutoReply.From,
			Description: cut(in.Message.Subject),
		})
	case KindUnsubscribe:
		add(&anymail.TrackingEvent{
			Common:       anymail.Common{Type: anymail.EventUnsubscribed},
			Recipient:    r.Unsubscribe.From,
			RejectReason: anymail.RejectUnsubscribed,
		})
	}
	return events
}

// key makes the key of an event. Its prefix keeps it apart from the ESP's own events.
// The id of the report alone does not identify it: anyone who learns one could send
// another report under the same id first.
func (r *Report) key(in *anymail.InboundEvent, ev *anymail.TrackingEvent) string {
	return anymail.EventKey(in.ESP+keySuffix, string(r.Kind), cmp.Or(in.Message.MessageID, in.Key),
		string(ev.Type), ev.Recipient, ev.MessageID, ev.Description, ev.MTAResponse, string(ev.Raw))
}

// keySuffix follows the name of the ESP. No ESP has a name with a slash.
const keySuffix = "/report"

// actions are what the actions of RFC 3464 mean. An expanded message may still bounce.
var actions = map[Action]wire.Outcome{
	ActionFailed:    {Type: anymail.EventBounced, Reason: anymail.RejectBounced},
	ActionDelayed:   {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	ActionDelivered: {Type: anymail.EventDelivered},
	ActionRelayed:   {Type: anymail.EventSent},
	ActionExpanded:  {Type: anymail.EventUnknown},
}

// categories are those of a bounce by the class of its codes.
var categories = map[int]anymail.BounceCategory{
	4: anymail.BounceSoft, // the server gave up
	5: anymail.BounceHard,
}

func (r *Recipient) event() *anymail.TrackingEvent {
	ev := &anymail.TrackingEvent{
		Common:    anymail.Common{Timestamp: r.LastAttempt, Raw: r.Raw},
		Recipient: r.Address(),
	}
	actions[r.Action].Apply(ev)
	if r.DiagnosticType == "smtp" || r.DiagnosticType == "" && isAnswer(r.Diagnostic) {
		wire.Answer(ev, r.Diagnostic)
	} else {
		ev.Description = r.Diagnostic
	}
	// The status is that of the reporting server, which knows whether it gave up.
	// x.0.0 says nothing.
	if r.Status != "" && (ev.Bounce.EnhancedCode == "" || !strings.HasSuffix(r.Status, ".0.0")) {
		ev.Bounce.EnhancedCode = r.Status
	}
	if ev.Type == anymail.EventBounced {
		ev.Bounce.Category = categories[wire.Class(ev.Bounce)]
		if strings.HasPrefix(r.Status, "4.4.") { // network and routing
			ev.RejectReason = anymail.RejectTimedOut
		}
	}
	return ev
}

func isAnswer(diagnostic string) bool {
	code, _ := wire.SMTP(diagnostic)
	return code != 0
}

func (f *Feedback) event(to string) *anymail.TrackingEvent {
	ev := &anymail.TrackingEvent{
		Common:      anymail.Common{Raw: f.Raw},
		Recipient:   to,
		Description: f.Type,
	}
	wire.Feedback(f.Type).Apply(ev)
	if f.Type == "opt-out" || f.Type == "opt-out-list" { // of drafts of RFC 5965
		wire.Outcome{Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}.Apply(ev)
	}
	return ev
}
