// Package sendpulsesim plays SendPulse, for tests and demonstrations.
package sendpulsesim

import (
	"hash/fnv"
	"maps"
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/sendpulse"
	"github.com/goanymail/anymail/simulator"
)

// New returns SendPulse's simulator. SendPulse signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   sendpulse.ESP,
		Title: "SendPulse",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return sendpulse.New(sendpulse.Config{})
		},
		Samples: []simulator.Sample{
			sample("delivered", mail, anymail.EventDelivered, "", answer("250", "", "OK"), simulator.Answered("OK", anymail.Bounce{})),
			sample("undelivered", mail, anymail.EventBounced, anymail.RejectBounced, answer("554", "5.0.0", "refused"),
				simulator.Answered("refused", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.0.0"})),
			sample("undelivered-unsaid", mail, anymail.EventBounced, anymail.RejectBounced, nil, category(anymail.BounceUndetermined)),
			sample("hard_bounces", campaign, anymail.EventBounced, anymail.RejectBounced, answer(554, "5.0.0", "refused"),
				simulator.Answered("refused", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.0.0"})),
			sample("hard_bounces-invalid", campaign, anymail.EventBounced, anymail.RejectInvalid, answer(550, "5.1.1", "no such user"),
				simulator.Answered("no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			sample("soft_bounces", campaign, anymail.EventBounced, anymail.RejectBounced, answer(452, "4.2.2", "mailbox full"),
				simulator.Answered("mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			sample("opened", mail, anymail.EventOpened, "", nil),
			sample("clicked", mail, anymail.EventClicked, "", fields{"link_url": link}, simulator.Visited("", link, anymail.Unsaid)),
			sample("spam_by_user", mail, anymail.EventComplained, anymail.RejectSpam, nil),
			sample("unsubscribed", mail, anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			sample("resubscribed", mail, anymail.EventSubscribed, "", nil),
			sample("open", campaign, anymail.EventOpened, "", fields{"open_device": "Desktop", "open_platform": "Linux", "browser_name": "Firefox", "browser_ver": "140"}),
			sample("redirect", campaign, anymail.EventClicked, "", fields{"link_url": link, "link_id": 7}, simulator.Visited("", link, anymail.Unsaid)),
			sample("spam", campaign, anymail.EventComplained, anymail.RejectSpam, nil),
			sample("unsubscribe", campaign, anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"from_all": 1, "reason": "too many"}, simulator.Described("too many")),
			sample("new_emails", campaign, anymail.EventSubscribed, "", fields{"task_id": nil}, func(ev *anymail.TrackingEvent) { ev.MessageID = "" }),
			sample("teleported", mail, anymail.EventUnknown, "", nil),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return post(event("delivered", mail, p, nil), []int{1}, event("opened", mail, p, nil))
		},
	}
}

type fields map[string]any

const link = "https://shop.example.org/orders/1701?from=mail"

func answer(code any, enhanced, text string) fields {
	return fields{"smtp_server_response_code": code, "smtp_server_response_subcode": enhanced, "smtp_server_response": text}
}

func category(c anymail.BounceCategory) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Bounce.Category = c }
}

func post(events ...any) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(events))
}

// number makes a number of an id, like SendPulse's. An id that is a number stays.
func number(id string) int64 {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		return n
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return int64(h.Sum32())
}

// mail has the members of the SMTP service, campaign those of the email service.
func mail(p simulator.Params) fields {
	return fields{"message_id": number(p.MessageID), "recipient": p.Recipient, "sender": p.Sender, "subject": p.Subject}
}

func campaign(p simulator.Params) fields {
	return fields{"task_id": number(p.MessageID), "email": p.Recipient, "book_id": 9}
}

func event(name string, service func(simulator.Params) fields, p simulator.Params, more fields) fields {
	event, _, _ := strings.Cut(name, "-")
	f := service(p)
	f["event"], f["timestamp"] = event, p.Time.Unix()
	maps.Copy(f, more)
	return f
}

// sample is one event. SendPulse has neither event ids nor tags and metadata.
func sample(name string, service func(simulator.Params) fields, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.MessageID, p.Metadata = "", strconv.FormatInt(number(p.MessageID), 10), nil
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){func(ev *anymail.TrackingEvent) { ev.Tags = nil }}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request { return post(event(name, service, p, more)) },
	}
}
