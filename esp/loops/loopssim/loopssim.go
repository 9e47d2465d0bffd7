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
			email("transactional.email.sent", anymail.EventSent, "", "transactional"),
			email("campaign.email.sent", anymail.EventSent, "", "campaign"),
			email("loop.email.sent", anymail.EventSent, "", "loop"),
			email("email.delivered", anymail.EventDelivered, "", "transactional"),
			email("email.softBounced", anymail.EventDeferred, "", "loop", simulator.Answered("", anymail.Bounce{Category: anymail.BounceSoft})),
			email("email.hardBounced", anymail.EventBounced, anymail.RejectBounced, "transactional", simulator.Answered("", anymail.Bounce{Category: anymail.BounceHard})),
			email("email.opened", anymail.EventOpened, "", "campaign"),
			email("email.clicked", anymail.EventClicked, "", "loop"),
			email("email.spamReported", anymail.EventComplained, anymail.RejectSpam, "campaign"),
			email("email.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, "campaign"),
			email("email.resubscribed", anymail.EventSubscribed, "", "campaign"),
			contact("contact.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			contact("contact.mailingList.unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"mailingList": list}, ofList),
			contact("contact.mailingList.subscribed", anymail.EventSubscribed, "", fields{"mailingList": list}, ofList),
			contact("contact.created", anymail.EventUnknown, "", nil),
			contact("contact.deleted", anymail.EventUnknown, "", nil),
			contact("testing.testEvent", anymail.EventUnknown, "", fields{"contactIdentity": nil},
				func(ev *anymail.TrackingEvent) { ev.Recipient, ev.Metadata = "", nil }),
		},
	}
}

type fields map[string]any

var list = fields{"id": "ml1", "name": "Product news", "description": nil, "isPublic": true}

func ofList(ev *anymail.TrackingEvent) {
	ev.Description, ev.Metadata["mailingListId"] = "Product news", "ml1"
}

// email is an event of a message from a source: "campaign", "loop" or "transactional".
func email(name string, typ anymail.EventType, reason anymail.RejectReason, source string, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	id := source + "-7"
	return sample(name, typ, reason, func(p simulator.Params) fields {
		f := fields{
			"email":      fields{"id": p.MessageID, "emailMessageId": "v1", "subject": p.Subject},
			"sourceType": source, source + "Id": id,
		}
		if strings.HasSuffix(name, ".email.sent") {
			f[source+"Name"] = "Welcome"
		}
		return f
	}, append(changes, func(ev *anymail.TrackingEvent) {
		ev.Metadata["sourceType"], ev.Metadata[source+"Id"] = source, id
	})...)
}

// contact is an event of a contact.
func contact(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	withoutMessage := func(ev *anymail.TrackingEvent) { ev.MessageID = "" }
	return sample(name, typ, reason, func(simulator.Params) fields { return more }, append(changes, withoutMessage)...)
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.Metadata = "msg_"+p.EventID, map[string]string{"contactId": "ct1", "userId": "u1"}
			return p.Event(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.Tags = nil })...)
		},
		Make: func(p simulator.Params) simulator.Request {
			body := fields{
				"eventName": name, "eventTime": p.Time.Unix(), "webhookSchemaVersion": "1.0.0",
				"contactIdentity": fields{"id": "ct1", "email": p.Recipient, "userId": "u1"},
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
