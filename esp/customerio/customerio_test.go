package customerio_test

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
	"github.com/goanymail/anymail/esp/customerio"
	"github.com/goanymail/anymail/esp/customerio/customeriosim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, customeriosim.New()) }

func parse(t testing.TB, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, customerio.New, customerio.Config{}), simulator.JSON("tracking", []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "bounce",
			body: `{"event_id":"01A","object_type":"email","metric":"bounced","timestamp":1790000000,"data":{"customer_id":"42","delivery_id":"ZA==",
				"action_id":7,"campaign_id":"3","broadcast_id":null,"identifiers":{"id":"42","email":"other@example.com","cio_id":null},
				"recipient":"ada@example.com","subject":"Hi","failure_message":"550 5.1.1 no such user"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "01A", Timestamp: at},
				MessageID: "ZA==", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid,
				Description: "550 5.1.1 no such user", MTAResponse: "550 5.1.1 no such user",
				Metadata: anymail.Metadata{"customer_id": "42", "action_id": json.Number("7"), "campaign_id": "3"},
				Bounce:   anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "no recipient, as in a failure",
			body: `{"event_id":"01B","object_type":"email","metric":"failed","timestamp":"1790000000","data":{"delivery_id":"ZA==",
				"identifiers":{"email":"ada@example.com"},"failure_message":"no such variable"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventFailed, ID: "01B", Timestamp: at},
				MessageID: "ZA==", Recipient: "ada@example.com", RejectReason: anymail.RejectOther, Description: "no such variable",
			},
		},
		{
			name: "machine click",
			body: `{"event_id":"01C","object_type":"email","metric":"clicked","timestamp":1790000000,"data":{"recipient":"ada@example.com",
				"href":"https://example.com/a?b=1","link_id":1,"machine":true}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "01C", Timestamp: at},
				Recipient: "ada@example.com", ClickURL: "https://example.com/a?b=1", Automated: anymail.Yes,
			},
		},
		{
			name: "open by a prefetch that is no proxy",
			body: `{"event_id":"01D","object_type":"email","metric":"opened","data":{"recipient":"ada@example.com","proxied":false,"prefetched":true}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventOpened, ID: "01D"}, Recipient: "ada@example.com", Automated: anymail.Yes,
			},
		},
		{
			name: "open by a person",
			body: `{"event_id":"01E","object_type":"email","metric":"opened","data":{"recipient":"ada@example.com","proxied":false,"prefetched":false}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventOpened, ID: "01E"}, Recipient: "ada@example.com", Automated: anymail.No,
			},
		},
		{
			name: "open without flags",
			body: `{"event_id":"01F","object_type":"email","metric":"opened","data":{"recipient":"ada@example.com"}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventOpened, ID: "01F"}, Recipient: "ada@example.com"},
		},
		{
			name: "customer",
			body: `{"event_id":"01G","object_type":"customer","metric":"unsubscribed","timestamp":1790000000,"data":{"email_address":"ada@example.com"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, ID: "01G", Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
			},
		},
		{
			name: "another channel",
			body: `{"event_id":"01H","object_type":"push","metric":"bounced","timestamp":1790000000,"data":{"recipients":[{"device_id":"d"}]}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, ID: "01H", Timestamp: at}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = customerio.ESP
			anymailtest.Equal(t, &tt.want, parse(t, tt.body)[0])
		})
	}
}

// Made with: printf 'v0:%s:%s' 1790000000 "$BODY" | openssl dgst -sha256 -hmac cio-demo-key
const (
	vectorBody      = `{"event_id":"01JDEMO","object_type":"email","metric":"delivered","timestamp":1790000000,"data":{"recipient":"ada@example.com","delivery_id":"d1"}}`
	vectorSignature = "a248d552ec9eb0a10938f615df8f984a051c782cfdb6603a51d4aaba1bae3330"
)

func TestSignature(t *testing.T) {
	tests := []struct {
		name, timestamp, signature, body string
		ok                               bool
	}{
		{name: "signed", timestamp: "1790000000", signature: vectorSignature, body: vectorBody, ok: true},
		{name: "another time", timestamp: "1790000001", signature: vectorSignature, body: vectorBody},
		{name: "another body", timestamp: "1790000000", signature: vectorSignature, body: strings.Replace(vectorBody, "d1", "d2", 1)},
		{name: "no time", signature: vectorSignature, body: vectorBody},
		{name: "border moved", timestamp: "1790000000:{", signature: vectorSignature, body: vectorBody[1:]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			header.Set("X-CIO-Timestamp", tt.timestamp)
			header.Set("X-CIO-Signature", tt.signature)
			adapter := esptest.New(t, customerio.New, customerio.Config{SigningKeys: anymail.Keys("another", "cio-demo-key")})
			proof, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: header, Body: []byte(tt.body)})
			if !tt.ok {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 1, proof.Key)
			require.Equal(t, int64(1790000000), proof.SignedAt.Unix())
		})
	}
}

// After 401, 403, 429 and 500 the queue would stand still for an hour.
func TestStatus(t *testing.T) {
	mapStatus := esptest.New(t, customerio.New, customerio.Config{}).Endpoints()[0].MapStatus
	for usual, want := range map[int]int{200: 200, 401: 503, 403: 503, 413: 413, 429: 503, 500: 503, 503: 503} {
		require.Equal(t, want, mapStatus(usual), usual)
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, customerio.New, map[string]customerio.Config{
		"empty key": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("key\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, customeriosim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "email_teleported" || event == "sms_delivered" {
			return "anything else"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, customeriosim.New(), "tracking") }
