// Package mailgunsim plays Mailgun, for tests and demonstrations.
package mailgunsim

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/wire"
)

// New returns Mailgun's simulator.
func New() *simulator.Simulator {
	store := new(simulator.API)
	return &simulator.Simulator{
		ESP:           mailgun.ESP,
		Title:         "Mailgun",
		NewCredential: newCredential,
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return mailgun.New(mailgun.Config{
				SigningKeys: simulator.Keys(trusted),
				APIKeys:     anymail.Keys("key-of-the-store"),
				Client:      store.Client(),
			})
		},
		Client:       store.Client(),
		Sign:         sign,
		BodyUnsigned: true,
		Samples: []simulator.Sample{
			event("accepted", anymail.EventQueued, "", object{"method": "HTTP", "user-variables": []any{}}, func(ev *anymail.TrackingEvent) { ev.Metadata = nil }),
			event("rejected", anymail.EventRejected, anymail.RejectOther, object{
				"recipient": nil, "reject": object{"reason": "Sandbox domains are for tests", "description": "Recipient not authorized"},
			}, simulator.Described("Recipient not authorized")),
			event("delivered", anymail.EventDelivered, "", status(250, "2.0.0", "OK"), simulator.Answered("OK", anymail.Bounce{})),
			failed("bounce", "permanent", anymail.EventBounced, anymail.RejectInvalid, status(550, "5.1.1", "5.1.1 no such user"),
				simulator.Answered("5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			failed("bounce-full", "permanent", anymail.EventBounced, anymail.RejectBounced, status(552, "5.2.2", "5.2.2 mailbox full"),
				simulator.Answered("5.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"})),
			failed("delayed-bounce", "permanent", anymail.EventBounced, anymail.RejectBounced, object{"flags": object{"is-delayed-bounce": true}},
				simulator.Answered("", anymail.Bounce{Category: anymail.BounceHard})),
			failed("blacklisted", "permanent", anymail.EventBounced, anymail.RejectBlocked, status(550, "5.7.1", "5.7.1 listed"),
				simulator.Answered("5.7.1 listed", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"})),
			failed("espblock", "permanent", anymail.EventBounced, anymail.RejectBlocked, status(550, "5.7.1", "5.7.1 listed"),
				simulator.Answered("5.7.1 listed", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"})),
			failed("old", "permanent", anymail.EventBounced, anymail.RejectTimedOut, status(602, "", ""),
				simulator.Answered("", anymail.Bounce{Category: anymail.BounceSoft})),
			failed("generic", "permanent", anymail.EventBounced, anymail.RejectBounced, status(554, "", "554 transaction failed"),
				simulator.Answered("554 transaction failed", anymail.Bounce{Category: anymail.BounceUndetermined, SMTPCode: 554})),
			failed("suppress-bounce", "permanent", anymail.EventRejected, anymail.RejectBounced, status(605, "", "It bounced before"),
				simulator.Described("It bounced before")),
			failed("hardfail", "permanent", anymail.EventRejected, anymail.RejectBounced, status(605, "", "")),
			failed("suppress-complaint", "permanent", anymail.EventRejected, anymail.RejectSpam, status(607, "", "")),
			failed("suppress-unsubscribe", "permanent", anymail.EventRejected, anymail.RejectUnsubscribed, status(606, "", "")),
			failed("greylisted", "temporary", anymail.EventDeferred, "", status(451, "4.7.1", "4.7.1 come again later"),
				simulator.Answered("4.7.1 come again later", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"})),
			failed("undecided", "", anymail.EventFailed, anymail.RejectOther, status(0, "", "")),
			event("opened", anymail.EventOpened, "", client("browser", ""), visited),
			event("opened-by-bot", anymail.EventOpened, "", client("robot", "apple"), visited, func(ev *anymail.TrackingEvent) { ev.Automated = anymail.Yes }),
			event("clicked", anymail.EventClicked, "", withURL(client("browser", "")), visited, clicked),
			event("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, client("browser", ""), visited),
			event("complained", anymail.EventComplained, anymail.RejectSpam, nil),
			event("levitated", anymail.EventUnknown, "", nil),

			legacy("delivered", anymail.EventDelivered, "", true, nil),
			legacy("bounced", anymail.EventBounced, anymail.RejectInvalid, true, texts{"code": "550", "error": "5.1.1 no such user"},
				simulator.Answered("5.1.1 no such user", anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"})),
			legacy("dropped", anymail.EventRejected, anymail.RejectBounced, true, texts{"code": "605", "reason": "hardfail", "description": "Not delivering to previously bounced address"},
				simulator.Described("Not delivering to previously bounced address")),
			legacy("complained", anymail.EventComplained, anymail.RejectSpam, true, nil),
			legacy("opened", anymail.EventOpened, "", false, texts{"ip": address, "country": "DE", "region": "BE", "city": "Berlin", "user-agent": agent, "client-type": "browser"},
				visited),
			legacy("clicked", anymail.EventClicked, "", false, texts{"ip": address, "url": link}, located, clicked),
			legacy("unsubscribed", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, false, texts{"ip": address}, located),
			legacy("levitated", anymail.EventUnknown, "", false, nil),

			route("route-forward", "inbound", simulator.Params.ReceivedInParts, parsed(false), false, stripped, func(m *anymail.InboundMessage) { m.Attachments = nil }),
			route("route-forward-attachments", "inbound", simulator.Params.ReceivedInParts, parsed(true), true, stripped),
			route("route-forward-mime", "inbound_mime", simulator.Params.Received, bodyMIME("inbound_mime"), true),
			route("route-forward-body-mime", "inbound", simulator.Params.Received, bodyMIME("inbound"), true),
			route("route-store", "inbound", simulator.Params.Received, stored(store), true, stripped),
			route("route-store-expired", "inbound", simulator.Params.ReceivedInParts, stored(nil), false, stripped, func(m *anymail.InboundMessage) {
				for i := range m.Attachments {
					m.Attachments[i].Content = nil
				}
			}),
		},
	}
}

func newCredential() simulator.Credential {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	text := hex.EncodeToString(key[:])
	return simulator.Credential{Config: text, Private: text}
}

// sign adds timestamp, token and signature to the body. The one timestamp of a
// form is also that of the event. It stays if it is about now.
func sign(r *simulator.Request, c simulator.Credential, at time.Time) error {
	key, ok := c.Private.(string)
	if !ok {
		return errors.New("mailgunsim: not a credential of Mailgun")
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media == "application/json" {
		var body struct {
			Signature object          `json:"signature"`
			Event     json.RawMessage `json:"event-data"`
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return fmt.Errorf("mailgunsim: %w", err)
		}
		token, signature := signature(key, seconds)
		body.Signature = object{"timestamp": seconds, "token": token, "signature": signature}
		var err error
		r.Body, err = json.Marshal(body)
		return err
	}
	form, err := (&anymail.Payload{Header: r.Header, Body: r.Body}).Form()
	if err != nil {
		return fmt.Errorf("mailgunsim: %w", err)
	}
	var fields []string
	if times := form.Fields.All("timestamp"); len(times) > 0 {
		last := times[len(times)-1]
		if n, err := strconv.ParseInt(last, 10, 64); err == nil && at.Sub(time.Unix(n, 0)).Abs() < time.Minute {
			seconds = last
		} else {
			fields = []string{"timestamp", seconds}
		}
	}
	token, signature := signature(key, seconds)
	return appendFields(r, append(fields, "token", token, "signature", signature))
}

func signature(key, seconds string) (token, signature string) {
	var random [25]byte
	_, _ = rand.Read(random[:]) // never fails
	token = hex.EncodeToString(random[:])
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(seconds + token))
	return token, hex.EncodeToString(h.Sum(nil))
}

// appendFields adds names and values at the end of a form. Mailgun has its
// signature there.
func appendFields(r *simulator.Request, fields []string) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("mailgunsim: %w", err)
	}
	body, end := bytes.Clone(r.Body), ""
	if boundary := params["boundary"]; boundary != "" {
		end = "--" + boundary + "--\r\n"
		body = bytes.TrimSuffix(body, []byte(end))
		for i := 0; i+1 < len(fields); i += 2 {
			body = fmt.Appendf(body, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, fields[i], fields[i+1])
		}
	} else {
		for i := 0; i+1 < len(fields); i += 2 {
			body = fmt.Appendf(body, "&%s=%s", fields[i], url.QueryEscape(fields[i+1]))
		}
	}
	body = append(body, end...)
	r.Body = body
	return nil
}

type (
	object = map[string]any
	texts  = map[string]string
)

const (
	address = "192.0.2.77"
	agent   = "Mozilla/5.0 (demo)"
	link    = "https://www.example.com/offer?a=1&b=2"
)

func event(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	kind := name
	if name == "opened-by-bot" {
		kind = "opened"
	}
	return tracking(name, typ, reason, func(p simulator.Params) simulator.Request {
		data := object{
			"event": kind, "id": p.EventID, "timestamp": json.Number(fmt.Sprintf("%d.%06d", p.Time.Unix(), p.Time.Nanosecond()/1000)),
			"log-level": "info", "account": object{"id": "acc0001"}, "domain": object{"name": "mg.example.org"},
			"flags":    object{"is-routed": false, "is-authenticated": true, "is-system-test": false, "is-test-mode": false},
			"envelope": object{"sender": p.Sender, "targets": p.Recipient, "transport": "smtp"},
			"message": object{
				"headers":     object{"from": p.Sender, "to": p.Recipient, "message-id": wire.TrimID(p.MessageID), "subject": p.Subject},
				"attachments": []any{}, "size": 512,
			},
			"recipient": p.Recipient, "recipient-domain": "example.com", "campaigns": []any{},
			"storage": object{"url": []string{"https://storage-demo.api.mailgun.net/v3/domains/mg.example.org/messages/k1"}, "key": "k1"},
			"tags":    []string{p.Tag}, "user-variables": p.Metadata,
		}
		maps.Copy(data, more)
		return simulator.JSON("tracking", simulator.MustJSON(object{"signature": object{}, "event-data": data}))
	}, func(p simulator.Params) []anymail.Event { return p.Event(typ, reason, changes...) })
}

// failed is described by its reason, unless a change says otherwise.
func failed(reason, severity string, typ anymail.EventType, reject anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	name := reason
	if reason == "bounce-full" {
		reason = "bounce"
	}
	more["severity"], more["reason"] = severity, reason
	s := event("failed", typ, reject, more, append([]func(*anymail.TrackingEvent){simulator.Described(reason)}, changes...)...)
	s.Name = "failed-" + name
	return s
}

func status(code int, enhanced, message string) object {
	return object{"delivery-status": object{
		"attempt-no": 1, "code": code, "enhanced-code": enhanced, "message": message, "description": nil,
		"mx-host": "mx.example.com", "session-seconds": 0.4, "tls": true,
	}}
}

// client is who opened, clicked or unsubscribed.
func client(kind, bot string) object {
	return object{
		"ip":          address,
		"geolocation": object{"country": "DE", "region": "BE", "city": "Berlin"},
		"client-info": object{
			"client-name": "Firefox", "client-os": "Linux", "client-type": kind, "device-type": "desktop",
			"user-agent": agent, "bot": bot,
		},
	}
}

func withURL(click object) object {
	click["url"] = link
	return click
}

func located(ev *anymail.TrackingEvent) { ev.IP = netip.MustParseAddr(address) }

func visited(ev *anymail.TrackingEvent) {
	located(ev)
	ev.UserAgent, ev.Geo = agent, anymail.Geo{Country: "DE", Region: "BE", City: "Berlin"}
}

func clicked(ev *anymail.TrackingEvent) { ev.ClickURL = link }

// legacy makes a sample of the webhooks from before 2018. Some of them return
// the headers of the message, the others the variables as fields.
func legacy(
	name string, typ anymail.EventType, reason anymail.RejectReason, headers bool, fields texts, changes ...func(*anymail.TrackingEvent),
) simulator.Sample {
	return tracking("legacy-"+name, typ, reason, func(p simulator.Params) simulator.Request {
		v := url.Values{
			"event": {name}, "recipient": {p.Recipient}, "domain": {"mg.example.org"}, "tag": {p.Tag},
			"timestamp": {strconv.FormatInt(p.Time.Unix(), 10)},
		}
		if headers {
			v.Set("Message-Id", "<"+wire.TrimID(p.MessageID)+">")
			v.Set("message-headers", string(simulator.MustJSON(anymail.Headers{
				{Name: "Subject", Value: p.Subject}, {Name: "X-Mailgun-Variables", Value: string(simulator.MustJSON(p.Metadata))},
			})))
		} else {
			v.Set("message-id", wire.TrimID(p.MessageID))
			for name, value := range p.Metadata {
				v.Set(name, value)
			}
		}
		for name, value := range fields {
			v.Set(name, value)
		}
		return simulator.URLEncoded("tracking", v)
	}, func(p simulator.Params) []anymail.Event {
		p.EventID = "" // legacy webhooks have none
		return p.Event(typ, reason, changes...)
	})
}

func tracking(
	name string, typ anymail.EventType, reason anymail.RejectReason, make func(simulator.Params) simulator.Request, events func(simulator.Params) []anymail.Event,
) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason, Make: make,
		Events: func(p simulator.Params) []anymail.Event {
			p.MessageID = "<" + wire.TrimID(p.MessageID) + ">" // as the send API returns it
			return events(p)
		},
	}
}

// route is a received message: that of the parameters below the header fields that
// Mailgun writes, and what the changes make of it.
func route(
	name, endpoint string, received func(simulator.Params, ...func(*anymail.InboundEvent)) []anymail.Event,
	make func(simulator.Params) simulator.Request, takesMIME bool, changes ...func(*anymail.InboundMessage),
) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: endpoint, Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: takesMIME,
		Fetched: strings.HasPrefix(name, "route-store"), Make: make,
		Events: func(p simulator.Params) []anymail.Event {
			p.MIME = source(p)
			return received(p, func(ev *anymail.InboundEvent) {
				ev.ID = ""
				m, score := &ev.Message, 0.4
				m.EnvelopeSender, m.EnvelopeRecipient = m.From[0].Address, m.To[0].Address
				m.EnvelopeRecipients = []string{m.EnvelopeRecipient}
				m.Authentication, m.SpamDetected, m.SpamScore = anymail.Authentication{SPF: "pass", DKIM: "fail"}, anymail.No, &score
				for _, change := range changes {
					change(m)
				}
			})
		},
	}
}

func stripped(m *anymail.InboundMessage) {
	m.StrippedText, m.StrippedHTML = "Stripped: "+m.Text, "<!--stripped-->"+m.HTML
}

// own are the header fields that Mailgun writes on top of a message.
func own(p simulator.Params) anymail.Headers {
	return anymail.Headers{
		{Name: "X-Mailgun-Dkim-Check-Result", Value: "Fail"}, {Name: "X-Mailgun-Spf", Value: "Pass"}, {Name: "X-Mailgun-Sscore", Value: "0.4"},
		{Name: "X-Mailgun-Sflag", Value: "No"}, {Name: "X-Mailgun-Incoming", Value: "Yes"},
		{Name: "Received", Value: "from mail.example.com (mail.example.com [192.0.2.25]) by mxa.mailgun.org with ESMTP; " + p.Time.Format(time.RFC1123Z)},
	}
}

// source is the message as Mailgun passes it on.
func source(p simulator.Params) []byte {
	var b bytes.Buffer
	for _, h := range own(p) {
		_, _ = fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	return append(b.Bytes(), p.MIME...)
}

// envelope holds the fields that every route posts.
func envelope(p simulator.Params, m anymail.InboundMessage) url.Values {
	sender, recipient, from := p.Sender, p.Recipient, ""
	if len(m.From) > 0 {
		sender, from = m.From[0].Address, m.From[0].String()
	}
	if len(m.To) > 0 {
		recipient = m.To[0].Address
	}
	return url.Values{
		"recipient": {recipient}, "sender": {sender}, "from": {from}, "subject": {m.Subject},
		"timestamp": {strconv.FormatInt(p.Time.Unix(), 10)},
	}
}

// parts holds the fields of a message that Mailgun parsed.
func parts(p simulator.Params, m anymail.InboundMessage) url.Values {
	stripped(&m)
	v := envelope(p, m)
	v.Set("body-plain", m.Text)
	v.Set("stripped-text", m.StrippedText)
	v.Set("body-html", m.HTML)
	v.Set("stripped-html", m.StrippedHTML)
	v.Set("message-headers", string(simulator.MustJSON(append(own(p), m.Headers...))))
	for _, h := range m.Headers {
		v.Add(h.Name, h.Value)
	}
	return v
}

func parsed(attachments bool) func(simulator.Params) simulator.Request {
	return func(p simulator.Params) simulator.Request {
		m := rawmime.Parse(p.MIME, anymail.Limits{})
		v := parts(p, m)
		if !attachments {
			return simulator.URLEncoded("inbound", v)
		}
		ids := map[string]string{}
		var files []simulator.Field
		for i, a := range m.Attachments {
			field := "attachment-" + strconv.Itoa(i+1)
			files = append(files, simulator.Field{Name: field, Filename: a.Filename, ContentType: a.ContentType, Value: string(a.Content)})
			if a.ContentID != "" {
				ids["<"+a.ContentID+">"] = field
			}
		}
		v.Set("attachment-count", strconv.Itoa(len(files)))
		v.Set("content-id-map", string(simulator.MustJSON(ids)))
		var fields []simulator.Field
		for name, values := range v {
			for _, value := range values {
				fields = append(fields, simulator.Field{Name: name, Value: value})
			}
		}
		return simulator.Multipart("inbound", append(fields, files...)...)
	}
}

func bodyMIME(endpoint string) func(simulator.Params) simulator.Request {
	return func(p simulator.Params) simulator.Request {
		v := envelope(p, rawmime.Parse(p.MIME, anymail.Limits{}))
		v.Set("body-mime", string(source(p)))
		return simulator.URLEncoded(endpoint, v)
	}
}

// stored makes the notification of a message in the store. If store is nil, the
// message is no longer there.
func stored(store *simulator.API) func(simulator.Params) simulator.Request {
	return func(p simulator.Params) simulator.Request {
		m := rawmime.Parse(p.MIME, anymail.Limits{})
		at := "https://storage-demo.api.mailgun.net/v3/domains/mg.example.org/messages/" + p.EventID
		v := parts(p, m)
		var list []object
		ids := texts{}
		for i, a := range m.Attachments {
			list = append(list, object{
				"url": at + "/attachments/" + strconv.Itoa(i), "content-type": a.ContentType, "name": a.Filename, "size": a.Size,
			})
			if a.ContentID != "" {
				ids["<"+a.ContentID+">"] = at + "/attachments/" + strconv.Itoa(i)
			}
		}
		v.Set("attachments", string(simulator.MustJSON(list)))
		v.Set("content-id-map", string(simulator.MustJSON(ids)))
		v.Set("message-url", at)
		v.Set("domain", "mg.example.org")
		if store != nil {
			store.Put(at, "application/json", simulator.MustJSON(object{"body-mime": string(source(p)), "recipients": v.Get("recipient"), "sender": v.Get("sender")}))
		}
		return simulator.URLEncoded("inbound", v)
	}
}
