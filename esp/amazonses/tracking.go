package amazonses

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// eventTypes is keyed by SES's name of an event in lower case, without spaces
// and underscores: SES spells "Rendering Failure" in three ways.
var eventTypes = map[string]wire.Outcome{
	"send":             {Type: anymail.EventSent},
	"reject":           {Type: anymail.EventRejected, Reason: anymail.RejectBlocked}, // a virus was found
	"renderingfailure": {Type: anymail.EventFailed, Reason: anymail.RejectOther},
	"delivery":         {Type: anymail.EventDelivered},
	"bounce":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"complaint":        {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"deliverydelay":    {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"open":             {Type: anymail.EventOpened},
	"click":            {Type: anymail.EventClicked},
}

// bounceTypes is keyed by bounceType and bounceSubType; a key without a subtype
// is for unknown subtypes. SES publishes a soft bounce when it has given up, and
// also calls a message a bounce that it never tried to send. NoEmail means only
// that the notice of the bounce did not name the recipient:
// https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-object
var bounceTypes = map[string]wire.Outcome{
	"Permanent/":                          {Category: anymail.BounceHard},
	"Permanent/Suppressed":                {Type: anymail.EventRejected},
	"Permanent/OnAccountSuppressionList":  {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"Permanent/OnTenantSuppressionList":   {Type: anymail.EventRejected, Reason: anymail.RejectBlocked},
	"Permanent/EmailValidationSuppressed": {Type: anymail.EventRejected, Reason: anymail.RejectInvalid},
	"Permanent/UnsubscribedRecipient":     {Type: anymail.EventRejected, Reason: anymail.RejectUnsubscribed},
	"Transient/":                          {Category: anymail.BounceSoft},
	"Transient/MessageTooLarge":           {Reason: anymail.RejectOther, Category: anymail.BounceSoft},
	"Transient/CustomTimeoutExceeded":     {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"Transient/ContentRejected":           {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},
	"Transient/AttachmentRejected":        {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
}

// complaintTypes is keyed by complaintSubType, which is null for a complaint of a
// recipient: these are messages that SES did not send because of an earlier one.
var complaintTypes = map[string]wire.Outcome{
	"OnAccountSuppressionList": {Type: anymail.EventRejected},
	"OnTenantSuppressionList":  {Type: anymail.EventRejected},
}

// delayTypes are the delays that are not soft.
var delayTypes = map[string]wire.Outcome{
	"SpamDetected":    {Category: anymail.BounceBlock},
	"IPFailure":       {Category: anymail.BounceBlock},
	"SendingDeferral": {Category: anymail.BounceBlock},
}

// botEvents: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
var botEvents = map[wire.Text]anymail.Tri{"Likely": anymail.Yes, "Unlikely": anymail.No}

// track makes one event for each recipient.
func (w *record) track(n notification, raw []byte, limits anymail.Limits) ([]anymail.Event, error) {
	kind, d := w.kind(), w.detail()
	base := anymail.TrackingEvent{
		Common:      anymail.Common{Type: anymail.EventUnknown, ID: n.id, Timestamp: d.Timestamp.Time, Raw: raw},
		MessageID:   w.Mail.MessageID,
		Description: cmp.Or(w.EventType, w.NotificationType, w.DetailType),
		ClickURL:    d.Link,
		IP:          wire.Addr(d.IPAddress),
		Automated:   botEvents[d.IsBotEvent],
	}
	eventTypes[kind].Apply(&base)
	if base.Type != anymail.EventUnknown {
		base.Description = ""
	}
	switch kind {
	case "bounce":
		outcome, known := bounceTypes[d.BounceType+"/"+d.BounceSubType]
		if !known {
			outcome = bounceTypes[d.BounceType+"/"]
		}
		outcome.Apply(&base)
		base.Description = d.BounceType + ": " + d.BounceSubType
	case "complaint":
		complaintTypes[d.ComplaintSubType].Apply(&base)
		if d.ComplaintFeedbackType == "not-spam" { // withdraws a complaint
			base.Type, base.RejectReason = anymail.EventUnknown, ""
		}
		base.Description = cmp.Or(d.ComplaintSubType, d.ComplaintFeedbackType)
	case "deliverydelay":
		delayTypes[d.DelayType].Apply(&base)
		base.Description = d.DelayType
	case "reject", "renderingfailure":
		base.Description = d.Reason + d.ErrorMessage
	case "subscription":
		d.subscription().Apply(&base)
		base.Description = d.ContactList
	case "open", "click":
		base.UserAgent = d.UserAgent
	}
	if base.Timestamp.IsZero() && kind != "send" {
		base.Timestamp = n.at
	}
	if base.Timestamp.IsZero() {
		base.Timestamp = w.Mail.Timestamp.Time // when SES accepted the message
	}
	base.Tags, base.Metadata = w.Mail.given()

	recipients := w.recipients(d)
	if err := wire.AtMost(limits, len(recipients)); err != nil {
		return nil, err
	}
	events := make([]anymail.Event, len(recipients))
	space := make([]anymail.TrackingEvent, len(recipients))
	for i, r := range recipients {
		ev := &space[i]
		*ev = base
		ev.Tags, ev.Metadata = slices.Clone(base.Tags), maps.Clone(base.Metadata)
		ev.Recipient = r.Address
		r.answer(ev, d)
		if d.FeedbackID != "" {
			// SES may report a bounce twice, as an event and as a notification of
			// the older kind. SNS gives the two different ids.
			ev.Key = anymail.EventKey(ESP, kind, d.FeedbackID, r.Address)
		}
		events[i] = ev
	}
	return events, nil
}

// recipients returns the recipients that the record is about, each once: those
// that it names, or else all recipients of the message, or one empty address.
func (w *record) recipients(d *detail) []recipient {
	named := slices.Concat(d.BouncedRecipients, d.ComplainedRecipients, d.DelayedRecipients, d.Recipients)
	if len(named) == 0 {
		for _, address := range w.Mail.Destination {
			named = append(named, recipient{Address: address})
		}
	}
	seen := make(map[string]bool, len(named))
	out := named[:0]
	for _, r := range named {
		r.Address = bare(r.Address)
		if !seen[r.Address] {
			seen[r.Address] = true
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return []recipient{{}}
	}
	return out
}

// bare returns the address of "name <address>".
func bare(address string) string {
	if i := strings.LastIndexByte(address, '<'); i >= 0 {
		address = address[i:]
	}
	return wire.TrimID(address)
}

// answer fills in what the receiving server said about r.
func (r recipient) answer(ev *anymail.TrackingEvent, d *detail) {
	response := r.DiagnosticCode
	if scheme, rest, ok := strings.Cut(response, ";"); ok && strings.EqualFold(scheme, "smtp") {
		response = strings.TrimSpace(rest)
	}
	switch {
	case ev.Type == anymail.EventRejected && response != "":
		ev.Description = response // written by SES
	case response+d.SMTPResponse != "":
		wire.Answer(ev, response+d.SMTPResponse)
	}
	if code := wire.EnhancedCode(r.Status); code != "" {
		ev.Bounce.EnhancedCode = code
	}
}

// subscription returns what a change of a contact's preferences is.
func (d *detail) subscription() wire.Outcome {
	now, before := d.NewTopicPreferences.Value, d.OldTopicPreferences.Value
	old := make(map[string]string, len(before.Topics))
	for _, topic := range before.Topics {
		old[topic.Name] = status(topic.Status)
	}
	in, out := before.UnsubscribeAll && !now.UnsubscribeAll, now.UnsubscribeAll
	for _, topic := range now.Topics {
		if s := status(topic.Status); s != old[topic.Name] {
			in, out = in || s == "optin", out || s == "optout"
		}
	}
	switch {
	case out:
		return wire.Outcome{Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed}
	case in:
		return wire.Outcome{Type: anymail.EventSubscribed}
	}
	return wire.Outcome{}
}

// status returns one spelling: "OptOut" in events is "OPT_OUT" in the API.
func status(s string) string { return strings.ToLower(separators.Replace(s)) }

// given returns the tags and metadata of a message. SES's tags have a name and a
// value, so they are metadata here. They are limited in length and characters;
// users of django-anymail send the rest in headers: "X-Tag" for each tag and
// "X-Metadata" for a JSON object.
func (m *mail) given() (tags []string, metadata anymail.Metadata) {
	metadata = anymail.Metadata{}
	for name, values := range m.Tags {
		switch {
		case strings.HasPrefix(name, "ses:"): // set by SES itself
		case len(values) == 1:
			metadata[name] = values[0]
		default:
			list := make([]any, len(values))
			for i, value := range values {
				list[i] = value
			}
			metadata[name] = list
		}
	}
	for _, h := range m.Headers {
		value := inbound.DecodeHeader(h.Value)
		switch {
		case value == "":
		case strings.EqualFold(h.Name, "X-Tag"):
			tags = append(tags, value)
		case strings.EqualFold(h.Name, "X-Metadata"):
			var object wire.Metadata
			if object.UnmarshalJSON([]byte(value)) == nil {
				maps.Copy(metadata, object)
			}
		}
	}
	if len(metadata) == 0 {
		metadata = nil
	}
	return tags, metadata
}
