// Package customeriosim plays Customer.io, for tests and demonstrations.
package customeriosim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/customerio"
	"github.com/goanymail/anymail/simulator"
)

// New returns Customer.io's simulator. A credential is the signing key of a webhook.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           customerio.ESP,
		Title:         "Customer.io",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return customerio.New(customerio.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			timestamp := strconv.FormatInt(at.Unix(), 10)
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = fmt.Fprintf(mac, "v0:%s:%s", timestamp, r.Body) // a hash never fails
			r.Header.Set("X-CIO-Timestamp", timestamp)
			r.Header.Set("X-CIO-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			email("drafted", anymail.EventUnknown, "", nil),
			email("attempted", anymail.EventDeferred, "", fields{"recipient": nil, "failure_message": "421 4.7.0 try again later"},
				answered("421 4.7.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.7.0"})),
			email("sent", anymail.EventSent, "", nil),
			belonging("sent-newsletter", fields{"newsletter_id": json.Number("4"), "content_id": json.Number("9")}),
			belonging("sent-broadcast", fields{"broadcast_id": json.Number("6"), "trigger_id": json.Number("2"), "trigger_event_id": "01JTRIGGER"}),
			belonging("sent-transactional", fields{"transactional_message_id": json.Number("5")}),
			email("delivered", anymail.EventDelivered, "", nil),
			email("bounced", anymail.EventBounced, anymail.RejectBounced, fields{"failure_message": "the server gave no reason"},
				answered("the server gave no reason", anymail.Bounce{Category: anymail.BounceUndetermined})),
			email("bounced-invalid", anymail.EventBounced, anymail.RejectInvalid, fields{"failure_message": "550 5.1.1 no such user"},
				answered("550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			email("bounced-full", anymail.EventBounced, anymail.RejectBounced, fields{"failure_message": "452 4.2.2 mailbox full"},
				answered("452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			email("bounced-policy", anymail.EventBounced, anymail.RejectBlocked, fields{"failure_message": "550 5.7.1 not welcome here"},
				answered("550 5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"})),
			email("dropped", anymail.EventRejected, anymail.RejectBlocked, nil),
			email("dropped-bounced", anymail.EventRejected, anymail.RejectBounced, fields{"failure_message": "suppressed after a hard bounce"}, simulator.Described("suppressed after a hard bounce")),
			email("undeliverable", anymail.EventRejected, anymail.RejectOther, fields{"failure_message": "message limit reached"}, simulator.Described("message limit reached")),
			email("failed", anymail.EventFailed, anymail.RejectOther, fields{"recipient": nil, "failure_message": "template: no such variable"}, simulator.Described("template: no such variable")),
			email("opened", anymail.EventOpened, "", fields{"proxied": false, "prefetched": false, "synthetic": false}, simulator.Visited("", "", anymail.No)),
			email("opened-synthetic", anymail.EventOpened, "", fields{"proxied": false, "prefetched": false, "synthetic": true}, simulator.Visited("", "", anymail.No)),
			email("opened-prefetched", anymail.EventOpened, "", fields{"proxied": true, "prefetched": true, "synthetic": false}, simulator.Visited("", "", anymail.Yes)),
			email("clicked", anymail.EventClicked, "", fields{"href": link, "link_id": 11, "machine": false}, simulator.Visited("", link, anymail.No)),
			email("clicked-machine", anymail.EventClicked, "", fields{"href": link, "link_id": 11, "machine": true}, simulator.Visited("", link, anymail.Yes)),
			email("converted", anymail.EventUnknown, "", nil),
			email("spammed", anymail.EventComplained, anymail.RejectSpam, nil),
			email("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			customer("subscribed", anymail.EventSubscribed, ""),
			customer("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			customer("cio_subscription_preferences_changed", anymail.EventUnknown, ""),
			made("sms", "delivered", anymail.EventUnknown, "", func(simulator.Params) fields { return fields{"recipient": "+15550100"} },
				func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Recipient = "", "+15550100" }),
			email("teleported", anymail.EventUnknown, "", nil),
		},
	}
}

type fields map[string]any

const link = "https://shop.example.org/orders/1701?from=mail"

// campaign is what a message belongs to unless the sample says otherwise.
var campaign = fields{"campaign_id": json.Number("3"), "action_id": json.Number("7"), "parent_action_id": json.Number("8"), "journey_id": "j1"}

func email(metric string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return message(metric, typ, reason, campaign, more, changes...)
}

// belonging is the sending of a message that belongs to something else.
func belonging(metric string, to fields) simulator.Sample {
	return message(metric, anymail.EventSent, "", to, fields{"campaign_id": nil, "action_id": nil})
}

func message(metric string, typ anymail.EventType, reason anymail.RejectReason, of, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return made("email", metric, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"customer_id": "42", "delivery_id": p.MessageID, "broadcast_id": nil,
			"identifiers": fields{"id": "42", "email": p.Recipient, "cio_id": "c1"}, "recipient": p.Recipient, "subject": p.Subject,
		}
		maps.Copy(data, of)
		maps.Copy(data, more)
		return data
	}, append(changes, func(ev *anymail.TrackingEvent) {
		ev.Metadata = anymail.Metadata{"customer_id": "42"}
		maps.Copy(ev.Metadata, of)
	})...)
}

func answered(text string, bounce anymail.Bounce) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) { ev.Description, ev.MTAResponse, ev.Bounce = text, text, bounce }
}

func customer(metric string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return made("customer", metric, typ, reason, func(p simulator.Params) fields {
		return fields{
			"customer_id": "42", "email_address": p.Recipient,
			"identifiers": fields{"id": "42", "email": p.Recipient, "cio_id": "c1"},
		}
	}, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Metadata = "", anymail.Metadata{"customer_id": "42"} })
}

// made is an event of an object. A suffix of the metric, after "-", is only in the
// sample's name.
func made(object, metric string, typ anymail.EventType, reason anymail.RejectReason, data func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	posted, _, _ := strings.Cut(metric, "-")
	return simulator.Sample{
		Name: object + "_" + metric, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.Metadata = nil // Customer.io has no metadata and no tags of the sender
			return p.Event(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.Tags = nil })...)
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(fields{
				"event_id": p.EventID, "object_type": object, "metric": posted, "timestamp": p.Time.Unix(), "data": data(p),
			}))
		},
	}
}
