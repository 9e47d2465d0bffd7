// Package mailomatsim plays Mailomat, for tests and demonstrations.
package mailomatsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailomat"
	"github.com/goanymail/anymail/simulator"
)

// New returns Mailomat's simulator.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   mailomat.ESP,
		Title: "Mailomat",
		NewCredential: func() simulator.Credential {
			secret := rand.Text()
			return simulator.Credential{Config: secret, Private: secret}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return mailomat.New(mailomat.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign:         sign,
		BodyUnsigned: true,
		Samples: []simulator.Sample{
			sample("accepted", anymail.EventQueued, "", nil),
			sample("not_accepted", anymail.EventRejected, anymail.RejectOther, object{"reason": "the limit of the month is reached"},
				simulator.Described("the limit of the month is reached")),
			answered("delivered", anymail.EventDelivered, "", "2.0.0 queued", anymail.Bounce{}, 250, "2.0.0"),
			answered("failure_tmp", anymail.EventDeferred, "", "4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft}, 452, "4.2.2"),
			answered("failure_perm", anymail.EventBounced, anymail.RejectBounced, "refused", anymail.Bounce{Category: anymail.BounceHard}, 554, ""),
			answered("failure_perm-invalid", anymail.EventBounced, anymail.RejectInvalid, "5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard}, 550, "5.1.1"),
			answered("failure_perm-full", anymail.EventBounced, anymail.RejectBounced, "5.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft}, 552, "5.2.2"),
			answered("failure_perm-policy", anymail.EventBounced, anymail.RejectBlocked, "5.7.1 not welcome here", anymail.Bounce{Category: anymail.BounceBlock}, 550, "5.7.1"),
			answered("failure_perm-expired", anymail.EventBounced, anymail.RejectTimedOut, "4.4.7 too old", anymail.Bounce{Category: anymail.BounceSoft}, 451, "4.4.7"),
			sample("opened", anymail.EventOpened, "", visit, simulator.Visited(agent, "", anymail.Unsaid), from),
			sample("clicked", anymail.EventClicked, "", object{"client": visit["client"], "url": link}, simulator.Visited(agent, link, anymail.Unsaid), from),
			sample("teleported", anymail.EventUnknown, "", nil),
		},
	}
}

type object = map[string]any

const (
	link  = "https://shop.example.org/orders/1701?from=mail"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
)

var visit = object{"client": object{"ip": "192.0.2.77", "user-agent": agent}}

func from(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") }

// sign signs the event's name, an id that is not the event's, and the time.
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	var posted struct {
		EventType string `json:"eventType"`
	}
	_ = json.Unmarshal(r.Body, &posted) // tests sign what is not JSON too
	id, seconds := "5b0b1f3e-0000-4000-8000-1d958822aa00", strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(c.Private.(string)))
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, posted.EventType, seconds) // a hash never fails
	r.Header.Set("X-MOM-Webhook-Id", id)
	r.Header.Set("X-MOM-Webhook-Event", posted.EventType)
	r.Header.Set("X-MOM-Webhook-Timestamp", seconds)
	r.Header.Set("X-MOM-Webhook-Signature", fmt.Sprintf("sha256=%x", mac.Sum(nil)))
	return nil
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			bare := func(ev *anymail.TrackingEvent) { ev.Tags, ev.Metadata = nil, nil }
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){bare}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			headers := object{"from": p.Sender, "to": p.Recipient, "message-id": "<" + p.EventID + "@example.org>", "subject": p.Subject}
			payload := object{
				"event": event, "timestamp": float64(p.Time.UnixMilli()) / 1000, "message-uuid": p.MessageID, "username": "shop@example.org",
				"sender": "b=7f=" + p.EventID + "@example.org", "recipient": p.Recipient, "message": object{"headers": headers, "size": 1701},
			}
			maps.Copy(payload, more)
			return simulator.JSON("tracking", simulator.MustJSON(object{
				"id": p.EventID, "eventType": event, "occurredAt": p.Time.In(time.FixedZone("", 7200)).Format(time.RFC3339), "messageUuid": p.MessageID,
				"messageId": p.EventID + "@example.org", "recipient": p.Recipient, "payload": payload,
			}))
		},
	}
}

// answered is an event with the answer of the receiving server.
func answered(name string, typ anymail.EventType, reason anymail.RejectReason, text string, bounce anymail.Bounce, code int, enhanced string) simulator.Sample {
	if bounce.Category != "" {
		bounce.SMTPCode, bounce.EnhancedCode = code, enhanced
	}
	status := object{
		"attempt-nr": 1, "code": code, "enhanced-code": enhanced, "message": text, "duration": 0.2,
		"remote": object{"ip": "192.0.2.25", "mx": "mx.example.com", "tls": object{"started": true, "protocol": "TLSv1.3"}},
	}
	return sample(name, typ, reason, object{"delivery-status": status}, simulator.Described(text), simulator.Answered(text, bounce))
}
