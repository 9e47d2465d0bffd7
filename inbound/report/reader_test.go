package report_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/inbound/report"
	"github.com/goanymail/anymail/mailtoken"
)

// sent are the tokens of a message to ada@example.net.
type sent struct {
	tokens                *mailtoken.Tokens
	sender, id, unbound   string // addresses and Message-IDs
	unsubscribe, expired  string
	unsubscribeURL, other string
}

func send(t testing.TB) sent {
	t.Helper()
	now := time.Date(2026, 2, 5, 10, 0, 0, 0, time.UTC)
	tokens := func(key string) *mailtoken.Tokens {
		ts, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys(key), Now: func() time.Time { return now }})
		require.NoError(t, err)
		return ts
	}
	ts := tokens("correct-horse-battery")
	must := func(text string, err error) string {
		require.NoError(t, err)
		return text
	}
	m := mailtoken.Message{ID: "welcome-1", Recipient: "ada@example.net"}
	s := sent{
		tokens:      ts,
		sender:      must(ts.ReturnPath(t.Context(), m, "bounce+@example.com")),
		id:          must(ts.MessageID(t.Context(), m, "example.com")),
		unbound:     must(ts.ReturnPath(t.Context(), mailtoken.Message{ID: "welcome-1"}, "bounce+@example.com")),
		unsubscribe: must(ts.Unsubscribe(t.Context(), m)),
		other:       must(tokens("another-correct-horse").ReturnPath(t.Context(), m, "bounce+@example.com")),
	}
	hs, err := ts.ListUnsubscribe(t.Context(), m, "https://example.com/anymail/oneclick/", "unsubscribe@example.com")
	require.NoError(t, err)
	s.unsubscribeURL = hs.Get("List-Unsubscribe")
	old := m
	old.Expires = now.AddDate(0, 0, -1)
	s.expired = must(ts.ReturnPath(t.Context(), old, "bounce+@example.com"))
	return s
}

// bounce is a report about recipients that returns header fields.
func bounce(header string, recipients ...string) string {
	var blocks strings.Builder
	for _, to := range recipients {
		fmt.Fprintf(&blocks, "\nFinal-Recipient: rfc822; %s\nAction: failed\nStatus: 5.1.1\n", to)
	}
	return "From: MAILER-DAEMON@mx.example.net\nContent-Type: multipart/report; report-type=delivery-status; boundary=next\n\n" +
		"--next\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n" + blocks.String() +
		"--next\nContent-Type: text/rfc822-headers\n\n" + header + "\n--next--\n"
}

// complaint is a report of a feedback loop.
func complaint(fields, header string) string {
	return "From: fbl@mail.provider.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=next\n\n" +
		"--next\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n" + fields +
		"\n--next\nContent-Type: text/rfc822-headers\n\n" + header + "\n--next--\n"
}

func received(raw, to string) *anymail.InboundEvent {
	in := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound}, Message: rawmime.Parse([]byte(raw), anymail.Limits{})}
	if to != "" {
		in.Message.EnvelopeRecipient, in.Message.EnvelopeRecipients = to, []string{to}
	}
	anymail.Normalize(in, "relay")
	return in
}

func TestReader(t *testing.T) {
	s := send(t)
	authenticated := anymail.Authentication{DKIM: "pass", DMARC: "pass"}
	tests := []struct {
		name      string
		raw, to   string
		auth      anymail.Authentication
		options   report.Options
		verified  anymail.Verification
		messageID string
		recipient string
	}{
		{name: "token of the return path", raw: bounce("Message-ID: <x@example.com>\n", "ada@example.net"), to: s.sender, verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "in capitals", raw: bounce("", "ADA@EXAMPLE.NET"), to: strings.ToUpper(s.sender), verified: "token", messageID: "welcome-1", recipient: "ADA@EXAMPLE.NET"},
		{name: "without an envelope", raw: "To: <" + s.sender + ">\n" + bounce("", "ada@example.net"), verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "forwarded to another address", raw: bounce("To: Ada <Ada@example.net>\n", "ada@work.example"), to: s.sender, verified: "token", messageID: "welcome-1", recipient: "Ada@example.net"},
		{name: "of another address", raw: bounce("To: victim@example.net\n", "victim@example.net"), to: s.sender, verified: "token", messageID: "welcome-1"},
		{name: "Message-ID", raw: bounce("Message-ID: <"+s.id+">\n", "ada@example.net"), to: "bounce@example.com", verified: "message_id", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "Message-ID, of another address", raw: bounce("Message-ID: <"+s.id+">\n", "victim@example.net"), verified: "message_id", messageID: "welcome-1"},
		{name: "a Message-ID as return path", raw: bounce("", "ada@example.net"), to: s.id, verified: "none", recipient: "ada@example.net"},
		{name: "an unsubscribe token as return path", raw: bounce("", "ada@example.net"), to: s.unsubscribe + "@example.com", verified: "none", recipient: "ada@example.net"},
		{name: "expired", raw: bounce("", "ada@example.net"), to: s.expired, verified: "none", recipient: "ada@example.net"},
		{name: "of another key", raw: bounce("", "ada@example.net"), to: s.other, verified: "none", recipient: "ada@example.net"},
		{name: "no token", raw: bounce("Message-ID: <welcome-1@example.com>\n", "victim@example.net"), to: "bounce@example.com", verified: "none", messageID: "welcome-1@example.com", recipient: "victim@example.net"},
		{name: "unbound token", raw: bounce("", "victim@example.net"), to: s.unbound, verified: "none", messageID: "welcome-1", recipient: "victim@example.net"},
		{name: "unbound token, sent there", raw: bounce("", "ada@example.net"), to: s.unbound, options: report.Options{SentTo: sentToAda}, verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "unbound token, not sent there", raw: bounce("", "victim@example.net"), to: s.unbound, options: report.Options{SentTo: sentToAda}, verified: "none", messageID: "welcome-1", recipient: "victim@example.net"},

		{name: "complaint, return path", raw: complaint("Original-Mail-From: <"+s.sender+">\nOriginal-Rcpt-To: ada@example.net\n", ""), verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "complaint, redacted", raw: complaint("Original-Mail-From: <"+s.sender+">\nOriginal-Rcpt-To: redacted@example.net\n", ""), verified: "token", messageID: "welcome-1"},
		{name: "complaint, redacted, unbound", raw: complaint("Original-Mail-From: <"+s.unbound+">\n", ""), verified: "token", messageID: "welcome-1"},
		{name: "complaint, redacted but for List-Unsubscribe", raw: complaint("Original-Rcpt-To: redacted@example.net\n", "List-Unsubscribe: "+s.unsubscribeURL+"\n"), verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "complaint, List-Unsubscribe and a victim", raw: complaint("Original-Rcpt-To: victim@example.net\n", "List-Unsubscribe: "+s.unsubscribeURL+"\n"), verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "complaint of a reporter", raw: complaint("Original-Rcpt-To: eve@provider.example\n", ""), auth: authenticated, options: report.Options{Reporters: []string{"Mail.provider.example"}}, verified: "dkim", recipient: "eve@provider.example"},
		{name: "complaint of a reporter's address", raw: complaint("Original-Rcpt-To: eve@provider.example\n", ""), auth: authenticated, options: report.Options{Reporters: []string{"fbl@mail.provider.example"}}, verified: "dkim", recipient: "eve@provider.example"},
		{name: "complaint of another domain", raw: complaint("Original-Rcpt-To: eve@provider.example\n", ""), auth: authenticated, options: report.Options{Reporters: []string{"provider.example"}}, verified: "none", recipient: "eve@provider.example"},
		{name: "complaint, DKIM of another domain", raw: complaint("Original-Rcpt-To: eve@provider.example\n", ""), auth: anymail.Authentication{DKIM: "pass", DMARC: "fail"}, options: report.Options{Reporters: []string{"mail.provider.example"}}, verified: "none", recipient: "eve@provider.example"},
		{name: "complaint with two senders", raw: strings.Replace(complaint("Original-Rcpt-To: eve@provider.example\n", ""), "\n", "\nFrom: eve@example.com\n", 1), auth: authenticated, options: report.Options{Reporters: []string{"mail.provider.example"}}, verified: "none", recipient: "eve@provider.example"},
		{name: "own requests are not complaints", raw: complaint("Original-Rcpt-To: eve@provider.example\n", ""), auth: authenticated, options: report.Options{OwnRequests: true}, verified: "none", recipient: "eve@provider.example"},

		{name: "automatic reply", raw: "From: ada@example.net\nAuto-Submitted: auto-replied\nSubject: Away\n\nHi", to: s.sender, verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "automatic reply to the Message-ID", raw: "From: ada@example.net\nAuto-Submitted: auto-replied\nIn-Reply-To: <" + s.id + ">\n\nHi", verified: "message_id", messageID: "welcome-1", recipient: "ada@example.net"},

		{name: "unsubscription", raw: "From: whoever@example.org\nSubject: unsubscribe " + s.unsubscribe + "\n\n", to: "unsubscribe@example.com", verified: "token", messageID: "welcome-1", recipient: "ada@example.net"},
		{name: "unsubscription of a forged sender", raw: "From: victim@example.org\nSubject: unsubscribe\n\n", to: "unsubscribe@example.com", verified: "none", recipient: "victim@example.org"},
		{name: "unsubscription by a return path", raw: "From: victim@example.org\nSubject: unsubscribe\n\n", to: s.sender, verified: "none", recipient: "victim@example.org"},
		{name: "unsubscription, authenticated", raw: "From: ada@example.net\nSubject: unsubscribe\n\n", to: "unsubscribe@example.com", auth: authenticated, verified: "none", recipient: "ada@example.net"},
		{name: "unsubscription, authenticated and believed", raw: "From: ada@example.net\nSubject: unsubscribe\n\n", to: "unsubscribe@example.com", auth: authenticated, options: report.Options{OwnRequests: true}, verified: "dkim", recipient: "ada@example.net"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := received(tt.raw, tt.to)
			in.Message.Authentication = tt.auth
			tt.options.Tokens = s.tokens
			events, keep := readReport(t, tt.options, in)
			require.True(t, keep)
			require.Equal(t, tt.verified != anymail.VerifiedNone, len(events) == 1, "only what is verified")

			tt.options.Unverified = true
			events, _ = readReport(t, tt.options, in)
			require.Len(t, events, 1)
			ev := events[0]
			require.Equal(t, tt.verified, ev.Verified)
			require.Equal(t, tt.messageID, ev.MessageID)
			require.Equal(t, tt.recipient, ev.Recipient)
			if tt.verified == anymail.VerifiedNone {
				require.False(t, ev.ShouldSuppress())
			}

			// The key is that of the report, whatever verifies it.
			without, _ := readReport(t, report.Options{Unverified: true}, in)
			require.Equal(t, without[0].Key, ev.Key)
		})
	}
}

func sentToAda(_ context.Context, id, recipient string) (bool, error) {
	return id == "welcome-1" && recipient == "ada@example.net", nil
}

func readReport(t testing.TB, options report.Options, in *anymail.InboundEvent) ([]*anymail.TrackingEvent, bool) {
	t.Helper()
	reader, err := report.NewReader(options)
	require.NoError(t, err)
	events, keep, err := reader.ReadReport(t.Context(), in)
	require.NoError(t, err)
	return events, keep
}

// A report for one recipient says nothing about the others that it names.
func TestReaderSeveralRecipients(t *testing.T) {
	s := send(t)
	in := received(bounce("", "victim@example.net", "ada@example.net"), s.sender)
	events, _ := readReport(t, report.Options{Tokens: s.tokens}, in)
	require.Len(t, events, 2)
	require.Empty(t, events[0].Recipient)
	require.Equal(t, "ada@example.net", events[1].Recipient)
	require.NotEqual(t, events[0].Key, events[1].Key)
}

// A long report cannot make the reader ask the database without end.
func TestReaderAsksSeldom(t *testing.T) {
	s := send(t)
	asked := 0
	recipients := make([]string, 200)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("u%d@example.net", i)
	}
	in := received(bounce("", recipients...), s.unbound)
	events, _ := readReport(t, report.Options{Tokens: s.tokens, SentTo: func(context.Context, string, string) (bool, error) {
		asked++
		return true, nil
	}}, in)
	require.Equal(t, 50, asked)
	require.Len(t, events, 50)
}

func TestReaderReplace(t *testing.T) {
	s := send(t)
	for _, tt := range []struct {
		name, raw, to string
		keep          bool
	}{
		{"verified", bounce("", "ada@example.net"), s.sender, false},
		{"not verified", bounce("", "ada@example.net"), "bounce@example.com", true},
		{"no report", "From: ada@example.net\n\nHi", s.sender, true},
		{"DMARC", "From: ada@example.net\nContent-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n", s.sender, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events, keep := readReport(t, report.Options{Tokens: s.tokens, Replace: true}, received(tt.raw, tt.to))
			require.Equal(t, tt.keep, keep)
			require.Equal(t, tt.keep, len(events) == 0)
		})
	}
}

func TestReaderErrors(t *testing.T) {
	s := send(t)
	for _, reporters := range [][]string{{""}, {" example.com"}} {
		_, err := report.NewReader(report.Options{Reporters: reporters})
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
	sealed := errors.New("vault is sealed")
	tokens, err := mailtoken.New(mailtoken.Config{Keys: anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, sealed })})
	require.NoError(t, err)
	for _, options := range []report.Options{
		{Tokens: tokens},
		{Tokens: s.tokens, SentTo: func(context.Context, string, string) (bool, error) { return false, sealed }},
	} {
		reader, err := report.NewReader(options)
		require.NoError(t, err)
		_, _, err = reader.ReadReport(t.Context(), received(bounce("", "ada@example.net"), s.unbound))
		require.ErrorIs(t, err, sealed)
	}
}

// FuzzReader: no mail from anyone makes an event about an address other than the one
// that a token is bound to.
func FuzzReader(f *testing.F) {
	s := send(f)
	reader, err := report.NewReader(report.Options{Tokens: s.tokens})
	require.NoError(f, err)
	for _, to := range []string{s.sender, s.unbound, s.id, "bounce@example.com"} {
		f.Add([]byte(bounce("To: ada@example.net\nMessage-ID: <"+s.id+">\n", "ada@example.net", "bob@example.net")), to)
		f.Add([]byte(complaint("Original-Mail-From: "+s.sender+"\n", "List-Unsubscribe: "+s.unsubscribeURL+"\n")), to)
		f.Add([]byte("From: eve@example.net\nSubject: unsubscribe "+s.unsubscribe+"\n\n"), to)
	}
	f.Fuzz(func(t *testing.T, raw []byte, to string) {
		events, keep, err := reader.ReadReport(t.Context(), received(string(raw), to))
		require.NoError(t, err)
		require.True(t, keep)
		for _, ev := range events {
			require.Contains(t, []string{"", "ada@example.net"}, strings.ToLower(ev.Recipient))
			require.Equal(t, "welcome-1", ev.MessageID)
			require.NotEmpty(t, ev.Key)
		}
	})
}
