// Package mailpacesim plays MailPace, for tests and demonstrations.
package mailpacesim

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailpace"
	"github.com/goanymail/anymail/simulator"
)

// New returns MailPace's simulator. A credential is the key of a domain.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   mailpace.ESP,
		Title: "MailPace",
		NewCredential: func() simulator.Credential {
			public, private, _ := ed25519.GenerateKey(rand.Reader) // never fails
			return simulator.Credential{Config: base64.StdEncoding.EncodeToString(public), Private: private}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return mailpace.New(mailpace.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			private, ok := c.Private.(ed25519.PrivateKey)
			if !ok {
				return fmt.Errorf("mailpacesim: a credential with a private key of type %T", c.Private)
			}
			r.Header.Set("X-MailPace-Signature", base64.StdEncoding.EncodeToString(ed25519.Sign(private, r.Body)))
			return nil
		},
		Situations: map[string]string{"email.spam": "Not sent: the ESP takes the content for spam"},
		Samples: []simulator.Sample{
			email("email.queued", "", anymail.Bounce{}, anymail.EventQueued),
			email("email.delivered", "", anymail.Bounce{}, anymail.EventDelivered),
			email("email.delivered-two", "", anymail.Bounce{}, anymail.EventDelivered, anymail.EventDelivered),
			email("email.deferred", "", anymail.Bounce{Category: anymail.BounceSoft}, anymail.EventDeferred),
			email("email.bounced", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard}, anymail.EventBounced),
			email("email.spam", anymail.RejectBlocked, anymail.Bounce{}, anymail.EventRejected),
			email("email.teleported", "", anymail.Bounce{}, anymail.EventUnknown),
			received("inbound", true, func(p simulator.Params) fields { return fields{"raw": string(p.MIME)} }, nil),
			received("inbound-parsed", false, parts, parsed),
		},
	}
}

type fields map[string]any

// email is an event of a message with as many recipients as there are types.
func email(name string, reason anymail.RejectReason, bounce anymail.Bounce, types ...anymail.EventType) simulator.Sample {
	event, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: types, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			var events []anymail.Event
			p.EventID, p.MessageID, p.Metadata = "", strconv.FormatInt(p.Number, 10), nil
			for i, typ := range types {
				if i > 0 {
					p.Recipient = bob
				}
				events = append(events, p.Event(typ, reason, simulator.Answered("", bounce))...)
			}
			return events
		},
		Make: func(p simulator.Params) simulator.Request {
			to := p.Recipient
			if len(types) > 1 {
				to += ", Bob <" + bob + ">"
			}
			return simulator.JSON("tracking", simulator.MustJSON(fields{"event": event, "payload": fields{
				"status": strings.TrimPrefix(event, "email."), "id": p.Number, "domain_id": 3,
				"created_at": p.Time.Add(-time.Second).Format(milli), "updated_at": p.Time.Format(milli),
				"from": p.Sender, "to": to, "htmlbody": nil, "textbody": "Hi", "cc": nil, "bcc": nil, "subject": p.Subject, "replyto": nil,
				"message_id": "<" + p.MessageID + "@mailer.mailpace.com>", "list_unsubscribe": nil, "tags": []string{p.Tag},
			}}))
		},
	}
}

const (
	bob   = "bob@example.com"
	milli = "2006-01-02T15:04:05.000Z"
)

// received is a received message. Without a message in parts, it is that of the
// parameters.
func received(name string, takesMIME bool, more func(simulator.Params) fields, parsed func(simulator.Params) anymail.InboundMessage) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: takesMIME,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Received(func(ev *anymail.InboundEvent) {
				ev.ID, ev.Timestamp = "", time.Time{}
				if parsed != nil {
					ev.Message = parsed(p)
				}
			})
		},
		Make: func(p simulator.Params) simulator.Request {
			body := more(p)
			body["from"], body["to"], body["subject"] = "Ada Lovelace <"+p.Sender+">", "help@in.example.org", p.Subject
			body["messageId"] = "<" + p.EventID + "@example.com>"
			return simulator.JSON("inbound", simulator.MustJSON(body))
		},
	}
}

// parts is what MailPace parsed of a message, without its source.
func parts(p simulator.Params) fields {
	return fields{
		"cc": "Grace <grace@example.com>", "bcc": "log@in.example.org", "replyTo": "Desk <desk@example.com>",
		"inReplyTo": "<" + p.MessageID + "@mailer.mailpace.com>", "text": "Where is it?", "html": "<p>Where is it?</p>",
		"headers": []string{"From: Ada Lovelace <" + p.Sender + ">", "Subject: " + p.Subject, "X-Mailer: demo"},
		"attachments": []fields{{
			"content": "YSBub3Rl", "type": "attachment", "contentType": "text/plain", "contentDisposition": "attachment", "filename": "notes.txt",
			"headers": []string{"Content-Type: text/plain"}, "checksum": "f9e3f4b9a8f5a4e0", "size": 6, "contentId": "<n1@example.com>", "cid": "n1@example.com", "related": false,
		}},
	}
}

// parsed is the message of parts.
func parsed(p simulator.Params) anymail.InboundMessage {
	return anymail.InboundMessage{
		From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}}, To: []anymail.Address{{Address: "help@in.example.org"}},
		CC: []anymail.Address{{Name: "Grace", Address: "grace@example.com"}}, BCC: []anymail.Address{{Address: "log@in.example.org"}},
		ReplyTo: []anymail.Address{{Name: "Desk", Address: "desk@example.com"}},
		Subject: p.Subject, MessageID: p.EventID + "@example.com", InReplyTo: p.MessageID + "@mailer.mailpace.com",
		Text: "Where is it?", HTML: "<p>Where is it?</p>",
		Headers: anymail.Headers{
			{Name: "From", Value: "Ada Lovelace <" + p.Sender + ">"}, {Name: "Subject", Value: p.Subject}, {Name: "X-Mailer", Value: "demo"},
		},
		Attachments: []anymail.Attachment{{
			Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", ContentID: "n1@example.com", Size: 6, Content: []byte("a note"),
		}},
	}
}
