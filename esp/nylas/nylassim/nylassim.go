// Package nylassim plays Nylas, for tests and demonstrations.
package nylassim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/nylas"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns Nylas' simulator. A credential is the secret of both webhooks, tracking
// and inbound.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:   nylas.ESP,
		Title: "Nylas",
		NewCredential: func() simulator.Credential {
			secret := rand.Text()
			return simulator.Credential{Config: secret, Private: secret}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return nylas.New(nylas.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys, APIKeys: anymail.Keys("nyk_demo"), Client: api.Client()})
		},
		Client: api.Client(),
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Private.(string)))
			_, _ = mac.Write(r.Body) // a hash never fails
			r.Header.Set("X-Nylas-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Situations: map[string]string{
			"message.bounced-attachment":     "Attachment refused, or taken for a virus",
			"message.rejected":               "Not sent: by the ESP's own policy, or for a virus",
			"message.transactional.rejected": "Not sent: by the ESP's own policy, or for a virus",
		},
		Samples: []simulator.Sample{
			scheduled("message.send_success", anymail.EventSent, "", nil),
			scheduled("message.send_failed", anymail.EventFailed, anymail.RejectOther, fields{
				"reason": "provider error", "error": fields{"type": "api.provider_error", "message": "the mailbox is locked", "status_code": 403},
			}, simulator.Described("the mailbox is locked")),
			agent("message.delivered", anymail.EventDelivered, "", delivered),
			agent("message.transactional.delivered", anymail.EventDelivered, "", delivered),
			bounce("message.bounced", "General", "550 refused", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550}),
			bounce("message.bounced-invalid", "General", "smtp; 550 5.1.1 no such user", anymail.RejectInvalid,
				anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounce("message.bounced-full", "MailboxFull", "552 5.2.2 mailbox full", anymail.RejectBounced,
				anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
			bounce("message.bounced-large", "MessageTooLarge", "", anymail.RejectOther, anymail.Bounce{Category: anymail.BounceSoft}),
			bounce("message.bounced-content", "ContentRejected", "", anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock}),
			bounce("message.bounced-attachment", "AttachmentRejected", "", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock}),
			bounce("message.bounced-undetermined", "Undetermined", "", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined}),
			suppressed("message.bounced-suppressed", "Suppressed", anymail.RejectBounced),
			suppressed("message.bounced-listed", "OnAccountSuppressionList", anymail.RejectBlocked),
			bounce("message.transactional.bounced", "General", "550 refused", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550}),
			detected("message.bounce_detected", "550", anymail.BounceHard),
			detected("message.bounce_detected-temporary", "450", anymail.BounceSoft),
			detected("message.bounce_detected-undetermined", "", anymail.BounceUndetermined),
			agent("message.complaint", anymail.EventComplained, anymail.RejectSpam, complaint, simulator.Described("abuse")),
			agent("message.transactional.complaint", anymail.EventComplained, anymail.RejectSpam, complaint, simulator.Described("abuse")),
			agent("message.rejected", anymail.EventRejected, anymail.RejectBlocked, func(p simulator.Params) fields { return fields{"rejected_at": p.Time.Unix()} }),
			agent("message.transactional.rejected", anymail.EventRejected, anymail.RejectBlocked, func(p simulator.Params) fields { return fields{"rejected_at": p.Time.Unix()} }),
			tracked("message.opened", anymail.EventOpened, ""),
			tracked("message.link_clicked", anymail.EventClicked, "https://shop.example.org/orders/1701?from=mail"),
			agent("message.teleported", anymail.EventUnknown, "", func(simulator.Params) fields { return nil }),
			other("grant.expired", fields{"code": 25012, "integration_id": "i1", "provider": "google"}),
			other("message.created-outgoing", fields{"object": "message", "id": "m1", "folders": []string{"SENT"}, "subject": "Hello"}),
			received(api, "message.created", true),
			received(nil, "message.created-parsed", false),
			received(nil, "message.created.truncated", false),
		},
	}
}

type fields map[string]any

const agentName = "Mozilla/5.0 (X11; Linux x86_64)"

func post(endpoint, typ string, p simulator.Params, data fields) simulator.Request {
	typ, _, _ = strings.Cut(typ, "-")
	body := fields{
		"specversion": "1.0", "type": typ, "source": "/nylas/send", "id": p.EventID, "time": p.Time.Unix(), "webhook_delivery_attempt": 1,
		"data": fields{"application_id": "a1", "grant_id": "g1"},
	}
	maps.Copy(body["data"].(fields), data)
	return simulator.JSON(endpoint, simulator.MustJSON(body))
}

// sample is an event of a sent message.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, data func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			untagged := func(ev *anymail.TrackingEvent) { ev.Tags = nil }
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){untagged}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request { return post("tracking", name, p, data(p)) },
	}
}

// agent is an event of a message of an Agent Account, or a transactional one.
func agent(name string, typ anymail.EventType, reason anymail.RejectReason, more func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	if typ == anymail.EventUnknown {
		changes = append(changes, func(ev *anymail.TrackingEvent) { ev.Recipient = "" })
	}
	return sample(name, typ, reason, func(p simulator.Params) fields {
		object := fields{"message": fields{
			"id": p.MessageID, "subject": p.Subject, "from": p.Sender, "to": []string{p.Recipient}, "sent_at": p.Time.Unix() - 9, "metadata": p.Metadata,
		}}
		maps.Copy(object, more(p))
		return fields{"object": object}
	}, changes...)
}

func delivered(p simulator.Params) fields {
	return fields{"delivered": fields{"delivered_at": p.Time.Unix(), "recipients": []string{p.Recipient}}}
}

func complaint(p simulator.Params) fields {
	return fields{"complaint": fields{"reported_at": p.Time.Unix(), "type": "abuse", "complained_recipients": []string{p.Recipient}}}
}

func bounced(kind, answer string) func(simulator.Params) fields {
	return func(p simulator.Params) fields {
		return fields{"bounce": fields{
			"bounced_at": p.Time.Unix(), "type": kind, "recipients": []fields{{"email": p.Recipient, "diagnostic_code": answer}},
		}}
	}
}

func bounce(name, kind, answer string, reason anymail.RejectReason, b anymail.Bounce) simulator.Sample {
	return agent(name, anymail.EventBounced, reason, bounced(kind, answer), simulator.Described(kind), simulator.Answered(answer, b))
}

func suppressed(name, kind string, reason anymail.RejectReason) simulator.Sample {
	return agent(name, anymail.EventRejected, reason, bounced(kind, ""), simulator.Described(kind))
}

// scheduled is an event of a message that was to be sent later.
func scheduled(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return sample(name, typ, reason, func(p simulator.Params) fields {
		data := fields{"object": fields{
			"object": "message", "grant_id": "g1", "id": p.MessageID, "subject": p.Subject, "from": []fields{{"name": "News", "email": p.Sender}},
			"to": []fields{{"name": "Ada", "email": p.Recipient}}, "schedule_id": "s1", "send_at": p.Time.Unix(), "metadata": p.Metadata,
		}}
		maps.Copy(data, more)
		return data
	}, changes...)
}

// detected is a bounce that Nylas found in the sender's mailbox.
func detected(name, code string, category anymail.BounceCategory) simulator.Sample {
	return sample(name, anymail.EventBounced, anymail.RejectBounced, func(p simulator.Params) fields {
		return fields{"object": fields{
			"bounce_reason": "The server refused the message.", "bounce_date": p.Time.Format(time.RFC1123Z), "bounced_addresses": p.Recipient,
			"type": "mailbox_unavailable", "code": code, "grant_id": "g1", "message_id": p.MessageID,
			"origin": fields{"to": []string{p.Recipient}, "from": p.Sender, "cc": []string{}, "bcc": []string{}, "subject": p.Subject, "id": "x1"},
		}}
	}, simulator.Described("The server refused the message."), func(ev *anymail.TrackingEvent) {
		ev.Metadata, ev.Bounce.Category = nil, category
		ev.Bounce.SMTPCode = map[string]int{"550": 550, "450": 450}[code]
	})
}

// tracked is an open or a click. The newest is not the first.
func tracked(name string, typ anymail.EventType, url string) simulator.Sample {
	s := sample(name, typ, "", func(p simulator.Params) fields {
		return fields{"object": fields{
			"object": "message", "grant_id": "g1", "message_id": p.MessageID, "label": p.Tag, "sender_app_id": "a1", "timestamp": p.Time.Unix(),
			"message_data": fields{"count": 2, "timestamp": p.Time.Unix()},
			"link_data":    []fields{{"count": 1, "url": "https://shop.example.org/"}, {"count": 1, "url": url}},
			"recents": []fields{
				{"opened_id": 0, "click_id": 0, "link_index": "0", "ip": "192.0.2.7", "timestamp": p.Time.Unix() - 60, "user_agent": "Old"},
				{"opened_id": 1, "click_id": 1, "link_index": "1", "ip": "192.0.2.77", "timestamp": p.Time.Unix(), "user_agent": agentName},
			},
		}}
	})
	s.Events = func(p simulator.Params) []anymail.Event { // with the tag, unlike other events
		return p.Event(typ, "", simulator.Visited(agentName, url, anymail.Unsaid), func(ev *anymail.TrackingEvent) {
			ev.Recipient, ev.Metadata, ev.IP = "", nil, netip.MustParseAddr("192.0.2.77")
		})
	}
	return s
}

// other is a notification of which no event is made.
func other(name string, object fields) simulator.Sample {
	return sample(name, anymail.EventUnknown, "", func(simulator.Params) fields { return fields{"object": object} }, func(ev *anymail.TrackingEvent) {
		ev.MessageID, _ = object["id"].(string)
		ev.Recipient, ev.Metadata = "", nil
	})
}

// received is a received message, which the API has as it was received or not at all.
func received(api *simulator.API, name string, whole bool) simulator.Sample {
	typ := anymail.EventInbound
	if strings.HasSuffix(name, ".truncated") {
		typ = anymail.EventInboundFailed
	}
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{typ}, TakesMIME: whole, Fetched: whole,
		Events: func(p simulator.Params) []anymail.Event {
			if whole {
				return p.Received()
			}
			m := anymail.InboundMessage{
				From: []anymail.Address{{Name: "Ada", Address: p.Sender}}, To: []anymail.Address{{Address: "desk@agents.example.org"}},
				Subject: p.Subject, Date: p.Time, HTML: "<p>Where is it?</p>",
				Attachments: []anymail.Attachment{{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment"}},
			}
			if typ == anymail.EventInboundFailed {
				m.HTML = ""
			}
			return []anymail.Event{&anymail.InboundEvent{Common: anymail.Common{Type: typ, ID: p.EventID, Timestamp: p.Time}, Message: m}}
		},
		Make: func(p simulator.Params) simulator.Request {
			id := "in-" + p.EventID
			object := fields{
				"object": "message", "id": id, "grant_id": "g1", "thread_id": "t1", "subject": p.Subject, "from": []fields{{"name": "Ada", "email": p.Sender}},
				"to": []fields{{"name": "", "email": "desk@agents.example.org"}}, "cc": []fields{}, "bcc": []fields{}, "reply_to": []fields{}, "date": p.Time.Unix(),
				"body": "<p>Where is it?</p>", "snippet": "Where is it?", "starred": false, "unread": true, "folders": []string{"INBOX", "UNREAD"},
				"attachments": []fields{{"id": "at1", "filename": "notes.txt", "content_type": "text/plain", "size": 6, "is_inline": false, "content_disposition": "attachment"}},
			}
			if typ == anymail.EventInboundFailed {
				delete(object, "body")
			}
			if whole {
				from := rawmime.Parse(p.MIME, anymail.Limits{})
				object["subject"] = from.Subject
				api.Put("https://api.us.nylas.com/v3/grants/g1/messages/"+id+"?fields=raw_mime", "application/json", simulator.MustJSON(fields{
					"request_id": "r1", "data": fields{"grant_id": "g1", "object": "message", "id": id, "raw_mime": base64.URLEncoding.EncodeToString(p.MIME)},
				}))
			}
			return post("inbound", name, p, fields{"object": object})
		},
	}
}
