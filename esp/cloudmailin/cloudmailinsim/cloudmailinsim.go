// Package cloudmailinsim plays CloudMailin, for tests and demonstrations.
package cloudmailinsim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/cloudmailin"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns CloudMailin's simulator. CloudMailin signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   cloudmailin.ESP,
		Title: "CloudMailin",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return cloudmailin.New(cloudmailin.Config{})
		},
		Situations: map[string]string{"spamd": "Not sent: the ESP takes the content for spam"},
		Samples: []simulator.Sample{
			tracking("registration", anymail.EventQueued, "", ""),
			tracking("dispatch", anymail.EventSent, "", ""),
			tracking("rate_limit", anymail.EventDeferred, "", anymail.BounceSoft),
			tracking("delivery", anymail.EventDelivered, "", ""),
			tracking("soft_bounce", anymail.EventDeferred, "", anymail.BounceSoft),
			tracking("dispatch_soft_bounce", anymail.EventDeferred, "", anymail.BounceSoft),
			tracking("bounce", anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard),
			tracking("dispatch_bounce", anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined),
			tracking("retries_exhausted", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft),
			tracking("error", anymail.EventFailed, anymail.RejectOther, ""),
			tracking("suppressed", anymail.EventRejected, anymail.RejectOther, ""),
			tracking("blocked", anymail.EventRejected, anymail.RejectBounced, ""),
			tracking("spamd", anymail.EventRejected, anymail.RejectBlocked, ""),
			tracking("complaint", anymail.EventComplained, anymail.RejectSpam, ""),
			tracking("open", anymail.EventOpened, "", ""),
			tracking("read", anymail.EventOpened, "", ""),
			tracking("click", anymail.EventClicked, "", ""),
			tracking("auto_reply", anymail.EventAutoresponded, "", ""),
			tracking("bounce_reply", anymail.EventUnknown, "", ""),
			tracking("teleport", anymail.EventUnknown, "", ""),
			inbound("message", postJSON, func(m *anymail.InboundMessage) {
				for i := range m.Headers {
					m.Headers[i].Name = textproto.CanonicalMIMEHeaderKey(m.Headers[i].Name)
				}
			}),
			notOwn(inbound("message-multipart", postForm, func(m *anymail.InboundMessage) {
				for i := range m.Headers {
					m.Headers[i].Name = textproto.CanonicalMIMEHeaderKey(m.Headers[i].Name)
				}
				slices.SortStableFunc(m.Headers, func(a, b anymail.Header) int { return strings.Compare(a.Name, b.Name) })
				for i := range m.Attachments { // a file of a form has neither
					m.Attachments[i].Disposition, m.Attachments[i].ContentID = "attachment", ""
				}
			})),
			raw(),
			stored(),
			{
				Name: "message-empty", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInboundFailed}, Untimed: true,
				Events: func(p simulator.Params) []anymail.Event {
					ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInboundFailed}}
					enveloped(p, &ev.Message)
					return []anymail.Event{ev}
				},
				Make: func(p simulator.Params) simulator.Request {
					return simulator.JSON("inbound", simulator.MustJSON(object{"envelope": envelope(p), "headers": object{}, "attachments": []object{}}))
				},
			},
		},
		Batch: func(requests []simulator.Request) (simulator.Request, error) {
			var all []any
			for _, r := range requests {
				var body struct{ Events []json.RawMessage }
				if err := json.Unmarshal(r.Body, &body); err != nil {
					return simulator.Request{}, fmt.Errorf("cloudmailinsim: %w", err)
				}
				for _, event := range body.Events {
					all = append(all, event)
				}
			}
			return post(all...), nil
		},
		Malformed: func(p simulator.Params) simulator.Request {
			return post(event("delivery", p), []int{1}, event("open", p))
		},
	}
}

type object = map[string]any

func post(events ...any) simulator.Request {
	return simulator.JSON("tracking", simulator.MustJSON(object{"events": events}))
}

func event(kind string, p simulator.Params) object {
	return object{"kind": kind, "recipient": p.Recipient, "message_id": p.MessageID}
}

func tracking(kind string, typ anymail.EventType, reason anymail.RejectReason, category anymail.BounceCategory) simulator.Sample {
	return simulator.Sample{
		Name: kind, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason, Untimed: true,
		Events: func(p simulator.Params) []anymail.Event {
			return []anymail.Event{&anymail.TrackingEvent{
				Common: anymail.Common{Type: typ}, MessageID: p.MessageID, Recipient: p.Recipient, RejectReason: reason, Bounce: anymail.Bounce{Category: category},
			}}
		},
		Make: func(p simulator.Params) simulator.Request { return post(event(kind, p)) },
	}
}

// envelope is the envelope of a message, which enveloped sets.
func envelope(p simulator.Params) object {
	return object{
		"from": p.Sender, "to": "help@in.example.org", "recipients": []string{"help@in.example.org", "desk@in.example.org"},
		"helo_domain": "mx.example.com", "remote_ip": "192.0.2.25", "tls": true,
		"spf":   object{"result": "pass", "domain": "example.com"},
		"dkim":  object{"success": true, "result": []object{{"result": "fail", "domain": "example.net"}, {"result": "pass", "domain": "example.com"}}},
		"dmarc": object{"success": true, "result": "none"},
		"spamd": object{"score": "2.5", "symbols": []string{"HTML_MESSAGE"}, "success": true},
	}
}

func enveloped(p simulator.Params, m *anymail.InboundMessage) {
	score := 2.5
	m.EnvelopeSender, m.EnvelopeRecipient = p.Sender, "help@in.example.org"
	m.EnvelopeRecipients = []string{"help@in.example.org", "desk@in.example.org"}
	m.Authentication = anymail.Authentication{SPF: "pass", DKIM: "pass", DMARC: "none"}
	m.SpamScore = &score
}

// inbound is a message in parts, in one of the normalised formats.
func inbound(name string, request func(simulator.Params, *anymail.InboundMessage) simulator.Request, change func(*anymail.InboundMessage)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: true,
		Events: func(p simulator.Params) []anymail.Event {
			return p.ReceivedInParts(func(ev *anymail.InboundEvent) {
				ev.Common = anymail.Common{Type: anymail.EventInbound}
				enveloped(p, &ev.Message)
				ev.Message.StrippedText = "Hi!"
				change(&ev.Message)
			})
		},
		Make: func(p simulator.Params) simulator.Request {
			m := rawmime.Parse(p.MIME, anymail.Limits{})
			return request(p, &m)
		},
	}
}

// notOwn is a sample that does not take a message of the user's own, since the format
// loses a part of it.
func notOwn(s simulator.Sample) simulator.Sample {
	s.TakesMIME = false
	return s
}

func postJSON(p simulator.Params, m *anymail.InboundMessage) simulator.Request {
	attachments := []object{}
	for _, a := range m.Attachments {
		one := object{
			"file_name": a.Filename, "content_type": a.ContentType, "size": a.Size, "disposition": a.Disposition, "content": base64.StdEncoding.EncodeToString(a.Content),
		}
		if a.ContentID != "" {
			one["content_id"] = "<" + a.ContentID + ">"
		}
		attachments = append(attachments, one)
	}
	return simulator.JSON("inbound", simulator.MustJSON(object{
		"envelope": envelope(p), "headers": headers(m), "plain": m.Text, "html": m.HTML, "reply_plain": "Hi!", "attachments": attachments,
	}))
}

func normalised(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "_")) }

// headers is the object of a message's headers, in their order.
func headers(m *anymail.InboundMessage) json.RawMessage {
	var b bytes.Buffer
	seen := map[string]bool{}
	for _, h := range m.Headers {
		if name := normalised(h.Name); !seen[name] {
			seen[name] = true
			var value any = h.Value
			if values := m.Headers.Values(h.Name); len(values) > 1 {
				value = values
			}
			fmt.Fprintf(&b, ",%s:%s", simulator.MustJSON(name), simulator.MustJSON(value))
		}
	}
	return json.RawMessage("{" + strings.TrimPrefix(b.String(), ",") + "}")
}

func postForm(p simulator.Params, m *anymail.InboundMessage) simulator.Request {
	form := append(flat("envelope", envelope(p)), simulator.Field{Name: "plain", Value: m.Text}, simulator.Field{Name: "html", Value: m.HTML}, simulator.Field{Name: "reply_plain", Value: "Hi!"})
	var object map[string]any
	_ = json.Unmarshal(headers(m), &object) // it was just made
	form = append(form, flat("headers", object)...)
	for _, a := range m.Attachments {
		form = append(form, simulator.Field{Name: "attachments[]", Filename: a.Filename, ContentType: a.ContentType, Value: string(a.Content)})
	}
	return simulator.Multipart("inbound", form...)
}

// flat returns the fields of a form that stand for a value: a[b][0] and so on.
func flat(name string, value any) (fields []simulator.Field) {
	switch v := value.(type) {
	case object:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			fields = append(fields, flat(name+"["+member+"]", v[member])...)
		}
	case []object:
		for i, one := range v {
			fields = append(fields, flat(fmt.Sprintf("%s[%d]", name, i), one)...)
		}
	case []string:
		for i, one := range v {
			fields = append(fields, flat(fmt.Sprintf("%s[%d]", name, i), one)...)
		}
	case []any:
		for i, one := range v {
			fields = append(fields, flat(fmt.Sprintf("%s[%d]", name, i), one)...)
		}
	default:
		fields = append(fields, simulator.Field{Name: name, Value: fmt.Sprint(v)})
	}
	return fields
}

// raw is a message as it was received.
func raw() simulator.Sample {
	return simulator.Sample{
		Name: "message-raw", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: true,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Received(func(ev *anymail.InboundEvent) {
				ev.Common = anymail.Common{Type: anymail.EventInbound}
				enveloped(p, &ev.Message)
			})
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.Multipart("inbound", append(flat("envelope", envelope(p)), simulator.Field{Name: "message", Value: string(p.MIME)})...)
		},
	}
}

// stored is a message whose attachment is in the user's own store.
func stored() simulator.Sample {
	return simulator.Sample{
		Name: "message-stored", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true,
		Events: func(p simulator.Params) []anymail.Event {
			ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound}}
			m := &ev.Message
			enveloped(p, m)
			m.Subject, m.MessageID, m.Text = p.Subject, p.EventID+"@example.com", "see the file"
			m.Headers = anymail.Headers{{Name: "Message-Id", Value: "<" + m.MessageID + ">"}, {Name: "Subject", Value: p.Subject}}
			m.Attachments = []anymail.Attachment{{Filename: "plan.pdf", ContentType: "application/pdf", Disposition: "attachment", Size: 1701}}
			return []anymail.Event{ev}
		},
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("inbound", simulator.MustJSON(object{
				"envelope": envelope(p), "headers": object{"message_id": "<" + p.EventID + "@example.com>", "subject": p.Subject}, "plain": "see the file", "html": nil,
				"attachments": []object{{"file_name": "plan.pdf", "content_type": "application/pdf", "size": "1701", "disposition": "attachment", "url": "https://store.example.org/" + p.EventID}},
			}))
		},
	}
}
