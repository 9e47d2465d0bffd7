package loops_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/loops"
	"github.com/goanymail/anymail/esp/loops/loopssim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, loopssim.New()) }

func TestPage(t *testing.T) {
	espdoc.Samples(t, loopssim.New(), func(sample string) string { return sample })
}

func TestTracking(t *testing.T) {
	r := simulator.JSON("tracking", []byte(`{"eventName":"email.hardBounced","eventTime":1790000000,"webhookSchemaVersion":"1.0.0",
		"contactIdentity":{"id":"c1","email":"ada@example.com","userId":null},"email":{"id":"em1","emailMessageId":"v1","subject":"Hi"},
		"sourceType":"transactional","transactionalId":"t1"}`))
	r.Header.Set("Webhook-Id", "msg_1")
	events := anymailtest.Parse(t, esptest.New(t, loops.New, loops.Config{}), r)
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: loops.ESP, Type: anymail.EventBounced, ID: "msg_1", Timestamp: time.Unix(1790000000, 0).UTC()},
		MessageID: "em1", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceHard},
		Metadata: anymail.Metadata{"contactId": "c1", "sourceType": "transactional", "transactionalId": "t1"},
	}, events[0])
}

// The signature was computed with another implementation of HMAC.
func TestSignature(t *testing.T) {
	adapter := esptest.New(t, loops.New, loops.Config{SigningKeys: anymail.Keys("whsec_bG9vcHMtZGVtby1zZWNyZXQta2V5LTEyMzQ=")})
	for signature, ok := range map[string]bool{
		"v1,x3JEsMyALRhWnga4QumoKEDI209RslCHhI3oAropdPM=":         true,
		"v1,AAAA v1,x3JEsMyALRhWnga4QumoKEDI209RslCHhI3oAropdPM=": true,
		"v1,y3JEsMyALRhWnga4QumoKEDI209RslCHhI3oAropdPM=":         false,
	} {
		_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{
			Body:   []byte(`{"eventName":"email.delivered","eventTime":1790000000}`),
			Header: http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1790000000"}, "Webhook-Signature": {signature}},
		})
		require.Equal(t, ok, err == nil, signature)
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, loops.New, map[string]loops.Config{
		"not base64": {SigningKeys: anymail.Keys("whsec_?")},
		"no key":     {SigningKeys: anymail.Keys("whsec_")},
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, loopssim.New(), "tracking") }
