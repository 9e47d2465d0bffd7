// Package customeriosim plays Customer.io, for tests and demonstrations.
package customeriosim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
			email("attempted", anymail.EventDeferred, "", fields{"recipient": nil, "failure_message": "421 4.7.0 try again later"}),
			email("sent", anymail.EventSent, "", nil),
			email("delivered", anymail.EventDelivered, "", nil),
			email("bounced", anymail.EventBounced, anymail.RejectBounced, fields{"failure_message": "the server gave no reason"}),
			email("bounced-invalid", anymail.EventBounced, anymail.RejectInvalid, fields{"failure_message": "550 5.1.1 no such user"}),
			email("bounced-full", anymail.EventBounced, anymail.RejectBounced, fields{"failure_message": "452 4.2.2 mailbox full"}),
			email("bounced-policy", anymail.EventBounced, anymail.RejectBlocked, fields{"failure_message": "550 5.7.1 not welcome here"}),
			email("dropped", anymail.EventRejected, anymail.RejectBlocked, nil),
			email("dropped-bounced", anymail.EventRejected, anymail.RejectBounced, fields{"failure_message": "suppressed after a hard bounce"}),
			email("undeliverable", anymail.EventRejected, anymail.RejectOther, fields{"failure_message": "message limit reached"}),
			email("failed", anymail.EventFailed, anymail.RejectOther, fields{"recipient": nil, "failure_message": "template: no such variable"}),
			email("opened", anymail.EventOpened, "", fields{"proxied": false, "prefetched": false, "synthetic": false}),
			email("opened-synthetic", anymail.EventOpened, "", fields{"proxied": false, "prefetched": false, "synthetic": true}),
			email("opened-prefetched", anymail.EventOpened, "", fields{"proxied": true, "prefetched": true, "synthetic": false}),
			email("clicked", anymail.EventClicked, "", fields{"href": link, "link_id": 11, "machine": false}),
			email("clicked-machine", anymail.EventClicked, "", fields{"href": link, "link_id": 11, "machine": true}),
			email("converted", anymail.EventUnknown, "", nil),
			email("spammed", anymail.EventComplained, anymail.RejectSpam, nil),
			email("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			customer("subscribed", anymail.EventSubscribed, ""),
			customer("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			customer("cio_subscription_preferences_changed", anymail.EventUnknown, ""),
			made("sms", "delivered", anymail.EventUnknown, "", func(simulator.Params) fields { return fields{"recipient": "+15550100"} }),
			email("teleported", anymail.EventUnknown, "", nil),
		},
	}
}

type fields map[string]any

const link = "https://shop.example.org/orders/1701?from=mail"

func email(metric string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	return made("email", metric, typ, reason, func(p simulator.Params) fields {
		data := fields{
			"customer_id": "42", "delivery_id": p.MessageID, "action_id": 7, "campaign_id": 3, "journey_id": "j1", "broadcast_id": nil,
			"identifiers": fields{"id": "42", "email": p.Recipient, "cio_id": "c1"}, "recipient": p.Recipient, "subject": p.Subject,
		}
		maps.Copy(data, more)
		return data
	})
}

func customer(metric string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return made("customer", metric, typ, reason, func(p simulator.Params) fields {
		return fields{
			"customer_id": "42", "email_address": p.Recipient,
			"identifiers": fields{"id": "42", "email": p.Recipient, "cio_id": "c1"},
		}
	})
}

// made is an event of an object. A suffix of the metric, after "-", is only in the
// sample's name.
func made(object, metric string, typ anymail.EventType, reason anymail.RejectReason, data func(simulator.Params) fields) simulator.Sample {
	posted, _, _ := strings.Cut(metric, "-")
	return simulator.Sample{
		Name: object + "_" + metric, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(fields{
				"event_id": p.EventID, "object_type": object, "metric": posted, "timestamp": p.Time.Unix(), "data": data(p),
			}))
		},
	}
}
