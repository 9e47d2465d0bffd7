// Package smtp2gosim plays SMTP2GO, for tests and demonstrations.
package smtp2gosim

import (
	"maps"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/smtp2go"
	"github.com/goanymail/anymail/simulator"
)

// New returns SMTP2GO's simulator. SMTP2GO signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   smtp2go.ESP,
		Title: "SMTP2GO",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return smtp2go.New(smtp2go.Config{})
		},
		Samples: []simulator.Sample{
			sample("processed", anymail.EventQueued, "", object{"srchost": "192.0.2.1"}),
			processedForTwo(),
			sample("delivered", anymail.EventDelivered, "", answer("250 2.0.0 queued", nil), answered("250 2.0.0 queued", anymail.Bounce{})),
			sample("delivered-form", anymail.EventDelivered, "", answer("250 2.0.0 queued", nil), answered("250 2.0.0 queued", anymail.Bounce{})),
			sample("bounce-hard", anymail.EventBounced, anymail.RejectBounced, answer("554 5.0.0 refused", object{"bounce": "hard"}),
				answered("554 5.0.0 refused", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.0.0"})),
			sample("bounce-hard-invalid", anymail.EventBounced, anymail.RejectInvalid, answer("550 5.1.1 no such user", object{"bounce": "hard"}),
				answered("550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			sample("bounce-hard-policy", anymail.EventBounced, anymail.RejectBlocked, answer("550 5.7.1 not welcome here", object{"bounce": "hard"}),
				answered("550 5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"})),
			sample("bounce-soft-form", anymail.EventBounced, anymail.RejectBounced, answer("452 4.2.2 mailbox full", object{"bounce": "soft"}),
				answered("452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			rejected("reject-sender", "sender not verified", anymail.RejectOther),
			rejected("reject", "the recipient is suppressed", anymail.RejectBlocked),
			rejected("reject-bounced", "the recipient bounced before", anymail.RejectBounced),
			rejected("reject-spam", "the recipient made a spam complaint", anymail.RejectSpam),
			rejected("reject-unsubscribed", "the recipient unsubscribed", anymail.RejectUnsubscribed),
			sample("spam", anymail.EventComplained, anymail.RejectSpam, object{"context": "feedback", "message": ""}, simulator.Described("feedback")),
			sample("unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, object{"context": "feedback", "message": ""}, simulator.Described("feedback")),
			sample("resubscribe", anymail.EventSubscribed, "", object{"context": "feedback", "message": ""}, simulator.Described("feedback")),
			sample("open", anymail.EventOpened, "", visit(object{"opened-at": "{time}", "read-secs": "15"}), visited("")),
			sample("click", anymail.EventClicked, "", visit(object{"clicked-at": "{time}", "url": link}), visited(link)),
			sample("click-form", anymail.EventClicked, "", visit(object{"clicked-at": "{time}", "url": link}), visited(link)),
			sample("teleport", anymail.EventUnknown, "", nil),
			{
				Name: "sms_delivered", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown}, Untimed: true,
				Events: func(p simulator.Params) []anymail.Event {
					return []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: p.EventID}}}
				},
				Make: func(p simulator.Params) simulator.Request {
					return simulator.JSON("tracking", simulator.MustJSON(object{
						"event": "sms_delivered", "id": p.EventID, "destination_number": "15550100", "message_content": "hi", "received_timestamp": p.Time.Format(time.RFC3339),
					}))
				},
			},
		},
	}
}

const (
	link  = "https://shop.example.org/orders/1701?from=mail"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
)

type object = map[string]any

// sample posts an event, in JSON unless the name ends in "form". What follows "-" in the name tells samples of one
// event apart. The value "{time}" is the event's time.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			withoutTags := func(ev *anymail.TrackingEvent) { ev.Tags = nil }
			return p.Event(typ, reason, append(changes, withoutTags)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			fields := event(name, p, more)
			if !strings.HasSuffix(name, "form") {
				return simulator.JSON("tracking", simulator.MustJSON(fields))
			}
			form := url.Values{}
			for field, value := range fields {
				form.Set(field, value.(string))
			}
			return simulator.URLEncoded("tracking", form)
		},
	}
}

func event(name string, p simulator.Params, more object) object {
	at := p.Time.Format(time.RFC3339)
	messageID := "<" + p.MessageID + "@example.org>"
	fields := object{
		"id": p.EventID, "time": at, "sendtime": p.Time.Add(-time.Second).Format("2006-01-02T15:04:05.000000-07:00"),
		"email_id": p.MessageID, "auth": "api-demo", "sender": p.Sender, "from": p.Sender, "from_address": p.Sender, "from_name": "",
		"subject": p.Subject, "Subject": p.Subject, "message-id": messageID, "Message-Id": messageID,
	}
	for header, value := range p.Metadata {
		fields[header] = value
	}
	if fields["event"], _, _ = strings.Cut(name, "-"); fields["event"] == "processed" {
		fields["recipients"] = []string{p.Recipient}
	} else {
		fields["rcpt"] = p.Recipient
	}
	maps.Copy(fields, more)
	for name, value := range fields {
		if value == "{time}" {
			fields[name] = at
		}
	}
	return fields
}

func processedForTwo() simulator.Sample {
	recipients := []string{"ada@example.com", "bob@example.com"}
	s := sample("processed-two", anymail.EventQueued, "", object{"recipients": recipients})
	one := s.Events
	s.Types = []anymail.EventType{anymail.EventQueued, anymail.EventQueued}
	s.Events = func(p simulator.Params) (events []anymail.Event) {
		for _, recipient := range recipients {
			p.Recipient = recipient
			events = append(events, one(p)...)
		}
		return events
	}
	return s
}

func answer(message string, more object) object {
	fields := object{"host": "mx.example.com [192.0.2.25]", "context": "RCPT TO:<ada@example.com>", "message": message}
	maps.Copy(fields, more)
	return fields
}

func answered(response string, bounce anymail.Bounce) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		ev.Description, ev.MTAResponse, ev.Bounce = response, response, bounce
	}
}

func rejected(name, message string, reason anymail.RejectReason) simulator.Sample {
	return sample(name, anymail.EventRejected, reason, object{"context": "submission", "message": message, "srchost": "192.0.2.1"}, simulator.Described(message))
}

func visit(more object) object {
	fields := object{
		"context": "Unavailable", "message": "Unavailable", "user-agent": agent, "srchost": "192.0.2.7", "client": "Firefox", "client-device": "Other",
		"client-os": "Linux", "geoip-continent": "EU", "geoip-country": "DE", "geoip-city": "Berlin",
	}
	maps.Copy(fields, more)
	return fields
}

func visited(url string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		simulator.Visited(agent, url, anymail.Unsaid)(ev)
		ev.IP, ev.Geo = netip.MustParseAddr("192.0.2.7"), anymail.Geo{Country: "DE", City: "Berlin"}
	}
}
