package resend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/resend"
	"github.com/goanymail/anymail/esp/resend/resendsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, resendsim.New()) }

// parse gives a body to the tracking endpoint's parser.
func parse(t testing.TB, body string) []anymail.Event {
	t.Helper()
	r := simulator.JSON("tracking", []byte(body))
	r.Header.Set("Svix-Id", "msg_1")
	return anymailtest.Parse(t, esptest.New(t, resend.New, resend.Config{}), r)
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 126000000, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "sent: the time is that of the event, not of the message; tags are pairs",
			body: `{"type":"email.sent","created_at":"2026-09-21T14:13:20.126Z","data":{"broadcast_id":"b1","created_at":"2026-09-21T14:13:19.894719+00:00",
				"email_id":"id-1","message_id":"<m1@email.example.com>","from":"Acme <news@example.com>","to":["ada@example.com"],"subject":"Hi",
				"tags":{"category":"welcome","order":"42"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventSent, Timestamp: at},
				MessageID: "id-1", Recipient: "ada@example.com", Metadata: anymail.Metadata{"category": "welcome", "order": "42"},
			},
		},
		{
			name: "a recipient with a name; tags and metadata in headers",
			body: `{"type":"email.delivered","created_at":"2026-09-21T16:13:20.126+02:00","data":{"email_id":"id-1","to":["Ada <ada@example.com>"],"tags":{"order":"1","kind":"a"},
				"headers":[{"name":"x-metadata","value":"{\"order\": 42}"},{"name":"X-Tags","value":"[\"welcome\",\"eu\"]"}]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "id-1", Recipient: "ada@example.com", Tags: []string{"welcome", "eu"},
				Metadata: anymail.Metadata{"order": json.Number("42"), "kind": "a"},
			},
		},
		{
			name: "tags as in the send API, one recipient as a string, headers that hold no JSON",
			body: `{"type":"email.opened","created_at":"2026-09-21T14:13:20.126Z","data":{"email_id":"id-1","to":"ada@example.com",
				"tags":[{"name":"category","value":"welcome"}],"headers":[{"name":"X-Metadata","value":"none"},{"name":"X-Tags","value":"welcome"}]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, Timestamp: at},
				MessageID: "id-1", Recipient: "ada@example.com", Metadata: anymail.Metadata{"category": "welcome"},
			},
		},
		{
			name: "one of several recipients",
			body: `{"type":"email.delivery_delayed","created_at":"2026-09-21T14:13:20Z","data":{"email_id":"id-1","to":["ada@example.com","bob@example.com"]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, Timestamp: at.Truncate(time.Second)},
				MessageID: "id-1", Recipient: "ada@example.com", Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "of several recipients the one that the receiving server names",
			body: `{"type":"email.bounced","data":{"email_id":"id-1","to":["ada@example.com","Bob <Bob@example.com>"],"bounce":{"type":"Permanent","subType":"General",
				"diagnosticCode":["smtp; 550 5.1.1 <bob@example.com>: unknown"]}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced},
				MessageID: "id-1", Recipient: "Bob@example.com", RejectReason: anymail.RejectInvalid, MTAResponse: "smtp; 550 5.1.1 <bob@example.com>: unknown",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "hard bounce",
			body: `{"type":"email.bounced","data":{"email_id":"id-2","to":["nobody@example.com"],"bounce":{"diagnosticCode":["smtp; 550 5.1.1 no such user"],
				"message":"The receiving server refused it.","subType":"General","type":"Permanent"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced},
				MessageID: "id-2", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "The receiving server refused it.", MTAResponse: "smtp; 550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "bounce with the answer as a string",
			body: `{"type":"email.bounced","data":{"bounce":{"diagnosticCode":"smtp; 452 4.2.2 full","message":"full","subType":"MailboxFull","type":"Temporary"}}}`,
			want: anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventBounced},
				RejectReason: anymail.RejectBounced, Description: "full", MTAResponse: "smtp; 452 4.2.2 full",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 452, EnhancedCode: "4.2.2"},
			},
		},
		{
			name: "bounce of an address on the suppression list was never sent",
			body: `{"type":"email.bounced","data":{"email_id":"id-3","to":["old@example.com"],"bounce":{"message":"on the list","subType":"Suppressed","type":"Permanent"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected},
				MessageID: "id-3", Recipient: "old@example.com", RejectReason: anymail.RejectBounced, Description: "on the list",
			},
		},
		{
			name: "the same, as long as there was nothing but a message",
			body: `{"type":"email.bounced","data":{"bounce":{"message":"Resend has suppressed sending to this address."}}}`,
			want: anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventRejected},
				RejectReason: anymail.RejectBlocked, Description: "Resend has suppressed sending to this address.",
			},
		},
		{
			name: "suppressed",
			body: `{"type":"email.suppressed","data":{"email_id":"id-4","to":["old@example.com"],"suppressed":{"message":"on the list","type":"OnAccountSuppressionList"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected},
				MessageID: "id-4", Recipient: "old@example.com", RejectReason: anymail.RejectBlocked, Description: "on the list",
			},
		},
		{
			name: "failed",
			body: `{"type":"email.failed","data":{"email_id":"id-5","failed":{"reason":"reached_daily_quota"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventFailed},
				MessageID: "id-5", RejectReason: anymail.RejectOther, Description: "reached_daily_quota",
			},
		},
		{
			name: "failed for the recipient",
			body: `{"type":"email.failed","data":{"failed":{"reason":"Invalid recipient"}}}`,
			want: anymail.TrackingEvent{
				Common:       anymail.Common{Type: anymail.EventRejected},
				RejectReason: anymail.RejectInvalid, Description: "Invalid recipient",
			},
		},
		{
			name: "click",
			body: `{"type":"email.clicked","created_at":"2026-09-21T14:13:20.126Z","data":{"email_id":"id-1","to":["ada@example.com"],
				"click":{"ipAddress":"192.0.2.77","link":"https://example.com/a?b=1&c=2","timestamp":"2026-09-21T14:13:19.100Z","userAgent":"Mozilla"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				MessageID: "id-1", Recipient: "ada@example.com", ClickURL: "https://example.com/a?b=1&c=2", UserAgent: "Mozilla", IP: netip.MustParseAddr("192.0.2.77"),
			},
		},
		{
			name: "contact",
			body: `{"type":"contact.updated","created_at":"2026-09-21T14:13:20.126Z","data":{"id":"c1","email":"ada@example.com","unsubscribed":true}}`,
			want: anymail.TrackingEvent{Common: anymail.Common{Timestamp: at}, Recipient: "ada@example.com"},
		},
		{
			name: "suppression, with the message that caused it",
			body: `{"type":"suppression.added","data":{"id":"s1","email":"ada@example.com","origin":"bounce","source_id":"id-1"}}`,
			want: anymail.TrackingEvent{Recipient: "ada@example.com", MessageID: "id-1"},
		},
		{
			name: "event of an inbox, whose email is a message",
			body: `{"type":"inbox.email.received","data":{"inbox_id":"ib1","email_id":"em1","email":{"id":"em1","from":"bob@example.org","to":["desk@example.com"]}}}`,
			want: anymail.TrackingEvent{MessageID: "em1"},
		},
		{
			name: "thread of an inbox, moved to another folder, which is not a recipient",
			body: `{"type":"inbox.thread.folder.updated","data":{"inbox_id":"ib1","thread_id":"th1","from":"inbox","to":"archive"}}`,
			want: anymail.TrackingEvent{},
		},
		{
			name: "received message, to an adapter that cannot fetch it",
			body: `{"type":"email.received","created_at":"2026-09-21T14:13:20.126Z","data":{"email_id":"id-9","to":["in@example.com"]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Timestamp: at},
				MessageID: "id-9", Recipient: "in@example.com", Description: "a received message, which cannot be fetched without APIKeys",
			},
		},
		{
			name: "nothing but a type",
			body: `{"type":"domain.deleted","data":null}`,
			want: anymail.TrackingEvent{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, tt.body)
			require.Len(t, events, 1)
			tt.want.ESP, tt.want.ID = resend.ESP, "msg_1"
			anymailtest.Equal(t, &tt.want, events[0])
		})
	}
}

func TestBounces(t *testing.T) {
	// https://resend.com/docs/dashboard/emails/email-bounces
	bounced, rejected := anymail.EventBounced, anymail.EventRejected
	tests := []struct {
		typ, subType string
		want         anymail.EventType
		reason       anymail.RejectReason
		category     anymail.BounceCategory
	}{
		{"Permanent", "General", bounced, anymail.RejectBounced, anymail.BounceHard},
		{"Permanent", "NoEmail", bounced, anymail.RejectBounced, anymail.BounceHard},
		{"Permanent", "Suppressed", rejected, anymail.RejectBounced, ""},
		{"Permanent", "OnAccountSuppressionList", rejected, anymail.RejectBlocked, ""},
		{"Permanent", "MessageRejected", bounced, anymail.RejectBounced, anymail.BounceHard},
		{"Transient", "General", bounced, anymail.RejectBounced, anymail.BounceSoft},
		{"Temporary", "General", bounced, anymail.RejectBounced, anymail.BounceSoft},
		{"Transient", "MailboxFull", bounced, anymail.RejectBounced, anymail.BounceSoft},
		{"Transient", "MessageTooLarge", bounced, anymail.RejectOther, anymail.BounceSoft},
		{"Transient", "ContentRejected", bounced, anymail.RejectSpam, anymail.BounceBlock},
		{"Transient", "AttachmentRejected", bounced, anymail.RejectBlocked, anymail.BounceBlock},
		{"Undetermined", "Undetermined", bounced, anymail.RejectBounced, anymail.BounceUndetermined},
		{"Novel", "Novel", bounced, anymail.RejectBounced, anymail.BounceUndetermined},
		{"", "", bounced, anymail.RejectBounced, anymail.BounceUndetermined},
	}
	for _, tt := range tests {
		t.Run(tt.typ+"/"+tt.subType, func(t *testing.T) {
			got := parse(t, fmt.Sprintf(`{"type":"email.bounced","data":{"bounce":{"type":%q,"subType":%q}}}`, tt.typ, tt.subType))[0].(*anymail.TrackingEvent)
			require.Equal(t, tt.want, got.Type)
			require.Equal(t, tt.reason, got.RejectReason)
			require.Equal(t, tt.category, got.Bounce.Category)
		})
	}
}

func TestAlias(t *testing.T) {
	require.Equal(t, anymail.EventDeferred, parse(t, `{"type":"email.delivered_delayed","data":{}}`)[0].Base().Type)
	require.Equal(t, anymail.EventQueued, parse(t, `{"type":"email.scheduled","data":{}}`)[0].Base().Type)
}

// Resend posts one event per request; one id for two would make them one.
func TestArray(t *testing.T) {
	events := parse(t, `[{"type":"email.opened","data":{"to":["a@example.com"]}},{"type":"email.opened","data":{"to":["a@example.com"],"n":2}}]`)
	require.Len(t, events, 2)
	require.Empty(t, events[0].Base().ID)
	require.Empty(t, events[1].Base().ID)
}

// A signature computed with another implementation of HMAC-SHA256.
const (
	vectorSecret    = "whsec_ZGVtby1yZXNlbmQtc2lnbmluZy1rZXkh"
	vectorBody      = `{"type":"email.delivered","created_at":"2026-09-21T14:13:20.126Z","data":{"email_id":"11111111-2222-4333-8444-555555555555","to":["ada@example.com"]}}`
	vectorSignature = "v1,1PSN10O8nMYdJfMhoKrFg98MTKi45Kj36H1DmoapwQc="
	otherSignature  = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

func TestSignature(t *testing.T) {
	signedAt := time.Unix(1790000000, 0)
	tests := []struct {
		name   string
		header map[string]string
		now    time.Time
		status int
	}{
		{"as published", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": vectorSignature}, signedAt, 200},
		{"as in standardwebhooks.com", map[string]string{"webhook-id": "msg_demo1", "webhook-timestamp": "1790000000", "webhook-signature": vectorSignature}, signedAt, 200},
		{"one of several", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": otherSignature + " " + vectorSignature}, signedAt, 200},
		{"none of several", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": otherSignature + " " + otherSignature}, signedAt, 400},
		{"a version to come besides", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": "v2,eA== " + vectorSignature}, signedAt, 200},
		{"of another version", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": "v2" + strings.TrimPrefix(vectorSignature, "v1")}, signedAt, 400},
		{"mixed families", map[string]string{"svix-id": "msg_demo1", "webhook-timestamp": "1790000000", "svix-signature": vectorSignature}, signedAt, 400},
		{"another id", map[string]string{"svix-id": "msg_demo2", "svix-timestamp": "1790000000", "svix-signature": vectorSignature}, signedAt, 400},
		{"another time", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000001", "svix-signature": vectorSignature}, signedAt, 400},
		{"just in time", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": vectorSignature}, signedAt.Add(5 * time.Minute), 200},
		{"too late", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": vectorSignature}, signedAt.Add(5*time.Minute + time.Second), 400},
		{"too early", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000", "svix-signature": vectorSignature}, signedAt.Add(-5*time.Minute - time.Second), 400},
		{"unsigned", map[string]string{"svix-id": "msg_demo1", "svix-timestamp": "1790000000"}, signedAt, 400},
	}
	sim := resendsim.New()
	adapter := esptest.New(t, resend.New, resend.Config{TrackingSigningKeys: anymail.Keys("whsec_bmV4dC1zZWNyZXQ=", vectorSecret)})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := anymailtest.NewServerFor(t, sim, adapter, anymail.WithClock(func() time.Time { return tt.now }))
			r := s.Address(t, simulator.JSON("tracking", []byte(vectorBody)))
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			status, _ := s.Post(t, r)
			require.Equal(t, tt.status, status)
			events := s.Take()
			require.Len(t, events, map[int]int{200: 1, 400: 0}[tt.status])
			for _, ev := range events {
				require.Equal(t, "msg_demo1", ev.Base().ID)
			}
		})
	}
}

// The id counts in the headers that are signed only: next to them any client could
// write another one, to have an event done again.
func TestIDIsSigned(t *testing.T) {
	adapter := esptest.New(t, resend.New, resend.Config{TrackingSigningKeys: anymail.Keys(vectorSecret)})
	s := anymailtest.NewServerFor(t, resendsim.New(), adapter, anymail.WithClock(func() time.Time { return time.Unix(1790000000, 0) }))
	r := s.Address(t, simulator.JSON("tracking", []byte(vectorBody)))
	r.Header.Set("webhook-id", "msg_demo1")
	r.Header.Set("webhook-timestamp", "1790000000")
	r.Header.Set("webhook-signature", vectorSignature)
	r.Header.Set("svix-id", "msg_forged")
	status, _ := s.Post(t, r)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "msg_demo1", s.Take()[0].Base().ID)
}

// A later attempt has another time and signature, and the same id.
func TestKeyOfLaterAttempt(t *testing.T) {
	sim := resendsim.New()
	s := anymailtest.NewServer(t, sim)
	sample, _ := sim.Sample("email.delivered")
	p := simulator.NewParams()
	for _, ago := range []time.Duration{2 * time.Minute, 0} {
		r := s.Address(t, sample.Make(p))
		require.NoError(t, sim.Sign(&r, s.Credential, time.Now().Add(-ago)))
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status)
	}
	require.Len(t, s.Take(), 1)
}

const notification = `{"type":"email.received","created_at":"2026-09-21T14:13:29.126Z","data":{"email_id":"22222222-2222-4333-8444-555555555555","created_at":"2026-09-21T14:13:29.000Z",
	"from":"bob@example.org","to":["Desk <desk@in.example.com>"],"bcc":null,"cc":["carl@example.org"],"received_for":["ticket@in.example.com"],"message_id":"<in1@mail.example.org>","subject":"Re: Hi",
	"attachments":[{"id":"a1","filename":"../a.txt","content_type":"text/plain","content_disposition":"attachment","content_id":null}]}}`

const received = `{"object":"email","id":"22222222-2222-4333-8444-555555555555","to":["Desk <desk@in.example.com>"],"from":"Bob <bob@example.org>","created_at":"2026-09-21T14:13:29.000Z","subject":"Re: Hi",
	"html":"<p>Yes</p>","html_format":"cid","text":"Yes","headers":{"return-path":"bounce@example.org","date":"Mon, 21 Sep 2026 16:13:20 +0200","in-reply-to":"<out1@example.com>"},
	"bcc":[],"cc":["carl@example.org"],"reply_to":["reply@example.org"],"received_for":["ticket@in.example.com"],"authentication":{"spf":"pass","dkim":"gray","dmarc":"processing_failed"},
	"message_id":"<in1@mail.example.org>","raw":%s,
	"attachments":[{"id":"a1","filename":"../a.txt","content_type":"text/plain","content_disposition":"attachment","content_id":null,"size":5},
		{"id":"a2","filename":null,"content_type":"image/png","content_disposition":null,"content_id":"pic@example.org","size":8}]}`

const attachments = `{"object":"list","has_more":false,"data":[
	{"id":"a1","filename":"../a.txt","size":5,"content_type":"text/plain","content_disposition":"attachment","content_id":null,"download_url":"https://inbound-cdn.resend.com/1?sig=x"},
	{"id":"a2","filename":null,"size":8,"content_type":"image/png","content_disposition":null,"content_id":"pic@example.org","download_url":"https://inbound-cdn.resend.com/2?sig=y"}]}`

const (
	messageURL     = "https://api.resend.com/emails/receiving/22222222-2222-4333-8444-555555555555?html_format=cid"
	attachmentsURL = "https://api.resend.com/emails/receiving/22222222-2222-4333-8444-555555555555/attachments"
	rawJSON        = `{"download_url":"https://inbound-cdn.resend.com/raw?sig=z","expires_at":"2026-09-21T15:13:29.000Z"}`
	rawURL         = "https://inbound-cdn.resend.com/raw?sig=z"
)

// answers are the API: a status and a body for each URL, 500 for any other. The
// key has to go to the API, and nowhere else.
type answers struct {
	t        *testing.T
	contents map[string]answer
	mu       sync.Mutex
	asked    []string
}

type answer struct {
	status int
	body   string
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	url := r.URL.String()
	a.asked = append(a.asked, url)
	want := ""
	if r.URL.Host == "api.resend.com" {
		want = "Bearer re_newer"
	}
	if got := r.Header.Get("Authorization"); got != want {
		a.t.Errorf("%s was asked with %q", url, got)
	}
	found, ok := a.contents[url]
	if !ok {
		found.status = 500
	}
	if found.status == 0 {
		return nil, errors.New("no connection")
	}
	return &http.Response{StatusCode: found.status, Body: io.NopCloser(strings.NewReader(found.body)), ContentLength: int64(len(found.body)), Request: r}, nil
}

func inboundAdapter(t *testing.T, contents map[string]answer, hosts ...string) (*resend.Adapter, *answers) {
	t.Helper()
	api := &answers{t: t, contents: contents}
	return esptest.New(t, resend.New, resend.Config{APIKeys: anymail.Keys("re_newer", "re_older"), Client: &http.Client{Transport: api}, FileHosts: hosts}), api
}

// wantReceived is what the API tells of the message, with the contents of its
// attachments.
func wantReceived(contents ...[]byte) *anymail.InboundEvent {
	return &anymail.InboundEvent{
		Common: anymail.Common{ESP: resend.ESP, Type: anymail.EventInbound, ID: "msg_1", Timestamp: time.Date(2026, 9, 21, 14, 13, 29, 126000000, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "ticket@in.example.com", EnvelopeRecipients: []string{"ticket@in.example.com"},
			From:    []anymail.Address{{Name: "Bob", Address: "bob@example.org"}},
			To:      []anymail.Address{{Name: "Desk", Address: "desk@in.example.com"}},
			CC:      []anymail.Address{{Address: "carl@example.org"}},
			ReplyTo: []anymail.Address{{Address: "reply@example.org"}},
			Subject: "Re: Hi", Date: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC),
			MessageID: "in1@mail.example.org", InReplyTo: "out1@example.com",
			Headers: anymail.Headers{
				{Name: "return-path", Value: "bounce@example.org"},
				{Name: "date", Value: "Mon, 21 Sep 2026 16:13:20 +0200"},
				{Name: "in-reply-to", Value: "<out1@example.com>"},
			},
			Text: "Yes", HTML: "<p>Yes</p>",
			Authentication: anymail.Authentication{SPF: "pass", DKIM: "none", DMARC: "temperror"},
			Attachments: []anymail.Attachment{
				{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment", Size: 5, Content: contents[0]},
				{ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.org", Size: 8, Content: contents[1]},
			},
		},
	}
}

func receive(t *testing.T, adapter *resend.Adapter, endpoint string) (anymail.Event, error) {
	t.Helper()
	r := simulator.JSON(endpoint, []byte(notification))
	r.Header.Set("Svix-Id", "msg_1")
	events, err := simulator.Parse(adapter, r)
	if err != nil {
		return nil, err
	}
	require.Len(t, events, 1)
	return events[0], nil
}

func TestInbound(t *testing.T) {
	hello, dot := []byte("hello"), []byte("\x89PNG\r\n\x1a\n")
	contents := func(raw string, more map[string]answer) map[string]answer {
		all := map[string]answer{
			messageURL:                               {200, fmt.Sprintf(received, raw)},
			attachmentsURL:                           {200, attachments},
			"https://inbound-cdn.resend.com/1?sig=x": {200, "hello"},
			"https://inbound-cdn.resend.com/2?sig=y": {200, string(dot)},
		}
		for url, a := range more {
			all[url] = a
		}
		return all
	}
	t.Run("parsed", func(t *testing.T) {
		adapter, _ := inboundAdapter(t, contents("null", nil))
		for _, endpoint := range []string{"inbound", "tracking"} { // one webhook at Resend may post both
			got, err := receive(t, adapter, endpoint)
			require.NoError(t, err)
			anymailtest.Equal(t, wantReceived(hello, dot), got)
		}
	})
	t.Run("raw", func(t *testing.T) {
		const mime = "From: Eve <eve@example.net>\r\nReceived: one\r\nReceived: two\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nraw text"
		adapter, api := inboundAdapter(t, contents(rawJSON, map[string]answer{rawURL: {200, mime}}))
		got, err := receive(t, adapter, "inbound")
		require.NoError(t, err)
		want := wantReceived(nil, nil)
		want.Message = anymail.InboundMessage{
			EnvelopeSender: "bounce@example.org", EnvelopeRecipient: "ticket@in.example.com", EnvelopeRecipients: []string{"ticket@in.example.com"},
			From: []anymail.Address{{Name: "Eve", Address: "eve@example.net"}}, Subject: "Grüße", Text: "raw text",
			Headers: anymail.Headers{
				{Name: "From", Value: "Eve <eve@example.net>"}, {Name: "Received", Value: "one"}, {Name: "Received", Value: "two"}, {Name: "Subject", Value: "Grüße"},
			},
			Authentication: anymail.Authentication{SPF: "pass", DKIM: "none", DMARC: "temperror"},
			RawMIME:        anymail.Raw(mime),
		}
		anymailtest.Equal(t, want, got)
		require.Equal(t, []string{messageURL, rawURL}, api.asked)
	})
	t.Run("raw is gone", func(t *testing.T) {
		adapter, _ := inboundAdapter(t, contents(rawJSON, map[string]answer{rawURL: {404, ""}}))
		got, err := receive(t, adapter, "inbound")
		require.NoError(t, err)
		anymailtest.Equal(t, wantReceived(hello, dot), got)
	})
	t.Run("attachments are gone", func(t *testing.T) {
		adapter, _ := inboundAdapter(t, contents("null", map[string]answer{attachmentsURL: {404, ""}}))
		got, err := receive(t, adapter, "inbound")
		require.NoError(t, err)
		anymailtest.Equal(t, wantReceived(nil, nil), got)
	})
	t.Run("one attachment is gone", func(t *testing.T) {
		adapter, _ := inboundAdapter(t, contents("null", map[string]answer{"https://inbound-cdn.resend.com/1?sig=x": {410, ""}}))
		got, err := receive(t, adapter, "inbound")
		require.NoError(t, err)
		anymailtest.Equal(t, wantReceived(nil, dot), got)
	})
	t.Run("files at another host", func(t *testing.T) {
		const elsewhere = `{"download_url":"https://cdn.example.net/raw"}`
		adapter, api := inboundAdapter(t, contents(elsewhere, nil))
		_, err := receive(t, adapter, "inbound")
		require.ErrorIs(t, err, anymail.ErrMalformed)
		require.Equal(t, []string{messageURL}, api.asked)

		adapter, _ = inboundAdapter(t, contents(elsewhere, map[string]answer{"https://cdn.example.net/raw": {200, "Subject: Hi\r\n\r\nfrom the CDN"}}), ".example.net")
		got, err := receive(t, adapter, "inbound")
		require.NoError(t, err)
		require.Equal(t, "from the CDN", got.(*anymail.InboundEvent).Message.Text)
	})
	t.Run("too large in source", func(t *testing.T) {
		adapter, _ := inboundAdapter(t, contents(rawJSON, map[string]answer{rawURL: {200, strings.Repeat("x", 10_000)}}))
		s := anymailtest.NewServerFor(t, resendsim.New(), adapter, anymail.WithLimits(anymail.Limits{Fetch: 5000}))
		r := s.Address(t, simulator.JSON("inbound", []byte(notification)))
		r.Header.Set("Svix-Id", "msg_1")
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status)
		anymailtest.Equal(t, wantReceived(nil, nil), s.Take()[0])
	})
}

func TestInboundGone(t *testing.T) {
	adapter, _ := inboundAdapter(t, map[string]answer{messageURL: {404, `{"name":"not_found"}`}})
	got, err := receive(t, adapter, "inbound")
	require.NoError(t, err)
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{ESP: resend.ESP, Type: anymail.EventInboundFailed, ID: "msg_1", Timestamp: time.Date(2026, 9, 21, 14, 13, 29, 126000000, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "ticket@in.example.com", EnvelopeRecipients: []string{"ticket@in.example.com"},
			From:    []anymail.Address{{Address: "bob@example.org"}},
			To:      []anymail.Address{{Name: "Desk", Address: "desk@in.example.com"}},
			CC:      []anymail.Address{{Address: "carl@example.org"}},
			Subject: "Re: Hi", MessageID: "in1@mail.example.org",
			Attachments: []anymail.Attachment{{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment"}},
		},
	}, got)
}

// While the message cannot be had, Resend is made to retry.
func TestInboundAPIDown(t *testing.T) {
	for name, contents := range map[string]map[string]answer{
		"no connection":      {messageURL: {0, ""}},
		"500":                {messageURL: {500, ""}},
		"wrong key":          {messageURL: {401, ""}},
		"rate limit":         {messageURL: {429, ""}},
		"no JSON":            {messageURL: {200, "<html>"}},
		"files":              {messageURL: {200, fmt.Sprintf(received, rawJSON)}, rawURL: {503, ""}},
		"attachments":        {messageURL: {200, fmt.Sprintf(received, "null")}, attachmentsURL: {503, ""}},
		"attachment's bytes": {messageURL: {200, fmt.Sprintf(received, "null")}, attachmentsURL: {200, attachments}},
	} {
		adapter, _ := inboundAdapter(t, contents)
		s := anymailtest.NewServerFor(t, resendsim.New(), adapter)
		status, _ := s.Post(t, s.Address(t, simulator.JSON("inbound", []byte(notification))))
		require.Equal(t, http.StatusServiceUnavailable, status, name)
		require.Empty(t, s.Take(), name)
		text := s.Rejections.All()[0].Err.Error()
		require.NotContains(t, text, "re_", name)
		require.NotContains(t, text, "sig=", name)
	}
}

// An invalid id is not fetched.
func TestHostileIDs(t *testing.T) {
	adapter, api := inboundAdapter(t, nil)
	for _, id := range []string{"", ".", "..", "../../domains", "1/2", "1?x=y", "1#x", "1%2f", "ä"} {
		body, err := json.Marshal(map[string]any{"type": "email.received", "data": map[string]any{"email_id": id}})
		require.NoError(t, err)
		events := anymailtest.Parse(t, adapter, simulator.JSON("inbound", body))
		require.Equal(t, anymail.EventInboundFailed, events[0].Base().Type, id)
	}
	require.Empty(t, api.asked)
}

// A notification that cannot be read is reported, unless the message can be fetched
// nevertheless.
func TestMalformedNotification(t *testing.T) {
	adapter, api := inboundAdapter(t, map[string]answer{messageURL: {200, fmt.Sprintf(received, rawJSON)}, rawURL: {200, "Subject: Hi\r\n\r\nraw text"}})
	for body, want := range map[string]anymail.InboundMessage{
		`{"type":"email.received","data":[]}`: {},
		`{"type":"email.received"}`:           {},
		`{"type":"email.received","data":{"email_id":"?","from":["no text"],"subject":"Hi","received_for":["a@in.example.com"]}}`: {
			Subject: "Hi", EnvelopeRecipient: "a@in.example.com", EnvelopeRecipients: []string{"a@in.example.com"},
		},
		`{"type":"email.received","created_at":{},"data":{"attachments":"none","to":"b@in.example.com"}}`: {
			To: []anymail.Address{{Address: "b@in.example.com"}},
		},
	} {
		events := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(body)))
		require.Len(t, events, 1, body)
		anymailtest.Equal(t, &anymail.InboundEvent{Common: anymail.Common{ESP: resend.ESP, Type: anymail.EventInboundFailed}, Message: want}, events[0])
		require.Equal(t, body, string(events[0].Base().Raw))
	}
	require.Empty(t, api.asked)

	const unreadable = `{"type":"email.received","data":{"subject":["no text"],"email_id":"22222222-2222-4333-8444-555555555555"}}`
	events := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(unreadable)))
	require.Equal(t, anymail.EventInbound, events[0].Base().Type)
	require.Equal(t, "raw text", events[0].(*anymail.InboundEvent).Message.Text)
}

// Nothing is answered with success of which nothing was made.
func TestNothing(t *testing.T) {
	adapter, _ := inboundAdapter(t, nil)
	for _, endpoint := range []string{"tracking", "inbound"} {
		for _, body := range []string{`[]`, `null`, `7`, `{"type":"email.received"`} {
			events, err := simulator.Parse(adapter, simulator.JSON(endpoint, []byte(body)))
			require.ErrorIs(t, err, anymail.ErrMalformed, "%s %s", endpoint, body)
			require.Empty(t, events)
		}
		for _, body := range []string{`{}`, `{"hello":"world"}`, `[null]`} {
			events := anymailtest.Parse(t, adapter, simulator.JSON(endpoint, []byte(body)))
			require.Len(t, events, 1)
			require.Equal(t, anymail.EventUnknown, events[0].Base().Type)
		}
	}
}

// The recipient of the envelope is not guessed from To, and its sender is not what the
// sender wrote.
func TestEnvelope(t *testing.T) {
	const to = `{"type":"email.received","data":{"email_id":"22222222-2222-4333-8444-555555555555","to":["Desk <desk@in.example.com>"]}}`
	const path = "Return-Path: <ceo@example.net>\r\n"
	const taken = "Received: from mail.example.org by inbound-smtp.eu-west-1.amazonaws.com; Mon, 21 Sep 2026 16:13:21 +0200\r\n"
	nobody := strings.Replace(received, `"received_for":["ticket@in.example.com"]`, `"received_for":[]`, 1)
	tests := []struct {
		name, said, raw   string
		sender, recipient string
	}{
		{"server's Return-Path", received, "Return-Path: <real@example.org>\r\n" + taken + path, "real@example.org", "ticket@in.example.com"},
		{"sender's Return-Path", received, taken + path, "", "ticket@in.example.com"},
		{"sender's Return-Path, far below", received, "X-First: 1\r\n" + taken + taken + path, "", "ticket@in.example.com"},
		{"a bounce", received, "Return-Path: <>\r\n" + taken + path, "", "ticket@in.example.com"},
		{"no Return-Path in the source", received, taken, "bounce@example.org", "ticket@in.example.com"},
		{"no received_for", nobody, taken, "bounce@example.org", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter, _ := inboundAdapter(t, map[string]answer{messageURL: {200, fmt.Sprintf(tt.said, rawJSON)}, rawURL: {200, tt.raw + "To: Desk <desk@in.example.com>\r\n\r\nhi"}})
			m := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(to)))[0].(*anymail.InboundEvent).Message
			require.Equal(t, tt.sender, m.EnvelopeSender)
			require.Equal(t, tt.recipient, m.EnvelopeRecipient)
		})
	}
	t.Run("gone", func(t *testing.T) {
		adapter, _ := inboundAdapter(t, map[string]answer{messageURL: {404, ""}})
		m := anymailtest.Parse(t, adapter, simulator.JSON("inbound", []byte(to)))[0].(*anymail.InboundEvent).Message
		require.Empty(t, m.EnvelopeRecipient)
	})
}

func TestConfig(t *testing.T) {
	for name, config := range map[string]resend.Config{
		"inbound without a key":  {InboundSigningKeys: anymail.Keys(vectorSecret)},
		"secret that is no key":  {TrackingSigningKeys: anymail.Keys("whsec_***")},
		"secret without a key":   {TrackingSigningKeys: anymail.Keys("whsec_")},
		"empty secret":           {TrackingSigningKeys: anymail.Keys("")},
		"inbound secret, no key": {InboundSigningKeys: anymail.Keys("***"), APIKeys: anymail.Keys("re_1")},
		"empty API key":          {APIKeys: anymail.Keys("")},
	} {
		_, err := resend.New(config)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		require.NotContains(t, err.Error(), "***", name)
	}
	paths := func(config resend.Config) (all []string) {
		for _, ep := range esptest.New(t, resend.New, config).Endpoints() {
			all = append(all, ep.Path)
		}
		return all
	}
	require.Equal(t, []string{"tracking"}, paths(resend.Config{}))
	require.Equal(t, []string{"tracking", "inbound"}, paths(resend.Config{APIKeys: anymail.Keys("re_1")}))
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, resendsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, resendsim.New(), "inbound") }

func Example() {
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := resend.New(resend.Config{
		TrackingSigningKeys: anymail.Keys("whsec_ZGVtby1yZXNlbmQtc2lnbmluZy1rZXkh"),
		InboundSigningKeys:  anymail.Keys("whsec_YW5vdGhlci1zaWduaW5nLXNlY3JldA=="),
		APIKeys:             anymail.Keys("re_123"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("resend", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Inbound.Connect("tickets", func(_ context.Context, ev *anymail.InboundEvent) error {
		fmt.Println(ev.Message.From, "wrote:", ev.Message.Subject)
		return nil
	}, anymail.ForTypes(anymail.EventInbound))
	fmt.Println(d.Inbound.Receivers(), err)
	// Output: [tickets] <nil>
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, resendsim.New(), func(sample string) string {
		event, _, _ := strings.Cut(sample, "-")
		if event == "email.teleported" {
			return ""
		}
		return event
	})
}
