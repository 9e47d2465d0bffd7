package relay_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/anymailtest/conformance"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/esp/relay/relaysim"
	"github.com/goanymail/anymail/internal/esptest"
	"github.com/goanymail/anymail/simulator"
)

func TestConformance(t *testing.T) { conformance.Run(t, relaysim.New()) }

func FuzzInbound(f *testing.F) { anymailtest.FuzzParser(f, relaysim.New(), "inbound") }

func FuzzEnvelope(f *testing.F) {
	f.Add("<ada@example.com>", `help@in.example.org, "a,b"@in.example.org`, "sender=ada@example.com&recipient=help@in.example.org")
	f.Add("<>", "<>", "%")
	f.Fuzz(func(t *testing.T, sender, recipients, query string) {
		for _, header := range []http.Header{{}, {relay.HeaderFrom: {sender}, relay.HeaderTo: {recipients, recipients}}} {
			for _, ev := range parse(t, &anymail.Payload{Header: header, URL: "https://your.host/?" + query, Body: []byte("From: ada@example.com\n\nHi")}) {
				anymailtest.RoundTrip(t, ev)
			}
		}
	})
}

// parse returns the normalized events of a payload that is authentic.
func parse(t testing.TB, p *anymail.Payload) []anymail.Event {
	t.Helper()
	events, err := esptest.New(t, relay.New, relay.Config{}).Endpoints()[0].Parser.ParseEvents(t.Context(), p)
	require.NoError(t, err)
	for _, ev := range events {
		anymail.Normalize(ev, relay.ESP)
	}
	return events
}

// Lines end as the pipe of a mail server makes them, and an mbox line is in front.
const mail = "From ada@example.com  Mon Sep 21 16:13:21 2026\n" +
	"Received: from mail.example.com (mail.example.com [192.0.2.7])\n\tby mx.example.org (Postfix) with ESMTPS id 4XYZ\n\tfor <help@in.example.org>; Mon, 21 Sep 2026 16:13:20 +0200 (CEST)\n" +
	"Received: by mail.example.com; Mon, 21 Sep 2026 16:13:10 +0200\n" +
	"From: Ada <ada@example.com>\nTo: help@in.example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <in1@example.com>\n" +
	"Date: Mon, 21 Sep 2026 16:13:00 +0200\nContent-Type: text/plain; charset=iso-8859-1\n\nGr\xfc\xdfe\n"

func TestInbound(t *testing.T) {
	events := parse(t, &anymail.Payload{
		Header: http.Header{relay.HeaderFrom: {"<bounce@example.com>"}, relay.HeaderTo: {"<help@in.example.org>"}}, Body: []byte(mail),
	})
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.InboundEvent{
		Common: anymail.Common{
			ESP: relay.ESP, Type: anymail.EventInbound, Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), Raw: anymail.Raw(mail),
		},
		Message: anymail.InboundMessage{
			EnvelopeSender: "bounce@example.com", EnvelopeRecipient: "help@in.example.org", EnvelopeRecipients: []string{"help@in.example.org"},
			From: []anymail.Address{{Name: "Ada", Address: "ada@example.com"}}, To: []anymail.Address{{Address: "help@in.example.org"}},
			Subject: "Grüße", Date: time.Date(2026, 9, 21, 14, 13, 0, 0, time.UTC), MessageID: "in1@example.com",
			Headers: anymail.Headers{
				{Name: "Received", Value: "from mail.example.com (mail.example.com [192.0.2.7])\tby mx.example.org (Postfix) with ESMTPS id 4XYZ\tfor <help@in.example.org>; Mon, 21 Sep 2026 16:13:20 +0200 (CEST)"},
				{Name: "Received", Value: "by mail.example.com; Mon, 21 Sep 2026 16:13:10 +0200"},
				{Name: "From", Value: "Ada <ada@example.com>"},
				{Name: "To", Value: "help@in.example.org"},
				{Name: "Subject", Value: "Grüße"},
				{Name: "Message-ID", Value: "<in1@example.com>"},
				{Name: "Date", Value: "Mon, 21 Sep 2026 16:13:00 +0200"},
				{Name: "Content-Type", Value: "text/plain; charset=iso-8859-1"},
			},
			Text: "Grüße\n", RawMIME: anymail.Raw(mail),
		},
	}, events[0])
}

// No message without a server's Received has a time of receipt: Date is the sender's.
func TestWithoutReceived(t *testing.T) {
	events := parse(t, &anymail.Payload{Body: []byte("Date: Mon, 21 Sep 2026 16:13:00 +0200\nFrom: ada@example.com\n\nHi")})
	require.True(t, events[0].Base().Timestamp.IsZero())
}

func TestEnvelope(t *testing.T) {
	const received = "Received: by mx.example.org; Mon, 21 Sep 2026 16:13:20 +0200\n"
	header := func(sender string, recipients ...string) http.Header {
		h := http.Header{}
		if sender != "" {
			h.Set(relay.HeaderFrom, sender)
		}
		for _, recipient := range recipients {
			h.Add(relay.HeaderTo, recipient)
		}
		return h
	}
	tests := []struct {
		name       string
		header     http.Header
		query      string
		top        string // of the message
		sender     string
		recipients []string
	}{
		{name: "header", header: header("ada@example.com", "help@in.example.org"), sender: "ada@example.com", recipients: []string{"help@in.example.org"}},
		{name: "in angle brackets", header: header("<ada@example.com>", "<help@in.example.org>"), sender: "ada@example.com", recipients: []string{"help@in.example.org"}},
		{name: "a list", header: header("", "<a@in.example.org>, <b@in.example.org>"), recipients: []string{"a@in.example.org", "b@in.example.org"}},
		{name: "repeated", header: header("", "a@in.example.org", "b@in.example.org", "a@in.example.org"), recipients: []string{"a@in.example.org", "b@in.example.org"}},
		{name: "a comma in quotes", header: header("", `<"a,b"@in.example.org>`), recipients: []string{`"a,b"@in.example.org`}},
		{name: "not ASCII", header: header("käthe@example.com", "<hilfe@münchen.example>"), sender: "käthe@example.com", recipients: []string{"hilfe@münchen.example"}},
		{name: "no sender, and Return-Path has one", header: header("<>", "help@in.example.org"), top: "Return-Path: <ada@example.com>\n", recipients: []string{"help@in.example.org"}},
		{name: "header before query", header: header("ada@example.com", "help@in.example.org"), query: "sender=x@example.com&recipient=x@in.example.org", sender: "ada@example.com", recipients: []string{"help@in.example.org"}},
		{name: "query", query: "sender=ada@example.com&recipient=a%40in.example.org&recipient=b@in.example.org", sender: "ada@example.com", recipients: []string{"a@in.example.org", "b@in.example.org"}},
		{name: "a plus in the query", query: "recipient=help+42@in.example.org", recipients: []string{"help+42@in.example.org"}},
		{name: "no sender in the query", query: "sender=&recipient=help@in.example.org", top: "Return-Path: <ada@example.com>\n", recipients: []string{"help@in.example.org"}},
		{
			name: "Postfix, flags DOR", top: "Return-Path: <ada@example.com>\nX-Original-To: alias@in.example.org\nDelivered-To: help@in.example.org\n",
			sender: "ada@example.com", recipients: []string{"alias@in.example.org"},
		},
		{name: "Postfix, flag D", top: "Delivered-To: help@in.example.org\n", recipients: []string{"help@in.example.org"}},
		{
			name: "Exim", top: "Return-path: <ada@example.com>\nEnvelope-to: a@in.example.org,\n\tb@in.example.org\n",
			sender: "ada@example.com", recipients: []string{"a@in.example.org", "b@in.example.org"},
		},
		{name: "a bounce", top: "Return-Path: <>\nX-Original-To: help@in.example.org\n", recipients: []string{"help@in.example.org"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			message := tt.top + received + "Return-Path: <forged@example.net>\nX-Original-To: forged@example.net\nFrom: ada@example.com\n\nHi"
			m := parse(t, &anymail.Payload{
				Header: tt.header, URL: "https://your.host/anymail/relay/inbound/?" + tt.query, Body: []byte(message),
			})[0].(*anymail.InboundEvent).Message
			require.Equal(t, tt.sender, m.EnvelopeSender)
			require.Equal(t, tt.recipients, m.EnvelopeRecipients)
		})
	}
}

// TestEnvelopeOfTheSender: what only the sender can have written is no envelope.
func TestEnvelopeOfTheSender(t *testing.T) {
	for _, message := range []string{
		"Received: by mx.example.org\nReturn-Path: <forged@example.net>\nDelivered-To: forged@example.net\nEnvelope-To: forged@example.net\n\nHi",
		"Return-Path: <forged@example.net>\nX-Original-To: forged@example.net\nFrom: ada@example.com\n\nHi",
		"X-Envelope-From: forged@example.net\nX-Envelope-To: forged@example.net\nReceived: by mx.example.org\n\nHi",
	} {
		m := parse(t, &anymail.Payload{Body: []byte(message)})[0].(*anymail.InboundEvent).Message
		require.Empty(t, m.EnvelopeSender, message)
		require.Empty(t, m.EnvelopeRecipients, message)
	}
}

// A mail server that hands over a message for each recipient makes several events of
// it. A redelivery is the same event.
func TestKeys(t *testing.T) {
	key := func(recipient string) string {
		return parse(t, &anymail.Payload{Header: http.Header{relay.HeaderTo: {recipient}}, Body: []byte(mail)})[0].Base().Key
	}
	require.Equal(t, key("a@in.example.org"), key("<a@in.example.org>"))
	require.NotEqual(t, key("a@in.example.org"), key("b@in.example.org"))
}

func TestNoMessage(t *testing.T) {
	parser := esptest.New(t, relay.New, relay.Config{}).Endpoints()[0].Parser
	for _, body := range []string{"", "\r\n\r\n", "From ada@example.com  Mon Sep 21 16:13:21 2026\n"} {
		_, err := parser.ParseEvents(t.Context(), &anymail.Payload{Body: []byte(body)})
		require.ErrorIs(t, err, anymail.ErrMalformed, "%q", body)
	}
}

// Made with: printf '%s\n%s\n%s\n%b' "$TIMESTAMP" "$FROM" "$TO" "$BODY" | openssl dgst -sha256 -hmac "$KEY"
const (
	signingKey = "relay-key-1"
	timestamp  = "1790000000"
	from       = "<ada@example.com>"
	to         = "<help@in.example.org>, <desk@in.example.org>"
	body       = "From: ada@example.com\r\n\r\nHi\r\n"
	signature  = "e1f4d8af9f609cf9535048918b3782b438687ff2b4bdffe0773d692f62b46c1f"
)

func signedHeader() http.Header {
	return http.Header{
		relay.HeaderTimestamp: {timestamp}, relay.HeaderFrom: {from}, relay.HeaderTo: {to}, relay.HeaderSignature: {signature},
	}
}

func TestSignature(t *testing.T) {
	without := func(name string) http.Header {
		h := signedHeader()
		h.Del(name)
		return h
	}
	with := func(name string, values ...string) http.Header {
		h := signedHeader()
		h[name] = values
		return h
	}
	tests := []struct {
		name   string
		header http.Header
		body   string // the signed one if empty
		keys   []string
		key    int // that matched; -1 for none
	}{
		{name: "signed", header: signedHeader(), keys: []string{signingKey}},
		{name: "second key of a rotation", header: signedHeader(), keys: []string{"another", signingKey}, key: 1},
		{name: "a list split by a proxy", header: with(relay.HeaderTo, "<help@in.example.org>", "<desk@in.example.org>"), keys: []string{signingKey}},
		{name: "another key", header: signedHeader(), keys: []string{"another"}, key: -1},
		{name: "no signature", header: without(relay.HeaderSignature), keys: []string{signingKey}, key: -1},
		{name: "no time", header: without(relay.HeaderTimestamp), keys: []string{signingKey}, key: -1},
		{name: "another time", header: with(relay.HeaderTimestamp, "1790000001"), keys: []string{signingKey}, key: -1},
		{name: "no sender", header: without(relay.HeaderFrom), keys: []string{signingKey}, key: -1},
		{name: "another sender", header: with(relay.HeaderFrom, "<eve@example.com>"), keys: []string{signingKey}, key: -1},
		{name: "a second sender", header: with(relay.HeaderFrom, from, "<eve@example.com>"), keys: []string{signingKey}, key: -1},
		{name: "another recipient", header: with(relay.HeaderTo, "<root@in.example.org>"), keys: []string{signingKey}, key: -1},
		{name: "one more recipient", header: with(relay.HeaderTo, to, "<root@in.example.org>"), keys: []string{signingKey}, key: -1},
		{name: "recipients as the sender", header: func() http.Header {
			h := with(relay.HeaderFrom, from+"\n"+to)
			h[relay.HeaderTo] = nil
			return h
		}(), keys: []string{signingKey}, key: -1},
		{name: "another body", header: signedHeader(), body: strings.Replace(body, "Hi", "Ho", 1), keys: []string{signingKey}, key: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adapter := esptest.New(t, relay.New, relay.Config{SigningKeys: anymail.Keys(tt.keys...)})
			proof, err := adapter.Endpoints()[0].Verifier.Verify(t.Context(), &anymail.Payload{Header: tt.header, Body: []byte(cmp.Or(tt.body, body))})
			if tt.key < 0 {
				require.ErrorIs(t, err, anymail.ErrUnauthenticated)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.key, proof.Key)
			require.Equal(t, time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC), proof.SignedAt.UTC())
		})
	}
}

func TestSign(t *testing.T) {
	got := http.Header{relay.HeaderFrom: {from}, relay.HeaderTo: {to}}
	relay.Sign(got, []byte(body), signingKey, time.Unix(1790000000, 0))
	require.Equal(t, signedHeader(), got)
}

// TestSignedEnvelope: the query of a signed request is not signed, so no envelope is
// taken from it.
func TestSignedEnvelope(t *testing.T) {
	received := func(config relay.Config, options ...anymail.Option) anymail.InboundMessage {
		d, err := anymail.New(options...)
		require.NoError(t, err)
		require.NoError(t, d.Register("relay", esptest.New(t, relay.New, config)))
		recorder := new(anymailtest.Recorder)
		require.NoError(t, recorder.Connect(&d.Signals, "recorder"))
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/relay/inbound/?sender=eve@example.com&recipient=root@in.example.org", strings.NewReader(body))
		request.Header.Set("Content-Type", "message/rfc822")
		relay.Sign(request.Header, []byte(body), signingKey, time.Now())
		request.SetBasicAuth("actionmailbox", "correct-horse-battery")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, request)
		require.Equal(t, http.StatusOK, w.Code)
		return recorder.Take()[0].(*anymail.InboundEvent).Message
	}
	signed := received(relay.Config{SigningKeys: anymail.Keys(signingKey)})
	require.Empty(t, signed.EnvelopeSender)
	require.Empty(t, signed.EnvelopeRecipients)

	unsigned := received(relay.Config{}, anymail.WithSharedSecret("actionmailbox:correct-horse-battery"))
	require.Equal(t, "eve@example.com", unsigned.EnvelopeSender)
	require.Equal(t, "root@in.example.org", unsigned.EnvelopeRecipient)
}

// Exim's default limit for messages is 50 MiB.
func TestLargeMessages(t *testing.T) {
	require.Greater(t, esptest.New(t, relay.New, relay.Config{}).Endpoints()[0].MaxBody, int64(50<<20))
}

func TestConfig(t *testing.T) {
	esptest.Misconfigured(t, relay.New, map[string]relay.Config{"empty key": {SigningKeys: anymail.Keys("key", "")}})
}

// The samples have an envelope, whichever way it is posted.
func TestSamples(t *testing.T) {
	for _, sample := range relaysim.New().Samples {
		r := sample.Make(simulator.NewParams())
		m := parse(t, r.Payload(relay.ESP))[0].(*anymail.InboundEvent).Message
		require.NotEmpty(t, m.EnvelopeRecipients, sample.Name)
		require.Equal(t, slices.Contains([]string{"null-sender", "dsn", "arf", "autoreply", "unsubscribe"}, sample.Name), m.EnvelopeSender == "", sample.Name)
	}
}
