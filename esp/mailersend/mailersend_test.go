package mailersend_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailersend"
	"github.com/goanymail/anymail/esp/mailersend/mailersendsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailersendsim.New()) }

// parse gives a body to an endpoint's parser.
func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailersend.New, mailersend.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 123456000, time.UTC)
	whole := at.Truncate(time.Second)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "version 2, recipient as posted",
			body: `{"type":"activity.sent","created_at":"2026-09-21T14:13:20.123456Z","data":{"id":"ev1","domain_id":"d1","message_id":"m1","email_id":"em1",
				"type":"sent","subject":"Hi","recipient":"ada@example.com","tags":["welcome","eu"],"meta":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventSent, ID: "ev1", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", Tags: []string{"welcome", "eu"},
			},
		},
		{
			name: "version 2, recipient as documented",
			body: `{"type":"activity.delivered","created_at":"2026-09-21T14:13:20.123456Z","data":{"id":"ev2","message_id":"m1","type":"delivered","email":"ada@example.com","tags":null,"meta":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: "ev2", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com",
			},
		},
		{
			name: "version 2 hard bounce",
			body: `{"type":"activity.hard_bounced","created_at":"2026-09-21T14:13:20.123456Z","data":{"id":"ev3","message_id":"m1","recipient":"nobody@example.com",
				"meta":{"bounce_code":550,"bounce_reason":"5.1.1 no such user"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "ev3", Timestamp: at},
				MessageID: "m1", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "5.1.1 no such user", MTAResponse: "5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "version 2 soft bounce with the code as text",
			body: `{"type":"activity.soft_bounced","data":{"id":"ev4","recipient":"full@example.com","meta":{"bounce_code":"452","bounce_reason":"mailbox full"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "ev4"},
				Recipient: "full@example.com", RejectReason: anymail.RejectBounced, Description: "mailbox full", MTAResponse: "mailbox full",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452},
			},
		},
		{
			name: "deferred",
			body: `{"type":"activity.deferred","data":{"id":"ev5","recipient":"ada@example.com","meta":{"reject_reason":"421 4.7.0 try later"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, ID: "ev5"},
				Recipient: "ada@example.com", Description: "421 4.7.0 try later", MTAResponse: "421 4.7.0 try later",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421, EnhancedCode: "4.7.0"},
			},
		},
		{
			name: "version 2 click, slashes escaped",
			body: `{"type":"activity.clicked","data":{"id":"ev6","recipient":"ada@example.com","meta":{"url":"https:\/\/example.com\/a?b=1","user_agent":"Mozilla","ip":"2001:db8::7"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "ev6"},
				Recipient: "ada@example.com", ClickURL: "https://example.com/a?b=1", UserAgent: "Mozilla", IP: netip.MustParseAddr("2001:db8::7"),
			},
		},
		{
			name: "complaint, of which data.type has a plural",
			body: `{"type":"activity.spam_complaint","data":{"id":"ev7","type":"spam_complaints","recipient":"ada@example.com","meta":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, ID: "ev7"},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam,
			},
		},
		{
			name: "type inside alone",
			body: `{"data":{"id":"ev8","type":"spam_complaints","recipient":"ada@example.com"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, ID: "ev8"},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam,
			},
		},
		{
			name: "version 1: the time of the event is inside",
			body: `{"type":"activity.clicked","domain_id":"d1","created_at":"2026-09-21T14:15:00.520507Z","webhook_id":"w1","url":"https:\/\/hooks.example.com\/",
				"data":{"object":"activity","id":"ev20","type":"clicked","created_at":"2026-09-21T14:13:20.123456Z",
				"email":{"object":"email","id":"em1","from":"news@example.com","subject":"Hi","status":"delivered","tags":["welcome"],
				"message":{"object":"message","id":"m1"},"recipient":{"object":"recipient","id":"r1","email":"ada@example.com"}},
				"morph":{"object":"click","id":"k1","ip":"192.0.2.77","url":"https:\/\/example.com\/a"},"template_id":""}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "ev20", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", Tags: []string{"welcome"}, ClickURL: "https://example.com/a", IP: netip.MustParseAddr("192.0.2.77"),
			},
		},
		{
			name: "version 1 hard bounce in MailerSend's words",
			body: `{"type":"activity.hard_bounced","data":{"id":"ev21","email":{"tags":null,"message":{"id":"m1"},"recipient":{"email":"nobody@example.com"}},
				"morph":{"object":"recipient_bounce","reason":"Host or domain name not found"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "ev21"},
				MessageID: "m1", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid, Description: "Host or domain name not found",
				Bounce: anymail.Bounce{Category: anymail.BounceHard},
			},
		},
		{
			name: "version 1 unsubscription",
			body: `{"type":"activity.unsubscribed","data":{"id":"ev22","email":{"message":{"id":"m1"},"recipient":{"email":"ada@example.com"}},
				"morph":{"object":"recipient_unsubscribe","reason":"option_3","readable_reason":"too many mails"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, ID: "ev22"},
				MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed, Description: "too many mails",
			},
		},
		{
			name: "a time without a zone is UTC",
			body: `{"type":"inbound_forward.failed","created_at":"2026-09-21 14:13:20","data":{"domain_id":"d1","inbound_id":"in1","inbound_message_id":"im1"}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventInboundFailed, Timestamp: whole}},
		},
		{
			name: "received message that was rejected",
			body: `{"type":"inbound_message.rejected","created_at":"2026-09-21T14:13:20.123456Z","data":{"id":"im2","reason":"attachment_size_exceeded"}}`,
			want: anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventInboundFailed, ID: "im2", Timestamp: at},
				Description: "attachment_size_exceeded",
			},
		},
		{
			name: "named by object instead of type",
			body: `{"object":"email_single.verified","created_at":"2026-09-21 14:13:20","data":{"id":"es1","address":"ada@example.com","result":"valid","error":null}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{ID: "es1", Timestamp: whole}, Recipient: "ada@example.com"},
		},
		{
			name: "of an unknown form",
			body: `{"type":"recipient.on_hold_added","created_at":"2026-09-21T14:13:20.123456Z","data":{"id":7,"recipient":{"email":"ada@example.com"},"meta":null}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{ID: "7", Timestamp: at}, Recipient: "ada@example.com"},
		},
		{
			name: "nothing but a type",
			body: `{"type":"maintenance.start","data":[]}`,
			want: anymail.TrackingEvent{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, "tracking", tt.body)
			require.Len(t, events, 1)
			tt.want.ESP = mailersend.ESP
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

func TestEventTypes(t *testing.T) {
	for name, want := range map[string]anymail.TrackingEvent{
		"activity.opened":           {Common: anymail.Common{Type: anymail.EventOpened}},
		"activity.opened_unique":    {Common: anymail.Common{Type: anymail.EventOpened}},
		"activity.clicked_unique":   {Common: anymail.Common{Type: anymail.EventClicked}},
		"activity.suppressed":       {Common: anymail.Common{Type: anymail.EventRejected}, RejectReason: anymail.RejectBlocked},
		"activity.survey_opened":    {},
		"activity.survey_submitted": {},
		"bulk_email.completed":      {},
		"sms.sent":                  {},
		"opened":                    {}, // the short name is that of data.type
	} {
		t.Run(name, func(t *testing.T) {
			want.ESP = mailersend.ESP
			anymailtest.Equal(t, &want, parse(t, "tracking", fmt.Sprintf(`{"type":%q,"data":{"meta":[]}}`, name))[0])
		})
	}
}

// The page says what the adapter does.
func TestPage(t *testing.T) {
	for _, name := range []string{
		"activity.sent", "activity.delivered", "activity.deferred", "activity.soft_bounced", "activity.hard_bounced",
		"activity.suppressed", "activity.opened", "activity.opened_unique", "activity.clicked", "activity.clicked_unique",
		"activity.unsubscribed", "activity.spam_complaint", "inbound_forward.failed", "inbound_message.rejected", "anything else",
	} {
		got := parse(t, "tracking", fmt.Sprintf(`{"type":%q,"data":{"meta":[]}}`, name))[0].(*anymail.TrackingEvent)
		espdoc.Row(t, mailersend.ESP, name, got)
	}
}

func TestSuppressionReasons(t *testing.T) {
	for reason, want := range map[string]anymail.RejectReason{
		"hard_bounce": anymail.RejectBounced, "spam_complaint": anymail.RejectSpam, "unsubscribe": anymail.RejectUnsubscribed,
		"blocklist": anymail.RejectBlocked, "": anymail.RejectBlocked,
	} {
		events := parse(t, "tracking", fmt.Sprintf(`{"type":"activity.suppressed","data":{"meta":{"suppression_reason":%q}}}`, reason))
		got := events[0].(*anymail.TrackingEvent)
		require.Equal(t, want, got.RejectReason, reason)
		require.Equal(t, reason, got.Description)
		espdoc.Row(t, mailersend.ESP, "activity.suppressed", got)
	}
}

func TestKeys(t *testing.T) {
	key := func(body string) string { return parse(t, "tracking", body)[0].Base().Key }
	v2 := key(`{"type":"activity.opened","created_at":"2026-09-21T14:13:20Z","data":{"id":"ev1","recipient":"ada@example.com","meta":[]}}`)
	require.Equal(t, v2,
		key(`{"type":"activity.opened","created_at":"2026-09-21T14:13:21Z","data":{"id":"ev1","created_at":"2026-09-21T14:13:20Z","email":{"recipient":{"email":"ada@example.com"}}}}`),
		"the same event by a webhook of version 1")
	require.NotEqual(t, v2,
		key(`{"type":"activity.opened_unique","created_at":"2026-09-21T14:13:20Z","data":{"id":"ev1","recipient":"ada@example.com","meta":[]}}`),
		"the first opening is two events")
	require.NotEqual(t, v2, key(`{"type":"activity.opened","created_at":"2026-09-21T14:13:20Z","data":{"id":"ev2","recipient":"ada@example.com","meta":[]}}`))
	require.NotEqual(t,
		key(`{"type":"inbound_forward.failed","data":{"inbound_message_id":"im1"}}`),
		key(`{"type":"inbound_forward.failed","data":{"inbound_message_id":"im2"}}`))
	require.NotEqual(t,
		key(`{"type":"sender_identity.verified","created_at":"2026-09-21 14:13:20","data":{"id":"si1","email":"shop@example.org"}}`),
		key(`{"type":"sender_identity.verified","created_at":"2026-09-28 14:13:20","data":{"id":"si1","email":"shop@example.org"}}`),
		"the id is that of the identity, which was verified again")
}

// Signatures computed with another implementation of HMAC-SHA256.
const (
	eventBody        = `{"type":"activity.delivered","created_at":"2026-09-21T14:13:20.123456Z","data":{"id":"ev1","message_id":"m1","recipient":"ada@example.com","type":"delivered","tags":["welcome"],"meta":[]}}`
	eventSignature   = "cf7ffc1e1f301accc8d7e49a0e55b357238caacc8dfd16c95ccf2f9f7abd1283" // by ms_demo_secret
	testBody         = `{"type":"webhook.test","message":"This is a ping test message","created_at":"2026-09-21T14:13:20.123456Z"}`
	testSignature    = "cfea40ade239cd12fa244fc57f182ecd895291e5cfe55c902dcad23ece75d7b2" // by the published secret
	inboundBody      = `{"type":"inbound.message","inbound_id":"in1","data":{"id":"im1","raw":"From: a@example.org\r\n\r\nhi"}}`
	inboundSignature = "8a758072163936db9945554d260e4f829991b0069641ed56e0577a99d9c9b909" // by ms_inbound_secret
	publishedSecret  = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"
)

func TestSignature(t *testing.T) {
	sim := mailersendsim.New()
	adapter := esptest.New(t, mailersend.New, mailersend.Config{TrackingSigningKeys: anymail.Keys("ms_next_secret", "ms_demo_secret"), InboundSigningKeys: anymail.Keys("ms_inbound_secret")})
	tests := []struct {
		name, endpoint, body, signature string
		status, events                  int
	}{
		{"event", "tracking", eventBody, eventSignature, 200, 1},
		{"upper case", "tracking", eventBody, "CF7FFC1E1F301ACCC8D7E49A0E55B357238CAACC8DFD16C95CCF2F9F7ABD1283", 200, 1},
		{"unescaped slashes and blanks are another body", "tracking", eventBody + " ", eventSignature, 400, 0},
		{"inbound message", "inbound", inboundBody, inboundSignature, 200, 1},
		{"an inbound route's secret is no webhook's", "tracking", inboundBody, inboundSignature, 400, 0},
		{"a webhook's secret is no inbound route's", "inbound", eventBody, eventSignature, 400, 0},
		{"test by the published secret", "tracking", testBody, testSignature, 200, 0},
		{"test of an inbound route", "inbound", testBody, testSignature, 200, 0},
		{"test by no secret", "tracking", testBody, eventSignature, 400, 0},
		{"test unsigned", "tracking", testBody, "", 400, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := anymailtest.NewServerFor(t, sim, adapter)
			r := s.Address(t, simulator.JSON(tt.endpoint, []byte(tt.body)))
			r.Header.Set("Signature", tt.signature)
			status, _ := s.Post(t, r)
			require.Equal(t, tt.status, status)
			require.Len(t, s.Take(), tt.events)
		})
	}
}

// MailerSend saves no webhook without a 2xx to its test, and pauses one that
// fails often, so what comes twice is answered twice and run once.
func TestTwice(t *testing.T) {
	s := anymailtest.NewServerFor(t, mailersendsim.New(), esptest.New(t, mailersend.New, mailersend.Config{TrackingSigningKeys: anymail.Keys("ms_demo_secret")}))
	for body, signature := range map[string]string{testBody: testSignature, eventBody: eventSignature} {
		r := s.Address(t, simulator.JSON("tracking", []byte(body)))
		r.Header.Set("Signature", signature)
		for range 2 {
			status, _ := s.Post(t, r)
			require.Equal(t, http.StatusOK, status)
		}
	}
	require.Len(t, s.Take(), 1)
}

// The test comes before there is a secret.
func TestBeforeTheSecret(t *testing.T) {
	secrets := anymail.NewKeyRing()
	s := anymailtest.NewServerFor(t, mailersendsim.New(), esptest.New(t, mailersend.New, mailersend.Config{TrackingSigningKeys: secrets}))
	post := func(body, signature string) int {
		r := s.Address(t, simulator.JSON("tracking", []byte(body)))
		r.Header.Set("Signature", signature)
		status, _ := s.Post(t, r)
		return status
	}
	require.Equal(t, http.StatusOK, post(testBody, testSignature))
	require.Equal(t, http.StatusBadRequest, post(eventBody, eventSignature))
	secrets.Set("ms_demo_secret")
	require.Equal(t, http.StatusOK, post(eventBody, eventSignature))
	require.Len(t, s.Take(), 1)
}

// What any client can sign with the published secret makes no event, whatever
// it pretends to be.
func TestPublishedSecret(t *testing.T) {
	sim := mailersendsim.New()
	for _, body := range []string{
		eventBody,
		inboundBody,
		`{"type":"webhook.test","type":"activity.hard_bounced","data":{"id":"1","recipient":"ada@example.com"}}`,
		`{"type":"activity.hard_bounced","type":"webhook.test","data":{"id":"1","recipient":"ada@example.com"}}`,
		`{"Type":"webhook.test","type":"activity.hard_bounced"}`,
		`{"data":{"type":"webhook.test"},"type":"activity.hard_bounced"}`,
		`{"\u0074ype":"webhook.test","type":"activity.hard_bounced"}`,
		`{"type":"webhook\u002etest","type":"activity.hard_bounced"}`,
		`{"type":["webhook.test"],"type":"activity.hard_bounced"}`,
		`{"object":"webhook.test","data":{"type":"hard_bounced"}}`,
		`[{"type":"webhook.test"},{"type":"activity.hard_bounced"}]`,
		`{"type":"webhook.test"} {"type":"activity.hard_bounced"}`,
		`{"type":"webhook.test","type":"inbound.message","data":{"raw":"From: a@example.org\r\n\r\nhi"}}`,
	} {
		for _, endpoint := range []string{"tracking", "inbound"} {
			s := anymailtest.NewServer(t, sim)
			r := s.Address(t, simulator.JSON(endpoint, []byte(body)))
			require.NoError(t, sim.Sign(&r, simulator.Credential{Config: publishedSecret}, time.Time{}))
			s.Post(t, r)
			require.Empty(t, s.Take(), body)
		}
	}
	for _, config := range []mailersend.Config{
		{TrackingSigningKeys: anymail.Keys("own", publishedSecret)},
		{InboundSigningKeys: anymail.Keys(publishedSecret)},
		{TrackingSigningKeys: anymail.Keys("")},
		{TrackingSigningKeys: anymail.Keys("own\n")},
		{InboundSigningKeys: anymail.Keys("own", " own")},
		{InboundSigningKeys: anymail.Keys(publishedSecret + "\r\n")},
	} {
		_, err := mailersend.New(config)
		require.ErrorIs(t, err, anymail.ErrConfig)
		require.NotContains(t, err.Error(), publishedSecret)
	}
}

// MailerSend gives up at any 4xx, so what can be fixed here is a 5xx.
func TestRetried(t *testing.T) {
	sim := mailersendsim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithAllowedAddresses(netip.MustParsePrefix("203.0.113.0/24")))
	status, _ := s.Post(t, s.Prepare(t, sim.Samples[0], simulator.NewParams()))
	require.Equal(t, http.StatusServiceUnavailable, status)
}

func TestInbound(t *testing.T) {
	const body = `{"type":"inbound.message","inbound_id":"in1","created_at":"2026-09-21T14:13:21.417935Z","data":{"object":"message","id":"im1",
		"recipients":{"rcptTo":[{"email":"ticket@in.example.com"},{"email":"sales@in.example.com"}],"to":{"raw":"Ticket <ticket@in.example.com>","data":[{"email":"ticket@in.example.com","name":"Ticket"}]},
			"cc":{"raw":"carl@example.org","data":[{"email":"carl@example.org","name":""}]}},
		"from":{"email":"bob@example.org","name":"Bob","raw":"Bob <bob@example.org>"},"sender":{"email":"bounce@example.org"},"subject":"Re: Hi","date":"Mon, 21 Sep 2026 16:13:20 +0200",
		"headers":{"X-Envelope-From":"<bounce@example.org>","Received":["from a.example.org by b;\r\n Mon, 21 Sep 2026 16:13:21 +0200","from c by a.example.org"],"Message-ID":"<in1@mail.example.org>"},
		"text":"Yes\r\n","html":null,%s
		"attachments":[{"file_name":"..\/a.txt","content_type":"text\/plain","content_disposition":"attachment","size":5,"content":"aGVsbG8="},
			{"file_name":"dot.png","content_type":"image\/png","content_disposition":"inline","content_id":"pic@example.org","size":8,"content":"iVBORw0KGgo="}],
		"spf_check":{"code":"~","value":null},"dkim_check":%s,"created_at":"2026-09-21T14:13:20.525000Z"}}`
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailersend.ESP, Type: anymail.EventInbound, ID: "im1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 525000000, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "ticket@in.example.com", EnvelopeRecipients: []string{"ticket@in.example.com", "sales@in.example.com"},
			From: []anymail.Address{{Name: "Bob", Address: "bob@example.org"}},
			To:   []anymail.Address{{Name: "Ticket", Address: "ticket@in.example.com"}},
			CC:   []anymail.Address{{Address: "carl@example.org"}}, Subject: "Re: Hi",
			Date: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), MessageID: "in1@mail.example.org",
			Headers: anymail.Headers{
				{Name: "X-Envelope-From", Value: "<bounce@example.org>"},
				{Name: "Received", Value: "from a.example.org by b; Mon, 21 Sep 2026 16:13:21 +0200"},
				{Name: "Received", Value: "from c by a.example.org"},
				{Name: "Message-ID", Value: "<in1@mail.example.org>"},
			},
			Text:           "Yes\r\n",
			Authentication: anymail.Authentication{SPF: "softfail", DKIM: "pass"},
			Attachments: []anymail.Attachment{
				{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 5, Content: []byte("hello")},
				{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.org", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
			},
		},
	}
	t.Run("parsed", func(t *testing.T) {
		anymailtest.Equal(t, want, parse(t, "inbound", fmt.Sprintf(body, "", "true"))[0])
	})
	t.Run("at the other endpoint", func(t *testing.T) {
		anymailtest.Equal(t, want, parse(t, "tracking", fmt.Sprintf(body, "", "true"))[0])
	})
	t.Run("raw wins", func(t *testing.T) {
		const raw = `"raw":"From: Eve <eve@example.net>\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nraw text",`
		got := parse(t, "inbound", fmt.Sprintf(body, raw, "false"))[0].(*anymail.InboundEvent)
		m := &got.Message
		require.Equal(t, []anymail.Address{{Name: "Eve", Address: "eve@example.net"}}, m.From)
		require.Equal(t, "Grüße", m.Subject)
		require.Equal(t, "raw text", m.Text)
		require.Equal(t, "bounce@example.org", m.EnvelopeSender)
		require.Equal(t, "ticket@in.example.com", m.EnvelopeRecipient)
		require.Equal(t, anymail.Authentication{SPF: "softfail"}, m.Authentication, "false says nothing about DKIM")
		require.Equal(t, "From: Eve <eve@example.net>\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nraw text", string(m.RawMIME))
		require.Empty(t, m.Attachments)
	})
	t.Run("raw in a charset that JSON destroyed", func(t *testing.T) {
		const raw = `"raw":"Subject: Hi\r\nContent-Type: text\/plain; charset=iso-8859-1\r\n\r\nJ\ufffd",`
		got := parse(t, "inbound", fmt.Sprintf(body, raw, "false"))[0].(*anymail.InboundEvent)
		require.Equal(t, "Yes\r\n", got.Message.Text)
	})
}

func TestSPF(t *testing.T) {
	for code, want := range map[string]string{
		`{"code":"+"}`: "pass", `{"code":"-"}`: "fail", `{"code":"~"}`: "softfail", `{"code":"?"}`: "neutral",
		`{"code":""}`: "", `{"code":null}`: "", `[]`: "", `null`: "",
	} {
		got := parse(t, "inbound", fmt.Sprintf(`{"type":"inbound.message","data":{"spf_check":%s}}`, code))[0].(*anymail.InboundEvent)
		require.Equal(t, want, got.Message.Authentication.SPF, code)
	}
}

func TestInboundWithoutNearlyEverything(t *testing.T) {
	got := parse(t, "inbound", `{"type":"inbound.message","data":{"id":"im1","recipients":[],"from":null,"sender":[],"headers":[],"attachments":null}}`)[0]
	anymailtest.Equal(t, &anymail.InboundEvent{Common: anymail.Common{ESP: mailersend.ESP, Type: anymail.EventInboundFailed, ID: "im1"}}, got)
}

// A message that cannot be read is reported, with what can be read of it.
func TestInboundFailed(t *testing.T) {
	for body, want := range map[string]anymail.InboundEvent{
		`{"type":"inbound.message","data":{"id":"im1","subject":"Hi","text":["no text"],"sender":{"email":"bounce@example.org"}}}`: {
			Common: anymail.Common{ID: "im1"}, Message: anymail.InboundMessage{Subject: "Hi", EnvelopeSender: "bounce@example.org"},
		},
		`{"type":"inbound.message","data":{"attachments":"none","raw":"Subject: Hi\r\n\r\nraw text","id":"im1"}}`: {
			Common: anymail.Common{ID: "im1"},
			Message: anymail.InboundMessage{
				Subject: "Hi", Text: "raw text", Headers: anymail.Headers{{Name: "Subject", Value: "Hi"}}, RawMIME: anymail.Raw("Subject: Hi\r\n\r\nraw text"),
			},
		},
		`{"type":"inbound.message","created_at":"2026-09-21T14:13:20Z","data":7}`: {
			Common: anymail.Common{Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
		},
		`{"type":"inbound.message"}`: {},
	} {
		events := parse(t, "inbound", body)
		require.Len(t, events, 1, body)
		want.ESP, want.Type = mailersend.ESP, anymail.EventInboundFailed
		anymailtest.Equal(t, &want, events[0])
		require.Equal(t, body, string(events[0].Base().Raw))
	}
	key := func(body string) string { return parse(t, "inbound", body)[0].Base().Key }
	require.NotEqual(t, key(`{"type":"inbound.message","data":7}`), key(`{"type":"inbound.message","data":8}`))
}

// Nothing is answered with success of which nothing was made.
func TestNothing(t *testing.T) {
	adapter := esptest.New(t, mailersend.New, mailersend.Config{})
	for _, endpoint := range []string{"tracking", "inbound"} {
		for _, body := range []string{`[]`, `null`, `7`, `{"type":"inbound.message"`} {
			events, err := simulator.Parse(adapter, simulator.JSON(endpoint, []byte(body)))
			require.ErrorIs(t, err, anymail.ErrMalformed, "%s %s", endpoint, body)
			require.Empty(t, events)
		}
		for _, body := range []string{`{}`, `{"hello":"world"}`, `[[]]`} {
			events := parse(t, endpoint, body)
			require.Len(t, events, 1)
			require.Equal(t, anymail.EventUnknown, events[0].Base().Type)
		}
	}
}

// storeOf counts what is remembered.
type storeOf struct {
	anymail.IdempotencyStore
	claimed int
}

func (s *storeOf) Claim(ctx context.Context, receiver string, keys []string) ([]anymail.Claim, error) {
	s.claimed += len(keys)
	return s.IdempotencyStore.Claim(ctx, receiver, keys)
}

// Anyone can sign with the published secret, so nothing is remembered of it, and it
// counts as a failure.
func TestPublishedSecretLeavesNoTrace(t *testing.T) {
	sim := mailersendsim.New()
	post := func(s *anymailtest.Server, secret, body string) int {
		r := s.Address(t, simulator.JSON("tracking", []byte(body)))
		require.NoError(t, sim.Sign(&r, simulator.Credential{Config: secret}, time.Time{}))
		status, _ := s.Post(t, r)
		return status
	}
	store := &storeOf{IdempotencyStore: anymail.NewMemoryStore(0)}
	adapter := esptest.New(t, mailersend.New, mailersend.Config{TrackingSigningKeys: anymail.Keys("own")})
	s := anymailtest.NewServerFor(t, sim, adapter, anymail.WithIdempotencyStore(store), anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 3}}))
	for i := range 3 {
		require.Equal(t, http.StatusOK, post(s, publishedSecret, fmt.Sprintf(`{"type":"webhook.test","n":%d}`, i)))
	}
	require.Zero(t, store.claimed)
	require.Equal(t, http.StatusTooManyRequests, post(s, publishedSecret, `{"type":"webhook.test","n":4}`))

	s = anymailtest.NewServerFor(t, sim, adapter, anymail.WithIdempotencyStore(store))
	require.Equal(t, http.StatusOK, post(s, "own", `{"type":"webhook.test"}`))
	require.Equal(t, 1, store.claimed, "the account's own secret proves something")
	require.Empty(t, s.Take())
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailersendsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, mailersendsim.New(), "inbound") }

func Example() {
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := mailersend.New(mailersend.Config{
		TrackingSigningKeys: anymail.Keys("the webhook's signing secret"),
		InboundSigningKeys:  anymail.Keys("the inbound route's secret"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("mailersend", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason)
		return nil
	}, anymail.ForTypes(anymail.EventBounced))
	fmt.Println(d.Tracking.Receivers(), err)
	// Output: [suppress] <nil>
}
