package hyvorrelay_test

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
	"github.com/goanymail/anymail/esp/hyvorrelay"
	"github.com/goanymail/anymail/esp/hyvorrelay/hyvorrelaysim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, hyvorrelaysim.New()) }

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 22, 0, time.UTC)
	const sent = `"send":{"id":7,"uuid":"u7","from_address":"news@example.org"},"recipient":{"id":9,"address":"ada@example.com"}`
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "bounce",
			body: `{"event":"send.recipient.bounced","payload":{` + sent + `,"attempt":{"id":11,"created_at":1790000001,"smtp_conversations":[],"recipients":[
				{"created_at":1790000001,"recipient_id":8,"smtp_code":250,"smtp_enhanced_code":"2.0.0","smtp_message":"OK"},
				{"created_at":1790000002,"recipient_id":9,"smtp_code":550,"smtp_enhanced_code":"5.1.1","smtp_message":"no such user"}]}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "u7@example.org", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "an attempt that does not say what became of the recipient",
			body: `{"event":"send.recipient.deferred","payload":{` + sent + `,"attempt":{"created_at":1790000002,"recipients":[{"recipient_id":8,"smtp_code":550}],
				"smtp_conversations":{"a.example.com":{"network_error":null},"b.example.com":{"network_error":"timed out"},"c.example.com":{"network_error":"refused"}}}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, Timestamp: at},
				MessageID: "u7@example.org", Recipient: "ada@example.com", Description: "timed out", Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "headers",
			body: `{"event":"send.recipient.complained","payload":{"send":{"uuid":"u7","from_address":"","headers":{"X-Order":42}},"recipient":{"id":9,"address":"ada@example.com"},"complaint":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained},
				MessageID: "u7", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Metadata: anymail.Metadata{"X-Order": json.Number("42")},
			},
		},
		{
			name: "suppressed for a reason of a later version",
			body: `{"event":"send.recipient.suppressed","payload":{` + sent + `,"suppression":{"id":3,"created_at":1700000000,"email":"ada@example.com","reason":"manual","description":null}}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventRejected}, MessageID: "u7@example.org", Recipient: "ada@example.com", RejectReason: anymail.RejectBlocked,
			},
		},
	}
	adapter := esptest.New(t, hyvorrelay.New, hyvorrelay.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = hyvorrelay.ESP
			events := anymailtest.Parse(t, adapter, simulator.JSON("tracking", []byte(tt.body)))
			require.Len(t, events, 1)
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

// Made with: printf '%s' "$BODY" | openssl dgst -sha256 -hmac 0f1e2d3c4b5a69788796a5b4c3d2e1f0
func TestSignature(t *testing.T) {
	const (
		body      = `{"event":"send.recipient.accepted","payload":{"send":{"uuid":"u1"},"recipient":{"address":"ada@example.com"}}}`
		signature = "5360d6465315a45a8f051f938accf6e381f4b12b556540d402142be06cd6b2bf"
		key       = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	)
	tests := []struct {
		name, body, signature, key string
		ok                         bool
	}{
		{name: "signed", body: body, signature: signature, key: key, ok: true},
		{name: "another body", body: strings.Replace(body, "ada", "eve", 1), signature: signature, key: key},
		{name: "another key", body: body, signature: signature, key: "1f1e2d3c4b5a69788796a5b4c3d2e1f0"},
		{name: "a part of the signature", body: body, signature: signature[:32], key: key},
		{name: "no signature", body: body, key: key},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter := esptest.New(t, hyvorrelay.New, hyvorrelay.Config{SigningKeys: anymail.Keys("next", tt.key)})
			_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: http.Header{"X-Signature": {tt.signature}}, Body: []byte(tt.body)})
			if tt.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, hyvorrelay.New, map[string]hyvorrelay.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("key\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, hyvorrelaysim.New(), func(sample string) string {
		event, detail, _ := strings.Cut(sample, "-")
		switch {
		case event == "send.recipient.teleported":
			return "anything else"
		case event == "send.recipient.suppressed", detail == "not-spam":
			return event + ", " + detail
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, hyvorrelaysim.New(), "tracking") }
