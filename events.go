package anymail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"
)

// EventType tells what happened to a message. The set is closed: an event that an
// adapter does not know is [EventUnknown], with everything else filled in.
type EventType string

// The event types, in the order in which a message usually meets them.
const (
	// EventQueued: the ESP accepted the message and will try to send it.
	EventQueued EventType = "queued"
	// EventSent: the ESP sent the message on to the receiving server.
	EventSent EventType = "sent"
	// EventRejected: the ESP refused to send (suppression, policy, bad address).
	EventRejected EventType = "rejected"
	// EventFailed: the ESP could not send (for example a template error).
	EventFailed EventType = "failed"
	// EventBounced: the receiving server refused the message permanently.
	EventBounced EventType = "bounced"
	// EventDeferred: delivery is delayed; the ESP keeps trying.
	EventDeferred EventType = "deferred"
	// EventDelivered: the receiving server accepted the message.
	EventDelivered EventType = "delivered"
	// EventAutoresponded: an automatic reply, such as a vacation notice, arrived.
	EventAutoresponded EventType = "autoresponded"
	// EventOpened: the message was displayed, or a program fetched its pixel.
	EventOpened EventType = "opened"
	// EventClicked: a tracked link was followed.
	EventClicked EventType = "clicked"
	// EventComplained: the recipient reported the message as spam.
	EventComplained EventType = "complained"
	// EventUnsubscribed: the recipient asked for no more mail.
	EventUnsubscribed EventType = "unsubscribed"
	// EventSubscribed: the recipient asked for mail (again).
	EventSubscribed EventType = "subscribed"
	// EventInbound: a message was received.
	EventInbound EventType = "inbound"
	// EventInboundFailed: the ESP received a message but could not process it.
	EventInboundFailed EventType = "inbound_failed"
	// EventUnknown: an event that has no other type.
	EventUnknown EventType = "unknown"
)

// EventTypes returns every event type, in the order of their constants.
func EventTypes() []EventType {
	return []EventType{
		EventQueued, EventSent, EventRejected, EventFailed, EventBounced, EventDeferred,
		EventDelivered, EventAutoresponded, EventOpened, EventClicked, EventComplained,
		EventUnsubscribed, EventSubscribed, EventInbound, EventInboundFailed, EventUnknown,
	}
}

// RejectReason tells why a message was rejected, bounced or complained about.
type RejectReason string

// The reject reasons. The zero value means no reason.
const (
	// RejectInvalid: the address is not valid or does not exist.
	RejectInvalid RejectReason = "invalid"
	// RejectBounced: the address bounced: now or, with EventRejected, before, and
	// then for good.
	RejectBounced RejectReason = "bounced"
	// RejectTimedOut: the ESP gave up after repeated attempts.
	RejectTimedOut RejectReason = "timed_out"
	// RejectBlocked: the receiving server or the ESP blocks sender or content.
	RejectBlocked RejectReason = "blocked"
	// RejectSpam: the receiving server or the recipient considered this message
	// spam. With EventRejected: the recipient complained before.
	RejectSpam RejectReason = "spam"
	// RejectUnsubscribed: the recipient had unsubscribed.
	RejectUnsubscribed RejectReason = "unsubscribed"
	// RejectOther: any other reason.
	RejectOther RejectReason = "other"
)

// RejectReasons returns every reject reason, in the order of their constants.
func RejectReasons() []RejectReason {
	return []RejectReason{
		RejectInvalid, RejectBounced, RejectTimedOut, RejectBlocked,
		RejectSpam, RejectUnsubscribed, RejectOther,
	}
}

// BounceCategory tells how lasting a bounce is.
type BounceCategory string

// The bounce categories. The zero value means that the ESP gave none.
const (
	BounceHard         BounceCategory = "hard"         // permanent: do not send there again
	BounceSoft         BounceCategory = "soft"         // temporary: a later message may arrive
	BounceBlock        BounceCategory = "block"        // refused by policy or reputation, not because of the address
	BounceUndetermined BounceCategory = "undetermined" // the ESP does not know
)

// Tri is a truth value that an ESP may leave out. Its zero value is Unsaid, which
// the JSON form omits.
type Tri int8

// The values of Tri.
const (
	Unsaid Tri = 0
	Yes    Tri = 1
	No     Tri = -1
)

// TriOf returns Yes or No.
func TriOf(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// String returns "yes", "no" or "unsaid".
func (t Tri) String() string {
	switch {
	case t > 0:
		return "yes"
	case t < 0:
		return "no"
	}
	return "unsaid"
}

// MarshalJSON writes true, false or null.
func (t Tri) MarshalJSON() ([]byte, error) {
	switch {
	case t > 0:
		return []byte("true"), nil
	case t < 0:
		return []byte("false"), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Tri) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*t = Yes
	case "false":
		*t = No
	case "null":
		*t = Unsaid
	default:
		return fmt.Errorf("anymail: %.20q is not true, false or null", b)
	}
	return nil
}

// Raw is the ESP's own text of an event, byte for byte. Its JSON form is a
// string, or {"base64": "..."} if the bytes are not valid UTF-8, so that nothing
// is lost. It is read-only: the events of one request share the request's body,
// which stays in memory for as long as one of them does.
type Raw []byte

// MarshalJSON implements [json.Marshaler].
func (r Raw) MarshalJSON() ([]byte, error) { return json.Marshal(r.form()) }

// form is what r is in JSON. Events use it themselves, because the JSON that a
// MarshalJSON returns is scanned again.
func (r Raw) form() any {
	switch {
	case len(r) == 0:
		return nil
	case utf8.Valid(r):
		return string(r)
	}
	return map[string][]byte{"base64": r}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Raw) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*r = Raw(s)
		return err
	}
	var wrapped struct {
		Base64 []byte `json:"base64"`
	}
	err := json.Unmarshal(b, &wrapped)
	*r = wrapped.Base64
	return err
}

// Event is a [*TrackingEvent] or an [*InboundEvent].
//
// The strings of an event may be parts of one text of up to 4 KiB, and up to 16 events
// of a request share memory. A key is a part of a text of 512 bytes. Copy a string
// (strings.Clone) to keep it for long without the rest.
type Event interface {
	// Base returns the fields that every event has.
	Base() *Common
	// Kind tells the two apart without a type switch.
	Kind() Kind

	sealed()
}

// Kind tells tracking events from inbound ones.
type Kind string

// The kinds of events.
const (
	KindTracking Kind = "tracking"
	KindInbound  Kind = "inbound"
)

// Common holds the fields that every event has.
type Common struct {
	// ESP is the adapter's canonical name, for example "mailgun".
	ESP string `json:"esp"`
	// Type is the normalized event type.
	Type EventType `json:"event_type"`
	// ID is the ESP's own id of this event, empty if it gives none.
	ID string `json:"event_id,omitempty"`
	// Timestamp is when the event happened, by the ESP's clock, in UTC.
	// It is zero if the ESP gives none; it is never the time of receipt.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Key is the idempotency key: never empty, the same for every redelivery
	// of this event, different for any two different events.
	Key string `json:"key"`
	// Account is the name under which the event came in: that of
	// [Dispatcher.Register], or the one that [WithTenants] resolved. It is empty
	// if no Dispatcher received the event.
	Account string `json:"account,omitempty"`
	// Raw is the ESP's own event, unchanged.
	Raw Raw `json:"raw,omitempty"`
}

// Base returns c.
func (c *Common) Base() *Common { return c }

// TrackingEvent tells what became of a message that was sent, or of a recipient.
type TrackingEvent struct {
	Common

	// MessageID is the id that the ESP's send API returned for the message.
	MessageID string `json:"message_id,omitempty"`
	// Recipient is the address that this event is about.
	Recipient string `json:"recipient,omitempty"`
	// RejectReason is set on rejected, failed, bounced, complained and
	// unsubscribed events. A deferral has none: nothing is rejected yet.
	RejectReason RejectReason `json:"reject_reason,omitempty"`
	// Description is the ESP's own text for people.
	Description string `json:"description,omitempty"`
	// MTAResponse is the answer of the receiving server.
	MTAResponse string `json:"mta_response,omitempty"`
	// Tags are the tags, categories or campaign names given at sending.
	Tags []string `json:"tags,omitempty"`
	// Metadata holds the key-value pairs given at sending. Values keep the
	// types that they have on the wire; numbers are json.Number.
	Metadata Metadata `json:"metadata,omitempty"`
	// ClickURL is the link that was followed.
	ClickURL string `json:"click_url,omitempty"`
	// UserAgent is the mail program or browser that opened or clicked.
	UserAgent string `json:"user_agent,omitempty"`
	// IP is the address from which the message was opened or the link clicked.
	// It is the zero Addr if the ESP gave none or an invalid one.
	IP netip.Addr `json:"ip,omitzero"`
	// Geo is where the ESP locates IP.
	Geo Geo `json:"geo,omitzero"`
	// Bounce details a bounce or deferral; other events have none.
	Bounce Bounce `json:"bounce,omitzero"`
	// Automated is Yes if the ESP reports that a bot, proxy or prefetch opened
	// or clicked, No if it reports that none did.
	Automated Tri `json:"automated,omitzero"`
	// Verified tells how an event that came as mail was matched to a message that was
	// sent: see [WithReports]. It is empty for the ESP's own events.
	Verified Verification `json:"verified,omitempty"`
}

// Kind returns [KindTracking].
func (*TrackingEvent) Kind() Kind { return KindTracking }

func (*TrackingEvent) sealed() {}

// ShouldSuppress reports whether the recipient must not be mailed again: after a
// bounce for good or of an invalid address, a complaint, an unsubscription, and a
// rejection because of an earlier one of these. It does not after a soft bounce, a
// refusal of sender or content, a deferral, or a rejection for a reason that the
// ESP does not give ([RejectBlocked]). A report that nothing verifies ([VerifiedNone])
// suppresses no one: anyone may have sent it. Package suppress keeps the list.
func (e *TrackingEvent) ShouldSuppress() bool {
	if e.Verified == VerifiedNone {
		return false
	}
	switch e.Type {
	case EventComplained, EventUnsubscribed:
		return true
	case EventRejected:
		switch e.RejectReason {
		case RejectInvalid, RejectBounced, RejectSpam, RejectUnsubscribed:
			return true
		}
	case EventBounced:
		switch e.Bounce.Category {
		case BounceHard: // but not if it was because of this message
			return e.RejectReason != RejectBlocked && e.RejectReason != RejectSpam
		case BounceUndetermined, "":
			return e.RejectReason == RejectInvalid
		}
	}
	return false
}

// Geo is an approximate place, in the ESP's own words.
type Geo struct {
	Country string `json:"country,omitempty"`
	Region  string `json:"region,omitempty"`
	City    string `json:"city,omitempty"`
}

// Bounce details why a message did not arrive.
type Bounce struct {
	Category BounceCategory `json:"category,omitempty"`
	// SMTPCode is the three-digit reply code, 0 if unknown.
	SMTPCode int `json:"smtp_code,omitempty"`
	// EnhancedCode is the status code of RFC 3463, for example "5.1.1".
	EnhancedCode string `json:"enhanced_code,omitempty"`
}

// Metadata holds key-value pairs whose values keep their types from the wire:
// string, bool, json.Number, nil, []any or map[string]any.
type Metadata map[string]any

// UnmarshalJSON keeps numbers exactly as they were written, as json.Number.
func (m *Metadata) UnmarshalJSON(b []byte) error {
	var plain map[string]any
	if err := unmarshalNumbers(b, &plain); err != nil {
		return err
	}
	*m = plain
	return nil
}

// InboundEvent is a message that the ESP received for the user.
type InboundEvent struct {
	Common

	Message InboundMessage `json:"message"`
}

// Kind returns [KindInbound].
func (*InboundEvent) Kind() Kind { return KindInbound }

func (*InboundEvent) sealed() {}

// The JSON form has "kind" among the other fields, so that a reader can tell the
// two shapes apart before it reads the rest.
type (
	plainTracking TrackingEvent
	plainInbound  InboundEvent
)

// MarshalJSON writes the documented JSON form (schema/event.schema.json).
func (e *TrackingEvent) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind Kind `json:"kind"`
		*plainTracking
		Raw any `json:"raw,omitempty"`
	}{KindTracking, (*plainTracking)(e), e.Raw.form()})
}

// MarshalJSON writes the documented JSON form (schema/event.schema.json).
func (e *InboundEvent) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind Kind `json:"kind"`
		*plainInbound
		Raw any `json:"raw,omitempty"`
	}{KindInbound, (*plainInbound)(e), e.Raw.form()})
}

// DecodeEvent reads the JSON form of either kind of event. It skips members that it
// does not know, so that it can read the form of a newer version. It returns
// [ErrMalformed] if b is not such a form.
func DecodeEvent(b []byte) (Event, error) {
	var head struct {
		Kind Kind `json:"kind"`
	}
	switch { // what MarshalJSON writes
	case bytes.HasPrefix(b, []byte(`{"kind":"tracking",`)):
		head.Kind = KindTracking
	case bytes.HasPrefix(b, []byte(`{"kind":"inbound",`)):
		head.Kind = KindInbound
	default:
		if err := json.Unmarshal(b, &head); err != nil {
			return nil, Malformed("form of an event", err)
		}
	}
	var ev Event
	switch head.Kind {
	case KindTracking:
		ev = new(TrackingEvent)
	case KindInbound:
		ev = new(InboundEvent)
	default:
		return nil, Malformed("event of an unknown kind", fmt.Errorf("%.40q", head.Kind))
	}
	if err := json.Unmarshal(b, ev); err != nil {
		return nil, Malformed("form of an event", err)
	}
	normalizeForm(ev)
	return ev, nil
}

func unmarshalNumbers(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}
