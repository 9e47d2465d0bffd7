package amazonses_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/verify/sns"
)

func TestConformance(t *testing.T) { conformance.Run(t, amazonsessim.New()) }

func TestConformanceUnsigned(t *testing.T) {
	conformance.Run(t, amazonsessim.NewUnsigned())
}

const topic = "arn:aws:sns:eu-west-1:123456789012:mail"

// notify puts a message into the JSON that SNS posts.
func notify(t testing.TB, message string) simulator.Request {
	t.Helper()
	body, err := json.MarshalIndent(map[string]string{
		"Type": "Notification", "MessageId": "11111111-2222-5333-8444-555555555555", "TopicArn": topic,
		"Message": message, "Timestamp": "2026-09-21T14:13:21.000Z",
	}, "", "  ")
	require.NoError(t, err)
	return simulator.JSON("tracking", body)
}

// parse gives a record to the parser.
func parse(t testing.TB, config amazonses.Config, record string) ([]anymail.Event, error) {
	t.Helper()
	adapter := esptest.New(t, amazonses.New, config)
	return simulator.Parse(adapter, notify(t, record))
}

func tracking(t testing.TB, record string) []*anymail.TrackingEvent {
	t.Helper()
	events, err := parse(t, amazonses.Config{}, record)
	require.NoError(t, err)
	var out []*anymail.TrackingEvent
	for _, ev := range events {
		out = append(out, ev.(*anymail.TrackingEvent))
	}
	return out
}

const id = "11111111-2222-5333-8444-555555555555" // the SNS message's

// sent is a mail object with a second before the SNS message's time.
const sent = `{"timestamp":"2026-09-21T14:13:20.123Z","source":"Shop <shop@example.org>","messageId":"0102018f-m1","destination":["Ada <ada@example.com>"],
	"headersTruncated":"false","tags":{}}`

func TestTracking(t *testing.T) {
	var (
		mailAt = time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC)
		snsAt  = time.Date(2026, 9, 21, 14, 13, 21, 0, time.UTC)
		at     = time.Date(2026, 9, 21, 15, 0, 1, 500e6, time.UTC)
	)
	tests := []struct {
		name   string
		record string
		want   []anymail.TrackingEvent
	}{
		{
			name: "send: taken at the mail's time, with tags and metadata",
			record: `{"eventType":"Send","send":{},"mail":{"timestamp":"2026-09-21T14:13:20.123Z","messageId":"0102018f-m1","destination":["ada@example.com","bob@example.com"],
				"headersTruncated":false,"headers":[{"name":"X-Tag","value":"welcome"},{"name":"x-tag","value":"=?utf-8?q?gr=C3=BCn?="},{"name":"X-Metadata","value":"{\"order\": 9007199254740993, \"vip\": true}"}],
				"tags":{"ses:configuration-set":["shop"],"campaign":["autumn"],"colors":["red","blue"]}}}`,
			want: []anymail.TrackingEvent{{
				Common: anymail.Common{Type: anymail.EventSent, ID: id, Timestamp: mailAt}, MessageID: "0102018f-m1", Recipient: "ada@example.com",
				Tags: []string{"welcome", "grün"},
				Metadata: anymail.Metadata{
					"order": json.Number("9007199254740993"), "vip": true, "campaign": "autumn", "colors": []any{"red", "blue"},
				},
			}, {
				Common: anymail.Common{Type: anymail.EventSent, ID: id, Timestamp: mailAt}, MessageID: "0102018f-m1", Recipient: "bob@example.com",
				Tags: []string{"welcome", "grün"},
				Metadata: anymail.Metadata{
					"order": json.Number("9007199254740993"), "vip": true, "campaign": "autumn", "colors": []any{"red", "blue"},
				},
			}},
		},
		{
			name:   "delivery",
			record: `{"eventType":"Delivery","mail":` + sent + `,"delivery":{"timestamp":"2026-09-21T15:00:01.500Z","processingTimeMillis":2377,"recipients":["ada@example.com"],"smtpResponse":"250 2.6.0 Message received"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", MTAResponse: "250 2.6.0 Message received",
			}},
		},
		{
			name: "bounce: the recipients are told apart, and one that is named twice is one",
			record: `{"eventType":"Bounce","mail":` + sent + `,"bounce":{"feedbackId":"f1","bounceType":"Permanent","bounceSubType":"General","timestamp":"2026-09-21T15:00:01.500Z","bouncedRecipients":[
				{"emailAddress":"ada@example.com","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"},
				{"emailAddress":"Bob <bob@example.com>"},{"emailAddress":"ada@example.com"}]}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "Permanent: General",
				MTAResponse: "550 5.1.1 user unknown", Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			}, {
				Common:    anymail.Common{Type: anymail.EventBounced, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "bob@example.com", RejectReason: anymail.RejectBounced, Description: "Permanent: General",
				Bounce: anymail.Bounce{Category: anymail.BounceHard},
			}},
		},
		{
			name: "bounce that SES did not even try",
			record: `{"eventType":"Bounce","mail":` + sent + `,"bounce":{"feedbackId":"f2","bounceType":"Permanent","bounceSubType":"OnAccountSuppressionList","timestamp":"2026-09-21T15:00:01.500Z","bouncedRecipients":[
				{"emailAddress":"ada@example.com","action":"failed","status":"5.1.1","diagnosticCode":"On the suppression list."}],"reportingMTA":"dns; amazonses.com"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectBlocked, Description: "On the suppression list.",
			}},
		},
		{
			name: "complaint: the user agent is that of the report",
			record: `{"eventType":"Complaint","mail":` + sent + `,"complaint":{"feedbackId":"c1","complaintSubType":null,"complainedRecipients":[{"emailAddress":"ada@example.com"}],
				"timestamp":"2026-09-21T15:00:01.500Z","userAgent":"ExampleFBL/1.0","complaintFeedbackType":"abuse","arrivalDate":"2026-09-21T10:59:58.000-04:00"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventComplained, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "abuse",
			}},
		},
		{
			name:   "not-spam takes a complaint back",
			record: `{"eventType":"Complaint","mail":` + sent + `,"complaint":{"complainedRecipients":[{"emailAddress":"ada@example.com"}],"timestamp":"2026-09-21T15:00:01.500Z","complaintFeedbackType":"not-spam"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventUnknown, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", Description: "not-spam",
			}},
		},
		{
			name:   "complaint about a message that was not sent",
			record: `{"eventType":"Complaint","mail":` + sent + `,"complaint":{"complaintSubType":"OnAccountSuppressionList","complainedRecipients":[{"emailAddress":"ada@example.com"}],"timestamp":"2026-09-21T15:00:01.500Z"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "OnAccountSuppressionList",
			}},
		},
		{
			name:   "reject has no time of its own: it is when SES told SNS",
			record: `{"eventType":"Reject","mail":` + sent + `,"reject":{"reason":"Bad content"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: id, Timestamp: snsAt},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectBlocked, Description: "Bad content",
			}},
		},
		{
			name:   "rendering failure",
			record: `{"eventType":"Rendering Failure","mail":` + sent + `,"failure":{"templateName":"welcome","errorMessage":"Attribute 'name' is not present."}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventFailed, ID: id, Timestamp: snsAt},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectOther, Description: "Attribute 'name' is not present.",
			}},
		},
		{
			name: "delivery delay",
			record: `{"eventType":"DeliveryDelay","mail":` + sent + `,"deliveryDelay":{"timestamp":"2026-09-21T15:00:01.500Z","delayType":"MailboxFull","expirationTime":"2026-09-22T04:13:20.000Z",
				"delayedRecipients":[{"emailAddress":"ada@example.com","status":"4.2.2","diagnosticCode":"smtp; 452 mailbox full"}]}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventDeferred, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", Description: "MailboxFull", MTAResponse: "452 mailbox full",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"},
			}},
		},
		{
			name:   "open by a bot",
			record: `{"eventType":"Open","mail":` + sent + `,"open":{"timestamp":"2026-09-21T15:00:01.500Z","userAgent":"Mozilla/5.0","ipAddress":"192.0.2.10","isBotEvent":"Likely"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventOpened, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"), Automated: anymail.Yes,
			}},
		},
		{
			name: "click",
			record: `{"eventType":"Click","mail":` + sent + `,"click":{"timestamp":"2026-09-21T15:00:01.500Z","userAgent":"Mozilla/5.0","ipAddress":"2001:db8::1",
				"link":"https://example.org/x?a=1&b=2","linkTags":null,"isBotEvent":"Unlikely"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("2001:db8::1"),
				ClickURL: "https://example.org/x?a=1&b=2", Automated: anymail.No,
			}},
		},
		{
			name: "notification of an identity: no tags, maybe no headers",
			record: `{"notificationType":"Bounce","mail":{"timestamp":"2026-09-21T14:13:20.123Z","source":"shop@example.org","sourceIp":"192.0.2.7","callerIdentity":"mailer","messageId":"0102018f-m1","destination":["ada@example.com"]},
				"bounce":{"feedbackId":"f1","bounceType":"Transient","bounceSubType":"MailboxFull","timestamp":"2026-09-21T15:00:01.500Z","bouncedRecipients":[{"emailAddress":"ada@example.com"}]}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: id, Timestamp: at},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Description: "Transient: MailboxFull",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			}},
		},
		{
			name: "EventBridge's envelope has the id",
			record: `{"version":"0","id":"77777777-8888-4999-aaaa-bbbbbbbbbbbb","detail-type":"Email Rejected","source":"aws.ses","time":"2026-09-21T15:00:01Z",
				"detail":{"eventType":"Reject","mail":` + sent + `,"reject":{"reason":"Bad content"}}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: "77777777-8888-4999-aaaa-bbbbbbbbbbbb", Timestamp: time.Date(2026, 9, 21, 15, 0, 1, 0, time.UTC)},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", RejectReason: anymail.RejectBlocked, Description: "Bad content",
			}},
		},
		{
			name:   "EventBridge with what is about no message",
			record: `{"version":"0","id":"e2","detail-type":"Sending Status Disabled","source":"aws.ses","time":"2026-09-21T15:00:01Z","detail":{"version":"1.0.0","data":{}}}`,
			want: []anymail.TrackingEvent{{
				Common:      anymail.Common{Type: anymail.EventUnknown, ID: "e2", Timestamp: time.Date(2026, 9, 21, 15, 0, 1, 0, time.UTC)},
				Description: "Sending Status Disabled",
			}},
		},
		{
			name:   "an event that does not exist yet",
			record: `{"eventType":"Teleported","mail":` + sent + `,"teleported":{"timestamp":"2026-09-21T15:00:01.500Z"}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventUnknown, ID: id, Timestamp: snsAt},
				MessageID: "0102018f-m1", Recipient: "ada@example.com", Description: "Teleported",
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := tracking(t, tt.record)
			require.Len(t, events, len(tt.want))
			for i, want := range tt.want {
				want.ESP = amazonses.ESP
				anymailtest.Equal(t, &want, events[i])
				require.Equal(t, tt.record, string(events[i].Raw))
			}
		})
	}
}

func TestBounceTypes(t *testing.T) {
	// https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-object
	tests := map[string]struct {
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}{
		"Undetermined/Undetermined":           {anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
		"Permanent/General":                   {anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		"Permanent/NoEmail":                   {anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		"Permanent/Suppressed":                {anymail.EventRejected, anymail.RejectBounced, ""},
		"Permanent/OnAccountSuppressionList":  {anymail.EventRejected, anymail.RejectBlocked, ""},
		"Permanent/OnTenantSuppressionList":   {anymail.EventRejected, anymail.RejectBlocked, ""},
		"Permanent/EmailValidationSuppressed": {anymail.EventRejected, anymail.RejectInvalid, ""},
		"Permanent/UnsubscribedRecipient":     {anymail.EventRejected, anymail.RejectUnsubscribed, ""},
		"Transient/General":                   {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"Transient/MailboxFull":               {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"Transient/MessageTooLarge":           {anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft},
		"Transient/CustomTimeoutExceeded":     {anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		"Transient/ContentRejected":           {anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock},
		"Transient/AttachmentRejected":        {anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		"Permanent/Vanished":                  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		"Transient/Vanished":                  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"Vanished/Vanished":                   {anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
	}
	for name, want := range tests {
		typ, sub, _ := strings.Cut(name, "/")
		events := tracking(t, fmt.Sprintf(`{"eventType":"Bounce","mail":%s,"bounce":{"bounceType":%q,"bounceSubType":%q,"bouncedRecipients":[{"emailAddress":"ada@example.com"}]}}`, sent, typ, sub))
		require.Len(t, events, 1, name)
		require.Equal(t, want.typ, events[0].Type, name)
		require.Equal(t, want.reason, events[0].RejectReason, name)
		require.Equal(t, want.category, events[0].Bounce.Category, name)
		switch sub {
		case "General", "MailboxFull", "Undetermined", "Vanished":
			sub = map[string]string{"Permanent": "Permanent, other subtypes", "Transient": "Transient, other subtypes"}[typ]
			if sub == "" {
				sub = "types that are not known"
			}
		}
		espdoc.Row(t, amazonses.ESP, sub, events[0])
	}
}

// The page says what the adapter does.
func TestPage(t *testing.T) {
	for words, record := range map[string]string{
		"Send":                                `"eventType":"Send"`,
		"Delivery":                            `"eventType":"Delivery"`,
		"Complaint":                           `"eventType":"Complaint"`,
		"not-spam":                            `"eventType":"Complaint","complaint":{"complaintFeedbackType":"not-spam"}`,
		"Reject":                              `"eventType":"Reject"`,
		"Rendering Failure":                   `"eventType":"Rendering Failure"`,
		"Open":                                `"eventType":"Open"`,
		"Click":                               `"eventType":"Click"`,
		"opting out of something":             `"eventType":"Subscription","subscription":{"newTopicPreferences":{"unsubscribeAll":true}}`,
		"Subscription, opting in":             `"eventType":"Subscription","subscription":{"oldTopicPreferences":{"unsubscribeAll":true}}`,
		"anything else":                       `"eventType":"Teleported"`,
		"Complaint: OnAccountSuppressionList": `"eventType":"Complaint","complaint":{"complaintSubType":"OnAccountSuppressionList"}`,
	} {
		espdoc.Row(t, amazonses.ESP, words, tracking(t, "{"+record+"}")[0])
	}
}

func TestDelayTypes(t *testing.T) {
	for delay, want := range map[string]anymail.BounceCategory{
		"InternalFailure":                anymail.BounceSoft,
		"General":                        anymail.BounceSoft,
		"MailboxFull":                    anymail.BounceSoft,
		"SpamDetected":                   anymail.BounceBlock,
		"RecipientServerError":           anymail.BounceSoft,
		"IPFailure":                      anymail.BounceBlock,
		"TransientCommunicationFailure":  anymail.BounceSoft,
		"BYOIPHostNameLookupUnavailable": anymail.BounceSoft,
		"SendingDeferral":                anymail.BounceBlock,
		"Undetermined":                   anymail.BounceSoft,
	} {
		events := tracking(t, fmt.Sprintf(`{"eventType":"DeliveryDelay","mail":%s,"deliveryDelay":{"delayType":%q,"delayedRecipients":[{"emailAddress":"ada@example.com"}]}}`, sent, delay))
		require.Len(t, events, 1, delay)
		require.Equal(t, anymail.EventDeferred, events[0].Type, delay)
		require.Empty(t, events[0].RejectReason, delay)
		require.Equal(t, want, events[0].Bounce.Category, delay)
		words := "DeliveryDelay, other types"
		if want == anymail.BounceBlock {
			words = delay
		}
		espdoc.Row(t, amazonses.ESP, words, events[0])
	}
}

func TestSpellings(t *testing.T) {
	// The documents' lists, the samples and the API each have their own.
	for spelling, want := range map[string]anymail.EventType{
		"Rendering Failure": anymail.EventFailed, "RenderingFailure": anymail.EventFailed, "RENDERING_FAILURE": anymail.EventFailed,
		"DeliveryDelay": anymail.EventDeferred, "DELIVERY_DELAY": anymail.EventDeferred, "SEND": anymail.EventSent,
	} {
		events := tracking(t, fmt.Sprintf(`{"eventType":%q,"mail":%s}`, spelling, sent))
		require.Len(t, events, 1, spelling)
		require.Equal(t, want, events[0].Type, spelling)
	}
}

func TestSubscriptionEvents(t *testing.T) {
	const (
		in      = `{"unsubscribeAll":false,"topicSubscriptionStatus":[{"topicName":"weekly","subscriptionStatus":"OptIn"}]}`
		out     = `{"unsubscribeAll":false,"topicSubscriptionStatus":[{"topicName":"weekly","subscriptionStatus":"OptOut"}]}`
		apiOut  = `{"unsubscribeAll":false,"topicSubscriptionStatus":[{"topicName":"weekly","subscriptionStatus":"OPT_OUT"}]}`
		swapped = `{"unsubscribeAll":false,"topicSubscriptionStatus":[{"topicName":"daily","subscriptionStatus":"OptOut"},{"topicName":"weekly","subscriptionStatus":"OptIn"}]}`
		all     = `{"unsubscribeAll":true,"topicSubscriptionStatus":[]}`
	)
	tests := []struct {
		name     string
		old, now string
		want     anymail.EventType
		reason   anymail.RejectReason
	}{
		{"from everything", in, all, anymail.EventUnsubscribed, anymail.RejectUnsubscribed},
		{"from a topic", in, out, anymail.EventUnsubscribed, anymail.RejectUnsubscribed},
		{"spelled as in the API", in, apiOut, anymail.EventUnsubscribed, anymail.RejectUnsubscribed},
		{"from one topic to another", out, swapped, anymail.EventUnsubscribed, anymail.RejectUnsubscribed},
		{"to a topic", out, in, anymail.EventSubscribed, ""},
		{"back from everything", all, `{"unsubscribeAll":false}`, anymail.EventSubscribed, ""},
		{"nothing has changed", in, in, anymail.EventUnknown, ""},
		{"no preferences, as PHP writes it", `[]`, `[]`, anymail.EventUnknown, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := tracking(t, `{"eventType":"Subscription","mail":`+sent+`,"subscription":{"contactList":"News","timestamp":"2026-09-21T16:02:00.000Z","source":"UnsubscribeHeader",
				"newTopicPreferences":`+tt.now+`,"oldTopicPreferences":`+tt.old+`}}`)
			require.Len(t, events, 1)
			require.Equal(t, tt.want, events[0].Type)
			require.Equal(t, tt.reason, events[0].RejectReason)
			require.Equal(t, "News", events[0].Description)
			require.Equal(t, "ada@example.com", events[0].Recipient)
		})
	}
}

func TestStrangeMessages(t *testing.T) {
	for _, message := range []string{`hello from the console`, `{"eventType":"Bounce","bounce":[[[`, `{"eventType":42}`, `[]`, ``} {
		events := tracking(t, message)
		require.Len(t, events, 1, message)
		require.Equal(t, anymail.EventUnknown, events[0].Type, message)
		require.Contains(t, events[0].Description, "malformed", message)
		require.Equal(t, message, string(events[0].Raw))
		require.Equal(t, id, events[0].ID)
	}
	require.Empty(t, tracking(t, "Successfully validated SNS topic for Amazon SES event publishing."))

	adapter, err := amazonses.New(amazonses.Config{})
	require.NoError(t, err)
	_, err = simulator.Parse(adapter, simulator.JSON("tracking", []byte(`{"eventType":"Send"}`)))
	require.ErrorIs(t, err, anymail.ErrMalformed, "without AcceptUnsigned a record is not taken for itself")
}

func TestTooManyRecipients(t *testing.T) {
	adapter, err := amazonses.New(amazonses.Config{})
	require.NoError(t, err)
	r := notify(t, `{"eventType":"Send","mail":{"destination":["a@example.com","b@example.com","c@example.com"]}}`)
	p := &anymail.Payload{Body: r.Body, Limits: anymail.Limits{BatchEvents: 2}}
	_, err = adapter.Endpoints()[0].Parser.ParseEvents(t.Context(), p)
	require.ErrorIs(t, err, anymail.ErrTooLarge)
}

// testCertificate makes a certificate in PEM.
func testCertificate(t *testing.T, validity time.Duration, key crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(validity)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestTestCertificates(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	const day = 24 * time.Hour
	good := testCertificate(t, 30*day, rsaKey)
	tests := []struct {
		name   string
		config amazonses.Config
		want   string
	}{
		{"30 days", amazonses.Config{InsecureTestCertificates: []string{good}}, ""},
		{"31 days", amazonses.Config{InsecureTestCertificates: []string{good, testCertificate(t, 31*day, rsaKey)}}, "InsecureTestCertificates[1]: must not be valid for more than 30 days"},
		{"not RSA", amazonses.Config{InsecureTestCertificates: []string{testCertificate(t, day, ecKey)}}, "InsecureTestCertificates[0]: must have an RSA key"},
		{"not PEM", amazonses.Config{InsecureTestCertificates: []string{"s3cret"}}, "InsecureTestCertificates[0]: must be a certificate in PEM"},
		{"not a certificate", amazonses.Config{InsecureTestCertificates: []string{"-----BEGIN CERTIFICATE-----\nczNjcmV0\n-----END CERTIFICATE-----\n"}}, "InsecureTestCertificates[0]: must be a certificate in PEM"},
		{"empty", amazonses.Config{InsecureTestCertificates: []string{""}}, "InsecureTestCertificates[0]: must be a certificate in PEM"},
		{"with Roots", amazonses.Config{InsecureTestCertificates: []string{good}, Roots: x509.NewCertPool()}, "InsecureTestCertificates[0]: must not be set together with Roots"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter, err := amazonses.New(tt.config)
			if tt.want != "" {
				require.ErrorIs(t, err, anymail.ErrConfig)
				require.ErrorContains(t, err, tt.want)
				require.NotContains(t, err.Error(), "s3cret")
				return
			}
			require.NoError(t, err)
			for _, ep := range adapter.Endpoints() {
				require.True(t, ep.TestOnly, ep.Path)
			}
			for _, production := range []bool{false, true} {
				options := []anymail.Option{anymail.WithSharedSecret(anymailtest.SharedSecret), anymail.WithLogger(slog.New(slog.DiscardHandler))}
				if production {
					options = append(options, anymail.RequireTLS())
				}
				d, err := anymail.New(options...)
				require.NoError(t, err)
				require.Equal(t, production, errors.Is(d.Register("amazonses", adapter), anymail.ErrConfig))
			}
		})
	}
	adapter, err := amazonses.New(amazonses.Config{})
	require.NoError(t, err)
	require.False(t, adapter.Endpoints()[0].TestOnly)
}

// An adapter that fetches nothing from the simulator accepts its messages, of the
// user's own topic in any partition, if their certificate is configured.
func TestSimulatorAndTestCertificate(t *testing.T) {
	sim := amazonsessim.New()
	ours, other := sim.NewCredential(), sim.NewCredential()
	for _, own := range []string{"arn:aws:sns:us-east-1:111122223333:shop", "arn:aws-cn:sns:cn-north-1:111122223333:shop"} {
		offline := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("offline") })}
		adapter, err := amazonses.New(amazonses.Config{TopicARNs: []string{own}, InsecureTestCertificates: []string{ours.Config}, Client: offline})
		require.NoError(t, err)
		s := anymailtest.NewServerFor(t, sim, adapter)
		sample, ok := sim.SampleOf(anymail.EventDelivered)
		require.True(t, ok)
		p := simulator.NewParams()
		p.Topic = own
		s.Credential = ours
		require.Len(t, s.Send(t, sample, p), 1)

		status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
		require.Equal(t, http.StatusBadRequest, status, "another topic")
		s.Credential = other
		status, _ = s.Post(t, s.Prepare(t, sample, p))
		require.Equal(t, http.StatusServiceUnavailable, status, "another certificate, which is out of reach")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestKeys: each recipient has a key of its own, and a bounce has the same one
// whichever of SES's two ways it comes.
func TestKeys(t *testing.T) {
	sim := amazonsessim.New()
	s := anymailtest.NewServer(t, sim)
	p := simulator.NewParams()
	two, _ := sim.Sample("Bounce of two recipients")
	events := s.Send(t, two, p)
	require.Len(t, events, 2)
	require.NotEqual(t, events[0].Base().Key, events[1].Base().Key)
	require.Equal(t, events[0].Base().ID, events[1].Base().ID)

	p = simulator.NewParams()
	published, _ := sim.Sample("Bounce Permanent NoEmail")
	older, _ := sim.Sample("notification Bounce")
	older.Make = altered(older.Make, func(m map[string]string) { m["MessageId"] = "99999999-2222-5333-8444-555555555555" })
	first := s.Send(t, published, p)
	require.Len(t, first, 1)
	require.Empty(t, s.Send(t, older, p), "it was delivered already")
	again := anymailtest.NewServer(t, sim).Send(t, older, p)
	require.Len(t, again, 1)
	require.Equal(t, first[0].Base().Key, again[0].Base().Key)
	require.NotEqual(t, first[0].Base().ID, again[0].Base().ID)
}

// altered changes what SNS posts, before it is signed.
func altered(made func(simulator.Params) simulator.Request, change func(map[string]string)) func(simulator.Params) simulator.Request {
	return func(p simulator.Params) simulator.Request {
		r := made(p)
		var m map[string]string
		if err := json.Unmarshal(r.Body, &m); err != nil {
			panic(err)
		}
		change(m)
		r.Body, _ = json.Marshal(m)
		return r
	}
}

// TestEventsShareNothing: a receiver may change what it is given.
func TestEventsShareNothing(t *testing.T) {
	events := tracking(t, `{"eventType":"Send","mail":{"messageId":"m1","destination":["ada@example.com","bob@example.com"],
		"headers":[{"name":"X-Tag","value":"welcome"}],"tags":{"campaign":["autumn"]}}}`)
	require.Len(t, events, 2)
	events[0].Tags[0], events[0].Metadata["campaign"] = "changed", "changed"
	require.Equal(t, []string{"welcome"}, events[1].Tags)
	require.Equal(t, anymail.Metadata{"campaign": "autumn"}, events[1].Metadata)
}

func TestRedelivery(t *testing.T) {
	sim := amazonsessim.New()
	s := anymailtest.NewServer(t, sim)
	sample, _ := sim.Sample("Delivery")
	request := s.Prepare(t, sample, simulator.NewParams())
	for i := range 2 { // SNS delivers at least once, each time the very same
		status, _ := s.Post(t, request)
		require.Equal(t, http.StatusOK, status)
		require.Len(t, s.Take(), 1-i)
	}
}

// cloud is the made-up AWS with an account of what was asked of it.
type cloud struct {
	amazonsessim.AWS
	mu   sync.Mutex
	urls []string
}

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.urls = append(c.urls, r.URL.String())
	c.mu.Unlock()
	return c.AWS.RoundTrip(r)
}

// confirmations returns the GETs that have confirmed a subscription.
func (c *cloud) confirmations() (urls []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range c.urls {
		if strings.Contains(u, "Action=") {
			urls = append(urls, u)
		}
	}
	return urls
}

// simulator has the cloud's adapters with changed settings.
func (c *cloud) sim(change func(*amazonses.Config)) *simulator.Simulator {
	sim := c.Simulator()
	sim.NewAdapter = func(trusted ...simulator.Credential) (anymail.Adapter, error) {
		config, err := c.Config(trusted...)
		if err != nil {
			return nil, err
		}
		config.Client = &http.Client{Transport: c}
		if change != nil {
			change(&config)
		}
		return amazonses.New(config)
	}
	return sim
}

func TestSubscriptionConfirmation(t *testing.T) {
	withoutSecret := anymail.WithoutSharedSecret()
	var asked []string
	note := func(_ context.Context, m *sns.Message) error {
		asked = append(asked, m.TopicArn)
		return nil
	}
	tests := []struct {
		name    string
		change  func(*amazonses.Config)
		options []anymail.Option
		status  int
		gets    int
		asked   []string
	}{
		{name: "the shared secret proves that it is ours", status: 200, gets: 1},
		{name: "any topic, with the shared secret", change: func(c *amazonses.Config) { c.TopicARNs = nil }, status: 200, gets: 1},
		{name: "a listed topic and its signature are not enough", options: []anymail.Option{withoutSecret}, status: 400},
		{name: "the user decides", change: func(c *amazonses.Config) { c.OnSubscription = note }, status: 200, asked: []string{topic}},
		{
			name: "the user decides without a secret", change: func(c *amazonses.Config) { c.OnSubscription = note },
			options: []anymail.Option{withoutSecret}, status: 200, asked: []string{topic},
		},
		{
			name: "the user cannot decide yet",
			change: func(c *amazonses.Config) {
				c.OnSubscription = func(context.Context, *sns.Message) error { return errors.New("no") }
			},
			status: 500,
		},
		{name: "a topic that is not listed", change: func(c *amazonses.Config) { c.TopicARNs = []string{topic + "-2"} }, status: 400},
		{name: "a signature of version 1 if version 2 is wanted", change: func(c *amazonses.Config) { c.RequireSHA256 = true }, status: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked = nil
			var c cloud
			sim := c.sim(tt.change)
			s := anymailtest.NewServer(t, sim, tt.options...)
			sample, _ := sim.Sample("SubscriptionConfirmation")
			status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
			require.Equal(t, tt.status, status, s.Rejections.All())
			require.Len(t, c.confirmations(), tt.gets)
			require.Equal(t, tt.asked, asked)
			require.Empty(t, s.Take())
		})
	}
}

// TestSubscriptionElsewhere: SNS signs what it has made itself, so this cannot
// be; but what is signed is not asked for nonsense.
func TestSubscriptionElsewhere(t *testing.T) {
	for _, elsewhere := range []string{
		"https://internal.example.com/?Action=ConfirmSubscription&TopicArn=" + topic,
		"http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic,
		"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic,
		"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&TopicArn=" + topic,
		"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "-2",
	} {
		var c cloud
		sim := c.sim(nil)
		s := anymailtest.NewServer(t, sim)
		sample, _ := sim.Sample("SubscriptionConfirmation")
		sample.Make = altered(sample.Make, func(m map[string]string) { m["SubscribeURL"] = elsewhere })
		status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
		require.Equal(t, http.StatusBadRequest, status, elsewhere)
		require.Empty(t, c.confirmations(), elsewhere)
		require.ErrorIs(t, s.Rejections.All()[0].Err, anymail.ErrMalformed)
	}
}

func TestUnsubscribeConfirmationIsLogged(t *testing.T) {
	var log strings.Builder
	var c cloud
	sim := c.sim(func(config *amazonses.Config) { config.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	s := anymailtest.NewServer(t, sim)
	sample, _ := sim.Sample("UnsubscribeConfirmation")
	require.Empty(t, s.Send(t, sample, simulator.NewParams()))
	require.Empty(t, c.confirmations(), "its URL would subscribe again")
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), topic)
}

func TestUnsigned(t *testing.T) {
	accept := func(c *amazonses.Config) { c.AcceptUnsigned = true }
	record := `{"eventType":"Send","send":{},"mail":` + sent + `}`
	bridged := `{"version":"0","id":"e1","detail-type":"Email Sent","source":"aws.ses","time":"2026-09-21T15:00:01Z","detail":` + record + `}`
	raw := http.Header{"X-Amz-Sns-Rawdelivery": {"true"}, "X-Amz-Sns-Message-Id": {"m1"}, "X-Amz-Sns-Topic-Arn": {topic}}
	other := http.Header{"X-Amz-Sns-Rawdelivery": {"true"}, "X-Amz-Sns-Message-Id": {"m1"}, "X-Amz-Sns-Topic-Arn": {topic + "-2"}}
	notification := string(notify(t, record).Body)
	tests := []struct {
		name   string
		change func(*amazonses.Config)
		header http.Header
		body   string
		status int
		id     string
	}{
		{"raw", accept, raw, record, 200, "m1"},
		{"raw, not switched on", nil, raw, record, 400, ""},
		{"raw, from a topic that is not listed", accept, other, record, 400, ""},
		{"raw, malformed", accept, raw, `{"eventType":`, 400, ""},
		{"no sign of raw delivery", accept, http.Header{}, record, 400, ""},
		{"EventBridge", accept, http.Header{}, bridged, 200, "e1"},
		{"EventBridge, not switched on", nil, http.Header{}, bridged, 400, ""},
		{"what has the form of a signed message needs a signature", accept, raw, notification, 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c cloud
			s := anymailtest.NewServer(t, c.sim(tt.change))
			r := simulator.JSON("tracking", []byte(tt.body))
			r.Header = tt.header
			status, _ := s.Post(t, s.Address(t, r))
			require.Equal(t, tt.status, status, s.Rejections.All())
			events := s.Take()
			if tt.id == "" {
				require.Empty(t, events)
				return
			}
			require.Len(t, events, 1)
			require.Equal(t, tt.id, events[0].Base().ID)
			require.Equal(t, tt.body, string(events[0].Base().Raw))
		})
	}
}

// The refusal of a request of raw message delivery says what it is.
func TestRawDeliveryIsNamed(t *testing.T) {
	const bounce = `{"notificationType":"Bounce","bounce":{"bounceType":"Permanent"},"mail":{"messageId":"m1"}}`
	header := func(values ...string) http.Header {
		h := http.Header{"Content-Type": {"text/plain"}, "X-Amz-Sns-Topic-Arn": {topic}}
		for _, value := range values {
			h.Set("X-Amz-Sns-Rawdelivery", value)
		}
		return h
	}
	tests := []struct {
		name           string
		acceptUnsigned bool
		secret         bool
		header         http.Header
		body           string
		want           string
	}{
		{"record", false, true, header("true"), bounce, "raw message delivery is switched on for this subscription: switch it off, or set AcceptUnsigned"},
		{"text", false, true, header("True"), `hello from the console`, "raw message delivery is switched on for this subscription: switch it off, or set AcceptUnsigned"},
		{"no secret", true, false, header("true"), bounce, "raw message delivery is switched on for this subscription: AcceptUnsigned needs the shared secret in the subscription's URL"},
		{"no raw delivery", false, true, header(), bounce, "not an SNS message"},
		{"raw delivery switched off", false, true, header("false"), bounce, "not an SNS message"},
		{"signed", false, true, header("true"), string(notify(t, bounce).Body), "no signature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter := esptest.New(t, amazonses.New, amazonses.Config{TopicARNs: []string{topic}, AcceptUnsigned: tt.acceptUnsigned})
			p := &anymail.Payload{Header: tt.header, Body: []byte(tt.body), SecretProved: tt.secret}
			_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), p)
			require.ErrorIs(t, err, anymail.ErrUnauthenticated)
			require.Equal(t, "not authenticated: "+tt.want, err.Error())
		})
	}
}

// Nothing is answered with success of which nothing was made, except what SNS and SES
// post to try a topic.
func TestNothing(t *testing.T) {
	for _, message := range []string{`{}`, `null`, `[]`, `{"hello":"world"}`} {
		events := tracking(t, message)
		require.Len(t, events, 1, message)
		require.Equal(t, anymail.EventUnknown, events[0].Type, message)
		require.Equal(t, message, string(events[0].Raw))
	}
	require.Empty(t, tracking(t, `{"notificationType":"AmazonSnsSubscriptionSucceeded","message":"You have successfully subscribed your Amazon SNS topic"}`))

	unsigned := esptest.New(t, amazonses.New, amazonses.Config{AcceptUnsigned: true})
	for _, body := range []string{`[]`, `null`, `7`} {
		_, err := simulator.Parse(unsigned, simulator.JSON("tracking", []byte(body)))
		require.ErrorIs(t, err, anymail.ErrMalformed, body)
	}
	for _, body := range []string{`{}`, `[{}]`, `{"hello":"world"}`} {
		events := anymailtest.Parse(t, unsigned, simulator.JSON("tracking", []byte(body)))
		require.Len(t, events, 1, body)
		require.Equal(t, anymail.EventUnknown, events[0].Base().Type, body)
	}
}

func TestUnsignedBatch(t *testing.T) {
	adapter := esptest.New(t, amazonses.New, amazonses.Config{AcceptUnsigned: true})
	r := simulator.JSON("tracking", []byte(`[{"eventType":"Send","mail":{"messageId":"m1"}},{"eventType":"Send","mail":{"messageId":"m2"}}]`))
	r.Header.Set("X-Amz-Sns-Message-Id", "m1")
	events := anymailtest.Parse(t, adapter, r)
	require.Len(t, events, 2)
	for _, ev := range events {
		require.Empty(t, ev.Base().ID, "one id for two events would be the same key")
	}
}

// storage is an S3 with one answer.
type storage struct {
	content string
	err     error
	asked   string
}

func (s *storage) GetObject(_ context.Context, bucket, key string) (io.ReadCloser, error) {
	s.asked = bucket + "/" + key
	if s.err != nil {
		return nil, s.err
	}
	return io.NopCloser(strings.NewReader(s.content)), nil
}

const mime = "From: Bob <bob@example.com>\r\nTo: in@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <in1@example.com>\r\nDate: Mon, 21 Sep 2026 16:13:00 +0200\r\n\r\nHello\r\n"

func received(receipt, content string) string {
	return `{"notificationType":"Received","mail":{"timestamp":"2026-09-21T14:13:20.123Z","source":"bounce@example.com","messageId":"inb0001","destination":["in@example.org"],"headersTruncated":false,
		"headers":[{"name":"From","value":"Bob <bob@example.com>"},{"name":"Subject","value":"=?utf-8?q?Gr=C3=BC=C3=9Fe?="},{"name":"Received","value":"a"},{"name":"Received","value":"b"}],
		"commonHeaders":{"from":["Bob <bob@example.com>"],"subject":"unused"}},"receipt":` + receipt + content + `}`
}

func TestInbound(t *testing.T) {
	const verdicts = `"recipients":["in@example.org","also@example.org"],"spamVerdict":{"status":"FAIL"},"virusVerdict":{"status":"PASS"},
		"spfVerdict":{"status":"PASS"},"dkimVerdict":{"status":"GRAY"},"dmarcVerdict":{"status":"PROCESSING_FAILED"}`
	whole := anymail.InboundMessage{
		EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "in@example.org", EnvelopeRecipients: []string{"in@example.org", "also@example.org"},
		From: []anymail.Address{{Name: "Bob", Address: "bob@example.com"}}, To: []anymail.Address{{Address: "in@example.org"}},
		Subject: "Grüße", MessageID: "in1@example.com", Date: time.Date(2026, 9, 21, 14, 13, 0, 0, time.UTC),
		Headers: anymail.Headers{
			{Name: "From", Value: "Bob <bob@example.com>"}, {Name: "To", Value: "in@example.org"}, {Name: "Subject", Value: "Grüße"},
			{Name: "Message-ID", Value: "<in1@example.com>"}, {Name: "Date", Value: "Mon, 21 Sep 2026 16:13:00 +0200"},
		},
		Text: "Hello\r\n", RawMIME: anymail.Raw(mime),
		SpamDetected: anymail.Yes, Authentication: anymail.Authentication{SPF: "pass", DKIM: "none", DMARC: "temperror"},
	}
	headers := anymail.InboundMessage{
		EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "in@example.org", EnvelopeRecipients: []string{"in@example.org", "also@example.org"},
		From: []anymail.Address{{Name: "Bob", Address: "bob@example.com"}}, Subject: "Grüße",
		Headers: anymail.Headers{
			{Name: "From", Value: "Bob <bob@example.com>"}, {Name: "Subject", Value: "Grüße"}, {Name: "Received", Value: "a"}, {Name: "Received", Value: "b"},
		},
		SpamDetected: anymail.Yes, Authentication: anymail.Authentication{SPF: "pass", DKIM: "none", DMARC: "temperror"},
	}
	quoted, err := json.Marshal(mime)
	require.NoError(t, err)
	base64 := `,"content":"` + base64.StdEncoding.EncodeToString([]byte(mime)) + `"`
	const s3 = `{` + verdicts + `,"action":{"type":"S3","bucketName":"mail","objectKeyPrefix":"in/","objectKey":"in/inb0001"}}`
	tests := []struct {
		name   string
		s3     *storage
		limit  int64
		record string
		typ    anymail.EventType
		want   anymail.InboundMessage
	}{
		{name: "SNS action, as on the wire", record: received(`{`+verdicts+`,"action":{"type":"SNS","encoding":"BASE64"}}`, base64), want: whole},
		{name: "SNS action, as in the settings", record: received(`{`+verdicts+`,"action":{"type":"SNS","encoding":"Base64"}}`, base64), want: whole},
		{name: "SNS action, UTF-8", record: received(`{`+verdicts+`,"action":{"type":"SNS","encoding":"UTF8"}}`, `,"content":`+string(quoted)), want: whole},
		{name: "SNS action, UTF-8 by default", record: received(`{`+verdicts+`,"action":{"type":"SNS"}}`, `,"content":`+string(quoted)), want: whole},
		{name: "SNS action of Mail Manager", record: received(`{`+verdicts+`,"action":{"type":"SNS","encoding":"BASE64","payloadType":"CONTENT"}}`, base64), want: whole},
		{name: "SNS action of Mail Manager, UTF-8", record: received(`{`+verdicts+`,"action":{"type":"SNS","encoding":"UTF-8","payloadType":"CONTENT"}}`, `,"content":`+string(quoted)), want: whole},
		{name: "SNS action of Mail Manager, headers alone", record: received(`{`+verdicts+`,"action":{"type":"SNS","encoding":"UTF-8","payloadType":"HEADERS"}}`, ""), want: headers},
		{name: "S3 action", s3: &storage{content: mime}, record: received(s3, ""), want: whole},
		{name: "S3 action, gone", s3: &storage{err: fmt.Errorf("no such key: %w", fs.ErrNotExist)}, record: received(s3, ""), typ: anymail.EventInboundFailed, want: headers},
		{name: "S3 action, too large", s3: &storage{content: mime}, limit: 10, record: received(s3, ""), typ: anymail.EventInboundFailed, want: headers},
		{name: "another action", record: received(`{`+verdicts+`,"action":{"type":"WorkMail"}}`, ""), want: headers},
		{
			name: "common headers alone",
			record: `{"notificationType":"Received","mail":{"timestamp":"2026-09-21T14:13:20.123Z","source":"","messageId":"inb0001","commonHeaders":{"returnPath":"bob@example.com","from":["Bob <bob@example.com>"],
				"to":["in@example.org","Eve <eve@example.org>"],"date":"Mon, 21 Sep 2026 16:13:00 +0200","messageId":"<in1@example.com>","subject":"Hi"}},"receipt":{"recipients":["in@example.org"],"action":{"type":"Stop"},
				"spamVerdict":{"status":"DISABLED"}}}`,
			want: anymail.InboundMessage{
				EnvelopeRecipient: "in@example.org", EnvelopeRecipients: []string{"in@example.org"},
				From:    []anymail.Address{{Name: "Bob", Address: "bob@example.com"}},
				To:      []anymail.Address{{Address: "in@example.org"}, {Name: "Eve", Address: "eve@example.org"}},
				Subject: "Hi", MessageID: "in1@example.com", Date: time.Date(2026, 9, 21, 14, 13, 0, 0, time.UTC),
				Headers: anymail.Headers{
					{Name: "Return-Path", Value: "bob@example.com"}, {Name: "From", Value: "Bob <bob@example.com>"}, {Name: "To", Value: "in@example.org, Eve <eve@example.org>"},
					{Name: "Subject", Value: "Hi"}, {Name: "Date", Value: "Mon, 21 Sep 2026 16:13:00 +0200"}, {Name: "Message-ID", Value: "<in1@example.com>"},
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := amazonses.Config{Buckets: []string{"mail"}}
			if tt.s3 != nil {
				config.Objects = tt.s3
			}
			adapter := esptest.New(t, amazonses.New, config)
			p := &anymail.Payload{Body: notify(t, tt.record).Body, Limits: anymail.Limits{Fetch: tt.limit}}
			events, err := adapter.Endpoints()[1].Parser.ParseEvents(t.Context(), p)
			require.NoError(t, err)
			require.Len(t, events, 1)
			ev := events[0].(*anymail.InboundEvent)
			want := &anymail.InboundEvent{Common: anymail.Common{
				Type: tt.typ, ID: "inb0001", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC),
			}, Message: tt.want}
			if want.Type == "" {
				want.Type = anymail.EventInbound
			}
			anymailtest.Equal(t, want, ev)
			require.Equal(t, tt.record, string(ev.Raw))
			if tt.s3 != nil {
				require.Equal(t, "mail/in/inb0001", tt.s3.asked)
			}
		})
	}
}

// A message that cannot be read is reported, with what can be read of it.
func TestInboundFailed(t *testing.T) {
	tests := []struct {
		name, record string
		id, subject  string
		recipient    string
	}{
		{"not base64", received(`{"recipients":["in@example.org"],"action":{"type":"SNS","encoding":"BASE64"}}`, `,"content":"***"`), "inb0001", "Grüße", "in@example.org"},
		{"no content that is text", received(`{"recipients":["in@example.org"]}`, `,"content":[1]`), "inb0001", "Grüße", "in@example.org"},
		{"no receipt that is an object", received(`"none"`, ``), "inb0001", "Grüße", ""},
		{"id that is no text", `{"notificationType":"Received","mail":{"messageId":{},"headers":[{"name":"Subject","value":"Hi"}]},"receipt":{"recipients":["in@example.org"]}}`, id, "Hi", "in@example.org"},
		{"no mail", `{"notificationType":"Received"}`, id, "", ""},
		{"in EventBridge's envelope", `{"id":"e1","detail-type":"Email Received","detail":` + received(`7`, ``) + `}`, "inb0001", "Grüße", ""},
	}
	keys := map[string]string{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := parse(t, amazonses.Config{}, tt.record)
			require.NoError(t, err)
			require.Len(t, events, 1)
			ev := events[0].(*anymail.InboundEvent)
			require.Equal(t, anymail.EventInboundFailed, ev.Type)
			require.Equal(t, tt.record, string(ev.Raw))
			require.Equal(t, tt.id, ev.ID)
			require.Equal(t, tt.subject, ev.Message.Subject)
			require.Equal(t, tt.recipient, ev.Message.EnvelopeRecipient)
			require.Empty(t, keys[ev.Key], "one key for two")
			keys[ev.Key] = tt.name
		})
	}
	empty := &storage{}
	events, err := parse(t, amazonses.Config{Objects: empty, Buckets: []string{"mail"}}, received(`{"action":{"type":"S3","bucketName":"mail","objectKey":"in/inb0001"}}`, ""))
	require.NoError(t, err)
	require.Equal(t, anymail.EventInboundFailed, events[0].Base().Type, "an empty object")
}

func TestInboundCannotBeFetched(t *testing.T) {
	stored := func(bucket string) string {
		return received(`{"recipients":["in@example.org"],"action":{"type":"S3","bucketName":"`+bucket+`","objectKey":"in/inb0001"}}`, "")
	}
	_, err := parse(t, amazonses.Config{}, stored("mail"))
	require.ErrorIs(t, err, anymail.ErrConfig, "nothing to fetch with")

	s3 := &storage{content: mime}
	_, err = parse(t, amazonses.Config{Objects: s3, Buckets: []string{"mail"}}, stored("somebody-elses"))
	require.ErrorIs(t, err, anymail.ErrConfig)
	require.Empty(t, s3.asked, "a bucket that is not listed")

	down := errors.New("connection refused")
	_, err = parse(t, amazonses.Config{Objects: &storage{err: down}, Buckets: []string{"mail"}}, stored("mail"))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.ErrorIs(t, err, down)
}

// TestInboundWithoutContent: the notification of another action has another
// key than the one that brings the message.
func TestInboundWithoutContent(t *testing.T) {
	sim := amazonsessim.New()
	s := anymailtest.NewServer(t, sim)
	p := simulator.NewParams()
	for _, name := range []string{"Received Lambda", "Received SNS base64"} {
		sample, _ := sim.Sample(name)
		require.Len(t, s.Send(t, sample, p), 1, name)
	}
	sample, _ := sim.Sample("Received S3")
	require.Empty(t, s.Send(t, sample, p), "the same message again")
}

// TestEitherEndpoint: a topic on the other URL is not a mistake.
func TestEitherEndpoint(t *testing.T) {
	sim := amazonsessim.New()
	s := anymailtest.NewServer(t, sim)
	for name, endpoint := range map[string]string{"Click": "inbound", "Received SNS base64": "tracking"} {
		sample, _ := sim.Sample(name)
		made := sample.Make
		sample.Make = func(p simulator.Params) simulator.Request {
			r := made(p)
			r.Endpoint = endpoint
			return r
		}
		events := s.Send(t, sample, simulator.NewParams())
		require.Len(t, events, 1)
		require.Equal(t, sample.Types[0], events[0].Base().Type)
	}
}

func TestChallenge(t *testing.T) {
	sim := amazonsessim.New()
	s := anymailtest.NewServer(t, sim)
	sample, _ := sim.Sample("Send")
	request := s.Prepare(t, sample, simulator.NewParams())
	request.Header.Del("Authorization") // as in the first attempt of SNS
	req, err := request.HTTP()
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.True(t, strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic realm="))
	require.Empty(t, s.Take())
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, amazonses.New, map[string]amazonses.Config{
		"not an ARN":            {TopicARNs: []string{"mail"}},
		"ARN of something else": {TopicARNs: []string{"arn:aws:sqs:eu-west-1:123456789012:mail"}},
		"no buckets":            {Objects: new(storage)},
	})
	for name, tt := range map[string]struct {
		config amazonses.Config
		secret bool
		ok     bool
	}{
		"nothing":               {amazonses.Config{}, false, false},
		"secret":                {amazonses.Config{}, true, true},
		"topic":                 {amazonses.Config{TopicARNs: []string{topic}}, false, true},
		"topic, unsigned":       {amazonses.Config{TopicARNs: []string{topic}, AcceptUnsigned: true}, false, false},
		"secret, unsigned":      {amazonses.Config{AcceptUnsigned: true}, true, true},
		"topics of all regions": {amazonses.Config{TopicARNs: []string{"arn:aws-cn:sns:cn-north-1:123456789012:a", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:b"}}, false, true},
	} {
		var options []anymail.Option
		if tt.secret {
			options = append(options, anymail.WithSharedSecret(anymailtest.SharedSecret))
		}
		d, err := anymail.New(options...)
		require.NoError(t, err)
		adapter, err := amazonses.New(tt.config)
		require.NoError(t, err, name)
		err = d.Register(amazonses.ESP, adapter)
		if tt.ok {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, anymail.ErrConfig, name)
		}
	}
}

// TestStatuses: a 4xx would make SNS give up on what a retry can fix.
func TestStatuses(t *testing.T) {
	sim := amazonsessim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24")))
	sample, _ := sim.Sample("Send")
	status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.ErrorIs(t, s.Rejections.All()[0].Err, anymail.ErrForbidden)
}

func TestWindow(t *testing.T) {
	sim := amazonsessim.New()
	sample, _ := sim.Sample("Delivery")
	for age, want := range map[time.Duration]int{
		time.Hour:      http.StatusOK, // the longest that a topic's retry policy can be
		-time.Minute:   http.StatusOK,
		24 * time.Hour: http.StatusBadRequest,
	} {
		s := anymailtest.NewServer(t, sim)
		p := simulator.NewParams()
		p.Time = p.Time.Add(-age)
		r := s.Address(t, sample.Make(p))
		require.NoError(t, sim.Sign(&r, s.Credential, p.Time))
		status, _ := s.Post(t, r)
		require.Equal(t, want, status, age)
	}
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, amazonsessim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, amazonsessim.New(), "inbound") }

// FuzzUnsigned reaches the record without an envelope around it.
func FuzzUnsigned(f *testing.F) {
	sim := amazonsessim.NewUnsigned()
	for _, s := range sim.Samples { // one endpoint is as good as the other
		if s.Endpoint == "inbound" {
			r := s.Make(simulator.NewParams())
			f.Add(r.Header.Get("Content-Type"), r.Body)
		}
	}
	anymailtest.FuzzParser(f, sim, "tracking")
}

func Example() {
	d, err := anymail.New(anymail.WithSharedSecret("webhook:Not-4-Production-use"))
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := amazonses.New(amazonses.Config{
		TopicARNs: []string{"arn:aws:sns:eu-west-1:123456789012:mail"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("amazonses", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason, ev.Bounce.Category)
		return nil
	}, anymail.ForTypes(anymail.EventBounced))
	fmt.Println(d.Tracking.Receivers(), err)
	// Output: [suppress] <nil>
}

// A topic without a shared secret in its URL: the subscription is confirmed
// if the user says so, here by hand.
func ExampleConfig_onSubscription() {
	adapter, err := amazonses.New(amazonses.Config{
		TopicARNs: []string{"arn:aws:sns:eu-west-1:123456789012:mail"},
		OnSubscription: func(_ context.Context, m *sns.Message) error {
			fmt.Println("to confirm:", m.SubscribeURL)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Register("amazonses", adapter))
	// Output: <nil>
}
