// Package mandrillsim plays Mandrill, for tests and demonstrations.
package mandrillsim

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mandrill"
	"github.com/goanymail/anymail/simulator"
)

// New returns Mandrill's simulator. All requests go to the adapter's root.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   mandrill.ESP,
		Title: "Mandrill",
		NewCredential: func() simulator.Credential {
			return simulator.Credential{Config: rand.Text()[:22]}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return mandrill.New(mandrill.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: sign,
		Samples: []simulator.Sample{
			sample("send", send, anymail.EventSent, ""),
			sample("delivered", delivered, anymail.EventDelivered, "", accepted),
			sample("deferral", deferral, anymail.EventDeferred, "",
				simulator.Answered("451 4.7.1 try again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"})),
			bounced("hard", "bad_mailbox", 10, "smtp;550 5.1.1 no such user", anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounced("hard", "general", 30, "smtp;554 5.0.0 refused", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 554, EnhancedCode: "5.0.0"}),
			bounced("soft", "mailbox_full", 22, "smtp;552 5.2.2 over quota", anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
			bounced("soft", "timeout", 24, "smtp;421 4.4.1 timed out", anymail.RejectTimedOut, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.4.1"}),
			bounced("soft", "mail_block", 50, "smtp;550 5.7.1 listed", anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounced("soft", "spam_detected", 52, "smtp;554 5.7.1 looks like spam", anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			sample("soft_bounce-auto_reply", bounce("soft", "auto_reply", 60, ""), anymail.EventAutoresponded, "", simulator.Described("auto_reply")),
			bounced("soft", "too_large", 23, "smtp;552 5.3.4 too big", anymail.RejectOther, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.3.4"}),
			sample("reject", message("reject", "rejected"), anymail.EventRejected, anymail.RejectOther),
			rejected("hard-bounce", anymail.RejectBounced),
			rejected("spam", anymail.RejectSpam),
			rejected("unsub", anymail.RejectUnsubscribed),
			rejected("custom", anymail.RejectBlocked),
			rejected("invalid", anymail.RejectInvalid),
			sample("open", visit("open"), anymail.EventOpened, "", simulator.Visited(agent, "", anymail.Unsaid), inBremen),
			sample("open-robot", visit("open", "Robot"), anymail.EventOpened, "", simulator.Visited(agent, "", anymail.Yes), inBremen),
			sample("click", visit("click"), anymail.EventClicked, "", clicked, inBremen),
			sample("spam", message("spam", "spam"), anymail.EventComplained, anymail.RejectSpam),
			sample("unsub", message("unsub", "unsub"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			sample("teleport", message("teleport", "sent"), anymail.EventUnknown, ""),
			sample("denylist-add", denyList, anymail.EventUnknown, anymail.RejectBounced, ofList("denylist add: 550 no such user, says ")),
			sample("allowlist-remove", allowList, anymail.EventUnknown, "", ofList("allowlist remove: ticket ")),
			{
				Name: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: true, Events: receivedEvents,
				Make: func(p simulator.Params) simulator.Request { return post(inbound(p)) },
			},
			{
				Name: "inbound-parsed", Types: []anymail.EventType{anymail.EventInbound}, Events: parsedEvents,
				Make: func(p simulator.Params) simulator.Request { return post(inboundParsed(p)) },
			},
			{
				Name:  "mixed",
				Types: []anymail.EventType{anymail.EventDelivered, anymail.EventUnknown, anymail.EventInbound},
				Events: func(p simulator.Params) []anymail.Event {
					first := eventOf(p, anymail.EventDelivered, "", accepted)
					second := eventOf(p, anymail.EventUnknown, anymail.RejectBounced, ofList("denylist add: 550 no such user, says "))
					return slices.Concat(first, second, receivedEvents(p))
				},
				Make: func(p simulator.Params) simulator.Request { return post(delivered(p), denyList(p), inbound(p)) },
			},
			{Name: "test", Events: func(simulator.Params) []anymail.Event { return nil }, Make: func(simulator.Params) simulator.Request { return post() }},
		},
		Batch: batch,
		Malformed: func(p simulator.Params) simulator.Request {
			return post(send(p), object{"event": "click", "msg": object{"smtp_events": 7}}, delivered(p))
		},
	}
}

// sign signs as in
// https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests.
// The URL entered at Mandrill contains the credentials that it sends.
func sign(r *simulator.Request, c simulator.Credential, _ time.Time) error {
	u, err := url.Parse(r.URL)
	if err != nil {
		return fmt.Errorf("mandrillsim: %w", err)
	}
	if user, password, ok := (&http.Request{Header: r.Header}).BasicAuth(); ok {
		u.User = url.UserPassword(user, password)
	}
	fields, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return fmt.Errorf("mandrillsim: %w", err)
	}
	mac := hmac.New(sha1.New, []byte(c.Config))
	_, _ = io.WriteString(mac, u.String()) // a hash never fails
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		_, _ = io.WriteString(mac, name+fields.Get(name))
	}
	r.Header.Set("X-Mandrill-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

type object = map[string]any

// post makes a batch.
func post(events ...object) simulator.Request {
	text := []byte("[]")
	if len(events) > 0 {
		text = simulator.MustJSON(events)
	}
	return simulator.URLEncoded("", url.Values{"mandrill_events": {string(text)}})
}

func sample(name string, event func(simulator.Params) object, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return eventOf(p, typ, reason, changes...) },
		Make:   func(p simulator.Params) simulator.Request { return post(event(p)) },
	}
}

// eventOf is the event of a sample. It has its EventID until the changes are made:
// Mandrill has no event ids, but some of its texts have one here.
func eventOf(p simulator.Params, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) []anymail.Event {
	events := p.Event(typ, reason, changes...)
	events[0].Base().ID = ""
	return events
}

var accepted = simulator.Answered("250 2.0.0 OK", anymail.Bounce{})

func bounced(kind, description string, code int, diag string, reason anymail.RejectReason, is anymail.Bounce) simulator.Sample {
	return sample(kind+"_bounce-"+description, bounce(kind, description, code, diag), anymail.EventBounced, reason,
		simulator.Answered(diag, is), simulator.Described(description))
}

func rejected(why string, reason anymail.RejectReason) simulator.Sample {
	return sample("reject-"+why, reject(why), anymail.EventRejected, reason, simulator.Described(why))
}

const (
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	link  = "https://shop.example.org/orders/1701?visit="
	desk  = "help@inbound.example.org"
)

func clicked(ev *anymail.TrackingEvent) { ev.UserAgent, ev.ClickURL = agent, link+ev.ID }

func inBremen(ev *anymail.TrackingEvent) {
	ev.IP, ev.Geo = netip.MustParseAddr("192.0.2.77"), anymail.Geo{Country: "DE", Region: "Bremen", City: "Bremerhaven"}
}

// ofList is an event that is not about a message.
func ofList(words string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		simulator.Unlabelled(ev)
		ev.MessageID, ev.Description = "", words+ev.ID
	}
}

func batch(requests []simulator.Request) (simulator.Request, error) {
	var arrays []simulator.Request
	for _, r := range requests {
		fields, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return simulator.Request{}, fmt.Errorf("mandrillsim: %w", err)
		}
		arrays = append(arrays, simulator.JSON("", []byte(fields.Get("mandrill_events"))))
	}
	joined, err := simulator.JoinArrays(arrays)
	if err != nil {
		return simulator.Request{}, err
	}
	return simulator.URLEncoded("", url.Values{"mandrill_events": {string(joined.Body)}}), nil
}

// message is an event about a sent message. The fields more are added to msg.
func message(event, state string, more ...object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		msg := object{
			"ts": p.Time.Unix() - 60, "_id": p.MessageID, "state": state, "subject": p.Subject, "email": p.Recipient, "sender": p.Sender,
			"tags": []string{p.Tag}, "metadata": p.Metadata, "opens": []any{}, "clicks": []any{}, "smtp_events": []any{}, "resends": []any{},
			"_version": p.EventID, "template": nil, "diag": nil, "bgtools_code": nil,
		}
		for _, m := range more {
			maps.Copy(msg, m)
		}
		return object{"event": event, "_id": p.MessageID, "ts": p.Time.Unix(), "msg": msg}
	}
}

var (
	send      = message("send", "sent")
	delivered = message("delivered", "delivered", attempt("sent", "250 2.0.0 OK"))
	deferral  = message("deferral", "deferred", attempt("deferred", "451 4.7.1 try again later"))
)

func attempt(typ, diag string) object {
	return object{"smtp_events": []object{{
		"ts": 1789999990, "type": typ, "diag": diag, "source_ip": "198.51.100.7", "destination_ip": "192.0.2.25", "size": 4096,
	}}}
}

func bounce(kind, description string, code int, diag string) func(simulator.Params) object {
	state := map[string]string{"hard": "bounced", "soft": "soft-bounced"}[kind]
	return message(kind+"_bounce", state, object{"bounce_description": description, "bgtools_code": code, "diag": diag})
}

func reject(reason string) func(simulator.Params) object {
	return message("reject", "rejected", object{"reject": object{"reason": reason, "last_event_at": "2026-09-01 00:00:00"}})
}

// visit is an event that a recipient's mail program or browser caused.
func visit(event string, program ...string) func(simulator.Params) object {
	plain := message(event, "sent", attempt("sent", "250 2.0.0 OK"))
	return func(p simulator.Params) object {
		visit := object{
			"ip": "192.0.2.77", "user_agent": agent,
			"location": object{
				"country_short": "DE", "country": "Germany", "region": "Bremen", "city": "Bremerhaven",
				"postal_code": "27568", "timezone": "+01:00", "latitude": 52.5, "longitude": 13.4,
			},
			"user_agent_parsed": object{"type": "Browser", "ua_family": "Firefox", "mobile": false, "os_family": "Linux"},
		}
		if event == "click" {
			visit["url"] = link + p.EventID
		}
		for _, kind := range program {
			visit["user_agent_parsed"] = object{"type": kind, "ua_family": "Demo", "mobile": false, "os_family": nil}
		}
		maps.Copy(visit, plain(p))
		return visit
	}
}

const listTime = "2006-01-02 15:04:05"

func denyList(p simulator.Params) object {
	return object{"type": "denylist", "action": "add", "ts": p.Time.Unix(), "reject": object{
		"reason": "hard-bounce", "detail": "550 no such user, says " + p.EventID, "email": p.Recipient, "sender": nil, "subaccount": nil,
		"last_event_at": p.Time.Format(listTime), "created_at": p.Time.Format(listTime),
		"expires_at": p.Time.AddDate(0, 0, 7).Format(listTime), "expired": false,
	}}
}

func allowList(p simulator.Params) object {
	return object{"type": "allowlist", "action": "remove", "ts": p.Time.Unix(), "entry": object{
		"email": p.Recipient, "detail": "ticket " + p.EventID, "created_at": p.Time.Format(listTime),
	}}
}

// inbound is a received message of which Mandrill passes on only the raw form.
func inbound(p simulator.Params) object {
	return object{"event": "inbound", "ts": p.Time.Unix(), "msg": object{
		"raw_msg": strings.ReplaceAll(string(p.MIME), "\r\n", "\n"), "headers": []any{}, "email": desk,
		"spf": object{"result": "pass", "detail": "sender SPF authorized"}, "dkim": object{"signed": true, "valid": true},
		"spam_report": object{"score": -0.1, "matched_rules": []object{{"name": "DKIM_VALID", "score": -0.1, "description": "valid signature"}}},
		"tags":        []any{}, "sender": nil, "template": nil,
	}}
}

func receivedEvents(p simulator.Params) []anymail.Event {
	p.EventID, p.MIME = "", bytes.ReplaceAll(p.MIME, []byte("\r\n"), []byte("\n"))
	return p.Received(simulator.Envelope("", desk), func(ev *anymail.InboundEvent) {
		score := -0.1
		ev.Message.SpamScore, ev.Message.Authentication = &score, anymail.Authentication{SPF: "pass", DKIM: "pass"}
	})
}

// inboundParsed is a received message whose raw form was not UTF-8.
func inboundParsed(p simulator.Params) object {
	return object{"event": "inbound", "ts": p.Time.Unix(), "msg": object{
		"raw_msg": damaged(p),
		"headers": object{"From": "Ada <ada@example.com>", "To": "help@inbound.example.org", "Subject": "Frage", "Message-Id": "<" + p.EventID + "@example.com>"},
		"text":    "Grüße\n", "html": "<p>Grüße</p>", "cc": [][]any{{"carl@example.com", "Carl"}}, "text_flowed": false, "from_email": "ada@example.com", "from_name": "Ada", "subject": "Frage",
		"to": [][]any{{"help@inbound.example.org", nil}}, "email": desk,
		"attachments": object{"notes.txt": object{"name": "notes.txt", "type": "text/plain", "content": "a note", "base64": false}},
		"images":      object{"dot": object{"name": "dot", "type": "image/png", "content": "iVBORw0KGgo="}},
		"spf":         object{"result": "softfail", "detail": ""}, "dkim": object{"signed": false, "valid": false},
		"spam_report": object{"score": 6.4, "matched_rules": []any{}}, "tags": []any{}, "sender": nil, "template": nil,
	}}
}

// damaged is the source as JSON can hold it.
func damaged(p simulator.Params) string {
	return "From: Ada <ada@example.com>\nTo: " + desk + "\nSubject: Frage\nMessage-Id: <" + p.EventID +
		"@example.com>\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\nGr\ufffd\ufffde\n"
}

func parsedEvents(p simulator.Params) []anymail.Event {
	score := 6.4
	return []anymail.Event{&anymail.InboundEvent{
		Common: anymail.Common{Type: anymail.EventInbound, Timestamp: p.Time},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: desk, EnvelopeRecipients: []string{desk},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: desk}},
			CC:      []anymail.Address{{Name: "Carl", Address: "carl@example.com"}},
			Subject: "Frage", MessageID: p.EventID + "@example.com", Text: "Grüße\n", HTML: "<p>Grüße</p>", RawMIME: []byte(damaged(p)),
			Headers: anymail.Headers{
				{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "To", Value: desk}, {Name: "Subject", Value: "Frage"}, {Name: "Message-Id", Value: "<" + p.EventID + "@example.com>"},
				{Name: "Content-Type", Value: "text/plain; charset=iso-8859-1"}, {Name: "Content-Transfer-Encoding", Value: "8bit"},
			},
			SpamScore: &score, Authentication: anymail.Authentication{SPF: "softfail", DKIM: "none"},
			Attachments: []anymail.Attachment{
				{Filename: "notes.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte("a note")},
				{Filename: "dot", ContentType: "image/png", Disposition: "inline", ContentID: "dot", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
			},
		},
	}}
}
