// Package birdsim plays Bird, for tests and demonstrations.
package birdsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/bird"
	"github.com/goanymail/anymail/simulator"
)

// New returns Bird's simulator. A credential is the secret of both endpoints,
// tracking and inbound.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:   bird.ESP,
		Title: "Bird",
		NewCredential: func() simulator.Credential {
			key := make([]byte, 24)
			_, _ = rand.Read(key) // never fails
			return simulator.Credential{Config: "whsec_" + base64.StdEncoding.EncodeToString(key), Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return bird.New(bird.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys, APIKeys: anymail.Keys("bk_us1_demo"), Client: api.Client()})
		},
		Client: api.Client(),
		Sign:   sign,
		Samples: []simulator.Sample{
			email("email.scheduled", anymail.EventQueued, "", fields{"recipient": nil, "scheduled_at": "2026-01-02T00:00:00Z"}, withoutRecipient),
			email("email.accepted", anymail.EventQueued, "", nil),
			email("email.processed", anymail.EventQueued, "", nil),
			email("email.delivered", anymail.EventDelivered, "", nil),
			email("email.deferred", anymail.EventDeferred, "", fields{"bounce_type": "soft", "bounce_class": 22, "defer_reason": "452 4.2.2 mailbox full"},
				simulator.Answered("452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			email("email.deferred-block", anymail.EventDeferred, "", fields{"bounce_type": "block", "bounce_class": 50, "defer_reason": "450 4.7.1 try later"},
				simulator.Answered("450 4.7.1 try later", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 450, EnhancedCode: "4.7.1"})),
			bounced("email.bounced-hard", anymail.RejectInvalid, "hard", "550", "5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounced("email.bounced-soft", anymail.RejectBounced, "soft", "452", "4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			bounced("email.bounced-block", anymail.RejectBlocked, "block", "550", "5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounced("email.bounced-admin", anymail.RejectBlocked, "admin", "", "", anymail.Bounce{Category: anymail.BounceBlock}),
			bounced("email.bounced-undetermined", anymail.RejectBounced, "undetermined", "", "", anymail.Bounce{Category: anymail.BounceUndetermined}),
			bounced("email.out_of_band_bounce-hard", anymail.RejectBounced, "hard", "", "", anymail.Bounce{Category: anymail.BounceHard}),
			rejected("recipient_suppressed", anymail.EventRejected, anymail.RejectBlocked),
			rejected("policy_rejection", anymail.EventRejected, anymail.RejectBlocked),
			rejected("recipient_not_allowed", anymail.EventRejected, anymail.RejectBlocked),
			rejected("domain_unverified", anymail.EventRejected, anymail.RejectOther),
			rejected("quota_exceeded", anymail.EventRejected, anymail.RejectOther),
			rejected("generation_failure", anymail.EventFailed, anymail.RejectOther),
			rejected("transmission_failed", anymail.EventFailed, anymail.RejectOther),
			email("email.canceled", anymail.EventUnknown, "", fields{"recipient": nil}, withoutRecipient),
			email("email.complained", anymail.EventComplained, anymail.RejectSpam, fields{"feedback_type": "abuse"}, simulator.Described("abuse")),
			email("email.complained-not-spam", anymail.EventUnknown, "", fields{"feedback_type": "not-spam"}, simulator.Described("not-spam")),
			email("email.opened", anymail.EventOpened, "", fields{"ip_address": address, "user_agent": agent}, fromAddress, simulator.Visited(agent, "", anymail.Unsaid)),
			email("email.clicked", anymail.EventClicked, "", fields{"ip_address": address, "user_agent": agent, "url": link}, fromAddress, simulator.Visited(agent, link, anymail.Unsaid)),
			email("email.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			email("email.list_unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			email("email.teleported", anymail.EventUnknown, "", nil),
			made("email_suppression.created", anymail.EventUnknown, "", func(p simulator.Params) fields {
				return fields{"workspace_id": "ws_1", "email": p.Recipient, "reason": "hard_bounce"}
			}, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Tags, ev.Metadata = "", nil, nil }),
			received("email.received", func(p simulator.Params) {
				api.Put("https://us1.platform.bird.com/v1/email/inbound-messages/rem_"+p.EventID+"/raw", "message/rfc822", p.MIME)
			}),
			received("email.received-gone", nil),
		},
	}
}

// sign signs by https://www.standardwebhooks.com.
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	key, ok := c.Private.([]byte)
	if !ok {
		return fmt.Errorf("birdsim: a credential of another simulator")
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Webhook-Id"), timestamp, r.Body) // a hash never fails
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

type fields map[string]any

const (
	address = "192.0.2.77"
	agent   = "Mozilla/5.0 (X11; Linux x86_64)"
	mailbox = "help@in.example.org"
	link    = "https://shop.example.org/orders/1701?from=mail"
)

func fromAddress(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr(address) }

func withoutRecipient(ev *anymail.TrackingEvent) { ev.Recipient = "" }

func request(name, endpoint string, p simulator.Params, data fields) simulator.Request {
	event, _, _ := strings.Cut(name, "-")
	r := simulator.JSON(endpoint, simulator.MustJSON(fields{"type": event, "timestamp": p.Time.Format("2006-01-02T15:04:05.000Z"), "data": data}))
	r.Header.Set("Webhook-Id", "msg_"+p.EventID)
	return r
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, data func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID = "msg_" + p.EventID
			return p.Event(typ, reason, changes...)
		},
		Make: func(p simulator.Params) simulator.Request { return request(name, "tracking", p, data(p)) },
	}
}

func email(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return made(name, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"email_id": p.MessageID, "recipient_id": "er_1", "workspace_id": "ws_1", "recipient": p.Recipient, "recipient_role": "to",
			"tags": []fields{{"name": "flow", "value": p.Tag}}, "metadata": p.Metadata,
		}
		maps.Copy(data, more)
		return data
	}, append(changes, tagged)...)
}

// tagged makes the tag what it is at Bird: a pair.
func tagged(ev *anymail.TrackingEvent) {
	ev.Metadata["flow"], ev.Tags = ev.Tags[0], nil
}

func bounced(name string, reason anymail.RejectReason, typ, code, text string, bounce anymail.Bounce) simulator.Sample {
	more, answer := fields{"bounce_type": typ, "bounce_class": nil, "bounce_code": nil, "bounce_description": nil, "sending_ip": "192.0.2.1"}, ""
	if code != "" {
		more["bounce_code"], more["bounce_description"], answer = code, text, code+" "+text
	}
	return email(name, anymail.EventBounced, reason, more, simulator.Answered(answer, bounce))
}

func rejected(why string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return email("email.rejected-"+why, typ, reason, fields{"rejection_reason": why}, simulator.Described(why))
}

// received is the notification of a message, which keep puts into the API. Without
// keep, Bird no longer has it.
func received(name string, keep func(simulator.Params)) simulator.Sample {
	typ := anymail.EventInbound
	if keep == nil {
		typ = anymail.EventInboundFailed
	}
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{typ}, TakesMIME: keep != nil, Fetched: true,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Received(func(ev *anymail.InboundEvent) {
				ev.Type, ev.ID = typ, "msg_"+p.EventID
				m := &ev.Message
				if keep == nil {
					*m = anymail.InboundMessage{
						From: []anymail.Address{{Address: p.Sender}}, To: []anymail.Address{{Address: mailbox}},
						Subject: p.Subject, MessageID: p.EventID + "@example.com", InReplyTo: p.MessageID + "@example.org",
					}
				}
				m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = p.Sender, mailbox, []string{mailbox}
				m.Authentication = anymail.Authentication{SPF: "pass", DKIM: "fail", DMARC: "pass"}
			})
		},
		Make: func(p simulator.Params) simulator.Request {
			if keep != nil {
				keep(p)
			}
			return request(name, "inbound", p, fields{
				"inbound_message_id": "rem_" + p.EventID, "workspace_id": "ws_1", "message_id": "<" + p.EventID + "@example.com>",
				"from": p.Sender, "to": []string{mailbox}, "subject": p.Subject, "in_reply_to": "<" + p.MessageID + "@example.org>",
				"authentication": "fail", "spf_pass": true, "dkim_pass": false, "dmarc_pass": true, "spam_score": nil,
			})
		},
	}
}
