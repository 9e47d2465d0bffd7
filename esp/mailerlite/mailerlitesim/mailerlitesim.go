// Package mailerlitesim plays MailerLite, for tests and demonstrations.
package mailerlitesim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailerlite"
	"github.com/goanymail/anymail/simulator"
)

// New returns MailerLite's simulator.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   mailerlite.ESP,
		Title: "MailerLite",
		NewCredential: func() simulator.Credential {
			secret := rand.Text()
			return simulator.Credential{Config: secret, Private: secret}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return mailerlite.New(mailerlite.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Private.(string)))
			_, _ = mac.Write(r.Body) // a hash never fails
			r.Header.Set("Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			flat("subscriber.created", anymail.EventSubscribed, "", object{"optin_ip": "192.0.2.77"}, func(ev *anymail.TrackingEvent) {
				ev.IP = netip.MustParseAddr("192.0.2.77")
			}),
			flat("subscriber.created-unconfirmed", anymail.EventUnknown, "", object{"status": "unconfirmed"}),
			flat("subscriber.active", anymail.EventSubscribed, "", nil),
			flat("subscriber.updated", anymail.EventUnknown, "", nil),
			flat("subscriber.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, object{"status": "unsubscribed", "unsubscribed_at": "{time}"}),
			flat("subscriber.bounced", anymail.EventBounced, anymail.RejectBounced, object{"status": "bounced"}, func(ev *anymail.TrackingEvent) {
				ev.Bounce.Category = anymail.BounceUndetermined
			}),
			flat("subscriber.spam_reported", anymail.EventComplained, anymail.RejectSpam, object{"status": "junk"}),
			batched(flat("subscriber.deleted", anymail.EventUnknown, "", object{"deleted_at": "{time}"})),
			nested("subscriber.added_to_group", "group", "Readers"),
			nested("subscriber.removed_from_group", "group", "Readers"),
			nested("subscriber.automation_triggered", "automation", "Welcome"),
			nested("subscriber.automation_completed", "automation", "Welcome"),
			batched(visit("campaign.open", anymail.EventOpened)),
			batched(visit("campaign.click", anymail.EventClicked)),
			{
				Name: "campaign.sent", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
				Events: func(p simulator.Params) []anymail.Event {
					return p.Event(anymail.EventUnknown, "", bare, simulator.Described(p.Subject), func(ev *anymail.TrackingEvent) {
						ev.Recipient, ev.Metadata = "", nil
					})
				},
				Make: func(p simulator.Params) simulator.Request {
					return post(object{
						"id": number(p), "name": p.Subject, "total_recipients": 1701, "preview_url": "https://dashboard.mailerlite.com/preview/7/emails/61",
						"date": p.Time.Format("2006-01-02T15:04:05.000000Z"), "event": "campaign.sent", "account_id": 7,
					})
				},
			},
			flat("subscriber.teleported", anymail.EventUnknown, "", nil, untimed),
		},
		Batch: batch,
		Malformed: func(p simulator.Params) simulator.Request {
			of := func(event string) json.RawMessage { return simulator.MustJSON(subscriber(event, p)) }
			return post(object{"events": []json.RawMessage{of("subscriber.unsubscribed"), []byte(`["subscriber.bounced"]`), of("subscriber.spam_reported")}, "total": 3})
		},
	}
}

type object = map[string]any

func post(body object) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(body))
}

// number is an id such as MailerLite has: digits, as text.
func number(p simulator.Params) string { return strconv.FormatInt(p.Number, 10) }

// subscriber has the members of all flat events.
func subscriber(event string, p simulator.Params) object {
	at := p.Time.Format(time.DateTime)
	return object{
		"id": number(p), "email": p.Recipient, "status": "active", "source": "api", "sent": 17, "opens_count": 4, "clicks_count": 2,
		"ip_address": nil, "subscribed_at": "2026-01-05 08:00:00", "unsubscribed_at": nil, "created_at": at, "updated_at": at,
		"fields": p.Metadata, "opted_in_at": nil, "optin_ip": nil, "event": event, "account_id": 7,
	}
}

// flat is an event with the subscriber's members. The value "{time}" is its time.
func flat(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason, Untimed: event == "subscriber.teleported",
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){bare}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			members := subscriber(event, p)
			maps.Copy(members, more)
			for member, value := range members {
				if value == "{time}" {
					members[member] = p.Time.Format(time.DateTime)
				}
			}
			return post(members)
		},
	}
}

// nested is an event with a subscriber and the group or automation of that name.
func nested(event, kind, name string) simulator.Sample {
	return simulator.Sample{
		Name: event, Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown}, Untimed: true,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(anymail.EventUnknown, "", bare, untimed, simulator.Described(name))
		},
		Make: func(p simulator.Params) simulator.Request {
			members := subscriber(event, p)
			delete(members, "event")
			delete(members, "account_id")
			return post(object{"type": event, "subscriber": members, kind: object{"id": "61", "name": name}, "event": event, "account_id": 7})
		},
	}
}

// visit is an open or a click. MailerLite does not document its members.
func visit(event string, typ anymail.EventType) simulator.Sample {
	s := flat(event, typ, "", nil, untimed)
	s.Untimed = true
	return s
}

// batched is a sample of an event that MailerLite posts in batches only.
func batched(s simulator.Sample) simulator.Sample {
	alone := s.Make
	s.Make = func(p simulator.Params) simulator.Request {
		r, _ := batch([]simulator.Request{alone(p)}) // it has an event
		return r
	}
	return s
}

func batch(requests []simulator.Request) (simulator.Request, error) {
	if len(requests) == 0 {
		return simulator.Request{}, errors.New("mailerlitesim: no requests to join")
	}
	var events []json.RawMessage
	for _, r := range requests {
		var b struct {
			Events []json.RawMessage `json:"events"`
		}
		if err := json.Unmarshal(r.Body, &b); err != nil {
			return simulator.Request{}, err
		}
		if b.Events == nil {
			b.Events = []json.RawMessage{r.Body}
		}
		events = append(events, b.Events...)
	}
	return post(object{"events": events, "total": len(events)}), nil
}

// bare clears what MailerLite does not send.
func bare(ev *anymail.TrackingEvent) { ev.ID, ev.MessageID, ev.Tags = "", "", nil }

func untimed(ev *anymail.TrackingEvent) { ev.Timestamp = time.Time{} }
