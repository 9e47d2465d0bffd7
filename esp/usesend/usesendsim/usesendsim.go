// Package usesendsim plays useSend, for tests and demonstrations.
package usesendsim

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
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
			delayed("MailboxFull", anymail.BounceSoft),
			delayed("IPFailure", anymail.BounceBlock),
			bounced("Permanent", "General", "smtp; 550 5.0.0 refused", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.0.0"}),
			bounced("Permanent", "NoEmail", "smtp; 550 5.1.1 no such user", anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			notSent("Suppressed", "Amazon SES has suppressed sending to this address", anymail.RejectBounced),
			notSent("OnAccountSuppressionList", "", anymail.RejectBlocked),
			bounced("Transient", "MailboxFull", "smtp; 452 4.2.2 mailbox full", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			bounced("Transient", "MessageTooLarge", "", anymail.RejectOther, anymail.Bounce{Category: anymail.BounceSoft}),
			bounced("Transient", "ContentRejected", "", anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock}),
			bounced("Transient", "AttachmentRejected", "", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock}),
			bounced("Undetermined", "General", "", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined}),
			sample("email.rejected", anymail.EventRejected, anymail.RejectBlocked, fields{"metadata": fields{"reason": "Bad content"}}, simulator.Described("Bad content")),
			sample("email.rendering_failure", anymail.EventFailed, anymail.RejectOther, fields{"metadata": fields{"errorMessage": "missing variable"}}, simulator.Described("missing variable")),
			sample("email.failed", anymail.EventFailed, anymail.RejectOther, fields{"failed": fields{"reason": "domain not verified"}}, simulator.Described("domain not verified")),
			sample("email.complained", anymail.EventComplained, anymail.RejectSpam, fields{"metadata": fields{"feedbackType": "abuse"}}, simulator.Described("abuse")),
			sample("email.complained, not-spam", anymail.EventUnknown, "", fields{"metadata": fields{"feedbackType": "not-spam"}}, simulator.Described("not-spam")),
			suppressed("Bounce", anymail.RejectBounced),
			suppressed("Complaint", anymail.RejectSpam),
			suppressed("Manual", anymail.RejectBlocked),
			sample("email.cancelled", anymail.EventUnknown, "", nil),
			visited("email.opened", "open", anymail.EventOpened, ""),
			visited("email.clicked", "click", anymail.EventClicked, "https://shop.example.org/orders/1701?from=mail"),
			contact("contact.updated"),
			contact("contact.teleported"),
			{
				Name: "webhook.test", Endpoint: "tracking", Events: func(simulator.Params) []anymail.Event { return nil },
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
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	event, _, _ := strings.Cut(name, ", ")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID = "call_" + p.EventID
			return p.Event(typ, reason, append(changes, simulator.Unlabelled)...)
		},
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

func delayed(kind string, category anymail.BounceCategory) simulator.Sample {
	return sample("email.delivery_delayed, "+kind, anymail.EventDeferred, "", fields{"metadata": fields{"delayType": kind}},
		simulator.Described(kind), func(ev *anymail.TrackingEvent) { ev.Bounce.Category = category })
}

// bounced is a bounce, for which SES may have the receiving server's answer.
func bounced(kind, subtype, answer string, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	details := fields{"type": kind, "subType": subtype}
	if answer != "" {
		details["message"] = answer
	}
	return sample("email.bounced, "+kind+"/"+subtype, anymail.EventBounced, reason, fields{"bounce": details},
		simulator.Described(kind+": "+subtype), simulator.Answered(answer, bounce))
}

// notSent is what SES did not send, for which it has words of its own.
func notSent(subtype, words string, reason anymail.RejectReason) simulator.Sample {
	return sample("email.bounced, Permanent/"+subtype, anymail.EventRejected, reason, fields{"bounce": fields{"type": "Permanent", "subType": subtype, "message": words}},
		simulator.Described(cmp.Or(words, "Permanent: "+subtype)))
}

func suppressed(kind string, reason anymail.RejectReason) simulator.Sample {
	return sample("email.suppressed, "+kind, anymail.EventRejected, reason, fields{"suppression": fields{"type": kind, "reason": "on the list"}}, simulator.Described("on the list"))
}

// visited is an open, or a click of a URL, which has a time of its own.
func visited(event, member string, typ anymail.EventType, url string) simulator.Sample {
	const agent = "Mozilla/5.0 (X11; Linux x86_64)"
	s := sample(event, typ, "", nil, simulator.Visited(agent, url, anymail.Unsaid), func(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") })
	s.Make = func(p simulator.Params) simulator.Request {
		visit := fields{"timestamp": p.Time.Format(milliseconds), "userAgent": agent, "ip": "192.0.2.77"}
		if url != "" {
			visit["url"] = url
		}
		p.Time = p.Time.Add(time.Minute) // when useSend posts it
		return sample(event, typ, "", fields{member: visit}).Make(p)
	}
	return s
}

func contact(event string) simulator.Sample {
	return simulator.Sample{
		Name: event, Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.MessageID = "call_"+p.EventID, ""
			return p.Event(anymail.EventUnknown, "", simulator.Unlabelled)
		},
		Make: func(p simulator.Params) simulator.Request {
			return post(event, p, fields{"id": "contact_1", "email": p.Recipient, "contactBookId": "book_1", "subscribed": false, "properties": fields{}})
		},
	}
}
