package zeptomail_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/zeptomail"
	"github.com/goanymail/anymail/esp/zeptomail/zeptomailsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, zeptomailsim.New()) }

func parse(t testing.TB, body string) []*anymail.TrackingEvent {
	t.Helper()
	var events []*anymail.TrackingEvent
	for _, ev := range anymailtest.Parse(t, esptest.New(t, zeptomail.New, zeptomail.Config{}), simulator.JSON("tracking", []byte(body))) {
		events = append(events, ev.(*anymail.TrackingEvent))
	}
	return events
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

// Each level may be a list or one element.
func TestWithoutLists(t *testing.T) {
	events := parse(t, `{"webhook_request_id":"w1","event_name":"HardBounce","event_message":{"request_id":"r1","email_info":{"client_reference":"order-42",
		"to":{"email_address":[{"address":"ada@example.com","name":"Ada"}]}},"event_data":{"object":"hardbounce",
		"details":{"time":"2026-09-21T19:43:20+05:30","reason":"invalid-mailbox","diagnostic_message":"550 5.1.1 no such user"}}}}`)
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: zeptomail.ESP, Type: anymail.EventBounced, ID: "w1", Timestamp: at},
		MessageID: "r1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "invalid-mailbox", MTAResponse: "550 5.1.1 no such user",
		Metadata: anymail.Metadata{"client_reference": "order-42"},
		Bounce:   anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
	}, events[0])
}

func TestSeveralOccurrences(t *testing.T) {
	events := parse(t, `{"webhook_request_id":"w1","event_name":["email_link_click"],"event_message":[{"request_id":"r1","email_info":{},"event_data":[
		{"object":"email_link_click","details":[{"time":"2026-09-21T14:13:20Z","clicked_link":"https://example.com/a"},
		{"time":"2026-09-21T14:13:20Z","clicked_link":"https://example.com/b"}]},{"object":"email_open","details":[]}]},{"request_id":"r2","event_data":"none"}]}`)
	require.Len(t, events, 4)
	require.Equal(t, "https://example.com/b", events[1].ClickURL)
	require.Equal(t, anymail.EventOpened, events[2].Type)
	require.Equal(t, "r2", events[3].MessageID)
	keys := map[string]bool{}
	for _, ev := range events {
		keys[ev.Key] = true
	}
	require.Len(t, keys, 4)
}

// A bounce must not be blamed on one of several recipients.
func TestSeveralRecipients(t *testing.T) {
	const body = `{"event_name":["hardbounce"],"event_message":[{"email_info":{"to":[{"email_address":{"address":"ada@example.com"}}],
		"cc":[{"email_address":{"address":"bob@example.com"}}]},"event_data":[{"object":"hardbounce","details":[{"reason":"x"BOUNCED}]}]}]}`
	require.Empty(t, parse(t, strings.Replace(body, "BOUNCED", "", 1))[0].Recipient)
	require.Equal(t, "bob@example.com", parse(t, strings.Replace(body, "BOUNCED", `,"bounced_recipient":"bob@example.com"`, 1))[0].Recipient)
}

func TestWithoutMessage(t *testing.T) {
	events := parse(t, `{"webhook_request_id":"w1","event_name":["softbounce"],"event_message":null}`)
	require.Len(t, events, 1)
	require.Equal(t, anymail.EventBounced, events[0].Type)
	require.False(t, events[0].ShouldSuppress())
}

// ZeptoMail saves a webhook if a test is answered with 200.
func TestEmptyBody(t *testing.T) {
	s := anymailtest.NewServerFor(t, zeptomailsim.New(), esptest.New(t, zeptomail.New, zeptomail.Config{}))
	for _, body := range []string{"", "data="} {
		r := s.Address(t, simulator.Request{
			Endpoint: "tracking", Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(body),
		})
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status, body)
		require.Empty(t, s.Take())
	}
}

// Made with: printf %s "$TEXT" | openssl dgst -sha256 -hmac zepto-test-key -binary | base64
const (
	vectorText = `{"event_name":["hardbounce"],"event_message":[]}`
	vectorMAC  = "jlH1ZiqgukJqJQZ9B0/CwQOf5z/t6fsXQP+H7KYumUo="
)

func TestSignature(t *testing.T) {
	encoded := url.QueryEscape(vectorMAC)
	form := "eventData=" + url.QueryEscape(vectorText)
	tests := []struct {
		name, header, body string
		ok                 bool
	}{
		{"form", "ts=1790000000000;s=" + encoded + ";s-algorithm=HmacSHA256", form, true},
		{"JSON", "ts=1790000000000;s=" + encoded + ";s-algorithm=HmacSHA256", vectorText, true},
		{"in another order, not encoded twice", "s-algorithm=HmacSHA256; s=" + vectorMAC + "; ts=1", vectorText, true},
		{"another body", "ts=1790000000000;s=" + encoded + ";s-algorithm=HmacSHA256", form + "+", false},
		{"another algorithm", "ts=1790000000000;s=" + encoded + ";s-algorithm=HmacMD5", form, false},
		{"no algorithm", "ts=1790000000000;s=" + encoded, form, false},
		{"two signatures", "s=AAAA;s=" + encoded + ";s-algorithm=HmacSHA256", form, false},
		{"bad encoding", "s=%zz;s-algorithm=HmacSHA256", form, false},
		{"bad form", "s=" + encoded + ";s-algorithm=HmacSHA256", "data=%zz", false},
		{"no signature", "ts=1790000000000;s-algorithm=HmacSHA256", form, false},
		{"unsigned", "", form, false},
	}
	verifier := esptest.New(t, zeptomail.New, zeptomail.Config{SigningKeys: anymail.Keys("next", "zepto-test-key")}).Endpoints()[0].Verifier
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verifier.Verify(t.Context(), payload(tt.header, tt.body))
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, anymail.ErrUnauthenticated)
		})
	}
}

func payload(signature, body string) *anymail.Payload {
	p := &anymail.Payload{Header: http.Header{"Producer-Signature": {signature}, "Content-Type": {"application/json"}}, Body: []byte(body)}
	if !strings.HasPrefix(body, "{") {
		p.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return p
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, zeptomail.New, map[string]zeptomail.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("k\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, zeptomailsim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "teleport" {
			return "anything else"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, zeptomailsim.New(), "tracking") }

func FuzzSignature(f *testing.F) {
	f.Add("ts=1790000000000;s="+url.QueryEscape(vectorMAC)+";s-algorithm=HmacSHA256", vectorText)
	f.Add(";=;s=", "data=%7B")
	verifier := esptest.New(f, zeptomail.New, zeptomail.Config{SigningKeys: anymail.Keys("another key")}).Endpoints()[0].Verifier
	f.Fuzz(func(t *testing.T, signature, body string) {
		_, err := verifier.Verify(t.Context(), payload(signature, body))
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}
