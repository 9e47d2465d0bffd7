package usesend_test

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
	"github.com/goanymail/anymail/esp/usesend"
	"github.com/goanymail/anymail/esp/usesend/usesendsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, usesendsim.New()) }

// Made with: printf '%s.%s' 1790000000000 "$BODY" | openssl dgst -sha256 -hmac usesend-demo-secret
const (
	vectorBody = `{"id":"call_1","type":"email.delivered","version":"2026-01-18","createdAt":"2026-09-21T14:13:21.000Z","teamId":1,` +
		`"data":{"id":"em1","status":"DELIVERED","from":"news@example.org","to":["ada@example.com"],"occurredAt":"2026-09-21T14:13:20.000Z"},"attempt":1}`
	vectorSignature = "v1=b36a9cc49eb0ef035fd5725864a22c6a140ac778d50de2440ee1633012da2bb8"
)

func TestTracking(t *testing.T) {
	created := time.Date(2026, 9, 21, 14, 13, 21, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "delivered, which SES took a second before",
			body: vectorBody,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: "call_1", Timestamp: created},
				MessageID: "em1", Recipient: "ada@example.com",
			},
		},
		{
			name: "bounced, the second recipient named",
			body: `{"id":"call_2","type":"email.bounced","createdAt":"2026-09-21T14:13:21.000Z","data":{"id":"em1","to":["Bob <bob@example.com>","Ada@example.com"],
				"metadata":{"bounceType":"Permanent"},"bounce":{"type":"Permanent","subType":"General","message":"smtp; 550 5.1.1 <ada@example.com>: no such user"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "call_2", Timestamp: created},
				MessageID: "em1", Recipient: "Ada@example.com", RejectReason: anymail.RejectInvalid, Description: "Permanent: General",
				MTAResponse: "smtp; 550 5.1.1 <ada@example.com>: no such user",
				Bounce:      anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "clicked, later than the call was made",
			body: `{"id":"call_3","type":"email.clicked","createdAt":"2026-09-21T14:13:30.000Z","data":{"id":"em1","to":["Bob <bob@example.com>","ada@example.com"],
				"click":{"timestamp":"2026-09-21T14:13:21.000Z","url":"https://example.com/a","userAgent":"Mozilla/5.0","ip":"192.0.2.7"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "call_3", Timestamp: created},
				MessageID: "em1", Recipient: "bob@example.com", ClickURL: "https://example.com/a", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.7"),
			},
		},
		{
			name: "suppressed by hand",
			body: `{"id":"call_4","type":"email.suppressed","data":{"id":"em1","to":["ada@example.com"],"suppression":{"type":"Manual","reason":"asked by phone"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: "call_4"},
				MessageID: "em1", Recipient: "ada@example.com", RejectReason: anymail.RejectBlocked, Description: "asked by phone",
			},
		},
		{
			name: "an event of a contact, whose id is not that of a message",
			body: `{"id":"call_5","type":"contact.updated","data":{"id":"c1","email":"ada@example.com","subscribed":false}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: "call_5"}, Recipient: "ada@example.com"},
		},
		{
			name: "a payload that useSend could not write as JSON",
			body: `{"id":"call_6","type":"email.failed","data":"[object Object]"}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventFailed, ID: "call_6"}, RejectReason: anymail.RejectOther},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := anymailtest.Parse(t, esptest.New(t, usesend.New, usesend.Config{}), simulator.JSON("tracking", []byte(tt.body)))
			require.Len(t, events, 1)
			tt.want.ESP = usesend.ESP
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

func TestSignature(t *testing.T) {
	const at = "1790000000000"
	tests := []struct {
		name, at, signature, secret string
		ok                          bool
	}{
		{name: "signed", at: at, signature: vectorSignature, secret: "usesend-demo-secret", ok: true},
		{name: "another time", at: "1790000000001", signature: vectorSignature, secret: "usesend-demo-secret"},
		{name: "another secret", at: at, signature: vectorSignature, secret: "whsec_usesend-demo-secret"},
		{name: "no version", at: at, signature: strings.TrimPrefix(vectorSignature, "v1="), secret: "usesend-demo-secret"},
		{name: "another version", at: at, signature: "v2" + vectorSignature[2:], secret: "usesend-demo-secret"},
		{name: "not a time", at: "-1", signature: vectorSignature, secret: "usesend-demo-secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{"X-Usesend-Timestamp": {tt.at}, "X-Usesend-Signature": {tt.signature}}
			adapter := esptest.New(t, usesend.New, usesend.Config{SigningKeys: anymail.Keys(tt.secret)})
			proof, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: header, Body: []byte(vectorBody)})
			if !tt.ok {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				return
			}
			require.NoError(t, err)
			require.Equal(t, time.Unix(1790000000, 0).UTC(), proof.SignedAt)
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, usesend.New, map[string]usesend.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("whsec_1\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, usesendsim.New(), func(sample string) string {
		if sample == "contact.teleported" {
			return "anything else"
		}
		return sample
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, usesendsim.New(), "tracking") }
