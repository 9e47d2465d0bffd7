// Package ahasendsim plays AhaSend, for tests and demonstrations.
package ahasendsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/ahasend"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns AhaSend's simulator. A credential is the secret of a webhook and of an
// inbound route.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           ahasend.ESP,
		Title:         "AhaSend",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: "aha-whsec-" + rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return ahasend.New(ahasend.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			seconds := strconv.FormatInt(at.Unix(), 10)
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), seconds, r.Body) // a hash never fails
			r.Header.Set("webhook-timestamp", seconds)
			r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			tracking("message.reception", anymail.EventQueued, "", nil),
			tracking("message.delivered", anymail.EventDelivered, "", nil),
			tracking("message.transient_error", anymail.EventDeferred, "", nil, category(anymail.BounceSoft)),
			tracking("message.failed", anymail.EventBounced, anymail.RejectBounced, nil, category(anymail.BounceHard)),
			tracking("message.bounced", anymail.EventBounced, anymail.RejectBounced, nil, category(anymail.BounceUndetermined)),
			tracking("message.suppressed", anymail.EventRejected, anymail.RejectBlocked, nil),
			tracking("message.opened", anymail.EventOpened, "", visit(false, ""), at, simulator.Visited(agent, "", anymail.No)),
			tracking("message.opened-bot", anymail.EventOpened, "", visit(true, ""), at, simulator.Visited(agent, "", anymail.Yes)),
			tracking("message.clicked", anymail.EventClicked, "", visit(false, link), at, simulator.Visited(agent, link, anymail.No)),
			tracking("suppression.created", anymail.EventUnknown, "", fields{"reason": "2 hard bounces", "sending_domain": "example.org"}, simulator.Described("2 hard bounces")),
			tracking("domain.dns_error", anymail.EventUnknown, "", fields{"recipient": nil, "domain": "example.org"}, func(ev *anymail.TrackingEvent) { ev.Recipient = "" }),
			tracking("message.teleported", anymail.EventUnknown, "", nil),
			routed("message.routing"),
			routed("route.message"),
			{
				Name: "message.routing-empty", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInboundFailed},
				Events: func(p simulator.Params) []anymail.Event {
					return []anymail.Event{&anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInboundFailed, ID: "evt_" + p.EventID, Timestamp: p.Time}}}
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("inbound", "message.routing", p, fields{"size": 0})
				},
			},
		},
	}
}

type fields map[string]any

const (
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	link  = "https://shop.example.org/orders/1701?from=mail"
	desk  = "help@in.example.org"
	reply = "Where is it?"
)

func visit(bot bool, url string) fields {
	f := fields{"user_agent": agent, "ip": "192.0.2.77", "is_bot": bot}
	if url != "" {
		f["url"] = url
	}
	return f
}

func at(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") }

func category(c anymail.BounceCategory) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Bounce.Category = c }
}

// post makes a request. A suffix of the name, after "-", is only in the sample's name.
func post(endpoint, name string, p simulator.Params, data fields) simulator.Request {
	event, _, _ := strings.Cut(name, "-")
	r := simulator.JSON(endpoint, simulator.MustJSON(fields{
		"type": event, "webhook_id": "7b0c0c9e-0000-4000-8000-000000000001", "timestamp": p.Time.Format("2006-01-02T15:04:05.000000000Z"), "data": data,
	}))
	r.Header.Set("webhook-id", "evt_"+p.EventID)
	return r
}

func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.MessageID = "evt_"+p.EventID, p.MessageID+"@example.org"
			return p.Event(typ, reason, append(changes, simulator.Unlabelled)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			data := fields{
				"account_id": "7b0c0c9e-0000-4000-8000-000000000002", "from": p.Sender, "recipient": p.Recipient, "subject": p.Subject,
				"message_id_header": "<" + p.MessageID + "@example.org>", "id": p.MessageID,
			}
			maps.Copy(data, more)
			return post("tracking", name, p, data)
		},
	}
}

func routed(name string) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: true,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID = "evt_" + p.EventID
			return p.ReceivedInParts(simulator.Envelope("", desk), func(ev *anymail.InboundEvent) {
				m, score := &ev.Message, 0.1
				m.Headers, m.StrippedText, m.SpamScore = once(m.Headers), reply, &score
			})
		},
		Make: func(p simulator.Params) simulator.Request { return post("inbound", name, p, received(p)) },
	}
}

// once returns the header fields as AhaSend has them: by name, each once.
func once(all anymail.Headers) anymail.Headers {
	values := map[string]string{}
	for _, h := range all {
		values[h.Name] = h.Value
	}
	var list anymail.Headers
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, anymail.Header{Name: name, Value: values[name]})
	}
	return list
}

// received is the message of the parameters in parts.
func received(p simulator.Params) fields {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	headers, attachments := map[string]string{}, []fields{}
	for _, h := range once(m.Headers) {
		headers[h.Name] = h.Value
	}
	for _, a := range m.Attachments {
		attachments = append(attachments, fields{
			"filename": a.Filename, "content_type": a.ContentType, "content_id": a.ContentID, "disposition": a.Disposition,
			"data": base64.StdEncoding.EncodeToString(a.Content),
		})
	}
	return fields{
		"id": p.EventID, "from": m.Headers.Get("From"), "reply_to": m.Headers.Get("Reply-To"), "to": desk, "subject": m.Subject,
		"message_id": m.Headers.Get("Message-ID"), "size": len(p.MIME), "spam_score": 0.1, "bounce": false, "cc": m.Headers.Get("Cc"),
		"date": m.Headers.Get("Date"), "in_reply_to": m.Headers.Get("In-Reply-To"), "references": m.Headers.Get("References"), "auto_submitted": "",
		"html_body": m.HTML, "plain_body": m.Text, "reply_from_plain_body": reply, "attachments": attachments, "headers": headers,
	}
}
