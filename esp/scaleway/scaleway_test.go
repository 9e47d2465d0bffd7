package scaleway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/scaleway"
	"github.com/goanymail/anymail/esp/scaleway/scalewaysim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

const topic = "arn:scw:sns:fr-par:project-1:mail"

func TestConformance(t *testing.T) { conformance.Run(t, scalewaysim.New()) }

func TestPage(t *testing.T) {
	espdoc.Samples(t, scalewaysim.New(), func(sample string) string {
		name, _, _ := strings.Cut(sample, "-")
		return name
	})
}

// parse gives the Message of a notification to the parser.
func parse(t *testing.T, message string) *anymail.TrackingEvent {
	t.Helper()
	body := simulator.MustJSON(map[string]string{
		"Type": "Notification", "MessageId": "n1", "TopicArn": topic, "Message": message, "Timestamp": "2026-09-21T14:13:21.000Z",
		"SignatureVersion": "1", "Signature": "c2ln", "SigningCertURL": "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/c.crt",
	})
	events := anymailtest.Parse(t, esptest.New(t, scaleway.New, scaleway.Config{}), simulator.JSON("tracking", body))
	require.Len(t, events, 1)
	return events[0].(*anymail.TrackingEvent)
}

func TestTracking(t *testing.T) {
	got := parse(t, `{"id":"e1","type":"email_mailbox_not_found","created_at":"2026-09-21T14:13:20Z","email_id":"m1","email_from":"news@example.org",
		"email_to":"ada@example.com","email_headers":[{"key":"X-Order","value":"42"}],"email_response_code":550,"email_response_message":"5.1.1 no such user"}`)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: scaleway.ESP, Type: anymail.EventBounced, ID: "e1", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
		MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Metadata: anymail.Metadata{"X-Order": "42"},
		Description: "5.1.1 no such user", MTAResponse: "5.1.1 no such user",
		Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
	}, got)
}

// A topic may carry what is not an event of Transactional Email.
func TestOtherMessages(t *testing.T) {
	for _, message := range []string{`hello`, `{"type":"email_teleported"}`, `{"hello":"world"}`, `7`} {
		got := parse(t, message)
		require.Equal(t, anymail.EventUnknown, got.Type, message)
		require.Equal(t, "n1", got.ID, message)
		require.Equal(t, time.Date(2026, 9, 21, 14, 13, 21, 0, time.UTC), got.Timestamp, message)
	}
}

func TestConfig(t *testing.T) {
	root := scalewaysim.New().NewCredential().Config
	esptest.Misconfigured(t, scaleway.New, map[string]scaleway.Config{
		"topic without roots": {TopicARNs: []string{topic}},
		"Amazon's topic":      {TopicARNs: []string{"arn:aws:sns:eu-west-1:123456789012:mail"}, Roots: []string{root}},
		"host in the region":  {TopicARNs: []string{"arn:scw:sns:a.example/:p:mail"}, Roots: []string{root}},
		"not PEM":             {Roots: []string{"root"}},
	})
}

// Scaleway's own conditions on what a message refers to.
func TestService(t *testing.T) {
	s, ok := scaleway.Service("arn:scw:sns:nl-ams:project-1:mail")
	require.True(t, ok)
	require.Equal(t, "https://messaging.s3.nl-ams.scw.cloud/", s.CertificatePrefix)
	require.Equal(t, "sns.mnq.nl-ams.scaleway.com", s.APIHost)
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, scalewaysim.New(), "tracking") }
