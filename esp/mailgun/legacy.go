package mailgun

import (
	"cmp"
	"slices"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// Mailgun's own fields of legacy webhooks, of every event and by event. Any other
// field is a variable of the user.
// https://help.mailgun.com/hc/en-us/articles/14048832145051-Legacy-Webhooks
var (
	legacyFields = []string{
		"event", "recipient", "domain", "timestamp", "token", "signature", "parent-signature", "message-id", "Message-Id",
		"tag", "campaign-id", "campaign-name", "mailing-list", "body-plain", "X-Mailgun-Sid", "X-Mailgun-Tag",
	}
	legacyClient        = []string{"ip", "country", "region", "city", "user-agent", "device-type", "client-type", "client-name", "client-os", "h"} // h is not documented
	legacyFieldsOfEvent = map[string][]string{
		"opened":       legacyClient,
		"clicked":      append([]string{"url"}, legacyClient...),
		"unsubscribed": legacyClient,
		"bounced":      {"code", "error", "notification"},
		"dropped":      {"code", "reason", "description"},
	}
	// legacyOnce are the events that happen once for a message and recipient.
	legacyOnce = []string{"delivered", "bounced", "dropped", "complained"}
)

// parseLegacy reads the form-encoded webhooks from before 2018. The user's
// variables are fields of the same form. If one has the name of a field of
// Mailgun's own, Mailgun's is first, except for the fields of the signature.
func parseLegacy(p *anymail.Payload) ([]anymail.Event, error) {
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	v := wire.Texts(form.Fields)
	name := v.Get("event")
	if name == "" || name == "stored" || name == "inbound" {
		return nil, anymail.Malformed("not a tracking event: is it an inbound message that should go to the inbound endpoint?", nil)
	}
	at := own(v, "timestamp")
	ev := &anymail.TrackingEvent{Common: anymail.Common{Raw: p.Body, Timestamp: wire.UnixTime(at)}}
	eventTypes[name].Apply(ev)
	ev.Description = cmp.Or(v.Get("description"), v.Get("reason"))
	if name == "bounced" || name == "dropped" {
		legacyFailure(v, ev)
	}
	headers := headerList(v.Get("message-headers"))
	ev.MessageID = messageID(cmp.Or(v.Get("Message-Id"), v.Get("message-id"), headers.Get("Message-Id")))
	ev.Recipient = v.Get("recipient")
	for _, tags := range [][]string{headers.Values("X-Mailgun-Tag"), v.All("X-Mailgun-Tag"), v.All("tag")} {
		if len(tags) > 0 {
			ev.Tags = tags
		}
	}
	if headers != nil {
		ev.Metadata = headerVariables(headers)
	} else {
		ev.Metadata = fieldVariables(v, name)
	}
	if name == "clicked" {
		ev.ClickURL = v.Get("url")
	}
	if slices.Contains(legacyFieldsOfEvent[name], "ip") {
		ev.UserAgent = v.Get("user-agent")
		ev.IP = wire.Addr(v.Get("ip"))
		ev.Geo = place(v.Get("country"), v.Get("region"), v.Get("city"))
		ev.Automated = automated(v.Get("client-type"), "")
	}

	// There is no event id, and token, signature and perhaps time are those of
	// the attempt. So the key has time and client only for events that can
	// happen again.
	parts := []string{"legacy", name, ev.MessageID, ev.Recipient}
	if ev.MessageID == "" || !slices.Contains(legacyOnce, name) {
		parts = append(parts, at, ev.ClickURL, v.Get("ip"), ev.UserAgent)
	}
	ev.Key = anymail.EventKey(ESP, parts...)
	return []anymail.Event{ev}, nil
}

func legacyFailure(v anymail.Fields, ev *anymail.TrackingEvent) {
	if answer := cmp.Or(v.Get("error"), v.Get("notification")); answer != "" {
		wire.Answer(ev, answer)
	}
	code := v.Get("code") // 550, or 5.1.1
	if enhanced := wire.EnhancedCode(code); enhanced != "" {
		ev.Bounce.EnhancedCode = enhanced
	}
	number := wire.ParseNumber(code).Int()
	if smtp := smtpCode(number); smtp != 0 {
		ev.Bounce.SMTPCode = smtp
	}
	reasons[wire.Text(v.Get("reason"))].Apply(ev)
	codes[number].Apply(ev)
}

// headerVariables reads the variables from the headers of the message.
func headerVariables(headers anymail.Headers) anymail.Metadata {
	var variables anymail.Metadata
	for _, object := range headers.Values("X-Mailgun-Variables") {
		for name, value := range wire.Members([]byte(object)) {
			if variables == nil {
				variables = anymail.Metadata{}
			}
			variables[string(name)] = wire.Any(value)
		}
	}
	return variables
}

// fieldVariables finds the variables in the form of an event.
func fieldVariables(v anymail.Fields, event string) anymail.Metadata {
	variables := anymail.Metadata{}
	for name, values := range v {
		ours := slices.Contains(legacyFields, name) || slices.Contains(legacyFieldsOfEvent[event], name)
		switch {
		case !ours:
			variables[name] = string(values[0])
		case len(values) < 2 || name == "tag" || name == "X-Mailgun-Tag": // several tags are possible
		case name == "timestamp" || name == "token" || name == "signature":
			variables[name] = string(values[0])
		default:
			variables[name] = string(values[len(values)-1])
		}
	}
	if len(variables) == 0 {
		return nil
	}
	return variables
}
