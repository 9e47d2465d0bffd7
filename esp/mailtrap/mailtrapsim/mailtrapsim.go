// Package mailtrapsim plays Mailtrap, for tests and demonstrations.
package mailtrapsim

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailtrap"
	"github.com/goanymail/anymail/simulator"
)

// New returns Mailtrap's simulator. The adapter fetches received messages from an
// API of the simulator.
func New() *simulator.Simulator {
	api := new(simulator.API)
	return &simulator.Simulator{
		ESP:   mailtrap.ESP,
		Title: "Mailtrap",
		NewCredential: func() simulator.Credential {
			var secret [16]byte
			_, _ = rand.Read(secret[:]) // never fails
			return simulator.Credential{Config: hex.EncodeToString(secret[:])}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			secrets := simulator.Keys(trusted)
			return mailtrap.New(mailtrap.Config{
				TrackingSigningKeys: secrets, InboundSigningKeys: secrets,
				APIKeys: anymail.Keys("sim-api-token"), Client: api.Client(),
			})
		},
		Client: api.Client(),
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Config)) // the text of the secret, though it looks like hex
			mac.Write(r.Body)
			r.Header = r.Header.Clone()
			r.Header.Set("Mailtrap-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Samples: []simulator.Sample{
			tracking("delivery", anymail.EventDelivered, "", nil),
			tracking("open", anymail.EventOpened, "", visit, visited),
			tracking("click", anymail.EventClicked, "", object{"ip": address, "user_agent": agent, "url": link}, visited, func(ev *anymail.TrackingEvent) { ev.ClickURL = link }),
			tracking("unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, visit, visited),
			tracking("spam", anymail.EventComplained, anymail.RejectSpam, nil),
			bounce("soft bounce", "greylisting", 451, "4.7.1 try again", anymail.EventDeferred, "", anymail.BounceSoft, "4.7.1"),
			bounce("soft bounce", "overquota", 452, "4.2.2 mailbox full", anymail.EventDeferred, "", anymail.BounceSoft, "4.2.2"),
			bounce("bounce", "badrecipient", 550, "5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard, "5.1.1"),
			bounce("bounce", "verifyfail", 550, "sender verify failed", anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined, ""),
			bounce("bounce", "transientfail", 451, "local error", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft, ""),
			bounce("bounce", "dnsFail", 450, "no such host", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft, ""),
			bounce("bounce", "serverfail", 554, "transaction failed", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft, ""),
			bounce("bounce", "generalfail", 554, "general failure", anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined, ""),
			bounce("bounce", "badsender", 550, "sender rejected", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock, ""),
			bounce("bounce", "block", 550, "5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock, "5.7.1"),
			bounce("bounce", "relayfail", 550, "relaying denied", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock, ""),
			bounce("bounce", "content", 554, "content refused", anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock, ""),
			bounce("bounce", "spam_gmail", 421, "4.7.28 unusual rate", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock, "4.7.28"),
			bounce("bounce", "overquota", 552, "5.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft, "5.2.2"),
			bounce("bounce", "serverpolicy", 550, "[CS01] 5.7.1 not from there", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock, "5.7.1"),
			bounce("bounce", "spam", 554, "5.7.1 spam", anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock, "5.7.1"),
			bounce("bounce", "timeout", 421, "4.4.2 no answer", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft, "4.4.2"),
			bounce("bounce", "other", 554, "no reason given", anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined, ""),
			tracking("suspension", anymail.EventDeferred, "", object{"reason": "Daily sending limit reached."},
				simulator.Described("Daily sending limit reached."), simulator.Answered("", anymail.Bounce{Category: anymail.BounceSoft})),
			reject("unsubscription", anymail.RejectUnsubscribed),
			reject("hard bounce", anymail.RejectBounced),
			reject("spam complaint", anymail.RejectSpam),
			reject("manual import", anymail.RejectBlocked),
			tracking("teleported", anymail.EventUnknown, "", nil),
			sample("activity_log.user.updated", "tracking", activity, func(p simulator.Params) []anymail.Event {
				return []anymail.Event{&anymail.TrackingEvent{
					Common: anymail.Common{Type: anymail.EventUnknown, Timestamp: p.Time}, Description: "updated the user profile",
				}}
			}, anymail.EventUnknown),
			{
				Name: "json-lines", Endpoint: "tracking", Make: lines, Types: []anymail.EventType{anymail.EventDelivered, anymail.EventOpened},
				Events: func(p simulator.Params) []anymail.Event {
					first := p.Event(anymail.EventDelivered, "")
					p.EventID += "-2"
					return append(first, p.Event(anymail.EventOpened, "", visited)...)
				},
			},
			fetched("", received(api, true), anymail.EventInbound, true, func(simulator.Params, *anymail.InboundMessage) {}),
			fetched("-parsed", received(api, false), anymail.EventInbound, false, parsed),
			fetched("-deleted", notification, anymail.EventInboundFailed, false, func(p simulator.Params, m *anymail.InboundMessage) {
				*m = anymail.InboundMessage{From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}}}
			}),
			sample("inbound-test", "inbound", func(p simulator.Params) object {
				return object{"event": "inbound_message_received", "timestamp": p.Time.UnixMilli(), "inbound_inbox_id": 1, "message_id": "1", "from": p.Sender}
			}, func(simulator.Params) []anymail.Event { return nil }),
		},
		Batch: batch,
		Malformed: func(p simulator.Params) simulator.Request {
			return post("tracking",
				simulator.MustJSON(event(p, "delivery", nil)),
				json.RawMessage(`{"event": {"name": "delivery"}, "timestamp": []}`),
				simulator.MustJSON(event(p, "open", visit)))
		},
	}
}

type object = map[string]any

const (
	address = "192.0.2.77"
	agent   = "Mozilla/5.0 (X11; Linux x86_64)"
	link    = "https://shop.example.org/orders/1701?from=mail"
)

var visit = object{"ip": address, "user_agent": agent}

func visited(ev *anymail.TrackingEvent) {
	ev.IP, ev.UserAgent = netip.MustParseAddr(address), agent
}

// event is an event about a sent message.
func event(p simulator.Params, name string, more ...object) object {
	e := object{
		"event": name, "timestamp": p.Time.Unix(), "sending_stream": "transactional", "category": p.Tag, "custom_variables": p.Metadata,
		"message_id": p.MessageID, "email": p.Recipient, "event_id": p.EventID, "sending_domain_name": "example.org",
	}
	for _, m := range more {
		maps.Copy(e, m)
	}
	return e
}

func sample(
	name, endpoint string, make func(simulator.Params) object, events func(simulator.Params) []anymail.Event, types ...anymail.EventType,
) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: endpoint, Types: types, Events: events,
		Make: func(p simulator.Params) simulator.Request { return post(endpoint, simulator.MustJSON(make(p))) },
	}
}

// fetched is a received message. Change makes the message of the parameters what
// Mailtrap has of it.
func fetched(
	variant string, make func(simulator.Params) object, typ anymail.EventType, takesMIME bool, change func(simulator.Params, *anymail.InboundMessage),
) simulator.Sample {
	s := sample("inbound.message_received"+variant, "inbound", make, func(p simulator.Params) []anymail.Event {
		return p.Received(func(ev *anymail.InboundEvent) {
			ev.Type, ev.Message.EnvelopeSender = typ, p.Sender
			change(p, &ev.Message)
		})
	}, typ)
	s.TakesMIME, s.Fetched = takesMIME, true
	return s
}

func tracking(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	s := sample(name, "tracking", func(p simulator.Params) object { return event(p, name, more) },
		func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) }, typ)
	s.Reason = reason
	return s
}

func bounce(
	name, category string, code int, response string, typ anymail.EventType, reason anymail.RejectReason, kind anymail.BounceCategory, enhanced string,
) simulator.Sample {
	s := tracking(name, typ, reason, object{"bounce_category": category, "response_code": code, "response": response},
		simulator.Described(category), simulator.Answered(response, anymail.Bounce{Category: kind, SMTPCode: code, EnhancedCode: enhanced}))
	s.Name += "-" + category
	return s
}

func reject(why string, reason anymail.RejectReason) simulator.Sample {
	text := "Recipient in suppression list. Reason: " + why
	s := tracking("reject", anymail.EventRejected, reason, object{"reason": text}, simulator.Described(text))
	s.Name += "-" + why
	return s
}

// activity is an event of the account, which has no id.
func activity(p simulator.Params) object {
	return object{
		"event": "activity_log.user.updated", "description": "updated the user profile", "timestamp": p.Time.Unix(),
		"actor":    object{"id": p.Number, "type": "user", "name": "Jo"},
		"resource": object{"id": strconv.FormatInt(p.Number, 10), "type": "user", "name": "Jo"},
		"changes":  object{"name": object{"from": "Jo", "to": "Joe"}},
	}
}

func notification(p simulator.Params) object {
	return object{
		"event": "inbound.message_received", "event_id": p.EventID, "timestamp": p.Time.UnixMilli(),
		"inbox_id": 250, "message_id": strconv.FormatInt(p.Number, 10), "from": "Ada Lovelace <" + p.Sender + ">",
	}
}

// received is the notification of a message in the API, with or without its raw
// form.
func received(api *simulator.API, raw bool) func(simulator.Params) object {
	return func(p simulator.Params) object {
		const bucket = "https://s3.amazonaws.com/inbound-mail/"
		at := p.Time.Format("2006-01-02T15:04:05.000Z07:00")
		m := object{
			"id": p.Number, "inbox_id": 250, "from": "Ada Lovelace <" + p.Sender + ">", "to": []string{"help-1a2b3c4d@inbound.mailtrap.io"},
			"cc": []string{"Grace <grace@example.com>"}, "bcc": []string{"log@inbound.mailtrap.io"}, "reply_to": "desk@example.com", "subject": p.Subject, "message_id": "<" + p.EventID + "@example.com>",
			"in_reply_to": "<" + p.MessageID + "@example.org>", "references": []string{"<" + p.MessageID + "@example.org>"},
			"headers": object{"mime-version": "1.0", "return-path": "<" + p.Sender + ">"},
			"size":    len(p.MIME), "html_size": 0, "text_size": 5, "received_at": at, "html_body": "<p>Where is it?</p>", "text_body": "Where is it?",
			"attachments": []object{{
				"attachment_id": "att-1", "size": 6, "filename": "notes.txt", "content_type": "text/plain", "content_disposition": "attachment",
				"content_id": nil, "download_url": bucket + "att-1/" + p.EventID + "?X-Amz-Signature=00", "download_url_expires_at": at,
			}},
			"raw_message_url": nil, "raw_message_expires_at": nil,
		}
		api.Put(bucket+"att-1/"+p.EventID+"?X-Amz-Signature=00", "text/plain", []byte("a note"))
		if raw {
			url := bucket + "raw/" + p.EventID + ".eml?X-Amz-Signature=00"
			m["raw_message_url"], m["raw_message_expires_at"] = url, at
			api.Put(url, "message/rfc822", p.MIME)
		}
		api.Put(fmt.Sprintf("https://mailtrap.io/api/inbound/inboxes/250/messages/%d", p.Number), "application/json", simulator.MustJSON(m))
		return notification(p)
	}
}

// parsed is the message that the API has without its raw form.
func parsed(p simulator.Params, m *anymail.InboundMessage) {
	id := p.MessageID + "@example.org"
	*m = anymail.InboundMessage{
		EnvelopeSender: p.Sender, From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}}, To: []anymail.Address{{Address: "help-1a2b3c4d@inbound.mailtrap.io"}},
		CC: []anymail.Address{{Name: "Grace", Address: "grace@example.com"}}, BCC: []anymail.Address{{Address: "log@inbound.mailtrap.io"}},
		ReplyTo: []anymail.Address{{Address: "desk@example.com"}}, Subject: p.Subject,
		MessageID: p.EventID + "@example.com", InReplyTo: id, References: []string{id},
		Headers: anymail.Headers{{Name: "mime-version", Value: "1.0"}, {Name: "return-path", Value: "<" + p.Sender + ">"}},
		Text:    "Where is it?", HTML: "<p>Where is it?</p>",
		Attachments: []anymail.Attachment{{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte("a note")}},
	}
}

// post is Mailtrap's JSON format.
func post(endpoint string, events ...json.RawMessage) simulator.Request {
	return simulator.JSON(endpoint, simulator.MustJSON(object{"events": events}))
}

// lines is Mailtrap's JSON Lines format.
func lines(p simulator.Params) simulator.Request {
	first, second := event(p, "delivery"), event(p, "open", visit)
	second["event_id"] = p.EventID + "-2"
	body := bytes.Join([][]byte{simulator.MustJSON(first), simulator.MustJSON(second), nil}, []byte("\n"))
	r := simulator.JSON("tracking", body)
	r.Header.Set("Content-Type", "application/jsonl")
	return r
}

// batch posts the events of several requests in either format as one in JSON.
func batch(requests []simulator.Request) (simulator.Request, error) {
	var events []json.RawMessage
	for _, r := range requests {
		d := json.NewDecoder(bytes.NewReader(r.Body))
		for d.More() {
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				return simulator.Request{}, fmt.Errorf("mailtrapsim: %w", err)
			}
			var body struct {
				Events []json.RawMessage `json:"events"`
			}
			if err := json.Unmarshal(value, &body); err != nil {
				return simulator.Request{}, fmt.Errorf("mailtrapsim: %w", err)
			}
			if body.Events == nil {
				body.Events = []json.RawMessage{value}
			}
			events = append(events, body.Events...)
		}
	}
	return post(requests[0].Endpoint, events...), nil
}
