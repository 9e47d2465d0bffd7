// Package mailchimpsim plays Mailchimp, for tests and demonstrations.
package mailchimpsim

import (
	"crypto/md5" // Mailchimp's choice for the id of a contact
	"encoding/hex"
	"maps"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailchimp"
	"github.com/goanymail/anymail/simulator"
)

// New returns Mailchimp's simulator. Mailchimp signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   mailchimp.ESP,
		Title: "Mailchimp",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return mailchimp.New(mailchimp.Config{})
		},
		Samples: []simulator.Sample{
			sample("subscribe", anymail.EventSubscribed, "", data{"ip_opt": "192.0.2.77", "ip_signup": "192.0.2.78"}, func(ev *anymail.TrackingEvent) {
				ev.IP = netip.MustParseAddr("192.0.2.77")
			}),
			sample("unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed,
				data{"action": "unsub", "reason": "manual", "campaign_id": "c7f19"}, simulator.Described("manual"), in("c7f19")),
			sample("unsubscribe-abuse", anymail.EventComplained, anymail.RejectSpam,
				data{"action": "unsub", "reason": "abuse", "campaign_id": "c7f19"}, simulator.Described("abuse"), in("c7f19")),
			sample("unsubscribe-delete", anymail.EventUnknown, "", data{"action": "delete", "reason": "manual"}, simulator.Described("manual")),
			sample("unsubscribe-archive", anymail.EventUnknown, "", data{"action": "archive", "reason": "manual"}, simulator.Described("manual")),
			sample("cleaned-hard", anymail.EventBounced, anymail.RejectBounced, data{"reason": "hard", "campaign_id": "c7f19"},
				simulator.Described("hard"), in("c7f19"), category(anymail.BounceHard)),
			sample("cleaned-abuse", anymail.EventComplained, anymail.RejectSpam, data{"reason": "abuse", "campaign_id": "c7f19"},
				simulator.Described("abuse"), in("c7f19")),
			sample("cleaned", anymail.EventBounced, anymail.RejectBounced, nil, category(anymail.BounceUndetermined)),
			sample("profile", anymail.EventUnknown, "", nil),
			{
				Name: "upemail", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
				Events: func(p simulator.Params) []anymail.Event {
					return p.Event(anymail.EventUnknown, "", unknown, func(ev *anymail.TrackingEvent) {
						ev.Metadata = anymail.Metadata{"list_id": list, "new_email": "ada.byron@example.com"}
					})
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("upemail", p, data{"new_id": contact("ada.byron@example.com" + p.EventID), "new_email": "ada.byron@example.com", "old_email": p.Recipient, "list_id": list})
				},
			},
			{
				Name: "campaign", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
				Events: func(p simulator.Params) []anymail.Event {
					return p.Event(anymail.EventUnknown, "", unknown, func(ev *anymail.TrackingEvent) {
						ev.Recipient, ev.Metadata = "", anymail.Metadata{"list_id": list}
					})
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("campaign", p, data{"id": p.EventID[:10], "subject": p.Subject, "status": "sent", "reason": "", "list_id": list})
				},
			},
			sample("teleport", anymail.EventUnknown, "", nil),
		},
	}
}

const list = "a6b5da1054"

type data map[string]string

func post(typ string, p simulator.Params, d data) simulator.Request {
	values := url.Values{"type": {typ}, "fired_at": {p.Time.Format(time.DateTime)}}
	for name, value := range d {
		if !strings.HasPrefix(name, "[") {
			name = "[" + name + "]"
		}
		values.Set("data"+name, value)
	}
	return simulator.URLEncoded("tracking", values)
}

// sample is an event of a contact.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more data, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){unknown, merges(p.Recipient)}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			d := data{
				"id": contact(p.Recipient), "web_id": strconv.FormatInt(p.Number, 10), "email": p.Recipient, "email_type": "html", "list_id": list,
				"[merges][EMAIL]": p.Recipient, "[merges][ADDRESS][city]": "Zürich", "[merges][ADDRESS][country]": "CH",
			}
			for field, value := range p.Metadata {
				d["[merges]["+field+"]"] = value
			}
			maps.Copy(d, more)
			typ, _, _ := strings.Cut(name, "-")
			return post(typ, p, d)
		},
	}
}

func contact(address string) string {
	sum := md5.Sum([]byte(strings.ToLower(address)))
	return hex.EncodeToString(sum[:])
}

// unknown clears what Mailchimp does not send.
func unknown(ev *anymail.TrackingEvent) { ev.ID, ev.MessageID, ev.Tags = "", "", nil }

func merges(recipient string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		ev.Metadata["list_id"] = list
		ev.Metadata["EMAIL"] = recipient
		ev.Metadata["ADDRESS"] = map[string]any{"city": "Zürich", "country": "CH"}
	}
}

func in(campaign string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Metadata["campaign_id"] = campaign }
}

func category(c anymail.BounceCategory) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Bounce.Category = c }
}
