// Package postmarksim plays Postmark, for tests and demonstrations.
package postmarksim

import (
	"embed"
	"net/netip"
	"strconv"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

//go:embed testdata
var files embed.FS

// New returns Postmark's simulator. Postmark signs nothing.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   postmark.ESP,
		Title: "Postmark",
		NewAdapter: func(...simulator.Credential) (anymail.Adapter, error) {
			return postmark.New(postmark.Config{})
		},
		Situations: map[string]string{
			"VirusNotification":       "Attachment refused, or taken for a virus",
			"TemplateRenderingFailed": "Template error",
		},
		Samples: []simulator.Sample{
			tracking("Delivery", "delivery.json", anymail.EventDelivered, simulator.Answered("smtp;250 2.0.0 OK queued as x1", anymail.Bounce{})),
			tracking("Open", "open.json", anymail.EventOpened, visit("")),
			tracking("Click", "click.json", anymail.EventClicked, visit("https://shop.example.org/orders/1701?from=mail")),
			tracking("Teleported", "unknown.json", anymail.EventUnknown),
			bounce("HardBounce", 1, "smtp;550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid, anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"}),
			bounce("SoftBounce", 4096, "smtp;452 4.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"}),
			bounce("Blocked", 100006, "smtp;550 5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}),
			bounce("SpamNotification", 512, "smtp;554 5.7.1 looks like spam", anymail.EventBounced, anymail.RejectSpam, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("VirusNotification", 8192, "smtp;554 5.7.1 virus found", anymail.EventBounced, anymail.RejectBlocked, anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 554, EnhancedCode: "5.7.1"}),
			bounce("Unknown", 2048, "554 transaction failed", anymail.EventBounced, anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceUndetermined, SMTPCode: 554}),
			bounce("Transient", 2, "smtp;451 4.7.1 greylisted", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"}),
			bounce("DnsError", 256, "smtp;4.4.3 no answer", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft, EnhancedCode: "4.4.3"}),
			bounce("OpenRelayTest", 1024, "", anymail.EventDeferred, "", anymail.Bounce{Category: anymail.BounceSoft}),
			bounce("BadEmailAddress", 100000, "", anymail.EventRejected, anymail.RejectInvalid, none),
			bounce("ManuallyDeactivated", 100002, "", anymail.EventRejected, anymail.RejectBlocked, none),
			bounce("Unconfirmed", 100003, "", anymail.EventRejected, anymail.RejectOther, none),
			bounce("DMARCPolicy", 100009, "", anymail.EventRejected, anymail.RejectBlocked, none),
			bounce("SMTPApiError", 100007, "", anymail.EventFailed, anymail.RejectOther, none),
			bounce("TemplateRenderingFailed", 100010, "", anymail.EventFailed, anymail.RejectOther, none),
			bounce("AutoResponder", 64, "Out of office", anymail.EventAutoresponded, "", none),
			bounce("AddressChange", 128, "", anymail.EventAutoresponded, "", none),
			bounce("ChallengeVerification", 16384, "", anymail.EventAutoresponded, "", none),
			bounce("Unsubscribe", 16, "", anymail.EventUnsubscribed, anymail.RejectUnsubscribed, none),
			bounce("Subscribe", 32, "", anymail.EventSubscribed, "", none),
			bounce("InboundError", 100008, "", anymail.EventInboundFailed, "", none),
			bounce("SpamComplaint", 100001, "abuse report", anymail.EventComplained, anymail.RejectSpam, none),
			change("SubscriptionChange-suppress", true, "ManualSuppression", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			change("SubscriptionChange-bounce", true, "HardBounce", anymail.EventBounced, anymail.RejectBounced, func(ev *anymail.TrackingEvent) { ev.Bounce.Category = anymail.BounceHard }),
			change("SubscriptionChange-complaint", true, "SpamComplaint", anymail.EventComplained, anymail.RejectSpam),
			change("SubscriptionChange-reactivate", false, "", anymail.EventSubscribed, ""),
			inbound("Inbound", simulator.Template(files, "testdata/inbound.json", "inbound"), false),
			inbound("Inbound-RawEmail", rawEmail, true, withSource),
		},
	}
}

var none anymail.Bounce

// visit is what Postmark knows of the reader.
func visit(url string) func(*anymail.TrackingEvent) {
	return func(ev *anymail.TrackingEvent) {
		ev.UserAgent, ev.ClickURL = "Mozilla/5.0 (X11; Linux x86_64)", url
		ev.IP, ev.Geo = netip.MustParseAddr("192.0.2.77"), anymail.Geo{Country: "DE", Region: "Lower Saxony", City: "Leer"}
	}
}

// events are those of a record without an ID.
func events(typ anymail.EventType, reason anymail.RejectReason, changes []func(*anymail.TrackingEvent)) func(simulator.Params) []anymail.Event {
	return func(p simulator.Params) []anymail.Event {
		p.EventID = ""
		return p.Event(typ, reason, changes...)
	}
}

func tracking(name, file string, typ anymail.EventType, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ},
		Events: events(typ, "", changes),
		Make:   simulator.Template(files, "testdata/"+file, "tracking"),
	}
}

// inbound is a received message. Postmark does not tell when it arrived.
func inbound(name string, make func(simulator.Params) simulator.Request, takesMIME bool, changes ...func(*anymail.InboundEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: takesMIME, Make: make,
		Events: func(p simulator.Params) []anymail.Event {
			return p.Received(append(changes, func(ev *anymail.InboundEvent) {
				ev.Timestamp = time.Time{}
				if !takesMIME {
					ev.Message = parsed(p)
				}
			})...)
		},
	}
}

type object = map[string]any

// rawEmail is a received message as Postmark posts it if "Include raw email content
// in JSON payload" is enabled.
func rawEmail(p simulator.Params) simulator.Request {
	m := rawmime.Parse(p.MIME, anymail.Limits{})
	mailboxes := func(list []anymail.Address) []object {
		full := []object{}
		for _, a := range list {
			full = append(full, object{"Email": a.Address, "Name": a.Name, "MailboxHash": ""})
		}
		return full
	}
	from := append(mailboxes(m.From), object{"Email": "", "Name": "", "MailboxHash": ""})[0]
	body := object{
		"FromName": from["Name"], "MessageStream": "inbound", "From": from["Email"], "FromFull": from,
		"To": m.Headers.Get("To"), "ToFull": mailboxes(m.To), "Cc": m.Headers.Get("Cc"), "CcFull": mailboxes(m.CC),
		"Bcc": m.Headers.Get("Bcc"), "BccFull": mailboxes(m.BCC), "OriginalRecipient": "help@inbound.example.org",
		"ReplyTo": m.Headers.Get("Reply-To"), "Subject": m.Subject, "MessageID": p.EventID, "Date": m.Headers.Get("Date"), "MailboxHash": "",
		"TextBody": m.Text, "HtmlBody": m.HTML, "StrippedTextReply": "See the picture.", "Tag": "", "RawEmail": string(p.MIME),
	}
	headers := []object{
		{"Name": "Return-Path", "Value": "<ada@example.com>"}, {"Name": "X-Spam-Status", "Value": "Yes"}, {"Name": "X-Spam-Score", "Value": "6.4"},
	}
	for _, h := range m.Headers {
		if body[h.Name] == nil { // not those that are members
			headers = append(headers, object{"Name": h.Name, "Value": h.Value})
		}
	}
	files := []object{}
	for _, a := range m.Attachments {
		files = append(files, object{
			"Name": a.Filename, "Content": a.Content, "ContentType": a.ContentType, "ContentLength": a.Size, "ContentID": a.ContentID,
		})
	}
	body["Headers"], body["Attachments"] = headers, files
	return simulator.JSON("inbound", simulator.MustJSON(body))
}

// withSource is what Postmark adds to the source.
func withSource(ev *anymail.InboundEvent) {
	m, score := &ev.Message, 6.4
	simulator.Envelope("ada@example.com", "help@inbound.example.org")(ev)
	m.StrippedText, m.SpamDetected, m.SpamScore = "See the picture.", anymail.Yes, &score
	m.Headers = append(anymail.Headers{
		{Name: "Return-Path", Value: "<ada@example.com>"}, {Name: "X-Spam-Status", Value: "Yes"}, {Name: "X-Spam-Score", Value: "6.4"},
	}, m.Headers...)
	for i := range m.Attachments {
		m.Attachments[i].Params = nil // Postmark has decoded them
	}
}

func bounce(name string, code int, details string, typ anymail.EventType, reason anymail.RejectReason, bounce anymail.Bounce) simulator.Sample {
	words := "Postmark's words for " + name
	s := made(name, typ, reason, func(p simulator.Params) any {
		recordType := "Bounce"
		if name == "SpamComplaint" {
			recordType = name
		}
		return object{
			"RecordType": recordType, "MessageStream": "outbound", "ServerID": 101, "ID": p.Number,
			"Type": name, "TypeCode": code, "Name": name, "Tag": p.Tag, "MessageID": p.MessageID,
			"Description": words, "Details": details, "Email": p.Recipient, "From": p.Sender,
			"BouncedAt": p.Time.Format("2006-01-02T15:04:05.0000000Z07:00"), "DumpAvailable": false, "Inactive": true,
			"CanActivate": true, "Subject": p.Subject, "Metadata": p.Metadata,
		}
	})
	s.Events = func(p simulator.Params) []anymail.Event {
		p.EventID = strconv.FormatInt(p.Number, 10)
		return p.Event(typ, reason, simulator.Described(words), simulator.Answered(details, bounce))
	}
	return s
}

func change(name string, suppress bool, why string, typ anymail.EventType, reason anymail.RejectReason, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return made(name, typ, reason, func(p simulator.Params) any {
		body := object{
			"RecordType": "SubscriptionChange", "MessageID": p.MessageID, "ServerID": 101, "MessageStream": "broadcast",
			"ChangedAt": p.Time.Format("2006-01-02T15:04:05.000000Z07:00"), "Recipient": p.Recipient, "Origin": "Recipient",
			"SuppressSending": suppress, "SuppressionReason": nil, "Tag": p.Tag, "Metadata": p.Metadata,
		}
		if why != "" {
			body["SuppressionReason"] = why
		}
		return body
	}, changes...)
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, body func(simulator.Params) any, changes ...func(*anymail.TrackingEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Events: events(typ, reason, changes),
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(body(p)))
		},
	}
}

// parsed is the message of testdata/inbound.json. Its spam tests say that the DKIM
// signature is valid, and Received-SPF has the envelope sender.
func parsed(p simulator.Params) anymail.InboundMessage {
	const to = "help+1701@inbound.example.org"
	score := -0.1
	return anymail.InboundMessage{
		EnvelopeSender: "ada@example.com", EnvelopeRecipient: to, EnvelopeRecipients: []string{to},
		From:    []anymail.Address{{Name: "Ada Lovelace", Address: p.Sender}},
		To:      []anymail.Address{{Name: "Help Desk", Address: to}},
		CC:      []anymail.Address{{Address: "carl@example.org"}},
		BCC:     []anymail.Address{{Address: "dan@example.org"}},
		ReplyTo: []anymail.Address{{Address: "ada+reply@example.com"}},
		Subject: p.Subject, Date: p.Time, MessageID: p.EventID + "@example.com", InReplyTo: p.MessageID + "@example.org",
		Text: "Where is it?\n\n> Your order has left us.\n", StrippedText: "Where is it?", HTML: `<p>Where is it? <img src="cid:pic@example.com"></p>`,
		SpamDetected: anymail.No, SpamScore: &score, Authentication: anymail.Authentication{SPF: "pass", DKIM: "pass"},
		Headers: anymail.Headers{
			{Name: "X-Spam-Checker-Version", Value: "SpamAssassin 3.4.0"}, {Name: "X-Spam-Status", Value: "No"}, {Name: "X-Spam-Score", Value: "-0.1"},
			{Name: "X-Spam-Tests", Value: "DKIM_SIGNED,DKIM_VALID,SPF_PASS"},
			{Name: "Received-SPF", Value: `Pass (sender SPF authorized) identity=mailfrom; client-ip=192.0.2.25; helo=mail.example.com; envelope-from="ada@example.com"; receiver=help@inbound.example.org`},
			{Name: "Message-ID", Value: "<" + p.EventID + "@example.com>"}, {Name: "In-Reply-To", Value: "<" + p.MessageID + "@example.org>"},
			{Name: "X-Trace", Value: "first"}, {Name: "X-Trace", Value: "second"},
		},
		Attachments: []anymail.Attachment{
			{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
			{Filename: "notes.txt", ContentType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Disposition: "attachment", Size: 6, Content: []byte("a note")},
		},
	}
}
