package mailomat_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailomat"
	"github.com/goanymail/anymail/esp/mailomat/mailomatsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailomatsim.New()) }

func TestTracking(t *testing.T) {
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "failed for good; the finer time",
			body: `{"id":"e1","eventType":"failure_perm","occurredAt":"2026-09-21T16:13:20+02:00","messageUuid":"u1","messageId":"m1@example.org","recipient":"ada@example.com",
				"payload":{"timestamp":1790000000.25,"delivery-status":{"code":550,"enhanced-code":"5.1.1","message":"5.1.1 no such user"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "e1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 250e6, time.UTC)},
				MessageID: "u1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid,
				Description: "5.1.1 no such user", MTAResponse: "5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "without a payload and an id of the API",
			body: `{"id":"e2","eventType":"delivered","occurredAt":"2026-09-21T16:13:20+02:00","messageId":"m1@example.org","recipient":"ada@example.com","payload":[]}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: "e2", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
				MessageID: "m1@example.org", Recipient: "ada@example.com",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = mailomat.ESP
			adapter := esptest.New(t, mailomat.New, mailomat.Config{})
			anymailtest.Equal(t, &tt.want, anymailtest.Parse(t, adapter, simulator.JSON("tracking", []byte(tt.body)))[0])
		})
	}
}

// The first was made with:
//
//	printf %s ev-07.failure_perm.1790000000 | openssl dgst -sha256 -hmac mom-test-secret
//
// The second is that of Symfony's tests, with their secret:
// https://github.com/symfony/symfony/blob/7.4/src/Symfony/Component/Mailer/Bridge/Mailomat/Tests/Webhook/MailomatRequestParserTest.php
const (
	vectorMAC     = "c6a18c29ba55d5812542f1f53397ddfe848beaaf1291dd89cea3e0fea82af7a8"
	symfonyMAC    = "1a1e3be272212aefe668db51231f54ba66759d6d4b9c5e03d4aa6825f8eb157c"
	symfonySecret = "NgD3IyUA0oLfkM5IyL8tdMNJeIYeBXOpAcnulN1du1aqh3jFbo766lKdJvMePUy5"
)

func TestSignature(t *testing.T) {
	const body = `{"id":"e1","eventType":"failure_perm"}`
	tests := []struct {
		name, id, event, at, signature, body string
		ok                                   bool
	}{
		{"signed", "ev-07", "failure_perm", "1790000000", "sha256=" + vectorMAC, body, true},
		{"of Symfony", "1d958822-0934-4c6a-abc8-5defec4baa64", "delivered", "1718004211", "sha256=" + symfonyMAC, `{"eventType":"delivered"}`, true},
		{"another id", "ev-08", "failure_perm", "1790000000", "sha256=" + vectorMAC, body, false},
		{"another time", "ev-07", "failure_perm", "1790000001", "sha256=" + vectorMAC, body, false},
		{"another event", "ev-07", "delivered", "1790000000", "sha256=" + vectorMAC, `{"eventType":"delivered"}`, false},
		{"another event in the body", "ev-07", "failure_perm", "1790000000", "sha256=" + vectorMAC, `{"eventType":"delivered"}`, false},
		{"a moved border", "ev-07.failure_perm", "1790000000", "", "sha256=" + vectorMAC, body, false},
		{"an event that contains the border", "ev-07", "failure_perm.1790000000", "1790000000", "sha256=" + vectorMAC, body, false},
		{"an algorithm of the sender's choice", "ev-07", "failure_perm", "1790000000", "md5=" + vectorMAC, body, false},
		{"no algorithm", "ev-07", "failure_perm", "1790000000", vectorMAC, body, false},
		{"unsigned", "ev-07", "failure_perm", "1790000000", "", body, false},
	}
	verifier := esptest.New(t, mailomat.New, mailomat.Config{SigningKeys: anymail.Keys(symfonySecret, "mom-test-secret")}).Endpoints()[0].Verifier
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verifier.Verify(t.Context(), payload(tt.id, tt.event, tt.at, tt.signature, tt.body))
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, anymail.ErrUnauthenticated)
		})
	}
}

func payload(id, event, at, signature, body string) *anymail.Payload {
	p := &anymail.Payload{Header: http.Header{}, Body: []byte(body)}
	p.Header.Set("X-MOM-Webhook-Id", id)
	p.Header.Set("X-MOM-Webhook-Event", event)
	p.Header.Set("X-MOM-Webhook-Timestamp", at)
	p.Header.Set("X-MOM-Webhook-Signature", signature)
	return p
}

// The signed header fields of two events within a second may be the same. Neither may
// be taken for a replay.
func TestTwoEventsInASecond(t *testing.T) {
	sim := mailomatsim.New()
	s := anymailtest.NewServer(t, sim)
	sample, _ := sim.Sample("delivered")
	for range 2 {
		status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
		require.Equal(t, http.StatusOK, status)
	}
	require.Len(t, s.Take(), 2)
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, mailomat.New, map[string]mailomat.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("s\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, mailomatsim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "teleported" {
			return "anything else"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailomatsim.New(), "tracking") }

func FuzzSignature(f *testing.F) {
	f.Add("ev-07", "failure_perm", "1790000000", "sha256="+vectorMAC, `{"eventType":"failure_perm"}`)
	verifier := esptest.New(f, mailomat.New, mailomat.Config{SigningKeys: anymail.Keys("another secret")}).Endpoints()[0].Verifier
	f.Fuzz(func(t *testing.T, id, event, at, signature, body string) {
		_, err := verifier.Verify(t.Context(), payload(id, event, at, signature, body))
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}
