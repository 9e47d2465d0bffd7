package socketlabs_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/socketlabs"
	"github.com/goanymail/anymail/esp/socketlabs/socketlabssim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, socketlabssim.New()) }

func parse(t testing.TB, endpoint, body string) anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, socketlabs.New, socketlabs.Config{}), simulator.JSON(endpoint, []byte(body)))[0]
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 123456700, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "bounce",
			body: `{"Type":"Failed","DateTime":"2026-09-21T14:13:20.1234567Z","MessageId":"m1","Address":"ada@example.com","SecretKey":"k","Data":{"Meta":[{"Key":"order","Value":"42"}],"Tags":["welcome"]},
				"DiagnosticCode":"smtp;550 5.1.1 gone","BounceStatus":"5.1.1","FailureCode":2999,"FailureType":1,"Reason":"The address was rejected"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "The address was rejected", MTAResponse: "smtp;550 5.1.1 gone",
				Tags: []string{"welcome"}, Metadata: anymail.Metadata{"order": "42"}, Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "a complaint's agent is not the reader's",
			body: `{"Type":"Complaint","DateTime":"2026-09-21T14:13:20.1234567","Address":"ada@example.com","Data":null,"FblType":"abuse","UserAgent":"loop/1.0"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "abuse",
			},
		},
		{
			name: "failure of no type",
			body: `{"Type":"Failed","DateTime":"2026-09-21T14:13:20.1234567Z","Address":"ada@example.com","FailureCode":"9999"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceUndetermined},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = socketlabs.ESP
			got := parse(t, "tracking", tt.body)
			anymailtest.Equal(t, &tt.want, got)
			require.Equal(t, got.Base().Key, parse(t, "inbound", strings.Replace(tt.body, `"k"`, `"another key"`, 1)).Base().Key)
		})
	}
}

func TestFailureCodes(t *testing.T) {
	// https://github.com/socketlabs/SocketLabs.EventWebhooks.Extensions, FailureCodes.cs
	for _, tt := range []struct {
		code     int
		kind     string
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}{
		{1002, "Permanent", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{1003, "Permanent", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{1004, "Permanent", anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock},
		{1006, "Temporary", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{1007, "Permanent", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{1011, "Temporary", anymail.EventAutoresponded, "", ""},
		{1999, "Permanent", anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
		{2001, "Permanent", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{2002, "Permanent", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{2003, "Permanent", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{2004, "Permanent", anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{2999, "Permanent", anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		{3001, "Temporary", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{3002, "Temporary", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{3002, "Permanent", anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		{3003, "Temporary", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		{3999, "Temporary", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{4001, "Temporary", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		{4002, "Temporary", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		{4003, "Temporary", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		{4004, "Temporary", anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		{4006, "Permanent", anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{4999, "Temporary", anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{5001, "Temporary", anymail.EventAutoresponded, "", ""},
		{5999, "Temporary", anymail.EventAutoresponded, "", ""},
		{9999, "Permanent", anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
	} {
		ev := parse(t, "tracking", fmt.Sprintf(`{"Type":"Failed","FailureType":%q,"FailureCode":%d}`, tt.kind, tt.code)).(*anymail.TrackingEvent)
		require.Equal(t, tt.typ, ev.Type, tt.code)
		require.Equal(t, tt.reason, ev.RejectReason, tt.code)
		require.Equal(t, tt.category, ev.Bounce.Category, tt.code)
		espdoc.Row(t, socketlabs.ESP, fmt.Sprint(tt.code), ev)
	}
}

func TestSecretKey(t *testing.T) {
	adapter := esptest.New(t, socketlabs.New, socketlabs.Config{TrackingSecretKeys: anymail.Keys("next", "current"), InboundSecretKeys: anymail.Keys("other")})
	for body, ok := range map[string]bool{
		`{"Type":"Queued","SecretKey":"current"}`:        true,
		`{"SecretKey":"next"}`:                           true,
		`[{"SecretKey":"next"},{"SecretKey":"current"}]`: true,
		`[{"SecretKey":"next"},{"SecretKey":"other"}]`:   false,
		`[{"SecretKey":"next"},{}]`:                      false,
		`{"SecretKey":"other"}`:                          false,
		`{"SecretKey":"Current"}`:                        false,
		`{"SecretKey":["current"]}`:                      false,
		`{"Data":{"SecretKey":"current"}}`:               false,
		`{"SecretKey":""}`:                               false,
		`{"SecretKey":null}`:                             false,
		`{}`:                                             false,
		`[]`:                                             false,
		`"current"`:                                      false,
		``:                                               false,
		`{"SecretKey":"current"`:                         false,
		`{"SecretKey":"current"}{"SecretKey":"current","Type":"something else"}`: false,
	} {
		proof, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Body: []byte(body)})
		if !ok {
			require.ErrorIs(t, err, anymail.ErrUnauthenticated, body)
			require.Zero(t, proof, body)
			continue
		}
		require.NoError(t, err, body)
		require.NotEmpty(t, proof.Fingerprint)
		_, err = adapter.Endpoints()[1].Verifier.Verify(t.Context(), &anymail.Payload{Body: []byte(body)})
		require.ErrorIs(t, err, anymail.ErrUnauthenticated, "the inbound endpoint has another key")
	}
}

func TestValidation(t *testing.T) {
	server := anymailtest.NewServer(t, socketlabssim.New())
	for body, want := range map[string]string{
		`{"Type":"Validation","ServerId":1000}`:                                  server.Credential.Config,
		`{"Type":"Validation","ValidationKey":"a\"b","DateTime":"2026-09-21"}`:   `{"ValidationKey":"a\"b"}`,
		`{"Type":"Validation","ValidationKey":"v2","Message":{"Subject":"odd"}}`: `{"ValidationKey":"v2"}`,
	} {
		for _, endpoint := range []string{"tracking", "inbound"} {
			status, answer := server.Post(t, server.Sign(t, simulator.JSON(endpoint, []byte(body))))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, want, answer)
			require.Empty(t, server.Take())
		}
	}
	status, answer := server.Post(t, server.Address(t, simulator.JSON("tracking", []byte(`{"Type":"Validation","SecretKey":"a guess"}`))))
	require.Equal(t, http.StatusBadRequest, status)
	require.NotContains(t, answer, "guess")
}

func TestInbound(t *testing.T) {
	const body = `{"ServerId":1000,"SecretKey":"k","InboundMailFrom":"bounce@example.com","InboundRcptTo":"help@in.example.org","SpamScore":"2.5","Message":{
		"From":{"EmailAddress":"ada@example.com","FriendlyName":"Ada"},"To":[{"EmailAddress":"help@in.example.org","FriendlyName":null},null],"CC":null,
		"BCC":[{"EmailAddress":"bob@example.net"}],"ReplyTo":{"EmailAddress":"reply@example.com","FriendlyName":""},"Subject":"Re: Hi","TextBody":"Yes","HtmlBody":null,"MessageId":"x1@example.com",
		"CustomHeaders":[{"Name":"Date","Value":"Mon, 21 Sep 2026 16:13:18 +0200"},{"Name":"In-Reply-To","Value":"<m1@example.org>"}],
		"Attachments":[{"Name":"a.txt","Content":"aGk=","ContentType":"text/plain","ContentId":"c0"}],"EmbeddedMedia":[{"Name":"b.png","Content":"aGk=","ContentType":"image/png","ContentId":"<c1>"}]}}`
	score := 2.5
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: socketlabs.ESP, Type: anymail.EventInbound, Raw: anymail.Raw(body)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "help@in.example.org", EnvelopeRecipients: []string{"help@in.example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@in.example.org"}},
			BCC: []anymail.Address{{Address: "bob@example.net"}}, ReplyTo: []anymail.Address{{Address: "reply@example.com"}},
			Subject: "Re: Hi", Date: time.Date(2026, 9, 21, 14, 13, 18, 0, time.UTC), MessageID: "x1@example.com", InReplyTo: "m1@example.org",
			Headers: anymail.Headers{{Name: "Date", Value: "Mon, 21 Sep 2026 16:13:18 +0200"}, {Name: "In-Reply-To", Value: "<m1@example.org>"}},
			Text:    "Yes", SpamScore: &score,
			Attachments: []anymail.Attachment{
				{Filename: "b.png", ContentType: "image/png", Disposition: "inline", ContentID: "c1", Size: 2, Content: []byte("hi")},
				{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", ContentID: "c0", Size: 2, Content: []byte("hi")},
			},
		},
	}, parse(t, "inbound", body))
}

func TestInboundFailed(t *testing.T) {
	for body, subject := range map[string]string{
		`{"Message":{"Subject":"Hi","To":7}}`: "Hi",
		`{"Message":{}}`:                      "",
		`{"Message":null}`:                    "",
	} {
		ev := parse(t, "tracking", body).(*anymail.InboundEvent)
		require.Equal(t, anymail.EventInboundFailed, ev.Type, body)
		require.Equal(t, subject, ev.Message.Subject)
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, socketlabs.New, map[string]socketlabs.Config{
		"empty": {TrackingSecretKeys: anymail.Keys("")}, "line end": {InboundSecretKeys: anymail.Keys("key\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, socketlabssim.New(), func(sample string) string {
		typ, rest, _ := strings.Cut(sample, "-")
		switch {
		case typ == "Teleported":
			return "anything else"
		case rest == "0":
			return "Tracking, Click"
		case typ == "Tracking":
			return "Tracking, " + rest
		case strings.HasPrefix(rest, "suppressed"):
			return "Failed, Suppressed"
		case typ == "Failed":
			return rest
		}
		return typ
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, socketlabssim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, socketlabssim.New(), "inbound") }

func FuzzSecretKey(f *testing.F) {
	f.Add(`{"SecretKey":"a guess"}`)
	f.Add(`[{"SecretKey":"a guess"},{}]`)
	adapter := esptest.New(f, socketlabs.New, socketlabs.Config{TrackingSecretKeys: anymail.Keys("9vGh3kW0xq7LbT2m")})
	f.Fuzz(func(t *testing.T, body string) {
		_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Body: []byte(body)})
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}
