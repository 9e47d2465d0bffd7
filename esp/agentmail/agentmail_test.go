package agentmail_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/agentmail"
	"github.com/goanymail/anymail/esp/agentmail/agentmailsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, agentmailsim.New()) }

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, agentmailsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, agentmailsim.New(), "inbound") }

func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, agentmail.New, agentmail.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	common := func(typ anymail.EventType) anymail.Common {
		return anymail.Common{ESP: agentmail.ESP, Type: typ, ID: "evt_1", Timestamp: at}
	}
	tests := []struct {
		name string
		body string
		want []anymail.TrackingEvent
	}{
		{
			name: "several recipients, one of them twice",
			body: `{"type":"event","event_type":"message.delivered","event_id":"evt_1","delivery":{"inbox_id":"a@agents.example.org","message_id":"<m1@example.org>",
				"timestamp":"2026-09-21T16:13:20+02:00","recipients":["Ada <ada@example.com>","bob@example.com","ada@example.com"]}}`,
			want: []anymail.TrackingEvent{
				{Common: common(anymail.EventDelivered), MessageID: "<m1@example.org>", Recipient: "ada@example.com"},
				{Common: common(anymail.EventDelivered), MessageID: "<m1@example.org>", Recipient: "bob@example.com"},
			},
		},
		{
			name: "bounce",
			body: `{"event_type":"message.bounced","event_id":"evt_1","bounce":{"message_id":"<m1@example.org>","timestamp":"2026-09-21T14:13:20Z",
				"type":"Permanent","sub_type":"General","recipients":[{"address":"ada@example.com","status":"bounced"}]}}`,
			want: []anymail.TrackingEvent{{
				Common: common(anymail.EventBounced), MessageID: "<m1@example.org>", Recipient: "ada@example.com",
				RejectReason: anymail.RejectBounced, Description: "Permanent General", Bounce: anymail.Bounce{Category: anymail.BounceHard},
			}},
		},
		{
			name: "rejected, which names no recipient",
			body: `{"event_type":"message.rejected","event_id":"evt_1","reject":{"message_id":"<m1@example.org>","timestamp":"2026-09-21T14:13:20Z","reason":"Bad content"}}`,
			want: []anymail.TrackingEvent{{
				Common: common(anymail.EventRejected), MessageID: "<m1@example.org>", RejectReason: anymail.RejectOther, Description: "Bad content",
			}},
		},
		{
			name: "an event of a later version",
			body: `{"event_type":"message.teleported","event_id":"evt_1","delivery":{"timestamp":"2026-09-21T14:13:20Z","recipients":["ada@example.com"]}}`,
			want: []anymail.TrackingEvent{{Common: common(anymail.EventUnknown), Recipient: "ada@example.com"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, "tracking", tt.body)
			require.Len(t, events, len(tt.want))
			for i := range tt.want {
				anymailtest.Equal(t, &tt.want[i], events[i])
			}
		})
	}
}

const received = `{"type":"event","event_type":"message.received.spam","event_id":"evt_3","message":{"inbox_id":"a@agents.example.org","message_id":"<x1@example.com>",
	"timestamp":"2026-09-21T14:20:00Z","from":"Ada <ada@example.com>","to":["a@agents.example.org"],"cc":["carl@example.com"],"bcc":["dora@example.com"],
	"reply_to":["reply@example.com"],"subject":"Re: Hi","text":"Yes\n> old","html":"<p>Yes</p>old","extracted_text":"Yes","extracted_html":"<p>Yes</p>",
	"in_reply_to":"<m1@example.org>","references":["<m0@example.org>","<m1@example.org>"],"headers":{"X-Mailer":"demo"},
	"attachments":[{"attachment_id":"at1","filename":"a.txt","size":2,"content_type":"text/plain","content_disposition":"inline","content_id":"c1"}]}}`

func TestInboundWithoutSource(t *testing.T) {
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: agentmail.ESP, Type: anymail.EventInbound, ID: "evt_3", Timestamp: time.Date(2026, 9, 21, 14, 20, 0, 0, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "a@agents.example.org", EnvelopeRecipients: []string{"a@agents.example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "a@agents.example.org"}},
			CC: []anymail.Address{{Address: "carl@example.com"}}, BCC: []anymail.Address{{Address: "dora@example.com"}},
			ReplyTo: []anymail.Address{{Address: "reply@example.com"}}, Subject: "Re: Hi", MessageID: "x1@example.com", InReplyTo: "m1@example.org",
			References: []string{"m0@example.org", "m1@example.org"}, Headers: anymail.Headers{{Name: "X-Mailer", Value: "demo"}},
			Text: "Yes\n> old", HTML: "<p>Yes</p>old", StrippedText: "Yes", StrippedHTML: "<p>Yes</p>", SpamDetected: anymail.Yes,
			Attachments: []anymail.Attachment{{Filename: "a.txt", ContentType: "text/plain", Disposition: "inline", ContentID: "c1", Size: 2}},
		},
	}
	objects := strings.Replace(received, `"Ada <ada@example.com>"`, `[{"name":"Ada","email":"ada@example.com"}]`, 1)
	for _, body := range []string{received, objects} {
		for _, endpoint := range []string{"inbound", "tracking"} {
			events := parse(t, endpoint, body)
			require.Len(t, events, 1)
			anymailtest.Equal(t, want, events[0])
		}
	}
}

func TestInboundFailed(t *testing.T) {
	for _, body := range []string{
		`{"event_type":"message.received","message":{"subject":7,"text":"Hi"}}`,
		`{"event_type":"message.received"}`,
	} {
		require.Equal(t, anymail.EventInboundFailed, parse(t, "inbound", body)[0].Base().Type, body)
	}
}

func TestSource(t *testing.T) {
	const rawURL = "https://api.agentmail.eu/v0/inboxes/a@agents.example.org/messages/%3Cx1@example.com%3E/raw"
	tests := []struct {
		name, fileURL, subject string
		body                   string
	}{
		{"fetched", "https://files.example.net/1?s=1", "From the source", received},
		{"an id that is no part of a path", "https://files.example.net/1?s=1", "Re: Hi", strings.Replace(received, "<x1@example.com>", "..", 1)},
		{"unreadable notification", "https://files.example.net/1?s=1", "From the source", strings.Replace(received, `"Re: Hi"`, `7`, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := new(simulator.API)
			api.Put(rawURL, "application/json", simulator.MustJSON(map[string]string{"download_url": tt.fileURL}))
			api.Put(tt.fileURL, "message/rfc822", []byte("Subject: From the source\r\n\r\nHi"))
			adapter := esptest.New(t, agentmail.New, agentmail.Config{
				APIKeys: anymail.Keys("am_1"), EU: true, FileHosts: []string{"files.example.net"}, Client: api.Client(),
			})
			ev, ok := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(tt.body)))[0].(*anymail.InboundEvent)
			require.True(t, ok)
			require.Equal(t, anymail.EventInbound, ev.Type)
			require.Equal(t, tt.subject, ev.Message.Subject)
			require.Equal(t, "Yes", ev.Message.StrippedText)
			require.Equal(t, "a@agents.example.org", ev.Message.EnvelopeRecipient)
		})
	}
}

func TestSourceElsewhere(t *testing.T) {
	api := new(simulator.API)
	api.Put("https://api.agentmail.to/v0/inboxes/a@agents.example.org/messages/%3Cx1@example.com%3E/raw", "application/json",
		[]byte(`{"download_url":"https://other.example.org/1"}`))
	adapter := esptest.New(t, agentmail.New, agentmail.Config{APIKeys: anymail.Keys("am_1"), Client: api.Client()})
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(received)))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

func TestAPIDown(t *testing.T) {
	down := roundTripper(func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "Bearer am_1", r.Header.Get("Authorization"))
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Request: r}, nil
	})
	adapter := esptest.New(t, agentmail.New, agentmail.Config{APIKeys: anymail.Keys("am_1"), Client: &http.Client{Transport: down}})
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(received)))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Made with another implementation of HMAC.
const (
	vectorSecret = "whsec_YWdlbnQtZGVtby1zZWNyZXQta2V5LTEyMzQ1"
	vectorBody   = `{"type":"event","event_type":"message.delivered","event_id":"evt_1","delivery":{"inbox_id":"a@agents.example.org","thread_id":"t1",` +
		`"message_id":"<m1@example.org>","timestamp":"2026-09-21T14:13:20Z","recipients":["ada@example.com"]}}`
	vectorSignature = "v1,EDDl1owzrFQ9KYXOIlk4WHDLPPAmdHy+uJFnOOA5CnI="
)

func TestSignature(t *testing.T) {
	for i, config := range []agentmail.Config{{TrackingSigningKeys: anymail.Keys(vectorSecret)}, {InboundSigningKeys: anymail.Keys(vectorSecret)}} {
		verifier := esptest.New(t, agentmail.New, config).Endpoints()[i].Verifier
		for body, ok := range map[string]bool{vectorBody: true, vectorBody + " ": false} {
			header := http.Header{"Svix-Id": {"msg_1"}, "Svix-Timestamp": {"1790000000"}, "Svix-Signature": {vectorSignature}}
			_, err := verifier.Verify(t.Context(), &anymail.Payload{Header: header, Body: []byte(body)})
			require.Equal(t, ok, err == nil, body)
		}
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, agentmail.New, map[string]agentmail.Config{
		"empty":         {TrackingSigningKeys: anymail.Keys("")},
		"no key":        {TrackingSigningKeys: anymail.Keys("whsec_")},
		"not base64":    {InboundSigningKeys: anymail.Keys("whsec_***")},
		"empty API key": {APIKeys: anymail.Keys("")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, agentmailsim.New(), func(sample string) string {
		event, detail, _ := strings.Cut(sample, "-")
		if words, ok := bounces[detail]; ok {
			return event + ": " + words
		}
		if event == "message.teleported" {
			return "anything else"
		}
		return event
	})
}

var bounces = map[string]string{
	"hard": "Permanent", "soft": "Transient", "large": "Transient, MessageTooLarge", "content": "Transient, ContentRejected",
	"attachment": "Transient, AttachmentRejected", "undetermined": "anything else", "suppressed": "Permanent, Suppressed",
	"listed": "Permanent, OnAccountSuppressionList",
}
