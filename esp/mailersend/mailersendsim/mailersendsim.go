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
	"net/netip"
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
			activity("deferred", anymail.EventDeferred, "", fields{"reject_reason": "421 4.7.0 try again later"},
				answered("421 4.7.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.7.0"})),
			activity("soft_bounced", anymail.EventBounced, anymail.RejectBounced, fields{"bounce_code": 452, "bounce_reason": "4.2.2 mailbox full"},
				answered("4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			activity("hard_bounced", anymail.EventBounced, anymail.RejectBounced, fields{"bounce_code": "554", "bounce_reason": "5.2.1 mailbox disabled"},
				answered("5.2.1 mailbox disabled", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.2.1"})),
			activity("hard_bounced-policy", anymail.EventBounced, anymail.RejectBlocked, fields{"bounce_code": "554", "bounce_reason": "5.7.1 not welcome here"},
				answered("5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"})),
			activity("hard_bounced-invalid", anymail.EventBounced, anymail.RejectInvalid, fields{"bounce_code": 550, "bounce_reason": "5.1.1 no such user"},
				answered("5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			activity("suppressed", anymail.EventRejected, anymail.RejectBlocked, fields{"suppression_reason": "blocklist"}, simulator.Described("blocklist")),
			activity("suppressed-bounced", anymail.EventRejected, anymail.RejectBounced, fields{"suppression_reason": "hard_bounce"}, simulator.Described("hard_bounce")),
			activity("suppressed-spam", anymail.EventRejected, anymail.RejectSpam, fields{"suppression_reason": "spam_complaint"}, simulator.Described("spam_complaint")),
			activity("suppressed-unsubscribed", anymail.EventRejected, anymail.RejectUnsubscribed, fields{"suppression_reason": "unsubscribe"}, simulator.Described("unsubscribe")),
			activity("opened", anymail.EventOpened, "", reader, read, simulator.Visited(agent, "", anymail.Unsaid)),
			activity("opened_unique", anymail.EventOpened, "", reader, read, simulator.Visited(agent, "", anymail.Unsaid)),
			activity("clicked", anymail.EventClicked, "", clicked, read, simulator.Visited(agent, link, anymail.Unsaid)),
			activity("clicked_unique", anymail.EventClicked, "", clicked, read, simulator.Visited(agent, link, anymail.Unsaid)),
			activity("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"unsubscribe_reason": "too many mails"}, simulator.Described("too many mails")),
			activity("spam_complaint", anymail.EventComplained, anymail.RejectSpam, nil),
			activity("survey_opened", anymail.EventUnknown, "", nil),
			activity("survey_submitted", anymail.EventUnknown, "", fields{"surveys": []any{fields{"question_id": 1, "survey_id": 7, "answer": "yes", "is_last_question": true}}}),
			activity("teleported", anymail.EventUnknown, "", nil),
			other("recipient.on_hold_added", time.RFC3339Nano, anymail.EventUnknown, fields{}),
			other("recipient.on_hold_removed", time.RFC3339Nano, anymail.EventUnknown, fields{}),
			other("inbound_message.rejected", time.RFC3339Nano, anymail.EventInboundFailed, fields{"reason": "attachment_size_exceeded"}, simulator.Described("attachment_size_exceeded")),
			other("inbound_forward.failed", time.DateTime, anymail.EventInboundFailed, fields{"id": nil, "inbound_id": "in1", "inbound_message_id": "{id}"}, withoutID),
			other("sender_identity.verified", time.DateTime, anymail.EventUnknown, fields{"object": "sender_identity", "name": "News", "is_verified": true}),
			other("maintenance.start", time.DateTime, anymail.EventUnknown, fields{"id": nil, "domain_id": "{id}"}, withoutID),
			other("maintenance.end", time.DateTime, anymail.EventUnknown, fields{"id": nil, "domain_id": "{id}"}, withoutID),
			other("email_single.verified", time.DateTime, anymail.EventUnknown, fields{"email": nil, "address": "{to}", "status": "completed", "result": "valid"}),
			other("email_list.created", time.DateTime, anymail.EventUnknown, fields{"name": "list.csv", "total": 1}),
			other("email_list.verified", time.DateTime, anymail.EventUnknown, fields{"name": "list.csv", "total": 1, "statistics": fields{"valid": 1}}),
			other("bulk_email.completed", time.DateTime, anymail.EventUnknown, fields{"state": "completed", "total_recipients_count": 2, "messages_id": []string{"m1", "m2"}}),
			other("sms.delivered", time.RFC3339Nano, anymail.EventUnknown, fields{"to": "+15550100"}),
			legacy("sent", anymail.EventSent, "", nil),
			legacy("clicked", anymail.EventClicked, "", fields{"object": "click", "ip": address, "url": link}, read, simulator.Visited("", link, anymail.Unsaid)),
			legacy("hard_bounced", anymail.EventBounced, anymail.RejectInvalid, fields{"object": "recipient_bounce", "reason": "Host or domain name not found"},
				simulator.Described("Host or domain name not found"), simulator.Answered("", anymail.Bounce{Category: anymail.BounceHard})),
			legacy("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"object": "recipient_unsubscribe", "reason": "option_3", "readable_reason": "too many mails"},
				simulator.Described("too many mails")),
			{
				Name: "webhook.test", Endpoint: "tracking", Make: simulator.Template(files, "testdata/test.json", "tracking"),
				Events: func(simulator.Params) []anymail.Event { return nil },
			},
			inbound("inbound.message", "inbound.json", true, whole),
			inbound("inbound.message-parsed", "inbound-parsed.json", false, parsed),
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

const (
	address = "192.0.2.77"
	agent   = "Mozilla/5.0 (X11; Linux x86_64)"
	link    = "https://shop.example.org/orders/1701?from=mail"
)

var (
	reader  = fields{"user_agent": agent, "ip": address}
	clicked = fields{"user_agent": agent, "ip": address, "url": link}
)

func read(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr(address) }

func withoutID(ev *anymail.TrackingEvent) { ev.ID = "" }

func answered(text string, bounce anymail.Bounce) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Description, ev.MTAResponse, ev.Bounce = text, text, bounce }
}

const micro = "2006-01-02T15:04:05.000000Z"

// activity is an event of version 2. Without details its "meta" is an empty
// array.
func activity(name string, typ anymail.EventType, reason anymail.RejectReason, meta fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
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
	}, changes...)
}

// other is an event that is not about a sent message.
func other(name, layout string, typ anymail.EventType, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return made(name, typ, "", func(p simulator.Params) fields {
		data := fields{"id": p.EventID, "email": p.Recipient}
		maps.Copy(data, more)
		for key, value := range data {
			switch value {
			case "{id}":
				data[key] = p.EventID
			case "{to}":
				data[key] = p.Recipient
			}
		}
		return fields{"type": name, "created_at": p.Time.Format(layout), "data": data}
	}, append(changes, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Tags = "", nil })...)
}

// legacy is an event of version 1, with its time inside and the time of the
// attempt outside.
func legacy(name string, typ anymail.EventType, reason anymail.RejectReason, morph fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
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
	}, changes...)
}

func inbound(name, file string, takesMIME bool, event func(simulator.Params) []anymail.Event) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: takesMIME,
		Events: event,
		Make:   simulator.Template(files, "testdata/"+file, "inbound"),
	}
}

// whole is the event of inbound.json.
func whole(p simulator.Params) []anymail.Event {
	p.MIME = append([]byte("X-Envelope-From: <bounce@example.com>\r\n"), p.MIME...)
	return p.Received(func(ev *anymail.InboundEvent) {
		m := &ev.Message
		m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = "bounce@example.com", "help@inbound.example.org", []string{"help@inbound.example.org"}
		m.Authentication.SPF = "pass"
	})
}

// parsed is the event of inbound-parsed.json.
func parsed(p simulator.Params) []anymail.Event {
	to := "help+1701@inbound.example.org"
	return p.Received(func(ev *anymail.InboundEvent) {
		ev.Message = anymail.InboundMessage{
			EnvelopeSender: p.Recipient, EnvelopeRecipient: to, EnvelopeRecipients: []string{to, "sales@inbound.example.org"},
			From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Recipient}}, To: []anymail.Address{{Name: "Help", Address: to}},
			CC: []anymail.Address{{Name: "Grace", Address: "grace@example.com"}}, Subject: "Re: " + p.Subject, Date: p.Time,
			MessageID: p.EventID + "@example.com", InReplyTo: p.MessageID + "@mailersend.net", Text: "Where is it?\r\n", HTML: "<p>Where is it?</p>",
			Headers: anymail.Headers{
				{Name: "X-Envelope-From", Value: "<" + p.Recipient + ">"},
				{Name: "Received", Value: "from mail.example.com by mx.example.org; " + p.Time.Format(time.RFC1123Z)},
				{Name: "Received", Value: "from desk.example.com by mail.example.com"},
				{Name: "Message-ID", Value: "<" + p.EventID + "@example.com>"}, {Name: "In-Reply-To", Value: "<" + p.MessageID + "@mailersend.net>"},
			},
			Attachments:    []anymail.Attachment{{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte("a note")}},
			Authentication: anymail.Authentication{SPF: "softfail", DKIM: "pass"},
		}
	})
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, body func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.Metadata = nil // MailerSend has none
			return p.Event(typ, reason, changes...)
		},
		Make: func(p simulator.Params) simulator.Request {
			// As PHP writes it. Verifying the parsed JSON instead of the body fails.
			return simulator.JSON("tracking", bytes.ReplaceAll(simulator.MustJSON(body(p)), []byte("/"), []byte(`\/`)))
		},
	}
}
