// Package agentmailsim plays AgentMail, for tests and demonstrations.
package agentmailsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/agentmail"
	"github.com/goanymail/anymail/simulator"
)

// New returns AgentMail's simulator. A credential is the secret of both webhooks,
// tracking and inbound.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:   agentmail.ESP,
		Title: "AgentMail",
		NewCredential: func() simulator.Credential {
			key := make([]byte, 24)
			_, _ = rand.Read(key) // never fails
			return simulator.Credential{Config: "whsec_" + base64.StdEncoding.EncodeToString(key), Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return agentmail.New(agentmail.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys, APIKeys: anymail.Keys("am_demo"), Client: api.Client()})
		},
		Client: api.Client(),
		Sign:   sign,
		Situations: map[string]string{
			"message.bounced-attachment": "Attachment refused, or taken for a virus",
		},
		Samples: []simulator.Sample{
			sent("message.sent", "send", anymail.EventSent, "", nil),
			sent("message.delivered", "delivery", anymail.EventDelivered, "", nil),
			deliveredToTwo(),
			bounced("hard", "Permanent", "General", anymail.RejectBounced, anymail.BounceHard),
			bounced("soft", "Transient", "MailboxFull", anymail.RejectBounced, anymail.BounceSoft),
			bounced("large", "Transient", "MessageTooLarge", anymail.RejectOther, anymail.BounceSoft),
			bounced("content", "Transient", "ContentRejected", anymail.RejectSpam, anymail.BounceBlock),
			bounced("attachment", "Transient", "AttachmentRejected", anymail.RejectBlocked, anymail.BounceBlock),
			bounced("undetermined", "Undetermined", "Undetermined", anymail.RejectBounced, anymail.BounceUndetermined),
			bounced("suppressed", "Permanent", "Suppressed", anymail.RejectBounced, ""),
			bounced("listed", "Permanent", "OnAccountSuppressionList", anymail.RejectBlocked, ""),
			sent("message.complained", "complaint", anymail.EventComplained, anymail.RejectSpam, fields{"type": "abuse", "sub_type": ""}, simulator.Described("abuse")),
			sent("message.rejected", "reject", anymail.EventRejected, anymail.RejectOther, fields{"recipients": nil, "reason": "Bad content"},
				simulator.Described("Bad content"), func(ev *anymail.TrackingEvent) { ev.Recipient = "" }),
			sent("message.teleported", "delivery", anymail.EventUnknown, "", nil),
			domainVerified(),
			received(api, "message.received", true, true),
			received(api, "message.received-parsed", false, false),
			received(api, "message.received.spam", true, true),
			received(api, "message.received.blocked", true, true),
			received(api, "message.received.unauthenticated", true, true),
		},
	}
}

// sign signs as Svix does: https://docs.svix.com/receiving/verifying-payloads/how-manual
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	key, ok := c.Private.([]byte)
	if !ok {
		return fmt.Errorf("agentmailsim: a credential of another simulator")
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
	inbox = "desk@agents.example.org"
)

// request is one event; "-" and what follows in the sample's name are not AgentMail's.
func request(name, endpoint string, p simulator.Params, more fields) simulator.Request {
	event, _, _ := strings.Cut(name, "-")
	body := fields{"type": "event", "event_type": event, "event_id": "evt_" + p.EventID}
	maps.Copy(body, more)
	r := simulator.JSON(endpoint, simulator.MustJSON(body))
	r.Header.Set("Svix-Id", "msg_"+p.EventID)
	return r
}

// sent is an event of a message. AgentMail sends no tags and no metadata.
func sent(name, member string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.MessageID = "evt_"+p.EventID, "<"+p.MessageID+"@agents.example.org>"
			return p.Event(typ, reason, append(changes, simulator.Unlabelled)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			data := fields{
				"inbox_id": inbox, "thread_id": "th1", "message_id": "<" + p.MessageID + "@agents.example.org>",
				"timestamp": p.Time.Format(milli), "recipients": []any{p.Recipient},
			}
			if member == "bounce" {
				data["recipients"] = []fields{{"address": p.Recipient, "status": "bounced"}}
			}
			maps.Copy(data, more)
			return request(name, "tracking", p, fields{member: data})
		},
	}
}

// deliveredToTwo is one event of two recipients, which becomes one for each.
func deliveredToTwo() simulator.Sample {
	const name = "message.delivered-two"
	s := sent(name, "delivery", anymail.EventDelivered, "", nil)
	one := s.Events
	s.Types = []anymail.EventType{anymail.EventDelivered, anymail.EventDelivered}
	s.Events = func(p simulator.Params) []anymail.Event {
		bob := p
		bob.Recipient = "bob@example.com"
		return append(one(p), one(bob)...)
	}
	s.Make = func(p simulator.Params) simulator.Request {
		return sent(name, "delivery", anymail.EventDelivered, "", fields{"recipients": []string{p.Recipient, "Bob <bob@example.com>"}}).Make(p)
	}
	return s
}

// bounced is a bounce. Without a category, it is a message that AgentMail did not send
// because of an earlier bounce.
func bounced(name, kind, subType string, reason anymail.RejectReason, category anymail.BounceCategory) simulator.Sample {
	typ := anymail.EventBounced
	if category == "" {
		typ = anymail.EventRejected
	}
	return sent("message.bounced-"+name, "bounce", typ, reason, fields{"type": kind, "sub_type": subType},
		simulator.Described(kind+" "+subType), func(ev *anymail.TrackingEvent) { ev.Bounce.Category = category })
}

func domainVerified() simulator.Sample {
	const name = "domain.verified"
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown}, Untimed: true,
		Events: func(p simulator.Params) []anymail.Event {
			return []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: "evt_" + p.EventID}}}
		},
		Make: func(p simulator.Params) simulator.Request {
			return request(name, "tracking", p, fields{"domain": fields{"domain_id": "agents.example.org", "status": "VERIFIED"}})
		},
	}
}

// received is a received message, which the API has as it was received or not at all.
func received(api *simulator.API, name string, fetched, takesMIME bool) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: takesMIME, Fetched: fetched,
		Events: func(p simulator.Params) []anymail.Event {
			changes := []func(*anymail.InboundEvent){simulator.Envelope("", inbox), func(ev *anymail.InboundEvent) {
				ev.ID = "evt_" + p.EventID
				ev.Message.StrippedText, ev.Message.StrippedHTML = "Where is it?", "<p>Where is it?</p>"
				if name == "message.received.spam" {
					ev.Message.SpamDetected = anymail.Yes
				}
			}}
			if !fetched {
				changes = append([]func(*anymail.InboundEvent){func(ev *anymail.InboundEvent) { ev.Message = posted(p) }}, changes...)
			}
			return p.Received(changes...)
		},
		Make: func(p simulator.Params) simulator.Request {
			id := "<" + p.EventID + "@example.com>"
			if fetched {
				file := "https://d1example.cloudfront.net/" + p.EventID + "?Signature=demo"
				api.Put("https://api.agentmail.to/v0/inboxes/"+url.PathEscape(inbox)+"/messages/"+url.PathEscape(id)+"/raw", "application/json",
					simulator.MustJSON(fields{"message_id": id, "size": len(p.MIME), "download_url": file, "expires_at": p.Time.Add(time.Hour).Format(milli)}))
				api.Put(file, "message/rfc822", p.MIME)
			}
			at := p.Time.Format(milli)
			return request(name, "inbound", p, fields{
				"message": fields{
					"inbox_id": inbox, "thread_id": "th1", "message_id": id, "labels": []string{"received", "unread"}, "timestamp": at,
					"from": "Ada Lovelace <" + p.Sender + ">", "reply_to": []string{"Ada <reply@example.com>"}, "to": []string{inbox},
					"cc": []string{"carl@example.com"}, "bcc": []string{"dan@example.com"}, "subject": p.Subject, "preview": "Where is it?",
					"text": "Where is it?\n> old", "html": "<p>Where is it?</p><blockquote>old</blockquote>", "extracted_text": "Where is it?", "extracted_html": "<p>Where is it?</p>",
					"attachments": []fields{{
						"attachment_id": "at1", "filename": "notes.txt", "size": 6, "content_type": "text/plain",
						"content_disposition": "attachment", "content_id": nil,
					}},
					"in_reply_to": "<" + p.MessageID + "@agents.example.org>", "references": []string{"<" + p.MessageID + "@agents.example.org>"},
					"headers": fields{"X-Mailer": "demo"}, "size": 900, "created_at": at, "updated_at": at,
				},
				"thread": fields{"thread_id": "th1", "inbox_id": inbox, "senders": []string{p.Sender}, "recipients": []string{inbox}, "message_count": 2},
			})
		},
	}
}

// posted is the message without its source.
func posted(p simulator.Params) anymail.InboundMessage {
	return anymail.InboundMessage{
		From:    []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}},
		ReplyTo: []anymail.Address{{Name: "Ada", Address: "reply@example.com"}},
		To:      []anymail.Address{{Address: inbox}},
		CC:      []anymail.Address{{Address: "carl@example.com"}},
		BCC:     []anymail.Address{{Address: "dan@example.com"}},
		Subject: p.Subject, MessageID: p.EventID + "@example.com",
		InReplyTo: p.MessageID + "@agents.example.org", References: []string{p.MessageID + "@agents.example.org"},
		Text: "Where is it?\n> old", HTML: "<p>Where is it?</p><blockquote>old</blockquote>",
		Headers:     anymail.Headers{{Name: "X-Mailer", Value: "demo"}},
		Attachments: []anymail.Attachment{{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6}},
	}
}
