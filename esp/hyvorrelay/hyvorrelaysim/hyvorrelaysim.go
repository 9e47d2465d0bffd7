// Package hyvorrelaysim plays Hyvor Relay, for tests and demonstrations.
package hyvorrelaysim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/hyvorrelay"
	"github.com/goanymail/anymail/simulator"
)

// New returns Hyvor Relay's simulator. A credential is the secret of a webhook.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   hyvorrelay.ESP,
		Title: "Hyvor Relay",
		NewCredential: func() simulator.Credential {
			secret := make([]byte, 16)
			_, _ = rand.Read(secret) // never fails
			return simulator.Credential{Config: hex.EncodeToString(secret)}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return hyvorrelay.New(hyvorrelay.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = mac.Write(r.Body) // a hash never fails
			r.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			attempt("send.recipient.accepted", reply{250, "2.0.0", "queued as 7F3"}, anymail.EventDelivered, "", simulator.Answered("250 2.0.0 queued as 7F3", anymail.Bounce{})),
			attempt("send.recipient.deferred", reply{451, "4.3.0", "try again later"}, anymail.EventDeferred, "",
				simulator.Answered("451 4.3.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.3.0"})),
			attempt("send.recipient.deferred-network", reply{0, "0.0.0", ""}, anymail.EventDeferred, "",
				simulator.Described("connection refused"), func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceSoft }),
			attempt("send.recipient.bounced", reply{550, "0.0.0", "refused"}, anymail.EventBounced, anymail.RejectBounced,
				simulator.Answered("550 refused", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550})),
			attempt("send.recipient.bounced-invalid", reply{550, "5.1.1", "no such user"}, anymail.EventBounced, anymail.RejectInvalid,
				simulator.Answered("550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			attempt("send.recipient.bounced-policy", reply{554, "5.7.1", "not welcome"}, anymail.EventBounced, anymail.RejectBlocked,
				simulator.Answered("554 5.7.1 not welcome", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"})),
			untimed("send.recipient.bounced-full", fields{"bounce": fields{"text": "The mailbox is full", "status": "5.2.2"}}, anymail.EventBounced, anymail.RejectBounced,
				simulator.Answered("", anymail.Bounce{Category: anymail.BounceSoft, EnhancedCode: "5.2.2"}), simulator.Described("The mailbox is full")),
			attempt("send.recipient.failed", reply{451, "4.3.0", "try again later"}, anymail.EventBounced, anymail.RejectTimedOut,
				simulator.Answered("451 4.3.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.3.0"})),
			complaint("send.recipient.complained", "abuse", anymail.EventComplained, anymail.RejectSpam),
			complaint("send.recipient.complained-not-spam", "not-spam", anymail.EventUnknown, ""),
			untimed("send.recipient.suppressed-bounce", suppressed("bounce"), anymail.EventRejected, anymail.RejectBounced, simulator.Described("a report")),
			untimed("send.recipient.suppressed-complaint", suppressed("complaint"), anymail.EventRejected, anymail.RejectSpam, simulator.Described("a report")),
			about("suppression.created", func(p simulator.Params) fields {
				return fields{"suppression": fields{"id": p.Number, "created_at": p.Time.Unix(), "email": p.Recipient, "reason": "bounce", "description": "a report"}}
			}, simulator.Described("a report")),
			about("suppression.deleted", func(p simulator.Params) fields {
				return fields{"suppression": fields{"id": p.Number, "created_at": p.Time.Unix() - 86400, "email": p.Recipient, "reason": "bounce", "description": nil}}
			}, noTime),
			about("domain.created", domain, noTime, noRecipient),
			about("domain.status.changed", domain, noTime, noRecipient),
			about("domain.deleted", domain, noTime, noRecipient),
			attempt("send.recipient.teleported", reply{250, "2.0.0", "OK"}, anymail.EventUnknown, "",
				simulator.Answered("250 2.0.0 OK", anymail.Bounce{SMTPCode: 250, EnhancedCode: "2.0.0"})),
		},
	}
}

type fields map[string]any

type reply struct {
	code     int
	enhanced string
	text     string
}

func post(name string, payload fields) simulator.Request {
	event, _, _ := strings.Cut(name, "-")
	return simulator.JSON("tracking", simulator.MustJSON(fields{"event": event, "payload": payload}))
}

// sent is what an event of a recipient has. Message ids are made of the parts that are
// posted.
func sent(p simulator.Params) fields {
	recipient := fields{"id": p.Number, "type": "to", "address": p.Recipient, "name": "", "status": "accepted", "try_count": 1}
	return fields{
		"send": fields{
			"id": p.Number, "uuid": p.MessageID, "created_at": p.Time.Unix(), "from_address": p.Sender, "from_name": nil, "subject": p.Subject, "size_bytes": 900,
			"queued": false, "send_after": p.Time.Unix(), "headers": p.Metadata, "recipients": []fields{recipient}, "attempts": []fields{}, "feedback": []fields{},
		},
		"recipient": recipient,
	}
}

// sample is an event of a recipient, named after the event and what makes it special.
func sample(name string, more func(simulator.Params) fields, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			_, domain, _ := strings.Cut(p.Sender, "@")
			p.MessageID += "@" + domain
			return p.Event(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.ID, ev.Tags = "", nil })...)
		},
		Make: func(p simulator.Params) simulator.Request {
			payload := sent(p)
			for member, value := range more(p) {
				payload[member] = value
			}
			return post(name, payload)
		},
	}
}

func attempt(name string, r reply, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return sample(name, func(p simulator.Params) fields {
		at := p.Time.Unix()
		conversation := fields{"start_time": p.Time.Format(time.RFC3339), "duration_ms": 120, "network_error": "", "steps": []fields{}}
		if r.code == 0 {
			conversation["network_error"] = "connection refused"
		}
		return fields{"attempt": fields{
			"id": p.Number, "created_at": at, "status": "accepted", "try_count": 1, "domain": "example.com", "resolved_mx_hosts": []string{"mx.example.com"},
			"responded_mx_host": "mx.example.com", "smtp_conversations": fields{"mx.example.com": conversation}, "duration_ms": 120, "recipients": []fields{
				{"id": 1, "created_at": at, "recipient_id": p.Number + 1, "recipient_status": "bounced", "smtp_code": 552, "smtp_enhanced_code": "5.2.2", "smtp_message": "full", "is_suppressed": false},
				{"id": 2, "created_at": at, "recipient_id": p.Number, "recipient_status": "accepted", "smtp_code": r.code, "smtp_enhanced_code": r.enhanced, "smtp_message": r.text, "is_suppressed": false},
			},
		}}
	}, typ, reason, changes...)
}

func noTime(ev *anymail.TrackingEvent)      { ev.Timestamp = time.Time{} }
func noRecipient(ev *anymail.TrackingEvent) { ev.Recipient = "" }

// untimed is an event of a recipient that is not about an attempt.
func untimed(name string, more fields, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	s := sample(name, func(simulator.Params) fields { return more }, typ, reason, append(changes, noTime)...)
	s.Untimed = true
	return s
}

func complaint(name, kind string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return untimed(name, fields{"complaint": fields{"text": "a report", "feedback_type": kind}}, typ, reason, simulator.Described("a report"))
}

func suppressed(reason string) fields {
	return fields{"suppression": fields{"id": 5, "created_at": 1700000000, "email": "ada@example.com", "reason": reason, "description": "a report"}}
}

// about is an event that is not about a message.
func about(name string, payload func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	s := sample(name, payload, anymail.EventUnknown, "", append(changes, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Metadata = "", nil })...)
	s.Make = func(p simulator.Params) simulator.Request { return post(name, payload(p)) }
	s.Untimed = name != "suppression.created"
	return s
}

func domain(p simulator.Params) fields {
	return fields{"domain": fields{"id": p.Number, "created_at": p.Time.Unix(), "domain": "example.org", "status": "active"}, "old_status": "pending", "new_status": "active"}
}
