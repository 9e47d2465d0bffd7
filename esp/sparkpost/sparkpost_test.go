package sparkpost_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/sparkpost"
	"github.com/goanymail/anymail/esp/sparkpost/sparkpostsim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, sparkpostsim.New()) }

// parse gives a body to an endpoint's parser.
func parse(t testing.TB, endpoint, body string) []anymail.Event {
	t.Helper()
	return anymailtest.Parse(t, esptest.New(t, sparkpost.New, sparkpost.Config{}), simulator.JSON(endpoint, []byte(body)))
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name  string
		class string
		body  string
		want  anymail.TrackingEvent
	}{
		{
			name: "injection", class: "message_event",
			body: `{"type":"injection","event_id":"90000000000000001","timestamp":"1790000000","message_id":"0000aa","transmission_id":"30000000000000001",
				"rcpt_to":"ada@example.com","raw_rcpt_to":"Ada@example.com","campaign_id":"welcome","rcpt_meta":{"order":"42","deep":{"n":[9007199254740993]}},"rcpt_tags":["vip","new"]}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventQueued, ID: "90000000000000001", Timestamp: at},
				MessageID: "30000000000000001", Recipient: "Ada@example.com", Tags: []string{"welcome", "vip", "new"},
				Metadata: anymail.Metadata{"order": "42", "deep": map[string]any{"n": []any{json.Number("9007199254740993")}}},
			},
		},
		{
			name: "delivery, whose address is the receiving server's", class: "message_event",
			body: `{"type":"delivery","event_id":90000000000000002,"timestamp":1790000000,"transmission_id":"3","rcpt_to":"ada@example.com","ip_address":"192.0.2.25","num_retries":"0","rcpt_meta":[],"rcpt_tags":[]}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, ID: "90000000000000002", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com",
			},
		},
		{
			name: "delay, in the time format of the Events API", class: "message_event",
			body: `{"type":"delay","event_id":"3","timestamp":"2026-09-21T16:13:20.000+02:00","transmission_id":"3","raw_rcpt_to":"bob@example.com","bounce_class":"51","error_code":"451","reason":"451 4.7.1 try later","raw_reason":"451 4.7.1 try later, bob"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDeferred, ID: "3", Timestamp: at},
				MessageID: "3", Recipient: "bob@example.com", Description: "451 4.7.1 try later", MTAResponse: "451 4.7.1 try later, bob",
				Bounce: anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 451, EnhancedCode: "4.7.1"},
			},
		},
		{
			name: "bounce", class: "message_event",
			body: `{"type":"bounce","event_id":"4","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"nobody@example.com","bounce_class":"10","error_code":"550","reason":"550 5.1.1 no such user",
				"raw_reason":"550 5.1.1 <nobody@example.com> no such user","ip_address":"192.0.2.25","rcpt_meta":{"order":"43"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "4", Timestamp: at},
				MessageID: "3", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid, Metadata: anymail.Metadata{"order": "43"},
				Description: "550 5.1.1 no such user", MTAResponse: "550 5.1.1 <nobody@example.com> no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name: "bounce without transmission, raw reason or readable code", class: "message_event",
			body: `{"type":"out_of_band","event_id":"5","timestamp":"1790000000","message_id":"0000bb","raw_rcpt_to":"eve@example.com","bounce_class":22,"error_code":"","reason":"mailbox full"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, ID: "5", Timestamp: at},
				Recipient: "eve@example.com", RejectReason: anymail.RejectBounced, Description: "mailbox full", MTAResponse: "mailbox full",
				Bounce: anymail.Bounce{Category: anymail.BounceSoft},
			},
		},
		{
			name: "a rejection by SparkPost is not an answer of a server", class: "message_event",
			body: `{"type":"policy_rejection","event_id":"6","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"old@example.com","bounce_class":"25","error_code":"550","reason":"550 5.7.1 [internal] suppressed","raw_reason":"550 5.7.1 [internal] suppressed"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventRejected, ID: "6", Timestamp: at},
				MessageID: "3", Recipient: "old@example.com", RejectReason: anymail.RejectBlocked,
				Description: "550 5.7.1 [internal] suppressed",
			},
		},
		{
			name: "complaint", class: "message_event",
			body: `{"type":"spam_complaint","event_id":"7","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"ada@example.com","fbtype":"abuse"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventComplained, ID: "7", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", RejectReason: anymail.RejectSpam,
			},
		},
		{
			name: "template that fails", class: "gen_event",
			body: `{"type":"generation_failure","event_id":"8","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"ada@example.com","error_code":"554","reason":"error while rendering part html","raw_reason":"error while rendering part html"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventFailed, ID: "8", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", RejectReason: anymail.RejectOther, Description: "error while rendering part html",
			},
		},
		{
			name: "open", class: "track_event",
			body: `{"type":"open","event_id":"7c1f0a52-0000-4000-8000-000000000008","timestamp":"1790000000","injection_time":"2026-09-20T00:00:00.000Z","transmission_id":"3","raw_rcpt_to":"ada@example.com","ip_address":"192.0.2.10","user_agent":"Mozilla/5.0",
				"user_agent_parsed":{"agent_family":"Firefox","is_mobile":true,"is_proxy":false,"is_prefetched":false},"geo_ip":{"country":"DE","region":"BE","city":"Berlin","zip":10115,"latitude":52.5}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, ID: "7c1f0a52-0000-4000-8000-000000000008", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"),
				Geo: anymail.Geo{Country: "DE", Region: "BE", City: "Berlin"}, Automated: anymail.No,
			},
		},
		{
			name: "click by a proxy", class: "track_event",
			body: `{"type":"click","event_id":"9","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"ada@example.com","ip_address":"2001:db8::1","target_link_url":"https://example.org/a?b=c","target_link_name":"main","user_agent_parsed":{"is_proxy":true},"geo_ip":null}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, ID: "9", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", ClickURL: "https://example.org/a?b=c", IP: netip.MustParseAddr("2001:db8::1"), Automated: anymail.Yes,
			},
		},
		{
			name: "the first of two pixels", class: "track_event",
			body: `{"type":"initial_open","event_id":"10","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"ada@example.com","ip_address":"192.0.2.10","user_agent_parsed":{"is_proxy":false}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnknown, ID: "10", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", IP: netip.MustParseAddr("192.0.2.10"),
			},
		},
		{
			name: "unsubscribed by a link", class: "unsubscribe_event",
			body: `{"type":"link_unsubscribe","event_id":"11","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"ada@example.com","target_link_url":"https://example.org/unsub","user_agent":"Mozilla/5.0","ip_address":"192.0.2.10"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnsubscribed, ID: "11", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", RejectReason: anymail.RejectUnsubscribed,
				ClickURL: "https://example.org/unsub", UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"),
			},
		},
		{
			name: "a received message on its way is not a bounce of the user's", class: "relay_event",
			body: `{"type":"relay_permfail","event_id":"12","timestamp":"1790000000","msg_from":"ada@example.com","bounce_class":"10","error_code":"500","reason":"HTTP 500","raw_reason":"HTTP 500","ip_address":"192.0.2.25"}`,
			want: anymail.TrackingEvent{
				Common: anymail.Common{ID: "12", Timestamp: at}, Description: "HTTP 500",
			},
		},
		{
			name: "an ingested batch", class: "ingest_event",
			body: `{"type":"error","event_id":"13","timestamp":"1790000000","batch_id":"7c1f","number_failed":2}`,
			want: anymail.TrackingEvent{Common: anymail.Common{ID: "13", Timestamp: at}},
		},
		{
			name: "an unknown class", class: "moon_event",
			body: `{"type":"eclipse","event_id":"14","timestamp":"1790000000","transmission_id":"3","raw_rcpt_to":"ada@example.com","campaign_id":"moon"}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{ID: "14", Timestamp: at},
				MessageID: "3", Recipient: "ada@example.com", Tags: []string{"moon"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			element := `{"msys":{"` + tt.class + `":` + tt.body + `}}`
			events := parse(t, "tracking", "[ "+element+"]")
			require.Len(t, events, 1)
			tt.want.ESP = sparkpost.ESP
			anymailtest.Equal(t, &tt.want, events[0])
			require.Equal(t, element, string(events[0].Base().Raw))
		})
	}
}

func TestBounceClasses(t *testing.T) {
	// https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
	tests := map[string]struct {
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}{
		"1":   {anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
		"10":  {anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard},
		"20":  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"21":  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"22":  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"23":  {anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft},
		"24":  {anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft},
		"25":  {anymail.EventRejected, anymail.RejectBlocked, ""},
		"26":  {anymail.EventRejected, anymail.RejectBlocked, ""},
		"30":  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceHard},
		"40":  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"50":  {anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		"51":  {anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock},
		"52":  {anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock},
		"53":  {anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		"54":  {anymail.EventBounced, anymail.RejectBlocked, anymail.BounceBlock},
		"60":  {anymail.EventAutoresponded, "", ""},
		"70":  {anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft},
		"80":  {anymail.EventSubscribed, "", ""},
		"90":  {anymail.EventUnsubscribed, anymail.RejectUnsubscribed, ""},
		"100": {anymail.EventAutoresponded, "", ""},
		"777": {anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
		"":    {anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined},
	}
	for class, want := range tests {
		for _, typ := range []string{"bounce", "out_of_band"} {
			events := parse(t, "tracking", fmt.Sprintf(`[{"msys":{"message_event":{"type":%q,"bounce_class":%q}}}]`, typ, class))
			got := events[0].(*anymail.TrackingEvent)
			require.Equal(t, want.typ, got.Type, class)
			require.Equal(t, want.reason, got.RejectReason, class)
			require.Equal(t, want.category, got.Bounce.Category, class)
		}
	}
}

func TestAutomated(t *testing.T) {
	for agent, want := range map[string]anymail.Tri{
		`{"is_proxy":true,"is_prefetched":false}`:  anymail.Yes,
		`{"is_prefetched":true}`:                   anymail.Yes,
		`{"is_proxy":false,"is_prefetched":false}`: anymail.No,
		`{"is_prefetched":false}`:                  anymail.Unsaid,
		`{}`:                                       anymail.Unsaid,
		`null`:                                     anymail.Unsaid,
	} {
		events := parse(t, "tracking", `[{"msys":{"track_event":{"type":"open","user_agent_parsed":`+agent+`}}}]`)
		require.Equal(t, want, events[0].(*anymail.TrackingEvent).Automated, agent)
	}
}

func TestInitialOpens(t *testing.T) {
	adapter := esptest.New(t, sparkpost.New, sparkpost.Config{InitialOpens: true})
	for typ, want := range map[string]anymail.EventType{
		"initial_open": anymail.EventOpened, "amp_initial_open": anymail.EventOpened, "open": anymail.EventOpened, "relay_delivery": anymail.EventUnknown,
	} {
		events := anymailtest.Parse(t, adapter, simulator.JSON("tracking", []byte(`[{"msys":{"track_event":{"type":"`+typ+`"}}}]`)))
		require.Equal(t, want, events[0].Base().Type, typ)
	}
}

func TestBatches(t *testing.T) {
	open := func(id string) string { return `{"type":"open","event_id":"` + id + `"}` }
	tests := map[string]struct {
		body string
		ids  []string // of events; "?" for one that is malformed
	}{
		"a try among events":    {`[{"msys":{"track_event":` + open("1") + `}},{"msys":{}},{"msys":{"track_event":` + open("2") + `}}]`, []string{"1", "2"}},
		"several in an element": {`[{"msys":{"track_event":` + open("1") + `,"message_event":` + open("2") + `}}]`, []string{"1", "2"}},
		"too many in an element": {
			`[{"msys":{` + strings.Repeat(`"track_event":`+open("1")+`,`, 32) + `"track_event":` + open("2") + `}},{"msys":{"track_event":` + open("3") + `}}]`,
			[]string{"?", "3"},
		},
		"malformed elements": {
			`[{"msys":null},{"msys":[]},{},7,"msys",null,{"msys":{"track_event":null}},{"msys":{"track_event":"open"}},{"msys":{"track_event":` + open("1") + `}}]`,
			[]string{"?", "?", "?", "?", "?", "?", "?", "?", "1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, ev := range parse(t, "tracking", tt.body) {
				tracking := ev.(*anymail.TrackingEvent)
				require.Contains(t, tt.body, string(tracking.Raw))
				require.NotEmpty(t, tracking.Raw)
				id := tracking.ID
				if tracking.Type == anymail.EventUnknown && tracking.Description != "" {
					id = "?"
				}
				ids = append(ids, id)
			}
			require.Equal(t, tt.ids, ids)
		})
	}
	adapter := esptest.New(t, sparkpost.New, sparkpost.Config{})
	for _, body := range []string{``, `7`, `[{"msys":`, `[] []`, `[]`, `null`, `"msys"`} {
		_, err := simulator.Parse(adapter, simulator.JSON("tracking", []byte(body)))
		require.ErrorIs(t, err, anymail.ErrMalformed, body)
	}
}

// SparkPost tries a URL with a batch that has no event. Nothing else is answered so.
func TestURLCheck(t *testing.T) {
	for _, ep := range esptest.New(t, sparkpost.New, sparkpost.Config{}).Endpoints() {
		for body, want := range map[string]bool{
			//nolint:gocritic // white space is tested too
			`[{"msys":{}}]`: true, " [ {\"msys\" : { }} ]\n": true, `{"msys":{}}`: true,
			`[]`: false, `{}`: false, `null`: false, `[{"msys":null}]`: false, `[{"msys":{}},{}]`: false, `[{"msys":{"track_event":{}}}]`: false, `[{"msys":`: false,
		} {
			reply, err := ep.Handshake(t.Context(), &anymail.Payload{Body: []byte(body)})
			require.NoError(t, err)
			require.Equal(t, want, reply != nil, body)
		}
	}
}

// An unrecognized payload becomes an unknown event.
func TestUnrecognized(t *testing.T) {
	for body, want := range map[string]int{
		`{}`: 1, `{"hello":"world"}`: 1, `[{"type":"delivery"}]`: 1, `[null,7]`: 2, `[{"msys":{"new_event":{"type":"levitated"}}}]`: 1,
	} {
		for _, endpoint := range []string{"tracking", "inbound"} {
			events := parse(t, endpoint, body)
			require.Len(t, events, want, body)
			for _, ev := range events {
				require.Equal(t, anymail.EventUnknown, ev.Base().Type, body)
				require.Contains(t, body, string(ev.Base().Raw))
			}
		}
	}
}

// Without a bounce class the words of a rejection count, and it is due to a policy.
func TestRejections(t *testing.T) {
	for _, typ := range []string{"generation_rejection", "policy_rejection"} {
		for members, want := range map[string]anymail.RejectReason{
			`"reason":"554 5.7.1 Recipient address was suppressed due to customer policy"`: anymail.RejectBlocked,
			`"bounce_class":"","reason":"recipient unsubscribed"`:                          anymail.RejectUnsubscribed,
			`"bounce_class":"777","raw_reason":"550 suppressed: spam complaint"`:           anymail.RejectSpam,
			`"reason":"550 5.1.3 invalid recipient"`:                                       anymail.RejectInvalid,
			`"error_code":"554"`:                                                           anymail.RejectBlocked,
			`"bounce_class":"25","reason":"recipient unsubscribed"`:                        anymail.RejectBlocked,
			`"bounce_class":"10","reason":"no such recipient"`:                             anymail.RejectInvalid,
		} {
			events := parse(t, "tracking", `[{"msys":{"gen_event":{"type":"`+typ+`",`+members+`}}}]`)
			got := events[0].(*anymail.TrackingEvent)
			require.Equal(t, anymail.EventRejected, got.Type)
			require.Equal(t, want, got.RejectReason, "%s %s", typ, members)
		}
	}
}

// A message that cannot be read is delivered as such, with what could be read.
func TestInboundFailed(t *testing.T) {
	keys := map[string]bool{}
	for _, members := range []string{
		``, `"content":null`, `"content":"none"`, `"content":{}`, `"content":{"email_rfc822":7}`, `"content":{"email_rfc822":"","text":"Hi"}`,
		`"content":{"email_rfc822":"","email_rfc822_is_base64":true}`,
	} {
		body := `[{"msys":{"relay_message":{` + strings.TrimPrefix(members+`,"rcpt_to":"help@in.example.org"`, ",") + `}}}]`
		events := parse(t, "inbound", body)
		require.Len(t, events, 1)
		got := events[0].(*anymail.InboundEvent)
		require.False(t, keys[got.Key], "another one has this key")
		keys[got.Key] = true
		require.Equal(t, anymail.EventInboundFailed, got.Type, body)
		require.Equal(t, "help@in.example.org", got.Message.EnvelopeRecipient, body)
		require.Equal(t, body, "["+string(got.Raw)+"]")
	}
	events := parse(t, "inbound", `[{"msys":{"relay_message":"gone"}}]`)
	require.Equal(t, anymail.EventInboundFailed, events[0].Base().Type)
}

func TestInbound(t *testing.T) {
	mime := "Return-Path: <ada@example.com>\r\nFrom: Ada <ada@example.com>\r\nTo: help@in.example.org\r\nMessage-ID: <in1@example.com>\r\n" +
		"Date: Mon, 21 Sep 2026 16:13:20 +0200\r\nSubject: Question\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n"
	body := `[{"msys":{"relay_message":{"content":{"email_rfc822":"` + base64.StdEncoding.EncodeToString([]byte(mime)) + `","email_rfc822_is_base64":true,
		"headers":[{"Subject":"Not this"}],"subject":"Not this","text":"not this","to":["else@example.org"]},
		"customer_id":"1","friendly_from":"ada@example.com","msg_from":"bounce@example.com","rcpt_to":"alias@in.example.org","protocol":"smtp","webhook_id":"4000000000000001"}}}]`
	want := &anymail.InboundEvent{
		Common: anymail.Common{ESP: sparkpost.ESP, Type: anymail.EventInbound},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "alias@in.example.org", EnvelopeRecipients: []string{"alias@in.example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@in.example.org"}},
			Subject: "Question", Date: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), MessageID: "in1@example.com",
			Headers: anymail.Headers{
				{Name: "Return-Path", Value: "<ada@example.com>"},
				{Name: "From", Value: "Ada <ada@example.com>"},
				{Name: "To", Value: "help@in.example.org"},
				{Name: "Message-ID", Value: "<in1@example.com>"},
				{Name: "Date", Value: "Mon, 21 Sep 2026 16:13:20 +0200"},
				{Name: "Subject", Value: "Question"},
				{Name: "Content-Type", Value: "text/plain; charset=iso-8859-1"},
			},
			Text: "Grüße\r\n", RawMIME: anymail.Raw(mime),
		},
	}
	for _, endpoint := range []string{"inbound", "tracking"} { // SparkPost can be given the wrong URL
		events := parse(t, endpoint, body)
		require.Len(t, events, 1)
		anymailtest.Equal(t, want, events[0])
	}
}

func TestInboundText(t *testing.T) {
	events := parse(t, "inbound", `[{"msys":{"relay_message":{"content":{"email_rfc822":"From: ada@example.com\nSubject: Grüße\n\nHi","email_rfc822_is_base64":false},"msg_from":"","rcpt_to":"help@in.example.org"}}}]`)
	m := events[0].(*anymail.InboundEvent).Message
	require.Equal(t, "Grüße", m.Subject)
	require.Equal(t, "Hi", m.Text)
	require.Empty(t, m.EnvelopeSender)
	require.Equal(t, "help@in.example.org", m.EnvelopeRecipient)
}

// What is relayed by another protocol than SMTP has no message in it.
func TestInboundWithoutMIME(t *testing.T) {
	events := parse(t, "inbound", `[{"msys":{"relay_message":{"content":{"text":"Hi"},"protocol":"sms","msg_from":"15550100","rcpt_to":"15550101"}}}]`)
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common:  anymail.Common{ESP: sparkpost.ESP, Type: anymail.EventInboundFailed},
		Message: anymail.InboundMessage{EnvelopeSender: "15550100", EnvelopeRecipient: "15550101", EnvelopeRecipients: []string{"15550101"}},
	}, events[0])
}

func TestAuth(t *testing.T) {
	down := errors.New("down")
	check := func(_ context.Context, token string) error {
		switch token {
		case "checked":
			return nil
		case "later":
			return down
		}
		return anymail.Unauthenticated("token")
	}
	const token, custom, authorization = "X-MessageSystems-Webhook-Token", "X-Api-Key", "Authorization"
	all := sparkpost.Auth{
		Tokens: anymail.Keys("token-2", "token-1"), HeaderName: "x-api-key", HeaderValues: anymail.Keys("value"),
		BearerTokens: anymail.Keys("known"), CheckBearer: check,
	}
	tests := []struct {
		name    string
		auth    sparkpost.Auth
		header  http.Header
		refused error // nil if it is authentic
	}{
		{"nothing", all, http.Header{}, anymail.ErrUnauthenticated},
		{"token", all, http.Header{http.CanonicalHeaderKey(token): {"token-1"}}, nil},
		{"newer token", all, http.Header{http.CanonicalHeaderKey(token): {"token-2"}}, nil},
		{"wrong token", all, http.Header{http.CanonicalHeaderKey(token): {"token"}}, anymail.ErrUnauthenticated},
		{"token twice", all, http.Header{http.CanonicalHeaderKey(token): {"token-1", "token-1"}}, anymail.ErrUnauthenticated},
		{"header", all, http.Header{custom: {"value"}}, nil},
		{"wrong header", all, http.Header{custom: {"token-1"}}, anymail.ErrUnauthenticated},
		{"known bearer token", all, http.Header{authorization: {"Bearer known"}}, nil},
		{"checked bearer token", all, http.Header{authorization: {"bearer  checked"}}, nil},
		{"wrong bearer token", all, http.Header{authorization: {"Bearer token-1"}}, anymail.ErrUnauthenticated},
		{"empty bearer token", all, http.Header{authorization: {"Bearer "}}, anymail.ErrUnauthenticated},
		{"another scheme", all, http.Header{authorization: {"Basic checked"}}, anymail.ErrUnauthenticated},
		{"nobody can tell", all, http.Header{authorization: {"Bearer later"}}, down},
		{"not the way that was set", sparkpost.Auth{Tokens: anymail.Keys("token-1")}, http.Header{authorization: {"Bearer token-1"}}, anymail.ErrUnauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, config := range []sparkpost.Config{{Tracking: tt.auth}, {Inbound: tt.auth}} {
				adapter, err := sparkpost.New(config)
				require.NoError(t, err)
				endpoints := adapter.Endpoints()
				require.Nil(t, endpoints[1-i].Verifier, "what the other webhooks have proves nothing here")
				_, err = endpoints[i].Verifier.Verify(t.Context(), &anymail.Payload{Header: tt.header})
				require.ErrorIs(t, err, tt.refused)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for name, auth := range map[string]sparkpost.Auth{
		"empty token":        {Tokens: anymail.Keys("")},
		"empty value":        {HeaderName: "X-Api-Key", HeaderValues: anymail.Keys("a", "")},
		"empty bearer token": {BearerTokens: anymail.Keys("")},
		"values without a name": {
			HeaderValues: anymail.Keys("a"),
		},
		"a name without values": {HeaderName: "X-Api-Key"},
		"white space in a name": {HeaderName: "X-Api-Key ", HeaderValues: anymail.Keys("a")},
		"a colon in a name":     {HeaderName: "X-Api-Key:", HeaderValues: anymail.Keys("a")},
	} {
		_, err := sparkpost.New(sparkpost.Config{Inbound: auth})
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
}

// OAuth 2.0 has no room for a shared secret.
func TestBearerInsteadOfSecret(t *testing.T) {
	adapter, err := sparkpost.New(sparkpost.Config{
		Tracking: sparkpost.Auth{BearerTokens: anymail.Keys("access-token")},
		Inbound:  sparkpost.Auth{Tokens: anymail.Keys("token")},
	})
	require.NoError(t, err)
	sim := sparkpostsim.New()
	s := anymailtest.NewServerFor(t, sim, adapter, anymail.WithoutSharedSecret())
	r := s.Prepare(t, sim.Samples[0], simulator.NewParams())
	for header, want := range map[string]int{"Bearer access-token": 200, "Bearer other": 400, "": 400} {
		r.Header.Set("Authorization", header)
		status, _ := s.Post(t, r)
		require.Equal(t, want, status, header)
	}
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, sparkpostsim.New(), "tracking") }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, sparkpostsim.New(), "inbound") }

func Example() {
	d, err := anymail.New(anymail.WithSharedSecret("sparkpost:correct-horse-battery-staple"))
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := sparkpost.New(sparkpost.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("sparkpost", adapter); err != nil {
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

func TestPage(t *testing.T) {
	espdoc.Samples(t, sparkpostsim.New(), func(sample string) string {
		if class, ok := strings.CutPrefix(sample, "bounce-"); ok {
			return class
		}
		event, _, _ := strings.Cut(sample, "-")
		switch event {
		case "out_of_band", "batch", "teleport":
			return ""
		}
		return event
	})
}

// Several events in one element count as so many.
func TestTooManyEvents(t *testing.T) {
	adapter, err := sparkpost.New(sparkpost.Config{})
	require.NoError(t, err)
	body := `[{"msys":{"message_event":{"type":"delivery"},"track_event":{"type":"open"}}},{"msys":{"track_event":{"type":"open"}}}]`
	for most, want := range map[int]error{2: anymail.ErrTooLarge, 3: nil} {
		_, err = adapter.Endpoints()[0].Parser.ParseEvents(t.Context(), &anymail.Payload{Body: []byte(body), Limits: anymail.Limits{BatchEvents: most}})
		require.ErrorIs(t, err, want, most)
	}
}
