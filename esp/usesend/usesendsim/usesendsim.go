// Package usesendsim plays useSend, for tests and demonstrations.
package usesendsim

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
	"github.com/goanymail/anymail/esp/usesend"
	"github.com/goanymail/anymail/simulator"
)

// New returns useSend's simulator. A credential is the secret of a webhook.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           usesend.ESP,
		Title:         "useSend",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: "whsec_" + rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return usesend.New(usesend.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			milliseconds := strconv.FormatInt(at.UnixMilli(), 10)
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = fmt.Fprintf(mac, "%s.%s", milliseconds, r.Body) // a hash never fails
			r.Header.Set("X-UseSend-Timestamp", milliseconds)
			r.Header.Set("X-UseSend-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Situations: map[string]string{
			"email.rejected":                              "Not sent: by the ESP's own policy, or for a virus",
			"email.rendering_failure":                     "Template error",
			"email.bounced, Transient/AttachmentRejected": "Attachment refused, or taken for a virus",
		},
		Samples: []simulator.Sample{
			sample("email.queued", anymail.EventQueued, "", nil),
			sample("email.sent", anymail.EventSent, "", nil),
			sample("email.delivered", anymail.EventDelivered, "", nil),
			delayed("MailboxFull"),
			delayed("IPFailure"),
			bounced("Permanent", "General", "smtp; 550 5.0.0 refused", anymail.EventBounced, anymail.RejectBounced),
			bounced("Permanent", "NoEmail", "smtp; 550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid),
			bounced("Permanent", "Suppressed", "Amazon SES has suppressed sending to this address", anymail.EventRejected, anymail.RejectBounced),
			bounced("Permanent", "OnAccountSuppressionList", "", anymail.EventRejected, anymail.RejectBlocked),
			bounced("Transient", "MailboxFull", "smtp; 452 4.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced),
			bounced("Transient", "MessageTooLarge", "", anymail.EventBounced, anymail.RejectOther),
			bounced("Transient", "ContentRejected", "", anymail.EventBounced, anymail.RejectSpam),
			bounced("Transient", "AttachmentRejected", "", anymail.EventBounced, anymail.RejectBlocked),
			bounced("Undetermined", "General", "", anymail.EventBounced, anymail.RejectBounced),
			sample("email.rejected", anymail.EventRejected, anymail.RejectBlocked, fields{"metadata": fields{"reason": "Bad content"}}),
			sample("email.rendering_failure", anymail.EventFailed, anymail.RejectOther, fields{"metadata": fields{"errorMessage": "missing variable"}}),
			sample("email.failed", anymail.EventFailed, anymail.RejectOther, fields{"failed": fields{"reason": "domain not verified"}}),
			sample("email.complained", anymail.EventComplained, anymail.RejectSpam, fields{"metadata": fields{"feedbackType": "abuse"}}),
			sample("email.complained, not-spam", anymail.EventUnknown, "", fields{"metadata": fields{"feedbackType": "not-spam"}}),
			suppressed("Bounce", anymail.RejectBounced),
			suppressed("Complaint", anymail.RejectSpam),
			suppressed("Manual", anymail.RejectBlocked),
			sample("email.cancelled", anymail.EventUnknown, "", nil),
			visited("email.opened", "open", anymail.EventOpened, nil),
			visited("email.clicked", "click", anymail.EventClicked, fields{"url": "https://shop.example.org/orders/1701?from=mail"}),
			contact("contact.updated"),
			contact("contact.teleported"),
			{
				Name: "webhook.test", Endpoint: "tracking",
				Make: func(p simulator.Params) simulator.Request {
					return post("webhook.test", p, fields{"test": true, "webhookId": "wh_1", "sentAt": p.Time.Format(milliseconds)})
				},
			},
		},
	}
}

type fields map[string]any

const milliseconds = "2006-01-02T15:04:05.000Z"

func post(event string, p simulator.Params, data fields) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(fields{
		"id": "call_" + p.EventID, "type": event, "version": "2026-01-18", "createdAt": p.Time.Format(milliseconds), "teamId": 1, "data": data, "attempt": 1,
	}))
}

// sample makes an event of a message. What follows ", " in a name is a detail.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	event, _, _ := strings.Cut(name, ", ")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			data := fields{
				"id": p.MessageID, "status": strings.ToUpper(strings.TrimPrefix(event, "email.")), "from": p.Sender, "to": []string{p.Recipient},
				"occurredAt": p.Time.Add(-time.Minute).Format(milliseconds), "campaignId": nil, "contactId": nil, "domainId": 7, "subject": p.Subject,
			}
			maps.Copy(data, more)
			return post(event, p, data)
		},
	}
}

func delayed(kind string) simulator.Sample {
	return sample("email.delivery_delayed, "+kind, anymail.EventDeferred, "", fields{"metadata": fields{"delayType": kind}})
}

func bounced(kind, subtype, answer string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	bounce := fields{"type": kind, "subType": subtype}
	if answer != "" {
		bounce["message"] = answer
	}
	return sample("email.bounced, "+kind+"/"+subtype, typ, reason, fields{"bounce": bounce})
}

func suppressed(kind string, reason anymail.RejectReason) simulator.Sample {
	return sample("email.suppressed, "+kind, anymail.EventRejected, reason, fields{"suppression": fields{"type": kind, "reason": "on the list"}})
}

func visited(event, member string, typ anymail.EventType, more fields) simulator.Sample {
	s := sample(event, typ, "", nil)
	s.Make = func(p simulator.Params) simulator.Request {
		visit := fields{"timestamp": p.Time.Format(milliseconds), "userAgent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.77"}
		maps.Copy(visit, more)
		return sample(event, typ, "", fields{member: visit}).Make(p)
	}
	return s
}

func contact(event string) simulator.Sample {
	return simulator.Sample{
		Name: event, Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
		Make: func(p simulator.Params) simulator.Request {
			return post(event, p, fields{"id": "contact_1", "email": p.Recipient, "contactBookId": "book_1", "subscribed": false, "properties": fields{}})
		},
	}
}
