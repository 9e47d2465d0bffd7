// Package emailenginesim plays EmailEngine, for tests and demonstrations.
package emailenginesim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/emailengine"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

const (
	server = "https://ee.example.org"
	link   = "https://shop.example.org/orders/1701"
	agent  = "Mozilla/5.0 (X11; Linux x86_64)"
)

// New returns EmailEngine's simulator. A credential is a service secret.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:           emailengine.ESP,
		Title:         "EmailEngine",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return emailengine.New(emailengine.Config{
				SigningKeys: simulator.Keys(trusted), APITokens: anymail.Keys("ee-demo-token"), ServerURL: server, Client: api.Client(),
			})
		},
		Client: api.Client(),
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = mac.Write(r.Body) // a hash never fails
			r.Header.Set("X-EE-Wh-Signature", base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			sent("messageSent"),
			sent("messageSent-two", "grace@example.com"),
			tracking("messageDeliveryError", anymail.EventDeferred, "", fields{
				"queueId": "q1", "envelope": envelope, "error": "Message rejected", "errorCode": "EMESSAGE",
				"smtpResponse": "450 4.7.1 try again later", "smtpResponseCode": 450, "job": fields{"attemptsMade": 1, "attempts": 10},
			}, simulator.Described("Message rejected"), simulator.Answered("450 4.7.1 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 450, EnhancedCode: "4.7.1"})),
			tracking("messageFailed", anymail.EventFailed, anymail.RejectOther, fields{"queueId": "q1", "error": "Invalid login"}, simulator.Described("Invalid login"), noRecipient),
			bounce("messageBounce", "failed", "5.0.0", "550 refused", anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard, 550),
			bounce("messageBounce-invalid", "failed", "5.1.1", "550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard, 550),
			bounce("messageBounce-full", "failed", "5.2.2", "552 5.2.2 full", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft, 552),
			bounce("messageBounce-policy", "failed", "5.7.1", "554 5.7.1 not welcome", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock, 554),
			bounce("messageBounce-expired", "failed", "4.4.7", "", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft, 0),
			bounce("messageBounce-unexplained", "failed", "", "The message came back", anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined, 0),
			bounce("messageBounce-delayed", "delayed", "4.3.0", "451 4.3.0 later", anymail.EventDeferred, "", anymail.BounceSoft, 451),
			bounce("messageBounce-relayed", "relayed", "", "", anymail.EventUnknown, "", "", 0),
			complaint("messageComplaint", "abuse", anymail.EventComplained, anymail.RejectSpam),
			complaint("messageComplaint-not-spam", "not-spam", anymail.EventUnknown, ""),
			tracking("trackOpen", anymail.EventOpened, "", fields{"remoteAddress": "192.0.2.7", "userAgent": agent}, simulator.Visited(agent, "", anymail.Unsaid), visitor, noRecipient),
			tracking("trackClick", anymail.EventClicked, "", fields{"url": link, "remoteAddress": "192.0.2.7", "userAgent": agent},
				simulator.Visited(agent, link, anymail.Unsaid), visitor, noRecipient),
			list("listUnsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			list("listSubscribe", anymail.EventSubscribed, ""),
			about("messageUpdated"), about("messageDeleted"), about("messageMissing"),
			about("mailboxNew"), about("mailboxDeleted"), about("mailboxReset"),
			about("accountAdded"), about("accountInitialized"), about("accountDeleted"),
			about("authenticationError"), about("authenticationSuccess"), about("connectError"), about("messageTeleported"),
			received(api, "messageNew", true, nil, nil),
			received(api, "messageNew-parsed", false, nil, func(ev *anymail.InboundEvent) {
				m := &ev.Message
				m.RawMIME, m.Headers = nil, nil
				for i, a := range m.Attachments {
					m.Attachments[i] = anymail.Attachment{Filename: a.Filename, ContentType: a.ContentType, Disposition: a.Disposition, ContentID: a.ContentID}
				}
			}),
			received(api, "messageNew-junk", true, fields{"messageSpecialUse": `\Junk`}, func(ev *anymail.InboundEvent) { ev.Message.SpamDetected = anymail.Yes }),
			written(),
			{
				Name: "messageNew-empty", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInboundFailed},
				Events: func(p simulator.Params) []anymail.Event {
					return []anymail.Event{&anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInboundFailed, Timestamp: p.Time}}}
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("messageNew-empty", "inbound", p, fields{"uid": p.Number})
				},
			},
		},
	}
}

type fields map[string]any

const milli = "2006-01-02T15:04:05.000Z"

// post makes the webhook of an event, which is what is before "-" in the sample's name.
func post(name, endpoint string, p simulator.Params, data fields) simulator.Request {
	event, _, _ := strings.Cut(name, "-")
	body := fields{"serviceUrl": server, "account": "desk", "date": p.Time.Format(milli), "event": event, "data": data}
	if event == "messageNew" {
		body["path"], body["specialUse"] = "INBOX", `\Inbox`
		if folder, ok := data["messageSpecialUse"].(string); ok {
			body["path"], body["specialUse"] = strings.TrimPrefix(folder, `\`), folder
		}
	}
	r := simulator.JSON(endpoint, simulator.MustJSON(body))
	r.Header.Set("X-EE-Wh-Event-Id", p.EventID)
	r.Header.Set("X-EE-Wh-Attempts-Made", "0")
	return r
}

func header(id string) string { return "<" + id + "@example.org>" }

// recipient and envelope are replaced by the recipient of the parameters.
const (
	recipient = "{recipient}"
	envelope  = "{envelope}"
)

// tracking is an event about a sent message.
func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, data fields, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){func(ev *anymail.TrackingEvent) {
				ev.ID, ev.MessageID, ev.Tags, ev.Metadata = "", header(p.MessageID), nil, nil
			}}, changes...)...)
		},
		Make: func(p simulator.Params) simulator.Request {
			all := fields{"messageId": header(p.MessageID)}
			for member, value := range data {
				switch value {
				case recipient:
					value = p.Recipient
				case envelope:
					value = fields{"from": p.Sender, "to": []string{p.Recipient}}
				}
				all[member] = value
			}
			return post(name, "tracking", p, all)
		},
	}
}

func noRecipient(ev *anymail.TrackingEvent) { ev.Recipient = "" }

func visitor(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.7") }

func sent(name string, others ...string) simulator.Sample {
	s := tracking(name, anymail.EventSent, "", nil, simulator.Answered("250 2.0.0 queued as 7F3", anymail.Bounce{}))
	one := s.Events
	for range others {
		s.Types = append(s.Types, anymail.EventSent)
	}
	s.Events = func(p simulator.Params) []anymail.Event {
		events := one(p)
		for _, p.Recipient = range others {
			events = append(events, one(p)...)
		}
		return events
	}
	s.Make = func(p simulator.Params) simulator.Request {
		return post(name, "tracking", p, fields{
			"messageId": header(p.MessageID), "response": "250 2.0.0 queued as 7F3", "queueId": "q1",
			"envelope": fields{"from": p.Sender, "to": append([]string{p.Recipient}, others...)},
		})
	}
	return s
}

func bounce(name, action, status, answer string, typ anymail.EventType, reason anymail.RejectReason, category anymail.BounceCategory, code int) simulator.Sample {
	return tracking(name, typ, reason, fields{
		"bounceMessage": "AAAAAQAAB1", "recipient": recipient, "action": action, "response": fields{"source": "smtp", "message": answer, "status": status},
		"mta": "mx.example.com", "queueId": "7F3", "messageHeaders": fields{"subject": []string{"Hi"}, "x-order": []string{"1701"}},
	}, simulator.Answered(answer, anymail.Bounce{Category: category, SMTPCode: code, EnhancedCode: status}),
		func(ev *anymail.TrackingEvent) { ev.Metadata = anymail.Metadata{"x-order": "1701"} })
}

func complaint(name, kind string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	s := tracking(name, typ, reason, nil, simulator.Described(kind))
	s.Make = func(p simulator.Params) simulator.Request {
		return post(name, "tracking", p, fields{
			"complaintMessage": "AAAAAQAAB2",
			"arf": fields{
				"source": "Example", "feedbackType": kind, "abuseType": "", "originalMailFrom": p.Sender, "originalRcptTo": []string{p.Recipient},
				"sourceIp": "192.0.2.9", "arrivalDate": p.Time.Format(milli),
			},
			"headers": fields{"messageId": header(p.MessageID), "from": p.Sender, "to": []string{p.Recipient}, "subject": p.Subject, "date": p.Time.Format(milli)},
		})
	}
	return s
}

func list(name string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return tracking(name, typ, reason, fields{"recipient": recipient, "listId": "news", "remoteAddress": "192.0.2.7", "userAgent": agent},
		simulator.Visited(agent, "", anymail.Unsaid), visitor, func(ev *anymail.TrackingEvent) { ev.Metadata = anymail.Metadata{"listId": "news"} })
}

// about is an event that is not about a sent message.
func about(name string) simulator.Sample {
	s := tracking(name, anymail.EventUnknown, "", nil, noRecipient, func(ev *anymail.TrackingEvent) { ev.MessageID = "" })
	s.Make = func(p simulator.Params) simulator.Request {
		return post(name, "tracking", p, fields{"id": p.EventID, "uid": p.Number, "path": "INBOX"})
	}
	return s
}

// received is a received message, which the API has as it was received or not at all.
func received(api *simulator.API, name string, fetched bool, more fields, change func(*anymail.InboundEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: fetched, Fetched: fetched,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Received(func(ev *anymail.InboundEvent) {
				ev.ID = ""
				if change != nil {
					change(ev)
				}
			})
		},
		Make: func(p simulator.Params) simulator.Request {
			if fetched {
				api.Put(server+"/v1/account/desk/message/"+p.EventID+"/source", "message/rfc822", p.MIME)
			}
			data := parts(p)
			maps.Copy(data, more)
			return post(name, "inbound", p, data)
		},
	}
}

// parts is a received message as EmailEngine posts it, with the whole text.
func parts(p simulator.Params) fields {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	mailboxes := func(list []anymail.Address) []fields {
		all := []fields{}
		for _, a := range list {
			all = append(all, fields{"name": a.Name, "address": a.Address})
		}
		return all
	}
	attachments := []fields{}
	for _, a := range m.Attachments {
		attachments = append(attachments, fields{
			"id": "AAAA", "contentType": a.ContentType, "encodedSize": 4 * a.Size / 3, "filename": a.Filename, "embedded": a.ContentID != "",
			"inline": a.Disposition == "inline", "contentId": a.ContentID,
		})
	}
	return fields{
		"id": p.EventID, "uid": p.Number, "path": "INBOX", "date": m.Date.Format(milli), "flags": []string{}, "unseen": true, "size": len(p.MIME), "subject": m.Subject,
		"from": append(mailboxes(m.From), nil)[0], "replyTo": mailboxes(m.ReplyTo), "to": mailboxes(m.To), "cc": mailboxes(m.CC), "bcc": mailboxes(m.BCC),
		"messageId": "<" + m.MessageID + ">", "inReplyTo": m.InReplyTo, "attachments": attachments,
		"text":         fields{"id": "AAAA", "encodedSize": fields{"plain": len(m.Text), "html": len(m.HTML)}, "plain": m.Text, "html": m.HTML, "hasMore": false},
		"seemsLikeNew": true, "messageSpecialUse": `\Inbox`,
	}
}

// written is a message that is new in the folder of sent ones.
func written() simulator.Sample {
	s := tracking("messageNew-sent", anymail.EventUnknown, "", nil, noRecipient)
	s.Endpoint = "inbound"
	s.Make = func(p simulator.Params) simulator.Request {
		data := parts(p)
		data["messageSpecialUse"], data["messageId"] = `\Sent`, header(p.MessageID)
		return post("messageNew-sent", "inbound", p, data)
	}
	return s
}
