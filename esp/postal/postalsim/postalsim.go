// Package postalsim plays Postal, for tests and demonstrations.
package postalsim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postal"
	"github.com/goanymail/anymail/simulator"
)

// New returns the simulator of a current version of Postal, which signs twice.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           postal.ESP,
		Title:         "Postal",
		NewCredential: newCredentials(),
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return postal.New(postal.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: sign,
		Situations: map[string]string{
			"MessageDeliveryFailed-spam": "Not sent: the ESP takes the content for spam",
		},
		Samples: []simulator.Sample{
			delivery("MessageSent", "Sent", "", "Message for {} accepted by 192.0.2.25 (mx.example.com)", "250 2.0.0 OK 1790000000 x1", anymail.EventDelivered, "", anymail.Bounce{}),
			delivery("MessageDelayed", "SoftFail", "", "Temporary SMTP delivery error when sending to 192.0.2.25 (mx.example.com)", "451 4.7.1 try later", anymail.EventDeferred, "",
				anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}),
			refused("", "554 5.2.1 mailbox disabled", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.2.1"}),
			refused("-unknown", "550 5.1.1 no such user", anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			refused("-full", "552 5.2.2 mailbox full", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
			refused("-policy", "550 5.7.1 not from there", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			delivery("MessageDeliveryFailed", "HardFail", "-recipient", "Message doesn't have an RCPT to", "", anymail.EventRejected, anymail.RejectInvalid, anymail.Bounce{}),
			delivery("MessageDeliveryFailed", "HardFail", "-attempts", "Maximum number of delivery attempts (18) has been reached.", "", anymail.EventBounced, anymail.RejectTimedOut, anymail.Bounce{Category: anymail.BounceSoft}),
			delivery("MessageDeliveryFailed", "HardFail", "-spam", "Message is likely spam. Threshold is 5.0 and the message scored 7.3.", "", anymail.EventRejected, anymail.RejectBlocked, anymail.Bounce{}),
			delivery("MessageDeliveryFailed", "HardFail", "-domain", "Message's domain no longer exist", "", anymail.EventFailed, anymail.RejectOther, anymail.Bounce{}),
			delivery("MessageHeld", "Held", "", "Server is in development mode.", "", anymail.EventQueued, "", anymail.Bounce{}),
			delivery("MessageHeld", "Held", "-bounced", "Recipient ({}) is on the suppression list (reason: too many hard fails)", "", anymail.EventRejected, anymail.RejectBounced, anymail.Bounce{}),
			delivery("MessageHeld", "Held", "-suppressed", "Recipient ({}) is on the suppression list (reason: on request)", "", anymail.EventRejected, anymail.RejectBlocked, anymail.Bounce{}),
			webhook("MessageBounced", "", anymail.EventBounced, anymail.RejectBounced, func(p simulator.Params) object {
				report := p
				report.MessageID, report.Recipient = "r"+p.EventID+"@mx.example.com", "bounces@rp.example.org"
				return object{"original_message": message(p, "outgoing"), "bounce": message(report, "incoming")}
			}, func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceUndetermined }),
			webhook("MessageLinkClicked", "", anymail.EventClicked, "", func(p simulator.Params) object {
				return visit(p, object{"url": link, "token": "lnk" + p.EventID})
			}, simulator.Visited(agent, link, anymail.Unsaid), visitor),
			webhook("MessageLoaded", "", anymail.EventOpened, "", func(p simulator.Params) object { return visit(p, nil) }, simulator.Visited(agent, "", anymail.Unsaid), visitor),
			webhook("MessageSent", "-incoming", anymail.EventUnknown, "", func(p simulator.Params) object {
				return object{"message": message(p, "incoming"), "status": "Sent", "details": "Received a 200 from https://your.host/", "output": "", "timestamp": seconds(p.Time)}
			}, simulator.Described("Received a 200 from https://your.host/"), ofAttempt),
			webhook("DomainDNSError", "", anymail.EventUnknown, "", func(p simulator.Params) object {
				return object{
					"domain": "example.org", "uuid": "7c1f0a52-0000-4000-8000-0000000000d1", "dns_checked_at": seconds(p.Time), "server": server,
					"spf_status": "OK", "spf_error": nil, "dkim_status": "Invalid", "dkim_error": "The DKIM record is not the one that is wanted",
					"mx_status": "Missing", "mx_error": "There is none", "return_path_status": "OK", "return_path_error": nil,
				}
			}, ofServer, simulator.Described("The DKIM record is not the one that is wanted; There is none")),
			webhook("SendLimitApproaching", "", anymail.EventUnknown, "", limits, ofServer),
			webhook("SendLimitExceeded", "", anymail.EventUnknown, "", limits, ofServer),
			webhook("MessageTeleported", "", anymail.EventUnknown, "", func(p simulator.Params) object { return object{"message": message(p, "outgoing")} }),
			inbound("raw-json", true, func(p simulator.Params) simulator.Request { return postJSON("inbound", raw(p)) }),
			inbound("raw-form", true, func(p simulator.Params) simulator.Request { return postForm(raw(p)) }),
			checked(inbound("raw-checked", true, func(p simulator.Params) simulator.Request { return postJSON("inbound", raw(p)) })),
			inbound("processed-json", false, func(p simulator.Params) simulator.Request { return postJSON("inbound", processed(p)) }),
			inbound("processed-form", false, func(p simulator.Params) simulator.Request { return postForm(processed(p)) }),
		},
	}
}

// newCredentials returns credentials that share a few keys, because making an RSA
// key takes long.
func newCredentials() func() simulator.Credential {
	var mu sync.Mutex
	var made []simulator.Credential
	next := 0
	return func() simulator.Credential {
		mu.Lock()
		defer mu.Unlock()
		if len(made) < 4 {
			made = append(made, newCredential())
			return made[len(made)-1]
		}
		next++
		return made[next%len(made)]
	}
}

func newCredential() simulator.Credential {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("postalsim: %v", err)) // rand.Reader never fails
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		panic(fmt.Sprintf("postalsim: %v", err))
	}
	return simulator.Credential{
		Config:  "v=DKIM1; t=s; h=sha256; p=" + base64.StdEncoding.EncodeToString(der) + ";",
		Private: private,
	}
}

// sign makes the signatures of Postal 3.2 and later.
// https://github.com/postalserver/postal/blob/main/app/lib/signer.rb
func sign(r *simulator.Request, c simulator.Credential, _ time.Time) error {
	private, ok := c.Private.(*rsa.PrivateKey)
	if !ok {
		return errors.New("postalsim: a credential of another simulator")
	}
	sum256, sum1 := sha256.Sum256(r.Body), sha1.Sum(r.Body)
	signature256, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum256[:])
	if err != nil {
		return fmt.Errorf("postalsim: %w", err)
	}
	signature1, err := rsa.SignPKCS1v15(nil, private, crypto.SHA1, sum1[:])
	if err != nil {
		return fmt.Errorf("postalsim: %w", err)
	}
	kid := sha256.Sum256(x509.MarshalPKCS1PublicKey(&private.PublicKey))
	r.Header = r.Header.Clone()
	r.Header.Set("X-Postal-Signature", base64.StdEncoding.EncodeToString(signature1))
	r.Header.Set("X-Postal-Signature-256", base64.StdEncoding.EncodeToString(signature256))
	r.Header.Set("X-Postal-Signature-Kid", fmt.Sprintf("%x", kid))
	return nil
}

type object = map[string]any

var server = object{"uuid": "7c1f0a52-0000-4000-8000-0000000000a1", "name": "Demo", "permalink": "demo", "organization": "acme"}

const (
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	link  = "https://shop.example.org/orders/1701?from=mail"
	desk  = "help@inbound.example.org"
)

// A webhook is queued a moment after what it is about. Times have fractions.
const (
	attempted = 125 * time.Millisecond
	queued    = 625 * time.Millisecond
)

func seconds(at time.Time) json.Number { return json.Number(fmt.Sprintf("%d.125", at.Unix())) }

// ofAttempt is the time of an attempt, which only deliveries have.
func ofAttempt(ev *anymail.TrackingEvent) { ev.Timestamp = ev.Timestamp.Add(attempted - queued) }

// ofServer is an event that is not about a message.
func ofServer(ev *anymail.TrackingEvent) { ev.MessageID, ev.Recipient, ev.Tags = "", "", nil }

func visitor(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr("192.0.2.77") }

func message(p simulator.Params, direction string) object {
	return object{
		"id": p.Number, "token": "tok" + p.EventID, "direction": direction, "message_id": p.MessageID, "to": p.Recipient, "from": p.Sender,
		"subject": p.Subject, "timestamp": seconds(p.Time.Add(-10 * time.Second)), "spam_status": "NotChecked", "tag": p.Tag,
	}
}

func visit(p simulator.Params, more object) object {
	v := object{"ip_address": "192.0.2.77", "user_agent": agent, "message": message(p, "outgoing")}
	maps.Copy(v, more)
	return v
}

func limits(simulator.Params) object {
	return object{"server": server, "volume": 950, "limit": 1000}
}

func webhook(event, variant string, typ anymail.EventType, reason anymail.RejectReason, payload func(simulator.Params) object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: event + variant, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.Time, p.Metadata = p.Time.Truncate(time.Second).Add(queued), nil
			return p.Event(typ, reason, changes...)
		},
		Make: func(p simulator.Params) simulator.Request {
			at := json.Number(fmt.Sprintf("%d.625", p.Time.Unix()))
			return postJSON("tracking", object{"event": event, "timestamp": at, "payload": payload(p), "uuid": p.EventID})
		},
	}
}

// delivery is an event about an attempt. In details, {} is the recipient.
func delivery(event, status, variant, details, output string, typ anymail.EventType, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	explain := func(recipient string) string { return strings.Replace(details, "{}", recipient, 1) }
	return webhook(event, variant, typ, reason, func(p simulator.Params) object {
		return object{
			"message": message(p, "outgoing"), "status": status, "details": explain(p.Recipient),
			"output": output, "sent_with_ssl": true, "timestamp": seconds(p.Time), "time": 0.22,
		}
	}, ofAttempt, simulator.Answered(output, bounce), func(ev *anymail.TrackingEvent) { ev.Description = explain(ev.Recipient) })
}

// refused is a delivery that the receiving server refused for good.
func refused(variant, output string, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	return delivery("MessageDeliveryFailed", "HardFail", variant, "Permanent SMTP delivery error when sending to 192.0.2.25 (mx.example.com)", output, anymail.EventBounced, reason, bounce)
}

// inbound is a received message in either format. The event id is Postal's number.
func inbound(name string, whole bool, make func(simulator.Params) simulator.Request) simulator.Sample {
	return simulator.Sample{
		Name: "inbound-" + name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: whole, TakesMIME: whole, Make: make,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID = strconv.FormatInt(p.Number, 10)
			if whole {
				p.Time = time.Time{}
				return p.Received(simulator.Envelope(p.Sender, desk))
			}
			return p.Received(func(ev *anymail.InboundEvent) {
				ev.Timestamp, ev.Message = p.Time.Add(attempted), inParts(p)
			}, simulator.Envelope(sender, desk))
		},
	}
}

// checked is a raw message with Postal's verdict on top.
func checked(s simulator.Sample) simulator.Sample {
	events, request := s.Events, s.Make
	mark := func(p simulator.Params) simulator.Params {
		p.MIME = slices.Concat([]byte("X-Postal-Spam: no\r\nX-Postal-Spam-Threshold: 5.0\r\nX-Postal-Spam-Score: 0.4\r\n"), p.MIME)
		return p
	}
	s.Events = func(p simulator.Params) []anymail.Event {
		list, score := events(mark(p)), 0.4
		m := &list[0].(*anymail.InboundEvent).Message
		m.SpamDetected, m.SpamScore = anymail.No, &score
		return list
	}
	s.Make = func(p simulator.Params) simulator.Request { return request(mark(p)) }
	return s
}

// raw is the format "raw message".
func raw(p simulator.Params) object {
	return object{
		"id": p.Number, "rcpt_to": desk, "mail_from": p.Sender, "message": lines(p.MIME), "base64": true, "size": len(p.MIME),
	}
}

const sender = "bounces@example.com"

// processed is the format "processed", whose text has no quoted replies.
func processed(p simulator.Params) object {
	return object{
		"id": p.Number, "rcpt_to": desk, "mail_from": sender, "token": "tok" + p.EventID, "subject": p.Subject,
		"message_id": p.MessageID + "@example.com", "timestamp": seconds(p.Time), "size": "822", "spam_status": "NotSpam", "bounce": false,
		"received_with_ssl": true, "to": "Help Desk <" + desk + ">", "cc": "Carl <carl@example.com>", "from": "Ada Lovelace <" + p.Sender + ">",
		"date": p.Time.Format(time.RFC1123Z), "in_reply_to": "<m1@example.org>", "references": "<m0@example.org> <m1@example.org>", "html_body": "<p>Where is it?</p>",
		"attachment_quantity": 1, "auto_submitted": nil, "reply_to": []string{"Ada Lovelace <ada+reply@example.com>"},
		"plain_body": "Where is it?", "replies_from_plain_body": "> Your order has left us.",
		"attachments": []object{{"filename": "notes.txt", "content_type": "text/plain", "size": 6, "data": lines([]byte("a note"))}},
	}
}

// inParts is that message. Postal has no header fields but those of the members.
func inParts(p simulator.Params) anymail.InboundMessage {
	return anymail.InboundMessage{
		From:    []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}},
		To:      []anymail.Address{{Name: "Help Desk", Address: desk}},
		CC:      []anymail.Address{{Name: "Carl", Address: "carl@example.com"}},
		ReplyTo: []anymail.Address{{Name: "Ada Lovelace", Address: "ada+reply@example.com"}},
		Subject: p.Subject, Date: p.Time, MessageID: p.MessageID + "@example.com",
		InReplyTo: "m1@example.org", References: []string{"m0@example.org", "m1@example.org"},
		Headers: anymail.Headers{
			{Name: "From", Value: "Ada Lovelace <" + p.Sender + ">"}, {Name: "To", Value: "Help Desk <" + desk + ">"}, {Name: "Cc", Value: "Carl <carl@example.com>"},
			{Name: "Reply-To", Value: "Ada Lovelace <ada+reply@example.com>"}, {Name: "Subject", Value: p.Subject}, {Name: "Date", Value: p.Time.Format(time.RFC1123Z)},
			{Name: "Message-ID", Value: "<" + p.MessageID + "@example.com>"}, {Name: "In-Reply-To", Value: "<m1@example.org>"}, {Name: "References", Value: "<m0@example.org> <m1@example.org>"},
		},
		Text: "Where is it?\n\n> Your order has left us.", StrippedText: "Where is it?", HTML: "<p>Where is it?</p>", SpamDetected: anymail.No,
		Attachments: []anymail.Attachment{{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte("a note")}},
	}
}

// lines is base64 in lines of 60 characters, as Ruby's encode64 makes it.
func lines(content []byte) string {
	encoded := base64.StdEncoding.EncodeToString(content)
	var b strings.Builder
	for len(encoded) > 0 {
		n := min(60, len(encoded))
		b.WriteString(encoded[:n] + "\n")
		encoded = encoded[n:]
	}
	return b.String()
}

func postJSON(endpoint string, body object) simulator.Request {
	return simulator.JSON(endpoint, simulator.MustJSON(body))
}

// postForm is a body in the encoding "form data".
func postForm(body object) simulator.Request {
	v := url.Values{}
	for name, value := range body {
		switch value := value.(type) {
		case nil:
			v.Set(name, "")
		case []string:
			v[name] = value
		case []object:
			for i, element := range value {
				for field, content := range element {
					v.Set(name+"["+strconv.Itoa(i)+"]["+field+"]", fmt.Sprint(content))
				}
			}
		default:
			v.Set(name, fmt.Sprint(value))
		}
	}
	return simulator.URLEncoded("inbound", v)
}
