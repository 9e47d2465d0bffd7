package stalwart_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/stalwart"
	"github.com/goanymail/anymail/esp/stalwart/stalwartsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, stalwartsim.New()) }

func parse(t testing.TB, events ...string) []anymail.Event {
	t.Helper()
	body := `{"events":[` + strings.Join(events, ",") + `]}`
	return anymailtest.Parse(t, esptest.New(t, stalwart.New, stalwart.Config{}), simulator.JSON("tracking", []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "bounce with a queue id that no float64 holds",
			body: `{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"delivery.dsn-perm-fail","data":{"spanId":391000000000001,"queueId":184000000000000000003,"to":"ada@example.com",
				"details":"Unexpected response for RCPT TO:<ada@example.com>: Code: 550, Enhanced code: 5.1.1, Message: Code: no, Message: such user"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "184000000000000000003", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid,
				Description: "Unexpected response for RCPT TO:<ada@example.com>: Code: 550, Enhanced code: 5.1.1, Message: Code: no, Message: such user",
				MTAResponse: "550 5.1.1 Code: no, Message: such user", Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "message id, and an answer that begins with its code",
			body: `{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"delivery.rcpt-to-rejected","data":{"queueId":3,"messageId":"m1@example.org","to":"ada@example.com",
				"code":451,"details":"4.7.1 greylisted"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, Timestamp: at},
				MessageID: "m1@example.org", Recipient: "ada@example.com", MTAResponse: "451 4.7.1 greylisted",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.7.1"},
			},
		},
		{
			name: "domain that does not exist",
			body: `{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"delivery.dsn-perm-fail","data":{"queueId":3,"to":"ada@example.com","details":"DNS lookup failed"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Description: "DNS lookup failed",
				Bounce: anymail.Bounce{Category: anymail.BounceUndetermined},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = stalwart.ESP
			events := parse(t, tt.body)
			require.Len(t, events, 1)
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

// An event has another id in each attempt. What happens once may be in two events.
func TestKeys(t *testing.T) {
	key := func(event string) string { return parse(t, event)[0].Base().Key }
	const (
		delivered = `{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"delivery.delivered","data":{"queueId":3,"to":"ada@example.com","code":250}}`
		deferred  = `{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"delivery.dsn-temp-fail","data":{"queueId":3,"to":"ada@example.com","details":"later"}}`
		login     = `{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"auth.success","data":{"accountName":"ada"}}`
	)
	for _, event := range []string{delivered, deferred, login} {
		require.Equal(t, key(event), key(strings.Replace(event, `"id":"1"`, `"id":"2"`, 1)))
	}
	require.Equal(t, key(delivered), key(strings.NewReplacer("delivery.delivered", "delivery.dsn-success", "14:13:20", "14:13:21").Replace(delivered)))
	for _, others := range [][2]string{
		{delivered, strings.Replace(delivered, `"queueId":3`, `"queueId":4`, 1)},
		{delivered, strings.Replace(delivered, `ada@`, `grace@`, 1)},
		{delivered, strings.Replace(delivered, `delivery.delivered`, `delivery.dsn-perm-fail`, 1)},
		{deferred, strings.Replace(deferred, `14:13:20`, `15:13:20`, 1)},
		{login, strings.Replace(login, `"ada"`, `"grace"`, 1)},
	} {
		require.NotEqual(t, key(others[0]), key(others[1]), others[1])
	}
}

func TestNoEvents(t *testing.T) {
	for _, body := range []string{`{"events":[]}`, `{"events":7}`, `{"events":[]} x`, `[]`} {
		_, err := simulator.Parse(esptest.New(t, stalwart.New, stalwart.Config{}), simulator.JSON("tracking", []byte(body)))
		require.ErrorIs(t, err, anymail.ErrMalformed, body)
	}
}

// Made with: printf '%s' "$BODY" | openssl dgst -sha256 -hmac 'stalwart key 7' -binary | openssl base64 -A
func TestSignature(t *testing.T) {
	const (
		body      = `{"events":[{"id":"1","createdAt":"2026-09-21T14:13:20Z","type":"delivery.delivered","data":{"to":"ada@example.com","code":250}}]}`
		signature = "LNaKPUM1ICDTn9mkOjyrIQmryu5bEwuaqjhNAstQxf8="
		key       = "stalwart key 7"
	)
	tests := []struct {
		name, body, signature, key string
		ok                         bool
	}{
		{name: "signed", body: body, signature: signature, key: key, ok: true},
		{name: "another body", body: strings.Replace(body, "ada", "eve", 1), signature: signature, key: key},
		{name: "another key", body: body, signature: signature, key: "stalwart key 8"},
		{name: "without padding", body: body, signature: strings.TrimSuffix(signature, "="), key: key},
		{name: "no signature", body: body, key: key},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter := esptest.New(t, stalwart.New, stalwart.Config{SigningKeys: anymail.Keys("next", tt.key)})
			_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: http.Header{"X-Signature": {tt.signature}}, Body: []byte(tt.body)})
			require.Equal(t, tt.ok, err == nil)
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, stalwart.New, map[string]stalwart.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("key\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, stalwartsim.New(), func(sample string) string {
		typ, _, _ := strings.Cut(sample, ", ")
		switch {
		case typ == "message.teleported":
			return "anything else"
		case sample == "delivery.rcpt-to-rejected, for good":
			return sample
		}
		return typ
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, stalwartsim.New(), "tracking") }
