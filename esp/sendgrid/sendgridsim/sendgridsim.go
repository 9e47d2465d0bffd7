// Package sendgridsim plays SendGrid, for tests and demonstrations.
package sendgridsim

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/sendgrid"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns SendGrid's simulator. It signs Inbound Parse and event webhooks with
// the same keys.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           sendgrid.ESP,
		Title:         "SendGrid",
		NewCredential: newCredential,
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return sendgrid.New(sendgrid.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys})
		},
		Sign:      sign,
		Batch:     simulator.JoinArrays,
		Malformed: malformed,
		Situations: map[string]string{
			"dropped-spam-content": "Not sent: the ESP takes the content for spam",
		},
		Samples: []simulator.Sample{
			event("processed", anymail.EventQueued, "", object{"pool": object{"name": "main", "id": 7}}),
			event("deferred", anymail.EventDeferred, "", object{"response": "451 4.7.1 try again later", "attempt": "3", "domain": "example.com"},
				simulator.Answered("451 4.7.1 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}),
				func(ev *anymail.TrackingEvent) { ev.Metadata["domain"] = "example.com" }), // the sender may have one too
			event("delivered", anymail.EventDelivered, "", object{"response": "250 2.0.0 OK", "ip": "192.0.2.10", "tls": 1, "cert_err": 0}, simulator.Answered("250 2.0.0 OK", anymail.Bounce{})),
			bounce("bounce", "Invalid Address", "550 5.1.1 no such user", anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounce("bounce", "Mailbox Unavailable", "552 5.2.2 mailbox full", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
			named("bounce-technical", bounce("bounce", "Technical Failure", "421 4.4.1 connection dropped", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.4.1"})),
			named("bounce-frequency", bounce("bounce", "Frequency or Volume Too High", "421 4.7.28 unusual rate", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 421, EnhancedCode: "4.7.28"})),
			bounce("bounce", "Content", "554 5.7.1 looks like spam", anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("blocked", "Reputation", "554 5.7.1 poor reputation", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("expired", "Unclassified", "unable to get mx info", anymail.RejectTimedOut, anymail.Bounce{Category: anymail.BounceSoft}),
			lateBounce(),
			dropped("Bounced Address", anymail.RejectBounced),
			dropped("Unsubscribed Address", anymail.RejectUnsubscribed),
			dropped("Spam Reporting Address", anymail.RejectSpam),
			named("dropped-spam-content", dropped("Spam Content (if Spam Checker app enabled)", anymail.RejectBlocked)),
			dropped("Invalid", anymail.RejectInvalid),
			named("dropped-header", dropped("Invalid SMTPAPI header", anymail.RejectOther)),
			dropped("Recipient List over Package Quota", anymail.RejectOther),
			event("open", anymail.EventOpened, "", by(object{"sg_machine_open": false, "sg_content_type": "html"}), visitor, simulator.Visited(agent, "", anymail.No)),
			named("open-machine", event("open", anymail.EventOpened, "", by(object{"sg_machine_open": true, "sg_content_type": "html"}), visitor, simulator.Visited(agent, "", anymail.Yes))),
			event("click", anymail.EventClicked, "", by(object{"url": link, "url_offset": object{"index": 0, "type": "html"}}), visitor, simulator.Visited(agent, link, anymail.Unsaid)),
			event("spamreport", anymail.EventComplained, anymail.RejectSpam, nil),
			event("unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, nil),
			event("group_unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, by(group), visitor),
			event("group_resubscribe", anymail.EventSubscribed, "", by(group), visitor),
			event("levitated", anymail.EventUnknown, "", nil),
			account("account_status_change"),

			received("inbound-parsed", parsed, simulator.Params.ReceivedInParts),
			received("inbound-raw", raw, simulator.Params.Received),
		},
	}
}

func newCredential() simulator.Credential {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("sendgridsim: %v", err)) // never with this curve
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(fmt.Sprintf("sendgridsim: %v", err))
	}
	return simulator.Credential{Config: base64.StdEncoding.EncodeToString(der), Private: key}
}

func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	key, ok := c.Private.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("sendgridsim: not a credential of SendGrid")
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	digest := sha256.Sum256(append([]byte(timestamp), r.Body...))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return fmt.Errorf("sendgridsim: %w", err)
	}
	r.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	r.Header.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature))
	return nil
}

type object = map[string]any

const (
	agent = "Mozilla/5.0 (demo)"
	link  = "https://www.example.com/offer?a=1&b=2"
)

var group = object{"asm_group_id": 10, "url": "https://www.example.com/unsubscribe"}

// by adds what SendGrid knows of the reader.
func by(more object) object {
	visit := object{"useragent": agent, "ip": "192.0.2.77"}
	maps.Copy(visit, more)
	return visit
}

func visitor(ev *anymail.TrackingEvent) {
	ev.UserAgent, ev.IP = agent, netip.MustParseAddr("192.0.2.77")
}

func event(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return sample(name, typ, reason, func(p simulator.Params) object {
		e := object{
			"email": p.Recipient, "timestamp": p.Time.Unix(), "event": name, "category": []string{p.Tag},
			"smtp-id": "<" + p.MessageID + "@geopod-ismtpd-1>", "sg_event_id": p.EventID, "sg_message_id": p.MessageID + ".recvd-6d5f-1-0.0",
		}
		for name, value := range p.Metadata {
			e[name] = value
		}
		maps.Copy(e, more)
		return e
	}, changes...)
}

func sample(name string, typ anymail.EventType, reason anymail.RejectReason, makeEvent func(simulator.Params) object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) },
		Make:   func(p simulator.Params) simulator.Request { return batch(makeEvent(p)) },
	}
}

func named(name string, s simulator.Sample) simulator.Sample {
	s.Name = name
	return s
}

// bounce is a bounce whose status is the enhanced code of the answer.
func bounce(kind, class, answer string, reason anymail.RejectReason, is anymail.Bounce) simulator.Sample {
	return named("bounce-"+kind+"-"+string(reason), event("bounce", anymail.EventBounced, reason, object{
		"type": kind, "bounce_classification": class, "status": is.EnhancedCode, "reason": answer, "ip": "192.0.2.10", "tls": 1, "cert_err": 0,
	}, simulator.Described(class), simulator.Answered(answer, is)))
}

// lateBounce is a bounce that SendGrid received as a message. It has no
// sg_message_id.
func lateBounce() simulator.Sample {
	return sample("bounce-late", anymail.EventBounced, anymail.RejectBounced, func(p simulator.Params) object {
		return object{
			"email": p.Recipient, "timestamp": p.Time.Unix(), "event": "bounce", "type": "bounce", "status": "5.0.0",
			"reason": "550 returned later", "bounce_classification": "Unclassified",
			"smtp-id": "<" + p.MessageID + "@geopod-ismtpd-1>", "sg_event_id": p.EventID,
		}
	}, simulator.Unlabelled, simulator.Described("Unclassified"),
		simulator.Answered("550 returned later", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.0.0"}))
}

func dropped(why string, reason anymail.RejectReason) simulator.Sample {
	return named("dropped-"+string(reason), event("dropped", anymail.EventRejected, reason, object{"reason": why, "status": "5.0.0"}, simulator.Described(why)))
}

// account is an event about the account, not about a message.
func account(name string) simulator.Sample {
	return sample(name, anymail.EventUnknown, "", func(p simulator.Params) object {
		return object{"event": name, "type": "compliance_suspend", "timestamp": p.Time.Unix(), "sg_event_id": p.EventID}
	}, simulator.Unlabelled, simulator.Described("compliance_suspend"), func(ev *anymail.TrackingEvent) { ev.MessageID, ev.Recipient = "", "" })
}

// batch posts the events as SendGrid does, one on each line.
func batch(events ...any) simulator.Request {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, e := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(simulator.MustJSON(e))
		b.WriteString("\r\n")
	}
	b.WriteString("]\r\n")
	return simulator.JSON("tracking", b.Bytes())
}

func malformed(p simulator.Params) simulator.Request {
	good := func(name string) object {
		return object{
			"email": p.Recipient, "timestamp": p.Time.Unix(), "event": name,
			"sg_event_id": name + p.EventID, "sg_message_id": p.MessageID + ".recvd-6d5f-1-0.0",
		}
	}
	bad := object{"email": []int{1}, "event": object{"is": "delivered"}, "sg_event_id": p.EventID}
	return batch(good("processed"), bad, good("delivered"))
}

// received is a message in either form. SendGrid has neither an id for it nor the time.
func received(name string, fields func(simulator.Params) []simulator.Field, message func(simulator.Params, ...func(*anymail.InboundEvent)) []anymail.Event) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: true,
		Events: func(p simulator.Params) []anymail.Event {
			score := 0.4
			p.EventID, p.Time = "", time.Time{}
			return message(p, simulator.Envelope(p.Sender, "help@inbound.example.org"), func(ev *anymail.InboundEvent) {
				ev.Message.SpamScore, ev.Message.Authentication = &score, anymail.Authentication{SPF: "pass", DKIM: "pass"}
			})
		},
		Make: func(p simulator.Params) simulator.Request { return simulator.Multipart("inbound", fields(p)...) },
	}
}

// envelope holds the fields that both forms of Inbound Parse have.
func envelope(p simulator.Params, m anymail.InboundMessage) []simulator.Field {
	recipient := p.Recipient
	if len(m.To) > 0 {
		recipient = m.To[0].Address
	}
	return []simulator.Field{
		{Name: "envelope", Value: string(simulator.MustJSON(object{"to": []string{recipient}, "from": p.Sender}))},
		{Name: "from", Value: m.Headers.Get("From")},
		{Name: "to", Value: m.Headers.Get("To")},
		{Name: "subject", Value: m.Subject},
		{Name: "charsets", Value: `{"to":"UTF-8","from":"UTF-8","subject":"UTF-8","text":"UTF-8","html":"UTF-8"}`},
		{Name: "dkim", Value: "{@example.com : pass}"},
		{Name: "SPF", Value: "pass"},
		{Name: "sender_ip", Value: "192.0.2.25"},
		{Name: "spam_score", Value: "0.4"},
		{Name: "spam_report", Value: "Content analysis details: (0.4 points, 5.0 required)"},
	}
}

func raw(p simulator.Params) []simulator.Field {
	fields := envelope(p, rawmime.Parse(p.MIME, anymail.Limits{}))
	return append(fields, simulator.Field{Name: "email", Value: string(p.MIME)})
}

func parsed(p simulator.Params) []simulator.Field {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	headers, _, _ := bytes.Cut(p.MIME, []byte("\r\n\r\n"))
	fields := append(envelope(p, m), simulator.Field{Name: "headers", Value: string(headers) + "\r\n"})
	if m.Text != "" {
		fields = append(fields, simulator.Field{Name: "text", Value: m.Text})
	}
	if m.HTML != "" {
		fields = append(fields, simulator.Field{Name: "html", Value: m.HTML})
	}
	infos, ids := object{}, object{}
	var files []simulator.Field
	for i, a := range m.Attachments {
		field := "attachment" + strconv.Itoa(i+1)
		info := object{"filename": a.Filename, "name": a.Filename, "type": a.ContentType}
		if a.ContentID != "" {
			info["content-id"], ids[a.ContentID] = a.ContentID, field
		}
		infos[field] = info
		files = append(files, simulator.Field{Name: field, Filename: a.Filename, ContentType: a.ContentType, Value: string(a.Content)})
	}
	fields = append(fields,
		simulator.Field{Name: "attachments", Value: strconv.Itoa(len(files))},
		simulator.Field{Name: "attachment-info", Value: string(simulator.MustJSON(infos))},
		simulator.Field{Name: "content-ids", Value: string(simulator.MustJSON(ids))},
	)
	return append(fields, files...)
}
