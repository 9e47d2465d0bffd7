// Package mailjetsim plays Mailjet, for tests and demonstrations.
package mailjetsim

import (
	"embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"mime"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailjet"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

//go:embed testdata
var files embed.FS

// New returns Mailjet's simulator. Mailjet signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   mailjet.ESP,
		Title: "Mailjet",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return mailjet.New(mailjet.Config{})
		},
		Situations: map[string]string{
			"blocked-error-in-template-language": "Template error",
			"blocked-bad-or-empty-template":      "Template error",
		},
		Samples: []simulator.Sample{
			single("sent", sent, anymail.EventDelivered, "", answered),
			single("open", visit("open"), anymail.EventOpened, "", visited),
			single("click", visit("click"), anymail.EventClicked, "", visited, clicked),
			single("spam", event("spam", object{"source": "JMRPP"}), anymail.EventComplained, anymail.RejectSpam),
			single("unsub", visit("unsub"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed, visited),
			single("teleport", event("teleport", nil), anymail.EventUnknown, ""),
			bounce("recipient", "user unknown", true, "550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounce("recipient", "mailbox inactive", true, "", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard}),
			bounce("recipient", "quota exceeded", false, "452 4.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			bounce("domain", "no mail host", false, "", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft}),
			bounce("domain", "relay/access denied", true, "554 5.7.1 relaying denied", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("domain", "typofix", true, "", anymail.EventBounced, anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard}),
			bounce("domain", "greylisted", false, "451 4.7.1 greylisted", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}),
			bounce("spam", "sender blocked", true, "550 5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounce("spam", "content blocked", false, "554 5.7.1 looks like spam", anymail.EventBounced, anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("spam", "policy issue", false, "421 4.7.0 too many", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 421, EnhancedCode: "4.7.0"}),
			bounce("system", "system issue", false, "", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft}),
			bounce("system", "protocol issue", false, "", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft}),
			bounce("system", "connection issue", false, "closed by the server", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft},
				func(ev *anymail.TrackingEvent) {
					ev.Description, ev.MTAResponse = "system: connection issue; closed by the server", ""
				}),
			blocked("mailjet", "preblocked", anymail.EventRejected, anymail.RejectBounced),
			blocked("recipient", "blacklisted", anymail.EventRejected, anymail.RejectBlocked),
			blocked("recipient", "spam reporter", anymail.EventRejected, anymail.RejectSpam),
			blocked("domain", "invalid domain", anymail.EventRejected, anymail.RejectInvalid),
			blocked("mailjet", "spam preblocked", anymail.EventRejected, anymail.RejectSpam),
			blocked("content", "bad or empty template", anymail.EventFailed, anymail.RejectOther),
			blocked("mailjet", "duplicate in campaign", anymail.EventRejected, anymail.RejectOther),
			blocked("content", "error in template language", anymail.EventFailed, anymail.RejectOther),
			{
				Name: "grouped", Endpoint: "tracking",
				Types: []anymail.EventType{anymail.EventDelivered, anymail.EventOpened, anymail.EventUnknown},
				Make: func(p simulator.Params) simulator.Request {
					return post([]object{sent(p), visit("open")(p), event("teleport", nil)(p)})
				},
				Events: func(p simulator.Params) []anymail.Event {
					return slices.Concat(
						tracked(p, anymail.EventDelivered, "", answered),
						tracked(p, anymail.EventOpened, "", visited),
						tracked(p, anymail.EventUnknown, ""),
					)
				},
			},
			{
				Name: "parse", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
				Make: simulator.Template(files, "testdata/parse.json", "inbound"), Events: received,
			},
			{
				Name: "parse-message", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
				TakesMIME: true, Make: parsed, Events: own,
			},
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return post([]any{sent(p), []int{1}, visit("open")(p)})
		},
	}
}

type object = map[string]any

// parsed is the message of the parameters as the Parse API posts it.
func parsed(p simulator.Params) simulator.Request {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	headers := map[string][]string{}
	for _, h := range m.Headers {
		headers[h.Name] = append(headers[h.Name], h.Value)
	}
	body := object{
		"Sender": p.Sender, "Recipient": "help@parse.example.org", "Date": p.Time.Format("20060102T150405"), "From": m.Headers.Get("From"),
		"Subject": m.Subject, "Headers": headers, "SpamAssassinScore": "0.602", "CustomID": "", "Payload": "",
	}
	var parts []object
	add := func(ref string, content any, headers object) {
		parts = append(parts, object{"Headers": headers, "ContentRef": ref})
		body[ref] = content
	}
	if m.Text != "" {
		add("Text-part", m.Text, object{"Content-Type": "text/plain; charset=UTF-8"})
	}
	if m.HTML != "" {
		add("Html-part", m.HTML, object{"Content-Type": "text/html; charset=UTF-8"})
	}
	for i, a := range m.Attachments {
		headers := object{
			"Content-Type": mime.FormatMediaType(a.ContentType, a.Params), "Content-Transfer-Encoding": "base64",
			"Content-Disposition": mime.FormatMediaType(a.Disposition, map[string]string{"filename": a.Filename}),
		}
		if a.ContentID != "" {
			headers["Content-ID"] = "<" + a.ContentID + ">"
		}
		add(fmt.Sprintf("Attachment%d", i+1), a.Content, headers)
	}
	body["Parts"] = parts
	return simulator.JSON("inbound", simulator.MustJSON(body))
}

func post(body any) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(body))
}

// single posts one event, as Mailjet does unless events are grouped.
func single(
	name string, event func(simulator.Params) object, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent),
) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event { return tracked(p, typ, reason, changes...) },
		Make:   func(p simulator.Params) simulator.Request { return post(event(p)) },
	}
}

// tracked is what an event with the fields of all events becomes.
func tracked(p simulator.Params, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) []anymail.Event {
	return p.Event(typ, reason, append([]func(*anymail.TrackingEvent){func(ev *anymail.TrackingEvent) {
		ev.ID, ev.MessageID = "", string(messageID(p.MessageID))
		ev.Metadata["CustomID"] = "cart-7"
	}}, changes...)...)
}

// event has the fields of all events, and more.
func event(name string, more object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		fields := object{
			"event": name, "time": p.Time.Unix(), "MessageID": messageID(p.MessageID), "Message_GUID": "7c1f0a52-0000-4000-8000-" + p.EventID[:12],
			"email": p.Recipient, "mj_campaign_id": 7257, "mj_contact_id": p.Number, "customcampaign": p.Tag, "CustomID": "cart-7", "Payload": string(simulator.MustJSON(p.Metadata)),
		}
		maps.Copy(fields, more)
		return fields
	}
}

// messageID makes a number of 19 digits, like Mailjet's, from an id. An id that
// is such a number stays.
func messageID(id string) json.Number {
	if id != "" && strings.Trim(id, "0123456789") == "" && id[0] != '0' {
		return json.Number(id)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return json.Number(fmt.Sprint(1_152_921_500_000_000_000 + h.Sum64()>>8))
}

func sent(p simulator.Params) object {
	return event("sent", object{
		"mj_message_id": string(messageID(p.MessageID)), "smtp_reply": reply,
	})(p)
}

const (
	reply = "sent (250 2.0.0 OK queued as 4cXy1z)"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	link  = "https://shop.example.org/orders/1701?from=mail"
)

func answered(ev *anymail.TrackingEvent) { ev.MTAResponse = reply }

func clicked(ev *anymail.TrackingEvent) { ev.ClickURL = link }

func visited(ev *anymail.TrackingEvent) {
	ev.IP, ev.Geo.Country, ev.UserAgent = netip.MustParseAddr("192.0.2.77"), "DE", agent
}

// visit is an event that a recipient's mail program or browser caused.
func visit(name string) func(simulator.Params) object {
	fields := object{"ip": "192.0.2.77", "geo": "DE", "agent": agent}
	switch name {
	case "click":
		fields["url"] = link
	case "unsub":
		fields["mj_list_id"] = 1
	}
	return event(name, fields)
}

// bounce has the answer of the server as its comment, or none.
func bounce(
	related, err string, hard bool, comment string, typ anymail.EventType, reason anymail.RejectReason, meaning anymail.Bounce, changes ...func(*anymail.TrackingEvent),
) simulator.Sample {
	return single("bounce-"+strings.ReplaceAll(err, " ", "-"), event("bounce", object{
		"blocked": hard, "hard_bounce": hard, "error_related_to": related, "error": err, "comment": comment,
	}), typ, reason, append([]func(*anymail.TrackingEvent){simulator.Described(related + ": " + err), simulator.Answered(comment, meaning)}, changes...)...)
}

func blocked(related, err string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return single("blocked-"+strings.ReplaceAll(err, " ", "-"), event("blocked", object{"error_related_to": related, "error": err}), typ, reason,
		simulator.Described(related+": "+err))
}

// own is the event of parsed.
func own(p simulator.Params) []anymail.Event {
	return p.ReceivedInParts(func(ev *anymail.InboundEvent) {
		envelope(ev, p)
		slices.SortStableFunc(ev.Message.Headers, func(a, b anymail.Header) int { return strings.Compare(a.Name, b.Name) }) // as parsed has them
	})
}

// envelope is what both messages have: Mailjet gives no id and no time of receipt.
func envelope(ev *anymail.InboundEvent, p simulator.Params) {
	ev.ID, ev.Timestamp = "", time.Time{}
	m, score, to := &ev.Message, 0.602, "help@parse.example.org"
	m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients, m.SpamScore = p.Sender, to, []string{to}, &score
}

// received is the event of parse.json.
func received(p simulator.Params) []anymail.Event {
	return p.Received(func(ev *anymail.InboundEvent) {
		from, to := "Ada Lovelace <"+p.Sender+">", "Help Desk <help@parse.example.org>"
		ev.Message = anymail.InboundMessage{
			From: []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}}, To: []anymail.Address{{Name: "Help Desk", Address: "help@parse.example.org"}},
			CC: []anymail.Address{{Address: "carl@example.org"}}, ReplyTo: []anymail.Address{{Address: "ada+reply@example.com"}},
			Subject: p.Subject, Date: p.Time, MessageID: p.EventID + "@example.com", InReplyTo: p.MessageID + "@example.org",
			Text: "Grüße, where is it?\n", HTML: "<p>Grüße, where is it? <img src=\"cid:pic@example.com\"></p>\n",
			Headers: anymail.Headers{
				{Name: "Return-Path", Value: "<" + p.Sender + ">"}, {Name: "Received", Value: "from mail.example.com by mx.example.org"},
				{Name: "Received", Value: "from desk.example.com by mail.example.com"}, {Name: "MIME-Version", Value: "1.0"},
				{Name: "Content-Type", Value: `multipart/mixed; boundary="b1"`}, {Name: "Date", Value: p.Time.Format(time.RFC1123Z)},
				{Name: "Message-ID", Value: "<" + p.EventID + "@example.com>"}, {Name: "In-Reply-To", Value: "<" + p.MessageID + "@example.org>"},
				{Name: "From", Value: from}, {Name: "To", Value: to}, {Name: "Cc", Value: "carl@example.org"},
				{Name: "Reply-To", Value: "ada+reply@example.com"}, {Name: "Subject", Value: p.Subject},
			},
			Attachments: []anymail.Attachment{
				{Filename: "notes.txt", ContentType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Disposition: "attachment", Size: 6, Content: []byte("a note")},
				{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
			},
		}
		envelope(ev, p)
	})
}
