package lettermint_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/lettermint"
	"github.com/goanymail/anymail/esp/lettermint/lettermintsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, lettermintsim.New()) }

func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, lettermint.New, lettermint.Config{}), simulator.JSON(endpoint, []byte(body)))
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

func TestTracking(t *testing.T) {
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "hard bounce",
			body: `{"id":"d2","event":"message.hard_bounced","timestamp":"2026-09-21T14:13:20Z","data":{"message_id":"m1","recipient":"ada@example.com",
				"response":{"status_code":550,"enhanced_status_code":"5.1.1","content":"no such user"},"metadata":{"order":42},"tag":"welcome"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "d2", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "no such user", MTAResponse: "no such user",
				Tags: []string{"welcome"}, Metadata: anymail.Metadata{"order": json.Number("42")},
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "soft bounce, the text under its other name",
			body: `{"id":"d3","event":"message.soft_bounced","timestamp":"2026-09-21T14:13:20Z","data":{"recipient":"ada@example.com",
				"response":{"status_code":"451","message":"later"},"metadata":[],"tag":null}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, ID: "d3", Timestamp: at},
				Recipient: "ada@example.com", Description: "later", MTAResponse: "later",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451},
			},
		},
		{
			name: "open by a person, with a time of its own",
			body: `{"id":"d4","event":"message.opened","timestamp":"2026-09-21T14:20:00Z","data":{"message_id":"m1","recipient":"ada@example.com",
				"opened_at":"2026-09-21T16:13:20+02:00","first_open":true,"user_agent":"Mozilla/5.0","bot":{"detected":false,"machine":false}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, ID: "d4", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0", Automated: anymail.No,
			},
		},
		{
			name: "click by a machine",
			body: `{"id":"d5","event":"message.clicked","timestamp":"2026-09-21T14:20:00Z","data":{"recipient":"ada@example.com",
				"clicked_at":"2026-09-21T14:13:20Z","destination_url":"https://example.com/a","user_agent":null,"bot":{"detected":false,"machine":true}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "d5", Timestamp: at},
				Recipient: "ada@example.com", ClickURL: "https://example.com/a", Automated: anymail.Yes,
			},
		},
		{
			name: "unsubscribed",
			body: `{"id":"d6","event":"message.unsubscribed","timestamp":"2026-09-21T14:20:00Z","data":{"recipient":"ada@example.com","unsubscribed_at":"2026-09-21T14:13:20Z","bot":null}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, ID: "d6", Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
			},
		},
		{
			name: "created, as in 2025",
			body: `{"id":"d7","event":"message.created","created_at":"2026-09-21T14:13:20Z","data":{"message_id":"m1","to":["ada@example.com","bob@example.com"],"cc":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventQueued, ID: "d7", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com",
			},
		},
		{
			name: "suppressed, and the reason in the words of the API",
			body: `{"id":"d8","event":"message.suppressed","timestamp":"2026-09-21T14:13:20Z","data":{"recipient":"ada@example.com","reason":"SPAM_COMPLAINT"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: "d8", Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "SPAM_COMPLAINT",
			},
		},
		{
			name: "event of a later version",
			body: `{"id":"d9","event":"message.teleported","timestamp":"2026-09-21T14:13:20Z","data":[]}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: "d9", Timestamp: at}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = lettermint.ESP
			anymailtest.Equal(t, &tt.want, parse(t, "tracking", tt.body)[0])
		})
	}
}

func TestInbound(t *testing.T) {
	const body = `{"id":"d10","event":"message.inbound","timestamp":"2026-09-21T14:13:20Z","data":{"route":"in","message_id":"<x1@example.com>",
		"from":{"email":"ada@example.com","name":"Ada","subaddress":null},"to":[{"email":"help+7@in.example.org","name":null,"subaddress":"7"}],"cc":["Carl <carl@example.com>"],
		"recipient":"help+7@in.example.org","envelope":{"from":"bounce@example.com","to":["help+7@in.example.org","desk@in.example.org"]},"reply_to":"reply@example.com",
		"subject":"Re: Hi","date":"Mon, 21 Sep 2026 16:13:18 +0200","body":{"text":"Yes","html":"<p>Yes</p>"},"tag":null,
		"headers":[{"name":"In-Reply-To","value":"<m1@example.org>"}],
		"attachments":[{"filename":"a.txt","content":"aGk=","content_type":"text/plain","size":2,"content_id":null}],"is_spam":true,"spam_score":7.5,"spam_symbols":[]}}`
	score := 7.5
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: lettermint.ESP, Type: anymail.EventInbound, ID: "d10", Timestamp: at, Raw: anymail.Raw(body)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "help+7@in.example.org",
			EnvelopeRecipients: []string{"help+7@in.example.org", "desk@in.example.org"},
			From:               []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
			To:                 []anymail.Address{{Address: "help+7@in.example.org"}},
			CC:                 []anymail.Address{{Name: "Carl", Address: "carl@example.com"}},
			ReplyTo:            []anymail.Address{{Address: "reply@example.com"}},
			Subject:            "Re: Hi", Date: at.Add(-2 * time.Second), MessageID: "x1@example.com", InReplyTo: "m1@example.org",
			Headers: anymail.Headers{{Name: "In-Reply-To", Value: "<m1@example.org>"}},
			Text:    "Yes", HTML: "<p>Yes</p>", SpamDetected: anymail.Yes, SpamScore: &score,
			Attachments: []anymail.Attachment{{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 2, Content: []byte("hi")}},
		},
	}, parse(t, "inbound", body)[0])
}

func TestInboundFailed(t *testing.T) {
	for body, subject := range map[string]string{
		`{"id":"d11","event":"message.inbound","data":{"subject":"Hi","date":7}}`: "Hi",
		`{"id":"d12","event":"message.inbound","data":{}}`:                        "",
		`{"event":"message.inbound","data":null}`:                                 "",
	} {
		ev := parse(t, "tracking", body)[0].(*anymail.InboundEvent)
		require.Equal(t, anymail.EventInboundFailed, ev.Type, body)
		require.Equal(t, subject, ev.Message.Subject)
	}
}

// Made with: printf '%s.%s' 1790000000 "$BODY" | openssl dgst -sha256 -hmac whsec_demo
const (
	vectorBody = `{"id":"d1","event":"message.delivered","timestamp":"2026-09-21T14:13:20Z","data":{"message_id":"m1","recipient":"ada@example.com"}}`
	vectorMAC  = "d20904cc5f309ced8b52dd36f5e2a073b9aa6ed78015b8416c59bfeeaa924db8"
)

func TestSignature(t *testing.T) {
	tests := []struct {
		name, signature, delivery, body string
		ok                              bool
	}{
		{name: "signed", signature: "t=1790000000,v1=" + vectorMAC, delivery: "1790000000", ok: true},
		{name: "without the delivery header", signature: "t=1790000000,v1=" + vectorMAC, ok: true},
		{name: "two signatures of a rotation", signature: "t=1790000000,v1=00ff,v1=" + vectorMAC, ok: true},
		{name: "a later version too", signature: "t=1790000000, v1=" + vectorMAC + ", v2=x", ok: true},
		{name: "another delivery", signature: "t=1790000000,v1=" + vectorMAC, delivery: "1790000001"},
		{name: "another time", signature: "t=1790000001,v1=" + vectorMAC},
		{name: "two times", signature: "t=1790000000,t=1790000000,v1=" + vectorMAC},
		{name: "no time", signature: "v1=" + vectorMAC},
		{name: "no signature", signature: "t=1790000000"},
		{name: "only a later version", signature: "t=1790000000,v2=" + vectorMAC},
		{name: "scheme of 2025", signature: "sha256=" + vectorMAC, delivery: "1790000000"},
		{name: "another body", signature: "t=1790000000,v1=" + vectorMAC, body: strings.Replace(vectorBody, "m1", "m2", 1)},
	}
	adapter := esptest.New(t, lettermint.New, lettermint.Config{TrackingSigningKeys: anymail.Keys("whsec_next", "whsec_demo"), InboundSigningKeys: anymail.Keys("whsec_other")})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &anymail.Payload{Header: http.Header{"X-Lettermint-Signature": {tt.signature}}, Body: []byte(vectorBody)}
			if tt.delivery != "" {
				p.Header.Set("X-Lettermint-Delivery", tt.delivery)
			}
			if tt.body != "" {
				p.Body = []byte(tt.body)
			}
			proof, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), p)
			if !tt.ok {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				return
			}
			require.NoError(t, err)
			require.Equal(t, at, proof.SignedAt)
			_, err = adapter.Endpoints()[1].Verifier.Verify(t.Context(), p)
			require.ErrorIs(t, err, anymail.ErrUnauthenticated, "the inbound webhook has another secret")
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, lettermint.New, map[string]lettermint.Config{
		"empty": {TrackingSigningKeys: anymail.Keys("")}, "line end": {InboundSigningKeys: anymail.Keys("whsec_a\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, lettermintsim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "message.teleported" {
			return "anything else"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, lettermintsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, lettermintsim.New(), "inbound") }

func FuzzSignature(f *testing.F) {
	f.Add("t=1790000000,v1="+vectorMAC, "1790000000")
	f.Add("t=,v1=,t", "")
	adapter := esptest.New(f, lettermint.New, lettermint.Config{TrackingSigningKeys: anymail.Keys("another secret")})
	f.Fuzz(func(t *testing.T, signature, delivery string) {
		_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{
			Header: http.Header{"X-Lettermint-Signature": {signature}, "X-Lettermint-Delivery": {delivery}}, Body: []byte(vectorBody),
		})
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}
