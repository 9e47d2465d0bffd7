package brevo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/brevo"
	"github.com/goanymail/anymail/esp/brevo/brevosim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, brevosim.New()) }

// parse gives a body to an endpoint's parser.
func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, brevo.New, brevo.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	// 1790000000 is 2026-09-21 14:13:20 UTC, which is 16:13:20 in Paris.
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "request, in milliseconds, with tags and metadata",
			body: `{"event":"request","email":"ada@example.com","id":814001,"date":"2026-09-21 16:13:20","ts":1790000000,"message-id":"<1@smtp-relay.example.org>",
				"ts_event":1790000000,"subject":"Hi","X-Mailin-custom":"{\"order\":42,\"eu\":true}","sending_ip":"192.0.2.10","ts_epoch":1790000000123,
				"template_id":22,"tag":"[\"welcome\",\"eu\"]","tags":["welcome","eu"],"contact_id":8}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventQueued, Timestamp: at.Add(123 * time.Millisecond)},
				MessageID: "<1@smtp-relay.example.org>", Recipient: "ada@example.com", Tags: []string{"welcome", "eu"},
				Metadata: anymail.Metadata{"order": json.Number("42"), "eu": true},
			},
		},
		{
			name: "ts_epoch in seconds, as in the documentation, wins over ts_event",
			body: `{"event":"delivered","email":"ada@example.com","message-id":"2@smtp-relay.example.org","ts_event":1790000099,"ts_epoch":1790000000}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "2@smtp-relay.example.org", Recipient: "ada@example.com",
			},
		},
		{
			name: "without ts_epoch, ts_event wins over the ts that is off by the zone; numbers in strings",
			body: `{"event":"delivered","email":"ada@example.com","ts":"1790007200","ts_event":"1790000000"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				Recipient: "ada@example.com",
			},
		},
		{
			name: "a date without a zone is not a time",
			body: `{"event":"delivered","email":"ada@example.com","date":"2026-09-21 16:13:20"}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDelivered}, Recipient: "ada@example.com"},
		},
		{
			name: "hard bounce with a word of Brevo's before the answer",
			body: `{"event":"hard_bounce","email":"nobody@example.com","message-id":"<3@example.org>","ts_epoch":1790000000000,"tag":"header-tag",
				"reason":" RecipientError: 550 5.1.1 no such user"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "<3@example.org>", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid, Tags: []string{"header-tag"},
				Description: "RecipientError: 550 5.1.1 no such user", MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "soft bounce that no receiving server answered",
			body: `{"event":"soft_bounce","email":"ada@example.com","reason":"undefined Unable to find MX of domain example.com"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced},
				Recipient: "ada@example.com", RejectReason: anymail.RejectBounced,
				Description: "undefined Unable to find MX of domain example.com",
				Bounce:      anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "deferred with the code of a bounce is still deferred",
			body: `{"event":"deferred","email":"ada@example.com","reason":"550 5.1.1 no such user"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred},
				Recipient: "ada@example.com", Description: "550 5.1.1 no such user", MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "custom header that is not a JSON object",
			body: `{"event":"spam","email":"ada@example.com","X-Mailin-custom":"order:42|lang:de","tags":["welcome"]}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Tags: []string{"welcome"},
			},
		},
		{
			name: "custom header in another spelling",
			body: `{"event":"opened","email":"ada@example.com","x-mailin-custom":"{\"order\":\"42\"}","tag":"[\"a\",\"b\"]","link":"","user_agent":"Mozilla","sending_ip":"192.0.2.10"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened},
				Recipient: "ada@example.com", Metadata: anymail.Metadata{"order": "42"}, Tags: []string{"a", "b"}, UserAgent: "Mozilla",
			},
		},
		{
			name: "click",
			body: `{"event":"click","email":"ada@example.com","link":"https://example.com/a?b=1&c=2","user_agent":"Mozilla","device_used":"MOBILE"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked},
				Recipient: "ada@example.com", ClickURL: "https://example.com/a?b=1&c=2", UserAgent: "Mozilla",
			},
		},
		{
			name: "click in a campaign",
			body: `{"id":814002,"camp_id":7,"email":"ada@example.com","campaign name":"Autumn","date_event":"2026-09-21 16:13:20","event":"click","tag":"",
				"ts_sent":1789999200,"ts_event":1790000000,"ts":1790003600,"URL":"https://example.com/c"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				Recipient: "ada@example.com", ClickURL: "https://example.com/c", Tags: []string{"Autumn"},
			},
		},
		{
			name: "contact added to a list",
			body: `{"id":814002,"email":"ada@example.com","event":"list_addition","key":"k1","list_id":[34,12],"date":"2026-09-21 16:13:20","ts":1790000000}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventSubscribed, Timestamp: at}, Recipient: "ada@example.com"},
		},
		{
			name: "text message",
			body: `{"id":814003,"to":"15550100","messageId":7,"msg_status":"delivered","ts_event":1790000000}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, Timestamp: at}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, "tracking", tt.body)
			require.Len(t, events, 1)
			tt.want.ESP = brevo.ESP
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

// One event has several names, over time and between the documents and the wire.
func TestEventNames(t *testing.T) {
	tests := []struct {
		names     []string
		typ       anymail.EventType
		reason    anymail.RejectReason
		category  anymail.BounceCategory
		automated anymail.Tri
	}{
		{names: []string{"request"}, typ: anymail.EventQueued},
		{names: []string{"sent"}, typ: anymail.EventSent},
		{names: []string{"delivered"}, typ: anymail.EventDelivered},
		{names: []string{"deferred"}, typ: anymail.EventDeferred, category: anymail.BounceSoft},
		{names: []string{"soft_bounce", "softBounce", "soft_bounced"}, typ: anymail.EventBounced, reason: anymail.RejectBounced, category: anymail.BounceSoft},
		{names: []string{"hard_bounce", "hardBounce", "HARD_BOUNCE", "hard_bounced"}, typ: anymail.EventBounced, reason: anymail.RejectBounced, category: anymail.BounceHard},
		{names: []string{"invalid_email", "invalid"}, typ: anymail.EventBounced, reason: anymail.RejectInvalid, category: anymail.BounceHard},
		{names: []string{"blocked"}, typ: anymail.EventRejected, reason: anymail.RejectBlocked},
		{names: []string{"error"}, typ: anymail.EventFailed, reason: anymail.RejectOther},
		{names: []string{"spam", "complaint"}, typ: anymail.EventComplained, reason: anymail.RejectSpam},
		{names: []string{"opened", "unique_opened", "uniqueOpened"}, typ: anymail.EventOpened},
		{names: []string{"proxy_open", "unique_proxy_open", "unique_proxy_opened", "uniqueProxyOpen"}, typ: anymail.EventOpened, automated: anymail.Yes},
		{names: []string{"click"}, typ: anymail.EventClicked},
		{names: []string{"unsubscribed", "unsubscribe"}, typ: anymail.EventUnsubscribed, reason: anymail.RejectUnsubscribed},
		{names: []string{"list_addition", "listAddition"}, typ: anymail.EventSubscribed},
		{names: []string{"contact_updated", "contact_deleted", "reply", ""}},
	}
	for _, tt := range tests {
		for _, name := range tt.names {
			events := parse(t, "tracking", fmt.Sprintf(`{"event":%q,"email":"ada@example.com"}`, name))
			want := &anymail.TrackingEvent{
				Common: anymail.Common{ESP: brevo.ESP, Type: tt.typ}, Recipient: "ada@example.com",
				RejectReason: tt.reason, Bounce: anymail.Bounce{Category: tt.category}, Automated: tt.automated,
			}
			t.Run(name, func(t *testing.T) {
				anymailtest.Equal(t, want, events[0])
				espdoc.Row(t, brevo.ESP, tt.names[0], want)
			})
		}
	}
}

func TestBlockedReasons(t *testing.T) {
	for reason, want := range map[string]anymail.RejectReason{
		"":                                   anymail.RejectBlocked,
		"blocked : due to blacklist user":    anymail.RejectBlocked,
		"blocked : due to unsubscribed user": anymail.RejectUnsubscribed,
		"contact flagged as spam":            anymail.RejectSpam,
		"hard bounced before":                anymail.RejectBounced,
	} {
		events := parse(t, "tracking", fmt.Sprintf(`{"event":"blocked","reason":%q}`, reason))
		require.Equal(t, want, events[0].(*anymail.TrackingEvent).RejectReason, reason)
		espdoc.Row(t, brevo.ESP, "blocked", events[0].(*anymail.TrackingEvent))
	}
}

// The "id" is that of the webhook and ts_event may be the time of the attempt.
func TestKeys(t *testing.T) {
	key := func(body string) string { return parse(t, "tracking", body)[0].Base().Key }
	first := key(`{"event":"click","id":1,"email":"ada@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123,"ts_event":1790000000,"link":"https://example.com/a"}`)
	require.NotEmpty(t, first)
	for name, body := range map[string]string{
		"later attempt":   `{"event":"click","id":1,"email":"ada@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123,"ts_event":1790003600,"link":"https://example.com/a"}`,
		"another webhook": `{"event":"click","id":2,"email":"ada@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123,"ts_event":1790000000,"link":"https://example.com/a"}`,
	} {
		require.Equal(t, first, key(body), name)
	}
	for name, body := range map[string]string{
		"another link":      `{"event":"click","id":1,"email":"ada@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123,"link":"https://example.com/b"}`,
		"another recipient": `{"event":"click","id":1,"email":"bob@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123,"link":"https://example.com/a"}`,
		"another message":   `{"event":"click","id":1,"email":"ada@example.com","message-id":"<2@example.org>","ts_epoch":1790000000123,"link":"https://example.com/a"}`,
		"another time":      `{"event":"click","id":1,"email":"ada@example.com","message-id":"<1@example.org>","ts_epoch":1790000000124,"link":"https://example.com/a"}`,
		"another event":     `{"event":"opened","id":1,"email":"ada@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123,"link":"https://example.com/a"}`,
	} {
		require.NotEqual(t, first, key(body), name)
	}
	const spam = `{"event":"spam","id":1,"email":"ada@example.com","message-id":"<1@example.org>","date":"2026-09-21 16:13:20","ts_event":%d%s}`
	for _, ts := range []string{`,"ts":1790000000`, ""} {
		require.Equal(t, key(fmt.Sprintf(spam, 1790000035, ts)), key(fmt.Sprintf(spam, 1790003635, ts)), "as documented, without ts_epoch: a later attempt")
	}
	require.NotEqual(t, key(fmt.Sprintf(spam, 1790000035, `,"ts":1790000000`)), key(fmt.Sprintf(spam, 1790000035, `,"ts":1790000001`)), "another time")
	require.NotEqual(t,
		key(`{"event":"opened","email":"a@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123}`),
		key(`{"event":"unique_opened","email":"a@example.com","message-id":"<1@example.org>","ts_epoch":1790000000123}`),
		"the first opening is reported twice where both are subscribed to")
	require.NotEqual(t,
		key(`{"event":"list_addition","email":"a@example.com","key":"k","list_id":[1,2],"ts":1790000000}`),
		key(`{"event":"list_addition","email":"a@example.com","key":"k","list_id":[12],"ts":1790000000}`))
}

const inboundBody = `{"items":[{"Uuid":["uuid-1","uuid-2"],"MessageId":"<in1@mail.example.org>","InReplyTo":"<out1@example.com>",
	"From":{"Name":"Bob","Address":"bob@example.org"},"To":[{"Name":null,"Address":"ticket-1@reply.example.com"}],"Cc":[{"Name":"Carl","Address":"carl@example.org"}],
	"Recipients":["ticket-1@reply.example.com","carl@example.org"],"ReplyTo":{"Name":"Desk","Address":"desk@example.org"},
	"SentAtDate":"Mon, 21 Sep 2026 16:13:20 +0200","Subject":"Re: Grüße","RawHtmlBody":"<p>Yes</p>","RawTextBody":"Yes\n\n> Hi","ExtractedMarkdownMessage":"Yes",
	"ExtractedMarkdownSignature":"","SpamScore":0.3,
	"Attachments":[{"Name":"../a.txt","ContentType":"text/plain","ContentLength":5,"ContentId":"","DownloadToken":"tok/+en=="},
		{"Name":"dot.png","ContentType":"image/png","ContentLength":8,"ContentID":"<pic@example.org>","DownloadToken":"tok2"}],
	"Headers":{"Return-Path":"<bounce@example.org>","Received":["from a by b","from c by a"],"Authentication-Results":"mx.example.com; spf=pass; dkim=fail",
		"References":"<out0@example.com> <out1@example.com>","Message-ID":"<in1@mail.example.org>"}}]}`

// wantInbound is inboundBody's event, with the contents of its attachments.
func wantInbound(contents ...[]byte) *anymail.InboundEvent {
	score := 0.3
	return &anymail.InboundEvent{
		Common: anymail.Common{ESP: brevo.ESP, Type: anymail.EventInbound, ID: "uuid-1"},
		Message: anymail.InboundMessage{
			EnvelopeSender:    "bounce@example.org",
			EnvelopeRecipient: "ticket-1@reply.example.com", EnvelopeRecipients: []string{"ticket-1@reply.example.com", "carl@example.org"},
			From:       []anymail.Address{{Name: "Bob", Address: "bob@example.org"}},
			To:         []anymail.Address{{Address: "ticket-1@reply.example.com"}},
			CC:         []anymail.Address{{Name: "Carl", Address: "carl@example.org"}},
			ReplyTo:    []anymail.Address{{Name: "Desk", Address: "desk@example.org"}},
			Subject:    "Re: Grüße",
			Date:       time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC),
			MessageID:  "in1@mail.example.org",
			InReplyTo:  "out1@example.com",
			References: []string{"out0@example.com", "out1@example.com"},
			Headers: anymail.Headers{
				{Name: "Return-Path", Value: "<bounce@example.org>"},
				{Name: "Received", Value: "from a by b"},
				{Name: "Received", Value: "from c by a"},
				{Name: "Authentication-Results", Value: "mx.example.com; spf=pass; dkim=fail"},
				{Name: "References", Value: "<out0@example.com> <out1@example.com>"},
				{Name: "Message-ID", Value: "<in1@mail.example.org>"},
			},
			Text: "Yes\n\n> Hi", HTML: "<p>Yes</p>", StrippedText: "Yes",
			// No Authentication: for all we know the sender wrote that header.
			SpamScore: &score,
			Attachments: []anymail.Attachment{
				{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 5, Content: contents[0]},
				{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.org", Size: 8, Content: contents[1]},
			},
		},
	}
}

// roundTripper is the API as a function from a request to a status and a body.
type roundTripper func(*http.Request) (int, string)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	if status == 0 {
		return nil, errors.New(body)
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

func withAPI(t testing.TB, f roundTripper) *brevo.Adapter {
	t.Helper()
	return esptest.New(t, brevo.New, brevo.Config{APIKeys: anymail.Keys("newer-key", "older-key"), Client: &http.Client{Transport: f}})
}

func TestInbound(t *testing.T) {
	adapter := withAPI(t, func(r *http.Request) (int, string) {
		require.Equal(t, []string{"newer-key"}, r.Header["Api-Key"])
		switch r.URL.String() {
		case "https://api.brevo.com/v3/inbound/attachments/tok%2F+en==":
			return 200, "hello"
		case "https://api.brevo.com/v3/inbound/attachments/tok2":
			return 200, "\x89PNG\r\n\x1a\n"
		}
		return 500, "unexpected"
	})
	events := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(inboundBody)))
	require.Len(t, events, 1)
	anymailtest.Equal(t, wantInbound([]byte("hello"), []byte("\x89PNG\r\n\x1a\n")), events[0])
}

// Without a key the attachments have all but their content.
func TestInboundWithoutKey(t *testing.T) {
	events := parse(t, "inbound", inboundBody)
	require.Len(t, events, 1)
	anymailtest.Equal(t, wantInbound(nil, nil), events[0])
}

// What is over the limit keeps an attachment from being fetched, not a message
// from being delivered.
func TestInboundOverTheLimit(t *testing.T) {
	adapter := withAPI(t, func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "tok2") {
			t.Error("an attachment that is over the limit by its own declaration was fetched")
		}
		return 200, "hello"
	})
	s := anymailtest.NewServerFor(t, brevosim.New(), adapter, anymail.WithLimits(anymail.Limits{Fetch: 7}))
	status, _ := s.Post(t, s.Address(t, simulator.JSON("inbound", []byte(inboundBody))))
	require.Equal(t, http.StatusOK, status)
	anymailtest.Equal(t, wantInbound([]byte("hello"), nil), s.Take()[0])
}

// Attachments that declare less than they are do not get through either.
func TestInboundAttachmentLies(t *testing.T) {
	adapter := withAPI(t, func(*http.Request) (int, string) { return 200, strings.Repeat("x", 100) })
	s := anymailtest.NewServerFor(t, brevosim.New(), adapter, anymail.WithLimits(anymail.Limits{Fetch: 50}))
	status, _ := s.Post(t, s.Address(t, simulator.JSON("inbound", []byte(inboundBody))))
	require.Equal(t, http.StatusOK, status)
	anymailtest.Equal(t, wantInbound(nil, nil), s.Take()[0])
}

// Nor does what Brevo does not have any more.
func TestInboundAttachmentGone(t *testing.T) {
	adapter := withAPI(t, func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "tok2") {
			return 404, ""
		}
		return 200, "hello"
	})
	events := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(inboundBody)))
	anymailtest.Equal(t, wantInbound([]byte("hello"), nil), events[0])
}

// While attachments cannot be had, Brevo is made to retry, in the only
// way that it understands.
func TestInboundAPIDown(t *testing.T) {
	sim := brevosim.New()
	for name, answer := range map[string]roundTripper{
		"no connection": func(*http.Request) (int, string) { return 0, "refused" },
		"500":           func(*http.Request) (int, string) { return 500, "" },
		"wrong key":     func(*http.Request) (int, string) { return 401, "" },
		"rate limit":    func(*http.Request) (int, string) { return 429, "" },
	} {
		s := anymailtest.NewServerFor(t, sim, withAPI(t, answer))
		status, _ := s.Post(t, s.Address(t, simulator.JSON("inbound", []byte(inboundBody))))
		require.Equal(t, http.StatusTooManyRequests, status, name)
		require.Empty(t, s.Take(), name)
		require.NotContains(t, s.Rejections.All()[0].Err.Error(), "tok", name)
	}
	adapter := esptest.New(t, brevo.New, brevo.Config{APIKeys: new(anymail.KeyRing)})
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(inboundBody)))
	require.ErrorIs(t, err, anymail.ErrConfig, "a key is configured but there is none")
}

// Nothing but an attachment can be fetched, whatever the token says.
func TestHostileTokens(t *testing.T) {
	adapter := withAPI(t, func(r *http.Request) (int, string) {
		name, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v3/inbound/attachments/")
		if !ok || strings.Trim(name, ".") == "" || strings.ContainsAny(name, "/") || r.URL.RawQuery != "" || r.URL.Host != "api.brevo.com" {
			t.Errorf("fetched %s", r.URL)
		}
		return 404, ""
	})
	for _, token := range []string{"", ".", "..", "../../account", "/", "?a=b", "x#y", "@example.org", `\..\`, "%2e%2e"} {
		body := fmt.Sprintf(`{"items":[{"Attachments":[{"Name":"a","DownloadToken":%q}]}]}`, token)
		events, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(body)))
		require.NoError(t, err, token)
		require.Len(t, events, 1, token)
	}
}

func TestInboundBatch(t *testing.T) {
	events := parse(t, "inbound", `{"items":[{"Uuid":"uuid-1","From":{"Name":null,"Address":"a@example.org"}},{"Uuid":["uuid-2"],"From":7,"Subject":{}},
		{"Uuid":["uuid-3"],"Spam":{"Score":"6.4"},"Recipients":[{"Name":"","Address":"help@example.com"}],"Headers":{"Delivered-To":"other@example.com"}}]}`)
	score := 6.4
	require.Len(t, events, 3)
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common:  anymail.Common{ESP: brevo.ESP, Type: anymail.EventInbound, ID: "uuid-1"},
		Message: anymail.InboundMessage{From: []anymail.Address{{Address: "a@example.org"}}},
	}, events[0])
	anymailtest.Equal(t, &anymail.InboundEvent{Common: anymail.Common{ESP: brevo.ESP, Type: anymail.EventInboundFailed, ID: "uuid-2"}}, events[1])
	require.JSONEq(t, `{"Uuid":["uuid-2"],"From":7,"Subject":{}}`, string(events[1].Base().Raw))
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: brevo.ESP, Type: anymail.EventInbound, ID: "uuid-3"},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "help@example.com", EnvelopeRecipients: []string{"help@example.com"}, SpamScore: &score,
			Headers: anymail.Headers{{Name: "Delivered-To", Value: "other@example.com"}},
		},
	}, events[2])
}

// A message that cannot be read is reported, with what can be read of it.
func TestInboundFailed(t *testing.T) {
	for item, want := range map[string]anymail.InboundEvent{
		`{"Uuid":["uuid-1"],"MessageId":"<in1@example.org>","Subject":["no text"],"From":"ada@example.com","Attachments":"none"}`: {
			Common: anymail.Common{ID: "uuid-1"}, Message: anymail.InboundMessage{MessageID: "in1@example.org", From: []anymail.Address{{Address: "ada@example.com"}}},
		},
		`{"RawTextBody":7,"RawHtmlBody":"<p>Hi</p>"}`: {Message: anymail.InboundMessage{HTML: "<p>Hi</p>"}},
		`{}`:      {},
		`null`:    {},
		`"hello"`: {},
	} {
		events := parse(t, "inbound", `{"items":[`+item+`]}`)
		require.Len(t, events, 1, item)
		want.ESP, want.Type = brevo.ESP, anymail.EventInboundFailed
		anymailtest.Equal(t, &want, events[0])
		require.Equal(t, item, string(events[0].Base().Raw))
	}
	several := parse(t, "inbound", `{"items":[{"Uuid":["uuid-1"],"Recipients":["a@example.com",{"Address":"b@example.com"},"a@example.com"]}]}`)[0].(*anymail.InboundEvent)
	require.Equal(t, []string{"a@example.com", "b@example.com"}, several.Message.EnvelopeRecipients)
	require.Equal(t, "a@example.com", several.Message.EnvelopeRecipient)
	events := parse(t, "inbound", `{"items":[1,2]}`)
	require.NotEqual(t, events[0].Base().Key, events[1].Base().Key)
}

// What the sender wrote below the first Received is not the envelope.
func TestEnvelope(t *testing.T) {
	tests := []struct{ name, item, sender, recipient string }{
		{"Brevo's", `"Headers":{"Return-Path":"<bounce@example.org>","Delivered-To":"help@example.com","Received":["a","b"]}`, "bounce@example.org", "help@example.com"},
		{"Brevo's and the sender's", `"Headers":{"Return-Path":["<bounce@example.org>","<ceo@example.net>"],"Delivered-To":["help@example.com","x@example.net"],"Received":"a"}`, "bounce@example.org", "help@example.com"},
		{"the sender's", `"Headers":{"Received":["a","b"],"Return-Path":"<ceo@example.net>","Delivered-To":"x@example.net"}`, "", ""},
		{"the sender's, with recipients", `"Recipients":["help@example.com"],"Headers":{"Received":"a","Delivered-To":"x@example.net"}`, "", "help@example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := parse(t, "inbound", `{"items":[{"Uuid":["uuid-1"],`+tt.item+`}]}`)[0].(*anymail.InboundEvent).Message
			require.Equal(t, tt.sender, m.EnvelopeSender)
			require.Equal(t, tt.recipient, m.EnvelopeRecipient)
			require.Zero(t, m.Authentication)
		})
	}
}

// Nothing is answered with success of which nothing was made.
func TestNothing(t *testing.T) {
	adapter := esptest.New(t, brevo.New, brevo.Config{})
	for _, endpoint := range []string{"tracking", "inbound"} {
		for _, body := range []string{`[]`, `null`, `7`, `{"items":[`} {
			events, err := simulator.Parse(adapter, simulator.JSON(endpoint, []byte(body)))
			require.ErrorIs(t, err, anymail.ErrMalformed, "%s %s", endpoint, body)
			require.Empty(t, events)
		}
		for _, body := range []string{`{}`, `{"hello":"world"}`, `[null]`, `{"items":[]}`, `{"items":[ ]}`, `{"items":{}}`} {
			events := parse(t, endpoint, body)
			require.Len(t, events, 1, body)
			require.Equal(t, anymail.EventUnknown, events[0].Base().Type, body)
		}
	}
}

// A webhook that was given the other URL is understood all the same.
func TestWrongEndpoint(t *testing.T) {
	anymailtest.Equal(t, wantInbound(nil, nil), parse(t, "tracking", inboundBody)[0])
	events := parse(t, "inbound", `[{"event":"delivered","email":"a@example.com"},{"event":"ordered","items":[]}]`)
	require.Equal(t, anymail.EventDelivered, events[0].Base().Type)
	require.IsType(t, &anymail.TrackingEvent{}, events[1])
	require.IsType(t, &anymail.TrackingEvent{}, parse(t, "inbound", `{"event":"ordered","items":[{}]}`)[0])
}

// Brevo throws an event away at any status but 429.
func TestOnly429(t *testing.T) {
	sim := brevosim.New()
	post := func(option anymail.Option) int {
		s := anymailtest.NewServer(t, sim, option)
		status, _ := s.Post(t, s.Prepare(t, sim.Samples[0], simulator.NewParams()))
		return status
	}
	require.Equal(t, http.StatusTooManyRequests, post(anymail.WithAllowedAddresses(netip.MustParsePrefix("203.0.113.0/24"))), "a wrong address list")
	require.Equal(t, http.StatusTooManyRequests, post(anymail.WithQueue(fullQueue{})), "a full queue")
}

// Nor does it ever bring a message again that was answered otherwise.
func TestNoMessageIsLost(t *testing.T) {
	sim := brevosim.New()
	sample, ok := sim.Sample("inboundEmailProcessed")
	require.True(t, ok)
	for name, option := range map[string]anymail.Option{
		"a limit that is too small": anymail.WithLimits(anymail.Limits{Body: 10}),
		"another secret":            anymail.WithSharedSecret("webhook:Not-the-0ne-at-Brevo"),
		"a full queue":              anymail.WithQueue(fullQueue{}),
	} {
		s := anymailtest.NewServer(t, sim, option)
		r := s.Prepare(t, sample, simulator.NewParams())
		simulator.SetSecret(&r, anymailtest.SharedSecret)
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusTooManyRequests, status, name)
	}
}

type fullQueue struct{}

func (fullQueue) Enqueue(context.Context, []anymail.Event) error { return anymail.ErrUnavailable }

func TestBearerToken(t *testing.T) {
	sim := brevosim.New()
	adapter := esptest.New(t, brevo.New, brevo.Config{BearerTokens: anymail.Keys("new-token", "old-token")})
	s := anymailtest.NewServerFor(t, sim, adapter, anymail.WithoutSharedSecret())
	r := s.Prepare(t, sim.Samples[0], simulator.NewParams())
	for value, want := range map[string]int{
		"": 400, "Bearer": 400, "Bearer ": 400, "Bearer wrong": 400, "Basic old-token": 400, "old-token": 400,
		"Bearer old-token": 200, "bearer new-token": 200,
	} {
		r.Header.Set("Authorization", value)
		status, _ := s.Post(t, r)
		require.Equal(t, want, status, "Authorization: %s", value)
	}
}

func TestCustomHeader(t *testing.T) {
	sim := brevosim.New()
	adapter := esptest.New(t, brevo.New, brevo.Config{HeaderName: "x-hook", HeaderValues: anymail.Keys("new-value", "old-value")})
	s := anymailtest.NewServerFor(t, sim, adapter)
	// Brevo retries a message: the wrong value may be the one set here.
	for sample, refused := range map[string]int{"delivered": 400, "inboundEmailProcessed": 429} {
		sample, ok := sim.Sample(sample)
		require.True(t, ok)
		r := s.Prepare(t, sample, simulator.NewParams())
		for value, want := range map[string]int{"": refused, "wrong": refused, "old-value": 200, "new-value": 200} {
			r.Header.Set("X-Hook", value)
			status, _ := s.Post(t, r)
			require.Equal(t, want, status, "%s, value %q", sample.Name, value)
		}
	}
}

// Where both are configured, both are demanded.
func TestTokenAndHeader(t *testing.T) {
	sim := brevosim.New()
	adapter := esptest.New(t, brevo.New, brevo.Config{BearerTokens: anymail.Keys("token"), HeaderName: "X-Hook", HeaderValues: anymail.Keys("value")})
	s := anymailtest.NewServerFor(t, sim, adapter, anymail.WithoutSharedSecret())
	for _, tt := range []struct {
		token, value string
		want         int
	}{{"Bearer token", "value", 200}, {"Bearer token", "", 400}, {"", "value", 400}} {
		r := s.Prepare(t, sim.Samples[0], simulator.NewParams())
		r.Header.Set("Authorization", tt.token)
		r.Header.Set("X-Hook", tt.value)
		status, _ := s.Post(t, r)
		require.Equal(t, tt.want, status, "%+v", tt)
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, brevo.New, map[string]brevo.Config{
		"header without values": {HeaderName: "X-Hook"},
		"values without header": {HeaderValues: anymail.Keys("value")},
		"empty value":           {HeaderName: "X-Hook", HeaderValues: anymail.Keys("value", "")},
		"empty token":           {BearerTokens: anymail.Keys("")},
		"empty API key":         {APIKeys: anymail.Keys("")},
		"token with a line end": {BearerTokens: anymail.Keys("token\n")},
		"value with a blank":    {HeaderName: "X-Hook", HeaderValues: anymail.Keys("value ")},
		"no header":             {HeaderName: "X-Hook: value", HeaderValues: anymail.Keys("value")},
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, brevosim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, brevosim.New(), "inbound") }

func Example() {
	// The token that the webhooks were made with at Brevo; no shared secret.
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := brevo.New(brevo.Config{BearerTokens: anymail.Keys("a-long-random-token")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("brevo", adapter); err != nil {
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
