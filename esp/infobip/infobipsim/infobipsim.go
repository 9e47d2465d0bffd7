// Package infobipsim plays Infobip, for tests and demonstrations.
package infobipsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/infobip"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns Infobip's simulator. Infobip signs nothing that is documented.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   infobip.ESP,
		Title: "Infobip",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return infobip.New(infobip.Config{})
		},
		Situations: map[string]string{
			"EC_SPAM_DETECTED":                "Not sent: the ESP takes the content for spam",
			"EC_SENDER_DOMAIN_BOUNCE_BLOCKED": "Not sent: by the ESP's own policy, or for a virus",
			"EC_EMAIL_TEMPLATE_NOT_FOUND":     "Template error",
		},
		Samples: []simulator.Sample{
			report("PENDING", anymail.EventQueued, "", nil),
			report("DELIVERED", anymail.EventDelivered, "", fields{"smtp": fields{"response": "250 2.0.0 OK"}}, simulator.Answered("250 2.0.0 OK", anymail.Bounce{})),
			report("EXPIRED", anymail.EventBounced, anymail.RejectTimedOut, nil, category(anymail.BounceSoft), simulator.Described("The message is EXPIRED.")),
			report("UNDELIVERABLE", anymail.EventBounced, anymail.RejectBounced, fields{"error": nil}, category(anymail.BounceUndetermined), simulator.Described("The message is UNDELIVERABLE.")),
			report("REJECTED", anymail.EventRejected, anymail.RejectOther, nil, simulator.Described("The message is REJECTED.")),
			bounced("EC_HARD_BOUNCE", true, anymail.RejectBounced, "550 5.0.0 refused", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.0.0"}),
			bounced("EC_RECIPIENT_INBOX_FULL", false, anymail.RejectBounced, "452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			bounced("EC_INVALID_EMAIL_ADDRESS", true, anymail.RejectInvalid, "550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounced("EC_SENDER_IP_BLACKLISTED", false, anymail.RejectBlocked, "554 5.7.1 listed", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounced("EC_SPAM_REVERTED", true, anymail.RejectSpam, "550 5.7.0 looks like spam", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.0"}),
			dropped("EC_SUPPRESSED_BOUNCE", anymail.EventRejected, anymail.RejectBounced),
			dropped("EC_SUPPRESSED_SPAM_COMPLAINT", anymail.EventRejected, anymail.RejectSpam),
			dropped("EC_UNSUBSCRIBED_EMAIL_ADDRESS", anymail.EventRejected, anymail.RejectUnsubscribed),
			dropped("EC_RECIPIENT_DOMAIN_TYPO", anymail.EventRejected, anymail.RejectInvalid),
			dropped("EC_SPAM_DETECTED", anymail.EventRejected, anymail.RejectBlocked),
			dropped("EC_SENDER_DOMAIN_BOUNCE_BLOCKED", anymail.EventRejected, anymail.RejectBlocked),
			dropped("EC_SENDER_DOMAIN_UNVERIFIED", anymail.EventRejected, anymail.RejectOther),
			dropped("EC_EMAIL_TEMPLATE_NOT_FOUND", anymail.EventFailed, anymail.RejectOther),
			dropped("EC_INTERNAL_SYSTEM_ERROR", anymail.EventFailed, anymail.RejectOther),
			report("TELEPORTED", anymail.EventUnknown, "", nil),
			user("OPENED", anymail.EventOpened, "", place, inGermany),
			user("CLICKED", anymail.EventClicked, "", fields{"url": link, "geoLocation": place["geoLocation"]}, inGermany, simulator.Visited("", link, anymail.Unsaid)),
			user("UNSUBSCRIBED", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, place, inGermany),
			user("COMPLAINED", anymail.EventComplained, anymail.RejectSpam, nil),
			user("LATE_BOUNCE", anymail.EventBounced, anymail.RejectBounced, nil, category(anymail.BounceUndetermined)),
			user("LEVITATED", anymail.EventUnknown, "", nil),
			platform("HIGH_BOUNCE_RATE_WARNING"),
			platform("HIGH_BOUNCE_RATE_BLOCKED"),
			{
				Name: "parsed", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: true,
				Events: func(p simulator.Params) []anymail.Event {
					return p.ReceivedInParts(func(ev *anymail.InboundEvent) {
						ev.Timestamp = time.Time{}
						m := &ev.Message
						m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = p.Sender, desk, []string{desk}
						m.Authentication = anymail.Authentication{SPF: "pass", DKIM: "pass"}
					})
				},
				Make: received,
			},
		},
		Batch: batch,
		Malformed: func(p simulator.Params) simulator.Request {
			return results(reported(p, "PENDING", nil), []int{1}, reported(p, "DELIVERED", nil))
		},
	}
}

type fields map[string]any

const (
	link = "https://shop.example.org/orders/1701?from=mail"
	desk = "help@in.example.org"
)

var place = fields{"geoLocation": fields{"countryName": "Germany", "city": "Bremen"}}

func inGermany(ev *anymail.TrackingEvent) { ev.Geo.Country, ev.Geo.City = "Germany", "Bremen" }

func category(c anymail.BounceCategory) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Bounce.Category = c }
}

// origin is what Infobip repeats of the request that sent the message.
func origin(p simulator.Params) fields {
	return fields{
		"bulkId": "b1", "messageId": p.MessageID, "callbackData": string(simulator.MustJSON(p.Metadata)),
		"campaignReferenceId": p.Tag, "entityId": "shop", "applicationId": "orders",
	}
}

// expected is an event of a message: Infobip's event id is only in user events.
func expected(typ anymail.EventType, reason anymail.RejectReason, changes []func(*anymail.TrackingEvent)) func(simulator.Params) []anymail.Event {
	return func(p simulator.Params) []anymail.Event {
		return p.Event(typ, reason, append(changes, func(ev *anymail.TrackingEvent) {
			ev.Metadata["entityId"], ev.Metadata["applicationId"] = "shop", "orders"
		})...)
	}
}

func results(list ...any) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(fields{"results": list}))
}

// report is a delivery report with a status.
func report(group string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: group, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: expected(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.ID = "" })),
		Make:   func(p simulator.Params) simulator.Request { return results(reported(p, group, more)) },
	}
}

func reported(p simulator.Params, group string, more fields) fields {
	const layout = "2006-01-02T15:04:05.000-0700"
	f := origin(p)
	maps.Copy(f, fields{
		"to": p.Recipient, "sentAt": p.Time.Add(-2 * time.Second).Format(layout), "doneAt": p.Time.Format(layout), "attemptCount": 1, "sendingIp": "192.0.2.10",
		"status": fields{"id": 7, "groupId": 1, "groupName": group, "name": group + "_DEMO", "description": "The message is " + group + "."},
		"error":  fields{"id": 0, "groupId": 0, "groupName": "OK", "name": "NO_ERROR", "description": "No Error", "permanent": false},
	})
	maps.Copy(f, more)
	return f
}

// bounced is a report of what the receiving server refused.
func bounced(name string, permanent bool, reason anymail.RejectReason, answer string, bounce anymail.Bounce) simulator.Sample {
	s := report("UNDELIVERABLE", anymail.EventBounced, reason, fields{
		"error": fields{"name": name, "description": "It was " + name + ".", "permanent": permanent}, "smtp": fields{"response": answer},
	}, simulator.Answered(answer, bounce), simulator.Described("It was "+name+"."))
	s.Name = name
	return s
}

// dropped is a report of what Infobip did not send.
func dropped(name string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	s := report("REJECTED", typ, reason, fields{"error": fields{"name": name, "description": "It was " + name + ".", "permanent": true}}, simulator.Described("It was "+name+"."))
	s.Name = name
	return s
}

// user is what a recipient did, or a server later. Its time is not told.
func user(kind string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: kind, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason, Untimed: true,
		Events: expected(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.Timestamp = time.Time{} })),
		Make: func(p simulator.Params) simulator.Request {
			f := origin(p)
			maps.Copy(f, fields{
				"notificationType": kind, "eventId": p.EventID, "domain": "example.org", "recipient": p.Recipient, "sender": p.Sender,
				"sendDateTime":  p.Time.Add(-time.Hour).UnixMilli(),
				"recipientInfo": fields{"deviceType": "Phone", "os": "Linux", "deviceName": "Demo"},
			})
			maps.Copy(f, more)
			return simulator.JSON("tracking", simulator.MustJSON(f))
		},
	}
}

// platform is an event of a domain.
func platform(kind string) simulator.Sample {
	return simulator.Sample{
		Name: kind, Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
		Events: func(p simulator.Params) []anymail.Event {
			return []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: p.EventID, Timestamp: p.Time}, Description: kind}}
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(fields{
				"eventId": p.EventID, "createdAt": p.Time.UnixMilli(),
				"eventDetails": fields{"type": kind, "domain": "example.org", "bounceRate": 4.6, "scope": "HOURLY"},
			}))
		},
	}
}

// batch puts all events into one list of results, as only reports are in one.
func batch(requests []simulator.Request) (simulator.Request, error) {
	var list []any
	for _, r := range requests {
		var body struct {
			Results []json.RawMessage `json:"results"`
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return simulator.Request{}, err
		}
		if body.Results == nil {
			body.Results = []json.RawMessage{r.Body}
		}
		for _, one := range body.Results {
			list = append(list, one)
		}
	}
	return results(list...), nil
}

// received is the message of the parameters in parts.
func received(p simulator.Params) simulator.Request {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	form := []simulator.Field{
		{Name: "id", Value: p.EventID}, {Name: "from", Value: m.Headers.Get("From")}, {Name: "to", Value: "[" + desk + "]"}, {Name: "subject", Value: m.Subject},
		{Name: "text", Value: m.Text}, {Name: "html", Value: m.HTML}, {Name: "headers", Value: headers(m.Headers)},
		{Name: "envelope", Value: string(simulator.MustJSON(fields{"from": p.Sender, "to": desk}))},
		{Name: "spfCheck", Value: "pass"}, {Name: "dkimCheck", Value: `{"result":"pass","domains":["example.com"]}`}, {Name: "senderIp", Value: "192.0.2.25"},
	}
	infos := []fields{}
	for i, a := range m.Attachments {
		field := fmt.Sprintf("attachment%d", i+1)
		infos = append(infos, fields{"name": field, "filename": a.Filename, "contentType": a.ContentType, "contentId": a.ContentID})
		form = append(form, simulator.Field{Name: field, Filename: a.Filename, ContentType: a.ContentType, Value: string(a.Content)})
	}
	form = append(form, simulator.Field{Name: "attachmentInfo", Value: string(simulator.MustJSON(infos))})
	return simulator.Multipart("inbound", form...)
}

// headers is a JSON object in the order of the message. Names that are there twice
// have a list.
func headers(list anymail.Headers) string {
	members := make([]string, 0, len(list))
	for i, h := range list {
		var value any = h.Value
		if all := list.Values(h.Name); len(all) > 1 {
			value = all
		}
		if !slices.ContainsFunc(list[:i], func(before anymail.Header) bool { return before.Name == h.Name }) {
			members = append(members, string(simulator.MustJSON(h.Name))+":"+string(simulator.MustJSON(value)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}
