package postal_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/postal"
	"github.com/goanymail/anymail/esp/postal/postalsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, postalsim.New()) }

func parse(t testing.TB, endpoint, contentType, body string) anymail.Event {
	t.Helper()
	r := simulator.JSON(endpoint, []byte(body))
	r.Header.Set("Content-Type", contentType)
	events := anymailtest.Parse(t, esptest.New(t, postal.New, postal.Config{}), r)
	require.Len(t, events, 1)
	require.Equal(t, body, string(events[0].Base().Raw))
	return events[0]
}

const outgoing = `{"id":12345,"token":"abcdef123","direction":"outgoing","message_id":"m1@rp.postal.example.org","to":"ada@example.com","from":"news@example.org",
	"subject":"Hi","timestamp":1789999990.5,"spam_status":"NotChecked","tag":"welcome"}`

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 125e6, time.UTC) // 1790000000.125
	about := func(ev anymail.TrackingEvent) anymail.TrackingEvent {
		ev.ESP, ev.ID = postal.ESP, "u-1"
		ev.MessageID, ev.Recipient, ev.Tags = "m1@rp.postal.example.org", "ada@example.com", []string{"welcome"}
		return ev
	}
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "sent, at the time of the attempt",
			body: `{"event":"MessageSent","timestamp":1790000009.5,"payload":{"message":` + outgoing + `,"status":"Sent","details":"Message for ada@example.com accepted by 192.0.2.25 (mx.example.com)",
				"output":"250 2.0.0 OK 1790000000 x1\n","sent_with_ssl":true,"timestamp":1790000000.125,"time":0.22},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				Description: "Message for ada@example.com accepted by 192.0.2.25 (mx.example.com)", MTAResponse: "250 2.0.0 OK 1790000000 x1",
			}),
		},
		{
			name: "delayed",
			body: `{"event":"MessageDelayed","timestamp":1790000000.125,"payload":{"message":` + outgoing + `,"status":"SoftFail","details":"Temporary SMTP delivery error",
				"output":"451 4.7.1 try later","sent_with_ssl":false,"timestamp":1790000000.125,"time":null},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventDeferred, Timestamp: at},
				Description: "Temporary SMTP delivery error", MTAResponse: "451 4.7.1 try later",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"},
			}),
		},
		{
			name: "refused: no such recipient",
			body: `{"event":"MessageDeliveryFailed","timestamp":1790000000.125,"payload":{"message":` + outgoing + `,"status":"HardFail","details":"Permanent SMTP delivery error",
				"output":"550 5.1.1 no such user","timestamp":1790000000.125},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				Description: "Permanent SMTP delivery error", MTAResponse: "550 5.1.1 no such user", RejectReason: anymail.RejectInvalid,
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			}),
		},
		{
			name: "given up after too many attempts",
			body: `{"event":"MessageDeliveryFailed","timestamp":1790000000.125,"payload":{"message":` + outgoing + `,"status":"HardFail",
				"details":"Maximum number of delivery attempts (18) has been reached. Added ada@example.com to suppression list because delivery has failed 18 times.",
				"output":"","timestamp":1790000000.125},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				Description:  "Maximum number of delivery attempts (18) has been reached. Added ada@example.com to suppression list because delivery has failed 18 times.",
				RejectReason: anymail.RejectTimedOut, Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			}),
		},
		{
			name: "failed here",
			body: `{"event":"MessageDeliveryFailed","timestamp":1790000000.125,"payload":{"message":` + outgoing + `,"status":"HardFail","details":"Raw message has been removed. Cannot send message.","output":"","timestamp":1790000000.125},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventFailed, Timestamp: at},
				Description: "Raw message has been removed. Cannot send message.", RejectReason: anymail.RejectOther,
			}),
		},
		{
			name: "held for a suppressed recipient",
			body: `{"event":"MessageHeld","timestamp":1790000000.125,"payload":{"message":` + outgoing + `,"status":"Held","details":"Recipient (ada@example.com) is on the suppression list (reason: too many soft fails)",
				"output":"","sent_with_ssl":null,"timestamp":1790000000.125,"time":null},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventRejected, Timestamp: at},
				Description: "Recipient (ada@example.com) is on the suppression list (reason: too many soft fails)", RejectReason: anymail.RejectBounced,
			}),
		},
		{
			name: "held to be released",
			body: `{"event":"MessageHeld","timestamp":1790000000.125,"payload":{"message":` + outgoing + `,"status":"Held","details":"Message held because send limit (100) has been reached.","output":"","timestamp":1790000000.125},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventQueued, Timestamp: at},
				Description: "Message held because send limit (100) has been reached.",
			}),
		},
		{
			name: "bounced, with the message that came back",
			body: `{"event":"MessageBounced","timestamp":1790000000.125,"payload":{"original_message":` + outgoing + `,"bounce":{"id":12400,"token":"abcdef130","direction":"incoming",
				"message_id":"dsn1@mx.example.com","to":"x1y2@psrp.postal.example.org","from":"","subject":"Undelivered","timestamp":1789999999.25,"spam_status":"NotSpam","tag":null}},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceUndetermined},
			}),
		},
		{
			name: "clicked",
			body: `{"event":"MessageLinkClicked","timestamp":1790000000.125,"payload":{"url":"https://example.org/a","token":"lnkDemo1","ip_address":"192.0.2.10","user_agent":"Mozilla/5.0","message":` + outgoing + `},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:   anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				ClickURL: "https://example.org/a", IP: netip.MustParseAddr("192.0.2.10"), UserAgent: "Mozilla/5.0",
			}),
		},
		{
			name: "what became of a received message",
			body: `{"event":"MessageDeliveryFailed","timestamp":1790000000.125,"payload":{"message":` + strings.Replace(outgoing, "outgoing", "incoming", 1) + `,"status":"HardFail",
				"details":"Received a 404 from https://your.host/","output":"404 page not found","timestamp":1790000000.125},"uuid":"u-1"}`,
			want: about(anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventUnknown, Timestamp: at},
				Description: "Received a 404 from https://your.host/", MTAResponse: "404 page not found",
			}),
		},
		{
			name: "DNS",
			body: `{"event":"DomainDNSError","timestamp":1790000000.125,"payload":{"domain":"example.org","uuid":"d-1","dns_checked_at":1790000000,"spf_status":"OK","spf_error":null,
				"dkim_status":"Invalid","dkim_error":"The record is not ours","mx_status":"Missing","mx_error":"There is none"},"uuid":"u-1"}`,
			want: anymail.TrackingEvent{
				Common:      anymail.Common{ESP: postal.ESP, ID: "u-1", Type: anymail.EventUnknown, Timestamp: at},
				Description: "The record is not ours; There is none",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, endpoint := range []string{"tracking", "inbound"} { // which of the two is an easy mistake
				got := parse(t, endpoint, "application/json", tt.body)
				anymailtest.Equal(t, &tt.want, got)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	type outcome struct {
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}
	tests := []struct {
		event, details, output string
		want                   outcome
	}{
		{"MessageDeliveryFailed", "Permanent SMTP delivery error", "550 5.7.1 not from there", outcome{anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{"MessageDeliveryFailed", "Permanent SMTP delivery error", "552 5.2.2 mailbox full", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"MessageDeliveryFailed", "Permanent SMTP delivery error", "554 no", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard}},
		{"MessageDeliveryFailed", "Permanent SMTP delivery error", "550-5.1.1 no such\n550 5.1.1 user", outcome{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard}},
		{"MessageDeliveryFailed", "", "452 4.2.2 mailbox full", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"MessageDeliveryFailed", "Maximum number of delivery attempts (18) has been reached.", "451 4.7.1 later", outcome{anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft}},
		{"MessageDeliveryFailed", "Message is likely spam. Threshold is 5 and the message scored 7.", "", outcome{anymail.EventRejected, anymail.RejectBlocked, ""}},
		{"MessageDeliveryFailed", "Message doesn't have an RCPT to", "", outcome{anymail.EventRejected, anymail.RejectInvalid, ""}},
		{"MessageDeliveryFailed", "Message's domain no longer exist", "", outcome{anymail.EventFailed, anymail.RejectOther, ""}},
		{"MessageHeld", "Recipient (spam@example.com) is on the suppression list (reason: too many hard fails)", "", outcome{anymail.EventRejected, anymail.RejectBounced, ""}},
		{"MessageHeld", "Recipient (spam@example.com) is on the suppression list", "", outcome{anymail.EventRejected, anymail.RejectBlocked, ""}},
		{"MessageHeld", "Credential is configured to hold all messages authenticated by it.", "", outcome{anymail.EventQueued, "", ""}},
		{"MessageDelayed", "No SMTP servers were available for example.com. No hosts to try.", "", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{"MessageTeleported", "", "", outcome{anymail.EventUnknown, "", ""}},
	}
	for _, tt := range tests {
		body, err := json.Marshal(map[string]any{"event": tt.event, "payload": map[string]any{"details": tt.details, "output": tt.output}})
		require.NoError(t, err)
		got := parse(t, "tracking", "application/json", string(body)).(*anymail.TrackingEvent)
		require.Equal(t, tt.want, outcome{got.Type, got.RejectReason, got.Bounce.Category}, "%s %s %s", tt.event, tt.details, tt.output)
	}
}

// Without an event name the payload decides, as in Postal 1.
func TestWithoutEventName(t *testing.T) {
	for payload, want := range map[string]anymail.EventType{
		`{"message":` + outgoing + `,"status":"Sent"}`:                       anymail.EventDelivered,
		`{"message":` + outgoing + `,"status":"SoftFail"}`:                   anymail.EventDeferred,
		`{"message":` + outgoing + `,"status":"HardFail","output":"550 no"}`: anymail.EventBounced,
		`{"message":` + outgoing + `,"status":"Held"}`:                       anymail.EventQueued,
		`{"original_message":` + outgoing + `,"bounce":` + outgoing + `}`:    anymail.EventBounced,
		`{"message":` + outgoing + `,"url":"https://example.org/a"}`:         anymail.EventClicked,
		`{"message":` + outgoing + `,"ip_address":"192.0.2.10"}`:             anymail.EventOpened,
		`{"message":` + outgoing + `,"status":"Teleported"}`:                 anymail.EventUnknown,
		`[]`: anymail.EventUnknown,
	} {
		got := parse(t, "tracking", "application/json", `{"timestamp":1790000000,"payload":`+payload+`}`)
		require.Equal(t, want, got.Base().Type, payload)
	}
}

const rawMessage = "X-Postal-Spam: yes\r\nX-Postal-Spam-Threshold: 5.0\r\nX-Postal-Spam-Score: 7.3\r\nReceived: from mail.example.com by mx.example.org\r\n" +
	"X-Postal-Spam: no\r\nX-Postal-Spam-Score: -9\r\nFrom: Ada <ada@example.com>\r\nTo: help@example.org\r\nSubject: Hi\r\n\r\nHello\r\n"

func TestInboundRaw(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(rawMessage))
	encoded = encoded[:60] + "\n" + encoded[60:120] + "\n" + encoded[120:] + "\n"
	score := 7.3
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: postal.ESP, Type: anymail.EventInbound, ID: "20001"},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "help@example.org", EnvelopeRecipients: []string{"help@example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@example.org"}}, Subject: "Hi",
			Headers: anymail.Headers{
				{Name: "X-Postal-Spam", Value: "yes"}, {Name: "X-Postal-Spam-Threshold", Value: "5.0"}, {Name: "X-Postal-Spam-Score", Value: "7.3"},
				{Name: "Received", Value: "from mail.example.com by mx.example.org"},
				{Name: "X-Postal-Spam", Value: "no"}, {Name: "X-Postal-Spam-Score", Value: "-9"}, // the sender's own
				{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "To", Value: "help@example.org"}, {Name: "Subject", Value: "Hi"},
			},
			Text: "Hello\r\n", SpamDetected: anymail.Yes, SpamScore: &score,
			RawMIME: anymail.Raw(rawMessage),
		},
	}
	quoted, err := json.Marshal(encoded)
	require.NoError(t, err)
	asJSON := `{"id":20001,"rcpt_to":"help@example.org","mail_from":"bounce@example.com","message":` + string(quoted) + `,"base64":true,"size":67}`
	form := func(base64, message string) string {
		escape := strings.NewReplacer("%", "%25", "+", "%2B", "/", "%2F", "=", "%3D", "\r", "%0D", "\n", "%0A", "&", "%26", " ", "+")
		return "id=20001&rcpt_to=help%40example.org&mail_from=bounce%40example.com&message=" + escape.Replace(message) + "&base64=" + base64 + "&size=67"
	}
	const urlencoded = "application/x-www-form-urlencoded"
	key := parse(t, "inbound", "application/json", asJSON).Base().Key
	for _, endpoint := range []string{"inbound", "tracking"} {
		anymailtest.Equal(t, want, parse(t, endpoint, "application/json", asJSON))
		got := parse(t, endpoint, urlencoded, form("true", encoded))
		anymailtest.Equal(t, want, got)
		require.Equal(t, key, got.Base().Key, "in either encoding it is the same message")
	}
	anymailtest.Equal(t, want, parse(t, "inbound", urlencoded, form("false", rawMessage)))

	other := strings.Replace(asJSON, "help@example.org", "sales@example.org", 1)
	require.NotEqual(t, key, parse(t, "inbound", "application/json", other).Base().Key, "another recipient")
	other = strings.Replace(asJSON, encoded[:10], "QQ0K"+encoded[:10], 1)
	require.NotEqual(t, key, parse(t, "inbound", "application/json", other).Base().Key, "the same number at another mail server")
}

func TestInboundProcessed(t *testing.T) {
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: postal.ESP, Type: anymail.EventInbound, ID: "20002", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 5e8, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "ada@example.com", EnvelopeRecipient: "help@example.org", EnvelopeRecipients: []string{"help@example.org"},
			From:    []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
			To:      []anymail.Address{{Name: "Help", Address: "help@example.org"}},
			CC:      []anymail.Address{{Address: "carl@example.org"}},
			ReplyTo: []anymail.Address{{Address: "one@example.com"}, {Address: "two@example.com"}},
			Subject: "Re: Grüße", Date: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), MessageID: "in2@example.com",
			InReplyTo: "m1@rp.postal.example.org", References: []string{"m0@rp.postal.example.org", "m1@rp.postal.example.org"},
			Headers: anymail.Headers{
				{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "To", Value: "Help <help@example.org>"}, {Name: "Cc", Value: "carl@example.org"},
				{Name: "Reply-To", Value: "one@example.com"}, {Name: "Reply-To", Value: "two@example.com"}, {Name: "Subject", Value: "Re: Grüße"},
				{Name: "Date", Value: "Mon, 21 Sep 2026 16:13:20 +0200"}, {Name: "Message-ID", Value: "<in2@example.com>"},
				{Name: "In-Reply-To", Value: "<m1@rp.postal.example.org>"}, {Name: "References", Value: "<m0@rp.postal.example.org> <m1@rp.postal.example.org>"},
				{Name: "Auto-Submitted", Value: "auto-replied"},
			},
			Text: "Hello\n\n> Hi", StrippedText: "Hello", HTML: "<p>Hello</p>", SpamDetected: anymail.No,
			Attachments: []anymail.Attachment{
				{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 12, Content: []byte("Hello world!")},
				{Filename: "b.txt", ContentType: "text/plain", Disposition: "attachment", Size: 2, Content: []byte("hi")},
			},
		},
	}
	got := parse(t, "inbound", "application/json", `{"id":20002,"rcpt_to":"help@example.org","mail_from":"ada@example.com","token":"tokDemo00001","subject":"Re: Grüße","message_id":"in2@example.com",
		"timestamp":1790000000.5,"size":"822","spam_status":"NotSpam","bounce":false,"received_with_ssl":1,"to":"Help <help@example.org>","cc":"carl@example.org","from":"Ada <ada@example.com>",
		"date":"Mon, 21 Sep 2026 16:13:20 +0200","in_reply_to":"<m1@rp.postal.example.org>","references":"<m0@rp.postal.example.org> <m1@rp.postal.example.org>","html_body":"<p>Hello</p>",
		"attachment_quantity":2,"auto_submitted":"auto-replied","reply_to":["one@example.com","two@example.com"],"plain_body":"Hello","replies_from_plain_body":"> Hi",
		"attachments":[{"filename":"../a.txt","content_type":"text/plain","size":12,"data":"SGVsbG8gd29y\nbGQh\n"},{"filename":"b.txt","content_type":"text/plain","size":2,"data":"aGk=\n"}]}`)
	anymailtest.Equal(t, want, got)

	form := parse(t, "inbound", "application/x-www-form-urlencoded", "id=20002&rcpt_to=help%40example.org&mail_from=ada%40example.com&token=tokDemo00001&subject=Re%3A+Gr%C3%BC%C3%9Fe&message_id=in2%40example.com"+
		"&timestamp=1790000000.5&size=822&spam_status=NotSpam&bounce=false&received_with_ssl=true&to=Help+%3Chelp%40example.org%3E&cc=carl%40example.org&from=Ada+%3Cada%40example.com%3E"+
		"&date=Mon%2C+21+Sep+2026+16%3A13%3A20+%2B0200&in_reply_to=%3Cm1%40rp.postal.example.org%3E&references=%3Cm0%40rp.postal.example.org%3E+%3Cm1%40rp.postal.example.org%3E&html_body=%3Cp%3EHello%3C%2Fp%3E"+
		"&attachment_quantity=2&auto_submitted=auto-replied&reply_to=one%40example.com&reply_to=two%40example.com&plain_body=Hello&replies_from_plain_body=%3E+Hi"+
		"&attachments%5B0%5D%5Bfilename%5D=..%2Fa.txt&attachments%5B0%5D%5Bcontent_type%5D=text%2Fplain&attachments%5B0%5D%5Bsize%5D=12&attachments%5B0%5D%5Bdata%5D=SGVsbG8gd29y%0AbGQh%0A"+
		"&attachments%5B1%5D%5Bfilename%5D=b.txt&attachments%5B1%5D%5Bcontent_type%5D=text%2Fplain&attachments%5B1%5D%5Bsize%5D=2&attachments%5B1%5D%5Bdata%5D=aGk%3D%0A")
	anymailtest.Equal(t, want, form)
	require.Equal(t, got.Base().Key, form.Base().Key, "in either encoding it is the same message")
}

// What Postal leaves empty, in either of its ways to do so.
func TestInboundSparse(t *testing.T) {
	want := &anymail.InboundEvent{
		Common:  anymail.Common{ESP: postal.ESP, Type: anymail.EventInbound, ID: "7"},
		Message: anymail.InboundMessage{EnvelopeRecipient: "help@example.org", EnvelopeRecipients: []string{"help@example.org"}, ReplyTo: nil, Text: "Hello"},
	}
	anymailtest.Equal(t, want, parse(t, "inbound", "application/json", `{"id":7,"rcpt_to":"help@example.org","mail_from":"","token":"t","cc":null,"reply_to":null,"html_body":null,
		"spam_status":"NotChecked","plain_body":"Hello","replies_from_plain_body":null,"message_id":null,"received_with_ssl":null,"timestamp":null}`))
	anymailtest.Equal(t, want, parse(t, "inbound", "application/x-www-form-urlencoded; charset=utf-8",
		"id=7&rcpt_to=help%40example.org&mail_from=&token=t&cc=&reply_to=&html_body=&spam_status=NotChecked&plain_body=Hello&replies_from_plain_body=&message_id=&timestamp="))
}

func TestMalformed(t *testing.T) {
	for _, r := range []struct{ contentType, body string }{
		{"application/json", `[]`},
		{"application/json", `null`},
		{"application/json", `{"rcpt_to":"help@example.org"`},
		{"application/json", `"rcpt_to"`},
		{"application/json", ``},
		{"application/x-www-form-urlencoded", `event=MessageSent`},
		{"application/x-www-form-urlencoded", `rcpt_to=%zz`},
	} {
		request := simulator.JSON("inbound", []byte(r.body))
		request.Header.Set("Content-Type", r.contentType)
		_, err := simulator.Parse(esptest.New(t, postal.New, postal.Config{}), request)
		require.ErrorIs(t, err, anymail.ErrMalformed, r.body)
		require.NotContains(t, err.Error(), "help@example.org")
	}
}

// A message that cannot be read is reported, with what can be read of it.
func TestInboundFailed(t *testing.T) {
	const jsonType, formType = "application/json", "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		contentType, body string
		id, subject       string
	}{
		{jsonType, `{"rcpt_to":"help@example.org","message":[],"id":7}`, "7", ""},
		{jsonType, `{"id":7,"rcpt_to":"help@example.org","mail_from":"","message":"***","base64":true}`, "7", ""},
		{jsonType, `{"id":7,"rcpt_to":"help@example.org","message":"","base64":false}`, "7", ""},
		{jsonType, `{"id":7,"rcpt_to":"help@example.org","token":"t","subject":"Hi","plain_body":["no text"]}`, "7", "Hi"},
		{jsonType, `{"rcpt_to":"help@example.org","attachments":"none","subject":"Hi"}`, "", "Hi"},
		{jsonType, `{"rcpt_to":"help@example.org"}`, "", ""},
		{formType, `rcpt_to=help%40example.org&id=7`, "7", ""},
		{formType, `rcpt_to=help%40example.org&id=7&message=***&base64=true`, "7", ""},
	} {
		ev := parse(t, "inbound", tt.contentType, tt.body).(*anymail.InboundEvent)
		require.Equal(t, anymail.EventInboundFailed, ev.Type, tt.body)
		require.Equal(t, tt.id, ev.ID, tt.body)
		require.Equal(t, "help@example.org", ev.Message.EnvelopeRecipient, tt.body)
		require.Equal(t, tt.subject, ev.Message.Subject, tt.body)
	}
	key := func(body string) string { return parse(t, "inbound", jsonType, body).Base().Key }
	require.NotEqual(t, key(`{"rcpt_to":"a@example.org","message":1}`), key(`{"rcpt_to":"a@example.org","message":2}`))
}

// An object that is of no webhook is unknown.
func TestUnknownObjects(t *testing.T) {
	for _, body := range []string{`{}`, `{"hello":"world"}`, `{"payload":7}`, `{"event":["x"]}`} {
		for _, endpoint := range []string{"tracking", "inbound"} {
			require.Equal(t, anymail.EventUnknown, parse(t, endpoint, "application/json", body).Base().Type, body)
		}
	}
}

// Only what Postal wrote on top of the message is a verdict.
func TestSpamVerdict(t *testing.T) {
	const received, forged = "Received: from a by b\r\n", "X-Postal-Spam: no\r\nX-Postal-Spam-Score: -9\r\n"
	for raw, want := range map[string]anymail.Tri{
		"X-Postal-Spam: yes\r\n" + received + forged: anymail.Yes,
		"X-Postal-Spam: no\r\n" + received:           anymail.No,
		received + forged:                            anymail.Unsaid,
		received + received + forged:                 anymail.Unsaid,
	} {
		body, err := json.Marshal(map[string]any{"rcpt_to": "help@example.org", "base64": false, "message": raw + "Authentication-Results: x; spf=pass; dkim=pass\r\n\r\nHello\r\n"})
		require.NoError(t, err)
		m := parse(t, "inbound", "application/json", string(body)).(*anymail.InboundEvent).Message
		require.Equal(t, want, m.SpamDetected, raw)
		require.Zero(t, m.Authentication)
	}
}

// This body, the key and the signatures were not made by this program.
const (
	vectorKey    = `MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAw4ptY1dM0XaIHN89xTarPaZiAPJNqhfaFHfS8h8BAW+ClbeOrGz+z7AYdJ/fsd/1rZ/jKx3+po7IFU8cJKYPUP/tGMf3J+ePm9JF86cpd6KL4OkNG3DsuVXL5aVk5eOQDkkxOsxnG/sR0UoNap7Ph8i+zpqtp/9qpF859ceP7PksWq4xx+0XoJBfNpycz9oD3QQHA5prcfVp+htAcz5UCI9P8mQeZr2JefS/bi3j5/6/pydniFwgPIAAs/cUc+4w6/4xUFX7MKcdJ8tFfgYhSB4nnVn/R0FBAPFKA+7XGb+yk9THgMSK05pckt9tUi1mU/C4Z+VpTKUwQC9IKF9QvwIDAQAB`
	vectorSHA1   = `RvB+XLobziYLSh8gqpPlxrazHmqeudCRH+e33svJ9i42GBWl3xTfaZtMzZ7lNhQmymj8t/aU0HXXuxInRc0i1KFMnHUe3OFDf9+0iRyYTwKnGV0shWJ6792RuUh9YBS7q4YxkBzlY/aREE5LvM9Px8w1hZUqsjNX//+wRHL1haKK92nA3h+aBMsiqtl1s0ce1EnqsacB3KNuGyzkoCVKM8htf7Fa0ANM5Hib56KmsnpUNTsgNfbk/F6Rl4Lr4NTO3P60xeglepHrZpP4LzTs9GTDha1KyDadBXtI4QH8ek3xS1e+ssndMzHzzIP25NTuJXTEvrKu96NbFFX9eBUmZw==`
	vectorSHA256 = `DuAWBI9ucO5YJCf8HfFKtv83BV6c6mBhfJ7NpEQJCT3jOpa94nnxiL/JBS2ZZjSswBdayng3n5MiFwi4+yhvqBGA8R7CqfIq6rUt15spjEnE+7/Smsaa2GnXAr/3rzwtQXoBUuFNiCzk45lFEypYdja6iNr0UXbvgWG/IJc766gYLnhJszit37xVyZVp+AWWHiR1FYEFIYVJaalVhNhgknn2QaSDWXZ4MLnyAb3Ld1hhTJgik3qcVPjE7Rvm7Mj/o9LjoObtLh2AZUP0OySnesm4ZhbfZi6fWUywAGv23ED+mBLeb8MqSpbtADlIgAMlwlJlS8moBWar6rRLWgKXug==`
	vectorBody   = `{"event":"MessageLoaded","timestamp":1790000000.125,"payload":{"ip_address":"192.0.2.10","user_agent":"Mozilla/5.0","message":{"id":12345,"token":"abcdef123","direction":"outgoing","message_id":"m1@rp.postal.example.org","to":"ada@example.com","from":"news@example.org","subject":"Hi","timestamp":1789999990.5,"spam_status":"NotChecked","tag":"welcome"}},"uuid":"7c1f0a52-0000-4000-8000-000000000001"}`
)

func verify(t testing.TB, config postal.Config, header map[string][]string) error {
	t.Helper()
	for _, ep := range esptest.New(t, postal.New, config).Endpoints() {
		h := http.Header{}
		for name, values := range header {
			for _, value := range values {
				h.Add(name, value)
			}
		}
		_, err := ep.Verifier.Verify(context.Background(), &anymail.Payload{Body: []byte(vectorBody), Header: h})
		if err != nil || ep.Path == "inbound" {
			return err
		}
	}
	return nil
}

func TestSignatures(t *testing.T) {
	keys := anymail.Keys(vectorKey)
	tests := []struct {
		name       string
		sha1, s256 []string
		strict     bool
		ok         bool
	}{
		{"both", []string{vectorSHA1}, []string{vectorSHA256}, false, true},
		{"SHA-256 alone", nil, []string{vectorSHA256}, false, true},
		{"SHA-1 alone, of an old version", []string{vectorSHA1}, nil, false, true},
		{"SHA-1 alone, refused", []string{vectorSHA1}, nil, true, false},
		{"both, strictly", []string{vectorSHA1}, []string{vectorSHA256}, true, true},
		{"SHA-256 alone, strictly", nil, []string{vectorSHA256}, true, true},
		// No way around a bad SHA-256 signature.
		{"wrong SHA-256", []string{vectorSHA1}, []string{vectorSHA1}, false, false},
		{"empty SHA-256", []string{vectorSHA1}, []string{""}, false, false},
		{"two SHA-256", []string{vectorSHA1}, []string{vectorSHA256, vectorSHA256}, false, false},
		{"wrong SHA-1 does not matter", []string{vectorSHA256}, []string{vectorSHA256}, false, true},
		{"one for the other", []string{vectorSHA256}, nil, false, false},
		{"no base64", []string{"not base64"}, nil, false, false},
		{"none", nil, nil, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := verify(t, postal.Config{SigningKeys: keys, RequireSHA256: tt.strict}, map[string][]string{
				"X-Postal-Signature": tt.sha1, "X-Postal-Signature-256": tt.s256, "X-Postal-Signature-KID": {"any"},
			})
			if tt.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
			}
		})
	}
}

// The key as Postal and its users show it.
func TestKeyForms(t *testing.T) {
	der, err := base64.StdEncoding.DecodeString(vectorKey)
	require.NoError(t, err)
	public, err := x509.ParsePKIXPublicKey(der)
	require.NoError(t, err)
	key := public.(*rsa.PublicKey)
	encode := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	other, err := rsa.GenerateKey(rand.Reader, 1024) // what old versions of Postal make
	require.NoError(t, err)
	jwk := func(k *rsa.PublicKey) string {
		return fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":"whatever","n":%q,"e":"AQAB"}`, base64.RawURLEncoding.EncodeToString(k.N.Bytes()))
	}
	for name, text := range map[string]string{
		"the DNS record":           "v=DKIM1; t=s; h=sha256; p=" + vectorKey + ";",
		"the DNS record in pieces": `"v=DKIM1; t=s; h=sha256; p=` + vectorKey[:200] + `" "` + vectorKey[200:] + `;"`,
		"its value":                vectorKey,
		"its value with the rest":  " " + vectorKey[:100] + "\n\t" + vectorKey[100:] + " ;\n",
		"PEM":                      encode("PUBLIC KEY", der),
		"PEM of PKCS #1":           encode("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key)),
		"base64 of PEM":            base64.StdEncoding.EncodeToString([]byte(encode("PUBLIC KEY", der))),
		"JWK":                      jwk(key),
		"JWKS":                     `{"keys":[` + jwk(key) + `]}`,
		"JWKS during a rotation":   ` {"keys":[{"kty":"EC","crv":"P-256"},` + jwk(&other.PublicKey) + `,` + jwk(key) + `]}`,
	} {
		header := map[string][]string{"X-Postal-Signature-256": {vectorSHA256}}
		require.NoError(t, verify(t, postal.Config{SigningKeys: anymail.Keys(text)}, header), name)
		require.NoError(t, verify(t, postal.Config{SigningKeys: anymail.Keys(jwk(&other.PublicKey), text)}, header), name)
		require.ErrorIs(t, verify(t, postal.Config{SigningKeys: anymail.Keys(jwk(&other.PublicKey))}, header), anymail.ErrUnauthenticated, name)
	}

	private := encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other))
	for name, text := range map[string]string{
		"nothing":          "",
		"no key":           "secret",
		"a private key":    private,
		"a record without": "v=DKIM1; t=s; h=sha256; p=;",
		"JWKS without":     `{"keys":[]}`,
		"JWKS of others":   `{"keys":[{"kty":"EC"}]}`,
		"JWK without n":    `{"kty":"RSA","e":"AQAB"}`,
		"JWK with a big e": `{"kty":"RSA","n":"` + base64.RawURLEncoding.EncodeToString(key.N.Bytes()) + `","e":"AQABAQAB"}`,
		"JWK of few bits":  `{"kty":"RSA","n":"AQAB","e":"AQAB"}`,
		"no JSON":          `{"keys"`,
		"an Ed25519 key":   "p=" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	} {
		_, err := postal.New(postal.Config{SigningKeys: anymail.Keys(vectorKey, text)})
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		require.Contains(t, err.Error(), "key 2", name)
		require.NotContains(t, err.Error(), "MII", name)
	}
}

// A source may be filled later, and may change.
func TestKeyRing(t *testing.T) {
	ring := new(anymail.KeyRing)
	v := esptest.New(t, postal.New, postal.Config{SigningKeys: ring}).Endpoints()[0].Verifier
	p := &anymail.Payload{Body: []byte(vectorBody), Header: http.Header{"X-Postal-Signature-256": {vectorSHA256}}}
	_, err := v.Verify(context.Background(), p)
	require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	ring.Set(vectorKey)
	_, err = v.Verify(context.Background(), p)
	require.NoError(t, err)
	ring.Set("no key")
	_, err = v.Verify(context.Background(), p)
	require.ErrorIs(t, err, anymail.ErrUnavailable, "a mistake here, which Postal should wait for")
}

// At an HTTP endpoint Postal bounces, or drops, a message for any 4xx. None of
// them is final here: a key, a limit or a list of addresses can be set right.
func TestInboundNever4xx(t *testing.T) {
	sim := postalsim.New()
	sample, ok := sim.Sample("inbound-raw-json")
	require.True(t, ok)
	post := func(change func(*simulator.Request), options ...anymail.Option) int {
		s := anymailtest.NewServer(t, sim, options...)
		r := s.Prepare(t, sample, simulator.NewParams())
		if change != nil {
			change(&r)
		}
		status, _ := s.Post(t, r)
		return status
	}
	require.Equal(t, 503, post(func(r *simulator.Request) {
		r.Header.Del("X-Postal-Signature-256")
		r.Header.Del("X-Postal-Signature")
	}))
	require.Equal(t, 503, post(func(r *simulator.Request) { r.Header.Del("Authorization") }))
	require.Equal(t, 503, post(nil, anymail.WithLimits(anymail.Limits{Body: 10})))
	require.Equal(t, 503, post(nil, anymail.WithAllowedAddresses(netip.MustParsePrefix("203.0.113.0/24"))))
	require.Equal(t, 503, post(func(r *simulator.Request) { r.Header.Set("Content-Encoding", "br") }))
	require.Equal(t, 503, post(func(r *simulator.Request) { r.Header.Del("Authorization") }, anymail.WithRejectStatus(404)))
	require.Equal(t, 405, post(func(r *simulator.Request) { r.Method = http.MethodGet }), "which is not Postal")
	require.Equal(t, 200, post(nil))
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, postalsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, postalsim.New(), "inbound") }

// FuzzKeys: a text is a key or an error.
func FuzzKeys(f *testing.F) {
	f.Add(vectorKey)
	f.Add("v=DKIM1; t=s; h=sha256; p=" + vectorKey + ";")
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	f.Add("-----BEGIN PUBLIC KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		adapter, err := postal.New(postal.Config{SigningKeys: anymail.Keys(text)})
		if err != nil {
			require.ErrorIs(t, err, anymail.ErrConfig)
			return
		}
		p := &anymail.Payload{Body: []byte(vectorBody + " "), Header: http.Header{"X-Postal-Signature-256": {vectorSHA256}}}
		_, err = adapter.Endpoints()[0].Verifier.Verify(context.Background(), p)
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}

func Example() {
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	// What "postal default-dkim-record" prints.
	adapter, err := postal.New(postal.Config{SigningKeys: anymail.Keys("v=DKIM1; t=s; h=sha256; p=" + vectorKey + ";")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("postal", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Inbound.Connect("tickets", func(_ context.Context, ev *anymail.InboundEvent) error {
		fmt.Println(ev.Message.From, ev.Message.Subject)
		return nil
	})
	fmt.Println(err, d.Inbound.Receivers())
	// Output: <nil> [tickets]
}

// Processed messages are told apart by a token or, without one, by everything.
func TestInboundKeyWithoutToken(t *testing.T) {
	key := func(body string) string { return parse(t, "inbound", "application/json", body).Base().Key }
	const one = `{"id":1,"rcpt_to":"help@example.org","plain_body":"Hello"}`
	require.Equal(t, key(one), key(one))
	require.NotEqual(t, key(one), key(`{"id":1,"rcpt_to":"help@example.org","plain_body":"Goodbye"}`))
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, postalsim.New(), func(sample string) string {
		event, variant, _ := strings.Cut(sample, "-")
		if event == "MessageTeleported" || variant == "incoming" {
			return ""
		}
		return event
	})
}
