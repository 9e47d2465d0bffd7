package mailgun

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// event is the event-data of a webhook.
// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
type event struct {
	Event     string        `json:"event"`
	ID        string        `json:"id"` // unique within a day
	Timestamp wire.Unix     `json:"timestamp"`
	Severity  string        `json:"severity"`
	Reason    wire.Text     `json:"reason"`
	Recipient string        `json:"recipient"`
	Tags      wire.Strings  `json:"tags"`
	Variables wire.Metadata `json:"user-variables"` // [] if there are none
	URL       string        `json:"url"`
	IP        string        `json:"ip"`
	Place     struct {
		Country string `json:"country"`
		Region  string `json:"region"`
		City    string `json:"city"`
	} `json:"geolocation"`
	Client struct {
		UserAgent string    `json:"user-agent"`
		IP        string    `json:"ip"`
		Type      string    `json:"client-type"`
		Bot       wire.Text `json:"bot"`
	} `json:"client-info"`
	Status struct {
		Code        wire.Number `json:"code"`
		Enhanced    wire.Text   `json:"enhanced-code"`
		Message     wire.Text   `json:"message"`
		Description wire.Text   `json:"description"`
		BounceType  wire.Text   `json:"bounce-type"`
	} `json:"delivery-status"`
	Reject struct {
		Reason      wire.Text `json:"reason"`
		Description wire.Text `json:"description"`
	} `json:"reject"`
	Flags struct {
		DelayedBounce bool `json:"is-delayed-bounce"`
	} `json:"flags"`
	Envelope struct {
		Targets string `json:"targets"`
	} `json:"envelope"`
	Message struct {
		Headers struct {
			MessageID string `json:"message-id"`
			To        string `json:"to"`
		} `json:"headers"`
	} `json:"message"`
}

// https://documentation.mailgun.com/docs/mailgun/user-manual/events/events
var eventTypes = map[string]wire.Outcome{
	"accepted":     {Type: anymail.EventQueued},
	"rejected":     {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"delivered":    {Type: anymail.EventDelivered},
	"failed":       {Type: anymail.EventFailed, Reason: anymail.RejectOther}, // see failure
	"opened":       {Type: anymail.EventOpened},
	"clicked":      {Type: anymail.EventClicked},
	"unsubscribed": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"complained":   {Type: anymail.EventComplained, Reason: anymail.RejectSpam},

	// Of legacy webhooks, and as other receivers have seen them.
	"bounced": {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"dropped": {Type: anymail.EventRejected, Reason: anymail.RejectOther},
	"blocked": {Type: anymail.EventRejected, Reason: anymail.RejectOther},
}

// severities are what a failure is without a known reason.
var severities = map[string]wire.Outcome{
	"temporary": {Type: anymail.EventDeferred},
	"permanent": {Type: anymail.EventBounced, Reason: anymail.RejectBounced},
}

// reasons refine a failure. Mailgun itself refused a suppressed message.
// https://github.com/mailgun/mailgun-go/blob/master/events/objects.go
var reasons = map[wire.Text]wire.Outcome{
	"bounce":               {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"delayed-bounce":       {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"espblock":             {Type: anymail.EventBounced, Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"blacklisted":          {Type: anymail.EventBounced, Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},
	"greylisted":           {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"old":                  {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},
	"suppress-bounce":      {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	"suppress-complaint":   {Type: anymail.EventRejected, Reason: anymail.RejectSpam},
	"suppress-unsubscribe": {Type: anymail.EventRejected, Reason: anymail.RejectUnsubscribed},
	"hardfail":             {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
}

// codes are Mailgun's own codes, which appear in place of SMTP codes.
// https://documentation.mailgun.com/docs/mailgun/user-manual/events/events
var codes = map[int]wire.Outcome{
	499: {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft}, // could not connect
	602: {Type: anymail.EventBounced, Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft}, // gave up
	605: {Type: anymail.EventRejected, Reason: anymail.RejectBounced},
	606: {Type: anymail.EventRejected, Reason: anymail.RejectUnsubscribed},
	607: {Type: anymail.EventRejected, Reason: anymail.RejectSpam},
	625: {Type: anymail.EventRejected, Reason: anymail.RejectOther}, // a mailing list of poor quality
}

// smtpCode returns code if it is an SMTP code, and 0 if it is Mailgun's own.
func smtpCode(code int) int {
	if code < 200 || code > 599 || code == 498 || code == 499 {
		return 0
	}
	return code
}

func parseTracking(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
	if !isJSON(p) {
		return parseLegacy(p)
	}
	elements, err := wire.Split(p.Body, p.Limits)
	if err != nil {
		return nil, err
	}
	known := 0
	for i, element := range elements {
		if data := wire.Member(element, eventMember); data != nil {
			elements[i] = data
			known++
		}
	}
	if known == 0 {
		return nil, anymail.Malformed("not a webhook of Mailgun", nil)
	}
	return wire.Events(elements, fill), nil
}

func fill(w *event, ev *anymail.TrackingEvent) {
	eventTypes[w.Event].Apply(ev)
	ev.Description = cmp.Or(w.Status.Description, w.Reject.Description, w.Reject.Reason, w.Reason).String()
	code := w.Status.Code.Int()
	if answer := w.Status.Message.String(); code != 0 && smtpCode(code) == 0 {
		// No server answered: the words are Mailgun's.
		ev.Description = cmp.Or(w.Status.Description.String(), answer, ev.Description)
	} else if answer != "" {
		wire.Answer(ev, answer)
	} else if words := w.Status.Description.String(); w.Event == "failed" {
		if code, enhanced := wire.SMTP(words); code != 0 || enhanced != "" {
			wire.Answer(ev, words)
		}
	}
	if w.Event == "failed" {
		failure(w, ev)
	}

	ev.ID = w.ID
	ev.Timestamp = w.Timestamp.Time
	if w.ID != "" {
		// The id is the same for every delivery of an event, to the account's
		// webhook and to the domain's. The token is not.
		ev.Key = anymail.EventKey(ESP, w.ID, strconv.FormatInt(w.Timestamp.UnixNano(), 10), w.Event)
	}
	ev.MessageID = messageID(w.Message.Headers.MessageID)
	ev.Recipient = w.Recipient
	if ev.Recipient == "" {
		ev.Recipient = cmp.Or(onlyAddress(w.Message.Headers.To), w.Envelope.Targets)
	}
	ev.Tags = w.Tags
	ev.Metadata = w.Variables.Event()
	ev.ClickURL = w.URL
	ev.UserAgent = w.Client.UserAgent
	ev.IP = wire.Addr(cmp.Or(w.IP, w.Client.IP))
	ev.Geo = place(w.Place.Country, w.Place.Region, w.Place.City)
	ev.Automated = automated(w.Client.Type, w.Client.Bot.String())
}

// failure returns what a failed event is.
func failure(w *event, ev *anymail.TrackingEvent) {
	code := w.Status.Code.Int()
	if smtp := smtpCode(code); smtp != 0 {
		ev.Bounce.SMTPCode = smtp
	}
	if enhanced := wire.EnhancedCode(w.Status.Enhanced.String()); enhanced != "" {
		ev.Bounce.EnhancedCode = enhanced
	}
	severity := w.Severity
	if _, known := severities[severity]; !known && smtpCode(code) >= 500 {
		severity = "permanent"
	} else if !known && smtpCode(code) >= 400 {
		severity = "temporary"
	}
	if w.Flags.DelayedBounce {
		w.Reason = "delayed-bounce"
	}
	severities[severity].Apply(ev)
	reasons[w.Reason].Apply(ev)
	codes[code].Apply(ev)
	// That the server blocks the sender says more than that it is permanent.
	if ev.Bounce.Category != anymail.BounceBlock {
		switch w.Status.BounceType {
		case "hard":
			ev.Bounce.Category = anymail.BounceHard
		case "soft":
			ev.Bounce.Category = anymail.BounceSoft
		}
	}
	if severity == "temporary" { // Mailgun has not given up
		ev.Type = anymail.EventDeferred
	}
}

// messageID returns the id as the send API does, in angle brackets, which webhooks
// leave out.
func messageID(id string) string {
	if id = wire.TrimID(id); id == "" {
		return ""
	}
	return "<" + id + ">"
}

// onlyAddress returns the address of a To header that has one address. With
// several, it is unknown which one an event is about.
func onlyAddress(to string) string {
	if list := inbound.Addresses(to); len(list) == 1 {
		return list[0].Address
	}
	return ""
}

func place(country, region, city string) anymail.Geo {
	known := func(name string) string {
		if strings.EqualFold(name, "unknown") {
			return ""
		}
		return name
	}
	return anymail.Geo{Country: known(country), Region: known(region), City: known(city)}
}

// automated is never No: Mailgun names no bot if it does not know of one.
func automated(clientType, bot string) anymail.Tri {
	if bot != "" || clientType == "robot" || clientType == "library" {
		return anymail.Yes
	}
	return anymail.Unsaid
}
