// Package birdsim plays Bird, for tests and demonstrations.
package birdsim

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
			email("email.scheduled", anymail.EventQueued, "", fields{"recipient": nil, "scheduled_at": "2026-01-02T00:00:00Z"}),
			email("email.accepted", anymail.EventQueued, "", nil),
			email("email.processed", anymail.EventQueued, "", nil),
			email("email.delivered", anymail.EventDelivered, "", nil),
			email("email.deferred", anymail.EventDeferred, "", fields{"bounce_type": "soft", "bounce_class": 22, "defer_reason": "452 4.2.2 mailbox full"}),
			email("email.deferred-block", anymail.EventDeferred, "", fields{"bounce_type": "block", "bounce_class": 50, "defer_reason": "450 4.7.1 try later"}),
			bounced("email.bounced-hard", anymail.RejectInvalid, "hard", "550", "5.1.1 no such user"),
			bounced("email.bounced-soft", anymail.RejectBounced, "soft", "452", "4.2.2 mailbox full"),
			bounced("email.bounced-block", anymail.RejectBlocked, "block", "550", "5.7.1 not welcome here"),
			bounced("email.bounced-admin", anymail.RejectBlocked, "admin", "", ""),
			bounced("email.bounced-undetermined", anymail.RejectBounced, "undetermined", "", ""),
			bounced("email.out_of_band_bounce-hard", anymail.RejectBounced, "hard", "", ""),
			email("email.rejected-recipient_suppressed", anymail.EventRejected, anymail.RejectBlocked, rejected("recipient_suppressed")),
			email("email.rejected-policy_rejection", anymail.EventRejected, anymail.RejectBlocked, rejected("policy_rejection")),
			email("email.rejected-recipient_not_allowed", anymail.EventRejected, anymail.RejectBlocked, rejected("recipient_not_allowed")),
			email("email.rejected-domain_unverified", anymail.EventRejected, anymail.RejectOther, rejected("domain_unverified")),
			email("email.rejected-quota_exceeded", anymail.EventRejected, anymail.RejectOther, rejected("quota_exceeded")),
			email("email.rejected-generation_failure", anymail.EventFailed, anymail.RejectOther, rejected("generation_failure")),
			email("email.rejected-transmission_failed", anymail.EventFailed, anymail.RejectOther, rejected("transmission_failed")),
			email("email.canceled", anymail.EventUnknown, "", fields{"recipient": nil}),
			email("email.complained", anymail.EventComplained, anymail.RejectSpam, fields{"feedback_type": "abuse"}),
			email("email.complained-not-spam", anymail.EventUnknown, "", fields{"feedback_type": "not-spam"}),
			email("email.opened", anymail.EventOpened, "", fields{"ip_address": "192.0.2.77", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)"}),
			email("email.clicked", anymail.EventClicked, "", fields{
				"ip_address": "192.0.2.77", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "url": "https://shop.example.org/orders/1701?from=mail",
			}),
			email("email.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			email("email.list_unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			email("email.teleported", anymail.EventUnknown, "", nil),
			made("email_suppression.created", anymail.EventUnknown, "", func(p simulator.Params) fields {
				return fields{"workspace_id": "ws_1", "email": p.Recipient, "reason": "hard_bounce"}
			}),
			received("email.received", anymail.EventInbound, func(p simulator.Params) {
				api.Put("https://us1.platform.bird.com/v1/email/inbound-messages/rem_"+p.EventID+"/raw", "message/rfc822", p.MIME)
			}),
			received("email.received-gone", anymail.EventInboundFailed, nil),
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

func request(name, endpoint string, p simulator.Params, data fields) simulator.Request {
	event, _, _ := strings.Cut(name, "-")
	r := simulator.JSON(endpoint, simulator.MustJSON(fields{"type": event, "timestamp": p.Time.Format("2006-01-02T15:04:05.000Z"), "data": data}))
	r.Header.Set("Webhook-Id", "msg_"+p.EventID)
	return r
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, data func(simulator.Params) fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request { return request(name, "tracking", p, data(p)) },
	}
}

func email(name string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	return made(name, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"email_id": p.MessageID, "recipient_id": "er_1", "workspace_id": "ws_1", "recipient": p.Recipient, "recipient_role": "to",
			"tags": []fields{{"name": "flow", "value": p.Tag}}, "metadata": p.Metadata,
		}
		maps.Copy(data, more)
		return data
	})
}

func bounced(name string, reason anymail.RejectReason, typ, code, text string) simulator.Sample {
	more := fields{"bounce_type": typ, "bounce_class": nil, "bounce_code": nil, "bounce_description": nil, "sending_ip": "192.0.2.1"}
	if code != "" {
		more["bounce_code"], more["bounce_description"] = code, text
	}
	return email(name, anymail.EventBounced, reason, more)
}

func rejected(reason string) fields { return fields{"rejection_reason": reason} }

// received is the notification of a message, which keep puts into the API.
func received(name string, typ anymail.EventType, keep func(simulator.Params)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{typ}, TakesMIME: keep != nil, Fetched: true,
		Make: func(p simulator.Params) simulator.Request {
			if keep != nil {
				keep(p)
			}
			return request(name, "inbound", p, fields{
				"inbound_message_id": "rem_" + p.EventID, "workspace_id": "ws_1", "message_id": "<" + p.EventID + "@example.com>",
				"from": p.Sender, "to": []string{"help@in.example.org"}, "subject": p.Subject, "in_reply_to": "<" + p.MessageID + "@example.org>",
				"authentication": "pass", "spf_pass": true, "dkim_pass": true, "dmarc_pass": nil, "spam_score": nil,
			})
		},
	}
}
