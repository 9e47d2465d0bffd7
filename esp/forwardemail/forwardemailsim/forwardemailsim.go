// Package forwardemailsim plays Forward Email, for tests and demonstrations.
package forwardemailsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/forwardemail"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns Forward Email's simulator. A credential is the key of a domain.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           forwardemail.ESP,
		Title:         "Forward Email",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return forwardemail.New(forwardemail.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, _ time.Time) error {
			mac := hmac.New(sha256.New, []byte(c.Config))
			_, _ = mac.Write(r.Body) // a hash never fails
			r.Header.Set("X-Webhook-Signature", hex.EncodeToString(mac.Sum(nil)))
			return nil
		},
		Situations: map[string]string{"reject, virus": "Attachment refused, or taken for a virus"},
		Samples: []simulator.Sample{
			bounce("reject, recipient", "550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounce("reject, block", "554 5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("reject, policy", "550 5.7.26 not authenticated", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.26"}),
			bounce("reject, virus", "552 5.7.0 infected", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 552, EnhancedCode: "5.7.0"}),
			bounce("reject, spam", "554 5.7.1 rejected", anymail.EventBounced, anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("reject, capacity", "552 5.2.2 over quota", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"}),
			bounce("reject, network", "", anymail.EventBounced, anymail.RejectTimedOut, anymail.Bounce{Category: anymail.BounceSoft}),
			bounce("reject, other", "550 5.0.0 refused", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.0.0"}),
			bounce("reject, dns", "", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined}),
			bounce("defer, other", "451 4.3.0 later", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.3.0"}),
			bounce("slowdown, other", "421 4.7.0 too fast", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.7.0"}),
			bounce("teleport, other", "550 5.0.0 teleported", anymail.EventUnknown, "", anymail.Bounce{SMTPCode: 550, EnhancedCode: "5.0.0"}),
			received("message", anymail.EventInbound, whole, simulator.Params.Received),
			received("message-parts", anymail.EventInbound, parts, simulator.Params.ReceivedInParts),
			received("message-empty", anymail.EventInboundFailed, func(simulator.Params) fields { return fields{"attachments": []any{}} },
				func(p simulator.Params, changes ...func(*anymail.InboundEvent)) []anymail.Event {
					failed := func(ev *anymail.InboundEvent) {
						ev.Type, ev.Message = anymail.EventInboundFailed, anymail.InboundMessage{}
					}
					return p.Received(append([]func(*anymail.InboundEvent){failed}, changes...)...)
				}),
		},
	}
}

type fields map[string]any

// bounce is named after its action and category.
func bounce(name, response string, typ anymail.EventType, reason anymail.RejectReason, meaning anymail.Bounce) simulator.Sample {
	action, category, _ := strings.Cut(name, ", ")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.Metadata = "", map[string]string{"X-Order": "1701"}
			return p.Event(typ, reason, simulator.Described("Refused: "+category), simulator.Answered(response, meaning),
				func(ev *anymail.TrackingEvent) { ev.Tags = nil })
		},
		Make: func(p simulator.Params) simulator.Request {
			details := fields{"action": action, "message": "Refused: " + category, "category": category}
			body := fields{
				"email_id": p.MessageID, "list_id": nil, "recipient": p.Recipient, "message": "Refused", "truth_source": "example.com", "bounce": details,
				"headers": fields{"Subject": p.Subject, "Message-ID": "<" + p.EventID + "@example.org>", "X-Order": "1701"}, "bounced_at": p.Time.Format(milliseconds),
			}
			if response != "" {
				code := int(response[0]-'0')*100 + int(response[1]-'0')*10 + int(response[2]-'0')
				body["response"], body["response_code"] = response, code
				details["code"], details["status"] = code, strings.Fields(response)[1]
			}
			return simulator.JSON("tracking", simulator.MustJSON(body))
		},
	}
}

const milliseconds = "2006-01-02T15:04:05.000Z"

// received is a received message that more describes, and the event that event makes
// of it.
func received(
	name string, typ anymail.EventType, more func(simulator.Params) fields,
	event func(simulator.Params, ...func(*anymail.InboundEvent)) []anymail.Event,
) simulator.Sample {
	recipients := []string{"help@in.example.org", "desk@in.example.org"}
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{typ}, TakesMIME: typ == anymail.EventInbound,
		Events: func(p simulator.Params) []anymail.Event {
			return event(p, func(ev *anymail.InboundEvent) {
				ev.ID = ""
				m := &ev.Message
				m.EnvelopeSender, m.EnvelopeRecipient, m.EnvelopeRecipients = p.Sender, recipients[0], recipients
				m.Authentication = anymail.Authentication{SPF: "softfail", DKIM: "pass", DMARC: "fail"}
			})
		},
		Make: func(p simulator.Params) simulator.Request {
			found := func(result string) fields { return fields{"status": fields{"result": result}} }
			body := fields{
				"recipients": recipients, "spf": found("softfail"), "dmarc": found("fail"), "dkim": fields{"results": []fields{found("neutral"), found("pass")}},
				"session": fields{
					"recipient": recipients[0], "sender": p.Sender, "remoteAddress": "192.0.2.7", "remotePort": 51234, "mta": "mx1.forwardemail.net",
					"clientHostname": "mx.example.com", "hostNameAppearsAs": "mx.example.com", "arrivalDate": p.Time.Format(milliseconds), "arrivalTime": p.Time.UnixMilli(),
				},
			}
			for member, value := range more(p) {
				body[member] = value
			}
			return simulator.JSON("inbound", simulator.MustJSON(body))
		},
	}
}

// whole is the message as it was received, with ?attachments=false in the URL.
func whole(p simulator.Params) fields {
	body := parts(p)
	delete(body, "attachments")
	body["raw"] = string(p.MIME)
	return body
}

// parts is the message with ?raw=false in the URL.
func parts(p simulator.Params) fields {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	head, _, _ := strings.Cut(string(p.MIME), "\r\n\r\n")
	attachments := []fields{}
	for _, a := range m.Attachments {
		data := []int{}
		for _, b := range a.Content {
			data = append(data, int(b))
		}
		attachments = append(attachments, fields{
			"type": "attachment", "content": fields{"type": "Buffer", "data": data}, "contentType": a.ContentType, "contentDisposition": a.Disposition,
			"filename": orFalse(a.Filename), "cid": a.ContentID, "size": a.Size,
		})
	}
	return fields{
		"headers": head + "\r\n", "messageId": "<" + m.MessageID + ">", "subject": m.Subject, "text": m.Text, "html": orFalse(m.HTML), "attachments": attachments,
	}
}

// orFalse returns false for no text, as mailparser does.
func orFalse(text string) any {
	if text == "" {
		return false
	}
	return text
}
