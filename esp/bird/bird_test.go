package bird_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/bird"
	"github.com/goanymail/anymail/esp/bird/birdsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, birdsim.New()) }

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, birdsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, birdsim.New(), "inbound") }

func TestBounce(t *testing.T) {
	r := simulator.JSON("tracking", []byte(`{"type":"email.bounced","timestamp":"2026-09-21T16:13:20+02:00","data":{"email_id":"em_01","recipient":"ada@example.com",
		"tags":[{"name":"flow","value":"welcome"},{"name":"order","value":"7"}],"metadata":{"order":"42"},
		"bounce_type":"hard","bounce_class":10,"bounce_code":"550","bounce_description":"5.1.1 no such user"}}`))
	r.Header.Set("Webhook-Id", "msg_1")
	events := anymailtest.Parse(t, esptest.New(t, bird.New, bird.Config{}), r)
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: bird.ESP, Type: anymail.EventBounced, ID: "msg_1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
		MessageID: "em_01", Recipient: "ada@example.com", Metadata: anymail.Metadata{"flow": "welcome", "order": "42"},
		RejectReason: anymail.RejectInvalid, MTAResponse: "550 5.1.1 no such user",
		Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
	}, events[0])
}

func TestSparkPost(t *testing.T) {
	_, err := simulator.Parse(esptest.New(t, bird.New, bird.Config{}), simulator.JSON("tracking", []byte(`[{"msys":{"message_event":{}}}]`)))
	require.ErrorIs(t, err, anymail.ErrMalformed)
	require.ErrorContains(t, err, "sparkpost")
}

const received = `{"type":"email.received","timestamp":"2026-09-21T14:20:00Z","data":{"inbound_message_id":"rem_01","message_id":"<x1@example.com>",
	"from":"ada@example.com","to":["help@in.example.org"],"subject":"Re: Hi","in_reply_to":"<m1@example.org>","spf_pass":true,"dkim_pass":false,"dmarc_pass":null}}`

func TestInbound(t *testing.T) {
	api := new(simulator.API)
	api.Put("https://eu1.platform.bird.com/v1/email/inbound-messages/rem_01/raw", "message/rfc822", []byte("Subject: From the source\r\n\r\nHi"))
	adapter := esptest.New(t, bird.New, bird.Config{APIKeys: anymail.Keys("bk_1"), APIHost: "eu1.platform.bird.com", Client: api.Client()})
	for body, want := range map[string]string{
		received: "From the source",
		strings.Replace(received, `"Re: Hi"`, "7", 1):       "From the source",
		strings.Replace(received, "rem_01", "../rem_01", 1): "Re: Hi",
		strings.Replace(received, "rem_01", "rem_02", 1):    "Re: Hi",
	} {
		ev, ok := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(body)))[0].(*anymail.InboundEvent)
		require.True(t, ok)
		require.Equal(t, want, ev.Message.Subject)
		require.Equal(t, want == "Re: Hi", ev.Type == anymail.EventInboundFailed)
		require.Equal(t, "ada@example.com", ev.Message.EnvelopeSender)
		require.Equal(t, "help@in.example.org", ev.Message.EnvelopeRecipient)
		require.Equal(t, anymail.Authentication{SPF: "pass", DKIM: "fail"}, ev.Message.Authentication)
	}
}

// Made with another implementation of HMAC.
const (
	vectorSecret = "whsec_YmlyZC1kZW1vLXNlY3JldC1rZXktMTIzNDU2"
	vectorBody   = `{"type":"email.delivered","timestamp":"2026-09-21T14:13:20Z","data":{"email_id":"em_1","recipient_id":"er_1","workspace_id":"ws_1",` +
		`"recipient":"ada@example.com","recipient_role":"to","tags":null,"metadata":null}}`
	vectorSignature = "v1,XhKTid1h715MrKYZbLxkKhONoZrj0raIkrJJuJyReW8="
)

func TestSignature(t *testing.T) {
	keys := anymail.Keys(vectorSecret)
	for _, ep := range esptest.New(t, bird.New, bird.Config{TrackingSigningKeys: keys, InboundSigningKeys: keys, APIKeys: anymail.Keys("bk_1")}).Endpoints() {
		for body, ok := range map[string]bool{vectorBody: true, vectorBody + " ": false} {
			header := http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1790000000"}, "Webhook-Signature": {vectorSignature}}
			_, err := ep.Verifier.Verify(t.Context(), &anymail.Payload{Header: header, Body: []byte(body)})
			require.Equal(t, ok, err == nil, body)
		}
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, bird.New, map[string]bird.Config{
		"empty":                 {TrackingSigningKeys: anymail.Keys("")},
		"not base64":            {TrackingSigningKeys: anymail.Keys("whsec_***")},
		"inbound without a key": {InboundSigningKeys: anymail.Keys(vectorSecret)},
		"host with a path":      {APIHost: "us1.platform.bird.com/v1"},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, birdsim.New(), func(sample string) string {
		event, detail, ok := strings.Cut(sample, "-")
		switch {
		case event == "email.teleported":
			return "anything else"
		case ok:
			return event + ": " + detail
		}
		return event
	})
}
