// Package brevosim plays Brevo, for tests and demonstrations.
package brevosim

import (
	"embed"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/brevo"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

//go:embed testdata
var files embed.FS

// New returns Brevo's simulator. Brevo signs nothing.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:   brevo.ESP,
		Title: "Brevo",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return brevo.New(brevo.Config{APIKeys: anymail.Keys("xkeysib-demo"), Client: api.Client()})
		},
		Client: api.Client(),
		Situations: map[string]string{
			"error":         "Template error",
			"invalid_email": "Not sent: the address cannot be one",
		},
		Samples: []simulator.Sample{
			tracking("request", anymail.EventQueued, "", nil),
			tracking("sent", anymail.EventSent, "", nil),
			tracking("delivered", anymail.EventDelivered, "", nil),
			tracking("deferred", anymail.EventDeferred, "", fields{"reason": "451 4.7.1 Greylisted, come back later"}),
			tracking("soft_bounce", anymail.EventBounced, anymail.RejectBounced, fields{"reason": "undefined Unable to find MX of domain example.com"}),
			tracking("hard_bounce", anymail.EventBounced, anymail.RejectBounced, fields{"reason": " RecipientError: 550 5.5.0 mailbox closed"}),
			tracking("hard_bounce-invalid", anymail.EventBounced, anymail.RejectInvalid, fields{"reason": "550 5.1.1 no such user"}),
			tracking("invalid_email", anymail.EventBounced, anymail.RejectInvalid, nil),
			tracking("blocked", anymail.EventRejected, anymail.RejectBlocked, fields{"reason": "blocked : due to blacklist user"}),
			tracking("blocked-unsubscribed", anymail.EventRejected, anymail.RejectUnsubscribed, fields{"reason": "blocked : due to unsubscribed user"}),
			tracking("blocked-spam", anymail.EventRejected, anymail.RejectSpam, fields{"reason": "blocked : contact flagged as spam"}),
			tracking("error", anymail.EventFailed, anymail.RejectOther, fields{"reason": "template could not be rendered", "template_id": 22}),
			tracking("spam", anymail.EventComplained, anymail.RejectSpam, nil),
			tracking("complaint", anymail.EventComplained, anymail.RejectSpam, nil),
			tracking("unique_opened", anymail.EventOpened, "", opened),
			tracking("opened", anymail.EventOpened, "", opened),
			tracking("unique_proxy_open", anymail.EventOpened, "", nil),
			tracking("proxy_open", anymail.EventOpened, "", nil),
			tracking("click", anymail.EventClicked, "", fields{"link": "https://shop.example.org/orders/1701?from=mail", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "device_used": "DESKTOP"}),
			tracking("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"is_returnpath": false}),
			tracking("teleported", anymail.EventUnknown, "", nil),
			contact("list_addition", anymail.EventSubscribed, fields{"list_id": []int{34, 12}}),
			contact("contact_updated", anymail.EventUnknown, fields{"content": []any{map[string]string{"work_phone": "+1 555 0100"}}}),
			contact("contact_deleted", anymail.EventUnknown, fields{"list_id": []int{35}}),
			campaign("click", anymail.EventClicked, fields{"URL": "https://shop.example.org/autumn"}),
			campaign("opened", anymail.EventOpened, nil),
			{
				Name: "sms-delivered", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
				Make: simulator.Template(files, "testdata/sms.json", "tracking"),
			},
			inbound("", simulator.Template(files, "testdata/inbound.json", "inbound")),
			inbound("-attachments", withAttachments(api)),
			inbound("-attachment-gone", simulator.Template(files, "testdata/inbound-attachments.json", "inbound")),
			ownMessage(api),
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			good := simulator.MustJSON(transactional("delivered", p, nil))
			return simulator.JSON("tracking", fmt.Appendf(nil, `[%s,{"event":"delivered","email":{}},%s]`, good, simulator.MustJSON(transactional("click", p, nil))))
		},
	}
}

// fields are members of an event in addition to those of every event.
type fields map[string]any

var opened = fields{"link": "", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "device_used": "DESKTOP", "sending_ip": "192.0.2.10"}

func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, more fields) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return made(name, typ, reason, func(p simulator.Params) fields { return transactional(event, p, more) })
}

func transactional(event string, p simulator.Params, more fields) fields {
	body := fields{
		"event": event, "email": p.Recipient, "id": 814001, "message-id": p.MessageID, "subject": p.Subject, "sender_email": p.Sender,
		"date": local(p.Time), "ts": p.Time.Unix(), "ts_event": p.Time.Unix(), "ts_epoch": p.Time.UnixMilli(),
		"tag": string(simulator.MustJSON([]string{p.Tag})), "tags": []string{p.Tag}, "X-Mailin-custom": string(simulator.MustJSON(p.Metadata)),
		"sending_ip": "192.0.2.10", "contact_id": 8,
	}
	maps.Copy(body, more)
	return body
}

// contact is a marketing event about a contact, not about a message.
func contact(event string, typ anymail.EventType, more fields) simulator.Sample {
	return made("marketing-"+event, typ, "", func(p simulator.Params) fields {
		body := fields{"event": event, "email": p.Recipient, "id": 814002, "key": p.EventID, "date": local(p.Time), "ts": p.Time.Unix()}
		maps.Copy(body, more)
		return body
	})
}

// campaign is a marketing event about a campaign's message, which has no id.
func campaign(event string, typ anymail.EventType, more fields) simulator.Sample {
	return made("marketing-"+event, typ, "", func(p simulator.Params) fields {
		body := fields{
			"event": event, "email": p.Recipient, "id": 814002, "camp_id": p.Number, "campaign name": "Autumn", "tag": "",
			"date_sent": local(p.Time.Add(-time.Hour)), "date_event": local(p.Time),
			"ts_sent": p.Time.Add(-time.Hour).Unix(), "ts_event": p.Time.Unix(),
			"ts": p.Time.Add(time.Hour).Unix(), // off by the zone, as in Brevo's own sample
		}
		maps.Copy(body, more)
		return body
	})
}

// local writes a date as Brevo does: in Paris time, without a zone.
func local(at time.Time) string {
	return at.In(time.FixedZone("CEST", 2*60*60)).Format(time.DateTime)
}

// withAttachments adds the attachments of inbound-attachments.json to the API.
func withAttachments(api *simulator.API) func(simulator.Params) simulator.Request {
	request := simulator.Template(files, "testdata/inbound-attachments.json", "inbound")
	return func(p simulator.Params) simulator.Request {
		p.EventID += "-kept"
		for name, content := range map[string]struct{ contentType, body string }{
			"dot":   {"image/png", "\x89PNG\r\n\x1a\n"},
			"notes": {"text/plain; charset=utf-8", "a note"},
		} {
			token := url.PathEscape(p.EventID + "/" + name)
			api.Put("https://api.brevo.com/v3/inbound/attachments/"+token, content.contentType, []byte(content.body))
		}
		return request(p)
	}
}

func inbound(variant string, make func(simulator.Params) simulator.Request) simulator.Sample {
	return simulator.Sample{
		Name: "inboundEmailProcessed" + variant, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
		Fetched: strings.HasPrefix(variant, "-attachment"), Make: make,
	}
}

// ownMessage is the message of the parameters. Its attachments are in the API.
func ownMessage(api *simulator.API) simulator.Sample {
	s := inbound("-message", func(p simulator.Params) simulator.Request {
		m := rawmime.Parse(p.MIME, anymail.Limits{})
		mailboxes := func(list []anymail.Address) []fields {
			full := []fields{}
			for _, a := range list {
				full = append(full, fields{"Name": a.Name, "Address": a.Address})
			}
			return full
		}
		headers := map[string][]string{}
		for _, h := range m.Headers {
			headers[h.Name] = append(headers[h.Name], h.Value)
		}
		attachments := []fields{}
		for i, a := range m.Attachments {
			token := fmt.Sprintf("%s-%d", p.EventID, i)
			api.Put("https://api.brevo.com/v3/inbound/attachments/"+token, a.ContentType, a.Content)
			attachments = append(attachments, fields{
				"Name": a.Filename, "ContentType": a.ContentType, "ContentLength": a.Size, "ContentID": a.ContentID, "DownloadToken": token,
			})
		}
		item := fields{
			"Uuid": []string{p.EventID}, "MessageId": m.Headers.Get("Message-ID"), "InReplyTo": m.Headers.Get("In-Reply-To"),
			"From": append(mailboxes(m.From), nil)[0], "To": mailboxes(m.To), "Cc": mailboxes(m.CC), "Recipients": []string{"help@inbound.example.org"},
			"ReplyTo": append(mailboxes(m.ReplyTo), nil)[0], "SentAtDate": m.Headers.Get("Date"), "Subject": m.Subject,
			"RawHtmlBody": m.HTML, "RawTextBody": m.Text, "ExtractedMarkdownMessage": m.Text, "ExtractedMarkdownSignature": nil,
			"SpamScore": 0.3, "Attachments": attachments, "Headers": headers,
		}
		return simulator.JSON("inbound", simulator.MustJSON(fields{"items": []fields{item}}))
	})
	s.TakesMIME = true
	return s
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, body func(simulator.Params) fields) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(body(p)))
		},
	}
}
