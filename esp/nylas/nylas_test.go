package nylas_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/nylas"
	"github.com/goanymail/anymail/esp/nylas/nylassim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, nylassim.New()) }

func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, nylas.New, nylas.Config{}), simulator.JSON(endpoint, []byte(body)))
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

// A notification about several recipients becomes an event for each, with the answer
// that its server gave.
func TestRecipients(t *testing.T) {
	body := `{"type":"message.bounced","id":"n1","time":1790000009,"data":{"object":{"message":{"id":"m1","to":["ada@example.com","bob@example.com"]},
		"bounce":{"bounced_at":1790000000,"type":"General","recipients":[{"email":"ada@example.com","diagnostic_code":"550 5.1.1 no such user"},
		{"email":"bob@example.com","diagnostic_code":"550 5.7.1 not welcome here"},{"email":"ada@example.com"}]}}}}`
	events := parse(t, "tracking", body)
	require.Len(t, events, 2)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: nylas.ESP, Type: anymail.EventBounced, ID: "n1", Timestamp: at},
		MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "General", MTAResponse: "550 5.1.1 no such user",
		Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
	}, events[0])
	require.Equal(t, anymail.RejectBlocked, events[1].(*anymail.TrackingEvent).RejectReason)
	require.NotEqual(t, events[0].Base().Key, events[1].Base().Key)

	events = parse(t, "tracking", `{"type":"message.rejected","id":"n2","data":{"object":{"message":{"id":"m1","to":["ada@example.com"],
		"cc":["bob@example.com"],"bcc":["ada@example.com"]},"rejected_at":1790000000}}}`)
	require.Len(t, events, 2, "a virus concerns all recipients")

	events = parse(t, "tracking", `{"type":"message.bounced","id":"n3","data":{"object":{"message":{"id":"m1","to":["ada@example.com"]},"bounce":{"type":"Suppressed"}}}}`)
	require.Len(t, events, 1)
	require.Empty(t, events[0].(*anymail.TrackingEvent).Recipient, "not all recipients may have bounced")
}

func TestSendFailedWithoutMessage(t *testing.T) {
	ev := parse(t, "tracking", `{"type":"message.send_failed","id":"n1","time":1790000000,"data":{"grant_id":"g1","reason":"no draft","object":null}}`)[0]
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:       anymail.Common{ESP: nylas.ESP, Type: anymail.EventFailed, ID: "n1", Timestamp: at},
		RejectReason: anymail.RejectOther, Description: "no draft",
	}, ev)
}

func TestVisitWithUnknownLink(t *testing.T) {
	ev := parse(t, "tracking", `{"type":"message.link_clicked.transformed","id":"n1","time":1790000000,"data":{"object":{"message_id":"m1",
		"link_data":[{"url":"https://example.com/"}],"recents":[{"link_index":"7","ip":"here"}]}}}`)[0]
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common: anymail.Common{ESP: nylas.ESP, Type: anymail.EventClicked, ID: "n1", Timestamp: at}, MessageID: "m1",
	}, ev)
}

func mail(typ, folders string) string {
	return `{"type":"` + typ + `","id":"n1","time":1790000000,"data":{"object":{"id":"m1","grant_id":"g1","folders":` + folders +
		`,"from":[{"name":"Ada","email":"ada@example.com"}],"subject":"Hi","date":1790000000,"body":"Yes"}}}`
}

func TestFolders(t *testing.T) {
	tests := []struct {
		folders string
		typ     anymail.EventType
		spam    anymail.Tri
	}{
		{`["INBOX"]`, anymail.EventInbound, anymail.Unsaid},
		{`["SENT"]`, anymail.EventUnknown, anymail.Unsaid},
		{`["[Gmail]/Sent Mail"]`, anymail.EventUnknown, anymail.Unsaid},
		{`["DRAFT"]`, anymail.EventUnknown, anymail.Unsaid},
		{`["INBOX","SENT"]`, anymail.EventInbound, anymail.Unsaid},
		{`["SPAM"]`, anymail.EventInbound, anymail.Yes},
		{`["AAMkAGI1"]`, anymail.EventInbound, anymail.Unsaid},
		{`null`, anymail.EventInbound, anymail.Unsaid},
	}
	for _, tt := range tests {
		ev := parse(t, "tracking", mail("message.created", tt.folders))[0]
		require.Equal(t, tt.typ, ev.Base().Type, tt.folders)
		if ev, ok := ev.(*anymail.InboundEvent); ok {
			require.Equal(t, tt.spam, ev.Message.SpamDetected, tt.folders)
		}
	}
}

func TestCleaned(t *testing.T) {
	ev := parse(t, "inbound", mail("message.created.cleaned.transformed", `["INBOX"]`))[0].(*anymail.InboundEvent)
	require.Equal(t, "Yes", ev.Message.Text)
	require.Equal(t, "Yes", ev.Message.StrippedText)
	require.Empty(t, ev.Message.HTML)
}

func TestMessageWithoutPart(t *testing.T) {
	for _, typ := range []string{"message.created.truncated", "message.created.metadata", "message.created.cleaned.truncated"} {
		ev := parse(t, "inbound", mail(typ, `["INBOX"]`))[0].(*anymail.InboundEvent)
		require.Equal(t, anymail.EventInboundFailed, ev.Type, typ)
		require.Equal(t, "Hi", ev.Message.Subject, typ)
	}
}

func TestSource(t *testing.T) {
	api := new(simulator.API)
	api.Put("https://api.eu.nylas.com/v3/grants/g1/messages/m1?fields=raw_mime", "application/json",
		[]byte(`{"data":{"raw_mime":"UmV0dXJuLVBhdGg6IDxhZGFAZXhhbXBsZS5jb20-DQpSZWNlaXZlZDogZnJvbSB4DQpTdWJqZWN0OiBGcm9tIHRoZSBzb3VyY2UNCg0KSGk="}}`))
	adapter := esptest.New(t, nylas.New, nylas.Config{APIKeys: anymail.Keys("nyk_1"), EU: true, Client: api.Client()})
	ev := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(mail("message.created.truncated", `["SPAM"]`))))[0].(*anymail.InboundEvent)
	require.Equal(t, anymail.EventInbound, ev.Type)
	require.Equal(t, "From the source", ev.Message.Subject)
	require.Equal(t, "ada@example.com", ev.Message.EnvelopeSender)
	require.Equal(t, anymail.Yes, ev.Message.SpamDetected)

	down := roundTripper(func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "Bearer nyk_1", r.Header.Get("Authorization"))
		return &http.Response{StatusCode: http.StatusBadGateway, Body: http.NoBody, Request: r}, nil
	})
	adapter = esptest.New(t, nylas.New, nylas.Config{APIKeys: anymail.Keys("nyk_1"), Client: &http.Client{Transport: down}})
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(mail("message.created", `["INBOX"]`))))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Nylas saves a webhook if a GET is answered with the challenge, and shows the secret
// only then.
func TestChallenge(t *testing.T) {
	for _, ep := range esptest.New(t, nylas.New, nylas.Config{}).Endpoints() {
		require.Equal(t, []string{http.MethodGet}, ep.Probes)
		require.Equal(t, "challenge", ep.ProbeEcho)
	}
}

func TestMapStatus(t *testing.T) {
	mapStatus := esptest.New(t, nylas.New, nylas.Config{}).Endpoints()[0].MapStatus
	for usual, want := range map[int]int{400: 400, 403: 503, 413: 503, 429: 429, 500: 503} {
		require.Equal(t, want, mapStatus(usual), usual)
	}
}

// Made with: printf %s "$BODY" | openssl dgst -sha256 -hmac nylas-test-secret
const (
	vectorBody = `{"specversion":"1.0","type":"message.delivered","source":"/nylas/send","id":"n1","time":1790000000,"webhook_delivery_attempt":1,` +
		`"data":{"object":{"message":{"id":"m1"},"delivered":{"recipients":["ada@example.com"]}}}}`
	vectorMAC = "d1cbb9c35e35290fcec0d08dcb92cc2542e7b3a536353ff392f5dd4dbf476cee"
)

func TestSignature(t *testing.T) {
	adapter := esptest.New(t, nylas.New, nylas.Config{TrackingSigningKeys: anymail.Keys("next", "nylas-test-secret"), InboundSigningKeys: anymail.Keys("other")})
	for _, tt := range []struct {
		name, signature, body string
		ok                    bool
	}{
		{"signed", vectorMAC, vectorBody, true},
		{"another body", vectorMAC, strings.Replace(vectorBody, "m1", "m2", 1), false},
		{"unsigned", "", vectorBody, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &anymail.Payload{Header: http.Header{"X-Nylas-Signature": {tt.signature}}, Body: []byte(tt.body)}
			_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), p)
			if !tt.ok {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				return
			}
			require.NoError(t, err)
			_, err = adapter.Endpoints()[1].Verifier.Verify(t.Context(), p)
			require.ErrorIs(t, err, anymail.ErrUnauthenticated, "the inbound webhook has another secret")
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, nylas.New, map[string]nylas.Config{
		"empty": {TrackingSigningKeys: anymail.Keys("")}, "line end": {InboundSigningKeys: anymail.Keys("s\n")}, "empty API key": {APIKeys: anymail.Keys("")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, nylassim.New(), func(sample string) string {
		if sample == "message.teleported" {
			return "anything else"
		}
		return strings.ReplaceAll(sample, "-", ", ")
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, nylassim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, nylassim.New(), "inbound") }
