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
			sent("message.sent", "send", "", nil, anymail.EventSent),
			sent("message.delivered", "delivery", "", nil, anymail.EventDelivered),
			sent("message.delivered-two", "delivery", "", nil, anymail.EventDelivered, anymail.EventDelivered),
			bounced("hard", anymail.RejectBounced, "Permanent", "General", anymail.EventBounced),
			bounced("soft", anymail.RejectBounced, "Transient", "MailboxFull", anymail.EventBounced),
			bounced("large", anymail.RejectOther, "Transient", "MessageTooLarge", anymail.EventBounced),
			bounced("content", anymail.RejectSpam, "Transient", "ContentRejected", anymail.EventBounced),
			bounced("attachment", anymail.RejectBlocked, "Transient", "AttachmentRejected", anymail.EventBounced),
			bounced("undetermined", anymail.RejectBounced, "Undetermined", "Undetermined", anymail.EventBounced),
			bounced("suppressed", anymail.RejectBounced, "Permanent", "Suppressed", anymail.EventRejected),
			bounced("listed", anymail.RejectBlocked, "Permanent", "OnAccountSuppressionList", anymail.EventRejected),
			sent("message.complained", "complaint", anymail.RejectSpam, fields{"type": "abuse", "sub_type": ""}, anymail.EventComplained),
			sent("message.rejected", "reject", anymail.RejectOther, fields{"recipients": nil, "reason": "Bad content"}, anymail.EventRejected),
			sent("message.teleported", "delivery", "", nil, anymail.EventUnknown),
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

// sent is an event of a message with as many recipients as there are types.
func sent(name, member string, reason anymail.RejectReason, more fields, types ...anymail.EventType) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: types, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			to := []any{p.Recipient, "Bob <bob@example.com>"}[:len(types)]
			if member == "bounce" {
				to = []any{fields{"address": p.Recipient, "status": "bounced"}}
			}
			data := fields{
				"inbox_id": inbox, "thread_id": "th1", "message_id": "<" + p.MessageID + "@agents.example.org>",
				"timestamp": p.Time.Format(milli), "recipients": to,
			}
			maps.Copy(data, more)
			return request(name, "tracking", p, fields{member: data})
		},
	}
}

func bounced(name string, reason anymail.RejectReason, typ, subType string, event anymail.EventType) simulator.Sample {
	return sent("message.bounced-"+name, "bounce", reason, fields{"type": typ, "sub_type": subType}, event)
}

func domainVerified() simulator.Sample {
	const name = "domain.verified"
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown}, Untimed: true,
		Make: func(p simulator.Params) simulator.Request {
			return request(name, "tracking", p, fields{"domain": fields{"domain_id": "agents.example.org", "status": "VERIFIED"}})
		},
	}
}

// received is a received message, which the API has as it was received or not at all.
func received(api *simulator.API, name string, fetched, takesMIME bool) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: takesMIME, Fetched: fetched,
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
					"cc": []string{"carl@example.com"}, "subject": p.Subject, "preview": "Where is it?",
					"text": "Where is it?\n> old", "html": "<p>Where is it?</p>", "extracted_text": "Where is it?", "extracted_html": "<p>Where is it?</p>",
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
