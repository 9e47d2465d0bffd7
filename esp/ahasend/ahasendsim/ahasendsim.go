// Package ahasendsim plays AhaSend, for tests and demonstrations.
package ahasendsim

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
			tracking("message.transient_error", anymail.EventDeferred, "", nil),
			tracking("message.failed", anymail.EventBounced, anymail.RejectBounced, nil),
			tracking("message.bounced", anymail.EventBounced, anymail.RejectBounced, nil),
			tracking("message.suppressed", anymail.EventRejected, anymail.RejectBlocked, nil),
			tracking("message.opened", anymail.EventOpened, "", visit(false)),
			tracking("message.opened-bot", anymail.EventOpened, "", visit(true)),
			tracking("message.clicked", anymail.EventClicked, "", click),
			tracking("suppression.created", anymail.EventUnknown, "", fields{"reason": "2 hard bounces", "sending_domain": "example.org"}),
			tracking("domain.dns_error", anymail.EventUnknown, "", fields{"recipient": nil, "domain": "example.org"}),
			tracking("message.teleported", anymail.EventUnknown, "", nil),
			inbound("message.routing", anymail.EventInbound, received),
			inbound("route.message", anymail.EventInbound, received),
			inbound("message.routing-empty", anymail.EventInboundFailed, func(simulator.Params) fields { return fields{"size": 0} }),
		},
	}
}

type fields map[string]any

func visit(bot bool) fields {
	return fields{"user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.77", "is_bot": bot}
}

var click = fields{
	"url": "https://shop.example.org/orders/1701?from=mail", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.77", "is_bot": false,
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

func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
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

func inbound(name string, typ anymail.EventType, data func(simulator.Params) fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{typ}, TakesMIME: typ == anymail.EventInbound,
		Make: func(p simulator.Params) simulator.Request { return post("inbound", name, p, data(p)) },
	}
}

// received is the message of the parameters in parts.
func received(p simulator.Params) fields {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	headers, attachments := map[string]string{}, []fields{}
	for _, h := range m.Headers {
		headers[h.Name] = h.Value
	}
	for _, a := range m.Attachments {
		attachments = append(attachments, fields{
			"filename": a.Filename, "content_type": a.ContentType, "content_id": a.ContentID, "disposition": a.Disposition,
			"data": base64.StdEncoding.EncodeToString(a.Content),
		})
	}
	return fields{
		"id": p.EventID, "from": m.Headers.Get("From"), "reply_to": m.Headers.Get("Reply-To"), "to": "help@in.example.org", "subject": m.Subject,
		"message_id": m.Headers.Get("Message-ID"), "size": len(p.MIME), "spam_score": 0.1, "bounce": false, "cc": m.Headers.Get("Cc"),
		"date": m.Headers.Get("Date"), "in_reply_to": m.Headers.Get("In-Reply-To"), "references": m.Headers.Get("References"), "auto_submitted": "",
		"html_body": m.HTML, "plain_body": m.Text, "reply_from_plain_body": m.Text, "attachments": attachments, "headers": headers,
	}
}
