package anymail_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/schema"
)

func fullTracking() *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common: anymail.Common{
			ESP: "acme", Account: "acme-eu", Type: anymail.EventBounced, ID: "e1", Key: "acme:k1",
			Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 500, time.UTC), Raw: anymail.Raw(`{"a" : "<&>"}`),
		},
		MessageID: "m1", Recipient: "ada@example.com", RejectReason: anymail.RejectInvalid,
		Description: "d", MTAResponse: "550 5.1.1 no", Tags: []string{"a", "b"},
		Metadata: anymail.Metadata{"s": "x", "n": json.Number("9007199254740993"), "b": true, "nil": nil, "list": []any{json.Number("1.50")}},
		ClickURL: "https://example.com/?a=1&b=<2>", UserAgent: "UA", IP: netip.MustParseAddr("2001:db8::1"),
		Geo:       anymail.Geo{Country: "DE", Region: "BE", City: "Berlin"},
		Bounce:    anymail.Bounce{Category: anymail.BounceHard, SMTPCode: 550, EnhancedCode: "5.1.1"},
		Automated: anymail.No, Verified: anymail.VerifiedToken,
	}
}

func fullInbound() *anymail.InboundEvent {
	score := 0.0
	return &anymail.InboundEvent{
		Common: anymail.Common{ESP: "acme", Account: "acme-eu", Type: anymail.EventInbound, Key: "acme:k2", Raw: anymail.Raw("not utf-8: \xff\x00")},
		Message: anymail.InboundMessage{
			EnvelopeSender: "a@example.com", EnvelopeRecipient: "b@example.org", EnvelopeRecipients: []string{"b@example.org", "c@example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "a@example.com"}}, To: []anymail.Address{{Address: "b@example.org"}},
			CC: []anymail.Address{{Address: "c@example.org"}}, BCC: []anymail.Address{{Address: "d@example.org"}}, ReplyTo: []anymail.Address{{Address: "e@example.org"}},
			Subject: "S", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), MessageID: "id", InReplyTo: "re", References: []string{"r1", "r2"},
			Headers: anymail.Headers{{Name: "Received", Value: "1"}, {Name: "Received", Value: "2"}},
			Text:    "t\x00", HTML: "<p>", StrippedText: "s", StrippedHTML: "<s>",
			SpamDetected: anymail.Yes, SpamScore: &score, Authentication: anymail.Authentication{SPF: "pass", DKIM: "fail", DMARC: "none"},
			Attachments: []anymail.Attachment{{Filename: "f", ContentType: "image/png", Params: map[string]string{"charset": "utf-8"}, Disposition: "inline", ContentID: "c", Size: 3, Content: []byte{0, 1, 255}, Ref: "r"}},
			RawMIME:     anymail.Raw("From: x\r\n\r\n"),
		},
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, ev := range []anymail.Event{
		fullTracking(), fullInbound(), &anymail.TrackingEvent{}, &anymail.InboundEvent{},
		&anymail.TrackingEvent{Common: anymail.Common{Raw: anymail.Raw(`"just a string"`)}},
	} {
		anymailtest.RoundTrip(t, ev)
	}
}

// The form is documented, so the test spells it out.
func TestJSONForm(t *testing.T) {
	form, err := json.Marshal(fullTracking())
	require.NoError(t, err)
	require.JSONEq(t, `{
		"kind": "tracking", "esp": "acme", "event_type": "bounced", "event_id": "e1", "timestamp": "2026-09-21T14:13:20.0000005Z",
		"key": "acme:k1", "account": "acme-eu", "raw": "{\"a\" : \"<&>\"}", "message_id": "m1", "recipient": "ada@example.com", "reject_reason": "invalid",
		"description": "d", "mta_response": "550 5.1.1 no", "tags": ["a", "b"],
		"metadata": {"s": "x", "n": 9007199254740993, "b": true, "nil": null, "list": [1.50]},
		"verified": "token", "click_url": "https://example.com/?a=1&b=<2>", "user_agent": "UA", "ip": "2001:db8::1",
		"geo": {"country": "DE", "region": "BE", "city": "Berlin"},
		"bounce": {"category": "hard", "smtp_code": 550, "enhanced_code": "5.1.1"}, "automated": false}`, string(form))
	require.True(t, strings.HasPrefix(string(form), `{"kind":"tracking","esp":"acme","event_type":"bounced"`), "kind is first")
	require.Contains(t, string(form), "9007199254740993", "numbers keep their digits")

	form, err = json.Marshal(&anymail.InboundEvent{
		Common: anymail.Common{ESP: "acme", Type: anymail.EventInbound, Key: "k", Raw: anymail.Raw("\xff")},
		Message: anymail.InboundMessage{
			EnvelopeRecipient: "b@example.org", EnvelopeRecipients: []string{"b@example.org", "c@example.org"},
			From: []anymail.Address{{Address: "a@example.com"}}, Headers: anymail.Headers{{Name: "X", Value: "1"}, {Name: "X", Value: "2"}},
			Attachments: []anymail.Attachment{{ContentType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Disposition: "attachment", Size: 2, Content: []byte("hi")}},
		},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"kind": "inbound", "esp": "acme", "event_type": "inbound", "key": "k", "raw": {"base64": "/w=="},
		"message": {"envelope_recipient": "b@example.org", "envelope_recipients": ["b@example.org", "c@example.org"],
		"from": [{"address": "a@example.com"}], "headers": [["X", "1"], ["X", "2"]],
		"attachments": [{"content_type": "text/plain", "params": {"charset": "utf-8"}, "disposition": "attachment", "size": 2, "content": "aGk="}]}}`, string(form))
}

func TestDecodeEventRefuses(t *testing.T) {
	for _, text := range []string{
		"", "null", "[]", "{}", `{"kind":"other"}`, `{"kind":"tracking","ip":"nowhere"}`, `{"kind":"tracking","automated":"maybe"}`,
		`{"kind":"inbound","message":{"headers":[["one"]]}}`, `{"kind":"tracking"`, `{"kind":"tracking","raw":{"base64":"!"}}`,
	} {
		_, err := anymail.DecodeEvent([]byte(text))
		require.ErrorIs(t, err, anymail.ErrMalformed, text)
	}
}

// The schema has exactly the types, reasons and fields of the model.
func TestSchemaIsComplete(t *testing.T) {
	var s struct {
		Properties map[string]struct{ Enum []string }
		Defs       map[string]struct {
			Properties map[string]struct {
				Enum       []string
				Properties map[string]struct{ Enum []string }
				Items      struct{ Properties map[string]any }
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(schema.Event, &s))
	texts := func(list any) (texts []string) {
		form, err := json.Marshal(list)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(form, &texts))
		return texts
	}
	require.Equal(t, texts(anymail.EventTypes()), s.Properties["event_type"].Enum)
	require.Equal(t, texts([]anymail.Kind{fullTracking().Kind(), fullInbound().Kind()}), s.Properties["kind"].Enum)
	tracking := s.Defs["tracking"].Properties
	require.Equal(t, texts(anymail.RejectReasons()), tracking["reject_reason"].Enum)
	require.Equal(t, texts(anymail.Verifications()), tracking["verified"].Enum)
	require.Equal(t, texts([]anymail.BounceCategory{anymail.BounceHard, anymail.BounceSoft, anymail.BounceBlock, anymail.BounceUndetermined}), tracking["bounce"].Properties["category"].Enum)

	members := func(v any) []string {
		form, err := json.Marshal(v)
		require.NoError(t, err)
		var object map[string]any
		require.NoError(t, json.Unmarshal(form, &object))
		return slices.Collect(maps.Keys(object))
	}
	common := slices.Collect(maps.Keys(s.Properties))
	require.ElementsMatch(t, append(slices.Collect(maps.Keys(tracking)), common...), members(fullTracking()))
	message := s.Defs["message"].Properties
	require.ElementsMatch(t, slices.Collect(maps.Keys(message)), members(fullInbound().Message))
	require.ElementsMatch(t, slices.Collect(maps.Keys(message["attachments"].Items.Properties)), members(fullInbound().Message.Attachments[0]))
}

// Times are in UTC, whatever their zone in the form.
func TestDecodeEventTimes(t *testing.T) {
	ev, err := anymail.DecodeEvent([]byte(`{"kind":"inbound","timestamp":"2026-09-21T16:13:20+02:00","message":{"date":"2026-09-21T09:13:20-05:00"}}`))
	require.NoError(t, err)
	want := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	require.Equal(t, want, ev.Base().Timestamp)
	require.Equal(t, want, ev.(*anymail.InboundEvent).Message.Date)
}

// An error is one line, so that it fits a log.
func TestDecodeEventError(t *testing.T) {
	_, err := anymail.DecodeEvent([]byte(`{"kind":"tracking","ip":"nowhere"}`))
	require.NotContains(t, err.Error(), "\n")
}

func FuzzDecodeEvent(f *testing.F) {
	for _, ev := range []anymail.Event{fullTracking(), fullInbound()} {
		form, _ := json.Marshal(ev)
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, form []byte) {
		ev, err := anymail.DecodeEvent(form)
		if err == nil {
			anymailtest.RoundTrip(t, ev)
		}
	})
}

// esp/all has the outcomes that ESPs report. These are the others.
func TestShouldSuppress(t *testing.T) {
	for _, tt := range []struct {
		typ      anymail.EventType
		reason   anymail.RejectReason
		category anymail.BounceCategory
		want     bool
	}{
		{anymail.EventBounced, "", anymail.BounceHard, true},
		{anymail.EventBounced, anymail.RejectOther, anymail.BounceHard, true},
		{anymail.EventBounced, anymail.RejectBlocked, anymail.BounceHard, false},
		{anymail.EventBounced, anymail.RejectSpam, anymail.BounceHard, false},
		{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceUndetermined, true},
		{anymail.EventBounced, anymail.RejectInvalid, "", true},
		{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceSoft, false},
		{anymail.EventBounced, anymail.RejectInvalid, anymail.BounceBlock, false},
		{anymail.EventBounced, "", "", false},
		{anymail.EventDeferred, "", anymail.BounceHard, false},
		{anymail.EventComplained, "", "", true},
		{anymail.EventUnsubscribed, anymail.RejectOther, "", true},
		{anymail.EventRejected, "", "", false},
		{anymail.EventRejected, anymail.RejectTimedOut, "", false},
		{anymail.EventFailed, anymail.RejectBounced, "", false},
	} {
		ev := &anymail.TrackingEvent{Common: anymail.Common{Type: tt.typ}, RejectReason: tt.reason, Bounce: anymail.Bounce{Category: tt.category}}
		require.Equal(t, tt.want, ev.ShouldSuppress(), "%+v", tt)
		ev.Verified = anymail.VerifiedNone
		require.False(t, ev.ShouldSuppress(), "anyone may have sent it")
	}
}

func TestTri(t *testing.T) {
	for tri, want := range map[anymail.Tri]string{anymail.Yes: "yes", anymail.No: "no", anymail.Unsaid: "unsaid", anymail.TriOf(true): "yes", anymail.TriOf(false): "no"} {
		require.Equal(t, want, tri.String())
	}
}
