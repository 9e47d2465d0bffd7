package mailjet_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mailjet"
	"github.com/goanymail/anymail/esp/mailjet/mailjetsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mailjetsim.New()) }

// parse gives a body to an endpoint's parser.
func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mailjet.New, mailjet.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "sent means delivered; every digit of the id counts",
			body: `{"event":"sent","time":1790000000,"MessageID":1152921500000000001,"Message_GUID":"guid-1","email":"ada@example.com","mj_campaign_id":7257,
				"customcampaign":"welcome","mj_message_id":"1152921500000000001","smtp_reply":"sent (250 2.0.0 OK 1790000000 x1)","error":"","CustomID":"","Payload":"{\"order\":42,\"n\":9007199254740993}"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "1152921500000000001", Recipient: "ada@example.com", Tags: []string{"welcome"},
				MTAResponse: "sent (250 2.0.0 OK 1790000000 x1)",
				Metadata:    anymail.Metadata{"order": json.Number("42"), "n": json.Number("9007199254740993")},
			},
		},
		{
			name: "sent as grouped events once were, with a payload that is not JSON",
			body: `{"customcampaign":"","email":"ada@example.com","event":"sent","mj_message_id":"18858825588800001","time":"1790000000","Payload":"{'order': 42}"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "18858825588800001", Recipient: "ada@example.com", Metadata: anymail.Metadata{"Payload": "{'order': 42}"},
			},
		},
		{
			name: "open with a custom id",
			body: `{"event":"open","time":1790000000,"MessageID":1152921500000000001,"email":"ada@example.com","customcampaign":"","CustomID":"order-42","Payload":"","ip":"192.0.2.10","geo":"DE","agent":"Mozilla/5.0"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, Timestamp: at},
				MessageID: "1152921500000000001", Recipient: "ada@example.com", Metadata: anymail.Metadata{"CustomID": "order-42"},
				UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"), Geo: anymail.Geo{Country: "DE"},
			},
		},
		{
			name: "click with both, of which the payload wins",
			body: `{"event":"click","time":1790000000,"MessageID":0,"Message_GUID":"guid-2","email":"ada@example.com","CustomID":"order-42","Payload":"{\"CustomID\":\"mine\"}",
				"url":"https://example.org/a?b=c&d","ip":"2001:db8::1","geo":"","agent":""}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				MessageID: "guid-2", Recipient: "ada@example.com", Metadata: anymail.Metadata{"CustomID": "mine"},
				ClickURL: "https://example.org/a?b=c&d", IP: netip.MustParseAddr("2001:db8::1"),
			},
		},
		{
			name: "hard bounce with the server's answer",
			body: `{"event":"bounce","time":1790000000,"MessageID":2,"email":"nobody@example.com","blocked":false,"hard_bounce":true,"error_related_to":"recipient","error":"user unknown","comment":"550 5.1.1 no such user"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "2", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "recipient: user unknown", MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "bounce with a comment that is not an answer",
			body: `{"event":"bounce","time":1790000000,"MessageID":3,"email":"a@example.com","hard_bounce":false,"error_related_to":"system","error":"system issue","comment":"see https://example.org/help"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "3", Recipient: "a@example.com", RejectReason: anymail.RejectBounced,
				Description: "system: system issue; see https://example.org/help", Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "greylisted: Mailjet tries again",
			body: `{"event":"bounce","time":1790000000,"MessageID":4,"email":"bob@example.com","blocked":false,"hard_bounce":false,"error_related_to":"domain","error":"greylisted"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, Timestamp: at},
				MessageID: "4", Recipient: "bob@example.com", Description: "domain: greylisted", Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "greylisted for good",
			body: `{"event":"bounce","time":1790000000,"MessageID":5,"email":"bob@example.com","hard_bounce":true,"error_related_to":"domain","error":"greylisted"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "5", Recipient: "bob@example.com", RejectReason: anymail.RejectBounced,
				Description: "domain: greylisted", Bounce: anymail.Bounce{Category: anymail.BounceHard},
			},
		},
		{
			name: "blocked",
			body: `{"event":"blocked","time":1790000000,"MessageID":6,"email":"old@example.com","error_related_to":"mailjet","error":"preblocked"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, Timestamp: at},
				MessageID: "6", Recipient: "old@example.com", RejectReason: anymail.RejectBounced,
				Description: "mailjet: preblocked",
			},
		},
		{
			name: "spam",
			body: `{"event":"spam","time":1790000000,"MessageID":7,"email":"ada@example.com","source":"JMRPP"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, Timestamp: at},
				MessageID: "7", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam,
			},
		},
		{
			name: "unsub",
			body: `{"event":"unsub","time":1790000000,"MessageID":8,"email":"ada@example.com","mj_list_id":"1","ip":"192.0.2.10","geo":"FR","agent":"Mozilla/5.0"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, Timestamp: at},
				MessageID: "8", Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
				UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"), Geo: anymail.Geo{Country: "FR"},
			},
		},
		{
			name: "unknown event",
			body: `{"event":"teleport","time":1790000000,"MessageID":9,"email":"ada@example.com","error":"preblocked"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Timestamp: at},
				MessageID: "9", Recipient: "ada@example.com",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, body := range []string{tt.body, " [ " + tt.body + "\n] "} {
				events := parse(t, "tracking", body)
				require.Len(t, events, 1)
				tt.want.ESP = mailjet.ESP
				anymailtest.Equal(t, &tt.want, events[0])
				require.Equal(t, tt.body, string(events[0].Base().Raw))
			}
		})
	}
}

func TestFailures(t *testing.T) {
	const unsaid, hard, soft = "", `,"hard_bounce":true`, `,"hard_bounce":"0"`
	// https://dev.mailjet.com/email/guides/webhooks/
	tests := []struct {
		event, related, err, flag string
		typ                       anymail.EventType
		reason                    anymail.RejectReason
		category                  anymail.BounceCategory
	}{
		{"bounce", "recipient", "user unknown", unsaid, anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{"bounce", "recipient", "user unknown", soft, anymail.EventBounced, anymail.RejectInvalid, anymail.BounceSoft},
		{"bounce", "recipient", "Mailbox Inactive", unsaid, anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		{"bounce", "recipient", "quota exceeded", unsaid, anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{"bounce", "recipient", "blacklisted", hard, anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{"blocked", "recipient", "spam reporter", unsaid, anymail.EventRejected, anymail.RejectSpam, ""},
		{"bounce", "domain", "invalid domain", unsaid, anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{"bounce", "domain", "no mail host", unsaid, anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
		{"bounce", "domain", "no mail host", hard, anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		{"bounce", "domain", "relay/access denied", hard, anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{"bounce", "domain", "typofix", unsaid, anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{"bounce", "spam", "sender blocked", hard, anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{"bounce", "spam", "content blocked", soft, anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock},
		{"bounce", "spam", "policy issue", unsaid, anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{"bounce", "spam", "something new", hard, anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		{"bounce", "system", "protocol issue", unsaid, anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{"bounce", "system", "connection issue", unsaid, anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{"blocked", "mailjet", "spam preblocked", unsaid, anymail.EventRejected, anymail.RejectSpam, ""},
		{"blocked", "mailjet", "duplicate in campaign", unsaid, anymail.EventRejected, anymail.RejectOther, ""},
		{"blocked", "content", "bad or empty template", unsaid, anymail.EventFailed, anymail.RejectOther, ""},
		{"blocked", "content", "error in template language", unsaid, anymail.EventFailed, anymail.RejectOther, ""},
		{"bounce", "user unknown", "", unsaid, anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		{"bounce", "quota exceeded", "", soft, anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		{"bounce", "moon", "eclipse", unsaid, anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
		{"bounce", "moon", "eclipse", hard, anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		{"bounce", "moon", "eclipse", soft, anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
	}
	for _, tt := range tests {
		body := fmt.Sprintf(`{"event":%q,"error_related_to":%q,"error":%q%s}`, tt.event, tt.related, tt.err, tt.flag)
		got := parse(t, "tracking", body)[0].(*anymail.TrackingEvent)
		require.Equal(t, tt.typ, got.Type, body)
		require.Equal(t, tt.reason, got.RejectReason, body)
		require.Equal(t, tt.category, got.Bounce.Category, body)
		if words := map[string]string{"something new": "related to spam", "eclipse": "anything else"}[tt.err]; words == "" {
			espdoc.Row(t, mailjet.ESP, cmp.Or(tt.err, tt.related), got)
		} else {
			espdoc.Row(t, mailjet.ESP, words, got)
		}
	}
}

// The answer of the server is in error_related_to if there is no error.
func TestAnswerInErrorRelatedTo(t *testing.T) {
	for related, want := range map[string]anymail.Bounce{
		"550 5.1.1 <ada@example.com>: gone":                {Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
		"550 5.7.1 No such user!":                          {Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.7.1"},
		"sorry, no mailbox here by that name. (#5.1.1)":    {Category: anymail.BounceHard, EnhancedCode: "5.1.1"},
		"host mx.example.net[192.0.2.1] said: 550 no user": {Category: anymail.BounceUndetermined, SMTPCode: 550},
	} {
		got := parse(t, "tracking", fmt.Sprintf(`{"event":"bounce","error_related_to":%q}`, related))[0].(*anymail.TrackingEvent)
		require.Equal(t, want, got.Bounce, related)
		require.Equal(t, related, got.MTAResponse)
		require.Equal(t, related, got.Description)
	}
}

// The page says what the adapter does.
func TestPage(t *testing.T) {
	for words, body := range map[string]string{
		"sent": `{"event":"sent"}`, "open": `{"event":"open"}`, "click": `{"event":"click"}`, "spam": `{"event":"spam"}`, "unsub": `{"event":"unsub"}`,
		"anything else": `{"event":"teleport"}`, "bounce: greylisted": `{"event":"bounce","error":"greylisted"}`,
	} {
		espdoc.Row(t, mailjet.ESP, words, parse(t, "tracking", body)[0].(*anymail.TrackingEvent))
	}
}

func TestPayloads(t *testing.T) {
	for payload, want := range map[string]anymail.Metadata{
		`""`:                    nil,
		`null`:                  nil,
		`"null"`:                nil,
		`"{}"`:                  nil,
		`{"order":42}`:          {"order": json.Number("42")},
		`"{\"a\":{\"b\":[1]}}"`: {"a": map[string]any{"b": []any{json.Number("1")}}},
		`"[1]"`:                 {"Payload": "[1]"},
		`"order 42"`:            {"Payload": "order 42"},
	} {
		got := parse(t, "tracking", `{"event":"sent","Payload":`+payload+`}`)[0].(*anymail.TrackingEvent)
		if len(want) == 0 {
			require.Empty(t, got.Metadata, payload)
		} else {
			require.Equal(t, want, got.Metadata, payload)
		}
	}
}

func TestInbound(t *testing.T) {
	const body = `{"Sender":"bounce@example.com","Recipient":"help@parse.example.org","Date":"20260921T141320","From":"Ada <ada@example.com>","Subject":"Grüße",
		"Headers":{"Return-Path":["<bounce@example.com>"],"Received":["from a.example","from c.example"],"Authentication-Results":["a.example; dmarc=pass"],
			"Date":"Mon, 21 Sep 2026 16:13:20 +0200","Message-ID":"<in1@example.com>","In-Reply-To":"<m1@example.org>","References":"<m0@example.org> <m1@example.org>",
			"Subject":"Grüße","From":"Ada <ada@example.com>","To":"help@parse.example.org","Cc":["Bob <bob@example.com>"],"Reply-To":"ada+reply@example.com"},
		"Parts":[{"Headers":{"Content-Type":"text/plain; charset=ISO-8859-1","Content-Transfer-Encoding":"quoted-printable"},"ContentRef":"Text-part"},
			{"Headers":{"Content-Type":"text/html; charset=UTF-8"},"ContentRef":"Html-part"},
			{"Headers":{"Content-Type":"text/plain","Content-Transfer-Encoding":"base64"},"ContentRef":"Text-part2"},
			{"Headers":{"Content-Type":"application/pdf; name=\"r.pdf\"","Content-Transfer-Encoding":"quoted-printable","Content-Disposition":"attachment; filename*=utf-8''r%C3%A9sum%C3%A9.pdf"},"ContentRef":"Attachment1"},
			{"Headers":{"Content-Type":["image/png; name=\"p.png\""],"Content-ID":["<p1@example.com>"]},"ContentRef":"InlineAttachment1"},
			{"Headers":{},"ContentRef":"Attachment2"},
			{"Headers":{"Content-Type":"text/plain"},"ContentRef":"Attachment3"}],
		"Text-part":"Grüße","Html-part":"<p>Grüße</p>\n","Text-part2":"a footer","Attachment1":"SGVsbG8gV29ybGQh","InlineAttachment1":"iVBORw0KGgo=","Attachment2":"AAEC",
		"SpamAssassinScore":"0.602","CustomID":"order-42","Payload":"{'order': 42}"}`
	score := 0.602
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailjet.ESP, Type: anymail.EventInbound},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "help@parse.example.org", EnvelopeRecipients: []string{"help@parse.example.org"},
			From:      []anymail.Address{{Name: "Ada", Address: "ada@example.com"}},
			To:        []anymail.Address{{Address: "help@parse.example.org"}},
			CC:        []anymail.Address{{Name: "Bob", Address: "bob@example.com"}},
			ReplyTo:   []anymail.Address{{Address: "ada+reply@example.com"}},
			Subject:   "Grüße",
			Date:      time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC),
			MessageID: "in1@example.com", InReplyTo: "m1@example.org", References: []string{"m0@example.org", "m1@example.org"},
			Headers: anymail.Headers{
				{Name: "Return-Path", Value: "<bounce@example.com>"},
				{Name: "Received", Value: "from a.example"},
				{Name: "Received", Value: "from c.example"},
				{Name: "Authentication-Results", Value: "a.example; dmarc=pass"}, // the sender may have written it
				{Name: "Date", Value: "Mon, 21 Sep 2026 16:13:20 +0200"},
				{Name: "Message-ID", Value: "<in1@example.com>"},
				{Name: "In-Reply-To", Value: "<m1@example.org>"},
				{Name: "References", Value: "<m0@example.org> <m1@example.org>"},
				{Name: "Subject", Value: "Grüße"},
				{Name: "From", Value: "Ada <ada@example.com>"},
				{Name: "To", Value: "help@parse.example.org"},
				{Name: "Cc", Value: "Bob <bob@example.com>"},
				{Name: "Reply-To", Value: "ada+reply@example.com"},
			},
			Text: "Grüße\na footer", HTML: "<p>Grüße</p>\n", SpamScore: &score,
			Attachments: []anymail.Attachment{
				{Filename: "résumé.pdf", ContentType: "application/pdf", Disposition: "attachment", Size: 12, Content: []byte("Hello World!")},
				{Filename: "p.png", ContentType: "image/png", Disposition: "inline", ContentID: "p1@example.com", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
				{ContentType: "application/octet-stream", Disposition: "attachment", Size: 3, Content: []byte{0, 1, 2}},
			},
		},
	}
	events := parse(t, "inbound", body)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
}

// Nothing but the fields that say what was received.
func TestInboundMinimal(t *testing.T) {
	events := parse(t, "inbound", `{"Recipient":"help@parse.example.org","From":"Ada <ada@example.com>","Subject":"Hi","Text-part":"Hello","Html-part":null,"Attachment1":7}`)
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: mailjet.ESP, Type: anymail.EventInbound},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "help@parse.example.org", EnvelopeRecipients: []string{"help@parse.example.org"}, From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, Subject: "Hi", Text: "Hello",
		},
	}, events[0])
}

func TestMalformedInbound(t *testing.T) {
	adapter := esptest.New(t, mailjet.New, mailjet.Config{})
	for name, body := range map[string]string{
		"no JSON":        `{"Sender"`,
		"a list":         `[]`,
		"Event API":      `{"event":"sent","time":1790000000,"email":"ada@example.com"}`,
		"something else": `{}`,
		"another form":   `{"message":{"to":"a@example.com"}}`,
		"null":           `null`,
	} {
		events, err := simulator.Parse(adapter, simulator.JSON("inbound", []byte(body)))
		require.ErrorIs(t, err, anymail.ErrMalformed, name)
		require.Empty(t, events, name)
	}
}

// A message that cannot be read is delivered as such, with what could be read.
func TestInboundFailed(t *testing.T) {
	keys := map[string]bool{}
	for body, want := range map[string]anymail.InboundMessage{
		`{"Recipient":"a@example.com"}`:                                       {},
		`{"Recipient":"a@example.com","Parts":"none"}`:                        {},
		`{"Recipient":"a@example.com","Parts":[7],"Subject":"Hi"}`:            {Subject: "Hi"},
		`{"Recipient":"a@example.com","Parts":{"a":"b"},"Text-part":"Hello"}`: {Text: "Hello"},
	} {
		events := parse(t, "inbound", body)
		require.Len(t, events, 1)
		got := events[0].(*anymail.InboundEvent)
		require.False(t, keys[got.Key], "another one has this key")
		keys[got.Key] = true
		require.Equal(t, anymail.EventInboundFailed, got.Type, body)
		require.Equal(t, body, string(got.Raw))
		require.Equal(t, "a@example.com", got.Message.EnvelopeRecipient, body)
		require.Equal(t, want.Subject+want.Text, got.Message.Subject+got.Message.Text, body)
	}
}

// An unrecognized payload becomes an unknown event, or is refused.
func TestUnrecognized(t *testing.T) {
	adapter := esptest.New(t, mailjet.New, mailjet.Config{})
	for body, want := range map[string]int{
		`{}`: 1, `{"hello":"world"}`: 1, `[{"event":"levitated"}]`: 1, `[null,7]`: 2, `[]`: 0, `null`: 0, `"sent"`: 0, ``: 0,
	} {
		events, err := simulator.Parse(adapter, simulator.JSON("tracking", []byte(body)))
		require.Len(t, events, want, body)
		if want == 0 {
			require.ErrorIs(t, err, anymail.ErrMalformed, body)
		}
		for _, ev := range events {
			require.Equal(t, anymail.EventUnknown, ev.Base().Type, body)
			require.Contains(t, body, string(ev.Base().Raw))
		}
	}
}

func TestInboundAtTracking(t *testing.T) {
	adapter, err := mailjet.New(mailjet.Config{})
	require.NoError(t, err)
	sample, ok := mailjetsim.New().Sample("parse")
	require.True(t, ok)
	r := sample.Make(simulator.NewParams())
	r.Endpoint = "tracking"
	_, err = simulator.Parse(adapter, r)
	require.ErrorIs(t, err, anymail.ErrMalformed)
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, mailjetsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, mailjetsim.New(), "inbound") }

func Example() {
	d, err := anymail.New(anymail.WithSharedSecret("mailjet:correct-horse-battery-staple"))
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := mailjet.New(mailjet.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("mailjet", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason)
		return nil
	}, anymail.ForTypes(anymail.EventBounced))
	fmt.Println(d.Tracking.Receivers(), err)
	// Output: [suppress] <nil>
}
