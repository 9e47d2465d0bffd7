// Package postmarksim plays Postmark, for tests and demonstrations.
package postmarksim

import (
	"embed"

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
			tracking("Delivery", "delivery.json", anymail.EventDelivered, ""),
			tracking("Open", "open.json", anymail.EventOpened, ""),
			tracking("Click", "click.json", anymail.EventClicked, ""),
			tracking("Teleported", "unknown.json", anymail.EventUnknown, ""),
			bounce("HardBounce", 1, "smtp;550 5.1.1 no such user", anymail.EventBounced, anymail.RejectInvalid),
			bounce("SoftBounce", 4096, "smtp;452 4.2.2 mailbox full", anymail.EventBounced, anymail.RejectBounced),
			bounce("Blocked", 100006, "smtp;550 5.7.1 listed", anymail.EventBounced, anymail.RejectBlocked),
			bounce("SpamNotification", 512, "smtp;554 5.7.1 looks like spam", anymail.EventBounced, anymail.RejectSpam),
			bounce("VirusNotification", 8192, "smtp;554 5.7.1 virus found", anymail.EventBounced, anymail.RejectBlocked),
			bounce("Unknown", 2048, "554 transaction failed", anymail.EventBounced, anymail.RejectBounced),
			bounce("Transient", 2, "smtp;451 4.7.1 greylisted", anymail.EventDeferred, ""),
			bounce("DnsError", 256, "smtp;4.4.3 no answer", anymail.EventDeferred, ""),
			bounce("OpenRelayTest", 1024, "", anymail.EventDeferred, ""),
			bounce("BadEmailAddress", 100000, "", anymail.EventRejected, anymail.RejectInvalid),
			bounce("ManuallyDeactivated", 100002, "", anymail.EventRejected, anymail.RejectBlocked),
			bounce("Unconfirmed", 100003, "", anymail.EventRejected, anymail.RejectOther),
			bounce("DMARCPolicy", 100009, "", anymail.EventRejected, anymail.RejectBlocked),
			bounce("SMTPApiError", 100007, "", anymail.EventFailed, anymail.RejectOther),
			bounce("TemplateRenderingFailed", 100010, "", anymail.EventFailed, anymail.RejectOther),
			bounce("AutoResponder", 64, "Out of office", anymail.EventAutoresponded, ""),
			bounce("AddressChange", 128, "", anymail.EventAutoresponded, ""),
			bounce("ChallengeVerification", 16384, "", anymail.EventAutoresponded, ""),
			bounce("Unsubscribe", 16, "", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			bounce("Subscribe", 32, "", anymail.EventSubscribed, ""),
			bounce("InboundError", 100008, "", anymail.EventInboundFailed, ""),
			bounce("SpamComplaint", 100001, "abuse report", anymail.EventComplained, anymail.RejectSpam),
			change("SubscriptionChange-suppress", true, "ManualSuppression", anymail.EventUnsubscribed, anymail.RejectUnsubscribed),
			change("SubscriptionChange-bounce", true, "HardBounce", anymail.EventBounced, anymail.RejectBounced),
			change("SubscriptionChange-complaint", true, "SpamComplaint", anymail.EventComplained, anymail.RejectSpam),
			change("SubscriptionChange-reactivate", false, "", anymail.EventSubscribed, ""),
			inbound("Inbound", simulator.Template(files, "testdata/inbound.json", "inbound"), false),
			inbound("Inbound-RawEmail", rawEmail, true),
		},
	}
}

func tracking(name, file string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: simulator.Template(files, "testdata/"+file, "tracking"),
	}
}

func inbound(name string, make func(simulator.Params) simulator.Request, takesMIME bool) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, Untimed: true, TakesMIME: takesMIME, Make: make,
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
		"TextBody": m.Text, "HtmlBody": m.HTML, "StrippedTextReply": "", "Tag": "", "RawEmail": string(p.MIME),
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

func bounce(name string, code int, details string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return made(name, typ, reason, func(p simulator.Params) any {
		recordType := "Bounce"
		if name == "SpamComplaint" {
			recordType = name
		}
		return object{
			"RecordType": recordType, "MessageStream": "outbound", "ServerID": 101, "ID": p.Number,
			"Type": name, "TypeCode": code, "Name": name, "Tag": p.Tag, "MessageID": p.MessageID,
			"Description": "Postmark's words for " + name, "Details": details, "Email": p.Recipient, "From": p.Sender,
			"BouncedAt": p.Time.Format("2006-01-02T15:04:05.0000000Z07:00"), "DumpAvailable": false, "Inactive": true,
			"CanActivate": true, "Subject": p.Subject, "Metadata": p.Metadata,
		}
	})
}

func change(name string, suppress bool, why string, typ anymail.EventType, reason anymail.RejectReason) simulator.Sample {
	return made(name, typ, reason, func(p simulator.Params) any {
		body := object{
			"RecordType": "SubscriptionChange", "MessageID": p.MessageID, "ServerID": 101, "MessageStream": "broadcast",
			"ChangedAt": p.Time.Format("2006-01-02T15:04:05.000000Z07:00"), "Recipient": p.Recipient, "Origin": "Recipient",
			"SuppressSending": suppress, "SuppressionReason": nil, "Tag": nil, "Metadata": p.Metadata,
		}
		if why != "" {
			body["SuppressionReason"] = why
		}
		return body
	})
}

func made(name string, typ anymail.EventType, reason anymail.RejectReason, body func(simulator.Params) any) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "tracking", Types: []anymail.EventType{typ}, Reason: reason,
		Make: func(p simulator.Params) simulator.Request {
			return simulator.JSON("tracking", simulator.MustJSON(body(p)))
		},
	}
}
