package smtp2go_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/smtp2go"
	"github.com/goanymail/anymail/esp/smtp2go/smtp2gosim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, smtp2gosim.New()) }

func request(contentType, body string) simulator.Request {
	r := simulator.JSON("tracking", []byte(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func parse(t testing.TB, contentType, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, smtp2go.New, smtp2go.Config{}), request(contentType, body))
}

const form = "application/x-www-form-urlencoded"

var at = time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)

func TestTracking(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		body        string
		want        anymail.TrackingEvent
	}{
		{
			name: "bounce, with a header field that the user chose", contentType: "application/json",
			body: `{"event":"bounce","time":"2026-09-21T14:13:20Z","sendtime":"2026-09-21T14:13:15.052765+00:00","rcpt":"ada@example.com","host":"mx.example.com",
				"message":"550 5.1.1 unknown","context":"RCPT TO:<ada@example.com>","email_id":"m1","id":"e1","Message-Id":"<m1@example.org>","bounce":"hard","X-Order":"42"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "e1", Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "550 5.1.1 unknown", MTAResponse: "550 5.1.1 unknown",
				Metadata: anymail.Metadata{"X-Order": "42"}, Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "bounce of neither kind, with the answer elsewhere", contentType: form,
			body: `event=bounce&time=2026-09-21+14%3A13%3A20&rcpt=ada%40example.com&message=Unavailable&context=DATA%3A+451+later&email_id=m1`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Description: "DATA: 451 later", MTAResponse: "DATA: 451 later",
				Bounce: anymail.Bounce{Category: anymail.BounceUndetermined},
			},
		},
		{
			name: "open in a form", contentType: form + "; charset=utf-8",
			body: `event=open&time=2026-09-21T14%3A13%3A20Z&rcpt=ada%40example.com&email_id=m1&user-agent=Mozilla%2F5.0&read-secs=5&srchost=192.0.2.7&geoip-country=NZ&message=Unavailable`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.7"), Geo: anymail.Geo{Country: "NZ"},
			},
		},
		{
			name: "click by the names of an SDK", contentType: "application/json",
			body: `{"event":"clicked","time":"2026-09-21T14:13:20Z","rcpt":"ada@example.com","email_id":"m1","click_url":"https://example.com/a"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", ClickURL: "https://example.com/a",
			},
		},
		{
			name: "text message", contentType: "application/json",
			body: `{"event":"sms_failed","id":"e2","message_id":"s1","destination_number":"15550100"}`,
			want: anymail.TrackingEvent{Common: anymail.Common{ID: "e2"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, tt.contentType, tt.body)
			require.Len(t, events, 1)
			tt.want.ESP = smtp2go.ESP
			anymailtest.Equal(t, &tt.want, events[0])
			require.Equal(t, tt.body, string(events[0].Base().Raw))
		})
	}
}

// An email is processed once for all recipients.
func TestRecipients(t *testing.T) {
	for contentType, bodies := range map[string][]string{
		"application/json": {
			`{"event":"processed","email_id":"m1","recipients":["ada@example.com","bob@example.com","ada@example.com"]}`,
			`{"event":"processed","email_id":"m1","recipients":"ada@example.com, bob@example.com"}`,
		},
		form: {"event=processed&email_id=m1&recipients=ada%40example.com&recipients=bob%40example.com", "event=processed&email_id=m1&recipients=ada%40example.com%3Bbob%40example.com"},
	} {
		for _, body := range bodies {
			var recipients []string
			keys := map[string]bool{}
			for _, ev := range parse(t, contentType, body) {
				recipients = append(recipients, ev.(*anymail.TrackingEvent).Recipient)
				keys[ev.Base().Key] = true
			}
			require.Equal(t, []string{"ada@example.com", "bob@example.com"}, recipients, body)
			require.Len(t, keys, 2)
		}
	}
}

// Only an earlier event of the recipient is a reason not to mail it again.
func TestRejectReasons(t *testing.T) {
	for message, want := range map[string]anymail.RejectReason{
		"recipient has hard-bounced":   anymail.RejectBounced,
		"spam complaint":               anymail.RejectSpam,
		"recipient unsubscribed":       anymail.RejectUnsubscribed,
		"on the suppression list":      anymail.RejectBlocked,
		"":                             anymail.RejectBlocked,
		"Sender not verified":          anymail.RejectOther,
		"invalid sender address":       anymail.RejectOther,
		"the API key is in a sandbox":  anymail.RejectOther,
		"domain is not verified: spam": anymail.RejectOther,
	} {
		ev := parse(t, "application/json", `{"event":"reject","message":"`+message+`"}`)[0].(*anymail.TrackingEvent)
		require.Equal(t, want, ev.RejectReason, message)
	}
}

// The id of a redelivery may be another, and the id of another event the same.
func TestKeys(t *testing.T) {
	key := func(id, time, url string) string {
		return parse(t, "application/json", `{"event":"click","id":"`+id+`","time":"2026-09-21T`+time+`Z","email_id":"m1","rcpt":"ada@example.com","url":"`+url+`"}`)[0].Base().Key
	}
	first := key("e1", "14:13:20", "https://example.com/a")
	require.Equal(t, first, key("e2", "14:13:20", "https://example.com/a"))
	require.NotEqual(t, first, key("e1", "14:13:21", "https://example.com/a"))
	require.NotEqual(t, first, key("e1", "14:13:20", "https://example.com/b"))
}

func TestMalformed(t *testing.T) {
	adapter := esptest.New(t, smtp2go.New, smtp2go.Config{})
	for body, contentType := range map[string]string{"": form, "event=%zz": form, `{"event"`: "application/json", `[]`: "application/json"} {
		_, err := simulator.Parse(adapter, request(contentType, body))
		require.ErrorIs(t, err, anymail.ErrMalformed, body)
	}
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, smtp2gosim.New(), func(sample string) string {
		event, rest, _ := strings.Cut(sample, "-")
		switch {
		case event == "teleport" || event == "sms_delivered":
			return "anything else"
		case event == "bounce":
			kind, _, _ := strings.Cut(rest, "-")
			return "bounce, " + kind
		case rest == "sender":
			return "reject, for the sender"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, smtp2gosim.New(), "tracking") }
