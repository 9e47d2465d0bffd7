package ahasend_test

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
	"github.com/goanymail/anymail/esp/ahasend"
	"github.com/goanymail/anymail/esp/ahasend/ahasendsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, ahasendsim.New()) }

// parse gives a body to an endpoint's parser, with an id in the header.
func parse(t testing.TB, endpoint, body string) anymail.Event {
	t.Helper()
	r := simulator.JSON(endpoint, []byte(body))
	r.Header.Set("webhook-id", "evt_01")
	events := anymailtest.Parse(t, esptest.New(t, ahasend.New, ahasend.Config{}), r)
	require.Len(t, events, 1)
	return events[0]
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 123456789, time.UTC)

// Made with: printf '%s.%s.%s' evt_01 1790000000 "$BODY" | openssl dgst -sha256 -hmac aha-demo-secret -binary | base64
const (
	vectorBody = `{"type":"message.delivered","webhook_id":"7b0c0c9e-0000-4000-8000-000000000001","timestamp":"2026-09-21T14:13:20.123456789Z",` +
		`"data":{"account_id":"7b0c0c9e-0000-4000-8000-000000000002","event":"on_delivered","from":"news@example.org","recipient":"ada@example.com",` +
		`"subject":"Hi","message_id_header":"<m1@example.org>","id":"0a1b2c3d4e5f"}}`
	vectorSignature = "v1,HAo/RLSzoZfIlLRQm/IMUttYvWQhIBidRNEGr/WCEqU="
)

func TestTracking(t *testing.T) {
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "delivered",
			body: vectorBody,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: "evt_01", Timestamp: at},
				MessageID: "m1@example.org", Recipient: "ada@example.com",
			},
		},
		{
			name: "click by a bot, without a Message-ID",
			body: `{"type":"message.clicked","timestamp":"2026-09-21T14:13:20.123456789Z","data":{"recipient":"ada@example.com","id":"0a1b",
				"url":"https://example.com/a","user_agent":"Mozilla/5.0","ip":"192.0.2.7","is_bot":true}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "evt_01", Timestamp: at},
				MessageID: "0a1b", Recipient: "ada@example.com", ClickURL: "https://example.com/a", UserAgent: "Mozilla/5.0",
				IP: netip.MustParseAddr("192.0.2.7"), Automated: anymail.Yes,
			},
		},
		{
			name: "open, which does not say whether by a bot",
			body: `{"type":"message.opened","data":{"recipient":"ada@example.com"}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventOpened, ID: "evt_01"}, Recipient: "ada@example.com"},
		},
		{
			name: "failed, with a flag that means nothing there",
			body: `{"type":"message.failed","data":{"recipient":"ada@example.com","is_bot":false}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventBounced, ID: "evt_01"}, Recipient: "ada@example.com",
				RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceHard},
			},
		},
		{
			name: "suppression of the account",
			body: `{"type":"suppression.created","data":{"recipient":"ada@example.com","reason":"2 hard bounces"}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventUnknown, ID: "evt_01"}, Recipient: "ada@example.com", Description: "2 hard bounces",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = ahasend.ESP
			anymailtest.Equal(t, &tt.want, parse(t, "tracking", tt.body))
		})
	}
}

func TestInbound(t *testing.T) {
	const body = `{"type":"message.routing","route_id":"r1","timestamp":"2026-09-21T14:13:20.123456789Z","data":{"id":"r1","from":"Ada <ada@example.com>",
		"reply_to":"reply@example.com","to":"help@in.example.org","subject":"Re: Hi","message_id":"<x1@example.com>","size":2048,"spam_score":0.5,"bounce":false,
		"cc":"carl@example.com, dora@example.com","date":"Mon, 21 Sep 2026 14:13:18 +0000","in_reply_to":"<m1@example.org>","references":"<m0@example.org> <m1@example.org>",
		"auto_submitted":"","html_body":"<p>Yes</p>","plain_body":"Yes\n> Hi","reply_from_plain_body":"Yes",
		"attachments":[{"filename":"a.txt","content_type":"text/plain","content_id":"c1@example.com","disposition":"","data":"aGk="}],"headers":{"X-Mailer":"demo"}}}`
	score := 0.5
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: ahasend.ESP, Type: anymail.EventInbound, ID: "evt_01", Timestamp: at, Raw: anymail.Raw(body)},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "help@in.example.org", EnvelopeRecipients: []string{"help@in.example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@in.example.org"}},
			CC:      []anymail.Address{{Address: "carl@example.com"}, {Address: "dora@example.com"}},
			ReplyTo: []anymail.Address{{Address: "reply@example.com"}}, Subject: "Re: Hi", Date: time.Date(2026, 9, 21, 14, 13, 18, 0, time.UTC),
			MessageID: "x1@example.com", InReplyTo: "m1@example.org", References: []string{"m0@example.org", "m1@example.org"},
			Headers: anymail.Headers{{Name: "X-Mailer", Value: "demo"}}, Text: "Yes\n> Hi", HTML: "<p>Yes</p>", StrippedText: "Yes", SpamScore: &score,
			Attachments: []anymail.Attachment{
				{Filename: "a.txt", ContentType: "text/plain", Disposition: "inline", ContentID: "c1@example.com", Size: 2, Content: []byte("hi")},
			},
		},
	}, parse(t, "inbound", body))
}

func TestInboundFailed(t *testing.T) {
	ev, ok := parse(t, "tracking", `{"type":"route.message","data":{"subject":"Hi","plain_body":7}}`).(*anymail.InboundEvent)
	require.True(t, ok)
	require.Equal(t, anymail.EventInboundFailed, ev.Type)
	require.Equal(t, "Hi", ev.Message.Subject)
}

// The key is the text of the secret. Decoded as base64, as others do, it is another.
func TestSignature(t *testing.T) {
	tests := []struct {
		name, id, signature, secret string
		ok                          bool
	}{
		{name: "signed", id: "evt_01", signature: vectorSignature, secret: "aha-demo-secret", ok: true},
		{name: "list", id: "evt_01", signature: "v1,AAAA " + vectorSignature, secret: "aha-demo-secret", ok: true},
		{name: "another id", id: "evt_02", signature: vectorSignature, secret: "aha-demo-secret"},
		{name: "secret with a prefix", id: "evt_01", signature: vectorSignature, secret: "whsec_aha-demo-secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{"Webhook-Id": {tt.id}, "Webhook-Timestamp": {"1790000000"}, "Webhook-Signature": {tt.signature}}
			adapter := esptest.New(t, ahasend.New, ahasend.Config{TrackingSigningKeys: anymail.Keys(tt.secret), InboundSigningKeys: anymail.Keys("other")})
			p := &anymail.Payload{Header: header, Body: []byte(vectorBody)}
			_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), p)
			require.Equal(t, tt.ok, err == nil)
			_, err = adapter.Endpoints()[1].Verifier.Verify(t.Context(), p)
			require.ErrorIs(t, err, anymail.ErrUnauthenticated, "a route has another secret")
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, ahasend.New, map[string]ahasend.Config{
		"empty": {TrackingSigningKeys: anymail.Keys("")}, "line end": {InboundSigningKeys: anymail.Keys("secret\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, ahasendsim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "message.teleported" {
			return "anything else"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, ahasendsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, ahasendsim.New(), "inbound") }
