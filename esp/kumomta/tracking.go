package kumomta

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// record is a record of KumoMTA's log.
// https://docs.kumomta.com/reference/log_record/
type record struct {
	Type           string                `json:"type"`
	ID             wire.Text             `json:"id"` // of the message that KumoMTA received, which may be a report
	Recipient      wire.Strings          `json:"recipient"`
	Queue          string                `json:"queue"` // campaign:tenant@domain
	Response       wire.Object[response] `json:"response"`
	Timestamp      wire.Unix             `json:"timestamp"`
	EventTime      wire.RFC3339          `json:"event_time"` // the same, exactly; since 2025.10.06
	Attempts       wire.Text             `json:"num_attempts"`
	Classification string                `json:"bounce_classification"`
	Meta           wire.Metadata         `json:"meta"`
	Headers        wire.Metadata         `json:"headers"`
	Reception      string                `json:"reception_protocol"`
	Node           wire.Text             `json:"nodeid"`
	Report         wire.Object[report]   `json:"feedback_report"`
}

type response struct {
	Code     wire.Number               `json:"code"`
	Enhanced wire.Object[enhancedCode] `json:"enhanced_code"`
	Content  wire.Text                 `json:"content"`
}

type enhancedCode struct {
	Class   wire.Text `json:"class"`
	Subject wire.Text `json:"subject"`
	Detail  wire.Text `json:"detail"`
}

// report is a feedback report, RFC 5965.
type report struct {
	Type      string       `json:"feedback_type"`
	OriginalX wire.Strings `json:"original_rcpto_to"` // as KumoMTA spells it
	Original  wire.Strings `json:"original_rcpt_to"`
	// Trace is what KumoMTA wrote into a header of the message when it sent it.
	Trace      wire.Metadata           `json:"supplemental_trace"`
	Extensions wire.Object[extensions] `json:"extensions"`
}

type extensions struct {
	Removal wire.Strings `json:"removal-recipient"`
}

var outcomes = map[string]wire.Outcome{
	"Reception":        {Type: anymail.EventQueued},
	"Delivery":         {Type: anymail.EventDelivered},
	"TransientFailure": {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"Bounce":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"OOB":              {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}, // reported by mail
	"Expiration":       {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"AdminBounce":      {Type: anymail.EventFailed, Reason: anymail.RejectOther},
}

// classifications are those that KumoMTA defines. An operator may add others.
// https://github.com/KumoCorp/kumomta/blob/main/crates/bounce-classify/src/lib.rs
var classifications = map[string]wire.Outcome{
	"InvalidRecipient":     {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"BadDomain":            {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"InactiveMailbox":      {Category: anymail.BounceHard},
	"QuotaIssues":          {Category: anymail.BounceSoft},
	"DNSFailure":           {Category: anymail.BounceSoft},
	"RoutingErrors":        {Category: anymail.BounceSoft},
	"BadConfiguration":     {Category: anymail.BounceSoft}, // of the receiving server
	"ProtocolErrors":       {Category: anymail.BounceSoft},
	"TransientFailure":     {Category: anymail.BounceSoft},
	"TooManyRecipients":    {Category: anymail.BounceSoft}, // in one session
	"NoAnswerFromHost":     {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"BadConnection":        {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"MessageExpired":       {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"SpamBlock":            {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock}, // a known source of spam
	"SpamContent":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"SpamRelated":          {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"ContentRelated":       {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"ProhibitedAttachment": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"VirusRelated":         {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"RelayDenied":          {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"RelayingIssues":       {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"PolicyRelated":        {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"AuthenticationFailed": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"InvalidSender":        {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
}

// messages are classifications of mail that came back and is no bounce.
var messages = map[string]wire.Outcome{
	"AutoReply":         {Type: anymail.EventAutoresponded},
	"ChallengeResponse": {Type: anymail.EventAutoresponded},
	"Subscribe":         {Type: anymail.EventSubscribed},
	"Unsubscribe":       {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
}

func parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.SplitLines(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	return wire.AtLeastOne(wire.EventsPerRecipient(elements, p.Limits, fill))
}

func fill(w *record, ev *anymail.TrackingEvent) (recipients []string) {
	ev.Timestamp = cmp.Or(w.EventTime.Time, w.Timestamp.Time)
	if w.ID != "" && !ev.Timestamp.IsZero() {
		ev.Key = anymail.EventKey(ESP, string(w.Node), string(w.ID), w.Type, ev.Timestamp.Format(time.RFC3339Nano), string(w.Attempts))
	}
	if w.Type == "Feedback" {
		return w.fillFeedback(ev)
	}
	if w.Type != "OOB" { // whose id, queue and headers are those of the report
		ev.MessageID = string(w.ID)
		ev.Tags = w.campaign()
		ev.Metadata = w.metadata()
	}
	if w.Reception != "LogRecord" { // a record about a hook, not about mail
		w.fillOutcome(ev)
	}
	return w.Recipient
}

func (w *record) fillOutcome(ev *anymail.TrackingEvent) {
	outcomes[w.Type].Apply(ev)
	r := &w.Response.Value
	switch w.Type {
	case "Delivery", "TransientFailure", "Bounce", "OOB":
		wire.Reply(ev, r.Code.Int(), r.enhanced(), string(r.Content))
	default:
		ev.Description = string(r.Content) // KumoMTA's own
	}
	switch w.Type {
	case "OOB":
		messages[w.Classification].Apply(ev)
		fallthrough
	case "TransientFailure", "Bounce":
		classifications[w.Classification].Apply(ev)
		if w.Classification != "Uncategorized" {
			ev.Description = w.Classification
		}
		// The reply code of an OOB record may be KumoMTA's guess. The enhanced code is not.
		if ev.Type == anymail.EventBounced && ev.Bounce.Category == anymail.BounceHard && wire.Class(ev.Bounce) == 4 {
			wire.Outcome{Reason: anymail.RejectBounced, Category: anymail.BounceSoft}.Apply(ev)
		}
	}
}

func (r *response) enhanced() string {
	e := &r.Enhanced.Value
	return fmt.Sprintf("%s.%s.%s", e.Class, e.Subject, e.Detail)
}

// fillFeedback makes the event of a feedback report. Everything else in the record is
// about the message with the report.
func (w *record) fillFeedback(ev *anymail.TrackingEvent) (recipients []string) {
	r := &w.Report.Value
	wire.Feedback(r.Type).Apply(ev)
	ev.Description = r.Type
	ev.Metadata = r.Trace.Event()
	traced, _ := r.Trace["recipient"].(string)
	for _, list := range [][]string{{traced}, r.OriginalX, r.Original, r.Extensions.Value.Removal} {
		if len(list) > 0 && list[0] != "" {
			return []string{wire.TrimID(list[0])} // "<ada@example.com>"
		}
	}
	return nil
}

// campaign returns the campaign in the name of a queue as the only tag.
func (w *record) campaign() []string {
	name, _, _ := strings.Cut(w.Queue, "@")
	if campaign, _, ok := strings.Cut(name, ":"); ok && campaign != "" {
		return []string{campaign}
	}
	return nil
}

// metadata returns the values of the message and its headers that the operator chose
// to log.
func (w *record) metadata() anymail.Metadata {
	if w.Headers == nil {
		return w.Meta.Event()
	}
	for name, value := range w.Meta {
		w.Headers[name] = value
	}
	return w.Headers.Event()
}
