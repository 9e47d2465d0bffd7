package cloudmailin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/cloudmailin"
	"github.com/goanymail/anymail/esp/cloudmailin/cloudmailinsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, cloudmailinsim.New()) }

func parse(t testing.TB, r simulator.Request) anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, cloudmailin.New, cloudmailin.Config{}), r)[0]
}

// Members that CloudMailin does not document are read if they are there.
func TestUndocumented(t *testing.T) {
	got := parse(t, simulator.JSON("tracking", []byte(`{"events":[{"kind":"bounce","recipient":"ada@example.com","message_id":"m1",
		"timestamp":"2026-09-21T16:13:20+02:00","details":"550 5.1.1 no such user"}]}`)))
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: cloudmailin.ESP, Type: anymail.EventBounced, Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)},
		MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid, Description: "550 5.1.1 no such user", MTAResponse: "550 5.1.1 no such user",
		Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
	}, got)
	got = parse(t, simulator.JSON("tracking", []byte(`{"events":[{"kind":"click","url":"https://example.com/a","details":{"a":1}}]}`)))
	require.Equal(t, "https://example.com/a", got.(*anymail.TrackingEvent).ClickURL)
}

func TestMalformed(t *testing.T) {
	adapter := esptest.New(t, cloudmailin.New, cloudmailin.Config{})
	for _, body := range []string{`{}`, `[]`, `{"events":[]}`, `{"events":7}`, `{"kind":"bounce"}`, `{"events":[{"kind":"bounce"}]`, `[{"events":[{}]},{}]`} {
		_, err := simulator.Parse(adapter, simulator.JSON("tracking", []byte(body)))
		require.ErrorIs(t, err, anymail.ErrMalformed, body)
	}
	_, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(`[]`)))
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

func TestInbound(t *testing.T) {
	const body = `{"headers":{"received":["by a","by b"],"date":"Mon, 21 Sep 2026 14:13:18 +0000","from":"Ada <ada@example.com>","to":"help@in.example.org, Bob <bob@example.net>",
		"message_id":"<x1@example.com>","in_reply_to":"<m1@example.org>","subject":"Re: Hi","x_custom_header":"1"},
		"envelope":{"to":"help@in.example.org","recipients":["help@in.example.org"],"from":"<>","remote_ip":"192.0.2.7","spf":{"result":"SoftFail","domain":"example.com"},"spamd":{"score":7}},
		"plain":"Yes\n> Hi","html":null,"reply_plain":"Yes","attachments":[{"content":"aGk=","file_name":"a.txt","content_type":"text/plain","size":2,"disposition":"inline","content_id":"<c1>"}]}`
	score := 7.0
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: cloudmailin.ESP, Type: anymail.EventInbound, Raw: anymail.Raw(body)},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "help@in.example.org", EnvelopeRecipients: []string{"help@in.example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@in.example.org"}, {Name: "Bob", Address: "bob@example.net"}},
			Subject: "Re: Hi", Date: time.Date(2026, 9, 21, 14, 13, 18, 0, time.UTC), MessageID: "x1@example.com", InReplyTo: "m1@example.org",
			Headers: anymail.Headers{
				{Name: "Received", Value: "by a"}, {Name: "Received", Value: "by b"}, {Name: "Date", Value: "Mon, 21 Sep 2026 14:13:18 +0000"},
				{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "To", Value: "help@in.example.org, Bob <bob@example.net>"}, {Name: "Message-Id", Value: "<x1@example.com>"},
				{Name: "In-Reply-To", Value: "<m1@example.org>"}, {Name: "Subject", Value: "Re: Hi"}, {Name: "X-Custom-Header", Value: "1"},
			},
			Text: "Yes\n> Hi", StrippedText: "Yes", SpamScore: &score, Authentication: anymail.Authentication{SPF: "softfail"},
			Attachments: []anymail.Attachment{{Filename: "a.txt", ContentType: "text/plain", Disposition: "inline", ContentID: "c1", Size: 2, Content: []byte("hi")}},
		},
	}, parse(t, simulator.JSON("inbound", []byte(body))))
}

// Stored attachments are repeated fields of a form.
func TestForm(t *testing.T) {
	got := parse(t, simulator.Multipart("inbound",
		simulator.Field{Name: "envelope[to]", Value: "help@in.example.org"}, simulator.Field{Name: "plain", Value: "Yes"},
		simulator.Field{Name: "headers[received][0]", Value: "by a"}, simulator.Field{Name: "headers[received][1]", Value: "by b"}, simulator.Field{Name: "headers[x_100%]", Value: "odd"},
		simulator.Field{Name: "headers[mime-version]", Value: "1.0"}, simulator.Field{Name: "headers[", Value: "x"}, simulator.Field{Name: "headers", Value: "x"},
		simulator.Field{Name: "attachments[][url]", Value: "https://store.example.org/1"}, simulator.Field{Name: "attachments[][file_name]", Value: "a.pdf"},
		simulator.Field{Name: "attachments[][content_type]", Value: "application/pdf"}, simulator.Field{Name: "attachments[][size]", Value: "7"},
		simulator.Field{Name: "attachments[][url]", Value: "https://store.example.org/2"}, simulator.Field{Name: "attachments[][file_name]", Value: "b.pdf"},
	)).(*anymail.InboundEvent)
	require.Equal(t, anymail.EventInbound, got.Type)
	require.Equal(t, anymail.Headers{{Name: "Mime-Version", Value: "1.0"}, {Name: "Received", Value: "by a"}, {Name: "Received", Value: "by b"}, {Name: "X-100%", Value: "odd"}}, got.Message.Headers)
	require.Len(t, got.Message.Attachments, 2)
	require.Equal(t, int64(7), got.Message.Attachments[0].Size)
	require.Equal(t, "b.pdf", got.Message.Attachments[1].Filename)
}

func TestInboundFailed(t *testing.T) {
	adapter := esptest.New(t, cloudmailin.New, cloudmailin.Config{})
	keys := map[string]bool{}
	for _, r := range []simulator.Request{
		simulator.JSON("inbound", []byte(`{}`)),
		simulator.JSON("inbound", []byte(`{"plain":7,"headers":{"subject":"Hi"}}`)),
		simulator.Multipart("inbound", simulator.Field{Name: "envelope[to]", Value: "help@in.example.org"}),
		simulator.Multipart("inbound", simulator.Field{Name: "message", Value: ""}),
	} {
		ev := anymailtest.Parse(t, adapter, r)[0]
		require.Equal(t, anymail.EventInboundFailed, ev.Base().Type, string(r.Body))
		keys[ev.Base().Key] = true
	}
	require.Len(t, keys, 4)
}

// A 4xx would bounce the message.
func TestStatus(t *testing.T) {
	server := anymailtest.NewServer(t, cloudmailinsim.New())
	sample, _ := server.Simulator.Sample("message")
	request := server.Prepare(t, sample, simulator.NewParams())
	request.Header.Del("Authorization")
	status, _ := server.Post(t, request)
	require.Equal(t, http.StatusServiceUnavailable, status)
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, cloudmailinsim.New(), func(sample string) string {
		if sample == "teleport" {
			return "anything else"
		}
		return sample
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, cloudmailinsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, cloudmailinsim.New(), "inbound") }
