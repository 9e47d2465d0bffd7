package kumomta_test

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/kumomta"
	"github.com/goanymail/anymail/esp/kumomta/kumomtasim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, kumomtasim.New()) }

func parse(t testing.TB, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, kumomta.New, kumomta.Config{}), simulator.JSON("tracking", []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 440526026, time.UTC)
	seconds := at.Truncate(time.Second)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "bounce",
			body: `{"type":"Bounce","id":"1d98","sender":"news@example.org","recipient":"ada@example.com","queue":"welcome:acme@example.com!mx.example.com",
				"response":{"code":550,"enhanced_code":{"class":5,"subject":1,"detail":1},"content":"no such user","command":"RCPT TO:<ada@example.com>"},
				"timestamp":1790000000,"event_time":"2026-09-21T14:13:20.440526026Z","bounce_classification":"InvalidRecipient",
				"meta":{"tenant":"acme","batch":7},"headers":{"X-Order":"42","tenant":"forged"},"reception_protocol":"HTTP"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "1d98", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "InvalidRecipient",
				MTAResponse: "550 5.1.1 no such user", Tags: []string{"welcome"},
				Metadata: anymail.Metadata{"tenant": "acme", "batch": json.Number("7"), "X-Order": "42"},
				Bounce:   anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "an older version, a tenant without a campaign, an address that is unknown for the time being",
			body: `{"type":"OOB","id":"2e","recipient":"ada@example.com","queue":"acme@example.com","timestamp":1790000000,"num_attempts":0,
				"response":{"code":550,"enhanced_code":{"class":4,"subject":1,"detail":1},"content":"","command":null},"bounce_classification":"InvalidRecipient"}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventBounced, Timestamp: seconds}, Recipient: "ada@example.com", RejectReason: anymail.RejectBounced,
				Description: "InvalidRecipient", MTAResponse: "550 4.1.1", Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 550, EnhancedCode: "4.1.1"},
			},
		},
		{
			name: "complaint without a trace",
			body: `{"type":"Feedback","id":"3f","recipient":"fbl@example.org","timestamp":1790000000,"headers":{"Subject":"Report"},
				"feedback_report":{"feedback_type":"Abuse","original_rcpto_to":["<ada@example.com>"],"original_message":[82,101],"supplemental_trace":null}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventComplained, Timestamp: seconds}, Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "Abuse",
			},
		},
		{
			name: "complaint with the recipient among the extensions",
			body: `{"type":"Feedback","id":"4a","recipient":"fbl@example.org","timestamp":1790000000,
				"feedback_report":{"feedback_type":"abuse","original_rcpto_to":[],"extensions":{"removal-recipient":["ada@example.com"]}}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventComplained, Timestamp: seconds}, Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "abuse",
			},
		},
		{
			name: "complaint of an unknown recipient",
			body: `{"type":"Feedback","id":"4b","recipient":"fbl@example.org","timestamp":1790000000,"feedback_report":{"feedback_type":"abuse"}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventComplained, Timestamp: seconds}, RejectReason: anymail.RejectSpam, Description: "abuse",
			},
		},
		{
			name: "record about a hook",
			body: `{"type":"Bounce","id":"5b","recipient":"webhook@example.org","queue":"webhook.log_hook","timestamp":1790000000,"reception_protocol":"LogRecord"}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown, Timestamp: seconds}, MessageID: "5b", Recipient: "webhook@example.org"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = kumomta.ESP
			events := parse(t, tt.body)
			require.Len(t, events, 1)
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

// A batch is made anew of the records, with their members in any order.
func TestKeys(t *testing.T) {
	const attempts = `{"type":"TransientFailure","id":"1d","nodeid":"n","recipient":"ada@example.com","timestamp":1790000000,"num_attempts":0}
{"timestamp":1790000000,"num_attempts":0,"nodeid":"n","recipient":"ada@example.com","id":"1d","type":"TransientFailure"}
{"type":"TransientFailure","id":"1d","nodeid":"n","recipient":"ada@example.com","timestamp":1790000000,"num_attempts":1}
{"type":"TransientFailure","id":"1d","nodeid":"n","recipient":"grace@example.com","timestamp":1790000000,"num_attempts":0}
{"type":"Bounce","id":"1d","nodeid":"n","recipient":"ada@example.com","timestamp":1790000000,"num_attempts":0}`
	keys := map[string]bool{}
	events := parse(t, attempts)
	for _, ev := range events {
		keys[ev.Base().Key] = true
	}
	require.Len(t, events, 5)
	require.Len(t, keys, 4)
	require.Equal(t, events[0].Base().Key, events[1].Base().Key)
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, kumomtasim.New(), func(sample string) string {
		kind, classification, _ := strings.Cut(sample, ", ")
		switch kind {
		case "Teleport":
			return "anything else"
		case "Bounce 5.1.1", "Bounce 4xx", "Delivery to two":
			kind, _, _ = strings.Cut(kind, " ")
			return kind
		case "Bounce":
			if classification == "house rule 7" {
				return "any other"
			}
			return cmp.Or(classification, kind)
		}
		return sample
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, kumomtasim.New(), "tracking") }
