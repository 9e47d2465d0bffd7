package mailchimp_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailchimp"
	"github.com/goanymail/anymail/esp/mailchimp/mailchimpsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailchimpsim.New()) }

func request(body string) simulator.Request {
	return simulator.Request{
		Endpoint: "tracking", Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(body),
	}
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "subscribed, known by the address of the sign-up",
			body: `type=subscribe&fired_at=2026-09-21+14%3A13%3A20&data[email]=ada%40example.com&data[ip_opt]=&data[ip_signup]=192.0.2.9&data[list_id]=l1`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventSubscribed, Timestamp: at},
				Recipient: "ada@example.com", IP: netip.MustParseAddr("192.0.2.9"), Metadata: anymail.Metadata{"list_id": "l1"},
			},
		},
		{
			name: "unsubscribed, with groups",
			body: `type=unsubscribe&fired_at=2026-09-21+14:13:20&data[email]=ada@example.com&data[action]=unsub&data[reason]=manual` +
				`&data[merges][FNAME]=Ada&data[merges][GROUPINGS][0][name]=Topics&data[merges][GROUPINGS][0][groups]=Math,+Poetry&data[campaign_id]=c1`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed, Description: "manual",
				Metadata: anymail.Metadata{
					"FNAME": "Ada", "campaign_id": "c1",
					"GROUPINGS": map[string]any{"0": map[string]any{"name": "Topics", "groups": "Math, Poetry"}},
				},
			},
		},
		{
			name: "unsubscribed without a reason",
			body: `type=unsubscribe&fired_at=&data[email]=ada@example.com`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed},
				Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
			},
		},
		{
			name: "complained, and deleted",
			body: `type=unsubscribe&fired_at=2026-09-21+14:13:20&data[email]=ada@example.com&data[action]=delete&data[reason]=abuse`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "abuse",
			},
		},
		{
			name: "a field that is a text and a group",
			body: `type=profile&data[email]=ada@example.com&data[merges][A]=x&data[merges][A][b]=y`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnknown},
				Recipient: "ada@example.com", Metadata: anymail.Metadata{"A": map[string]any{"b": "y"}},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = mailchimp.ESP
			adapter := esptest.New(t, mailchimp.New, mailchimp.Config{})
			anymailtest.Equal(t, &tt.want, anymailtest.Parse(t, adapter, request(tt.body))[0])
		})
	}
}

// Removing a contact from an audience says nothing about the recipient's wish.
func TestRemovedContactIsNotSuppressed(t *testing.T) {
	adapter := esptest.New(t, mailchimp.New, mailchimp.Config{})
	for _, action := range []string{"delete", "archive"} {
		events := anymailtest.Parse(t, adapter, request("type=unsubscribe&data[action]="+action+"&data[reason]=manual&data[email]=ada@example.com"))
		require.False(t, events[0].(*anymail.TrackingEvent).ShouldSuppress(), action)
	}
}

func TestFormWithoutType(t *testing.T) {
	_, err := simulator.Parse(esptest.New(t, mailchimp.New, mailchimp.Config{}), request("data[email]=ada@example.com"))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

// Mailchimp tries the URL before it saves a webhook.
func TestProbes(t *testing.T) {
	s := anymailtest.NewServer(t, mailchimpsim.New())
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		status, _ := s.Post(t, s.Address(t, simulator.Request{Endpoint: "tracking", Method: method}))
		require.Equal(t, http.StatusOK, status, method)
		require.Empty(t, s.Take())
	}
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, mailchimpsim.New(), func(sample string) string {
		if sample == "teleport" {
			return "anything else"
		}
		return strings.ReplaceAll(sample, "-", ", ")
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailchimpsim.New(), "tracking") }
