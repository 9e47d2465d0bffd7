package mailpace_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailpace"
	"github.com/goanymail/anymail/esp/mailpace/mailpacesim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailpacesim.New()) }

func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailpace.New, mailpace.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 445e6, time.UTC)
	tests := []struct {
		name string
		body string
		want []anymail.TrackingEvent
	}{
		{
			name: "bounce",
			body: `{"event":"email.bounced","payload":{"status":"bounced","id":17,"domain_id":3,"created_at":"2026-09-21T14:13:18.000Z",
				"updated_at":"2026-09-21T14:13:20.445Z","from":"news@example.org","to":"ada@example.com","htmlbody":null,"textbody":"Hi","cc":null,"bcc":null,
				"subject":"Hi","replyto":null,"message_id":"<m1@mailer.mailpace.com>","list_unsubscribe":null,"tags":["welcome","eu"]}}`,
			want: []anymail.TrackingEvent{{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "17", Recipient: "ada@example.com", Tags: []string{"welcome", "eu"},
				RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceHard},
			}},
		},
		{
			name: "several recipients, one of them twice",
			body: `{"event":"email.delivered","payload":{"id":18,"updated_at":"2026-09-21T14:13:20.445Z","to":"\"Lovelace, Ada\" <ada@example.com>, bob@example.com,ada@example.com","tags":null}}`,
			want: []anymail.TrackingEvent{
				{Common: anymail.Common{Type: anymail.EventDelivered, Timestamp: at}, MessageID: "18", Recipient: "ada@example.com"},
				{Common: anymail.Common{Type: anymail.EventDelivered, Timestamp: at}, MessageID: "18", Recipient: "bob@example.com"},
			},
		},
		{
			name: "no recipient, and an event of a later version",
			body: `{"event":"email.teleported","payload":{"id":19,"created_at":"2026-09-21T14:13:20.445Z","to":null}}`,
			want: []anymail.TrackingEvent{{Common: anymail.Common{Type: anymail.EventUnknown, Timestamp: at}, MessageID: "19"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, "tracking", tt.body)
			require.Len(t, events, len(tt.want))
			for i, want := range tt.want {
				want.ESP = mailpace.ESP
				anymailtest.Equal(t, &want, events[i])
			}
		})
	}
}

func TestKeys(t *testing.T) {
	key := func(body string) string { return parse(t, "tracking", body)[0].Base().Key }
	const first = `{"event":"email.deferred","payload":{"id":1,"updated_at":"2026-09-21T14:13:20.445Z","to":"ada@example.com"}}`
	require.Equal(t, key(first), key(strings.Replace(first, `"id"`, `"textbody":"Hi","id"`, 1)))
	for _, change := range [][2]string{
		{`"id":1`, `"id":2`}, {"20.445Z", "20.446Z"}, {"deferred", "bounced"}, {"ada@", "bob@"},
	} {
		require.NotEqual(t, key(first), key(strings.Replace(first, change[0], change[1], 1)), change[1])
	}
}

func TestInbound(t *testing.T) {
	const parsed = `{"from":"Ada <ada@example.com>","to":"help@in.example.org, desk@in.example.org","cc":"carl@example.com","replyTo":"reply@example.com","subject":"Re: Hi",
		"messageId":"<x1@example.com>","inReplyTo":"<m1@mailer.mailpace.com>","headers":["From: Ada <ada@example.com>","Date: Mon, 21 Sep 2026 16:13:18 +0200"],
		"text":"Yes","html":"<p>Yes</p>","attachments":[{"content":"aGk=","type":"attachment","contentType":"text/plain","contentDisposition":"inline",
		"filename":"a.txt","contentId":"<c1@example.com>","cid":"c1@example.com","size":2}]}`
	want := anymail.InboundMessage{
		From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
		To:   []anymail.Address{{Address: "help@in.example.org"}, {Address: "desk@in.example.org"}},
		CC:   []anymail.Address{{Address: "carl@example.com"}}, ReplyTo: []anymail.Address{{Address: "reply@example.com"}},
		Subject: "Re: Hi", MessageID: "x1@example.com", InReplyTo: "m1@mailer.mailpace.com", Date: time.Date(2026, 9, 21, 14, 13, 18, 0, time.UTC),
		Text: "Yes", HTML: "<p>Yes</p>",
		Headers: anymail.Headers{{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "Date", Value: "Mon, 21 Sep 2026 16:13:18 +0200"}},
		Attachments: []anymail.Attachment{
			{Filename: "a.txt", ContentType: "text/plain", Disposition: "inline", ContentID: "c1@example.com", Size: 2, Content: []byte("hi")},
		},
	}
	for _, endpoint := range []string{"inbound", "tracking"} {
		anymailtest.Equal(t, &anymail.InboundEvent{
			Common: anymail.Common{ESP: mailpace.ESP, Type: anymail.EventInbound, Raw: anymail.Raw(parsed)}, Message: want,
		}, parse(t, endpoint, parsed)[0])
	}

	whole := parse(t, "inbound", `{"from":"x@example.com","messageId":"<x1@example.com>","subject":"not this","raw":"From: Ada <ada@example.com>\r\nSubject: Re: Hi\r\n\r\nYes"}`)[0].(*anymail.InboundEvent)
	require.Equal(t, "Re: Hi", whole.Message.Subject)
	require.Equal(t, "Yes", whole.Message.Text)

	// Latin-1 that became U+FFFD in JSON.
	broken := parse(t, "inbound", `{"text":"Grüße","raw":"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\ufffd\ufffde"}`)[0].(*anymail.InboundEvent)
	require.Equal(t, "Grüße", broken.Message.Text)
}

func TestInboundFailed(t *testing.T) {
	for _, body := range []string{`{"messageId":7,"subject":"Hi"}`, `{"raw":""}`} {
		events := parse(t, "inbound", body)
		require.Len(t, events, 1)
		require.Equal(t, anymail.EventInboundFailed, events[0].Base().Type, body)
	}
}

// Made with the seed 0, 1, ..., 31 in another implementation of Ed25519.
const (
	vectorKey       = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
	vectorBody      = `{"event":"email.delivered","payload":{"id":1,"to":"ada@example.com"}}`
	vectorSignature = "Uwm1lqbAOpLv+Cfp9chc6wCBmPMc1IVA6C10X40KzvrjM6yfq1Ikbb5r8D/WM5MjQ/WMWwyz6lTDSWQqkVNhDA=="
)

func TestSignature(t *testing.T) {
	for i, key := range []mailpace.Config{{TrackingSigningKeys: anymail.Keys(vectorKey)}, {InboundSigningKeys: anymail.Keys(vectorKey)}} {
		verifier := esptest.New(t, mailpace.New, key).Endpoints()[i].Verifier
		for body, ok := range map[string]bool{vectorBody: true, vectorBody + " ": false} {
			_, err := verifier.Verify(t.Context(), &anymail.Payload{Header: http.Header{"X-Mailpace-Signature": {vectorSignature}}, Body: []byte(body)})
			require.Equal(t, ok, err == nil, body)
		}
	}
}

func TestConfig(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(t, err)
	esptest.Misconfigured(t, mailpace.New, map[string]mailpace.Config{
		"empty":         {TrackingSigningKeys: anymail.Keys("")},
		"not a key":     {InboundSigningKeys: anymail.Keys("secret")},
		"key for ECDSA": {TrackingSigningKeys: anymail.Keys(base64.StdEncoding.EncodeToString(der))},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, mailpacesim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "email.teleported" {
			return "anything else"
		}
		return event
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailpacesim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, mailpacesim.New(), "inbound") }
