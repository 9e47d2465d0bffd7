// Package socketlabssim plays SocketLabs, for tests and demonstrations.
package socketlabssim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/socketlabs"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// New returns SocketLabs' simulator. A credential is the secret key of both endpoints,
// tracking and inbound.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:           socketlabs.ESP,
		Title:         "SocketLabs",
		NewCredential: func() simulator.Credential { return simulator.Credential{Config: rand.Text()} },
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			keys := simulator.Keys(trusted)
			return socketlabs.New(socketlabs.Config{TrackingSecretKeys: keys, InboundSecretKeys: keys})
		},
		Sign:         sign,
		BodyUnsigned: true,
		Situations:   map[string]string{"Failed-1007": "Attachment refused, or taken for a virus"},
		Samples: []simulator.Sample{
			sample("Queued", anymail.EventQueued, "", object{"FromAddress": "news@example.org", "Subject": "Your order", "MessageSize": 1701, "ClientIp": "192.0.2.1"}),
			sample("Delivered", anymail.EventDelivered, "", object{"Response": "250 2.0.0 queued", "LocalIp": "192.0.2.1", "RemoteMta": "mx.example.com"},
				simulator.Answered("250 2.0.0 queued", anymail.Bounce{})),
			sample("Deferred", anymail.EventDeferred, "", object{"DeferralCode": 3001, "Reason": "452 4.2.2 mailbox full"},
				simulator.Described("452 4.2.2 mailbox full"), simulator.Answered("452 4.2.2 mailbox full", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"})),
			sample("Deferred-1002", anymail.EventDeferred, "", object{"DeferralCode": 1002, "Reason": "451 4.7.1 listed"},
				simulator.Described("451 4.7.1 listed"), simulator.Answered("451 4.7.1 listed", anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 451, EnhancedCode: "4.7.1"})),
			failed("Permanent", 2999, "554", "5.0.0", anymail.RejectBounced, anymail.BounceHard),
			failed("Permanent", 2001, "550", "5.1.1", anymail.RejectInvalid, anymail.BounceHard),
			failed("Permanent", 1002, "554", "5.7.1", anymail.RejectBlocked, anymail.BounceBlock),
			failed("Permanent", 1004, "554", "5.6.0", anymail.RejectSpam, anymail.BounceBlock),
			failed("Permanent", 1007, "552", "5.7.0", anymail.RejectBlocked, anymail.BounceBlock),
			failed("Permanent", 1999, "550", "5.0.0", anymail.RejectBounced, anymail.BounceUndetermined),
			failed("Temporary", 3001, "452", "4.2.2", anymail.RejectBounced, anymail.BounceSoft),
			failed("Temporary", 3003, "451", "4.0.0", anymail.RejectTimedOut, anymail.BounceSoft),
			sample("Failed-suppressed", anymail.EventRejected, anymail.RejectBlocked, object{"FailureType": "Suppressed", "FailureCode": 9999, "Reason": "on the suppression list"},
				simulator.Described("on the suppression list")),
			sample("Failed-suppressed-bounced", anymail.EventRejected, anymail.RejectBounced, object{"FailureType": 2, "FailureCode": 9999, "Reason": "suppressed after a bounce"},
				simulator.Described("suppressed after a bounce")),
			sample("Failed-suppressed-complaint", anymail.EventRejected, anymail.RejectSpam, object{"FailureType": "Suppressed", "FailureCode": 9999, "Reason": "suppressed after a complaint"},
				simulator.Described("suppressed after a complaint")),
			sample("Failed-suppressed-unsubscribed", anymail.EventRejected, anymail.RejectUnsubscribed, object{"FailureType": "Suppressed", "FailureCode": 9999, "Reason": "unsubscribed"},
				simulator.Described("unsubscribed")),
			sample("Failed-5001", anymail.EventAutoresponded, "", object{"FailureType": "Temporary", "FailureCode": 5001, "Reason": "out of office", "DiagnosticCode": "I am away"},
				simulator.Described("out of office"), simulator.Answered("I am away", anymail.Bounce{})),
			sample("Complaint", anymail.EventComplained, anymail.RejectSpam, object{"FblType": "abuse", "UserAgent": "loop/1.0", "From": "news@example.org", "To": "ada@example.com", "Length": 1701},
				simulator.Described("abuse")),
			sample("Tracking-Open", anymail.EventOpened, "", visit("Open"), visited("")),
			sample("Tracking-Click", anymail.EventClicked, "", visit("Click"), visited(link)),
			sample("Tracking-0", anymail.EventClicked, "", visit(0), visited(link)),
			sample("Tracking-Unsubscribe", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, visit(2), visited("")),
			sample("Teleported", anymail.EventUnknown, "", nil),
			{
				Name: "Validation", Endpoint: "tracking",
				Events: func(simulator.Params) []anymail.Event { return nil },
				Make: func(p simulator.Params) simulator.Request {
					return post("tracking", object{"Type": "Validation", "DateTime": p.Time.Format(ticks), "ServerId": 1000})
				},
			},
			{
				Name: "inbound", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: true,
				Events: func(p simulator.Params) []anymail.Event {
					return p.ReceivedInParts(func(ev *anymail.InboundEvent) {
						m, score := &ev.Message, 0.5
						ev.Common = anymail.Common{Type: anymail.EventInbound}
						m.EnvelopeSender, m.EnvelopeRecipient = p.Sender, "help@in.example.org"
						m.EnvelopeRecipients = []string{"help@in.example.org"}
						m.SpamScore = &score
					})
				},
				Make: func(p simulator.Params) simulator.Request { return post("inbound", received(p)) },
			},
			{
				Name: "inbound-empty", Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInboundFailed}, Untimed: true,
				Events: func(p simulator.Params) []anymail.Event {
					return []anymail.Event{&anymail.InboundEvent{
						Common: anymail.Common{Type: anymail.EventInboundFailed},
						Message: anymail.InboundMessage{
							EnvelopeSender: p.Sender, EnvelopeRecipient: "help@in.example.org", EnvelopeRecipients: []string{"help@in.example.org"},
						},
					}}
				},
				Make: func(p simulator.Params) simulator.Request {
					return post("inbound", object{"InboundMailFrom": p.Sender, "InboundRcptTo": "help@in.example.org", "ErrorLog": "not parsed " + p.EventID, "Message": nil})
				},
			},
		},
		Batch: simulator.JoinArrays,
		Malformed: func(p simulator.Params) simulator.Request {
			return post("tracking", []object{event("Queued", p, nil), {"Type": []int{1}}, event("Delivered", p, nil)})
		},
	}
}

const (
	link  = "https://shop.example.org/orders/1701?from=mail"
	agent = "Mozilla/5.0 (X11; Linux x86_64)"
	ticks = "2006-01-02T15:04:05.0000000Z07:00" // as .NET writes times
)

type object = map[string]any

func post(endpoint string, body any) simulator.Request {
	return simulator.JSON(endpoint, simulator.MustJSON(body))
}

// sign writes the secret key into each event.
func sign(r *simulator.Request, c simulator.Credential, _ time.Time) error {
	list := strings.HasPrefix(string(r.Body), "[")
	events := []json.RawMessage{r.Body}
	if list {
		if err := json.Unmarshal(r.Body, &events); err != nil {
			return fmt.Errorf("socketlabssim: %w", err)
		}
	}
	var signed []string
	for _, event := range events {
		if !json.Valid(event) || event[0] != '{' {
			return fmt.Errorf("socketlabssim: not a JSON object")
		}
		rest := strings.TrimPrefix(string(event), "{")
		if strings.TrimSpace(rest) != "}" {
			rest = "," + rest
		}
		signed = append(signed, `{"SecretKey":`+string(simulator.MustJSON(c.Config))+rest)
	}
	body := strings.Join(signed, ",")
	if list {
		body = "[" + body + "]"
	}
	r.Body = []byte(body)
	return nil
}

func event(typ string, p simulator.Params, more object) object {
	pairs := []object{}
	for key, value := range p.Metadata {
		pairs = append(pairs, object{"Key": key, "Value": value})
	}
	fields := object{
		"Type": typ, "DateTime": p.Time.Format(ticks), "MailingId": "SL-" + p.EventID, "MessageId": p.MessageID, "Address": p.Recipient,
		"ServerId": 1000, "SubaccountId": 1, "IpPoolId": 2, "Data": object{"Meta": pairs, "Tags": []string{p.Tag}},
	}
	maps.Copy(fields, more)
	return fields
}

// sample is an event of a sent message. What follows "-" in the name tells samples of
// one type apart.
func sample(name string, typ anymail.EventType, reason anymail.RejectReason, more object, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	eventType, _, _ := strings.Cut(name, "-")
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: func(p simulator.Params) []anymail.Event {
			withoutID := func(ev *anymail.TrackingEvent) { ev.ID = "" }
			return p.Event(typ, reason, append(changes, withoutID)...)
		},
		Make: func(p simulator.Params) simulator.Request { return post("tracking", event(eventType, p, more)) },
	}
}

func failed(failureType string, code int, smtp, enhanced string, reason anymail.RejectReason, category anymail.BounceCategory) simulator.Sample {
	diagnostic := "smtp;" + smtp + " " + enhanced + " refused"
	name := fmt.Sprintf("Failed-%d", code)
	more := object{
		"FailureType": failureType, "FailureCode": code, "BounceStatus": enhanced, "DiagnosticCode": diagnostic, "Reason": "code " + name[len("Failed-"):],
		"FromAddress": "news@example.org", "RemoteMta": "mx.example.com",
	}
	return sample(name, anymail.EventBounced, reason, more, func(ev *anymail.TrackingEvent) {
		ev.Description, ev.MTAResponse = "code "+name[len("Failed-"):], diagnostic
		ev.Bounce = anymail.Bounce{Category: category, EnhancedCode: enhanced}
		_, _ = fmt.Sscan(smtp, &ev.Bounce.SMTPCode)
	})
}

// visit is what the reader did: a click if it is "Click" or 0.
func visit(trackingType any) object {
	fields := object{"TrackingType": trackingType, "ClientIp": "192.0.2.7", "UserAgent": agent}
	if trackingType == "Click" || trackingType == 0 {
		fields["Url"] = link
	}
	return fields
}

func visited(url string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		ev.UserAgent, ev.ClickURL, ev.IP = agent, url, netip.MustParseAddr("192.0.2.7")
	}
}

// received is the message of the parameters in parts.
func received(p simulator.Params) object {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	mailboxes := func(list []anymail.Address) []object {
		all := []object{}
		for _, a := range list {
			all = append(all, object{"EmailAddress": a.Address, "FriendlyName": a.Name})
		}
		return all
	}
	headers, parts := []object{}, map[string][]object{"attachment": {}, "inline": {}}
	for _, h := range m.Headers {
		headers = append(headers, object{"Name": h.Name, "Value": h.Value})
	}
	for _, a := range m.Attachments {
		parts[a.Disposition] = append(parts[a.Disposition], object{
			"Name": a.Filename, "ContentType": a.ContentType, "ContentId": a.ContentID, "Content": base64.StdEncoding.EncodeToString(a.Content), "CustomHeaders": []object{},
		})
	}
	return object{
		"ServerId": 1000, "InboundMailFrom": p.Sender, "InboundRcptTo": "help@in.example.org", "InboundIpAddress": "192.0.2.25", "SpamScore": 0.5, "SpamDetails": "", "ErrorLog": "",
		"Message": object{
			"From": append(mailboxes(m.From), nil)[0], "To": mailboxes(m.To), "CC": mailboxes(m.CC), "BCC": []object{}, "ReplyTo": nil, "Subject": m.Subject,
			"TextBody": m.Text, "HtmlBody": m.HTML, "TextCharSet": "utf-8", "HtmlCharSet": "utf-8", "MessageId": nil, "MailingId": nil,
			"CustomHeaders": headers, "Attachments": parts["attachment"], "EmbeddedMedia": parts["inline"],
		},
	}
}
