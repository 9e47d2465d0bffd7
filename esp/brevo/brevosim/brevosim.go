// Package brevosim plays Brevo, for tests and demonstrations.
package brevosim

import (
	"embed"
	"fmt"
	"maps"
	"net/url"
	"slices"
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
			tracking("deferred", anymail.EventDeferred, "", fields{"reason": "451 4.7.1 Greylisted, come back later"},
				simulator.Described("451 4.7.1 Greylisted, come back later"),
				simulator.Answered("451 4.7.1 Greylisted, come back later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"})),
			tracking("soft_bounce", anymail.EventBounced, anymail.RejectBounced, fields{"reason": "undefined Unable to find MX of domain example.com"},
				simulator.Described("undefined Unable to find MX of domain example.com"), simulator.Answered("", anymail.Bounce{Category: anymail.BounceSoft})),
			tracking("hard_bounce", anymail.EventBounced, anymail.RejectBounced, fields{"reason": " RecipientError: 550 5.5.0 mailbox closed"},
				simulator.Described("RecipientError: 550 5.5.0 mailbox closed"),
				simulator.Answered("550 5.5.0 mailbox closed", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.5.0"})),
			tracking("hard_bounce-invalid", anymail.EventBounced, anymail.RejectInvalid, fields{"reason": "550 5.1.1 no such user"},
				simulator.Described("550 5.1.1 no such user"),
				simulator.Answered("550 5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			tracking("invalid_email", anymail.EventBounced, anymail.RejectInvalid, nil, simulator.Answered("", anymail.Bounce{Category: anymail.BounceHard})),
			tracking("blocked", anymail.EventRejected, anymail.RejectBlocked, fields{"reason": "blocked : due to blacklist user"}, simulator.Described("blocked : due to blacklist user")),
			tracking("blocked-unsubscribed", anymail.EventRejected, anymail.RejectUnsubscribed, fields{"reason": "blocked : due to unsubscribed user"}, simulator.Described("blocked : due to unsubscribed user")),
			tracking("blocked-spam", anymail.EventRejected, anymail.RejectSpam, fields{"reason": "blocked : contact flagged as spam"}, simulator.Described("blocked : contact flagged as spam")),
			tracking("error", anymail.EventFailed, anymail.RejectOther, fields{"reason": "template could not be rendered", "template_id": 22}, simulator.Described("template could not be rendered")),
			tracking("spam", anymail.EventComplained, anymail.RejectSpam, nil),
			tracking("complaint", anymail.EventComplained, anymail.RejectSpam, nil),
			tracking("unique_opened", anymail.EventOpened, "", opened, simulator.Visited(agent, "", anymail.Unsaid)),
			tracking("opened", anymail.EventOpened, "", opened, simulator.Visited(agent, "", anymail.Unsaid)),
			tracking("unique_proxy_open", anymail.EventOpened, "", opened, simulator.Visited(agent, "", anymail.Yes)),
			tracking("proxy_open", anymail.EventOpened, "", opened, simulator.Visited(agent, "", anymail.Yes)),
			tracking("click", anymail.EventClicked, "", fields{"link": link, "user_agent": agent, "device_used": "DESKTOP"}, simulator.Visited(agent, link, anymail.Unsaid)),
			tracking("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, fields{"is_returnpath": false}),
			tracking("teleported", anymail.EventUnknown, "", nil),
			contact("list_addition", anymail.EventSubscribed, fields{"list_id": []int{34, 12}}),
			contact("contact_updated", anymail.EventUnknown, fields{"content": []any{map[string]string{"work_phone": "+1 555 0100"}}}),
			contact("contact_deleted", anymail.EventUnknown, fields{"list_id": []int{35}}),
			campaign("click", anymail.EventClicked, fields{"URL": link}, simulator.Visited("", link, anymail.Unsaid)),
			campaign("opened", anymail.EventOpened, nil),
			{
				Name: "sms-delivered", Endpoint: "tracking", Types: []anymail.EventType{anymail.EventUnknown},
				Events: func(p simulator.Params) []anymail.Event {
					return []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, Timestamp: p.Time}, Tags: []string{p.Tag}}}
				},
				Make: simulator.Template(files, "testdata/sms.json", "tracking"),
			},
			inbound("", simulator.Template(files, "testdata/inbound.json", "inbound"), message),
			inbound("-attachments", withAttachments(api), attachments(kept)),
			inbound("-attachment-gone", simulator.Template(files, "testdata/inbound-attachments.json", "inbound"), attachments(nil)),
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

const (
	link  = "https://shop.example.org/orders/1701?from=mail"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
)

var opened = fields{"link": "", "user_agent": agent, "device_used": "DESKTOP", "sending_ip": "192.0.2.10"}

func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return made(name, typ, reason, func(p simulator.Params) fields { return transactional(event, p, more) }, changes...)
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
	}, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Tags, ev.Metadata = "", nil, nil })
}

// campaign is a marketing event about a campaign's message, which has no id.
func campaign(event string, typ anymail.EventType, more fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return made("marketing-"+event, typ, "", func(p simulator.Params) fields {
		body := fields{
			"event": event, "email": p.Recipient, "id": 814002, "camp_id": p.Number, "campaign name": "Autumn", "tag": "",
			"date_sent": local(p.Time.Add(-time.Hour)), "date_event": local(p.Time),
			"ts_sent": p.Time.Add(-time.Hour).Unix(), "ts_event": p.Time.Unix(),
			"ts": p.Time.Add(time.Hour).Unix(), // off by the zone, as in Brevo's own sample
		}
		maps.Copy(body, more)
		return body
	}, append(changes, func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Tags, ev.Metadata = "", []string{"Autumn"}, nil })...)
}

// local writes a date as Brevo does: in Paris time, without a zone.
func local(at time.Time) string {
	return at.In(time.FixedZone("CEST", 2*60*60)).Format(time.DateTime)
}

// kept are the contents of the attachments of inbound-attachments.json.
var kept = map[string]string{"dot": "\x89PNG\r\n\x1a\n", "notes": "a note"}

// withAttachments adds them to the API.
func withAttachments(api *simulator.API) func(simulator.Params) simulator.Request {
	request := simulator.Template(files, "testdata/inbound-attachments.json", "inbound")
	return func(p simulator.Params) simulator.Request {
		p.EventID += keptSuffix
		for name, content := range kept {
			token := url.PathEscape(p.EventID + "/" + name)
			api.Put("https://api.brevo.com/v3/inbound/attachments/"+token, "application/octet-stream", []byte(content))
		}
		return request(p)
	}
}

const keptSuffix = "-kept"

func inbound(variant string, make func(simulator.Params) simulator.Request, event func(simulator.Params, *anymail.InboundEvent)) simulator.Sample {
	return simulator.Sample{
		Name: "inboundEmailProcessed" + variant, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
		Fetched: strings.HasPrefix(variant, "-attachment"), Make: make,
		Events: func(p simulator.Params) []anymail.Event {
			return p.ReceivedInParts(func(ev *anymail.InboundEvent) {
				ev.Timestamp = time.Time{}
				event(p, ev)
			})
		},
	}
}

// message is the message of inbound.json.
func message(p simulator.Params, ev *anymail.InboundEvent) {
	score, to, date := 0.3, "help+1701@inbound.example.org", p.Time.Format(time.RFC1123Z)
	ev.Message = anymail.InboundMessage{
		From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Recipient}},
		To:   []anymail.Address{{Name: "Help Desk", Address: to}, {Address: "sales@example.org"}},
		CC:   []anymail.Address{{Name: "Grace", Address: "grace@example.com"}}, ReplyTo: []anymail.Address{{Name: "Desk", Address: "desk@example.com"}},
		EnvelopeSender: "bounce@example.com", EnvelopeRecipient: to, EnvelopeRecipients: []string{to},
		Subject: "Re: " + p.Subject, Date: p.Time, MessageID: p.EventID + "@mail.example.com", InReplyTo: p.MessageID + "@smtp-relay.example.org",
		References: []string{"first@example.org", p.MessageID + "@smtp-relay.example.org"},
		Text:       "Where is it?\n\n> Your order has left us.\n", HTML: "<p>Where is it?</p>", StrippedText: "Where is it?", SpamScore: &score,
		Headers: anymail.Headers{
			{Name: "Return-Path", Value: "<bounce@example.com>"}, {Name: "Delivered-To", Value: to},
			{Name: "Received", Value: "from mail.example.com by mx.example.org; " + date}, {Name: "Received", Value: "from desk.example.com by mail.example.com; " + date},
			{Name: "Message-ID", Value: "<" + p.EventID + "@mail.example.com>"},
			{Name: "References", Value: "<first@example.org> <" + p.MessageID + "@smtp-relay.example.org>"},
		},
	}
}

// attachments is the message of inbound-attachments.json, with the contents that
// Brevo has.
func attachments(contents map[string]string) func(simulator.Params, *anymail.InboundEvent) {
	return func(p simulator.Params, ev *anymail.InboundEvent) {
		if contents != nil {
			ev.ID += keptSuffix
		}
		score, to := 6.1, "help@inbound.example.org"
		ev.Message = anymail.InboundMessage{
			From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Recipient}}, To: []anymail.Address{{Address: to}},
			ReplyTo: []anymail.Address{{Address: "desk@example.com"}}, EnvelopeRecipient: to, EnvelopeRecipients: []string{to},
			Subject: p.Subject, Date: p.Time, MessageID: ev.ID + "@mail.example.com",
			Text: "See the picture.", HTML: `<p>See the <img src="cid:pic@example.com">.</p>`, StrippedText: "See the picture.", SpamScore: &score,
			Headers: anymail.Headers{{Name: "Return-Path", Value: "<>"}, {Name: "Message-ID", Value: "<" + ev.ID + "@mail.example.com>"}},
			Attachments: []anymail.Attachment{
				{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com", Size: 8, Content: []byte(contents["dot"])},
				{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte(contents["notes"])},
			},
		}
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
	}, func(_ simulator.Params, ev *anymail.InboundEvent) {
		m, score := &ev.Message, 0.3
		m.EnvelopeRecipient, m.EnvelopeRecipients = "help@inbound.example.org", []string{"help@inbound.example.org"}
		m.StrippedText, m.SpamScore = m.Text, &score
		slices.SortStableFunc(m.Headers, func(a, b anymail.Header) int { return strings.Compare(a.Name, b.Name) }) // as item has them
	})
	s.TakesMIME, s.Fetched = true, true
	return s
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, body func(simulator.Params) fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID = "" // Brevo gives none
			return p.Event(typ, reason, changes...)
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(body(p)))
		},
	}
}
