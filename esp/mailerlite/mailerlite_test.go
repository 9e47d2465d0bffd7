package mailerlite_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailerlite"
	"github.com/goanymail/anymail/esp/mailerlite/mailerlitesim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailerlitesim.New()) }

func parse(t testing.TB, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailerlite.New, mailerlite.Config{}), simulator.JSON("tracking", []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "created",
			body: `{"id":"61","email":"ada@example.com","status":"active","source":"form","ip_address":"192.0.2.5","optin_ip":null,"created_at":"2026-09-21 14:13:20",
				"updated_at":"2026-09-21 15:00:00","fields":{"name":"Ada","age":36},"event":"subscriber.created","account_id":7}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventSubscribed, Timestamp: at},
				Recipient: "ada@example.com", IP: netip.MustParseAddr("192.0.2.5"),
				Metadata: anymail.Metadata{"name": "Ada", "age": json.Number("36")},
			},
		},
		{
			name: "unsubscribed, in a batch, with a time in RFC 3339 and fields from PHP",
			body: `{"events":[{"email":"ada@example.com","unsubscribed_at":"2026-09-21T16:13:20+02:00","updated_at":"2026-09-21 15:00:00","fields":[],
				"event":"subscriber.unsubscribed"}],"total":1}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
			},
		},
		{
			name: "added to a group, named by type alone",
			body: `{"type":"subscriber.added_to_group","subscriber":{"email":"ada@example.com","fields":{"name":"Ada"}},"group":{"id":"3","name":"Readers"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnknown},
				Recipient: "ada@example.com", Description: "Readers", Metadata: anymail.Metadata{"name": "Ada"},
			},
		},
		{
			name: "an open whose subscriber is nested",
			body: `{"events":[{"event":"campaign.open","subscriber":{"email":"ada@example.com","updated_at":"2026-09-21 14:13:20"},"campaign":{"id":"9"}}],"total":1}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventOpened}, Recipient: "ada@example.com"},
		},
		{
			name: "of the classic API",
			body: `{"events":[{"account_id":7,"data":{"subscriber":{"email":"ada@example.com"}},"timestamp":1790000000,"type":"subscriber.create","webhook_id":2}]}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = mailerlite.ESP
			anymailtest.Equal(t, &tt.want, parse(t, tt.body)[0])
		})
	}
}

func TestEmptyBatch(t *testing.T) {
	adapter := esptest.New(t, mailerlite.New, mailerlite.Config{})
	_, err := simulator.Parse(adapter, simulator.JSON("tracking", []byte(`{"events":[],"total":0}`)))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

// Made with: printf %s "$BODY" | openssl dgst -sha256 -hmac lite-demo-secret
const (
	vectorBody = `{"id":"61","email":"ada@example.com","status":"unsubscribed","event":"subscriber.unsubscribed","account_id":7}`
	vectorMAC  = "f8d9f84ed7d67e6d805ac75607113bcddc3c52bf8030897ab6760b2f9dc78429"
)

func TestSignature(t *testing.T) {
	tests := []struct {
		name, signature, body string
		ok                    bool
	}{
		{name: "signed", signature: vectorMAC, body: vectorBody, ok: true},
		{name: "another body", signature: vectorMAC, body: strings.Replace(vectorBody, "ada", "bob", 1)},
		{name: "with a prefix", signature: "sha256=" + vectorMAC, body: vectorBody},
		{name: "unsigned", body: vectorBody},
	}
	adapter := esptest.New(t, mailerlite.New, mailerlite.Config{SigningKeys: anymail.Keys("next", "lite-demo-secret")})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &anymail.Payload{Header: http.Header{"Signature": {tt.signature}}, Body: []byte(tt.body)}
			_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), p)
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, anymail.ErrUnauthenticated)
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, mailerlite.New, map[string]mailerlite.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("secret\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, mailerlitesim.New(), func(sample string) string {
		if sample == "subscriber.teleported" {
			return "anything else"
		}
		return strings.ReplaceAll(sample, "-", ", ")
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailerlitesim.New(), "tracking") }
