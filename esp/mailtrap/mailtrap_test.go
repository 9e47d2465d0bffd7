package mailtrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/goanymail/anymail/esp/mailtrap"
	"github.com/goanymail/anymail/esp/mailtrap/mailtrapsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailtrapsim.New()) }

func parse(t testing.TB, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailtrap.New, mailtrap.Config{}), simulator.JSON("tracking", []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name  string
		event string
		want  anymail.TrackingEvent
	}{
		{
			name: "delivery",
			event: `{"event":"delivery","timestamp":1790000000,"sending_stream":"transactional","category":"welcome","custom_variables":{"order":42,"vip":true,"name":"Ada"},
				"message_id":"m-1","email":"ada@example.com","event_id":"e-1","sending_domain_name":"example.org"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: "e-1", Timestamp: at},
				MessageID: "m-1", Recipient: "ada@example.com", Tags: []string{"welcome"},
				Metadata: anymail.Metadata{"order": json.Number("42"), "vip": true, "name": "Ada"},
			},
		},
		{
			name: "click",
			event: `{"event":"click","timestamp":1790000000,"message_id":"m-1","email":"ada@example.com","event_id":"e-2",
				"ip":"192.0.2.10","user_agent":"Mozilla/5.0","url":"https://example.org/a"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "e-2", Timestamp: at},
				MessageID: "m-1", Recipient: "ada@example.com", ClickURL: "https://example.org/a",
				UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"),
			},
		},
		{
			name: "bounce, with a code of Mailtrap's own before the answer",
			event: `{"event":"bounce","timestamp":1790000000,"message_id":"m-2","email":"nobody@example.com","event_id":"e-3",
				"response":"[CS01] 5.1.1 no such user","response_code":550,"bounce_category":"badrecipient"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "e-3", Timestamp: at},
				MessageID: "m-2", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "badrecipient", MTAResponse: "[CS01] 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name:  "bounce without a category, whose answer tells",
			event: `{"event":"bounce","timestamp":1790000000,"message_id":"m-2","email":"nobody@example.com","event_id":"e-3","response":"550 5.1.1 no such user"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "e-3", Timestamp: at},
				MessageID: "m-2", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid, MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "soft bounce",
			event: `{"event":"soft bounce","timestamp":1790000000,"message_id":"m-3","email":"bob@example.com","event_id":"e-4",
				"response":"4.7.1 please retry","response_code":"451","bounce_category":"greylisting"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, ID: "e-4", Timestamp: at},
				MessageID: "m-3", Recipient: "bob@example.com",
				Description: "greylisting", MTAResponse: "4.7.1 please retry",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"},
			},
		},
		{
			name:  "suspension",
			event: `{"event":"suspension","timestamp":1790000000,"message_id":"m-4","email":"ada@example.com","event_id":"e-5","reason":"Daily sending limit reached."}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, ID: "e-5", Timestamp: at},
				MessageID: "m-4", Recipient: "ada@example.com", Description: "Daily sending limit reached.",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name:  "reject",
			event: `{"event":"reject","timestamp":1790000000,"message_id":"m-5","email":"old@example.com","event_id":"e-6","reason":"Recipient in suppression list. Reason: unsubscription"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: "e-6", Timestamp: at},
				MessageID: "m-5", Recipient: "old@example.com", RejectReason: anymail.RejectUnsubscribed,
				Description: "Recipient in suppression list. Reason: unsubscription",
			},
		},
		{
			name: "activity, which is about no message",
			event: `{"event":"activity_log.user.updated","description":"updated the user profile","actor":{"id":1,"type":"user","name":"Jo"},
				"resource":{"id":"1","type":"user","name":"Jo"},"changes":{"name":{"from":"Jo","to":"Joe"}},"timestamp":1790000000}`,
			want: anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventUnknown, Timestamp: at},
				Description: "updated the user profile",
			},
		},
		{
			name:  "received message, to an adapter that cannot fetch it",
			event: `{"event":"inbound.message_received","event_id":"e-7","timestamp":1790000000000,"inbox_id":250,"message_id":"1870000000000000001","from":"Ada <ada@example.com>"}`,
			want: anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventUnknown, ID: "e-7", Timestamp: at},
				Description: "a received message, which cannot be fetched without APIKeys",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, `{"events":[`+tt.event+`]}`)
			require.Len(t, events, 1)
			require.Equal(t, tt.event, string(events[0].Base().Raw))
			tt.want.ESP = mailtrap.ESP
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

func TestBounceCategories(t *testing.T) {
	// https://docs.mailtrap.io/email-api-smtp/bounce-categorization
	type outcome struct {
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}
	bounced, deferred := anymail.EventBounced, anymail.EventDeferred
	tests := []struct {
		event, category string
		want            outcome
	}{
		{"bounce", "badrecipient", outcome{bounced, anymail.RejectInvalid, anymail.BounceHard}},
		{"bounce", "verifyfail", outcome{bounced, anymail.RejectBounced, anymail.BounceUndetermined}}, // of either address
		{"bounce", "transientfail", outcome{bounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"bounce", "dnsFail", outcome{bounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"bounce", "serverfail", outcome{bounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"bounce", "overquota", outcome{bounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"bounce", "timeout", outcome{bounced, anymail.RejectTimedOut, anymail.BounceSoft}},
		{"bounce", "greylisting", outcome{bounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"bounce", "badsender", outcome{bounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{"bounce", "block", outcome{bounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{"bounce", "relayfail", outcome{bounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{"bounce", "serverpolicy", outcome{bounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{"bounce", "content", outcome{bounced, anymail.RejectSpam, anymail.BounceBlock}},
		{"bounce", "spam", outcome{bounced, anymail.RejectSpam, anymail.BounceBlock}},
		{"bounce", "spam_gmail", outcome{bounced, anymail.RejectBlocked, anymail.BounceBlock}},
		{"bounce", "generalfail", outcome{bounced, anymail.RejectBounced, anymail.BounceUndetermined}},
		{"bounce", "other", outcome{bounced, anymail.RejectBounced, anymail.BounceUndetermined}},
		{"bounce", "a new one", outcome{bounced, anymail.RejectBounced, anymail.BounceUndetermined}},
		// What is tried again is soft, or a block that may be lifted.
		{"soft bounce", "", outcome{deferred, "", anymail.BounceSoft}},
		{"soft bounce", "badrecipient", outcome{deferred, "", anymail.BounceSoft}},
		{"soft bounce", "generalfail", outcome{deferred, "", anymail.BounceSoft}},
		{"soft bounce", "block", outcome{deferred, "", anymail.BounceBlock}},
		{"soft_bounce", "greylisting", outcome{deferred, "", anymail.BounceSoft}},
		// Other events.
		{"sending", "", outcome{anymail.EventQueued, "", ""}},
		{"spam", "", outcome{anymail.EventComplained, anymail.RejectSpam, ""}},
		{"delivery", "spam", outcome{anymail.EventDelivered, "", ""}},
	}
	for _, tt := range tests {
		got := parse(t, fmt.Sprintf(`{"events":[{"event":%q,"bounce_category":%q}]}`, tt.event, tt.category))[0].(*anymail.TrackingEvent)
		require.Equal(t, tt.want, outcome{got.Type, got.RejectReason, got.Bounce.Category}, "%s %s", tt.event, tt.category)
		switch words := strings.ReplaceAll(tt.event, "_", " "); {
		case words != "bounce":
			espdoc.Row(t, mailtrap.ESP, words, got)
		case tt.category == "a new one":
			espdoc.Row(t, mailtrap.ESP, "not known", got)
		default:
			espdoc.Row(t, mailtrap.ESP, tt.category, got)
		}
	}
}

func TestRejectReasons(t *testing.T) {
	for words, want := range map[string]anymail.RejectReason{
		"Recipient in suppression list. Reason: unsubscription": anymail.RejectUnsubscribed,
		"Recipient in suppression list. Reason: hard bounce":    anymail.RejectBounced,
		"Recipient in suppression list. Reason: spam complaint": anymail.RejectSpam,
		"Recipient in suppression list. Reason: manual import":  anymail.RejectBlocked,
		"": anymail.RejectBlocked,
	} {
		got := parse(t, fmt.Sprintf(`{"events":[{"event":"reject","reason":%q}]}`, words))[0].(*anymail.TrackingEvent)
		require.Equal(t, want, got.RejectReason, words)
	}
}

func TestFormats(t *testing.T) {
	const open, click = `{"event":"open","event_id":"e2"}`, `{"event":"click","event_id":"e3"}`
	opened, clicked, unknown := anymail.EventOpened, anymail.EventClicked, anymail.EventUnknown
	tests := []struct {
		name, body string
		want       []anymail.EventType
		err        error
	}{
		{"JSON", `{"events":[` + open + `,` + click + `]}`, []anymail.EventType{opened, clicked}, nil},
		{"JSON over several lines", "{\n \"events\": [\n " + open + ",\n " + click + "\n ]\n}\n", []anymail.EventType{opened, clicked}, nil},
		{"JSON without events", `{"events":[]}`, []anymail.EventType{unknown}, nil},
		{"JSON with events that are no list", `{"events":{}}`, []anymail.EventType{unknown}, nil},
		{"an object", `{}`, []anymail.EventType{unknown}, nil},
		{"another object", `{"hello":"world"}`, []anymail.EventType{unknown}, nil},
		{"empty array", `[]`, nil, anymail.ErrMalformed},
		{"null", `null`, nil, anymail.ErrMalformed},
		{"array", `[` + open + `,` + click + `]`, []anymail.EventType{opened, clicked}, nil},
		{"lines", open + "\n" + click, []anymail.EventType{opened, clicked}, nil},
		{"lines with all that ends a line", open + "\r\n\r\n" + click + "\n\n", []anymail.EventType{opened, clicked}, nil},
		{"one line", open + "\n", []anymail.EventType{opened}, nil},
		{"a malformed line in between", open + "\n{\"event\":\n" + click + "\n", []anymail.EventType{opened, unknown, clicked}, nil},
		{"a malformed first line", "{\"event\":\n" + click + "\n", []anymail.EventType{unknown, clicked}, nil},
		{"a malformed element", `{"events":[` + open + `,"click",` + click + `]}`, []anymail.EventType{opened, unknown, clicked}, nil},
		{"no lines", "\n\n", nil, anymail.ErrMalformed},
		{"no JSON", "event=open\nevent=click\n", nil, anymail.ErrMalformed},
		{"cut off", `{"events":[` + open + `,`, nil, anymail.ErrMalformed},
		{"empty", "", nil, anymail.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := simulator.Parse(esptest.New(t, mailtrap.New, mailtrap.Config{}), simulator.JSON("tracking", []byte(tt.body)))
			require.ErrorIs(t, err, tt.err)
			var types []anymail.EventType
			for _, ev := range events {
				types = append(types, ev.Base().Type)
			}
			require.Equal(t, tt.want, types)
		})
	}
}

func TestBatchLimit(t *testing.T) {
	parser := esptest.New(t, mailtrap.New, mailtrap.Config{}).Endpoints()[0].Parser
	for name, body := range map[string]string{
		"JSON":  `{"events":[` + strings.TrimSuffix(strings.Repeat(`{},`, 12), ",") + `]}`,
		"lines": strings.Repeat("{}\n", 12),
	} {
		p := &anymail.Payload{Body: []byte(body), Limits: anymail.Limits{BatchEvents: 11}}
		_, err := parser.ParseEvents(context.Background(), p)
		require.ErrorIs(t, err, anymail.ErrTooLarge, name)
		p.Limits.BatchEvents = 12
		events, err := parser.ParseEvents(context.Background(), p)
		require.NoError(t, err, name)
		require.Len(t, events, 12, name)
	}
}

// These bodies and their signatures were not made by this program. The secret
// is its text and not the bytes that it would be as hexadecimal digits.
func TestVectors(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	for body, signature := range map[string]string{
		`{"events":[{"event":"delivery","timestamp":1790000000,"sending_stream":"transactional","message_id":"7c1f0a52-0000-4000-8000-000000000001","email":"ada@example.com","event_id":"7c1f0a52-0000-4000-8000-0000000000e1","sending_domain_name":"example.org"}]}`: "81e3ae5cb8c5e4eff834db3e5f1095fbfe69084aaddde497f50118bcfe6c9971",
		`{"event":"open","timestamp":1790000060,"sending_stream":"bulk","message_id":"m1","email":"ada@example.com","event_id":"e2","ip":"192.0.2.10","sending_domain_name":"example.org"}` + "\n" +
			`{"event":"click","timestamp":1790000061,"sending_stream":"bulk","message_id":"m1","email":"ada@example.com","event_id":"e3","ip":"192.0.2.10","url":"https://example.org/a","sending_domain_name":"example.org"}` + "\n": "ca8dbcb23fd4d8f743192abd0aeab8cd7a230c9f3db54bd12bdc69937b2d3e24",
	} {
		v := esptest.New(t, mailtrap.New, mailtrap.Config{TrackingSigningKeys: anymail.Keys("another", secret)}).Endpoints()[0].Verifier
		for _, given := range []string{signature, strings.ToUpper(signature)} {
			p := &anymail.Payload{Body: []byte(body), Header: http.Header{"Mailtrap-Signature": {given}}}
			proof, err := v.Verify(context.Background(), p)
			require.NoError(t, err)
			require.Equal(t, 1, proof.Key)
		}
		p := &anymail.Payload{Body: []byte(body + " "), Header: http.Header{"Mailtrap-Signature": {signature}}}
		_, err := v.Verify(context.Background(), p)
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	}
}

// A webhook's secret is its own: that of one endpoint is not valid at the other.
func TestSecretsAreSeparate(t *testing.T) {
	adapter := esptest.New(t, mailtrap.New, mailtrap.Config{
		TrackingSigningKeys: anymail.Keys("tracking-secret"), InboundSigningKeys: anymail.Keys("inbound-secret"), APIKeys: anymail.Keys("token"),
	})
	for i, secret := range []string{"tracking-secret", "inbound-secret"} {
		r := simulator.JSON("", []byte(`{"events":[]}`))
		require.NoError(t, mailtrapsim.New().Sign(&r, simulator.Credential{Config: secret}, time.Now()))
		for j, ep := range adapter.Endpoints() {
			_, err := ep.Verifier.Verify(context.Background(), &anymail.Payload{Header: r.Header, Body: r.Body})
			require.Equal(t, i == j, err == nil, "%s at %s", secret, ep.Path)
		}
	}
}

func TestConfig(t *testing.T) {
	_, err := mailtrap.New(mailtrap.Config{InboundSigningKeys: anymail.Keys("secret")})
	require.ErrorIs(t, err, anymail.ErrConfig, "nothing to fetch with")
	endpoints := esptest.New(t, mailtrap.New, mailtrap.Config{}).Endpoints()
	require.Len(t, endpoints, 1)
	require.Equal(t, "tracking", endpoints[0].Path)
	require.Nil(t, endpoints[0].Verifier)
}

// api answers GETs by URL, with a status alone if the answer is a number,
// and keeps what was asked.
type api struct {
	answers map[string]any

	mu    sync.Mutex
	asked []*http.Request
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r)
	status, body := http.StatusOK, ""
	switch answer := a.answers[r.URL.String()].(type) {
	case string:
		body = answer
	case int:
		status = answer
	case error:
		return nil, answer
	default:
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
}

func (a *api) adapter(t testing.TB) *mailtrap.Adapter {
	t.Helper()
	return esptest.New(t, mailtrap.New, mailtrap.Config{
		APIKeys: anymail.Keys("the-token", "an-older-token"), Client: &http.Client{Transport: a}, FileHosts: []string{"files.example.com"},
	})
}

const (
	notification = `{"event":"inbound.message_received","event_id":"e-1","timestamp":1790000000125,"inbox_id":250,"message_id":"1870000000000000001","from":"Ada <ada@example.com>"}`
	messageURL   = "https://mailtrap.io/api/inbound/inboxes/250/messages/1870000000000000001"
	rawURL       = "https://s3.eu-west-1.amazonaws.com/mail/raw.eml?X-Amz-Signature=1"
	rawMessage   = "From: Ada <ada@example.com>\r\nTo: help@inbound.mailtrap.io\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
		"Message-ID: <in1@example.com>\r\nDate: Mon, 21 Sep 2026 16:13:00 +0200\r\n\r\nHello\r\n"
)

func fetch(t testing.TB, a *api, endpoint, body string) ([]anymail.Event, error) {
	t.Helper()
	return simulator.Parse(a.adapter(t), simulator.JSON(endpoint, []byte(body)))
}

func TestInbound(t *testing.T) {
	a := &api{answers: map[string]any{
		messageURL: `{"id":1870000000000000001,"inbox_id":250,"from":"ada@example.com","headers":{"mime-version":"1.0","return-path":"<bounce@example.com>"},
			"received_at":"2026-09-21T14:13:20.125Z","html_body":null,"text_body":"Hello","attachments":[],"raw_message_url":"` + rawURL + `"}`,
		rawURL: rawMessage,
	}}
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailtrap.ESP, Type: anymail.EventInbound, ID: "e-1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 125e6, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com",
			From:           []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
			To:             []anymail.Address{{Address: "help@inbound.mailtrap.io"}},
			Subject:        "Grüße",
			MessageID:      "in1@example.com",
			Date:           time.Date(2026, 9, 21, 14, 13, 0, 0, time.UTC),
			Headers: anymail.Headers{
				{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "To", Value: "help@inbound.mailtrap.io"}, {Name: "Subject", Value: "Grüße"},
				{Name: "Message-ID", Value: "<in1@example.com>"}, {Name: "Date", Value: "Mon, 21 Sep 2026 16:13:00 +0200"},
			},
			Text:    "Hello\r\n",
			RawMIME: anymail.Raw(rawMessage),
		},
	}
	// At either endpoint, and next to other events.
	for _, endpoint := range []string{"inbound", "tracking"} {
		events, err := fetch(t, a, endpoint, `{"events":[`+notification+`,{"event":"open","event_id":"e-2"}]}`)
		require.NoError(t, err)
		require.Len(t, events, 2)
		anymailtest.Equal(t, want, events[0])
		require.Equal(t, notification, string(events[0].Base().Raw))
		require.Equal(t, anymail.EventOpened, events[1].Base().Type)
	}
	require.Len(t, a.asked, 4)
	require.Equal(t, "Bearer the-token", a.asked[0].Header.Get("Authorization"))
	require.Empty(t, a.asked[1].Header.Get("Authorization"), "the token is Mailtrap's alone")
}

// If there is no raw message, the fields of the API make one.
func TestInboundWithoutRaw(t *testing.T) {
	const answer = `{"from":"Ada <ada@example.com>","to":["help@inbound.mailtrap.io","Bo <bo@example.org>"],"cc":["carl@example.org"],"bcc":[],"reply_to":"reply@example.com",
		"subject":"Hi","message_id":"<in1@example.com>","in_reply_to":"<out1@example.org>","references":["<out0@example.org>","<out1@example.org>"],
		"headers":{"mime-version":"1.0","return-path":"<ada@example.com>"},"received_at":"2026-09-21T14:13:20.000Z","html_body":"<p>Hello</p>","text_body":"Hello",
		"attachments":[
			{"attachment_id":"att-1","size":6,"filename":"../a.txt","content_type":"text/plain","content_disposition":"attachment","content_id":null,"download_url":"https://files.example.com/a?sig=1"},
			{"attachment_id":"att-2","size":8,"filename":null,"content_type":"image/png","content_disposition":"inline","content_id":"pic@example.com","download_url":null}],
		"raw_message_url":%s}`
	for name, url := range map[string]string{"none": `null`, "gone": `"https://files.example.com/raw.eml"`} {
		a := &api{answers: map[string]any{messageURL: fmt.Sprintf(answer, url), "https://files.example.com/a?sig=1": "a note"}}
		events, err := fetch(t, a, "inbound", strings.Replace(notification, "1790000000125", "null", 1))
		require.NoError(t, err, name)
		require.Len(t, events, 1)
		anymailtest.Equal(t, &anymail.InboundEvent{
			Common: anymail.Common{ESP: mailtrap.ESP, Type: anymail.EventInbound, ID: "e-1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
			Message: anymail.InboundMessage{
				EnvelopeSender: "ada@example.com",
				From:           []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
				To:             []anymail.Address{{Address: "help@inbound.mailtrap.io"}, {Name: "Bo", Address: "bo@example.org"}},
				CC:             []anymail.Address{{Address: "carl@example.org"}},
				ReplyTo:        []anymail.Address{{Address: "reply@example.com"}},
				Subject:        "Hi", MessageID: "in1@example.com", InReplyTo: "out1@example.org", References: []string{"out0@example.org", "out1@example.org"},
				Headers: anymail.Headers{{Name: "mime-version", Value: "1.0"}, {Name: "return-path", Value: "<ada@example.com>"}},
				Text:    "Hello", HTML: "<p>Hello</p>",
				Attachments: []anymail.Attachment{
					{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 6, Content: []byte("a note")},
					{ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.com", Size: 8},
				},
			},
		}, events[0])
	}
}

// A message that Mailtrap does not have will not come by asking again; anything
// else may.
func TestFetchFailures(t *testing.T) {
	answer := func(url string) string { return `{"from":"ada@example.com","raw_message_url":"` + url + `"}` }
	tests := []struct {
		name    string
		answers map[string]any
		err     error // nil for an event that says so
	}{
		{"deleted", nil, nil},
		{"gone", map[string]any{messageURL: 410}, nil},
		{"wrong token", map[string]any{messageURL: 401}, anymail.ErrUnavailable},
		{"too many requests", map[string]any{messageURL: 429}, anymail.ErrUnavailable},
		{"out of order", map[string]any{messageURL: 500}, anymail.ErrUnavailable},
		{"no connection", map[string]any{messageURL: errors.New("refused")}, anymail.ErrUnavailable},
		{"no message", map[string]any{messageURL: `<html>`}, anymail.ErrUnavailable},
		{"signed URL expired", map[string]any{messageURL: answer(rawURL), rawURL: 403}, anymail.ErrUnavailable},
		{"URL elsewhere", map[string]any{messageURL: answer("https://metadata.example.net/")}, anymail.ErrMalformed},
		{"URL within", map[string]any{messageURL: answer("http://169.254.169.254/")}, anymail.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &api{answers: tt.answers}
			events, err := fetch(t, a, "inbound", `{"events":[`+notification+`]}`)
			for _, r := range a.asked {
				require.Contains(t, []string{messageURL, rawURL}, r.URL.String())
			}
			require.ErrorIs(t, err, tt.err)
			if tt.err != nil {
				require.Empty(t, events)
				return
			}
			anymailtest.Equal(t, &anymail.InboundEvent{
				Common:  anymail.Common{ESP: mailtrap.ESP, Type: anymail.EventInboundFailed, ID: "e-1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 125e6, time.UTC)},
				Message: anymail.InboundMessage{From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}},
			}, events[0])
		})
	}
}

// What comes out of a notification becomes a part of a URL only if it is an id.
func TestIDsOfNotifications(t *testing.T) {
	for _, ids := range []string{`"inbox_id":"../..","message_id":"1"`, `"inbox_id":7,"message_id":"1/../2"`, `"inbox_id":7,"message_id":""`, `"inbox_id":7,"message_id":"` + strings.Repeat("1", 21) + `"`, `"inbox_id":-1,"message_id":"1"`} {
		a := &api{}
		events, err := fetch(t, a, "inbound", `{"events":[{"event":"inbound.message_received",`+ids+`}]}`)
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, anymail.EventInboundFailed, events[0].Base().Type)
		require.Empty(t, a.asked, ids)
	}
}

// All messages of a request share one limit: a batch of them must not exhaust
// the memory. What is over it comes as far as the notification tells.
func TestFetchLimit(t *testing.T) {
	big := `{"text_body":"` + strings.Repeat("x", 600) + `"}`
	a := &api{answers: map[string]any{messageURL: big, messageURL + "2": big}}
	other := strings.Replace(notification, "0001\"", "00012\"", 1)
	p := &anymail.Payload{Body: []byte(notification + "\n" + other), Limits: anymail.Limits{Fetch: 1000}}
	for limit, second := range map[int64]anymail.EventType{1000: anymail.EventInboundFailed, 2000: anymail.EventInbound} {
		p.Limits.Fetch = limit
		events, err := a.adapter(t).Endpoints()[1].Parser.ParseEvents(context.Background(), p)
		require.NoError(t, err)
		require.Len(t, events, 2)
		require.Equal(t, anymail.EventInbound, events[0].Base().Type)
		require.Equal(t, second, events[1].Base().Type, limit)
	}
}

// A raw message over the limit is made up for by what the API tells.
func TestRawOverTheLimit(t *testing.T) {
	a := &api{answers: map[string]any{
		messageURL: `{"from":"ada@example.com","text_body":"Hello","raw_message_url":"` + rawURL + `"}`,
		rawURL:     strings.Repeat("x", 2000),
	}}
	p := &anymail.Payload{Body: []byte(notification), Limits: anymail.Limits{Fetch: 1000}}
	events, err := a.adapter(t).Endpoints()[1].Parser.ParseEvents(context.Background(), p)
	require.NoError(t, err)
	require.Equal(t, anymail.EventInbound, events[0].Base().Type)
	require.Equal(t, "Hello", events[0].(*anymail.InboundEvent).Message.Text)
}

// The notification of a message that is notified of again has another id.
func TestInboundKeys(t *testing.T) {
	key := func(body string) string {
		events, err := fetch(t, &api{answers: map[string]any{messageURL: `{}`, messageURL + "2": `{}`}}, "inbound", body)
		require.NoError(t, err)
		return events[0].Base().Key
	}
	first := key(notification)
	require.Equal(t, first, key(strings.Replace(notification, "e-1", "e-2", 1)))
	require.NotEqual(t, first, key(strings.Replace(notification, "0001\"", "00012\"", 1)))
}

// The panel's test is about an inbox that is not the user's, under another
// name; it wants a 200 and nothing else.
func TestPanelTest(t *testing.T) {
	for _, inbox := range []string{`"inbound_inbox_id":1`, `"inbox_id":1`, `"inbox_id":null,"inbound_inbox_id":1`} {
		a := &api{}
		events, err := fetch(t, a, "inbound", `{"events":[{"event":"inbound_message_received","timestamp":1790000000125,`+inbox+`,"message_id":"1","from":"ada@example.com"}]}`)
		require.NoError(t, err)
		require.Empty(t, events)
		require.Empty(t, a.asked)
	}
}

// A notification that does not say which message it is about is not a test.
func TestInboundFailed(t *testing.T) {
	ada := []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}
	for event, want := range map[string]anymail.InboundEvent{
		`{"event":"inbound.message_received","event_id":"e-1","inbox_id":null,"message_id":"1","from":"Ada <ada@example.com>"}`: {
			Common: anymail.Common{ID: "e-1"}, Message: anymail.InboundMessage{From: ada},
		},
		`{"event":"inbound.message_received","event_id":"e-1","timestamp":[],"response":{},"from":"Ada <ada@example.com>"}`: {
			Common: anymail.Common{ID: "e-1"}, Message: anymail.InboundMessage{From: ada},
		},
		`{"event":"inbound.message_received","from":["no text"]}`: {},
	} {
		a := &api{}
		events, err := fetch(t, a, "inbound", `{"events":[`+event+`,{"event":"open","event_id":"e-2"}]}`)
		require.NoError(t, err)
		require.Len(t, events, 2)
		want.ESP, want.Type = mailtrap.ESP, anymail.EventInboundFailed
		anymailtest.Equal(t, &want, events[0])
		require.Equal(t, event, string(events[0].Base().Raw))
		require.Empty(t, a.asked)
	}
	key := func(event string) string {
		events, err := fetch(t, &api{}, "inbound", event)
		require.NoError(t, err)
		return events[0].Base().Key
	}
	require.NotEqual(t, key(`{"event":"inbound.message_received","from":"a@example.com"}`), key(`{"event":"inbound.message_received","from":"b@example.com"}`))
}

// The button "Run Test" works each time that it is pressed. The same body of another
// event is delivered once.
func TestRunTest(t *testing.T) {
	const sample = `{"event":"delivery","timestamp":1728669700,"message_id":"1df37d17-0286-4d8b-8edf-bc4ec5be86e6","email":"receiver@example.com","event_id":"bede7236-2284-43d6-a953-1fdcafd0fdbc"}`
	const second = `{"event":"delivery","timestamp":1728669927,"message_id":"ca7974af-7212-42aa-99fb-cc4742d0658b","email":"another@example.com","event_id":"657b8544-6a95-4c47-997f-6e47922a5052"}`
	const other = `{"event":"delivery","event_id":"e-1","email":"ada@example.com"}`
	for _, tt := range []struct {
		name, body string
		first, all int
	}{
		{"JSON", `{"events":[` + sample + `]}`, 1, 3},
		{"lines", sample + "\n" + second + "\n", 2, 6},
		{"another event", `{"events":[` + other + `]}`, 1, 1},
		{"in a body with another event", `{"events":[` + other + `,` + sample + `]}`, 2, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := anymailtest.NewServer(t, mailtrapsim.New())
			r := s.Sign(t, simulator.JSON("tracking", []byte(tt.body)))
			events := 0
			for i := range 3 {
				status, _ := s.Post(t, r)
				require.Equal(t, http.StatusOK, status)
				if events += len(s.Take()); i == 0 {
					require.Equal(t, tt.first, events)
				}
			}
			require.Equal(t, tt.all, events)
		})
	}
}

// What the sender wrote is not the envelope.
func TestEnvelopeSender(t *testing.T) {
	const server, taken, senders = "Return-Path: <real@example.com>\r\n", "Received: from a by b\r\n", "Return-Path: <ceo@example.net>\r\n"
	for name, tt := range map[string]struct{ raw, want string }{
		"the server's":                     {server + taken + senders, "real@example.com"},
		"the sender's":                     {taken + senders, ""},
		"the sender's, below other fields": {"X-A: 1\r\n" + taken + taken + senders, ""},
		"none in the message":              {taken, "bounce@example.com"},
	} {
		a := &api{answers: map[string]any{
			messageURL: `{"headers":{"return-path":"<bounce@example.com>"},"raw_message_url":"` + rawURL + `"}`,
			rawURL:     tt.raw + "\r\nHello\r\n",
		}}
		events, err := fetch(t, a, "inbound", `{"events":[`+notification+`]}`)
		require.NoError(t, err, name)
		m := events[0].(*anymail.InboundEvent).Message
		require.Equal(t, tt.want, m.EnvelopeSender, name)
		require.Zero(t, m.Authentication, name)
		require.Equal(t, anymail.Unsaid, m.SpamDetected, name)
	}
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailtrapsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, mailtrapsim.New(), "inbound") }

func Example() {
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := mailtrap.New(mailtrap.Config{
		TrackingSigningKeys: anymail.Keys("signing secret of the sending webhook"),
		InboundSigningKeys:  anymail.Keys("signing secret of the inbound webhook"),
		APIKeys:             anymail.Keys("API token"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("mailtrap", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Inbound.Connect("tickets", func(_ context.Context, ev *anymail.InboundEvent) error {
		fmt.Println(ev.Message.Subject)
		return nil
	}, anymail.ForTypes(anymail.EventInbound))
	fmt.Println(err, d.Inbound.Receivers())
	// Output: <nil> [tickets]
}
