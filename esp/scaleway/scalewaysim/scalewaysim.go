// Package scalewaysim plays Scaleway Transactional Email, for tests and
// demonstrations.
package scalewaysim

import (
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/scaleway"
	"github.com/goanymail/anymail/internal/snssim"
	"github.com/goanymail/anymail/simulator"
)

const topic = "arn:scw:sns:fr-par:project-11111111-1111-4111-8111-111111111111:mail"

const confirmURL = "https://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=t1"

// New returns Scaleway's simulator. A credential is a signing certificate that
// issued itself. The adapter fetches it from the simulator.
func New() *simulator.Simulator {
	api, signer := new(simulator.API), new(snssim.Signer)
	service, _ := scaleway.Service(topic)
	api.Put(confirmURL, "text/xml", []byte("<ConfirmSubscriptionResponse/>"))
	return &simulator.Simulator{
		ESP:    scaleway.ESP,
		Title:  "Scaleway",
		Client: api.Client(),
		NewCredential: func() simulator.Credential {
			c, leaf := signer.NewCredential(30 * 24 * time.Hour)
			api.Put(service.TestCertificateURL(leaf), "application/x-pem-file", []byte(c.Config))
			return c
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			config := scaleway.Config{Client: api.Client(), Logger: slog.New(slog.DiscardHandler)}
			for _, c := range trusted {
				config.TopicARNs, config.Roots = []string{topic}, append(config.Roots, c.Config)
			}
			return scaleway.New(config)
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			return snssim.Sign(r, c, at, scaleway.Service, "1")
		},
		Situations: map[string]string{
			"email_spam": "Not sent: the ESP takes the content for spam",
		},
		Samples: []simulator.Sample{
			email("email_queued", anymail.EventQueued, "", nil),
			answered("email_delivered", anymail.EventDelivered, "", "2.0.0 Ok", anymail.Bounce{}, 250),
			answered("email_deferred", anymail.EventDeferred, "", "4.7.0 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.7.0"}, 421),
			answered("email_dropped", anymail.EventBounced, anymail.RejectBounced, "5.2.1 mailbox disabled", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.2.1"}, 554),
			answered("email_bounced", anymail.EventBounced, anymail.RejectBounced, "5.2.1 mailbox disabled", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.2.1"}, 554),
			answered("email_mailbox_not_found", anymail.EventBounced, anymail.RejectInvalid, "5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}, 550),
			email("email_spam", anymail.EventRejected, anymail.RejectBlocked, nil),
			answered("email_spam-refused", anymail.EventBounced, anymail.RejectSpam, "5.7.1 looks like spam", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}, 550),
			listed("email_blocklisted", "mailbox_full", anymail.EventRejected, anymail.RejectBounced, nil),
			listed("email_blocklisted-invalid", "mailbox_not_found", anymail.EventRejected, anymail.RejectInvalid, nil),
			listed("blocklist_created", "mailbox_full", anymail.EventUnknown, "", fields{"email_id": nil}, func(ev *anymail.TrackingEvent) { ev.MessageID = "" }),
			email("unknown_type", anymail.EventUnknown, "", nil),
			subscription("SubscriptionConfirmation"),
			subscription("UnsubscribeConfirmation"),
		},
	}
}

type fields map[string]any

// published is how long after an event its notification is.
const published = 400 * time.Millisecond

// answered is an event with the answer of the receiving server.
func answered(name string, typ anymail.EventType, reason anymail.RejectReason, text string, bounce anymail.Bounce, code int) simulator.Sample {
	return email(name, typ, reason, fields{"email_response_code": code, "email_response_message": text},
		simulator.Answered(text, bounce), simulator.Described(text))
}

// listed is an event of an address on the blocklist.
func listed(name, why string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	list := fields{"blocklist_type": why, "blocklist_reason": "an earlier " + why}
	maps.Copy(list, more)
	return email(name, typ, reason, list, append(changes, simulator.Described("an earlier "+why))...)
}

// email is an event of a message. Scaleway has no tags. A suffix of the name, after "-",
// is only in the sample's name.
func email(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	native, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(typ, reason, append(changes, func(ev *anymail.TrackingEvent) { ev.Tags = nil })...)
		},
		Make: func(p simulator.Params) simulator.Request {
			headers := []fields{}
			for key, value := range p.Metadata {
				headers = append(headers, fields{"key": key, "value": value})
			}
			message := fields{
				"id": p.EventID, "type": native, "organization_id": "o1", "project_id": "p1", "domain_id": "d1", "domain_name": "example.org",
				"created_at": p.Time.Format(time.RFC3339Nano), "email_id": p.MessageID, "email_from": p.Sender, "email_to": p.Recipient,
				"email_headers": headers,
			}
			maps.Copy(message, more)
			return post(p, map[string]string{"Type": "Notification", "Message": string(simulator.MustJSON(message))})
		},
	}
}

func subscription(kind string) simulator.Sample {
	return simulator.Sample{
		Name: kind, Endpoint: "tracking", Events: func(simulator.Params) []anymail.Event { return nil },
		Make: func(p simulator.Params) simulator.Request {
			return post(p, map[string]string{"Type": kind, "Message": "Confirm the subscription.", "Token": "t1", "SubscribeURL": confirmURL})
		},
	}
}

func post(p simulator.Params, m map[string]string) simulator.Request {
	m["MessageId"], m["TopicArn"], m["Timestamp"] = "n"+p.EventID, topic, p.Time.Add(published).Format("2006-01-02T15:04:05.000Z")
	r := simulator.JSON("tracking", simulator.MustJSON(m))
	r.Header = http.Header{"Content-Type": {"text/plain; charset=UTF-8"}} // though it is JSON
	return r
}
