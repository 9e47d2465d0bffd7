package anymail_test

import (
	"context"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// https://www.iana.org/assignments/smtp-enhanced-status-codes
func TestNormalizeExplainsBounces(t *testing.T) {
	bounce := func(enhanced, answer string) *anymail.TrackingEvent {
		return &anymail.TrackingEvent{
			Common:       anymail.Common{Type: anymail.EventBounced},
			RejectReason: anymail.RejectBounced,
			MTAResponse:  answer,
			Bounce:       anymail.Bounce{Category: anymail.BounceUndetermined, EnhancedCode: enhanced},
		}
	}
	type want struct {
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}
	nothing := want{anymail.RejectBounced, anymail.BounceUndetermined}
	invalid := want{anymail.RejectInvalid, anymail.BounceHard}
	for _, tt := range []struct {
		enhanced, answer string
		want             want
	}{
		{"5.1.1", "", invalid},  // no such mailbox
		{"5.1.2", "", invalid},  // no such host
		{"5.1.10", "", invalid}, // the domain accepts no mail
		{"5.1.0", "", nothing},  // an address, but not which
		{"5.1.7", "", nothing},  // the sender's address
		{"5.1.8", "", nothing},  // the sender's domain
		{"5.2.1", "", nothing},  // disabled, temporarily or permanently
		{"5.2.2", "", want{anymail.RejectBounced, anymail.BounceSoft}},
		{"4.2.2", "", want{anymail.RejectBounced, anymail.BounceSoft}},
		{"5.2.3", "", want{anymail.RejectOther, anymail.BounceSoft}},
		{"5.3.4", "", want{anymail.RejectOther, anymail.BounceSoft}},
		{"4.4.7", "", want{anymail.RejectTimedOut, anymail.BounceSoft}},
		{"5.7.1", "", want{anymail.RejectBlocked, anymail.BounceBlock}},
		{"5.7.26", "", want{anymail.RejectBlocked, anymail.BounceBlock}},
		{"4.7.1", "", nothing}, // greylisting is not a refusal
		{"", "", nothing},
		{"", "550 User unknown in local table", invalid},
		{"", "550 user has no more room", nothing},
		{"5.2.1", "550 5.2.1 user unknown", invalid}, // servers use the code for anything
		{"5.2.2", "552 5.2.2 user unknown", want{anymail.RejectBounced, anymail.BounceSoft}}, // but this one for one thing
	} {
		ev := bounce(tt.enhanced, tt.answer)
		anymail.Normalize(ev, "acme")
		require.Equal(t, tt.want, want{ev.RejectReason, ev.Bounce.Category}, tt)
	}
	ev := bounce("5.1.1", "")
	ev.RejectReason = anymail.RejectSpam
	anymail.Normalize(ev, "acme")
	require.Equal(t, anymail.RejectSpam, ev.RejectReason, "the ESP's own reason takes precedence")
}

func TestNormalizeClearsFieldsOfOtherTypes(t *testing.T) {
	bounce := anymail.Bounce{Category: anymail.BounceBlock, SMTPCode: 550, EnhancedCode: "5.7.1"}
	for _, typ := range anymail.EventTypes() {
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: typ}, RejectReason: anymail.RejectOther, Bounce: bounce}
		anymail.Normalize(ev, "acme")
		var reason anymail.RejectReason
		switch typ {
		case anymail.EventRejected, anymail.EventFailed, anymail.EventBounced, anymail.EventComplained,
			anymail.EventUnsubscribed, anymail.EventUnknown:
			reason = anymail.RejectOther
		}
		require.Equal(t, reason, ev.RejectReason, typ)
		switch typ {
		case anymail.EventBounced, anymail.EventDeferred, anymail.EventUnknown:
			require.Equal(t, bounce, ev.Bounce, typ)
		default:
			require.Zero(t, ev.Bounce, typ)
		}
	}
	for _, tt := range []struct {
		typ           anymail.EventType
		before, after anymail.BounceCategory
	}{
		{anymail.EventBounced, "", anymail.BounceUndetermined},
		{anymail.EventBounced, anymail.BounceSoft, anymail.BounceSoft},
		{anymail.EventDeferred, "", anymail.BounceSoft},
		{anymail.EventDeferred, anymail.BounceHard, anymail.BounceSoft}, // not permanent yet
		{anymail.EventDeferred, anymail.BounceBlock, anymail.BounceBlock},
	} {
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: tt.typ}, Bounce: anymail.Bounce{Category: tt.before}}
		anymail.Normalize(ev, "acme")
		require.Equal(t, tt.after, ev.Bounce.Category, tt)
	}
}

// Keys of events whose adapter sets none: equal for a redelivery, different for
// any other event.
func TestDefaultKeys(t *testing.T) {
	tracking := func(id, raw, recipient string, typ anymail.EventType) anymail.Event {
		return &anymail.TrackingEvent{Common: anymail.Common{ID: id, Type: typ, Raw: anymail.Raw(raw)}, Recipient: recipient}
	}
	inbound := func(id, raw, recipient string, change func(*anymail.InboundMessage)) anymail.Event {
		ev := &anymail.InboundEvent{Common: anymail.Common{ID: id, Type: anymail.EventInbound, Raw: anymail.Raw(raw)}}
		ev.Message = anymail.InboundMessage{
			EnvelopeRecipient: recipient, MessageID: "m", Subject: "S", Text: "T",
			Headers:     anymail.Headers{{Name: "X-One", Value: "1"}},
			Attachments: []anymail.Attachment{{Filename: "f", Content: []byte("c"), Size: 1}},
		}
		change(&ev.Message)
		return ev
	}
	same := func(*anymail.InboundMessage) {}
	groups := [][]anymail.Event{ // events have the same key if and only if they are in one group
		{tracking("1", "a", "x", anymail.EventBounced), tracking("1", "b", "x", anymail.EventBounced)},
		{tracking("1", "a", "y", anymail.EventBounced)},
		{tracking("1", "a", "x", anymail.EventDeferred)},
		{tracking("2", "a", "x", anymail.EventBounced)},
		{tracking("", "a", "x", anymail.EventBounced), tracking("", "a", "x", anymail.EventBounced)},
		{tracking("", "b", "x", anymail.EventBounced)},
		{tracking("", "a", "y", anymail.EventBounced)},
		{inbound("3", "a", "x", same), inbound("3", "b", "x", same)},
		{inbound("3", "a", "y", same)},
		// Each delivery of a message has its own boundaries and signatures in Raw.
		{inbound("", "a", "x", same), inbound("", "b", "x", same)},
		{inbound("", "a", "y", same)},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Text = "U" })},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Subject, m.Text = "ST", "" })},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Headers[0].Value = "2" })},
		{inbound("", "a", "x", func(m *anymail.InboundMessage) { m.Attachments[0].Content = []byte("d") })},
	}
	var all []anymail.Event
	for _, group := range groups {
		all = append(all, group...)
	}
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) { return all, nil })
	srv := newTestServer(t, a, anymail.WithQueue(queueFunc(func([]anymail.Event) error { return nil })))
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)

	seen := map[string]int{}
	for i, group := range groups {
		for _, ev := range group {
			key := ev.Base().Key
			require.NotEmpty(t, key)
			require.Equal(t, "acme", ev.Base().ESP)
			if in, ok := seen[key]; ok {
				require.Equal(t, i, in, "groups %d and %d have the same key", i, in)
			}
			require.Equal(t, group[0].Base().Key, key, "group %d", i)
			seen[key] = i
		}
	}
}

// A value without a JSON form would keep the event out of the queue, and the ESP
// would retry for days.
func TestEventsHaveAJSONForm(t *testing.T) {
	nan := math.NaN()
	far := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) {
		return []anymail.Event{
			&anymail.TrackingEvent{Common: anymail.Common{ID: "1", Timestamp: far}},
			&anymail.InboundEvent{Common: anymail.Common{ID: "2"}, Message: anymail.InboundMessage{Date: far.In(time.FixedZone("", 3600)), SpamScore: &nan}},
		}, nil
	})
	var queued []anymail.Event
	srv := newTestServer(t, a, anymail.WithQueue(queueFunc(func(events []anymail.Event) error { queued = events; return nil })))
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Len(t, queued, 2)
	for _, ev := range queued {
		form, err := json.Marshal(ev)
		require.NoError(t, err)
		_, err = anymail.DecodeEvent(form)
		require.NoError(t, err)
		require.NotEmpty(t, ev.Base().Key)
	}
}

func TestEventKey(t *testing.T) {
	keys := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"ab", ""}, {strings.Repeat("x", 10000)}, {strings.Repeat("x", 10001)}} {
		key := anymail.EventKey("acme", parts...)
		require.Len(t, key, len("acme:")+24)
		require.Nil(t, keys[key], "%q and %q", parts, keys[key])
		keys[key] = append(parts, "seen")
		require.Equal(t, key, anymail.EventKey("acme", parts...))
	}
	require.NotEqual(t, anymail.EventKey("a", "x"), anymail.EventKey("b", "x"))
}

// An ESP decodes "=?utf-8?Q?s=0D=0ABcc:...?=", so what goes into a header field
// must be made one line here. A NUL would make a receiver's INSERT fail at each
// attempt.
func TestNormalizeCleansText(t *testing.T) {
	const hostile = "s\r\nBcc: evil@example.com\x00\u2028\xff"
	const line = "s  Bcc: evil@example.com  \ufffd"
	const text = "s\r\nBcc: evil@example.com\u2028\ufffd"
	address := []anymail.Address{{Name: hostile, Address: hostile}}
	clean := []anymail.Address{{Name: line, Address: line}}

	inbound := &anymail.InboundEvent{
		Common: anymail.Common{Type: anymail.EventInbound, ID: hostile, Key: "k", Raw: anymail.Raw(hostile)},
		Message: anymail.InboundMessage{
			EnvelopeSender: hostile, EnvelopeRecipient: hostile, From: address, To: slices.Clone(address), CC: slices.Clone(address),
			BCC: slices.Clone(address), ReplyTo: slices.Clone(address), Subject: hostile, MessageID: hostile, InReplyTo: hostile,
			EnvelopeRecipients: []string{hostile, "b"}, References: []string{"a", hostile}, Headers: anymail.Headers{{Name: hostile, Value: hostile}},
			Text: hostile, HTML: hostile, StrippedText: hostile, StrippedHTML: hostile,
			Authentication: anymail.Authentication{SPF: hostile, DKIM: hostile, DMARC: hostile},
			Attachments:    []anymail.Attachment{{Filename: hostile, ContentType: hostile, Params: map[string]string{"a": "b", hostile: hostile}, Disposition: hostile, ContentID: hostile, Ref: hostile, Content: []byte(hostile)}},
		},
	}
	anymail.Normalize(inbound, "acme")
	require.Empty(t, cmp.Diff(&anymail.InboundEvent{
		Common: anymail.Common{ESP: "acme", Type: anymail.EventInbound, ID: line, Key: "k", Raw: anymail.Raw(hostile)},
		Message: anymail.InboundMessage{
			EnvelopeSender: line, EnvelopeRecipient: line, From: clean, To: clean, CC: clean, BCC: clean, ReplyTo: clean,
			Subject: line, MessageID: line, InReplyTo: line, EnvelopeRecipients: []string{line, "b"}, References: []string{"a", line}, Headers: anymail.Headers{{Name: line, Value: line}},
			Text: text, HTML: text, StrippedText: text, StrippedHTML: text,
			Authentication: anymail.Authentication{SPF: line, DKIM: line, DMARC: line},
			Attachments:    []anymail.Attachment{{Filename: line, ContentType: line, Params: map[string]string{"a": "b", line: line}, Disposition: line, ContentID: line, Ref: line, Content: []byte(hostile)}},
		},
	}, inbound), "raw and contents stay as they are")

	tracking := &anymail.TrackingEvent{
		Common:    anymail.Common{Type: anymail.EventUnknown, Key: "k"},
		MessageID: hostile, Recipient: hostile, Description: hostile, MTAResponse: hostile, Tags: []string{"plain", hostile},
		Metadata: anymail.Metadata{"n": json.Number("1"), "a\x00": hostile, "list": []any{true, map[string]any{"x": hostile}}, "plain": "ä\n"},
		ClickURL: hostile, UserAgent: hostile, Geo: anymail.Geo{Country: hostile, Region: hostile, City: hostile},
	}
	want := &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "acme", Type: anymail.EventUnknown, Key: "k"},
		MessageID: line, Recipient: line, Description: text, MTAResponse: text, Tags: []string{"plain", line},
		Metadata: anymail.Metadata{"n": json.Number("1"), "a": text, "list": []any{true, map[string]any{"x": text}}, "plain": "ä\n"},
		ClickURL: line, UserAgent: line, Geo: anymail.Geo{Country: line, Region: line, City: line},
	}
	for range 2 { // twice changes nothing more
		anymail.Normalize(tracking, "acme")
		require.Empty(t, cmp.Diff(want, tracking, cmpopts.EquateComparable(netip.Addr{})))
	}

	untouched := &anymail.TrackingEvent{Common: anymail.Common{Key: "k"}, Recipient: " jörg@example.com\t", Description: "two\nlines"}
	anymail.Normalize(untouched, "acme")
	require.Equal(t, " jörg@example.com\t", untouched.Recipient)
	require.Equal(t, "two\nlines", untouched.Description)
}

// Keys share memory, and making one does not change another.
func TestKeysStay(t *testing.T) {
	seen := map[string]string{}
	for i := range 200 {
		key := anymail.EventKey(strings.Repeat("x", i*7), strconv.Itoa(i))
		require.NotContains(t, seen, key)
		require.True(t, strings.HasPrefix(key, strings.Repeat("x", i*7)+":"))
		seen[key] = strings.Clone(key)
	}
	for key, clone := range seen {
		require.Equal(t, clone, key)
	}
}
