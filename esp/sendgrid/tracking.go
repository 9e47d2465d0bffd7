package sendgrid

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is an element of the array that the event webhook posts. Custom arguments
// are members of it too.
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
type event struct {
	Event          string       `json:"event"`
	Email          string       `json:"email"`
	Timestamp      timestamp    `json:"timestamp"`
	EventID        wire.Text    `json:"sg_event_id"`
	MessageID      wire.Text    `json:"sg_message_id"`
	SMTPID         wire.Text    `json:"smtp-id"`
	Category       wire.Strings `json:"category"` // one string, or several
	Type           wire.Text    `json:"type"`
	Classification wire.Text    `json:"bounce_classification"`
	Reason         wire.Text    `json:"reason"`
	Response       wire.Text    `json:"response"`
	Status         wire.Text    `json:"status"` // an enhanced code; the documentation has an HTTP status
	Attempt        wire.Text    `json:"attempt"`
	GroupID        wire.Text    `json:"asm_group_id"`
	URL            wire.Text    `json:"url"`
	UserAgent      wire.Text    `json:"useragent"`
	IP             wire.Text    `json:"ip"`
	MachineOpen    wire.Text    `json:"sg_machine_open"`

	arguments anymail.Metadata // custom arguments
}

// timestamp is in seconds since 1970, and in milliseconds in some events.
type timestamp struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *timestamp) UnmarshalJSON(b []byte) error {
	var seconds wire.Unix
	err := seconds.UnmarshalJSON(b)
	if t.Time = seconds.Time; err == nil && t.IsZero() {
		var milli wire.UnixMilli
		err = milli.UnmarshalJSON(b)
		t.Time = milli.Time
	}
	return err
}

// Other implements [wire.Others].
func (w *event) Other(name, value string) {
	if first, own := otherMembers[name]; own && (first == "" || strings.IndexByte(first, value[0]) >= 0) {
		return
	}
	w.keep(name, value)
}

// keep keeps a custom argument.
func (w *event) keep(name, value string) {
	if w.arguments == nil {
		w.arguments = anymail.Metadata{}
	}
	w.arguments[name] = wire.Any(value)
}

// eventType is what an event and some of its fields mean.
type eventType struct {
	wire.Outcome
	// reader: user agent and address are the reader's. In the other events the
	// address is SendGrid's own.
	reader bool
	// recurs: the same may happen twice within a second.
	recurs bool
}

// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#events
var eventTypes = map[string]eventType{
	"processed":         {Outcome: wire.Outcome{Type: anymail.EventQueued}},
	"deferred":          {Outcome: wire.Outcome{Type: anymail.EventDeferred, Category: anymail.BounceSoft}},
	"delivered":         {Outcome: wire.Outcome{Type: anymail.EventDelivered}},
	"bounce":            {Outcome: wire.Outcome{Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard}},
	"dropped":           {Outcome: wire.Outcome{Type: anymail.EventRejected, Reason: anymail.RejectOther}},
	"open":              {Outcome: wire.Outcome{Type: anymail.EventOpened}, reader: true, recurs: true},
	"click":             {Outcome: wire.Outcome{Type: anymail.EventClicked}, reader: true, recurs: true},
	"spamreport":        {Outcome: wire.Outcome{Type: anymail.EventComplained, Reason: anymail.RejectSpam}, reader: true},
	"unsubscribe":       {Outcome: wire.Outcome{Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}, reader: true},
	"group_unsubscribe": {Outcome: wire.Outcome{Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}, reader: true},
	"group_resubscribe": {Outcome: wire.Outcome{Type: anymail.EventSubscribed}, reader: true},
}

// bounceTypes are the types of a bounce. SendGrid calls a block temporary, but does
// not retry.
var bounceTypes = map[wire.Text]wire.Outcome{
	"bounce":  {Reason: anymail.RejectBounced},
	"blocked": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"expired": {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
}

// classifications refine a bounce. "Unclassified" adds nothing.
// https://www.twilio.com/docs/sendgrid/api-reference/bounces-api/retrieve-bounces-by-specific-classification
var classifications = map[string]wire.Outcome{
	"invalid address":              {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},
	"mailbox unavailable":          {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"technical":                    {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"technical failure":            {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"frequency or volume too high": {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"reputation":                   {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"content":                      {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
}

// dropReasons are the reasons of a dropped event; the others are about the
// request and not about the address.
var dropReasons = map[string]anymail.RejectReason{
	"bounced address":        anymail.RejectBounced,
	"unsubscribed address":   anymail.RejectUnsubscribed,
	"spam reporting address": anymail.RejectSpam,
	"spam content":           anymail.RejectBlocked,
	"invalid":                anymail.RejectInvalid,
}

// otherMembers are SendGrid's members in addition to the fields of event, with the
// bytes that their values may begin with, or "" for any. All the others are custom
// arguments of the sender, and so is a member of one of these names with a value of
// another kind. SendGrid has members with the names that senders use as well
// (campaign_id, domain, from, ip_pool, phase_id, post_type, template, template_id and
// so on): they count as custom arguments.
var otherMembers = map[string]string{
	"cert_err": digits, "send_at": digits, "tls": digits,
	"newsletter": "{", "pool": "{", "url_offset": "{",

	"marketing_campaign_id": "", "marketing_campaign_name": "", "marketing_campaign_split_id": "", "marketing_campaign_version": "",
	"mc_auto_id": "", "mc_auto_name": "", "mc_pod_id": "", "mc_stats": "",
	"nlvx_campaign_id": "", "nlvx_campaign_split_id": "", "nlvx_user_id": "",
	"sg_content_type": "", "sg_template_id": "", "sg_template_name": "", "sg_user_id": "",
	"singlesend_id": "", "singlesend_name": "",
}

const digits = "0123456789"

func (a *Adapter) parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	return wire.AtLeastOne(wire.Batch(p, a.fill))
}

func (a *Adapter) fill(w *event, ev *anymail.TrackingEvent) {
	w.Event = strings.ToLower(w.Event) // a sample of the documentation has "Processed"
	typ, known := eventTypes[w.Event]
	typ.Apply(ev)
	switch w.Event {
	case "delivered":
		ev.MTAResponse = w.Response.String()
	case "deferred": // "reason" in the documentation, "response" on the wire
		answer(w, ev, cmp.Or(w.Response, w.Reason))
	case "bounce":
		answer(w, ev, w.Reason)
		bounce(w, ev)
	case "dropped":
		dropped(w, ev)
	case "click":
		ev.ClickURL = w.URL.String()
	case "account_status_change":
		ev.Description = w.Type.String()
	}
	if typ.reader {
		ev.UserAgent, ev.IP = w.UserAgent.String(), wire.Addr(w.IP.String())
	}
	switch w.MachineOpen {
	case "true":
		ev.Automated = anymail.Yes
	case "false":
		ev.Automated = anymail.No
	}

	ev.ID = w.EventID.String()
	ev.Timestamp = w.Timestamp.Time
	ev.Recipient = w.Email
	ev.Tags = w.Category
	if known {
		w.keepForeign(typ.reader, ev.Raw)
	}
	ev.Metadata = w.arguments
	ev.MessageID = w.messageID()
	if id := a.config.MessageIDFrom; id != "" {
		switch own := ev.Metadata[id].(type) {
		case string:
			ev.MessageID = cmp.Or(own, ev.MessageID)
		case json.Number:
			ev.MessageID = own.String()
		}
	}
	if known && !typ.recurs && (w.MessageID != "" || w.SMTPID != "") {
		// sg_event_id is documented as the id to find duplicates by, but events
		// were redelivered that differed in it alone:
		// https://github.com/sendgrid/sendgrid-nodejs/issues/1435.
		// So an event that can happen to a message only once has a key made of
		// its content.
		var seconds [20]byte
		ev.Key = anymail.EventKey(ESP, w.Event, w.Email, string(strconv.AppendInt(seconds[:0], w.Timestamp.Unix(), 10)),
			w.MessageID.String(), w.SMTPID.String(), w.Type.String(), w.Attempt.String(), w.GroupID.String(),
			w.Reason.String(), w.Response.String())
	}
}

// keepForeign keeps the fields that SendGrid does not have in this event: they are
// custom arguments.
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
func (w *event) keepForeign(reader bool, raw []byte) {
	failure := w.Event == "bounce" || w.Event == "dropped" || w.Event == "deferred"
	for _, field := range []struct {
		name  string
		value wire.Text
		own   bool
	}{
		{"type", w.Type, failure},
		{"reason", w.Reason, failure},
		{"status", w.Status, failure},
		{"attempt", w.Attempt, failure},
		{"response", w.Response, failure || w.Event == "delivered"},
		{"bounce_classification", w.Classification, failure},
		{"url", w.URL, reader},
		{"useragent", w.UserAgent, reader},
	} {
		if field.value != "" && !field.own {
			w.keep(field.name, string(wire.Member(raw, field.name)))
		}
	}
}

// answer fills in what the receiving server answered.
func answer(w *event, ev *anymail.TrackingEvent, text wire.Text) {
	if text != "" {
		wire.Answer(ev, text.String())
	}
	if enhanced := wire.EnhancedCode(w.Status.String()); enhanced != "" {
		ev.Bounce.EnhancedCode = enhanced
	}
}

func bounce(w *event, ev *anymail.TrackingEvent) {
	ev.Description = w.Classification.String()
	bounceTypes[w.Type].Apply(ev)
	class := classifications[strings.ToLower(ev.Description)]
	switch {
	case w.Type == "expired":
	case w.Type == "blocked" && class.Category != anymail.BounceBlock:
	default:
		class.Apply(ev)
	}
}

func dropped(w *event, ev *anymail.TrackingEvent) {
	ev.Description = w.Reason.String()
	words, _, _ := strings.Cut(strings.ToLower(ev.Description), " (") // (if Spam Checker app enabled)
	if reason, known := dropReasons[words]; known {
		ev.RejectReason = reason
	} else if words == "" && bounceTypes[w.Type].Reason != "" {
		ev.RejectReason = bounceTypes[w.Type].Reason
	}
}

// messageID returns what the send API returned in X-Message-Id: sg_message_id up to
// the first dot, which the servers follow that the message went through. If
// sg_message_id has only servers, or is missing, as in a bounce that arrives later as
// a message, there is smtp-id, the Message-ID header, which begins with the same id
// unless the sender set another one.
func (w *event) messageID() string {
	if head, _, _ := strings.Cut(w.MessageID.String(), "."); head != "" && !isServer(head) {
		return head
	}
	id := wire.TrimID(w.SMTPID.String())
	if head, host, _ := strings.Cut(id, "@"); strings.Contains(host, "ismtpd") {
		head, _, _ = strings.Cut(head, ".")
		return head
	}
	return id
}

// isServer reports whether name is that of a server, such as "filter0042p1las1",
// "filterdrecv-p3las1-5b6f7bd8c-x2x8n" or "recvd-7d8c9b-xl2vq-1-63A1".
func isServer(name string) bool {
	rest, filter := strings.CutPrefix(name, "filter")
	return filter && (strings.HasPrefix(rest, "drecv-") || rest != "" && strings.Contains(digits, rest[:1])) ||
		strings.HasPrefix(name, "recvd-")
}
