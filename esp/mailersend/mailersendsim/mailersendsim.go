// Package mailersendsim plays MailerSend, for tests and demonstrations.
package mailersendsim

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"maps"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailersend"
	"github.com/goanymail/anymail/simulator"
)

//go:embed testdata
var files embed.FS

// New returns MailerSend's simulator. A credential is the secret of a webhook and
// of an inbound route.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           mailersend.ESP,
		Title:         "MailerSend",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return mailersend.New(mailersend.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			r.Header.Set("Signature", sign(c.Config, r.Body))
			return nil
		},
		Samples: []simulator.Sample{
			activity("sent", anymail.EventSent, "", nil),
			activity("delivered", anymail.EventDelivered, "", nil),
			activity("deferred", anymail.EventDeferred, "", fields{"reject_reason": "421 4.7.0 try again later"}),
			activity("soft_bounced", anymail.EventBounced, anymail.RejectBounced, fields{"bounce_code": 452, "bounce_reason": "4.2.2 mailbox full"}),
			activity("hard_bounced", anymail.EventBounced, anymail.RejectBounced, fields{"bounce_code": "554", "bounce_reason": "5.2.1 mailbox disabled"}),
			activity("hard_bounced-policy", anymail.EventBounced, anymail.RejectBlocked, fields{"bounce_code": "554", "bounce_reason": "5.7.1 not welcome here"}),
			activity("hard_bounced-invalid", anymail.EventBounced, anymail.RejectInvalid, fields{"bounce_code": 550, "bounce_reason": "5.1.1 no such user"}),
			activity("suppressed", anymail.EventRejected, anymail.RejectBlocked, fields{"suppression_reason": "blocklist"}),
			activity("suppressed-bounced", anymail.EventRejected, anymail.RejectBounced, fields{"suppression_reason": "hard_bounce"}),
			activity("suppressed-spam", anymail.EventRejected, anymail.RejectSpam, fields{"suppression_reason": "spam_complaint"}),
			activity("suppressed-unsubscribed", anymail.EventRejected, anymail.RejectUnsubscribed, fields{"suppression_reason": "unsubscribe"}),
			activity("opened", anymail.EventOpened, "", reader),
			activity("opened_unique", anymail.EventOpened, "", nil),
			activity("clicked", anymail.EventClicked, "", clicked),
			activity("clicked_unique", anymail.EventClicked, "", clicked),
			activity("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"unsubscribe_reason": "too many mails"}),
			activity("spam_complaint", anymail.EventComplained, anymail.RejectSpam, nil),
			activity("survey_opened", anymail.EventUnknown, "", nil),
			activity("survey_submitted", anymail.EventUnknown, "", fields{"surveys": []any{fields{"question_id": 1, "survey_id": 7, "answer": "yes", "is_last_question": true}}}),
			activity("teleported", anymail.EventUnknown, "", nil),
			other("recipient.on_hold_added", time.RFC3339Nano, anymail.EventUnknown, fields{}),
			other("recipient.on_hold_removed", time.RFC3339Nano, anymail.EventUnknown, fields{}),
			other("inbound_message.rejected", time.RFC3339Nano, anymail.EventInboundFailed, fields{"reason": "attachment_size_exceeded"}),
			other("inbound_forward.failed", time.DateTime, anymail.EventInboundFailed, fields{"id": nil, "inbound_id": "in1", "inbound_message_id": "{id}"}),
			other("sender_identity.verified", time.DateTime, anymail.EventUnknown, fields{"object": "sender_identity", "name": "News", "is_verified": true}),
			other("maintenance.start", time.DateTime, anymail.EventUnknown, fields{"id": nil, "domain_id": "{id}"}),
			other("maintenance.end", time.DateTime, anymail.EventUnknown, fields{"id": nil, "domain_id": "{id}"}),
			other("email_single.verified", time.DateTime, anymail.EventUnknown, fields{"address": "ada@example.com", "status": "completed", "result": "valid"}),
			other("email_list.created", time.DateTime, anymail.EventUnknown, fields{"name": "list.csv", "total": 1}),
			other("email_list.verified", time.DateTime, anymail.EventUnknown, fields{"name": "list.csv", "total": 1, "statistics": fields{"valid": 1}}),
			other("bulk_email.completed", time.DateTime, anymail.EventUnknown, fields{"state": "completed", "total_recipients_count": 2, "messages_id": []string{"m1", "m2"}}),
			other("sms.delivered", time.RFC3339Nano, anymail.EventUnknown, fields{"to": "+15550100"}),
			legacy("sent", anymail.EventSent, "", nil),
			legacy("clicked", anymail.EventClicked, "", fields{"object": "click", "ip": "192.0.2.77", "url": "https://shop.example.org/orders/1701?from=mail"}),
			legacy("hard_bounced", anymail.EventBounced, anymail.RejectInvalid, fields{"object": "recipient_bounce", "reason": "Host or domain name not found"}),
			legacy("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"object": "recipient_unsubscribe", "reason": "option_3", "readable_reason": "too many mails"}),
			{Name: "webhook.test", Endpoint: "tracking", Make: simulator.Template(files, "testdata/test.json", "tracking")},
			inbound("inbound.message", "inbound.json", true),
			inbound("inbound.message-parsed", "inbound-parsed.json", false),
		},
	}
}

// sign returns MailerSend's signature of a body.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

type fields map[string]any

var (
	reader  = fields{"user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.77"}
	clicked = fields{"user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.77", "url": "https://shop.example.org/orders/1701?from=mail"}
)

const micro = "2006-01-02T15:04:05.000000Z"

// activity is an event of version 2. Without details its "meta" is an empty
// array.
func activity(name string, typ anymail.EventType, reason anymail.RejectReason, meta fields) simulator.Sample {
	short, _, _ := strings.Cut(name, "-")
	return made("activity."+name, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"id": p.EventID, "domain_id": "d1", "message_id": p.MessageID, "email_id": "e" + p.EventID, "type": short,
			"subject": p.Subject, "recipient": p.Recipient, "tags": []string{p.Tag}, "meta": []any{},
		}
		if meta != nil {
			data["meta"] = meta
		}
		return fields{"type": "activity." + short, "created_at": p.Time.Format(micro), "data": data}
	})
}

// other is an event that is not about a sent message.
func other(name, layout string, typ anymail.EventType, more fields) simulator.Sample {
	return made(name, typ, "", func(p simulator.Params) fields {
		data := fields{"id": p.EventID, "email": p.Recipient}
		maps.Copy(data, more)
		for key, value := range data {
			if value == "{id}" {
				data[key] = p.EventID
			}
		}
		return fields{"type": name, "created_at": p.Time.Format(layout), "data": data}
	})
}

// legacy is an event of version 1, with its time inside and the time of the
// attempt outside.
func legacy(name string, typ anymail.EventType, reason anymail.RejectReason, morph fields) simulator.Sample {
	return made("v1-activity."+name, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"object": "activity", "id": p.EventID, "type": name, "created_at": p.Time.Format(micro), "template_id": "", "morph": nil,
			"email": fields{
				"object": "email", "id": "e" + p.EventID, "from": p.Sender, "subject": p.Subject, "status": "sent", "tags": []string{p.Tag},
				"message":   fields{"object": "message", "id": p.MessageID},
				"recipient": fields{"object": "recipient", "id": "r1", "email": p.Recipient},
			},
		}
		if morph != nil {
			data["morph"] = morph
		}
		return fields{
			"type": "activity." + name, "domain_id": "d1", "webhook_id": "w1", "url": "https://hooks.example.com/mailersend/tracking/",
			"created_at": p.Time.Add(time.Minute).Format(micro), "data": data,
		}
	})
}

func inbound(name, file string, takesMIME bool) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: takesMIME,
		Make: simulator.Template(files, "testdata/"+file, "inbound"),
	}
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, body func(simulator.Params) fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			// As PHP writes it. Verifying the parsed JSON instead of the body fails.
			return simulator.JSON("tracking", bytes.ReplaceAll(simulator.MustJSON(body(p)), []byte("/"), []byte(`\/`)))
		},
	}
}
