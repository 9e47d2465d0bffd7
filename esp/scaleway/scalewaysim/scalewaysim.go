// Package scalewaysim plays Scaleway Transactional Email, for tests and
// demonstrations.
package scalewaysim

import (
	"log/slog"
	"net/http"
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
			email("email_queued", "email_queued", anymail.EventQueued, "", nil),
			email("email_delivered", "email_delivered", anymail.EventDelivered, "", answer(250, "2.0.0 Ok")),
			email("email_deferred", "email_deferred", anymail.EventDeferred, "", answer(421, "4.7.0 try again later")),
			email("email_dropped", "email_dropped", anymail.EventBounced, anymail.RejectBounced, answer(554, "5.2.1 mailbox disabled")),
			email("email_bounced", "email_bounced", anymail.EventBounced, anymail.RejectBounced, answer(554, "5.2.1 mailbox disabled")),
			email("email_mailbox_not_found", "email_mailbox_not_found", anymail.EventBounced, anymail.RejectInvalid, answer(550, "5.1.1 no such user")),
			email("email_spam", "email_spam", anymail.EventRejected, anymail.RejectBlocked, nil),
			email("email_spam-refused", "email_spam", anymail.EventBounced, anymail.RejectSpam, answer(550, "5.7.1 looks like spam")),
			email("email_blocklisted", "email_blocklisted", anymail.EventRejected, anymail.RejectBounced, fields{"blocklist_type": "mailbox_full", "blocklist_reason": "the mailbox was full"}),
			email("email_blocklisted-invalid", "email_blocklisted", anymail.EventRejected, anymail.RejectInvalid, fields{"blocklist_type": "mailbox_not_found", "blocklist_reason": "the mailbox did not exist"}),
			email("blocklist_created", "blocklist_created", anymail.EventUnknown, "", fields{"email_id": nil, "blocklist_type": "mailbox_full", "blocklist_reason": "the mailbox was full"}),
			email("unknown_type", "unknown_type", anymail.EventUnknown, "", nil),
			subscription("SubscriptionConfirmation"),
			subscription("UnsubscribeConfirmation"),
		},
	}
}

type fields map[string]any

func answer(code int, message string) fields {
	return fields{"email_response_code": code, "email_response_message": message}
}

func email(name, native string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
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
			for key, value := range more {
				message[key] = value
			}
			return post(p, map[string]string{"Type": "Notification", "Message": string(simulator.MustJSON(message))})
		},
	}
}

func subscription(kind string) simulator.Sample {
	return simulator.Sample{
		Name: kind, Endpoint: "tracking",
		Make: func(p simulator.Params) simulator.Request {
			return post(p, map[string]string{"Type": kind, "Message": "Confirm the subscription.", "Token": "t1", "SubscribeURL": confirmURL})
		},
	}
}

func post(p simulator.Params, m map[string]string) simulator.Request {
	m["MessageId"], m["TopicArn"], m["Timestamp"] = "n"+p.EventID, topic, p.Time.Format("2006-01-02T15:04:05.000Z")
	r := simulator.JSON("tracking", simulator.MustJSON(m))
	r.Header = http.Header{"Content-Type": {"text/plain; charset=UTF-8"}} // though it is JSON
	return r
}
