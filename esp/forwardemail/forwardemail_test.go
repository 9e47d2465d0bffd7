package forwardemail_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/forwardemail"
	"github.com/goanymail/anymail/esp/forwardemail/forwardemailsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, forwardemailsim.New()) }

func parse(t testing.TB, endpoint, body string) anymail.Event {
	t.Helper()
	events := anymailtest.Parse(t, esptest.New(t, forwardemail.New, forwardemail.Config{}), simulator.JSON(endpoint, []byte(body)))
	require.Len(t, events, 1)
	return events[0]
}

var at = time.Date(2026, 9, 21, 14, 13, 20, 828e6, time.UTC)

func TestTracking(t *testing.T) {
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "mailbox full",
			body: `{"email_id":"66f0c0ffee0000000000abcd","recipient":"ada@example.com","message":"mailbox over quota","response":"552 5.2.2 over quota",
				"response_code":552,"truth_source":"example.com","bounce":{"action":"reject","message":"Mailbox is full","category":"capacity","code":552,
				"status":"5.2.2","line":300},"headers":{"Message-ID":"<m1@example.org>","X-Order":"42"},"bounced_at":"2026-09-21T14:13:20.828Z"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "66f0c0ffee0000000000abcd", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Description: "Mailbox is full",
				MTAResponse: "552 5.2.2 over quota", Metadata: anymail.Metadata{"X-Order": "42"},
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"},
			},
		},
		{
			name: "no action, refused for good, the code in a field of its own",
			body: `{"recipient":"ada@example.com","message":"refused","response":"no","response_code":"550","bounce":{"status":false},"headers":{"message-id":"<m1@example.org>"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced},
				MessageID: "m1@example.org", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced, Description: "refused", MTAResponse: "no",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550},
			},
		},
		{
			name: "no action, refused for now",
			body: `{"recipient":"ada@example.com","response_code":421,"bounce":{"category":"block"}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventDeferred}, Recipient: "ada@example.com",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 421},
			},
		},
		{
			name: "rejected without a code",
			body: `{"recipient":"ada@example.com","bounce":{"action":"reject","category":"dns"}}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{Type: anymail.EventBounced}, Recipient: "ada@example.com", RejectReason: anymail.RejectBounced,
				Bounce: anymail.Bounce{Category: anymail.BounceUndetermined},
			},
		},
		{
			name: "nothing that says what happened",
			body: `{"recipient":"ada@example.com"}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown}, Recipient: "ada@example.com"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = forwardemail.ESP
			anymailtest.Equal(t, &tt.want, parse(t, "tracking", tt.body))
		})
	}
}

const around = `"recipients":["help@in.example.org","desk@in.example.org"],"session":{"recipient":"x@in.example.org","sender":"bounce@example.com","arrivalDate":"2026-09-21T14:13:20.828Z"},
	"spf":{"status":{"result":"fail"}},"dkim":{"results":[{"status":{"result":"fail"}},{"status":{"result":"pass"}}]},"dmarc":{"status":{"result":"none"}}}`

func TestInbound(t *testing.T) {
	const raw = "From: Ada <ada@example.com>\r\nSubject: Re: Hi\r\n\r\nYes"
	tests := []struct {
		name string
		body string
		want anymail.InboundMessage
	}{
		{
			name: "as received",
			body: `{"raw":"From: Ada <ada@example.com>\r\nSubject: Re: Hi\r\n\r\nYes","text":"ignored",` + around,
			want: anymail.InboundMessage{Text: "Yes", RawMIME: anymail.Raw(raw)},
		},
		{
			name: "in parts",
			body: `{"headers":"From: Ada <ada@example.com>\r\nSubject: Re: Hi\r\n","text":"Yes","html":false,"attachments":[{"filename":false,
				"contentType":"text/plain","contentDisposition":"attachment","cid":null,"content":{"type":"Buffer","data":[104, 105]}}],` + around,
			want: anymail.InboundMessage{
				Text: "Yes", Attachments: []anymail.Attachment{{ContentType: "text/plain", Disposition: "attachment", Size: 2, Content: []byte("hi")}},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &tt.want
			m.EnvelopeSender, m.EnvelopeRecipient = "bounce@example.com", "help@in.example.org"
			m.EnvelopeRecipients = []string{"help@in.example.org", "desk@in.example.org"}
			m.From, m.Subject = []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, "Re: Hi"
			m.Headers = anymail.Headers{{Name: "From", Value: "Ada <ada@example.com>"}, {Name: "Subject", Value: "Re: Hi"}}
			m.Authentication = anymail.Authentication{SPF: "fail", DKIM: "pass", DMARC: "none"}
			anymailtest.Equal(t, &anymail.InboundEvent{
				Common: anymail.Common{ESP: forwardemail.ESP, Type: anymail.EventInbound, Timestamp: at, Raw: anymail.Raw(tt.body)}, Message: *m,
			}, parse(t, "inbound", tt.body))
		})
	}
}

// A JSON string cannot hold what was Latin-1 in the source. The texts can.
func TestInboundNotUTF8(t *testing.T) {
	m := parse(t, "inbound", `{"raw":"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\ufffd\ufffde","text":"Grüße","html":false}`).(*anymail.InboundEvent).Message
	require.Equal(t, "Grüße", m.Text)
}

func TestInboundFailed(t *testing.T) {
	for _, attachments := range []string{`7`, `[{"content":{"data":[256]}}]`, `[{"content":{"data":["hi"]}}]`} {
		ev, ok := parse(t, "inbound", `{"subject":"Hi","session":{"sender":"ada@example.com"},"attachments":`+attachments+`}`).(*anymail.InboundEvent)
		require.True(t, ok)
		require.Equal(t, anymail.EventInboundFailed, ev.Type, attachments)
		require.Equal(t, "Hi", ev.Message.Subject)
		require.Equal(t, "ada@example.com", ev.Message.EnvelopeSender)
	}
}

// Made with: printf '%s' "$BODY" | openssl dgst -sha256 -hmac fe-demo-key
func TestSignature(t *testing.T) {
	const signature = "e284b10b2d56d75dd799357f71366ae7a80c1ab5a112642250909071f0ebdbb8"
	tests := []struct {
		name, body, key string
		ok              bool
	}{
		{name: "signed", body: `{"email_id":"66f0","recipient":"ada@example.com"}`, key: "fe-demo-key", ok: true},
		{name: "another body", body: `{"email_id":"66f0","recipient":"eve@example.com"}`, key: "fe-demo-key"},
		{name: "another key", body: `{"email_id":"66f0","recipient":"ada@example.com"}`, key: "fe-demo-key-2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, ep := range esptest.New(t, forwardemail.New, forwardemail.Config{SigningKeys: anymail.Keys(tt.key)}).Endpoints() {
				_, err := ep.Verifier.Verify(t.Context(), &anymail.Payload{Header: http.Header{"X-Webhook-Signature": {signature}}, Body: []byte(tt.body)})
				require.Equal(t, tt.ok, err == nil, ep.Path)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, forwardemail.New, map[string]forwardemail.Config{
		"empty": {SigningKeys: anymail.Keys("")}, "line end": {SigningKeys: anymail.Keys("key\n")},
	})
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, forwardemailsim.New(), func(sample string) string {
		if sample == "teleport, other" {
			return "anything else"
		}
		return sample
	})
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, forwardemailsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, forwardemailsim.New(), "inbound") }
