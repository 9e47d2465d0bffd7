package unisendergo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
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
	"github.com/goanymail/anymail/esp/unisendergo"
	"github.com/goanymail/anymail/esp/unisendergo/unisendergosim"
	"github.com/goanymail/anymail/internal/espdoc"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, unisendergosim.New()) }

// parse gives one event to the parser.
func parse(t testing.TB, config unisendergo.Config, event string) *anymail.TrackingEvent {
	t.Helper()
	body := fmt.Sprintf(`{"auth":"","events_by_user":[{"user_id":456,"project_id":"6000000000000001","events":[%s]}]}`, event)
	events := anymailtest.Parse(t, esptest.New(t, unisendergo.New, config), simulator.JSON("tracking", []byte(body)))
	require.Len(t, events, 1)
	require.JSONEq(t, event, string(events[0].Base().Raw))
	return events[0].(*anymail.TrackingEvent)
}

func TestTracking(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	tests := []struct {
		name  string
		event string
		want  anymail.TrackingEvent
	}{
		{
			name: "delivered",
			event: `{"event_name":"transactional_email_status","event_data":{"job_id":"1abcDE-0000F0-Ab","metadata":{"order":"42","anymail_id":"of-the-recipient"},
				"email":"ada@example.com","status":"delivered","event_time":"2026-09-21 14:13:20",
				"delivery_info":{"delivery_status":"ok_delivered","destination_response":"250 2.0.0 OK","sender_ip":"192.0.2.1"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventDelivered, Timestamp: at},
				MessageID: "1abcDE-0000F0-Ab", Recipient: "ada@example.com", Description: "ok_delivered", MTAResponse: "250 2.0.0 OK",
				Metadata: anymail.Metadata{"order": "42", "anymail_id": "of-the-recipient"},
			},
		},
		{
			name: "clicked, with what a visitor shows",
			event: `{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"ada@example.com","status":"clicked","event_time":"2026-09-21 14:13:20",
				"url":"https:\/\/example.org\/a?x=1","delivery_info":{"delivery_status":"ok_link_visited","user_agent":"Mozilla/5.0","ip":"192.0.2.10",
				"country_code":"DE","country":"Germany","city":"Berlin"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventClicked, Timestamp: at},
				MessageID: "j", Recipient: "ada@example.com", Description: "ok_link_visited", ClickURL: "https://example.org/a?x=1",
				UserAgent: "Mozilla/5.0", IP: netip.MustParseAddr("192.0.2.10"), Geo: anymail.Geo{Country: "DE", City: "Berlin"},
			},
		},
		{
			name: "opened, which has a URL that nobody clicked, and a country without a code",
			event: `{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"ada@example.com","status":"opened","event_time":"2026-09-21 14:13:20",
				"url":"https://example.org/","delivery_info":{"delivery_status":"ok_read","country":"Germany","ip":"unknown"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventOpened, Timestamp: at},
				MessageID: "j", Recipient: "ada@example.com", Description: "ok_read", Geo: anymail.Geo{Country: "Germany"},
			},
		},
		{
			name: "hard bounce, with the empty arrays of PHP in the place of objects",
			event: `{"event_name":"transactional_email_status","event_data":{"job_id":"j","metadata":[],"email":"nobody@example.com","status":"hard_bounced",
				"event_time":"2026-09-21T14:13:20Z","delivery_info":[]}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "j", Recipient: "nobody@example.com", RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceHard},
			},
		},
		{
			name: "hard bounce, explained",
			event: `{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"nobody@example.com","status":"hard_bounced",
				"event_time":"2026-09-21 14:13:20","delivery_info":{"delivery_status":"err_user_unknown","destination_response":"550 5.1.1 no such user"}}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventBounced, Timestamp: at},
				MessageID: "j", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "err_user_unknown", MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name:  "status that is not known",
			event: `{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"a@example.com","status":"other","event_time":"2026-09-21 14:13:20"}}`,
			want: anymail.TrackingEvent{
				Common:    anymail.Common{Type: anymail.EventUnknown, Timestamp: at},
				MessageID: "j", Recipient: "a@example.com",
			},
		},
		{
			name: "spam block",
			event: `{"event_name":"transactional_spam_block","event_data":{"block_time":"2026-09-21 14:13:20","block_type":"one_smtp","domain":"example.com",
				"SMTP_blocks_count":8,"domain_status":"blocked"}}`,
			want: anymail.TrackingEvent{
				Common:      anymail.Common{Type: anymail.EventUnknown, Timestamp: at},
				Description: "example.com blocked one_smtp",
			},
		},
		{
			name:  "no event name",
			event: `{"event_data":{"status":"delivered","email":"a@example.com","event_time":"soon"}}`,
			want:  anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnknown}, Recipient: "a@example.com"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ESP = unisendergo.ESP
			got := parse(t, unisendergo.Config{}, tt.event)
			anymailtest.Equal(t, &tt.want, got)
		})
	}
}

func TestDeliveryStatuses(t *testing.T) {
	type outcome struct {
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}
	tests := []struct {
		status, delivery string
		want             outcome
	}{
		{"hard_bounced", "err_mailbox_discarded", outcome{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard}},
		{"hard_bounced", "err_domain_inactive", outcome{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceHard}},
		{"hard_bounced", "err_mailbox_full", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceSoft}},
		{"hard_bounced", "err_giveup", outcome{anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft}},
		{"hard_bounced", "err_will_retry", outcome{anymail.EventBounced, anymail.RejectTimedOut, anymail.BounceSoft}},
		{"hard_bounced", "err_spam_rejected", outcome{anymail.EventBounced, anymail.RejectSpam, anymail.BounceBlock}},
		{"hard_bounced", "err_too_large", outcome{anymail.EventBounced, anymail.RejectOther, anymail.BounceSoft}},
		{"hard_bounced", "err_delivery_failed", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined}},
		{"hard_bounced", "err_new_kind", outcome{anymail.EventBounced, anymail.RejectBounced, anymail.BounceUndetermined}},
		// What was not sent at all did not bounce.
		{"hard_bounced", "err_unsubscribed", outcome{anymail.EventRejected, anymail.RejectUnsubscribed, ""}},
		{"hard_bounced", "err_unreachable", outcome{anymail.EventRejected, anymail.RejectBounced, ""}},
		{"hard_bounced", "err_not_available", outcome{anymail.EventRejected, anymail.RejectOther, ""}},
		{"hard_bounced", "err_spam_skipped", outcome{anymail.EventRejected, anymail.RejectBlocked, ""}},
		{"hard_bounced", "skip_dup_mailbox_full", outcome{anymail.EventRejected, anymail.RejectOther, ""}},
		{"hard_bounced", "skip_new_kind", outcome{anymail.EventRejected, anymail.RejectBlocked, ""}},
		{"hard_bounced", "err_lost", outcome{anymail.EventFailed, anymail.RejectOther, ""}},
		{"hard_bounced", "err_internal", outcome{anymail.EventFailed, anymail.RejectOther, ""}},
		// What is tried again is neither final nor hard.
		{"soft_bounced", "", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{"soft_bounced", "err_will_retry", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{"soft_bounced", "err_no_dns", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		{"soft_bounced", "err_blacklisted", outcome{anymail.EventDeferred, "", anymail.BounceBlock}},
		{"soft_bounced", "err_lost", outcome{anymail.EventDeferred, "", anymail.BounceSoft}},
		// Elsewhere it explains nothing.
		{"unsubscribed", "ok_unsubscribed", outcome{anymail.EventUnsubscribed, anymail.RejectUnsubscribed, ""}},
		{"spam", "ok_spam_folder", outcome{anymail.EventComplained, anymail.RejectSpam, ""}},
		{"sent", "err_will_retry", outcome{anymail.EventSent, "", ""}},
	}
	for _, tt := range tests {
		got := parse(t, unisendergo.Config{}, fmt.Sprintf(
			`{"event_name":"transactional_email_status","event_data":{"status":%q,"delivery_info":{"delivery_status":%q}}}`, tt.status, tt.delivery))
		require.Equal(t, tt.want, outcome{got.Type, got.RejectReason, got.Bounce.Category}, "%s %s", tt.status, tt.delivery)
	}
}

func TestMessageIDFrom(t *testing.T) {
	config := unisendergo.Config{MessageIDFrom: "anymail_id"}
	for metadata, want := range map[string]string{
		`{"anymail_id":"of-the-recipient"}`: "of-the-recipient",
		`{"anymail_id":""}`:                 "of-the-job",
		`{"anymail_id":7}`:                  "of-the-job",
		`{}`:                                "of-the-job",
		`[]`:                                "of-the-job",
	} {
		got := parse(t, config, `{"event_name":"transactional_email_status","event_data":{"job_id":"of-the-job","status":"sent","metadata":`+metadata+`}}`)
		require.Equal(t, want, got.MessageID, metadata)
	}
}

func TestBodies(t *testing.T) {
	const e = `{"event_name":"transactional_email_status","event_data":{"status":"sent"}}`
	sent, unknown := anymail.EventSent, anymail.EventUnknown
	tests := []struct {
		name, body string
		want       []anymail.EventType
		err        error
	}{
		{"several users", `{"events_by_user":[{"user_id":1,"events":[` + e + `]},{"user_id":2,"events":[` + e + `,` + e + `]}]}`, []anymail.EventType{sent, sent, sent}, nil},
		{"no users", `{"auth":"","events_by_user":[]}`, []anymail.EventType{unknown}, nil},
		{"users missing", `{"auth":""}`, []anymail.EventType{unknown}, nil},
		{"no events", `{"events_by_user":[{"user_id":1,"events":[]},{"user_id":1,"events":null}]}`, []anymail.EventType{unknown}, nil},
		{"a user without events among others", `{"events_by_user":[{"user_id":1,"events":[]},{"user_id":2,"events":[` + e + `]}]}`, []anymail.EventType{sent}, nil},
		{"a user of another form", `{"events_by_user":[{"user_id":1,"happenings":[1]},{"user_id":2,"events":[` + e + `]}]}`, []anymail.EventType{unknown, sent}, nil},
		{"an event in another form", `{"auth":"","event":{"name":"delivered"}}`, []anymail.EventType{unknown}, nil},
		{"an empty object", `{}`, []anymail.EventType{unknown}, nil},
		{"null", `null`, nil, anymail.ErrMalformed},
		{"a number", ` 7`, nil, anymail.ErrMalformed},
		{"a user that is none", `{"events_by_user":["me",{"user_id":2,"events":[` + e + `]}]}`, []anymail.EventType{anymail.EventUnknown, sent}, nil},
		{"events that are none", `{"events_by_user":[{"user_id":1,"events":"gone"},{"user_id":2,"events":[` + e + `]}]}`, []anymail.EventType{unknown, sent}, nil},
		{"not an object", `[]`, nil, anymail.ErrMalformed},
		{"not JSON", `auth=1`, nil, anymail.ErrMalformed},
		{"users that are none", `{"events_by_user":{}}`, nil, anymail.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := simulator.Parse(esptest.New(t, unisendergo.New, unisendergo.Config{}), simulator.JSON("tracking", []byte(tt.body)))
			require.ErrorIs(t, err, tt.err)
			var types []anymail.EventType
			for _, ev := range events {
				types = append(types, ev.Base().Type)
			}
			require.Equal(t, tt.want, types)
		})
	}
}

// single_event posts an event with its members at the top, next to auth and
// retry_count.
func TestSingleEvent(t *testing.T) {
	at := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	common := func(typ anymail.EventType) anymail.Common {
		return anymail.Common{ESP: unisendergo.ESP, Type: typ, Timestamp: at}
	}
	tests := []struct {
		name, members string
		want          anymail.TrackingEvent
	}{
		{
			name:    "delivered",
			members: `"event_name":"transactional_email_status","status":"delivered","email":"ada@example.com","job_id":"1abcDE-0000F0-Ab","event_time":"2026-09-21 14:13:20","metadata":{"order":"42"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventDelivered), MessageID: "1abcDE-0000F0-Ab", Recipient: "ada@example.com", Metadata: anymail.Metadata{"order": "42"},
			},
		},
		{
			name: "bounced, with an explanation and ids that are numbers",
			members: `"event_name":"transactional_email_status","status":"hard_bounced","email":"nobody@example.com","job_id":17,"user_id":456,
				"event_time":"2026-09-21 14:13:20","delivery_info":{"delivery_status":"err_user_unknown","destination_response":"550 5.1.1 no such user"}`,
			want: anymail.TrackingEvent{
				Common: common(anymail.EventBounced), MessageID: "17", Recipient: "nobody@example.com", RejectReason: anymail.RejectInvalid,
				Description: "err_user_unknown", MTAResponse: "550 5.1.1 no such user",
				Bounce: anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
			},
		},
		{
			name:    "event_data at the top",
			members: `"event_name":"transactional_email_status","event_data":{"status":"opened","email":"ada@example.com","job_id":"j","event_time":"2026-09-21 14:13:20"}`,
			want:    anymail.TrackingEvent{Common: common(anymail.EventOpened), MessageID: "j", Recipient: "ada@example.com"},
		},
		{
			name:    "spam block",
			members: `"event_name":"transactional_spam_block","block_time":"2026-09-21 14:13:20","block_type":"one_smtp","domain":"example.com","domain_status":"blocked"`,
			want:    anymail.TrackingEvent{Common: common(anymail.EventUnknown), Description: "example.com blocked one_smtp"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter := esptest.New(t, unisendergo.New, unisendergo.Config{})
			one := func(body string) *anymail.TrackingEvent {
				events := anymailtest.Parse(t, adapter, simulator.JSON("tracking", []byte(body)))
				require.Len(t, events, 1)
				require.Equal(t, body, string(events[0].Base().Raw))
				return events[0].(*anymail.TrackingEvent)
			}
			first := one(`{"auth":"1",` + tt.members + `,"retry_count":0}`)
			anymailtest.Equal(t, &tt.want, first)
			require.Equal(t, first.Key, one(`{"retry_count":3,`+tt.members+`,"auth":"2"}`).Key, "of another attempt")
			require.NotEqual(t, first.Key, one(`{"auth":"1",`+tt.members+`,"project_id":"6"}`).Key, "of another project")
		})
	}
}

// What a recipient wrote is part of the description.
func TestComment(t *testing.T) {
	for members, want := range map[string]string{
		`"status":"unsubscribed","comment":"too many"`:                                                       "too many",
		`"status":"unsubscribed","comment":"too many","delivery_info":{"delivery_status":"ok_unsubscribed"}`: "ok_unsubscribed; too many",
		`"status":"spam","comment":null,"delivery_info":{"delivery_status":"ok_fbl"}`:                        "ok_fbl",
	} {
		got := parse(t, unisendergo.Config{}, `{"event_name":"transactional_email_status","event_data":{`+members+`}}`)
		require.Equal(t, want, got.Description, members)
	}
}

func TestNew(t *testing.T) {
	esptest.Misconfigured(t, unisendergo.New, map[string]unisendergo.Config{
		"empty":                {APIKeys: anymail.Keys("")},
		"one of them is empty": {APIKeys: anymail.Keys("key", "")},
		"white space":          {APIKeys: anymail.Keys("  ")},
		"line end of a file":   {APIKeys: anymail.Keys("key\n")},
	})
}

func TestBatchLimit(t *testing.T) {
	users := strings.TrimSuffix(strings.Repeat(`{"events":[{},{}]},`, 6), ",")
	p := &anymail.Payload{Body: []byte(`{"events_by_user":[` + users + `]}`), Limits: anymail.Limits{BatchEvents: 11}}
	_, err := esptest.New(t, unisendergo.New, unisendergo.Config{}).Endpoints()[0].Parser.ParseEvents(context.Background(), p)
	require.ErrorIs(t, err, anymail.ErrTooLarge)
	p.Limits.BatchEvents = 12
	events, err := esptest.New(t, unisendergo.New, unisendergo.Config{}).Endpoints()[0].Parser.ParseEvents(context.Background(), p)
	require.NoError(t, err)
	require.Len(t, events, 12)
}

// The key of an event is made from its content, in any order and spelling, and
// not from what a repetition changes around it.
func TestKeys(t *testing.T) {
	key := func(body string) string {
		events := anymailtest.Parse(t, esptest.New(t, unisendergo.New, unisendergo.Config{}), simulator.JSON("tracking", []byte(body)))
		require.Len(t, events, 1)
		return events[0].Base().Key
	}
	first := key(`{"auth":"1","events_by_user":[{"user_id":456,"project_id":"6","events":[{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"a@example.com","status":"clicked","url":"https://example.org/a"}}]}]}`)
	for name, body := range map[string]string{
		"repeated": `{"auth":"2","events_by_user":[{"user_id":456,"project_id":"6","events":[{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"a@example.com","status":"clicked","url":"https://example.org/a"}}]}],"retry_count":3}`,
		"ordered otherwise": `{"events_by_user":[{"events":[{"event_data":{"status":"clicked","url":"https:\/\/example.org\/a",
			"email":"a@example.com", "job_id":"\u006a"},"event_name":"transactional_email_status"}],"project_id":"6","user_id":"456"}],"auth":"1"}`,
	} {
		require.Equal(t, first, key(body), name)
	}
	for name, body := range map[string]string{
		"another user":    `{"events_by_user":[{"user_id":457,"project_id":"6","events":[{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"a@example.com","status":"clicked","url":"https://example.org/a"}}]}]}`,
		"another project": `{"events_by_user":[{"user_id":456,"project_id":"7","events":[{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"a@example.com","status":"clicked","url":"https://example.org/a"}}]}]}`,
		"another link":    `{"events_by_user":[{"user_id":456,"project_id":"6","events":[{"event_name":"transactional_email_status","event_data":{"job_id":"j","email":"a@example.com","status":"clicked","url":"https://example.org/b"}}]}]}`,
	} {
		require.NotEqual(t, first, key(body), name)
	}
}

const apiKey = "demo-api-key-0001"

// signed puts the MD5 into a body in which {auth} stands for the value.
func signed(body, key string) string {
	sum := md5.Sum([]byte(strings.Replace(body, "{auth}", key, 1)))
	return strings.Replace(body, "{auth}", hex.EncodeToString(sum[:]), 1)
}

func verify(t testing.TB, body []byte, keys ...string) error {
	t.Helper()
	v := esptest.New(t, unisendergo.New, unisendergo.Config{APIKeys: anymail.Keys(keys...)}).Endpoints()[0].Verifier
	proof, err := v.Verify(context.Background(), &anymail.Payload{Body: body})
	if err == nil {
		require.NotEmpty(t, proof.Fingerprint)
	}
	return err
}

// These bodies and their MD5s were not made by this program.
func TestVectors(t *testing.T) {
	for _, body := range []string{
		`{"auth":"cc58a3427fe80a64e79a41b1b5c3152f","events_by_user":[{"user_id":456,"project_id":"6000000000000001","project_name":"Demo","events":[{"event_name":"transactional_email_status","event_data":{"job_id":"1abcDE-0000F0-Ab","metadata":{"order":"42"},"email":"ada@example.com","status":"delivered","event_time":"2026-09-21 14:13:20"}}]}]}`,
		`{"auth":"89e9d5eabe965a92728694ac1a61d1bf","events_by_user":[{"user_id":456,"events":[{"event_name":"transactional_email_status","event_data":{"job_id":"1abcDE-0000F0-Ab","metadata":{"name":"\u0410\u0434\u0430"},"email":"ada@example.com","status":"clicked","event_time":"2026-09-21 14:20:00","url":"https:\/\/example.org\/a?x=1","delivery_info":{"user_agent":"Mozilla\/5.0","ip":"192.0.2.10"}}}]}]}`,
	} {
		require.NoError(t, verify(t, []byte(body), "another-key", apiKey))
		require.ErrorIs(t, verify(t, []byte(body), "another-key"), anymail.ErrUnauthenticated)
	}
}

func TestAuth(t *testing.T) {
	tests := []struct {
		name, body string
		ok         bool
	}{
		{"first", `{"auth":"{auth}","events_by_user":[]}`, true},
		{"last, with spaces", "{ \"events_by_user\" : [ ] ,\n\t\"auth\" : \"{auth}\" }\n", true},
		{"name with an escape", `{"\u0061uth":"{auth}"}`, true},
		{"strangers' text that looks alike", `{"events_by_user":[{"auth":"0123456789abcdef0123456789abcdef","user_agent":"\"auth\":\"0123456789abcdef0123456789abcdef\""}],"auth":"{auth}"}`, true},
		{"nested only", `{"events_by_user":[{"auth":"{auth}"}]}`, false},
		{"repeated", `{"auth":"{auth}","auth":"0123456789abcdef0123456789abcdef"}`, false},
		{"repeated before", `{"auth":"0123456789abcdef0123456789abcdef","auth":"{auth}"}`, false},
		{"an element of an array", `["auth","{auth}"]`, false},
		{"object in an array", `[{"auth":"{auth}"}]`, false},
		{"something after the object", `{"auth":"{auth}"}{}`, false},
		{"cut off", `{"auth":"{auth}","events_by_user":[`, false},
		{"cut off after a member", `{"auth":"{auth}","events_by_user":[]`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := verify(t, []byte(signed(tt.body, apiKey)), apiKey)
			if tt.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
			}
		})
	}
	for _, auth := range []string{`""`, `null`, `7`, `"` + apiKey + `"`, `"zz58a3427fe80a64e79a41b1b5c3152f"`, `["{auth}"]`} {
		require.ErrorIs(t, verify(t, []byte(`{"auth":`+auth+`}`), apiKey), anymail.ErrUnauthenticated, auth)
	}
}

// An MD5 can be extended by who does not know the key: what was authentic, its
// padding, and more. No such body may be taken.
func TestLengthExtension(t *testing.T) {
	body := signed(`{"auth":"{auth}","events_by_user":[]}`, apiKey)
	length := len(body) - 2*md5.Size + len(apiKey)
	padding := append([]byte{0x80}, make([]byte, (119-length%64)%64)...)
	padding = append(padding, byte(length<<3), byte(length>>5), 0, 0, 0, 0, 0, 0)
	text := strings.Replace(body, body[9:9+2*md5.Size], apiKey, 1) + string(padding) + `{"events_by_user":[1]}`
	require.Zero(t, (length+len(padding))%64, "the padding ends a block")
	sum := md5.Sum([]byte(text)) // which could be had from the first MD5 alone
	extended := strings.Replace(text, apiKey, hex.EncodeToString(sum[:]), 1)
	require.ErrorIs(t, verify(t, []byte(extended), apiKey), anymail.ErrUnauthenticated)
}

func compress(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

// The format json_post_gzip, with the header that says so and without it.
func TestGzip(t *testing.T) {
	body := signed(`{"auth":"{auth}","events_by_user":[{"user_id":1,"events":[{"event_name":"transactional_email_status","event_data":{"status":"delivered"}}]}]}`, apiKey)
	for _, encoding := range []string{"gzip", ""} {
		sim := unisendergosim.New()
		s := anymailtest.NewServerFor(t, sim, esptest.New(t, unisendergo.New, unisendergo.Config{APIKeys: anymail.Keys(apiKey)}))
		r := s.Address(t, simulator.JSON("tracking", compress(t, body)))
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		status, _ := s.Post(t, r)
		require.Equal(t, http.StatusOK, status, "%q: %v", encoding, s.Rejections.All())
		events := s.Take()
		require.Len(t, events, 1)
		require.Equal(t, anymail.EventDelivered, events[0].Base().Type)
		require.Equal(t, `{"event_name":"transactional_email_status","event_data":{"status":"delivered"}}`, string(events[0].Base().Raw))
	}
	whole := compress(t, body)
	require.ErrorIs(t, verify(t, whole[:len(whole)-1], apiKey), anymail.ErrUnauthenticated, "cut off")
	require.ErrorIs(t, verify(t, compress(t, strings.Repeat(" ", anymail.DefaultMaxBody+1)), apiKey), anymail.ErrTooLarge)
}

// Unisender Go tries the URL with GET, and may have been told of it under
// the name with an underscore.
func TestProbe(t *testing.T) {
	s := anymailtest.NewServer(t, unisendergosim.New())
	for _, name := range []string{"unisendergo", "unisender_go"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status, _ := s.Post(t, simulator.Request{Method: method, URL: s.URL + "/" + name + "/tracking/"})
			require.Equal(t, http.StatusOK, status, "%s %s", method, name)
		}
	}
	require.Empty(t, s.Take())
}

func FuzzTracking(f *testing.F) { anymailtest.FuzzParser(f, unisendergosim.New(), "tracking") }

// FuzzAuth: nothing that is signed anew with one byte changed, and no body
// without the key, is authentic.
func FuzzAuth(f *testing.F) {
	for _, s := range unisendergosim.New().Samples {
		f.Add(s.Make(simulator.NewParams()).Body)
	}
	f.Add([]byte(signed(`{"auth":"{auth}"}`, "a key that nobody has")))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := verify(t, body, "zzzz-key-that-nobody-has"); !errors.Is(err, anymail.ErrUnauthenticated) && !errors.Is(err, anymail.ErrTooLarge) {
			t.Errorf("verified, or failed otherwise: %v", err)
		}
		quoted, err := json.Marshal(string(body))
		require.NoError(t, err)
		signed := signed(`{"events_by_user":`+string(quoted)+`,"auth":"{auth}"}`, apiKey)
		if strings.Contains(string(quoted), "{auth}") {
			t.Skip()
		}
		require.NoError(t, verify(t, []byte(signed), apiKey), "whatever the events say, the text is authentic")
	})
}

func Example() {
	d, err := anymail.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := unisendergo.New(unisendergo.Config{APIKeys: anymail.Keys("the API key")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Register("unisender_go", adapter); err != nil {
		fmt.Println(err)
		return
	}
	err = d.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, ev.Type, ev.RejectReason)
		return nil
	}, anymail.ForTypes(anymail.EventBounced, anymail.EventComplained))
	fmt.Println(err, d.Tracking.Receivers())
	// Output: <nil> [suppress]
}

func TestPage(t *testing.T) {
	espdoc.Samples(t, unisendergosim.New(), func(sample string) string {
		status, delivery, _ := strings.Cut(sample, "-")
		switch {
		case status == "hard_bounced" && delivery != "":
			return delivery
		case status == "spam_block":
			return "transactional_spam_block"
		case status == "teleported", status == "transactional_new_kind", status == "auth", status == "single_event":
			return ""
		}
		return status
	})
}
