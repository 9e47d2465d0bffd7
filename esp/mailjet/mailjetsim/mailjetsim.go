// Package mailjetsim plays Mailjet, for tests and demonstrations.
package mailjetsim

import (
	"embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"mime"
	"strings"

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
			single("sent", sent, anymail.EventDelivered, ""),
			single("open", visit("open"), anymail.EventOpened, ""),
			single("click", visit("click"), anymail.EventClicked, ""),
			single("spam", event("spam", object{"source": "JMRPP"}), anymail.EventComplained, anymail.RejectSpam),
			single("unsub", visit("unsub"), anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			single("teleport", event("teleport", nil), anymail.EventUnknown, ""),
			bounce("recipient", "user unknown", true, "550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid),
			bounce("recipient", "mailbox inactive", true, "", anymail.EventBounced, anymail.RejectBounced),
			bounce("recipient", "quota exceeded", false, "452 4.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced),
			bounce("domain", "no mail host", false, "", anymail.EventBounced, anymail.RejectBounced),
			bounce("domain", "relay/access denied", true, "554 5.7.1 relaying denied", anymail.EventBounced, anymail.RejectBlocked),
			bounce("domain", "typofix", true, "", anymail.EventBounced, anymail.RejectInvalid),
			bounce("domain", "greylisted", false, "451 4.7.1 greylisted", anymail.EventDeferred, ""),
			bounce("spam", "sender blocked", true, "550 5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked),
			bounce("spam", "content blocked", false, "554 5.7.1 looks like spam", anymail.EventBounced, anymail.RejectSpam),
			bounce("spam", "policy issue", false, "421 4.7.0 too many", anymail.EventBounced, anymail.RejectBlocked),
			bounce("system", "system issue", false, "", anymail.EventBounced, anymail.RejectBounced),
			bounce("system", "protocol issue", false, "", anymail.EventBounced, anymail.RejectBounced),
			bounce("system", "connection issue", false, "", anymail.EventBounced, anymail.RejectBounced),
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
			},
			{
				Name: "parse", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
				Make: simulator.Template(files, "testdata/parse.json", "inbound"),
			},
			{
				Name: "parse-message", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
				TakesMIME: true, Make: parsed,
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
func single(name string, event func(simulator.Params) object, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request { return post(event(p)) },
	}
}

// event has the fields of all events, and more.
func event(name string, more object) func(simulator.Params) object {
	return func(p simulator.Params) object {
		fields := object{
			"event": name, "time": p.Time.Unix(), "MessageID": messageID(p.MessageID), "Message_GUID": "7c1f0a52-0000-4000-8000-" + p.EventID[:12],
			"email": p.Recipient, "mj_campaign_id": 7257, "mj_contact_id": p.Number, "customcampaign": p.Tag, "CustomID": "", "Payload": string(simulator.MustJSON(p.Metadata)),
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
		"mj_message_id": string(messageID(p.MessageID)), "smtp_reply": "sent (250 2.0.0 OK queued as " + p.EventID + ")",
	})(p)
}

// visit is an event that a recipient's mail program or browser caused.
func visit(name string) func(simulator.Params) object {
	fields := object{"ip": "192.0.2.77", "geo": "DE", "agent": "Mozilla/5.0 (X11; Linux x86_64)"}
	switch name {
	case "click":
		fields["url"] = "https://shop.example.org/orders/1701?from=mail"
	case "unsub":
		fields["mj_list_id"] = 1
	}
	return event(name, fields)
}

func bounce(related, err string, hard bool, comment string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return single("bounce-"+strings.ReplaceAll(err, " ", "-"), event("bounce", object{
		"blocked": hard, "hard_bounce": hard, "error_related_to": related, "error": err, "comment": comment,
	}), typ, reason)
}

func blocked(related, err string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return single("blocked-"+strings.ReplaceAll(err, " ", "-"), event("blocked", object{"error_related_to": related, "error": err}), typ, reason)
}
