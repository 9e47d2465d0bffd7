package emailengine_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/emailengine"
	"github.com/goanymail/anymail/esp/emailengine/emailenginesim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, emailenginesim.New()) }

func parse(t testing.TB, endpoint, body string) anymail.Event {
	t.Helper()
	events := anymailtest.Parse(t, esptest.New(t, emailengine.New, emailengine.Config{}), simulator.JSON(endpoint, []byte(body)))
	require.Len(t, events, 1)
	return events[0]
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 436e6, time.UTC)

func TestTracking(t *testing.T) {
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "the server changed the id",
			body: `{"account":"desk","date":"2026-09-21T14:13:20.436Z","event":"messageSent","data":{"messageId":"<new@example.net>","originalMessageId":"<m1@example.org>",
				"response":"250 OK","envelope":{"from":"news@example.org","to":["ada@example.com"]}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventSent, Timestamp: at},
				MessageID: "<m1@example.org>", Recipient: "ada@example.com", MTAResponse: "250 OK",
			},
		},
		{
			name: "bounce of an older version, whose code is in the text alone",
			body: `{"date":"2026-09-21T14:13:20.436Z","event":"messageBounce","data":{"recipient":"ada@example.com","messageId":"<m1@example.org>",
				"response":{"message":"452 4.2.2 mailbox full"},"messageHeaders":{"x-order":["42"],"subject":["Hi"]}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "<m1@example.org>", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, MTAResponse: "452 4.2.2 mailbox full",
				Metadata: anymail.Metadata{"x-order": "42"},
				Bounce:   anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"},
			},
		},
		{
			name: "complaint that names the recipient in the message alone",
			body: `{"date":"2026-09-21T14:13:20.436Z","event":"messageComplaint","data":{"arf":{"feedbackType":"abuse","abuseType":"complaint","originalRcptTo":[]},
				"headers":{"messageId":"<m1@example.org>","to":["ada@example.com","bob@example.com"]}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, Timestamp: at},
				MessageID: "<m1@example.org>", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "complaint",
			},
		},
		{
			name: "click",
			body: `{"date":"2026-09-21T14:13:20.436Z","event":"trackClick","data":{"messageId":"<m1@example.org>","url":"https://example.com/a","remoteAddress":"192.0.2.7","userAgent":"Mozilla/5.0"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				MessageID: "<m1@example.org>", ClickURL: "https://example.com/a", IP: netip.MustParseAddr("192.0.2.7"), UserAgent: "Mozilla/5.0",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = emailengine.ESP
			anymailtest.Equal(t, &tt.want, parse(t, "tracking", tt.body))
		})
	}
}

const received = `{"serviceUrl":"https://other.example.com","account":"desk","date":"2026-09-21T14:13:20.436Z","path":"[Gmail]/All Mail","specialUse":"\\All","event":"messageNew",
	"data":{"id":"AAAA1","uid":7,"date":"2026-09-21T14:13:18.000Z","labels":["\\Inbox"],"subject":"Re: Hi","from":{"name":"Ada","address":"ada@example.com"},
	"replyTo":{"name":"","address":"reply@example.com"},"to":[{"name":"Desk","address":"desk@example.org"}],"cc":[{"name":"","address":"carl@example.com"}],
	"messageId":"<x1@example.com>","inReplyTo":"<m1@example.org>","headers":{"references":["<m0@example.org> <m1@example.org>"],"x-mailer":["demo"]},
	"text":{"id":"T1","encodedSize":{"plain":3},"plain":"Yes","html":"<p>Yes</p>","hasMore":false},
	"attachments":[{"id":"A1","contentType":"image/png","encodedSize":8,"filename":"a.png","embedded":true,"inline":true,"contentId":"<c1>"}]}}`

func TestInbound(t *testing.T) {
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: emailengine.ESP, Type: anymail.EventInbound, Timestamp: at},
		Message: anymail.InboundMessage{
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, ReplyTo: []anymail.Address{{Address: "reply@example.com"}},
			To: []anymail.Address{{Name: "Desk", Address: "desk@example.org"}}, CC: []anymail.Address{{Address: "carl@example.com"}},
			Subject: "Re: Hi", Date: at.Truncate(time.Second).Add(-2 * time.Second), MessageID: "x1@example.com", InReplyTo: "m1@example.org",
			References: []string{"m0@example.org", "m1@example.org"},
			Headers:    anymail.Headers{{Name: "references", Value: "<m0@example.org> <m1@example.org>"}, {Name: "x-mailer", Value: "demo"}},
			Text:       "Yes", HTML: "<p>Yes</p>",
			Attachments: []anymail.Attachment{{Filename: "a.png", ContentType: "image/png", Disposition: "inline", ContentID: "c1"}},
		},
	}
	for _, endpoint := range []string{"inbound", "tracking"} {
		anymailtest.Equal(t, want, parse(t, endpoint, received))
	}
}

func TestInboundFailed(t *testing.T) {
	for body, subject := range map[string]string{
		`{"event":"messageNew","account":"desk","data":{"subject":"Hi","attachments":7}}`: "Hi",
		`{"event":"messageNew","account":"desk","data":null}`:                             "",
	} {
		ev, ok := parse(t, "inbound", body).(*anymail.InboundEvent)
		require.True(t, ok)
		require.Equal(t, anymail.EventInboundFailed, ev.Type, body)
		require.Equal(t, subject, ev.Message.Subject)
	}
}

// The folders and labels of messages that the user of the mailbox wrote.
func TestWritten(t *testing.T) {
	for places, inbound := range map[string]bool{
		`"specialUse":"\\Sent","data":{"subject":"Hi"}`:                                                     false,
		`"specialUse":"\\Drafts","data":{"subject":"Hi"}`:                                                   false,
		`"specialUse":"\\All","data":{"subject":"Hi","messageSpecialUse":"\\Sent"}`:                         false,
		`"specialUse":"\\All","data":{"subject":"Hi","labels":["\\Sent"]}`:                                  false,
		`"specialUse":"\\All","data":{"subject":"Hi","labels":["\\Sent","\\Inbox"]}`:                        true, // to oneself
		`"specialUse":"\\All","data":{"subject":"Hi","labels":["\\Important"],"messageSpecialUse":"\\All"}`: true,
		`"path":"Archive","data":{"subject":"Hi"}`:                                                          true,
	} {
		_, ok := parse(t, "inbound", `{"event":"messageNew","account":"desk",`+places+`}`).(*anymail.InboundEvent)
		require.Equal(t, inbound, ok, places)
	}
}

func TestKeys(t *testing.T) {
	key := func(body string) string { return parse(t, "inbound", body).Base().Key }
	require.NotEqual(t, key(`{"event":"messageNew","account":"desk"}`), key(`{"event":"messageNew","account":"desk","data":{"subject":7}}`))
	require.Equal(t, key(received), key(strings.Replace(received, `"plain":"Yes"`, `"plain":"Ye"`, 1)), "EmailEngine was set to post less")
	for _, other := range []string{
		strings.Replace(received, `"account":"desk"`, `"account":"sales"`, 1),
		strings.Replace(received, "AAAA1", "AAAA2", 1),
		strings.Replace(received, "20.436Z", "21.436Z", 1),
	} {
		require.NotEqual(t, key(received), key(other))
	}
}

func TestSource(t *testing.T) {
	const sourceURL = "https://ee.example.org/mail/v1/account/desk/message/AAAA1/source"
	tests := []struct{ name, subject, body string }{
		{"fetched", "From the source", received},
		{"an account that is no part of a path", "Re: Hi", strings.Replace(received, `"desk"`, `".."`, 1)},
		{"no longer there", "Re: Hi", strings.Replace(received, "AAAA1", "AAAA2", 1)},
		{"unreadable notification", "From the source", strings.Replace(received, `"Re: Hi"`, `7`, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := new(simulator.API)
			api.Put(sourceURL, "message/rfc822", []byte("Return-Path: <bounce@example.com>\r\nReceived: from a by b\r\nSubject: From the source\r\n\r\nHi"))
			adapter := esptest.New(t, emailengine.New, emailengine.Config{APITokens: anymail.Keys("t1"), ServerURL: "https://ee.example.org/mail/", Client: api.Client()})
			ev, ok := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(tt.body)))[0].(*anymail.InboundEvent)
			require.True(t, ok)
			require.Equal(t, anymail.EventInbound, ev.Type)
			require.Equal(t, tt.subject, ev.Message.Subject)
			require.Equal(t, tt.subject == "From the source", ev.Message.EnvelopeSender == "bounce@example.com")
		})
	}
}

func TestAPIDown(t *testing.T) {
	down := roundTripper(func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "Bearer t1", r.Header.Get("Authorization"))
		require.Equal(t, "ee.example.org", r.URL.Host, "not that of the payload")
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Request: r}, nil
	})
	adapter := esptest.New(t, emailengine.New, emailengine.Config{APITokens: anymail.Keys("t1"), ServerURL: "https://ee.example.org", Client: &http.Client{Transport: down}})
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(received)))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Made with: printf '%s' "$BODY" | openssl dgst -sha256 -hmac 'ee secret 7' -binary | openssl base64 -A | tr '+/' '-_' | tr -d =
func TestSignature(t *testing.T) {
	const (
		body      = `{"account":"desk","date":"2026-09-21T14:13:20.000Z","event":"trackOpen","data":{"messageId":"<m2@example.org>"}}`
		signature = "O9jOJ1mEYE_jiSZBvmL3-7q36lRJP7BxGv4MdQOqCYo"
		key       = "ee secret 7"
	)
	tests := []struct {
		name, body, signature, key string
		ok                         bool
	}{
		{name: "signed", body: body, signature: signature, key: key, ok: true},
		{name: "another body", body: strings.Replace(body, "m2", "m3", 1), signature: signature, key: key},
		{name: "another key", body: body, signature: signature, key: "ee secret 8"},
		{name: "standard base64", body: body, signature: strings.NewReplacer("_", "/", "-", "+").Replace(signature) + "=", key: key},
		{name: "no signature", body: body, key: key},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, ep := range esptest.New(t, emailengine.New, emailengine.Config{SigningKeys: anymail.Keys("next", tt.key)}).Endpoints() {
				_, err := ep.Verifier.Verify(t.Context(), &anymail.Payload{Header: http.Header{"X-Ee-Wh-Signature": {tt.signature}}, Body: []byte(tt.body)})
				require.Equal(t, tt.ok, err == nil, ep.Path)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, emailengine.New, map[string]emailengine.Config{
		"empty":                {SigningKeys: anymail.Keys("")},
		"line end":             {SigningKeys: anymail.Keys("key\n")},
		"empty token":          {APITokens: anymail.Keys(""), ServerURL: "https://ee.example.org"},
		"token without server": {APITokens: anymail.Keys("t1")},
		"not https":            {ServerURL: "http://ee.example.org"},
		"not a URL":            {ServerURL: "ee.example.org"},
		"no host":              {ServerURL: "https:///v1"},
		"user in the URL":      {ServerURL: "https://user:password@ee.example.org"},
		"invalid URL":          {ServerURL: "https://%"},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, emailenginesim.New(), func(sample string) string {
		event, detail, _ := strings.Cut(sample, "-")
		switch {
		case event == "messageTeleported":
			return "anything else"
		case event == "messageBounce" && (detail == "delayed" || detail == "relayed"), detail == "not-spam", sample == "messageNew-sent":
			return event + ", " + detail
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, emailenginesim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, emailenginesim.New(), "inbound") }
