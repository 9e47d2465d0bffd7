// Package azuresim plays Azure Communication Services and Event Grid, for tests and
// demonstrations.
package azuresim

import (
	"maps"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/azure"
	"github.com/goanymail/anymail/simulator"
)

// New returns Azure's simulator. Event Grid signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   azure.ESP,
		Title: "Azure Communication Services",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return azure.New(azure.Config{})
		},
		Samples: []simulator.Sample{
			report("Delivered", anymail.EventDelivered, "", nil),
			report("Delivered-answer", anymail.EventDelivered, "", details("250 2.0.0 queued"), answered("250 2.0.0 queued", anymail.Bounce{})),
			report("Expanded", anymail.EventSent, "", nil),
			report("Bounced", anymail.EventBounced, anymail.RejectBounced, nil, answered("", anymail.Bounce{Category: anymail.BounceHard})),
			report("Bounced-invalid", anymail.EventBounced, anymail.RejectInvalid, details("550 5.1.1 no such user"),
				answered("550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			report("Failed", anymail.EventFailed, anymail.RejectOther, object{"deliveryStatusDetails": object{"statusMessage": "the message could not be processed"}},
				simulator.Described("the message could not be processed")),
			report("Failed-refused", anymail.EventBounced, anymail.RejectBounced, details("554 5.0.0 refused"),
				answered("554 5.0.0 refused", anymail.Bounce{Category: anymail.BounceUndetermined, SMTPCode: 554, EnhancedCode: "5.0.0"})),
			report("Failed-policy", anymail.EventBounced, anymail.RejectBlocked, details("550 5.7.1 not welcome here"),
				answered("550 5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"})),
			report("Failed-full", anymail.EventBounced, anymail.RejectBounced, details("452 4.2.2 mailbox full"),
				answered("452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			report("Failed-expired", anymail.EventBounced, anymail.RejectTimedOut, details("451 4.4.7 message expired"),
				answered("451 4.4.7 message expired", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.4.7"})),
			report("Suppressed", anymail.EventRejected, anymail.RejectBlocked, nil),
			report("Suppressed-bounced", anymail.EventRejected, anymail.RejectBounced, object{"deliveryStatusDetails": object{"statusMessage": "the address had a hard bounce"}},
				simulator.Described("the address had a hard bounce")),
			report("FilteredSpam", anymail.EventBounced, anymail.RejectSpam, details("550 5.7.1 this looks like spam"),
				answered("550 5.7.1 this looks like spam", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"})),
			report("Quarantined", anymail.EventBounced, anymail.RejectSpam, nil, answered("", anymail.Bounce{Category: anymail.BounceBlock})),
			report("Teleported", anymail.EventUnknown, "", nil),
			engagement("view", anymail.EventOpened, "", simulator.Visited(agent, "", anymail.Unsaid)),
			engagement("click", anymail.EventClicked, link, simulator.Visited(agent, link, anymail.Unsaid)),
			cloudEvent(report("Delivered", anymail.EventDelivered, "", nil), "CloudEvents-Delivered"),
			cloudEvent(engagement("click", anymail.EventClicked, link, simulator.Visited(agent, link, anymail.Unsaid)), "CloudEvents-click"),
			{
				Name: "SMSReceived", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
				Events: func(p simulator.Params) []anymail.Event {
					return p.Event(anymail.EventUnknown, "", func(ev *anymail.TrackingEvent) {
						ev.MessageID, ev.Recipient, ev.Tags, ev.Metadata = "", "", nil, nil
						ev.Timestamp = p.Time.Add(time.Second / 2) // that of the event, since the data has none
					})
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("Notification", event(p, "Microsoft.Communication.SMSReceived", object{"message": "hi", "from": "15550100"}))
				},
			},
			{
				Name: "SubscriptionValidationEvent", Endpoint: "tracking",
				Events: func(simulator.Params) []anymail.Event { return nil },
				Make: func(p simulator.Params) simulator.Request {
					return post("SubscriptionValidation", event(p, "Microsoft.EventGrid.SubscriptionValidationEvent", object{
						"validationCode": p.EventID, "validationUrl": "https://eventgrid.example.com:553/validate?id=" + p.EventID,
					}))
				},
			},
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return post("Notification", event(p, deliveryType, delivery(p, "Delivered")), []int{1}, event(p, deliveryType, delivery(p, "Bounced")))
		},
	}
}

const (
	link  = "https://shop.example.org/orders/1701?from=mail"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"

	deliveryType   = "Microsoft.Communication.EmailDeliveryReportReceived"
	engagementType = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
	resource       = "/subscriptions/s1/resourceGroups/shop/providers/microsoft.communication/communicationservices/mail"
	ticks          = "2006-01-02T15:04:05.0000000-07:00" // as .NET writes times
)

type object = map[string]any

// post posts events in the Event Grid schema.
func post(kind string, events ...any) simulator.Request {
	r := simulator.JSON("tracking", simulator.MustJSON(events))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Aeg-Event-Type", kind)
	return r
}

func event(p simulator.Params, typ string, data object) object {
	return object{
		"id": p.EventID, "topic": resource, "subject": subject(p), "eventType": typ, "eventTime": p.Time.Add(time.Second / 2).Format(time.RFC3339Nano),
		"dataVersion": "1.0", "metadataVersion": "1", "data": data,
	}
}

func subject(p simulator.Params) string { return "sender/" + p.Sender + "/message/" + p.MessageID }

func delivery(p simulator.Params, status string) object {
	return object{
		"sender": p.Sender, "recipient": p.Recipient, "messageId": p.MessageID, "internetMessageId": "<" + p.EventID + "@example.org>",
		"status": status, "deliveryAttemptTimestamp": p.Time.Format(ticks),
	}
}

// report is a delivery report. What follows "-" in the name tells samples of one
// status apart.
func report(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	status, _, _ := strings.Cut(name, "-")
	return sample(name, typ, reason, deliveryType, changes, func(p simulator.Params) object {
		data := delivery(p, status)
		maps.Copy(data, more)
		return data
	})
}

func engagement(kind string, typ anymail.EventType, context string, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return sample(kind, typ, "", engagementType, changes, func(p simulator.Params) object {
		return object{
			"sender": p.Sender, "recipient": p.Recipient, "messageId": p.MessageID, "userActionTimeStamp": p.Time.Format(ticks),
			"engagementType": kind, "engagementContext": context, "userAgent": agent,
		}
	})
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason, eventType string, changes []func(*anymail.TrackingEvent), data func(simulator.Params) object) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			withoutTags := func(ev *anymail.TrackingEvent) { ev.Tags, ev.Metadata = nil, nil }
			return p.Event(typ, reason, append(changes, withoutTags)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			return post("Notification", event(p, eventType, data(p)))
		},
	}
}

// cloudEvent posts the event of a sample in the schema of CloudEvents.
func cloudEvent(s simulator.Sample, name string) simulator.Sample {
	inner := s.Make
	s.Name = name
	s.Make = func(p simulator.Params) simulator.Request {
		r := inner(p)
		body := strings.NewReplacer(`"eventType"`, `"type"`, `"eventTime"`, `"time"`, `"topic"`, `"source"`, `"metadataVersion"`, `"specversion"`, `"1"`, `"1.0"`).
			Replace(strings.Trim(string(r.Body), "[]"))
		r.Body = []byte(body)
		r.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
		return r
	}
	return s
}

func details(message string) object {
	return object{"deliveryStatusDetails": object{"statusMessage": message, "recipientMailServerHostName": "mx.example.com"}}
}

func answered(response string, bounce anymail.Bounce) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		ev.Description, ev.MTAResponse, ev.Bounce = response, response, bounce
	}
}
