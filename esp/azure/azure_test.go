package azure_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/azure"
	"github.com/goanymail/anymail/esp/azure/azuresim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, azuresim.New()) }

func parse(t testing.TB, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, azure.New, azure.Config{}), simulator.JSON("tracking", []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 123456700, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "bounce, with the time as the docs spell it",
			body: `{"id":"e1","eventType":"Microsoft.Communication.EmailDeliveryReportReceived","eventTime":"2026-09-21T14:13:21Z","data":{"messageId":"m1",
				"recipient":"ada@example.com","status":"Bounced","deliveryStatusDetails":{"statusMessage":"550 5.1.1 unknown"},"deliveryAttemptTimeStamp":"2026-09-21T14:13:20.1234567Z"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "e1", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "550 5.1.1 unknown", MTAResponse: "550 5.1.1 unknown",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "refused by a server, in words",
			body: `{"id":"e2","eventType":"Microsoft.Communication.EmailDeliveryReportReceived","eventTime":"2026-09-21T14:13:20.1234567Z","data":{
				"status":"Failed","deliveryStatusDetails":{"statusMessage":"user unknown","recipientMailServerHostName":"mx.example.com"}}}`,
			want: anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventBounced, ID: "e2", Timestamp: at},
				RejectReason: anymail.RejectInvalid, Description: "user unknown", MTAResponse: "user unknown", Bounce: anymail.Bounce{Category: anymail.BounceHard},
			},
		},
		{
			name: "failed without details",
			body: `{"id":"e3","type":"Microsoft.Communication.EmailDeliveryReportReceived","time":"2026-09-21T14:13:20.1234567Z","data":{"status":"failed","deliveryStatusDetails":null}}`,
			want: anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventFailed, ID: "e3", Timestamp: at},
				RejectReason: anymail.RejectOther,
			},
		},
		{
			name: "an open as in the older docs, without a recipient",
			body: `{"id":"e4","eventType":"Microsoft.Communication.EmailEngagementTrackingReportReceived","eventTime":"2026-09-21T14:13:21Z","data":{"messageId":"m1",
				"userActionTimeStamp":"2026-09-21T16:13:20.1234567+02:00","engagementContext":"","userAgent":"Mozilla/5.0","engagementType":"View"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, ID: "e4", Timestamp: at},
				MessageID: "m1", UserAgent: "Mozilla/5.0",
			},
		},
		{
			name: "event of another service, whose status means something else",
			body: `{"id":"e5","eventType":"Microsoft.Example.ReportReceived","eventTime":"2026-09-21T14:13:20.1234567Z","data":{"status":"Delivered"}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{ID: "e5", Timestamp: at}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, body := range []string{tt.body, "[" + tt.body + "]"} {
				tt.want.ESP = azure.ESP
				anymailtest.Equal(t, &tt.want, parse(t, body)[0])
			}
		})
	}
}

func TestValidation(t *testing.T) {
	server := anymailtest.NewServer(t, azuresim.New())
	sample, _ := server.Simulator.Sample("SubscriptionValidationEvent")
	p := simulator.NewParams()
	p.EventID = `A1-"<b>`
	request := server.Prepare(t, sample, p)
	status, body := server.Post(t, request)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"validationResponse":"A1-\"<b>"}`, body)

	request.Header.Del("Authorization")
	status, _ = server.Post(t, request)
	require.Equal(t, http.StatusServiceUnavailable, status, "the secret is wanted of the handshake too")

	for _, body := range []string{`[]`, `[{"data":{}}]`, `[{"data":{"validationCode":"a"}},{}]`, `{`} {
		request := server.Prepare(t, sample, p)
		request.Body = []byte(body)
		status, _ := server.Post(t, request)
		require.Equal(t, http.StatusServiceUnavailable, status, body)
	}
}

// CloudEvents are delivered only if OPTIONS says that they may be.
func TestCloudEventsHandshake(t *testing.T) {
	server := anymailtest.NewServer(t, azuresim.New())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, server.URL+"/azure/tracking/", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("WebHook-Request-Origin", "eventgrid.azure.net")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "*", response.Header.Get("WebHook-Allowed-Origin"))
	require.Equal(t, "POST", response.Header.Get("Allow"))
	require.Empty(t, server.Take())
}

func TestBearer(t *testing.T) {
	check := func(_ context.Context, token string) error {
		if token == "checked" {
			return nil
		}
		return anymail.Unauthenticated("not a token of the tenant")
	}
	adapter := esptest.New(t, azure.New, azure.Config{BearerTokens: anymail.Keys("next", "current"), CheckBearer: check})
	for header, ok := range map[string]bool{
		"Bearer current": true, "BEARER next": true, "Bearer checked": true, "Bearer other": false, "Basic current": false, "current": false, "": false,
	} {
		_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: http.Header{"Authorization": {header}}})
		if ok {
			require.NoError(t, err, header)
		} else {
			require.ErrorIs(t, err, anymail.ErrUnauthenticated, header)
		}
	}
	require.Nil(t, esptest.New(t, azure.New, azure.Config{}).Endpoints()[0].Verifier)
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, azure.New, map[string]azure.Config{
		"empty": {BearerTokens: anymail.Keys("")}, "line end": {BearerTokens: anymail.Keys("token\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, azuresim.New(), func(sample string) string {
		status, _, _ := strings.Cut(sample, "-")
		switch {
		case status == "SMSReceived" || status == "Teleported":
			return "anything else"
		case status == "CloudEvents":
			return ""
		case strings.HasPrefix(sample, "Failed-"):
			return "Failed, by the receiving server"
		}
		return status
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, azuresim.New(), "tracking") }
