// Package loopssim plays Loops, for tests and demonstrations.
package loopssim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/loops"
	"github.com/goanymail/anymail/simulator"
)

// New returns Loops' simulator. A credential is the signing secret of the webhook.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   loops.ESP,
		Title: "Loops",
		NewCredential: func() simulator.Credential {
			var key [24]byte
			_, _ = rand.Read(key[:]) // never fails
			return simulator.Credential{Config: "whsec_" + base64.StdEncoding.EncodeToString(key[:])}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return loops.New(loops.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: sign,
		Samples: []simulator.Sample{
			email("transactional.email.sent", anymail.EventSent, "", fields{"sourceType": "transactional", "transactionalId": "t1", "transactionalName": "Receipt"}),
			email("campaign.email.sent", anymail.EventSent, "", fields{"sourceType": "campaign", "campaignId": "c1", "campaignName": "News"}),
			email("loop.email.sent", anymail.EventSent, "", fields{"sourceType": "loop", "loopId": "l1", "loopName": "Welcome"}),
			email("email.delivered", anymail.EventDelivered, "", nil),
			email("email.softBounced", anymail.EventDeferred, "", nil),
			email("email.hardBounced", anymail.EventBounced, anymail.RejectBounced, nil),
			email("email.opened", anymail.EventOpened, "", nil),
			email("email.clicked", anymail.EventClicked, "", nil),
			email("email.spamReported", anymail.EventComplained, anymail.RejectSpam, nil),
			email("email.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			email("email.resubscribed", anymail.EventSubscribed, "", nil),
			contact("contact.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			contact("contact.mailingList.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"mailingList": list}),
			contact("contact.mailingList.subscribed", anymail.EventSubscribed, "", fields{"mailingList": list}),
			contact("contact.created", anymail.EventUnknown, "", nil),
			contact("contact.deleted", anymail.EventUnknown, "", nil),
			contact("testing.testEvent", anymail.EventUnknown, "", fields{"contactIdentity": nil}),
		},
	}
}

type fields map[string]any

var list = fields{"id": "ml1", "name": "Product news", "description": nil, "isPublic": true}

// email is an event of a message.
func email(name string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	return sample(name, typ, reason, func(p simulator.Params) fields {
		f := fields{
			"email":      fields{"id": p.MessageID, "emailMessageId": "v1", "subject": p.Subject},
			"sourceType": "campaign", "campaignId": "c1",
		}
		maps.Copy(f, more)
		if f["sourceType"] != "campaign" {
			delete(f, "campaignId")
		}
		return f
	})
}

// contact is an event of a contact.
func contact(name string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	return sample(name, typ, reason, func(simulator.Params) fields { return more })
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more func(simulator.Params) fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			body := fields{
				"eventName": name, "eventTime": p.Time.Unix(), "webhookSchemaVersion": "1.0.0",
				"contactIdentity": fields{"id": "ct1", "email": p.Recipient, "userId": nil},
			}
			maps.Copy(body, more(p))
			r := simulator.JSON("tracking", simulator.MustJSON(body))
			r.Header.Set("Webhook-Id", "msg_"+p.EventID)
			return r
		},
	}
}

func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Config, "whsec_"))
	if err != nil {
		return fmt.Errorf("loopssim: %w", err)
	}
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Webhook-Id"), stamp, r.Body) // a hash never fails
	r.Header.Set("Webhook-Timestamp", stamp)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}
