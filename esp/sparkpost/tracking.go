package sparkpost

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// record is any event of an event webhook. Numbers are strings.
// https://support.sparkpost.com/docs/tech-resources/webhook-event-reference
type record struct {
	Type         wire.Text `json:"type"`
	EventID      wire.Text `json:"event_id"`
	Timestamp    timestamp `json:"timestamp"`
	Transmission wire.Text `json:"transmission_id"` // what the send API returned
	Recipient    wire.Text `json:"rcpt_to"`         // in lower case
	RawRecipient wire.Text `json:"raw_rcpt_to"`     // as given at sending

	Campaign wire.Text     `json:"campaign_id"`
	Tags     wire.Strings  `json:"rcpt_tags"`
	Metadata wire.Metadata `json:"rcpt_meta"`

	BounceClass wire.Text   `json:"bounce_class"`
	ErrorCode   wire.Number `json:"error_code"`
	Reason      wire.Text   `json:"reason"`
	RawReason   wire.Text   `json:"raw_reason"`

	TargetURL wire.Text `json:"target_link_url"`
	UserAgent wire.Text `json:"user_agent"`
	Agent     wire.Object[struct {
		Proxy      wire.Text `json:"is_proxy"`
		Prefetched wire.Text `json:"is_prefetched"`
	}] `json:"user_agent_parsed"`
	IP  wire.Text `json:"ip_address"` // the visitor's; in message events the receiving server's
	Geo wire.Object[struct {
		Country wire.Text `json:"country"`
		Region  wire.Text `json:"region"`
		City    wire.Text `json:"city"`
	}] `json:"geo_ip"`
}

// timestamp is in seconds since 1970; the Events API has RFC 3339 instead.
type timestamp struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *timestamp) UnmarshalJSON(b []byte) error {
	var unix wire.Unix
	err := unix.UnmarshalJSON(b)
	if t.Time = unix.Time; err == nil && t.IsZero() {
		var rfc wire.RFC3339
		err = rfc.UnmarshalJSON(b)
		t.Time = rfc.Time
	}
	return err
}

// types are those of events about messages that were sent. There are others,
// about received messages on their way, A/B tests and ingested batches.
// https://support.sparkpost.com/docs/tech-resources/webhook-event-reference
var types = map[wire.Text]wire.Outcome{
	"injection":        {Type: anymail.EventQueued},
	"delivery":         {Type: anymail.EventDelivered},
	"delay":            {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"bounce":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"out_of_band":      {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"policy_rejection": {Type: anymail.EventRejected, Reason: anymail.RejectBlocked}, // "due to policy"
	"spam_complaint":   {Type: anymail.EventComplained, Reason: anymail.RejectSpam},

	"generation_failure":   {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"generation_rejection": {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},

	"open":             {Type: anymail.EventOpened},
	"initial_open":     {Type: anymail.EventUnknown}, // see Config.InitialOpens
	"click":            {Type: anymail.EventClicked},
	"amp_open":         {Type: anymail.EventOpened},
	"amp_initial_open": {Type: anymail.EventUnknown},
	"amp_click":        {Type: anymail.EventClicked},
	"list_unsubscribe": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"link_unsubscribe": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
}

// bounceClasses are why a message bounced or was rejected, or what else a reply is.
// https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
var bounceClasses = map[wire.Text]wire.Outcome{
	"1":   {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}, // undetermined
	"10":  {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},         // invalid recipient
	"20":  {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // soft bounce
	"21":  {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // DNS failure
	"22":  {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // mailbox full
	"23":  {Reason: anymail.RejectOther, Category: anymail.BounceSoft},           // too large
	"24":  {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},        // timeout
	"25":  {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},          // SparkPost's policies, including suppressions
	"26":  {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},          // suppressed by Smart Send; not on that page
	"30":  {Reason: anymail.RejectBounced, Category: anymail.BounceHard},         // generic, no such recipient
	"40":  {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // generic
	"50":  {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // mail block
	"51":  {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},           // spam block
	"52":  {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},           // spam content
	"53":  {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // prohibited attachment
	"54":  {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // relaying denied
	"60":  {Type: anymail.EventAutoresponded},                                    // auto-reply
	"70":  {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // transient failure
	"80":  {Type: anymail.EventSubscribed},                                       // asks to be subscribed
	"90":  {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}, // asks to be unsubscribed
	"100": {Type: anymail.EventAutoresponded},                                    // challenge and response
}

// maxTest is how large the body of a test of the URL may be.
const maxTest = 256

// answerTest answers the batch with which SparkPost tests a URL: [{"msys":{}}].
// https://support.sparkpost.com/docs/tech-resources/webhook-data-streams
func answerTest(_ context.Context, p *anymail.Payload) (*anymail.Reply, error) {
	if len(p.Body) > maxTest {
		return nil, nil
	}
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil || len(elements) == 0 {
		return nil, nil //nolint:nilerr // the parser reports it
	}
	for _, element := range elements {
		if len(appendClasses(nil, element)) > 0 {
			return nil, nil
		}
	}
	return &anymail.Reply{}, nil
}

func (a *Adapter) parse(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	var found []classed
	for _, element := range elements {
		found = appendClasses(found, element)
		if err := wire.AtMost(p.Limits, len(found)); err != nil {
			return nil, err
		}
	}
	records := make([][]byte, len(found))
	for i, c := range found {
		if !c.relay {
			records[i] = c.value
		}
	}
	events := wire.Events(records, a.fill)
	for i, c := range found {
		events[i].Base().Raw = c.raw
		if c.relay {
			events[i] = received(c, p)
		}
	}
	return wire.AtLeastOne(events, nil)
}

// classed is an event of an element of a batch: {"msys": {name: value}}.
type classed struct {
	relay      bool // it is a received message
	value, raw []byte
}

// maxClasses bounds how many events an element may hold. In practice it is one.
const maxClasses = 32

// appendClasses appends the events of an element: none if SparkPost only tries the
// URL, or else one. An element that is not an event is appended without a value.
func appendClasses(list []classed, element []byte) []classed {
	msys := wire.From(element, "msys")
	if len(msys) == 0 || msys[0] != '{' {
		return append(list, classed{raw: element})
	}
	before := len(list)
	for name, value := range wire.Members(msys) {
		if len(list) == before+maxClasses {
			return append(list[:before], classed{raw: element})
		}
		list = append(list, classed{string(name) == relayMessage, value, element})
	}
	if several := list[before:]; len(several) > 1 {
		for i := range several {
			several[i].raw = several[i].value
		}
	}
	return list
}

func (a *Adapter) fill(r *record, ev *anymail.TrackingEvent) {
	types[r.Type].Apply(ev)
	if ev.Type == anymail.EventUnknown && a.config.InitialOpens {
		ev.Type = anymail.EventOpened
	}
	ev.ID = string(r.EventID)
	ev.Timestamp = r.Timestamp.Time
	ev.MessageID = string(r.Transmission)
	ev.Recipient = string(cmp.Or(r.RawRecipient, r.Recipient))
	ev.Description = string(r.Reason)
	ev.Tags = r.Tags
	if r.Campaign != "" {
		ev.Tags = slices.Insert(ev.Tags, 0, string(r.Campaign))
	}
	ev.Metadata = r.Metadata.Event()
	ev.ClickURL = string(r.TargetURL)
	ev.UserAgent = string(r.UserAgent)
	place := r.Geo.Value
	ev.Geo = anymail.Geo{Country: string(place.Country), Region: string(place.Region), City: string(place.City)}
	ev.Automated = automated(r.Agent.Value.Proxy, r.Agent.Value.Prefetched)

	switch ev.Type {
	case anymail.EventOpened, anymail.EventClicked, anymail.EventUnsubscribed, anymail.EventUnknown:
		ev.IP = wire.Addr(string(r.IP))
	case anymail.EventBounced, anymail.EventDeferred:
		bounceClasses[r.BounceClass].Apply(ev)
		if ev.Type == anymail.EventRejected {
			break // the words are SparkPost's own
		}
		wire.Answer(ev, string(cmp.Or(r.RawReason, r.Reason)))
		if code := r.ErrorCode.Int(); code >= 200 && code < 600 {
			ev.Bounce.SMTPCode = code
		}
	case anymail.EventRejected:
		class, known := bounceClasses[r.BounceClass]
		if words := cmp.Or(r.RawReason, r.Reason); !known && words != "" {
			class.Reason = wire.Suppression(string(words))
		}
		class.Apply(ev)
	}
}

// automated is Yes if SparkPost says so in one of two ways, and No only if it denies
// both.
func automated(proxy, prefetched wire.Text) anymail.Tri {
	if either := wire.AnyOf(proxy, prefetched); either == anymail.Yes || proxy == prefetched {
		return either
	}
	return anymail.Unsaid
}
