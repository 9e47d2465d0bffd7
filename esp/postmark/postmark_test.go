package postmark_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, postmarksim.New()) }

// parse gives a body to an endpoint's parser.
func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, postmark.New, postmark.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 123456700, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "delivery",
			body: `{"RecordType":"Delivery","ServerID":7,"MessageStream":"outbound","MessageID":"guid-1","Recipient":"ada@example.com",
				"Tag":"welcome","DeliveredAt":"2026-09-21T14:13:20.1234567Z","Details":"smtp;250 2.0.0 OK","Metadata":{"order":"42","n":9007199254740993}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "guid-1", Recipient: "ada@example.com", MTAResponse: "smtp;250 2.0.0 OK", Tags: []string{"welcome"},
				Metadata: anymail.Metadata{"order": "42", "n": json.Number("9007199254740993")},
			},
		},
		{
			name: "hard bounce with an offset in the time",
			body: `{"RecordType":"Bounce","ID":4001,"Type":"HardBounce","TypeCode":1,"Name":"Hard bounce","MessageID":"guid-2","Email":"nobody@example.com",
				"Description":"unknown user","Details":"smtp;550 5.1.1 no such user","BouncedAt":"2026-09-21T10:13:20.1234567-04:00"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "4001", Timestamp: at},
				MessageID: "guid-2", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "unknown user", MTAResponse: "smtp;550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "a bounce of an unknown type is still a bounce",
			body: `{"RecordType":"Bounce","ID":4002,"Type":"Vanished","Name":"Vanished","MessageID":"guid-3","Email":"a@example.com","Details":"gone"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "4002"},
				MessageID: "guid-3", Recipient: "a@example.com", RejectReason: anymail.RejectBounced,
				Description: "Vanished", MTAResponse: "gone", Bounce: anymail.Bounce{Category: anymail.BounceUndetermined},
			},
		},
		{
			name: "record from before there were record types",
			body: `{"ID":5,"TypeCode":4096,"MessageId":"guid-4","Email":"a@example.com","Details":"smtp;452 4.2.2 full"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "5"},
				MessageID: "guid-4", Recipient: "a@example.com", RejectReason: anymail.RejectBounced, MTAResponse: "smtp;452 4.2.2 full",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"},
			},
		},
		{
			name: "complaint, whose documented sample has the type code of another type",
			body: `{"RecordType":"SpamComplaint","ID":6,"Type":"SpamComplaint","TypeCode":512,"MessageID":"guid-5","Email":"a@example.com","Tag":null,"Metadata":null}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, ID: "6"},
				MessageID: "guid-5", Recipient: "a@example.com", RejectReason: anymail.RejectSpam,
			},
		},
		{
			name: "open",
			body: `{"RecordType":"Open","MessageID":"guid-6","Recipient":"a@example.com","UserAgent":"Mozilla","ReceivedAt":"2026-09-21T14:13:20.1234567Z",
				"Geo":{"CountryISOCode":"DE","Region":"Berlin","City":"Berlin","IP":"192.0.2.77"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, Timestamp: at},
				MessageID: "guid-6", Recipient: "a@example.com", UserAgent: "Mozilla", IP: netip.MustParseAddr("192.0.2.77"),
				Geo: anymail.Geo{Country: "DE", Region: "Berlin", City: "Berlin"},
			},
		},
		{
			name: "click without a place",
			body: `{"RecordType":"Click","MessageID":"guid-7","Recipient":"a@example.com","OriginalLink":"https://example.com/?a=1&b=2","Geo":null}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked},
				MessageID: "guid-7", Recipient: "a@example.com", ClickURL: "https://example.com/?a=1&b=2",
			},
		},
		{
			name: "suppressed for an unknown reason",
			body: `{"RecordType":"SubscriptionChange","MessageID":null,"Recipient":"a@example.com","SuppressSending":true,"SuppressionReason":"Whim","ChangedAt":"2026-09-21T14:13:20.1234567Z"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, Timestamp: at},
				Recipient: "a@example.com", RejectReason: anymail.RejectOther,
			},
		},
		{
			name: "suppressed after a hard bounce",
			body: `{"RecordType":"SubscriptionChange","Recipient":"a@example.com","SuppressSending":true,"SuppressionReason":"HardBounce"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced},
				Recipient: "a@example.com", RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceHard},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, "tracking", tt.body)
			require.Len(t, events, 1)
			tt.want.ESP = postmark.ESP
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

func TestBounceTypes(t *testing.T) {
	// https://postmarkapp.com/developer/api/bounce-api#bounce-types
	type outcome struct {
		Type     anymail.EventType
		Reason   anymail.RejectReason
		Category anymail.BounceCategory
	}
	tests := []struct {
		code int
		name string
		want outcome
	}{
		{1, "HardBounce", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard}},
		{2, "Transient", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{16, "Unsubscribe", outcome{anymail.EventUnsubscribed, anymail.RejectUnsubscribed, ""}},
		{32, "Subscribe", outcome{anymail.EventSubscribed, "", ""}},
		{64, "AutoResponder", outcome{anymail.EventAutoresponded, "", ""}},
		{128, "AddressChange", outcome{anymail.EventAutoresponded, "", ""}},
		{256, "DnsError", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{512, "SpamNotification", outcome{anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock}},
		{1024, "OpenRelayTest", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{2048, "Unknown", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined}},
		{4096, "SoftBounce", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft}},
		{8192, "VirusNotification", outcome{anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{16384, "ChallengeVerification", outcome{anymail.EventAutoresponded, "", ""}},
		{100000, "BadEmailAddress", outcome{anymail.EventRejected, anymail.RejectInvalid, ""}},
		{100001, "SpamComplaint", outcome{anymail.EventComplained, anymail.RejectSpam, ""}},
		{100002, "ManuallyDeactivated", outcome{anymail.EventRejected, anymail.RejectBlocked, ""}},
		{100003, "Unconfirmed", outcome{anymail.EventRejected, anymail.RejectOther, ""}},
		{100006, "Blocked", outcome{anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{100007, "SMTPApiError", outcome{anymail.EventFailed, anymail.RejectOther, ""}},
		{100008, "InboundError", outcome{anymail.EventInboundFailed, "", ""}},
		{100009, "DMARCPolicy", outcome{anymail.EventRejected, anymail.RejectBlocked, ""}},
		{100010, "TemplateRenderingFailed", outcome{anymail.EventFailed, anymail.RejectOther, ""}},
	}
	for _, tt := range tests {
		for _, members := range []string{fmt.Sprintf(`"Type":%q`, tt.name), fmt.Sprintf(`"TypeCode":%d`, tt.code), fmt.Sprintf(`"Type":%q,"TypeCode":7`, tt.name)} {
			got := parse(t, "tracking", `{"RecordType":"Bounce","ID":1,`+members+`}`)[0].(*anymail.TrackingEvent)
			require.Equal(t, tt.want, outcome{got.Type, got.RejectReason, got.Bounce.Category}, members)
			espdoc.Row(t, postmark.ESP, tt.name, got)
		}
	}
}

func TestSuppressions(t *testing.T) {
	for _, reason := range []string{"ManualSuppression", "HardBounce", "SpamComplaint"} {
		got := parse(t, "tracking", fmt.Sprintf(`{"RecordType":"SubscriptionChange","SuppressSending":true,"SuppressionReason":%q}`, reason))[0].(*anymail.TrackingEvent)
		espdoc.Row(t, postmark.ESP, "SubscriptionChange: "+reason, got)
	}
}

func TestInbound(t *testing.T) {
	const body = `{"FromFull":{"Email":"ada@example.com","Name":"Ada"},"ToFull":[{"Email":"help@example.org","Name":""}],"CcFull":[{"Email":"carl@example.org","Name":"Carl"}],
		"OriginalRecipient":"help@example.org","ReplyTo":"Ada <reply@example.com>","Subject":"Grüße","MessageID":"guid-9","Date":"Mon, 21 Sep 2026 14:13:00 +0200",
		"TextBody":"Hi\n> quoted","HtmlBody":"<p>Hi</p>","StrippedTextReply":"Hi",
		"Headers":[{"Name":"Received-SPF","Value":"Pass (sender authorized) envelope-from=\"bounce@example.com\"; x"},{"Name":"X-Spam-Status","Value":"Yes"},
			{"Name":"X-Spam-Score","Value":"6.4"},{"Name":"X-Spam-Tests","Value":"DKIM_SIGNED,DKIM_VALID"},{"Name":"Message-ID","Value":"<m1@example.com>"}],
		"Attachments":[{"Name":"../dot.png","Content":"iVBORw0KGgo=","ContentType":"image/png; name=x","ContentID":"<pic@example.com>"},{"Name":"test.txt","Data":"aGk=","ContentType":"text/plain"}],
		"RawEmail":"Received: by mx.example.org\r\nFrom: Ada\r\n <ada@example.com>\r\nMessage-ID: <m1@example.com>\r\n\r\nHi"}`
	score := 6.4
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: postmark.ESP, Type: anymail.EventInbound, ID: "guid-9"},
		Message: anymail.InboundMessage{
			EnvelopeSender:    "bounce@example.com",
			EnvelopeRecipient: "help@example.org", EnvelopeRecipients: []string{"help@example.org"},
			From:      []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
			To:        []anymail.Address{{Address: "help@example.org"}},
			CC:        []anymail.Address{{Name: "Carl", Address: "carl@example.org"}},
			ReplyTo:   []anymail.Address{{Name: "Ada", Address: "reply@example.com"}},
			Subject:   "Grüße",
			Date:      time.Date(2026, 9, 21, 12, 13, 0, 0, time.UTC),
			MessageID: "m1@example.com",
			Headers: anymail.Headers{
				{Name: "Received-SPF", Value: `Pass (sender authorized) envelope-from="bounce@example.com"; x`},
				{Name: "X-Spam-Status", Value: "Yes"},
				{Name: "X-Spam-Score", Value: "6.4"},
				{Name: "X-Spam-Tests", Value: "DKIM_SIGNED,DKIM_VALID"},
				// The rest is as in the raw message, which is whole.
				{Name: "Received", Value: "by mx.example.org"},
				{Name: "From", Value: "Ada <ada@example.com>"},
				{Name: "Message-ID", Value: "<m1@example.com>"},
			},
			Text: "Hi\n> quoted", HTML: "<p>Hi</p>", StrippedText: "Hi",
			SpamDetected: anymail.Yes, SpamScore: &score,
			Authentication: anymail.Authentication{SPF: "pass", DKIM: "pass"},
			Attachments: []anymail.Attachment{
				{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
				{Filename: "test.txt", ContentType: "text/plain", Disposition: "attachment", Size: 2, Content: []byte("hi")},
			},
			RawMIME: anymail.Raw("Received: by mx.example.org\r\nFrom: Ada\r\n <ada@example.com>\r\nMessage-ID: <m1@example.com>\r\n\r\nHi"),
		},
	}
	events := parse(t, "inbound", body)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
}

// Two URLs the wrong way round, and what is of no webhook at all.
func TestWrongEndpoint(t *testing.T) {
	adapter := esptest.New(t, postmark.New, postmark.Config{})
	sim := postmarksim.New()
	for _, sample := range sim.Samples {
		r := sample.Make(simulator.NewParams())
		r.Endpoint = map[string]string{"tracking": "inbound", "inbound": "tracking"}[r.Endpoint]
		_, err := simulator.Parse(adapter, r)
		require.ErrorIs(t, err, anymail.ErrMalformed, sample.Name)
	}
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(`{}`)))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

// The buttons "Send test" and "Check" work each time that they are pressed.
func TestTestButtons(t *testing.T) {
	const (
		bounce = `{"ID":42,"Type":"HardBounce","RecordType":"Bounce","TypeCode":1,"Tag":"Test","MessageID":"00000000-0000-0000-0000-000000000000",
			"Details":"Test bounce details","Email":"john@example.com","BouncedAt":"2026-10-25T07:0%d:12Z"}`
		delivery = `{"RecordType":"Delivery","MessageID":"883953f4-6105-42a2-a16a-77a8eac79483","Recipient":"john@example.com","DeliveredAt":"2014-08-01T13:28:10Z"}`
		check    = `{"FromName":"Postmarkapp Support","FromFull":{"Email":"support@postmarkapp.com","Name":"Postmarkapp Support"},"MessageID":"73e6d360-66eb-11e1-8e72-a8904824019b",
			"Subject":"Test subject","TextBody":"This is a test text body."}`
	)
	tests := []struct {
		name, endpoint string
		bodies         []string
		want           int
	}{
		{"bounces of two presses", "tracking", []string{fmt.Sprintf(bounce, 7), fmt.Sprintf(bounce, 9)}, 2},
		{"one bounce, delivered again", "tracking", []string{fmt.Sprintf(bounce, 7), fmt.Sprintf(bounce, 7)}, 1},
		{"complaints of two presses", "tracking", []string{
			`{"RecordType":"SpamComplaint","ID":42,"MessageID":"00000000-0000-0000-0000-000000000000","Email":"john@example.com","BouncedAt":"2026-10-25T07:07:12Z"}`,
			`{"RecordType":"SpamComplaint","ID":42,"MessageID":"00000000-0000-0000-0000-000000000000","Email":"john@example.com","BouncedAt":"2026-10-25T07:07:13Z"}`,
		}, 2},
		{"a sample", "tracking", []string{delivery, delivery, delivery}, 3},
		{"check", "inbound", []string{check, check}, 2},
		{"a message, delivered again", "inbound", []string{`{"MessageID":"guid-9","FromFull":{"Email":"a@example.com"}}`, `{"MessageID":"guid-9","FromFull":{"Email":"a@example.com"}}`}, 1},
		{"the same time in another zone", "tracking", []string{
			`{"RecordType":"Bounce","ID":7,"Type":"HardBounce","BouncedAt":"2026-10-25T07:07:12Z"}`, `{"RecordType":"Bounce","ID":7,"Type":"HardBounce","BouncedAt":"2026-10-25T09:07:12+02:00"}`,
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := anymailtest.NewServer(t, postmarksim.New())
			for _, body := range tt.bodies {
				status, _ := s.Post(t, s.Address(t, simulator.JSON(tt.endpoint, []byte(body))))
				require.Equal(t, http.StatusOK, status)
			}
			require.Len(t, s.Take(), tt.want)
		})
	}
}

// What the sender wrote into the message is neither a verdict nor the envelope.
func TestWhoWroteTheHeaders(t *testing.T) {
	const (
		filtered = `{"Name":"Received","Value":"by p-pm-inbound01a.inbound.postmarkapp.com (Postfix, from userid 996)\tid 1; Mon, 21 Sep 2026 14:13:00 +0000"}`
		accepted = `{"Name":"Received","Value":"from mail.example.com (mail.example.com [192.0.2.1])\tby p-pm-inbound01a.inbound.postmarkapp.com (Postfix) with ESMTPS id 2"}`
		checker  = `{"Name":"X-Spam-Checker-Version","Value":"SpamAssassin 3.4.0 on p-pm-inbound01a"}`
		spam     = `{"Name":"X-Spam-Status","Value":"Yes"},{"Name":"X-Spam-Score","Value":"6.4"},{"Name":"X-Spam-Tests","Value":"DKIM_SIGNED,SPF_FAIL"}`
		spf      = `{"Name":"Received-SPF","Value":"fail (example.com: no) identity=mailfrom; envelope-from=\"bounce@example.com\"; client-ip=192.0.2.1"}`
		forged   = `{"Name":"Return-Path","Value":"<ceo@example.net>"},{"Name":"X-Spam-Status","Value":"No"},{"Name":"X-Spam-Score","Value":"-9"},
			{"Name":"X-Spam-Tests","Value":"DKIM_VALID"},{"Name":"Received-SPF","Value":"pass envelope-from=ceo@example.net"},{"Name":"Authentication-Results","Value":"x; spf=pass; dkim=pass; dmarc=pass"}`
	)
	path := func(address string) string {
		return fmt.Sprintf(`{"Name":"Return-Path","Value":"<%s>"}`, address)
	}
	type verdicts struct {
		Sender string
		Spam   anymail.Tri
		Score  float64
		Auth   anymail.Authentication
	}
	all := verdicts{"bounce@example.com", anymail.Yes, 6.4, anymail.Authentication{SPF: "fail", DKIM: "fail"}}
	tests := []struct {
		name    string
		headers []string
		want    verdicts
	}{
		{"all of Postmark's", []string{path("bounce@example.com"), filtered, checker, spam, spf, accepted, forged}, all},
		{"no Return-Path", []string{filtered, checker, spam, spf, accepted, forged}, all},
		{"a Return-Path that is not the sender that SPF was checked for", []string{path("ceo@example.net"), filtered, checker, spam, spf, accepted}, all},
		{"older form", []string{checker, spam, spf, forged}, all},
		{"one Received", []string{`{"Name":"Received","Value":"from mail.example.com by inbound.postmarkapp.com"}`, checker, spam, spf, forged}, all},
		{"not looked at by SpamAssassin", []string{path("bounce@example.com"), filtered, spf, accepted, forged}, verdicts{"bounce@example.com", anymail.Unsaid, 0, anymail.Authentication{SPF: "fail"}}},
		{"no SPF", []string{path("bounce@example.com"), filtered, accepted, forged}, verdicts{Sender: "bounce@example.com"}},
		{"a bounce, for which the host is checked", []string{path(""), filtered, `{"Name":"Received-SPF","Value":"none identity=helo; envelope-from=\"postmaster@mail.example.com\""}`, accepted}, verdicts{Auth: anymail.Authentication{SPF: "none"}}},
		{"below the Received of the server", []string{accepted, forged}, verdicts{}},
		{"below another header", []string{`{"Name":"MIME-Version","Value":"1.0"}`, forged}, verdicts{}},
		{"below a Received that is not Postmark's", []string{`{"Name":"Received","Value":"by mail.example.net"}`, forged}, verdicts{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"MessageID":"guid-9","FromFull":{"Email":"ada@example.com"},"Headers":[` + strings.Join(tt.headers, ",") + `]}`
			m := parse(t, "inbound", body)[0].(*anymail.InboundEvent).Message
			got := verdicts{Sender: m.EnvelopeSender, Spam: m.SpamDetected, Auth: m.Authentication}
			if m.SpamScore != nil {
				got.Score = *m.SpamScore
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// A message that cannot be read is reported, with what can be read of it.
func TestInboundFailed(t *testing.T) {
	for body, want := range map[string]anymail.InboundMessage{
		`{"MessageID":"guid-9","FromFull":{"Email":"ada@example.com","Name":"Ada"},"Subject":"Hi","TextBody":{"no":"text"}}`: {
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, Subject: "Hi",
		},
		`{"MessageID":"guid-9","FromFull":{"Email":"ada@example.com"},"Attachments":"none","ToFull":7,"HtmlBody":"<p>"}`: {
			From: []anymail.Address{{Address: "ada@example.com"}}, HTML: "<p>",
		},
		`{"MessageID":"guid-9","FromFull":["ada@example.com"],"RawEmail":false}`: {},
	} {
		events := parse(t, "inbound", body)
		require.Len(t, events, 1)
		anymailtest.Equal(t, &anymail.InboundEvent{Common: anymail.Common{ESP: postmark.ESP, Type: anymail.EventInboundFailed, ID: "guid-9"}, Message: want}, events[0])
		require.Equal(t, body, string(events[0].Base().Raw))
	}
	key := func(body string) string { return parse(t, "inbound", body)[0].Base().Key }
	require.NotEqual(t, key(`{"FromFull":1}`), key(`{"FromFull":2}`))
}

// Nothing is answered with success of which nothing was made.
func TestNothing(t *testing.T) {
	adapter := esptest.New(t, postmark.New, postmark.Config{})
	for _, r := range []struct{ endpoint, body string }{
		{"tracking", `[]`}, {"tracking", `null`}, {"tracking", `"text"`}, {"tracking", `{"RecordType":"Inbound"}`},
		{"inbound", `[]`}, {"inbound", `null`}, {"inbound", `{}`}, {"inbound", `{"hello":"world"}`}, {"inbound", `[{"MessageID":"guid-9"}]`},
	} {
		events, err := simulator.Parse(adapter, simulator.JSON(r.endpoint, []byte(r.body)))
		require.ErrorIs(t, err, anymail.ErrMalformed, "%s %s", r.endpoint, r.body)
		require.Empty(t, events)
	}
	for _, body := range []string{`{}`, `{"hello":"world"}`, `[null]`} {
		events := parse(t, "tracking", body)
		require.Len(t, events, 1)
		require.Equal(t, anymail.EventUnknown, events[0].Base().Type)
		require.Equal(t, strings.Trim(body, "[]"), string(events[0].Base().Raw))
	}
}

// Postmark stops for good at 403, so a wrong address list must not answer it.
func TestNever403(t *testing.T) {
	sim := postmarksim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithAllowedAddresses(netip.MustParsePrefix("203.0.113.0/24")))
	for _, sample := range sim.Samples {
		status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
		require.Equal(t, http.StatusBadRequest, status, sample.Name)
	}
}

func TestCustomHeader(t *testing.T) {
	sim := postmarksim.New()
	adapter := esptest.New(t, postmark.New, postmark.Config{HeaderName: "X-Hook", HeaderValues: anymail.Keys("new-value", "old-value")})
	s := anymailtest.NewServerFor(t, sim, adapter)
	r := s.Prepare(t, sim.Samples[0], simulator.NewParams())
	for value, want := range map[string]int{"": 400, "wrong": 400, "old-value": 200, "new-value": 200} {
		r.Header.Set("X-Hook", value)
		status, _ := s.Post(t, r)
		require.Equal(t, want, status, "value %q", value)
	}
}

func TestNew(t *testing.T) {
	esptest.Misconfigured(t, postmark.New, map[string]postmark.Config{
		"no values":   {HeaderName: "X-Hook"},
		"no name":     {HeaderValues: anymail.Keys("value")},
		"empty value": {HeaderName: "X-Hook", HeaderValues: anymail.Keys("value", "")},
		"line end":    {HeaderName: "X-Hook", HeaderValues: anymail.Keys("value\n")},
		"no header":   {HeaderName: "X-Hook:", HeaderValues: anymail.Keys("value")},
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, postmarksim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, postmarksim.New(), "inbound") }

func Example() {
	d, err := anymail.New(anymail.WithSharedSecret("postmark:correct-horse-battery-staple"))
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := postmark.New(postmark.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("postmark", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason)
		return nil
	}, anymail.ForTypes(anymail.EventBounced))
	fmt.Println(err, cmp.Diff([]string{"suppress"}, d.Tracking.Receivers()))
	// Output: <nil>
}
