package sendpulse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/sendpulse"
	"github.com/goanymail/anymail/esp/sendpulse/sendpulsesim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, sendpulsesim.New()) }

func TestPage(t *testing.T) {
	espdoc.Samples(t, sendpulsesim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "teleported" {
			return "anything else"
		}
		return event
	})
}

func TestTracking(t *testing.T) {
	at := time.Unix(1790000000, 0).UTC()
	tests := []struct {
		name, body string
		want       anymail.TrackingEvent
	}{
		{
			name: "code in the text alone",
			body: `{"event":"Undelivered","timestamp":"1790000000","message_id":"7","recipient":"ada@example.com","smtp_server_response":"450 4.7.1 later"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "7", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, MTAResponse: "450 4.7.1 later",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 450, EnhancedCode: "4.7.1"},
			},
		},
		{
			name: "bounce with the members of the email service",
			body: `{"event":"hard_bounces","timestamp":1790000000,"task_id":8,"email":"ada@example.com","smtp_server_response_code":550,"smtp_server_response_subcode":"","smtp_server_response":"no such user"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "8", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, MTAResponse: "no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := anymailtest.Parse(t, esptest.New(t, sendpulse.New, sendpulse.Config{}), simulator.JSON("tracking", []byte("["+tt.body+"]")))
			require.Len(t, events, 1)
			tt.want.ESP = sendpulse.ESP
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, sendpulsesim.New(), "tracking") }
