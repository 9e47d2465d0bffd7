package mandrill_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/mandrill"
	"github.com/goanymail/anymail/esp/mandrill/mandrillsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, mandrillsim.New()) }

// post makes a request of a batch to the adapter's root.
func post(batch string) simulator.Request {
	return simulator.URLEncoded("", url.Values{"mandrill_events": {batch}})
}

// parse gives a batch to the parser.
func parse(t testing.TB, batch string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, mandrill.New, mandrill.Config{}), post(batch))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name string
		body string
		want anymail.TrackingEvent
	}{
		{
			name: "send, with the time of the event and not of the message",
			body: `{"event":"send","_id":"m-1","ts":1790000000,"msg":{"ts":1780000000,"_id":"m-1","state":"sent","email":"ada@example.com",
				"tags":["welcome","b"],"metadata":{"order":42,"n":9007199254740993},"diag":null,"smtp_events":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventSent, Timestamp: at},
				MessageID: "m-1", Recipient: "ada@example.com", Tags: []string{"welcome", "b"},
				Metadata: anymail.Metadata{"order": json.Number("42"), "n": json.Number("9007199254740993")},
			},
		},
		{
			name: "delivered, metadata an empty list, no id but the message's",
			body: `{"event":"delivered","ts":"1790000000","msg":{"_id":"m-2","email":"ada@example.com","tags":null,"metadata":[],
				"smtp_events":[{"type":"deferred","diag":"451 later"},{"type":"sent","diag":"250 2.0.0 OK"}]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "m-2", Recipient: "ada@example.com", MTAResponse: "250 2.0.0 OK",
			},
		},
		{
			name: "deferral, whose response is in the history alone",
			body: `{"event":"deferral","_id":"m-3","ts":1790000000,"msg":{"email":"ada@example.com","smtp_events":[{"type":"deferred","diag":"451 4.3.5 try again later"}]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, Timestamp: at},
				MessageID: "m-3", Recipient: "ada@example.com", MTAResponse: "451 4.3.5 try again later",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 451, EnhancedCode: "4.3.5"},
			},
		},
		{
			name: "hard bounce",
			body: `{"event":"hard_bounce","_id":"m-4","ts":1790000000,"msg":{"email":"nobody@example.com","bounce_description":"bad_mailbox","bgtools_code":10,"diag":"smtp;550 5.1.1 no such user"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "m-4", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "bad_mailbox", MTAResponse: "smtp;550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "hard bounce in the spelling of prose, of which the code alone blames the address",
			body: `{"event":"hard-bounce","_id":"m-5","ts":1790000000,"msg":{"email":"nobody@example.com","bounce_description":"general","diag":"550-5.1.10 no mail here"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "m-5", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "general", MTAResponse: "550-5.1.10 no mail here",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.10"},
			},
		},
		{
			name: "soft bounce: Mandrill has given up",
			body: `{"event":"soft_bounce","_id":"m-6","ts":1790000000,"msg":{"email":"full@example.com","bounce_description":"mailbox_full","bgtools_code":22,"diag":"smtp;552 5.2.2 over quota"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "m-6", Recipient: "full@example.com", RejectReason: anymail.RejectBounced,
				Description: "mailbox_full", MTAResponse: "smtp;552 5.2.2 over quota",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 552, EnhancedCode: "5.2.2"},
			},
		},
		{
			name: "soft bounce of a message that had been taken",
			body: `{"event":"soft_bounce","_id":"m-6","ts":1790000000,"msg":{"email":"ada@example.com","bounce_description":"general","diag":"","smtp_events":[{"type":"sent","diag":"250 2.0.0 OK"}]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "m-6", Recipient: "ada@example.com", RejectReason: anymail.RejectBounced,
				Description: "general", Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "open by a robot",
			body: `{"event":"open","_id":"m-7","ts":1790000000,"ip":"192.0.2.10","user_agent":"Mozilla\/5.0",
				"location":{"country_short":"DE","country":"Germany","region":"Berlin","city":"Berlin","latitude":52.5},
				"user_agent_parsed":{"type":"Robot","ua_family":"Example","mobile":false},
				"msg":{"email":"ada@example.com","diag":"250 OK","opens":[{"ts":1790000000}]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, Timestamp: at},
				MessageID: "m-7", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"),
				Geo: anymail.Geo{Country: "DE", Region: "Berlin", City: "Berlin"}, Automated: anymail.Yes,
			},
		},
		{
			name: "click about which Mandrill knows little",
			body: `{"event":"click","_id":"m-8","ts":1790000000,"url":"https:\/\/example.org\/x?a=1&b=2","ip":"2001:db8::1","location":null,"user_agent":null,"user_agent_parsed":[],
				"msg":{"email":"ada@example.com"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				MessageID: "m-8", Recipient: "ada@example.com", ClickURL: "https://example.org/x?a=1&b=2", IP: netip.MustParseAddr("2001:db8::1"),
			},
		},
		{
			name: "spam",
			body: `{"event":"spam","_id":"m-9","ts":1790000000,"msg":{"state":"sent","email":"ada@example.com"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, Timestamp: at},
				MessageID: "m-9", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam,
			},
		},
		{
			name: "unsub",
			body: `{"event":"unsub","_id":"m-10","ts":1790000000,"msg":{"state":"sent","email":"ada@example.com"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, Timestamp: at},
				MessageID: "m-10", Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
			},
		},
		{
			name: "reject without a reason, as documented",
			body: `{"event":"reject","_id":"m-11","ts":1790000000,"msg":{"state":"rejected","email":"ada@example.com","reject":null}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, Timestamp: at},
				MessageID: "m-11", Recipient: "ada@example.com", RejectReason: anymail.RejectOther,
			},
		},
		{
			name: "reject with an entry of the deny list",
			body: `{"event":"reject","_id":"m-12","ts":1790000000,"msg":{"email":"ada@example.com","reject":{"reason":"soft-bounce","last_event_at":"2026-09-01 00:00:00"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, Timestamp: at},
				MessageID: "m-12", Recipient: "ada@example.com", RejectReason: anymail.RejectOther, Description: "soft-bounce",
			},
		},
		{
			name: "deny list, by its older name, is not an event of a message",
			body: `{"type":"blacklist","action":"add","ts":1790000000,"reject":{"reason":"spam","detail":"reported","email":"ada@example.com","expired":false}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Timestamp: at},
				Recipient: "ada@example.com", RejectReason: anymail.RejectSpam, Description: "blacklist add: reported",
			},
		},
		{
			name: "allow list, by its older name and place",
			body: `{"type":"whitelist","action":"remove","ts":1790000000,"entry":{"email":"bob@example.com","detail":null,"created_at":"2026-09-01 00:00:00"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Timestamp: at},
				Recipient: "bob@example.com", Description: "whitelist remove",
			},
		},
		{
			name: "unknown event",
			body: `{"event":"teleport","_id":"m-13","ts":1790000000.5,"msg":{"email":"ada@example.com","metadata":{"order":"42"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Timestamp: at.Add(500 * time.Millisecond)},
				MessageID: "m-13", Recipient: "ada@example.com", Metadata: anymail.Metadata{"order": "42"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := parse(t, "["+tt.body+"]")
			require.Len(t, events, 1)
			tt.want.ESP = mandrill.ESP
			anymailtest.Equal(t, &tt.want, events[0])
			require.Equal(t, tt.body, string(events[0].Base().Raw))
		})
	}
}

func TestBounceDescriptions(t *testing.T) {
	tests := map[string]struct {
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}{
		"bad_mailbox":         {anymail.RejectInvalid, anymail.BounceSoft},
		"invalid_domain":      {anymail.RejectInvalid, anymail.BounceSoft},
		"general":             {anymail.RejectBounced, anymail.BounceSoft},
		"dns_failure":         {anymail.RejectBounced, anymail.BounceSoft},
		"timeout":             {anymail.RejectTimedOut, anymail.BounceSoft},
		"message_too_large":   {anymail.RejectOther, anymail.BounceSoft},
		"mail_block":          {anymail.RejectBlocked, anymail.BounceBlock},
		"relay_denied":        {anymail.RejectBlocked, anymail.BounceBlock},
		"attachment_detected": {anymail.RejectBlocked, anymail.BounceBlock},
		"spam_block":          {anymail.RejectSpam, anymail.BounceBlock},
		"Spam-Detected":       {anymail.RejectSpam, anymail.BounceBlock},
		"undetermined":        {anymail.RejectBounced, anymail.BounceUndetermined},
		"new_and_strange":     {anymail.RejectBounced, anymail.BounceSoft},
	}
	for description, want := range tests {
		events := parse(t, fmt.Sprintf(`[{"event":"soft_bounce","_id":"m","ts":1,"msg":{"bounce_description":%q}}]`, description))
		got := events[0].(*anymail.TrackingEvent)
		require.Equal(t, anymail.EventBounced, got.Type, description)
		require.Equal(t, want.reason, got.RejectReason, description)
		require.Equal(t, want.category, got.Bounce.Category, description)
		if want.category != anymail.BounceSoft || want.reason == anymail.RejectTimedOut || want.reason == anymail.RejectOther {
			espdoc.Row(t, mandrill.ESP, strings.ReplaceAll(description, "-", "_"), got)
		}
	}
	for _, answered := range []string{"auto_reply", "challenge_response"} {
		got := parse(t, fmt.Sprintf(`[{"event":"soft_bounce","_id":"m","ts":1,"msg":{"bounce_description":%q}}]`, answered))[0].(*anymail.TrackingEvent)
		require.Equal(t, anymail.EventAutoresponded, got.Type, answered)
		require.Empty(t, got.RejectReason, answered)
		espdoc.Row(t, mandrill.ESP, answered, got)
		require.Zero(t, got.Bounce, answered)
	}
}

// The page says what the adapter does.
func TestPage(t *testing.T) {
	for words, event := range map[string]string{
		"send": `"event":"send"`, "delivered": `"event":"delivered"`, "deferral": `"event":"deferral"`, "open": `"event":"open"`,
		"click": `"event":"click"`, "spam": `"event":"spam"`, "unsub": `"event":"unsub"`, "anything else": `"event":"teleport"`,
	} {
		espdoc.Row(t, mandrill.ESP, words, parse(t, "[{"+event+"}]")[0].(*anymail.TrackingEvent))
	}
}

func TestRejectReasons(t *testing.T) {
	// https://mailchimp.com/developer/transactional/api/messages/send-new-message/
	for word, want := range map[string]anymail.RejectReason{
		"hard-bounce":     anymail.RejectBounced,
		"hard_bounce":     anymail.RejectBounced,
		"spam":            anymail.RejectSpam,
		"unsub":           anymail.RejectUnsubscribed,
		"Custom":          anymail.RejectBlocked,
		"rule":            anymail.RejectBlocked,
		"recipient-block": anymail.RejectBlocked,
		"invalid":         anymail.RejectInvalid,
		"invalid-sender":  anymail.RejectOther,
		"test-mode-limit": anymail.RejectOther,
		"unsigned":        anymail.RejectOther,
		"whim":            anymail.RejectOther,
	} {
		for _, form := range []string{`"reject":%q`, `"reject":null,"reject_reason":%q`, `"reject":{"reason":%q}`} {
			events := parse(t, `[{"event":"reject","_id":"m","ts":1,"msg":{`+fmt.Sprintf(form, word)+`}}]`)
			got := events[0].(*anymail.TrackingEvent)
			require.Equal(t, want, got.RejectReason, "%s in %s", word, form)
			require.Equal(t, word, got.Description)
		}
	}
}

// Nothing of the message's history makes another event of it, and two links
// clicked in one second are two events.
func TestKeys(t *testing.T) {
	key := func(batch string) string { return parse(t, batch)[0].Base().Key }
	const click = `[{"event":"click","_id":"m","ts":1790000000,"url":"https://example.org/%s","ip":"192.0.2.1","msg":{"_version":"%s","email":"ada@example.com","clicks":%s}}]`
	first := key(fmt.Sprintf(click, "a", "v1", "[]"))
	require.NotEmpty(t, first)
	require.Equal(t, first, key(fmt.Sprintf(click, "a", "v2", `[{"ts":1790000000}]`)))
	require.NotEqual(t, first, key(fmt.Sprintf(click, "b", "v1", "[]")))
}

func TestInbound(t *testing.T) {
	raw := "Return-Path: <bounce@example.com>\nReceived: from mx.example.com by in.example.org; Mon, 21 Sep 2026 14:20:00 +0000\n" +
		"From: Bob <bob@example.com>\nTo: help@example.org\nSubject: Hello\nMessage-Id: <m1@example.com>\n" +
		"Date: Mon, 21 Sep 2026 16:13:20 +0200\nContent-Type: text/plain; charset=utf-8\n\nGrüße\n"
	quoted, err := json.Marshal(raw)
	require.NoError(t, err)
	body := `[{"event":"inbound","ts":1790000400,"msg":{"raw_msg":` + string(quoted) + `,"headers":[],"text":"not this","from_email":"else@example.com","email":"alias@example.org",
		"spf":{"result":"Pass","detail":"authorized"},"dkim":{"signed":true,"valid":false},"spam_report":{"score":1.5,"matched_rules":[]},"attachments":[],"images":[],"tags":[],"sender":null}}]`
	score := 1.5
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: mandrill.ESP, Type: anymail.EventInbound, Timestamp: time.Date(2026, 9, 21, 14, 20, 0, 0, time.UTC)},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "alias@example.org", EnvelopeRecipients: []string{"alias@example.org"},
			From: []anymail.Address{{Name: "Bob", Address: "bob@example.com"}}, To: []anymail.Address{{Address: "help@example.org"}},
			Subject: "Hello", Date: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), MessageID: "m1@example.com",
			Headers: anymail.Headers{
				{Name: "Return-Path", Value: "<bounce@example.com>"},
				{Name: "Received", Value: "from mx.example.com by in.example.org; Mon, 21 Sep 2026 14:20:00 +0000"},
				{Name: "From", Value: "Bob <bob@example.com>"},
				{Name: "To", Value: "help@example.org"},
				{Name: "Subject", Value: "Hello"},
				{Name: "Message-Id", Value: "<m1@example.com>"},
				{Name: "Date", Value: "Mon, 21 Sep 2026 16:13:20 +0200"},
				{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
			},
			Text: "Grüße\n", SpamScore: &score,
			Authentication: anymail.Authentication{SPF: "pass", DKIM: "fail"},
			RawMIME:        anymail.Raw(raw),
		},
	}
	events := parse(t, body)
	require.Len(t, events, 1)
	anymailtest.Equal(t, want, events[0])
}

// A message that is not UTF-8 is damaged in raw_msg, but not in what Mandrill
// decoded.
func TestInboundDamaged(t *testing.T) {
	body := `[{"event":"inbound","ts":1790000400,"msg":{
		"raw_msg":"From: bob@example.com\nSubject: Frage\nContent-Type: text/plain; charset=iso-8859-1\n\nGr\ufffd\ufffde\n",
		"text":"Grüße\n","html":"<p>Grüße</p>","from_email":"bob@example.com","from_name":"Bob","subject":"Frage","email":"help@example.org",
		"attachments":{
			"z.txt":{"name":"z.txt","type":"text/plain","content":"plain text","base64":false},
			"a.bin":{"name":"a.bin","type":"application/octet-stream","content":"AAEC","base64":true},
			"old.bin":{"name":"old.bin","type":"application/octet-stream","content":"AwQF"},
			"old.txt":{"type":"text/plain; charset=utf-8","content":"AwQF"}},
		"images":{"logo1":{"name":"logo.png","type":"image/png","content":"iVBORw0KGgo="}},
		"spf":null,"dkim":{"signed":false,"valid":false},"spam_report":{}}}]`
	events := parse(t, body)
	require.Len(t, events, 1)
	m := events[0].(*anymail.InboundEvent).Message
	require.Equal(t, []anymail.Address{{Name: "Bob", Address: "bob@example.com"}}, m.From)
	require.Equal(t, "Grüße\n", m.Text)
	require.Equal(t, "<p>Grüße</p>", m.HTML)
	require.Equal(t, anymail.Authentication{DKIM: "none"}, m.Authentication)
	require.Nil(t, m.SpamScore)
	require.Equal(t, []anymail.Attachment{
		{Filename: "z.txt", ContentType: "text/plain", Disposition: "attachment", Size: 10, Content: []byte("plain text")},
		{Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: 3, Content: []byte{0, 1, 2}},
		{Filename: "old.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: 3, Content: []byte{3, 4, 5}},
		{Filename: "old.txt", ContentType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Disposition: "attachment", Size: 4, Content: []byte("AwQF")},
		{Filename: "logo.png", ContentType: "image/png", Disposition: "inline", ContentID: "logo1", Size: 8, Content: []byte("\x89PNG\r\n\x1a\n")},
	}, m.Attachments)
}

// Return-Path is Mandrill's only on top.
func TestInboundReturnPath(t *testing.T) {
	for raw, want := range map[string]string{
		"Return-Path: <a@example.com>\nReceived: from a\nSubject: Hi\n\nHi": "a@example.com",
		"X-Spam: no\nReturn-Path: <a@example.com>\nReceived: from a\n\nHi":  "a@example.com",
		"Received: from a\nReturn-Path: <ceo@example.com>\n\nHi":            "",
		"Return-Path: <ceo@example.com>\nSubject: Hi\n\nHi":                 "",
	} {
		quoted, err := json.Marshal(raw)
		require.NoError(t, err)
		events := parse(t, `[{"event":"inbound","ts":1,"msg":{"raw_msg":`+string(quoted)+`}}]`)
		require.Equal(t, want, events[0].(*anymail.InboundEvent).Message.EnvelopeSender, raw)
	}
	events := parse(t, `[{"event":"inbound","ts":1,"msg":{"headers":{"Return-Path":"<ceo@example.com>","Received":"from a"},"text":"Hi"}}]`)
	require.Empty(t, events[0].(*anymail.InboundEvent).Message.EnvelopeSender)
}

// Without the raw message the recipients are in to and cc.
func TestInboundRecipients(t *testing.T) {
	ada, bob := anymail.Address{Name: "Ada", Address: "ada@example.org"}, anymail.Address{Address: "bob@example.org"}
	for members, want := range map[string]anymail.InboundMessage{
		`"to":[["ada@example.org","Ada"],["bob@example.org",null]],"cc":[["bob@example.org"]]`: {To: []anymail.Address{ada, bob}, CC: []anymail.Address{bob}},
		`"to":[["ada@example.org","Ada"]],"headers":{"Cc":"bob@example.org"}`:                  {To: []anymail.Address{ada}, CC: []anymail.Address{bob}},
		`"to":["bob@example.org",[],[null,"x"],7],"cc":null`:                                   {To: []anymail.Address{bob}},
		`"raw_msg":"To: Gr\ufffd <ada@example.org>\nCc: bob@example.org\n\nHi","to":[["ada@example.org","Ada"]]`: {
			To: []anymail.Address{ada}, CC: []anymail.Address{bob},
		},
		`"raw_msg":"To: bob@example.org\n\nHi","to":[["ada@example.org","Ada"]]`: {To: []anymail.Address{bob}}, // it is the better source
	} {
		events := parse(t, `[{"event":"inbound","ts":1,"msg":{`+members+`}}]`)
		got := events[0].(*anymail.InboundEvent)
		require.Equal(t, anymail.EventInbound, got.Type)
		require.Equal(t, want.To, got.Message.To, members)
		require.Equal(t, want.CC, got.Message.CC, members)
	}
}

func TestInboundWithoutRaw(t *testing.T) {
	events := parse(t, `[{"event":"inbound","ts":1790000400,"msg":{"headers":{"To":"help@example.org","Received":["from a","from b"]},
		"text":"Hi","from_email":"bob@example.com","from_name":null,"subject":"Hello","email":"help@example.org"}}]`)
	m := events[0].(*anymail.InboundEvent).Message
	require.Equal(t, []anymail.Address{{Address: "bob@example.com"}}, m.From)
	require.Equal(t, []anymail.Address{{Address: "help@example.org"}}, m.To)
	require.Equal(t, []string{"from a", "from b"}, m.Headers.Values("received"))
	require.Equal(t, "Hello", m.Subject)
	require.Equal(t, "Hi", m.Text)
	require.Nil(t, m.RawMIME)
}

func TestMalformed(t *testing.T) {
	for name, r := range map[string]simulator.Request{
		"no field":  simulator.URLEncoded("", url.Values{"events": {"[]"}}),
		"no JSON":   post("[{]"),
		"a string":  post(`"[]"`),
		"truncated": post(`[{"event":"send"}`),
	} {
		adapter := esptest.New(t, mandrill.New, mandrill.Config{})
		events, err := simulator.Parse(adapter, r)
		require.ErrorIs(t, err, anymail.ErrMalformed, name)
		require.Empty(t, events, name)
	}

	events := parse(t, `[{"event":["inbound"],"ts":1790000400},7,{"event":"send","_id":"m","ts":1,"msg":null},{"event":"send","msg":{"smtp_events":7}}]`)
	require.Len(t, events, 4)
	for i, typ := range []anymail.EventType{anymail.EventUnknown, anymail.EventUnknown, anymail.EventSent, anymail.EventUnknown} {
		got := events[i].(*anymail.TrackingEvent)
		require.Equal(t, typ, got.Type)
		require.Equal(t, typ == anymail.EventUnknown && i > 0, got.Description != "")
	}
}

// An inbound event with a message that cannot be read is delivered as such, with
// what could be read.
func TestInboundFailed(t *testing.T) {
	keys := map[string]bool{}
	at := time.Date(2026, 9, 21, 14, 20, 0, 0, time.UTC)
	for _, msg := range []string{
		``, `,"msg":null`, `,"msg":[]`, `,"msg":"From: a"`, `,"msg":{"email":"help@example.org"}`, `,"msg":{"raw_msg":7,"headers":[],"email":"help@example.org"}`,
		`,"msg":{"raw_msg":"","headers":{},"text":null,"email":"help@example.org","spf":{"result":"pass"}}`,
	} {
		event := `{"event":"inbound","ts":1790000400` + msg + `}`
		events := parse(t, `[`+event+`,{"event":"send","_id":"m","ts":1}]`)
		require.Len(t, events, 2)
		got := events[0].(*anymail.InboundEvent)
		require.False(t, keys[got.Key], "another one has this key")
		keys[got.Key] = true
		require.Equal(t, anymail.EventInboundFailed, got.Type, msg)
		require.Equal(t, at, got.Timestamp)
		require.JSONEq(t, event, string(got.Raw))
		if strings.Contains(msg, "help@example.org") {
			require.Equal(t, "help@example.org", got.Message.EnvelopeRecipient, msg)
		}
	}
}

// An unrecognized payload becomes an unknown event, or is refused; an empty batch is
// Mandrill's test.
func TestUnrecognized(t *testing.T) {
	adapter := esptest.New(t, mandrill.New, mandrill.Config{})
	for batch, want := range map[string]int{
		`{}`: 1, `{"hello":"world"}`: 1, `[{"event":"levitated"}]`: 1, `[null,7]`: 2, `null`: 0, `"send"`: 0, ``: 0, `[ ]`: 0,
	} {
		events, err := simulator.Parse(adapter, post(batch))
		require.Len(t, events, want, batch)
		if want == 0 {
			require.ErrorIs(t, err, anymail.ErrMalformed, batch)
		}
		for _, ev := range events {
			require.Equal(t, anymail.EventUnknown, ev.Base().Type, batch)
			require.Contains(t, batch, string(ev.Base().Raw))
		}
	}
	for _, ep := range adapter.Endpoints() {
		for batch, want := range map[string]bool{`[]`: true, `{}`: false, `null`: false} {
			r := post(batch)
			reply, err := ep.Handshake(t.Context(), &anymail.Payload{Header: r.Header, Body: r.Body})
			require.NoError(t, err)
			require.Equal(t, want, reply != nil, batch)
		}
	}
}

// The signatures were computed apart from this code, by
// base64(hmac_sha1(key, URL + name + value + ...)).
func TestSignature(t *testing.T) {
	const (
		called = "https://hooks.example.com/anymail/mandrill/?src=m"
		key    = "aKeyThatMandrillShows1"
		send   = `[{"event":"send","_id":"m-1","ts":1790000000,"msg":{"email":"ada@example.com","subject":"Gr\u00fc\u00dfe + more \/ 100%"}}]`
	)
	events := url.Values{"mandrill_events": {send}}
	test := url.Values{"mandrill_events": {"[]"}}
	tests := []struct {
		name      string
		config    mandrill.Config
		user      *url.Userinfo
		fields    url.Values
		signature string
		authentic bool
		test      bool // by the key that Mandrill publishes
	}{
		{name: "plain", fields: events, signature: "KT85yN9+eFQaJEOWoyLNonvBvrE=", authentic: true},
		{name: "the second key", config: mandrill.Config{SigningKeys: anymail.Keys("another", key)}, fields: events, signature: "KT85yN9+eFQaJEOWoyLNonvBvrE=", authentic: true},
		{name: "another key", config: mandrill.Config{SigningKeys: anymail.Keys("another")}, fields: events, signature: "KT85yN9+eFQaJEOWoyLNonvBvrE="},
		{name: "further fields", fields: url.Values{"zone": {"x y"}, "a": {"é"}, "mandrill_events": {send}}, signature: "tzlEfWh/74X/g1SNUxdkeoJ8qmA=", authentic: true},
		{name: "further fields that were not signed", fields: url.Values{"a": {"é"}, "mandrill_events": {send}}, signature: "KT85yN9+eFQaJEOWoyLNonvBvrE="},
		{name: "repeated field", fields: url.Values{"mandrill_events": {send, ""}}, signature: "KT85yN9+eFQaJEOWoyLNonvBvrE="},
		{name: "credentials in the URL, escaped", user: url.UserPassword("user", "p@ss"), fields: events, signature: "BKBT7EH6W2bHqMB7FwhPqKywgpY=", authentic: true},
		{name: "credentials in the URL, as they are", user: url.UserPassword("user", "p@ss"), fields: events, signature: "SSR3Sl3+R9YEdTdvSdKBWAu33fc=", authentic: true},
		{name: "credentials that were not in the URL", user: url.UserPassword("user", "p@ss"), fields: events, signature: "KT85yN9+eFQaJEOWoyLNonvBvrE=", authentic: true},
		{name: "other credentials than signed", user: url.UserPassword("user", "other"), fields: events, signature: "BKBT7EH6W2bHqMB7FwhPqKywgpY="},
		{name: "another URL than called", fields: events, signature: "fap87BSqejrrpuT0y2i4pqiYXE8="},
		{
			name: "another URL than called, as configured", config: mandrill.Config{URLs: []string{"https://entered.example.com:443/Hook"}},
			fields: events, signature: "fap87BSqejrrpuT0y2i4pqiYXE8=", authentic: true,
		},
		{name: "no events, own key", fields: test, signature: "Cw0mzT7XRvvhvKCEKCzdDiSUKXs=", authentic: true},
		{name: "no events, the test's key", fields: test, signature: "kp3A9imd7U0DztLSKNpA+q0KXGc=", authentic: true, test: true},
		{name: "no events, the test's key, before there is another", config: mandrill.Config{SigningKeys: anymail.Keys()}, fields: test, signature: "kp3A9imd7U0DztLSKNpA+q0KXGc=", authentic: true, test: true},
		{name: "the test's key proves no event", fields: events, signature: "asz03CzAlCLML8pf5ilKbirde4s="},
		{name: "the test's key proves no event, before there is another", config: mandrill.Config{SigningKeys: anymail.Keys()}, fields: events, signature: "asz03CzAlCLML8pf5ilKbirde4s="},
		{name: "unsigned", fields: events},
		{name: "unsigned test", fields: test},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config.SigningKeys == nil {
				tt.config.SigningKeys = anymail.Keys(key)
			}
			adapter, err := mandrill.New(tt.config)
			require.NoError(t, err)
			r := simulator.URLEncoded("", tt.fields)
			if tt.user != nil {
				password, _ := tt.user.Password()
				simulator.SetSecret(&r, tt.user.Username()+":"+password)
			}
			if tt.signature != "" {
				r.Header.Set("X-Mandrill-Signature", tt.signature)
			}
			for _, ep := range adapter.Endpoints() {
				proof, err := ep.Verifier.Verify(t.Context(), &anymail.Payload{URL: called, Header: r.Header, Body: r.Body})
				if tt.authentic {
					require.NoError(t, err)
					require.Equal(t, tt.test, proof.TestKey)
					require.Equal(t, tt.test, proof.Fingerprint == nil, "what anyone can sign is not remembered")
				} else {
					require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				}
			}
		})
	}
}

// A body that is not a form cannot be verified, and is not reported as authentic.
func TestSignatureOfNoForm(t *testing.T) {
	adapter := esptest.New(t, mandrill.New, mandrill.Config{SigningKeys: anymail.Keys("key")})
	for _, contentType := range []string{"", "application/json", "application/x-www-form-urlencoded"} {
		header := http.Header{"Content-Type": {contentType}, "X-Mandrill-Signature": {"KT85yN9+eFQaJEOWoyLNonvBvrE="}}
		_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: header, Body: []byte("%zz")})
		require.ErrorIs(t, err, anymail.ErrUnauthenticated, contentType)
	}
}

func TestSignatureKeysOutOfReach(t *testing.T) {
	down := errors.New("down")
	adapter, err := mandrill.New(mandrill.Config{SigningKeys: anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, down })})
	require.NoError(t, err)
	r := post("[{}]")
	r.Header.Set("X-Mandrill-Signature", "KT85yN9+eFQaJEOWoyLNonvBvrE=")
	_, err = adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: r.Header, Body: r.Body})
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.ErrorIs(t, err, down)
}

// Before there is a key Mandrill tries the URL by HEAD and, if that fails,
// by a batch of no events, whenever the user saves the webhook.
func TestURLCheck(t *testing.T) {
	sim := mandrillsim.New()
	adapter := esptest.New(t, mandrill.New, mandrill.Config{SigningKeys: anymail.NewKeyRing()})
	s := anymailtest.NewServerFor(t, sim, adapter)
	s.Credential = simulator.Credential{Config: "test-webhook"}
	test, _ := sim.Sample("test")
	for range 2 {
		head := s.Address(t, simulator.Request{Method: http.MethodHead})
		head.Header = nil
		status, _ := s.Post(t, head)
		require.Equal(t, http.StatusOK, status)
		status, _ = s.Post(t, s.Prepare(t, test, simulator.NewParams()))
		require.Equal(t, http.StatusOK, status)
	}
	for _, sample := range sim.Samples {
		if len(sample.Types) > 0 {
			status, _ := s.Post(t, s.Prepare(t, sample, simulator.NewParams()))
			require.Equal(t, http.StatusBadRequest, status, sample.Name)
		}
	}
	require.Empty(t, s.Take())
}

// Each way to reach the adapter has its own URL to be signed, with or without
// the last slash.
func TestPaths(t *testing.T) {
	sim := mandrillsim.New()
	s := anymailtest.NewServer(t, sim)
	sample, _ := sim.Sample("mixed")
	for _, path := range []string{"/mandrill", "/mandrill/", "/mandrill/tracking", "/mandrill/tracking/", "/mandrill/inbound", "/mandrill/inbound/?a=b%20c"} {
		r := s.Address(t, sample.Make(simulator.NewParams()))
		r.URL = s.URL + path
		require.NoError(t, sim.SignNow(&r, s.Credential))
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status, path)
		require.Len(t, s.Take(), 3, path)
	}
}

func TestBehindProxy(t *testing.T) {
	sim := mandrillsim.New()
	sample, _ := sim.Sample("open")
	for name, option := range map[string]anymail.Option{
		"public URL":    anymail.WithPublicURL("https://hooks.example.com/anymail"),
		"trusted proxy": anymail.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")),
	} {
		s := anymailtest.NewServer(t, sim, option)
		r := s.Address(t, sample.Make(simulator.NewParams()))
		inside := r.URL
		r.URL = "https://hooks.example.com/anymail/mandrill/"
		require.NoError(t, sim.SignNow(&r, s.Credential))
		r.URL = inside
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "hooks.example.com")
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status, name)
	}
}

func TestConfig(t *testing.T) {
	for _, entered := range []string{"", "hooks.example.com/mandrill/", "ftp://hooks.example.com/", "https:///mandrill/", "https://a b/", "https://hooks.example.com/ "} {
		_, err := mandrill.New(mandrill.Config{URLs: []string{"https://hooks.example.com/", entered}})
		require.ErrorIs(t, err, anymail.ErrConfig, entered)
		require.False(t, entered != "" && strings.Contains(err.Error(), entered), "the error holds a URL, which may hold a password")
	}
	_, err := mandrill.New(mandrill.Config{SigningKeys: anymail.Keys("key", "")})
	require.ErrorIs(t, err, anymail.ErrConfig)
}

func FuzzEvents(f *testing.F) { anymailtest.FuzzParser(f, mandrillsim.New(), "") }

// Whoever has no key cannot make anything but the test of a URL.
func FuzzSignature(f *testing.F) {
	adapter, err := mandrill.New(mandrill.Config{SigningKeys: anymail.Keys(mandrillsim.New().NewCredential().Config)})
	if err != nil {
		f.Fatal(err)
	}
	const called = "https://hooks.example.com/anymail/mandrill/?src=m"
	f.Add(called, "kp3A9imd7U0DztLSKNpA+q0KXGc=", "", []byte("mandrill_events=%5B%5D"))
	f.Add(called, "asz03CzAlCLML8pf5ilKbirde4s=", "Basic dXNlcjpwQHNz", []byte("mandrill_events=%5B%7B%7D%5D&a=b"))
	f.Add("mandrill", "asz03CzAlCLML8pf5ilKbirde4s", "Basic", []byte("mandrill_events=[]&mandrill_events=[]"))
	f.Fuzz(func(t *testing.T, called, signature, authorization string, body []byte) {
		header := http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "X-Mandrill-Signature": {signature}, "Authorization": {authorization},
		}
		_, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{URL: called, Header: header, Body: body})
		if err == nil {
			form, err := url.ParseQuery(string(body))
			require.NoError(t, err)
			require.Equal(t, "[]", form.Get("mandrill_events"))
			return
		}
		require.ErrorIs(t, err, anymail.ErrUnauthenticated)
	})
}

func Example() {
	d, err := anymail.New(anymail.WithPublicURL("https://hooks.example.com/anymail"))
	if err != nil {
		fmt.Println(err)
		return
	}
	keys := anymail.NewKeyRing() // accepts Mandrill's test of the URL and nothing else
	adapter, err := mandrill.New(mandrill.Config{SigningKeys: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("mandrill", adapter); err != nil {
		fmt.Println(err)
		return
	}
	keys.Set("the webhook's key", "the inbound route's key") // as Mandrill shows them after the test
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, "bounced:", ev.RejectReason)
		return nil
	}, anymail.ForTypes(anymail.EventBounced))
	fmt.Println(d.Tracking.Receivers(), err)
	// Output: [suppress] <nil>
}
