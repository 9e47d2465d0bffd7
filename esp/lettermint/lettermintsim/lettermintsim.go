// Package lettermintsim plays Lettermint, for tests and demonstrations.
package lettermintsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/lettermint"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns Lettermint's simulator. A credential is the secret of both webhooks,
// tracking and inbound.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           lettermint.ESP,
		Title:         "Lettermint",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: "whsec_" + rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return lettermint.New(lettermint.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			seconds := strconv.FormatInt(at.Unix(), 10)
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = fmt.Fprintf(mac, "%s.%s", seconds, r.Body) // a hash never fails
			r.Header.Set("X-Lettermint-Signature", fmt.Sprintf("t=%s,v1=%x", seconds, mac.Sum(nil)))
			r.Header.Set("X-Lettermint-Delivery", seconds)
			return nil
		},
		Situations: map[string]string{"message.policy_rejected": "Not sent: the ESP takes the content for spam"},
		Samples: []simulator.Sample{
			tracking("message.created", anymail.EventQueued, "", fields{"recipient": nil, "to": "{recipients}", "cc": []string{}, "bcc": []string{}}),
			tracking("message.sent", anymail.EventSent, "", nil),
			tracking("message.delivered", anymail.EventDelivered, "", answer(250, "2.0.0", "accepted"), answered(anymail.Bounce{}, "accepted")),
			tracking("message.soft_bounced", anymail.EventDeferred, "", answer(452, "4.2.2", "mailbox full"),
				answered(anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}, "mailbox full")),
			tracking("message.hard_bounced", anymail.EventBounced, anymail.RejectBounced, answer(554, "5.0.0", "refused"),
				answered(anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.0.0"}, "refused")),
			tracking("message.hard_bounced-invalid", anymail.EventBounced, anymail.RejectInvalid, answer(550, "5.1.1", "no such user"),
				answered(anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}, "no such user")),
			tracking("message.hard_bounced-policy", anymail.EventBounced, anymail.RejectBlocked, answer(550, "5.7.1", "not welcome here"),
				answered(anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}, "not welcome here")),
			tracking("message.failed", anymail.EventFailed, anymail.RejectOther, fields{"reason": "the message could not be rendered"}, simulator.Described("the message could not be rendered")),
			tracking("message.suppressed", anymail.EventRejected, anymail.RejectBlocked, fields{"reason": "manual"}, simulator.Described("manual")),
			tracking("message.suppressed-complaint", anymail.EventRejected, anymail.RejectSpam, fields{"reason": "spam_complaint"}, simulator.Described("spam_complaint")),
			tracking("message.suppressed-bounce", anymail.EventRejected, anymail.RejectBounced, fields{"reason": "hard_bounce"}, simulator.Described("hard_bounce")),
			tracking("message.suppressed-unsubscribe", anymail.EventRejected, anymail.RejectUnsubscribed, fields{"reason": "unsubscribe"}, simulator.Described("unsubscribe")),
			tracking("message.policy_rejected", anymail.EventRejected, anymail.RejectBlocked, fields{"recipient": nil, "reason": "spam", "score": 17.5, "spam_symbols": []fields{}},
				simulator.Described("spam"), func(ev *anymail.TrackingEvent) { ev.Recipient = "" }),
			tracking("message.spam_complaint", anymail.EventComplained, anymail.RejectSpam, nil),
			tracking("message.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"unsubscribed_at": "{time}"}),
			tracking("message.auto_replied", anymail.EventAutoresponded, "", nil),
			tracking("message.opened", anymail.EventOpened, "", visit(false, "opened_at"), simulator.Visited(agent, "", anymail.No)),
			tracking("message.opened-machine", anymail.EventOpened, "", visit(true, "opened_at"), simulator.Visited(agent, "", anymail.Yes)),
			tracking("message.clicked", anymail.EventClicked, "", visit(false, "clicked_at"), simulator.Visited(agent, link, anymail.No)),
			tracking("webhook.test", anymail.EventUnknown, "", nil),
			tracking("message.teleported", anymail.EventUnknown, "", nil),
			{
				Name: "message.inbound", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: true,
				Events: func(p simulator.Params) []anymail.Event {
					return p.ReceivedInParts(func(ev *anymail.InboundEvent) {
						m, score := &ev.Message, 0.3
						m.SpamDetected, m.SpamScore = anymail.No, &score
						m.EnvelopeSender, m.EnvelopeRecipient = p.Sender, "help@in.example.org"
						m.EnvelopeRecipients = []string{"help@in.example.org"}
					})
				},
				Make: func(p simulator.Params) simulator.Request { return post("inbound", "message.inbound", p, received(p)) },
			},
			{
				Name: "message.inbound-empty", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInboundFailed},
				Events: func(p simulator.Params) []anymail.Event {
					return []anymail.Event{&anymail.InboundEvent{
						Common: anymail.Common{Type: anymail.EventInboundFailed, ID: p.EventID, Timestamp: p.Time},
					}}
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("inbound", "message.inbound", p, fields{"route": "in"})
				},
			},
		},
	}
}

const (
	link  = "https://shop.example.org/orders/1701?from=mail"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
)

type fields map[string]any

func post(endpoint, event string, p simulator.Params, data fields) simulator.Request {
	return simulator.JSON(endpoint, simulator.MustJSON(fields{
		"id": p.EventID, "event": event, "timestamp": p.Time.Format(time.RFC3339Nano), "data": data,
		"context": fields{"team_id": "t1", "project_id": "p1", "route_id": "r1"},
	}))
}

// tracking is an event of a sent message. The values "{time}" and "{recipients}" stand
// for those of the parameters.
func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) },
		Make: func(p simulator.Params) simulator.Request {
			data := fields{"message_id": p.MessageID, "recipient": p.Recipient, "subject": p.Subject, "tag": p.Tag, "metadata": p.Metadata}
			maps.Copy(data, more)
			for member, value := range data {
				switch value {
				case "{time}":
					data[member] = p.Time.Format(time.RFC3339Nano)
				case "{recipients}":
					data[member] = []string{p.Recipient}
				}
			}
			return post("tracking", event, p, data)
		},
	}
}

func answer(code int, enhanced, text string) fields {
	return fields{"response": fields{"status_code": code, "enhanced_status_code": enhanced, "content": text}}
}

func answered(bounce anymail.Bounce, text string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Bounce, ev.MTAResponse, ev.Description = bounce, text, text }
}

func visit(machine bool, at string) fields {
	f := fields{
		at: "{time}", "user_agent": agent,
		"bot": fields{"detected": machine, "machine": machine, "probability": 0.1, "proxy_type": nil, "reason_codes": []string{}, "counts_for_metrics": !machine},
	}
	if at == "clicked_at" {
		f["destination_url"] = link
	}
	return f
}

// received is the message of the parameters in parts.
func received(p simulator.Params) fields {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	mailboxes := func(list []anymail.Address) []fields {
		full := []fields{}
		for _, a := range list {
			full = append(full, fields{"email": a.Address, "name": a.Name, "subaddress": nil})
		}
		return full
	}
	headers, attachments := []fields{}, []fields{}
	for _, h := range m.Headers {
		headers = append(headers, fields{"name": h.Name, "value": h.Value})
	}
	for _, a := range m.Attachments {
		attachments = append(attachments, fields{
			"filename": a.Filename, "content": base64.StdEncoding.EncodeToString(a.Content), "content_type": a.ContentType, "size": a.Size, "content_id": a.ContentID,
		})
	}
	return fields{
		"route": "in", "message_id": p.MessageID, "from": append(mailboxes(m.From), nil)[0], "to": mailboxes(m.To), "cc": mailboxes(m.CC),
		"recipient": "help@in.example.org", "envelope": fields{"from": p.Sender, "to": []string{"help@in.example.org"}}, "subaddress": nil, "reply_to": nil,
		"subject": m.Subject, "date": m.Headers.Get("Date"), "body": fields{"text": m.Text, "html": m.HTML}, "tag": nil, "headers": headers, "attachments": attachments,
		"is_spam": false, "spam_score": 0.3, "spam_symbols": []fields{},
	}
}
