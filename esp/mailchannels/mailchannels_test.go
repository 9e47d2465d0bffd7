package mailchannels_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailchannels"
	"github.com/goanymail/anymail/esp/mailchannels/mailchannelssim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailchannelssim.New()) }

func TestPage(t *testing.T) {
	espdoc.Samples(t, mailchannelssim.New(), func(sample string) string {
		name, _, _ := strings.Cut(sample, ",")
		return name
	})
}

func parse(t *testing.T, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailchannels.New, mailchannels.Config{}), simulator.JSON("tracking", []byte(body)))
}

// "email" is the sender, and each recipient has an event.
func TestTracking(t *testing.T) {
	at := time.Unix(1790000000, 0).UTC()
	events := parse(t, `[{"email":"news@example.org","customer_handle":"acct1","timestamp":1790000000,"event":"hard-bounced","request_id":"r-1",
		"smtp_id":"<m1@example.org>","campaign_id":"welcome","recipients":["ada@example.com","bob@example.com"],"status":"550","reason":"5.1.1 no such user"},
		{"email":"news@example.org","timestamp":1790000000,"event":"click","smtp_id":"<m1@example.org>","recipients":["ada@example.com"],
		"url":"https://example.org/a","user_agent":"Mozilla/5.0","ip":"192.0.2.7"},{"event":"test","email":"test@mailchannels.com"}]`)
	require.Len(t, events, 4)
	bounce := anymail.TrackingEvent{
		Common:    anymail.Common{ESP: mailchannels.ESP, Type: anymail.EventBounced, Timestamp: at},
		MessageID: "m1@example.org", Recipient: "ada@example.com", Tags: []string{"welcome"}, RejectReason: anymail.RejectInvalid,
		Description: "5.1.1 no such user", MTAResponse: "550 5.1.1 no such user",
		Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
	}
	anymailtest.Equal(t, &bounce, events[0])
	bounce.Recipient = "bob@example.com"
	anymailtest.Equal(t, &bounce, events[1])
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: mailchannels.ESP, Type: anymail.EventClicked, Timestamp: at},
		MessageID: "m1@example.org", Recipient: "ada@example.com",
		ClickURL: "https://example.org/a", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.7"),
	}, events[2])
	require.Equal(t, anymail.EventUnknown, events[3].Base().Type)
	require.NotEqual(t, events[0].Base().Key, events[1].Base().Key)
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, mailchannels.New, map[string]mailchannels.Config{
		"not a key": {SigningKeys: anymail.Keys("mckey")},
		"empty":     {SigningKeys: anymail.Keys("")},
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailchannelssim.New(), "tracking") }
