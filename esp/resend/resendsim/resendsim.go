// Package resendsim plays Resend, for tests and demonstrations.
package resendsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/resend"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

//go:embed testdata
var files embed.FS

// New returns Resend's simulator. A credential is the secret of both webhooks,
// tracking and inbound.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:   resend.ESP,
		Title: "Resend",
		NewCredential: func() simulator.Credential {
			key := make([]byte, 24)
			_, _ = rand.Read(key) // never fails
			return simulator.Credential{Config: "whsec_" + base64.StdEncoding.EncodeToString(key), Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return resend.New(resend.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys, APIKeys: anymail.Keys("re_demo"), Client: api.Client()})
		},
		Client: api.Client(),
		Sign:   sign,
		Situations: map[string]string{
			"email.bounced-attachment": "Attachment refused, or taken for a virus",
		},
		Samples: []simulator.Sample{
			email("email.scheduled", anymail.EventQueued, "", nil),
			email("email.sent", anymail.EventSent, "", fields{"broadcast_id": "b0000000-0000-4000-8000-000000000001"}),
			email("email.delivered", anymail.EventDelivered, "", nil),
			email("email.delivery_delayed", anymail.EventDeferred, "", nil, func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceSoft }),
			bounced("hard", anymail.RejectBounced, "Permanent", "General", "smtp; 554 5.2.1 mailbox disabled", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.2.1"}),
			bounced("policy", anymail.RejectBlocked, "Permanent", "General", "smtp; 550 5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounced("invalid", anymail.RejectInvalid, "Permanent", "General", "smtp; 550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounced("noemail", anymail.RejectBounced, "Permanent", "NoEmail", "", anymail.Bounce{Category: anymail.BounceHard}),
			bounced("full", anymail.RejectBounced, "Transient", "MailboxFull", "smtp; 452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			bounced("spam", anymail.RejectSpam, "Transient", "ContentRejected", "smtp; 554 5.7.1 looks like spam", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounced("large", anymail.RejectOther, "Transient", "MessageTooLarge", "smtp; 552 5.3.4 message too big", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.3.4"}),
			bounced("undetermined", anymail.RejectBounced, "Undetermined", "Undetermined", "", anymail.Bounce{Category: anymail.BounceUndetermined}),
			bounced("attachment", anymail.RejectBlocked, "Transient", "AttachmentRejected", "smtp; 552 5.7.0 attachment refused", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 552, EnhancedCode: "5.7.0"}),
			email("email.bounced-suppressed", anymail.EventRejected, anymail.RejectBounced, fields{
				"bounce": fields{"type": "Permanent", "subType": "Suppressed", "message": "The address is on the suppression list."},
			}, simulator.Described("The address is on the suppression list.")),
			email("email.suppressed", anymail.EventRejected, anymail.RejectBlocked, fields{
				"suppressed": fields{"type": "OnAccountSuppressionList", "message": "The address is on the suppression list."},
			}, simulator.Described("The address is on the suppression list.")),
			email("email.failed", anymail.EventFailed, anymail.RejectOther, fields{"failed": fields{"reason": "reached_daily_quota"}}, simulator.Described("reached_daily_quota")),
			email("email.failed-recipient", anymail.EventRejected, anymail.RejectInvalid, fields{"failed": fields{"reason": "invalid_recipient"}}, simulator.Described("invalid_recipient")),
			email("email.complained", anymail.EventComplained, anymail.RejectSpam, nil),
			email("email.opened", anymail.EventOpened, "", nil),
			email("email.clicked", anymail.EventClicked, "", fields{"click": fields{
				"link": link, "ipAddress": "192.0.2.77", "timestamp": "2026-01-01T00:00:00.000Z", "userAgent": agent,
			}}, simulator.Visited(agent, link, anymail.Unsaid), func(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") }),
			email("email.teleported", anymail.EventUnknown, "", nil),
			other("contact.created", fields{"id": "c1", "segment_ids": []any{}, "first_name": "Ada", "last_name": nil, "unsubscribed": false}),
			other("contact.updated", fields{"id": "c1", "unsubscribed": true}),
			other("contact.deleted", fields{"id": "c1", "unsubscribed": true}),
			other("contact.topics.updated", fields{"topics": []any{fields{"id": "t1", "subscription": "opt_out"}}}),
			other("suppression.added", fields{"id": "s1", "origin": "bounce", "source_id": cause}, func(ev *anymail.TrackingEvent) { ev.MessageID = cause }),
			other("suppression.removed", fields{"id": "s1", "origin": "manual", "source_id": nil}),
			other("domain.created", domain("pending")),
			other("domain.updated", domain("verified")),
			other("domain.deleted", domain("verified")),
			other("topic.created", topic),
			other("topic.updated", topic),
			other("topic.deleted", topic),
			inbox("inbox.created", nil),
			inbox("inbox.updated", nil),
			inbox("inbox.deleted", nil),
			inbox("inbox.thread.created", fields{"thread_id": "th1"}),
			inbox("inbox.thread.folder.updated", fields{"thread_id": "th1", "from": "inbox", "to": "archive"}),
			inbox("inbox.thread.assigned", fields{"thread_id": "th1", "assignee_email": "desk@example.org"}),
			inbox("inbox.thread.unassigned", fields{"thread_id": "th1", "previous_assignee_email": "desk@example.org"}),
			inbox("inbox.thread.labels.updated", fields{"thread_id": "th1", "added": []any{}, "removed": []any{}}),
			inbox("inbox.email.sent", fields{"email_id": "em2"}),
			inbox("inbox.draft.created", fields{"draft_id": "dr1"}),
			inbox("inbox.draft.updated", fields{"draft_id": "dr1"}),
			inbox("inbox.draft.sent", fields{"draft_id": "dr1", "email_id": "em2"}),
			inbox("inbox.draft.deleted", fields{"draft_id": "dr1"}),
			inbox("inbox.email.received", fields{"thread_id": "th1", "email_id": "em1", "email": fields{"id": "em1", "direction": "inbound", "from": "bob@example.org"}}),
			received("email.received", anymail.EventInbound, true, source, func(p simulator.Params) {
				api.Put(messageURL(p)+"?html_format=cid", "application/json", answer("message.json", p))
				api.Put(fileURL(p, "raw"), "message/rfc822", p.MIME)
			}),
			received("email.received-parsed", anymail.EventInbound, false, parsed, func(p simulator.Params) {
				api.Put(messageURL(p)+"?html_format=cid", "application/json", answer("message-parsed.json", p))
				api.Put(messageURL(p)+"/attachments", "application/json", answer("attachments.json", p))
				api.Put(fileURL(p, "dot"), "image/png", []byte("\x89PNG\r\n\x1a\n"))
				api.Put(fileURL(p, "notes"), "text/plain", []byte("a note"))
			}),
			received("email.received-gone", anymail.EventInboundFailed, false, gone, func(simulator.Params) {}),
		},
	}
}

// sign signs as Svix does: https://docs.svix.com/receiving/verifying-payloads/how-manual
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	key, ok := c.Private.([]byte)
	if !ok {
		return fmt.Errorf("resendsim: a credential of another simulator")
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Svix-Id"), timestamp, r.Body) // a hash never fails
	r.Header.Set("Svix-Timestamp", timestamp)
	r.Header.Set("Svix-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

type fields map[string]any

const (
	milli = "2006-01-02T15:04:05.000Z"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	link  = "https://shop.example.org/orders/1701?from=mail"
	desk  = "help@inbound.example.org"
	cause = "11111111-2222-4333-8444-555555555555"
)

// email is an event about a sent message, whose X-Metadata is added to the tags.
func email(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	changes = append(changes, func(ev *anymail.TrackingEvent) { ev.Metadata["paid"] = true })
	return made(name, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"created_at": p.Time.Add(-time.Minute).Format(milli), "email_id": p.MessageID, "message_id": "<" + p.EventID + "@email.example.org>",
			"from": "News <" + p.Sender + ">", "to": []string{p.Recipient}, "subject": p.Subject, "tags": p.Metadata,
			"headers": []any{fields{"name": "X-Tags", "value": `["` + p.Tag + `"]`}, fields{"name": "X-Metadata", "value": `{"paid":true}`}},
		}
		maps.Copy(data, more)
		return data
	}, changes...)
}

func bounced(name string, reason anymail.RejectReason, typ, subType, diagnostic string, is anymail.Bounce) simulator.Sample {
	bounce := fields{"type": typ, "subType": subType, "message": "Resend's words for a bounce."}
	if diagnostic != "" {
		bounce["diagnosticCode"] = []string{diagnostic}
	}
	return email("email.bounced-"+name, anymail.EventBounced, reason, fields{"bounce": bounce},
		simulator.Described("Resend's words for a bounce."), simulator.Answered(diagnostic, is))
}

// other is an event that is not about a message.
func other(name string, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	changes = append([]func(*anymail.TrackingEvent){simulator.Unlabelled, func(ev *anymail.TrackingEvent) { ev.MessageID = "" }}, changes...)
	return made(name, anymail.EventUnknown, "", func(p simulator.Params) fields {
		data := fields{"created_at": p.Time.Add(-time.Minute).Format(milli), "email": p.Recipient}
		maps.Copy(data, more)
		return data
	}, changes...)
}

// inbox is an event of an inbox. Some are about a message, if not of the send API.
// https://github.com/resend/resend-node/blob/main/src/webhooks/interfaces/webhook-event.interface.ts
func inbox(name string, more fields) simulator.Sample {
	return made(name, anymail.EventUnknown, "", func(simulator.Params) fields {
		data := fields{"source": "dashboard", "inbox_id": "ib1"}
		maps.Copy(data, more)
		return data
	}, simulator.Unlabelled, func(ev *anymail.TrackingEvent) {
		ev.MessageID, _ = more["email_id"].(string)
		ev.Recipient = ""
	})
}

func domain(status string) fields {
	return fields{"id": "d1", "name": "example.org", "status": status, "region": "eu-west-1", "records": []any{}}
}

var topic = fields{"id": "t1", "name": "News", "default_subscription": "opt_in"}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, data func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID = "msg_" + p.EventID
			return p.Event(typ, reason, changes...)
		},
		Make: func(p simulator.Params) simulator.Request {
			body := fields{"type": event, "created_at": p.Time.Format(milli), "data": data(p)}
			return withID(simulator.JSON("tracking", simulator.MustJSON(body)), p)
		},
	}
}

// withID sets the event's id in the header of Svix.
func withID(r simulator.Request, p simulator.Params) simulator.Request {
	r.Header.Set("Svix-Id", "msg_"+p.EventID)
	return r
}

// received is the notification of a message. The function is returns the message, and
// keep puts it into the API.
func received(name string, typ anymail.EventType, takesMIME bool, is func(simulator.Params) anymail.InboundMessage, keep func(simulator.Params)) simulator.Sample {
	request := simulator.Template(files, "testdata/received.json", "inbound")
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{typ}, TakesMIME: takesMIME, Fetched: true,
		Events: func(p simulator.Params) []anymail.Event {
			return []anymail.Event{&anymail.InboundEvent{Common: anymail.Common{Type: typ, ID: "msg_" + p.EventID, Timestamp: p.Time}, Message: is(p)}}
		},
		Make: func(p simulator.Params) simulator.Request {
			keep(p)
			return withID(request(p), p)
		},
	}
}

// source is the message as it was received, with the verdicts of the API.
func source(p simulator.Params) anymail.InboundMessage {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = "bounce@example.com", desk, []string{desk}
	m.Authentication = anymail.Authentication{SPF: "pass", DKIM: "none", DMARC: "fail"}
	return m
}

// parsed is the message of testdata/message-parsed.json and its attachments.
func parsed(p simulator.Params) anymail.InboundMessage {
	reply := p.MessageID + "@email.example.org"
	return anymail.InboundMessage{
		EnvelopeSender: "bounce@example.com", EnvelopeRecipient: desk, EnvelopeRecipients: []string{desk},
		From:    []anymail.Address{{Name: "Ada Lovelace", Address: "ada@example.com"}},
		To:      []anymail.Address{{Name: "Help Desk", Address: desk}},
		CC:      []anymail.Address{{Name: "Carl", Address: "carl@example.com"}},
		BCC:     []anymail.Address{{Address: "dan@example.com"}},
		ReplyTo: []anymail.Address{{Address: "desk@example.com"}},
		Subject: "Re: " + p.Subject, Date: p.Time, MessageID: p.EventID + "@example.com", InReplyTo: reply,
		Headers: anymail.Headers{
			{Name: "return-path", Value: "bounce@example.com"}, {Name: "date", Value: p.Time.Format(time.RFC1123Z)}, {Name: "in-reply-to", Value: "<" + reply + ">"},
		},
		Text: "Where is it?", HTML: "<p>Where is it?</p>",
		Attachments: []anymail.Attachment{
			{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
			{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte("a note")},
		},
	}
}

// gone is what testdata/received.json says of the message.
func gone(p simulator.Params) anymail.InboundMessage {
	return anymail.InboundMessage{
		EnvelopeRecipient: desk, EnvelopeRecipients: []string{desk},
		From: []anymail.Address{{Address: "ada@example.com"}}, To: []anymail.Address{{Address: desk}},
		Subject: "Rückfrage", MessageID: p.EventID + "@example.com",
		Attachments: []anymail.Attachment{{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com"}},
	}
}

func answer(file string, p simulator.Params) []byte {
	return simulator.Template(files, "testdata/"+file, "")(p).Body
}

func messageURL(p simulator.Params) string {
	return "https://api.resend.com/emails/receiving/" + p.EventID
}

func fileURL(p simulator.Params, name string) string {
	return "https://inbound-cdn.resend.com/" + p.EventID + "/" + name + "?signature=demo"
}
