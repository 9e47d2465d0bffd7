package amazonses

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify/sns"
	"github.com/goanymail/anymail/wire"
)

// record is what SES says about a message, in the Message of an SNS notification:
// https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html,
// https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
// https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
type record struct {
	EventType        string `json:"eventType"`        // of event publishing
	NotificationType string `json:"notificationType"` // of an identity's older notifications, and of received mail

	Mail          mail    `json:"mail"`
	Bounce        *detail `json:"bounce"`
	Complaint     *detail `json:"complaint"`
	Delivery      *detail `json:"delivery"`
	DeliveryDelay *detail `json:"deliveryDelay"`
	Reject        *detail `json:"reject"`
	Failure       *detail `json:"failure"`
	Open          *detail `json:"open"`
	Click         *detail `json:"click"`
	Subscription  *detail `json:"subscription"`

	Receipt receipt `json:"receipt"`
	Content string  `json:"content"`

	// EventBridge puts a record into an envelope:
	// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Time       wire.RFC3339    `json:"time"`
	Detail     json.RawMessage `json:"detail"`
}

type mail struct {
	Timestamp     wire.RFC3339               `json:"timestamp"`
	Source        string                     `json:"source"`
	MessageID     string                     `json:"messageId"`
	Destination   wire.Strings               `json:"destination"`
	Headers       wire.Headers               `json:"headers"`
	CommonHeaders wire.Object[commonHeaders] `json:"commonHeaders"`
	Tags          map[string]wire.Strings    `json:"tags"`
}

// detail is the object that a record has in addition to mail. Its fields depend
// on the type of event.
type detail struct {
	Timestamp             wire.RFC3339 `json:"timestamp"`
	FeedbackID            string       `json:"feedbackId"`
	BounceType            string       `json:"bounceType"`
	BounceSubType         string       `json:"bounceSubType"`
	BouncedRecipients     []recipient  `json:"bouncedRecipients"`
	ComplaintSubType      string       `json:"complaintSubType"`
	ComplaintFeedbackType string       `json:"complaintFeedbackType"`
	ComplainedRecipients  []recipient  `json:"complainedRecipients"`
	Recipients            []recipient  `json:"recipients"`
	SMTPResponse          string       `json:"smtpResponse"`
	DelayType             string       `json:"delayType"`
	DelayedRecipients     []recipient  `json:"delayedRecipients"`
	Reason                string       `json:"reason"`
	ErrorMessage          string       `json:"errorMessage"`
	Link                  string       `json:"link"`
	IPAddress             string       `json:"ipAddress"`
	UserAgent             string       `json:"userAgent"` // for a complaint, that of the reporting program
	IsBotEvent            wire.Text    `json:"isBotEvent"`

	ContactList         string                   `json:"contactList"`
	NewTopicPreferences wire.Object[preferences] `json:"newTopicPreferences"`
	OldTopicPreferences wire.Object[preferences] `json:"oldTopicPreferences"`
}

type preferences struct {
	UnsubscribeAll bool `json:"unsubscribeAll"`
	Topics         []struct {
		Name   string `json:"topicName"`
		Status string `json:"subscriptionStatus"`
	} `json:"topicSubscriptionStatus"`
}

// recipient is an object, or only the address.
type recipient struct {
	Address        string `json:"emailAddress"`
	Status         string `json:"status"`
	DiagnosticCode string `json:"diagnosticCode"`
}

func (r *recipient) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return wire.Unmarshal(b, &r.Address)
	}
	type plain recipient
	return wire.Unmarshal(b, (*plain)(r))
}

// notification is what contained a record.
type notification struct {
	id string // SNS's, the same for every attempt
	at time.Time
}

// validated is the beginning of what SES sends to a topic that is attached to a
// configuration set.
var validated = []byte("Successfully validated SNS topic")

func (a *Adapter) parse(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	m, err := sns.Parse(p.Body)
	switch {
	case err == nil && m.Type != sns.Notification:
		return nil, nil
	case err == nil:
		return a.record(ctx, p, notification{m.MessageID, m.Time()}, []byte(m.Message))
	case !a.config.AcceptUnsigned:
		return nil, err
	}
	if bytes.HasPrefix(p.Body, validated) {
		return nil, nil
	}
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	if len(elements) == 0 {
		return wire.AtLeastOne(nil, nil)
	}
	n := notification{id: p.Header.Get("X-Amz-Sns-Message-Id")}
	if len(elements) > 1 {
		n.id = "" // one id of several records does not identify a record
	}
	var events []anymail.Event
	for _, raw := range elements {
		more, err := a.record(ctx, p, n, raw)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	return events, nil
}

// record returns the events of one record. A test has none.
func (a *Adapter) record(ctx context.Context, p *anymail.Payload, n notification, raw []byte) ([]anymail.Event, error) {
	var w record
	text := raw
	err := wire.Unmarshal(text, &w)
	if err == nil && w.enveloped() {
		n = notification{cmp.Or(w.ID, n.id), w.Time.Time}
		text = w.Detail
		w = record{DetailType: w.DetailType}
		err = wire.Unmarshal(text, &w)
	}
	malformed := ""
	if err != nil {
		malformed = err.Error()
		w = salvage(text)
	}
	switch kind := w.kind(); {
	case bytes.HasPrefix(raw, validated):
		return nil, nil
	case kind == "received":
		ev, failed := a.received(ctx, p, n, &w)
		if failed != nil {
			return nil, failed
		}
		if ev.Raw = raw; malformed != "" {
			ev.Type, ev.Key = anymail.EventInboundFailed, anymail.EventKey(ESP, ev.ID, string(raw))
		}
		return []anymail.Event{ev}, nil
	case malformed != "":
		ev := &anymail.TrackingEvent{Description: "malformed event: " + malformed}
		ev.Common = anymail.Common{Type: anymail.EventUnknown, ID: n.id, Timestamp: n.at, Raw: raw}
		return []anymail.Event{ev}, nil
	case kind == "amazonsnssubscriptionsucceeded":
		return nil, nil // sent when a topic is attached to an identity
	}
	return w.track(n, raw, p.Limits)
}

// salvage returns what can be read of a record that does not decode.
func salvage(text []byte) (w record) {
	if !wire.Salvage(text, &w) {
		return record{}
	}
	w.Mail, w.Receipt = mail{}, receipt{}
	wire.Salvage(wire.Member(text, "mail"), &w.Mail)
	wire.Salvage(wire.Member(text, "receipt"), &w.Receipt)
	return w
}

// enveloped reports whether w is EventBridge's envelope.
func (w *record) enveloped() bool { return len(w.Detail) > 0 && w.Detail[0] == '{' }

// kind returns the type in the spelling of eventTypes.
func (w *record) kind() string {
	return strings.ToLower(separators.Replace(cmp.Or(w.EventType, w.NotificationType)))
}

var separators = strings.NewReplacer(" ", "", "_", "")

// detail returns the object next to mail.
func (w *record) detail() *detail {
	for _, d := range []*detail{
		w.Bounce, w.Complaint, w.Delivery, w.DeliveryDelay, w.Reject,
		w.Failure, w.Open, w.Click, w.Subscription,
	} {
		if d != nil {
			return d
		}
	}
	return new(detail)
}
