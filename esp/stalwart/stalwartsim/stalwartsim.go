// Package stalwartsim plays Stalwart, for tests and demonstrations.
package stalwartsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/stalwart"
	"github.com/goanymail/anymail/simulator"
)

// New returns Stalwart's simulator. A credential is the signature key of a webhook.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           stalwart.ESP,
		Title:         "Stalwart",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return stalwart.New(stalwart.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = mac.Write(r.Body) // a hash never fails
			r.Header.Set("X-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			queued(),
			delivery("delivery.delivered", anymail.EventDelivered, fields{"code": 250, "details": "queued as 7F3"}, simulator.Answered("250 queued as 7F3", anymail.Bounce{})),
			delivery("delivery.dsn-success", anymail.EventDelivered, fields{"code": 250, "details": "queued as 7F3"}, simulator.Answered("250 queued as 7F3", anymail.Bounce{})),
			delivery("delivery.dsn-temp-fail", anymail.EventDeferred, fields{"details": "Connection failed: timed out", "nextRetry": "2026-09-21T15:00:00Z", "total": 1},
				simulator.Described("Connection failed: timed out"), func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceSoft }),
			failed("delivery.dsn-temp-fail, answered", 451, "4.3.0", "later", anymail.EventDeferred, "", anymail.BounceSoft),
			failed("delivery.dsn-perm-fail", 550, "0.0.0", "refused", anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard),
			failed("delivery.dsn-perm-fail, unknown user", 550, "5.1.1", "no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard),
			failed("delivery.dsn-perm-fail, full", 552, "5.2.2", "full", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft),
			failed("delivery.dsn-perm-fail, policy", 554, "5.7.1", "not welcome", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock),
			failed("delivery.dsn-perm-fail, given up", 451, "4.3.0", "later", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft),
			with(delivery("delivery.dsn-perm-fail, unanswered", anymail.EventBounced, fields{"details": "TLS error: bad certificate", "total": 9},
				simulator.Described("TLS error: bad certificate"), func(ev *anymail.TrackingEvent) {
					ev.RejectReason, ev.Bounce.Category = anymail.RejectBounced, anymail.BounceUndetermined
				}), anymail.RejectBounced),
			delivery("delivery.rcpt-to-rejected", anymail.EventDeferred, fields{"code": 450, "details": "busy"},
				simulator.Answered("450 busy", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 450})),
			delivery("delivery.rcpt-to-rejected, for good", anymail.EventUnknown, fields{"code": 550, "details": "no such user"},
				simulator.Answered("550 no such user", anymail.Bounce{SMTPCode: 550})),
			delivery("delivery.message-rejected", anymail.EventUnknown, fields{"to": nil, "code": 554, "details": "spam"},
				simulator.Answered("554 spam", anymail.Bounce{SMTPCode: 554}), noRecipient),
			delivery("delivery.mail-from-rejected", anymail.EventUnknown, fields{"to": nil, "causedBy": "reply"}, noRecipient),
			delivery("delivery.failed", anymail.EventUnknown, fields{"to": nil, "reason": "no route"}, simulator.Described("no route"), noRecipient),
			delivery("delivery.completed", anymail.EventUnknown, fields{"to": nil, "elapsed": 1200}, noRecipient),
			other("incoming-report.abuse-report", fields{"domain": []string{"example.org"}, "hostname": "fbl.example.net", "total": 1}),
			other("incoming-report.fraud-report", fields{"domain": []string{"example.org"}, "total": 1}),
			other("auth.success", fields{"accountName": "ada", "remoteIp": "192.0.2.7"}),
			other("message.teleported", fields{"hostname": "mx.example.com"}),
		},
		Batch: batch,
		Malformed: func(p simulator.Params) simulator.Request {
			r, _ := batch([]simulator.Request{ // three events are a batch
				post("delivery.delivered", p, fields{"to": p.Recipient}), {Body: []byte(`{"events":[[1]]}`)}, post("delivery.dsn-temp-fail", p, fields{"to": p.Recipient}),
			})
			return r
		},
	}
}

type fields map[string]any

// post makes a request of one event. Its id is another one in each attempt.
func post(name string, p simulator.Params, data fields) simulator.Request {
	typ, _, _ := strings.Cut(name, ", ")
	r := simulator.JSON("tracking", simulator.MustJSON(fields{"events": []fields{{
		"id": strconv.FormatInt(p.Time.Unix(), 10) + rand.Text()[:6], "createdAt": p.Time.Format(time.RFC3339), "type": typ, "data": data,
	}}}))
	r.Header.Del("Content-Type") // Stalwart sets none
	return r
}

// batch joins the events of requests, as Stalwart does if it could not post them before.
func batch(requests []simulator.Request) (simulator.Request, error) {
	var all []json.RawMessage
	for _, r := range requests {
		var w struct {
			Events []json.RawMessage `json:"events"`
		}
		if err := json.Unmarshal(r.Body, &w); err != nil {
			return simulator.Request{}, fmt.Errorf("stalwartsim: %w", err)
		}
		all = append(all, w.Events...)
	}
	joined := simulator.JSON("tracking", simulator.MustJSON(fields{"events": all}))
	joined.Header.Del("Content-Type")
	return joined, nil
}

// delivery is an event of a queued message, named after its type and what makes it
// special.
func delivery(name string, typ anymail.EventType, data fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ},
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(typ, "", append([]func(*anymail.TrackingEvent){func(ev *anymail.TrackingEvent) { ev.ID, ev.Tags, ev.Metadata = "", nil, nil }}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			all := fields{"spanId": p.Number, "to": p.Recipient, "hostname": "mx.example.com", "queueId": p.MessageID, "queueName": "remote", "from": p.Sender, "size": 900}
			maps.Copy(all, data)
			return post(name, p, all)
		},
	}
}

func with(s simulator.Sample, reason anymail.RejectReason) simulator.Sample {
	s.Reason = reason
	return s
}

// failed is a dsn- event with the answer of the receiving server in its details.
func failed(name string, code int, enhanced, text string, typ anymail.EventType, reason anymail.RejectReason, category anymail.BounceCategory) simulator.Sample {
	details := fmt.Sprintf("Unexpected response for RCPT TO:<ada@example.com>: Code: %d, Enhanced code: %s, Message: %s", code, enhanced, text)
	bounce := anymail.Bounce{Category: category, SMTPCode: code}
	answer := fmt.Sprintf("%d %s", code, text)
	if enhanced != "0.0.0" {
		bounce.EnhancedCode = enhanced
		answer = fmt.Sprintf("%d %s %s", code, enhanced, text)
	}
	return with(delivery(name, typ, fields{"details": details, "total": 1}, simulator.Described(details), simulator.Answered(answer, bounce),
		func(ev *anymail.TrackingEvent) { ev.RejectReason = reason }), reason)
}

// queued is a submission for two recipients.
func queued() simulator.Sample {
	s := delivery("queue.queue-message-authenticated", anymail.EventQueued, nil)
	one := s.Events
	s.Types = append(s.Types, anymail.EventQueued)
	s.Events = func(p simulator.Params) []anymail.Event {
		events := one(p)
		p.Recipient = "grace@example.com"
		return append(events, one(p)...)
	}
	s.Make = func(p simulator.Params) simulator.Request {
		return post(s.Name, p, fields{"spanId": p.Number, "queueId": p.MessageID, "from": p.Sender, "to": []string{p.Recipient, "grace@example.com"}, "size": 900})
	}
	return s
}

func noRecipient(ev *anymail.TrackingEvent) { ev.Recipient = "" }

// other is an event that is not about a queued message.
func other(name string, data fields) simulator.Sample {
	s := delivery(name, anymail.EventUnknown, nil, noRecipient, func(ev *anymail.TrackingEvent) { ev.MessageID = "" })
	s.Make = func(p simulator.Params) simulator.Request {
		all := fields{"spanId": p.Number}
		maps.Copy(all, data)
		return post(name, p, all)
	}
	return s
}
