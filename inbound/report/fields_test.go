package report_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/inbound/report"
)

// withoutBytes leaves out what TestSamples and TestRaw check.
var withoutBytes = cmp.Options{
	cmpopts.IgnoreFields(report.Recipient{}, "Raw"),
	cmpopts.IgnoreFields(report.Feedback{}, "Raw"),
	cmpopts.EquateComparable(netip.Addr{}),
}

func read(t testing.TB, name string) report.Report {
	t.Helper()
	return report.Read(&receive(t, name).Message, anymail.Limits{})
}

func TestDelivery(t *testing.T) {
	arrived := time.Date(2026, 2, 5, 10, 0, 0, 0, time.UTC)
	r := read(t, "postfix-delayed")
	require.Empty(t, cmp.Diff(&report.Delivery{
		Form:         report.FormStandard,
		ReportingMTA: "mx.example.org",
		ArrivalDate:  arrived,
		Recipients: []report.Recipient{{
			Original:       "bob@example.net",
			Final:          "bob@example.net",
			Action:         report.ActionDelayed,
			Status:         "4.4.1",
			Diagnostic:     "connect to mail.example.net[192.0.2.25]:25: Connection timed out",
			DiagnosticType: "x-postfix",
			WillRetryUntil: arrived.AddDate(0, 0, 5),
		}},
	}, r.Delivery, withoutBytes))
	require.Equal(t, "env-2", r.Original.EnvelopeID)
	require.Equal(t, "Offer of the week", r.Original.Headers.Get("Subject"))

	r = read(t, "postfix-delivered")
	require.Equal(t, "ada@mailbox.example.net", r.Delivery.Recipients[0].Final)
	require.Equal(t, "ada@example.net", r.Delivery.Recipients[0].Address())
	require.Equal(t, "mail.example.net", r.Delivery.Recipients[0].RemoteMTA)

	r = read(t, "qmail")
	require.Equal(t, "<bounces@news.example.com>", r.Original.Headers.Get("Return-Path"))
	require.Len(t, r.Delivery.Recipients, 2, "not those in the copy of the message")
}

func TestFeedback(t *testing.T) {
	r := read(t, "arf-yahoo")
	require.Empty(t, cmp.Diff(&report.Feedback{
		Form:           report.FormStandard,
		Type:           "abuse",
		UserAgent:      "Yahoo!-Mail-Feedback/2.0",
		MailFrom:       "bounces@news.example.com",
		Recipients:     []string{"ada@yahoo.example"},
		ArrivalDate:    time.Date(2026, 2, 5, 9, 30, 0, 0, time.UTC),
		SourceIP:       netip.MustParseAddr("192.0.2.10"),
		Domains:        []string{"news.example.com"},
		Authentication: []string{"mta.yahoo.example; dkim=pass header.d=example.com"},
	}, r.Feedback, withoutBytes))

	r = read(t, "arf-several")
	require.Equal(t, 3, r.Feedback.Incidents)
	require.Equal(t, 1, r.Feedback.Redacted)
	require.Equal(t, "mx.isp.example", r.Feedback.ReportingMTA)
	r = read(t, "arf-redacted")
	require.Equal(t, 1, r.Feedback.Redacted)
	require.Equal(t, "env-32", r.Original.EnvelopeID)
}

func TestAutoReply(t *testing.T) {
	for name, field := range map[string]string{
		"autoreply-gmail": "Auto-Submitted", "autoreply-cpanel": "X-Autorespond", "autoreply-japanese": "Precedence",
		"autoreply-french": "Subject", "autoreply-m365-german": "Subject",
	} {
		r := read(t, name)
		require.Equal(t, field, r.AutoReply.Field, name)
	}
}

func TestUnsubscribe(t *testing.T) {
	for name, want := range map[string]report.Unsubscribe{
		"unsubscribe-subject": {From: "ada@example.net", To: "leave@news.example.com"},
		"unsubscribe-token":   {From: "ada@example.net", To: "leave@news.example.com", Token: "k3x9a7"},
		"unsubscribe-address": {From: "ada@example.net", To: "unsubscribe+k3x9a7@news.example.com", Token: "k3x9a7"},
	} {
		r := read(t, name)
		require.Equal(t, &want, r.Unsubscribe, name)
	}
	for subject, want := range map[string]bool{
		"UNSUBSCRIBE": true, " unsubscribe ": true, "unsubscribe me": false, "Re: unsubscribe": false, "unsubscribed": false,
		"unsubscribe 4711": true, "unsubscribe4711": false, "": false, "Please unsubscribe me": false, "désinscription": true,
	} {
		m := anymail.InboundMessage{Subject: subject, EnvelopeRecipient: "news@example.com"}
		r := report.Read(&m, anymail.Limits{})
		require.Equal(t, want, r.Kind == report.KindUnsubscribe, "%q", subject)
	}
	for to, want := range map[string]bool{
		"unsubscribe@example.com": true, "Unsub-1@example.com": true, "unsubscribers@example.com": false, "unsubscribe": false, "a@unsubscribe": false,
	} {
		m := anymail.InboundMessage{EnvelopeRecipient: to}
		r := report.Read(&m, anymail.Limits{})
		require.Equal(t, want, r.Kind == report.KindUnsubscribe, to)
	}
}

// The raw text of an event is the part of the report that is about its recipient.
func TestRaw(t *testing.T) {
	in := receive(t, "sendmail")
	r := report.Read(&in.Message, anymail.Limits{})
	events := r.Events(in)
	require.True(t, strings.HasPrefix(string(events[0].Raw), "Final-Recipient: RFC822; <ada@example.net>\n"))
	require.True(t, strings.HasPrefix(string(events[1].Raw), "Final-Recipient: RFC822; bob@example.net\n"))
}

// Keys depend on the report and the recipient only, and are not those of an ESP.
func TestKeys(t *testing.T) {
	in, again := receive(t, "sendmail"), receive(t, "sendmail")
	again.Key, again.Message.EnvelopeRecipient = "another", "other@example.com"
	r, s := report.Read(&in.Message, anymail.Limits{}), report.Read(&again.Message, anymail.Limits{})
	first, second := r.Events(in), s.Events(again)
	require.Equal(t, first[0].Key, second[0].Key)
	require.NotEqual(t, first[0].Key, first[1].Key)

	// Another report under the id of this one has keys of its own.
	forged := receive(t, "arf-yahoo")
	forged.Message.MessageID = in.Message.MessageID
	f := report.Read(&forged.Message, anymail.Limits{})
	require.NotEqual(t, first[0].Key, f.Events(forged)[0].Key)

	// Without a message id the key of the inbound event counts.
	in.Message.MessageID, again.Message.MessageID = "", ""
	require.NotEqual(t, r.Events(in)[0].Key, s.Events(again)[0].Key)

	ev := anymail.TrackingEvent{Common: anymail.Common{Raw: first[0].Raw, Type: first[0].Type}, Recipient: first[0].Recipient}
	anymail.Normalize(&ev, "relay")
	require.NotEqual(t, first[0].Key, ev.Key)
}

// Normalize changes nothing in an event that it has seen.
func TestEventsAreNormalized(t *testing.T) {
	for name := range samples {
		in := receive(t, name)
		r := report.Read(&in.Message, anymail.Limits{})
		for _, ev := range r.Events(in) {
			again := *ev
			anymail.Normalize(&again, in.ESP)
			require.Equal(t, *ev, again, name)
		}
	}
}

func TestFieldForms(t *testing.T) {
	status := func(fields string) *report.Recipient {
		m := anymail.InboundMessage{Attachments: []anymail.Attachment{{ContentType: "message/delivery-status", Content: []byte(fields)}}}
		r := report.Read(&m, anymail.Limits{})
		require.Equal(t, report.KindDelivery, r.Kind)
		require.Len(t, r.Delivery.Recipients, 1, fields)
		return &r.Delivery.Recipients[0]
	}
	for field, want := range map[string]string{
		"rfc822; ada@example.net":             "ada@example.net",
		"RFC822;<ada@example.net>":            "ada@example.net",
		"ada@example.net":                     "ada@example.net",
		"rfc822;\n ada@example.net":           "ada@example.net",
		"rfc822; ada@example.net (Ada)":       "ada@example.net",
		`rfc822; "a b"@example.net`:           `"a b"@example.net`,
		"rfc822; ada+x=y@example.net":         "ada+x=y@example.net",
		`utf-8; z\x{EB}\x{4E2D}@example.net`:  "zë中@example.net",
		`utf-8; \x{}\x{ZZ}\x{A}\x{@x.example`: `\x{}\x{ZZ}\x{A}\x{@x.example`,
		"rfc822; ada":                         "",
		"unknown; undisclosed":                "",
		"":                                    "",
	} {
		require.Equal(t, want, status("Action: failed\nFinal-Recipient: "+field+"\n").Final, field)
	}
	for fields, want := range map[string]report.Action{
		"Action: FAILED":                 report.ActionFailed,
		"Action: delayed (will retry)":   report.ActionDelayed,
		"Action: failure":                report.ActionFailed,
		"Status: 5.1.1":                  report.ActionFailed,
		"Status: 2.0.0":                  report.ActionDelivered,
		"Status: 4.4.1":                  "",
		"Action: exploded\nStatus: none": "",
	} {
		require.Equal(t, want, status("Final-Recipient: rfc822; ada@example.net\n"+fields+"\n").Action, fields)
	}
	for fields, want := range map[string]string{
		"Status: 5.1.1 (bad mailbox)":   "5.1.1",
		"Status: 2.0.0\nStatus: 5.2.1":  "5.2.1",
		"Status: 4.4.7":                 "4.4.7",
		"Status: unknown\nStatus:":      "",
		"Status: 9.1.1\nStatus: 4.0.00": "4.0.00",
	} {
		require.Equal(t, want, status("Final-Recipient: rfc822; ada@example.net\nAction: failed\n"+fields+"\n").Status, fields)
	}
}

// The memory that a report takes is bounded. With a reader whose time is not in
// proportion to its input, this test does not end in time.
func TestHostile(t *testing.T) {
	many := strings.Repeat
	part := func(contentType, content string) string {
		return "From: mailer-daemon@example.net\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: " +
			contentType + "\n\n" + content + "\n--b--\n"
	}
	const status = "message/delivery-status"
	recipient := func(i int) string {
		return fmt.Sprintf("Final-Recipient: rfc822; a%d@example.net\nAction: failed\n\n", i)
	}
	var recipients strings.Builder
	for i := range 100_000 {
		recipients.WriteString(recipient(i))
	}
	for name, raw := range map[string]string{
		"many recipients":          part(status, recipients.String()),
		"one recipient, repeated":  part(status, many(recipient(1), 100_000)),
		"empty lines":              part(status, many("\n", 8<<20)),
		"blocks":                   part(status, many("a: b\n\n", 1<<20)),
		"fields":                   part(status, many("Status: 5.1.1\n", 1<<19)),
		"a long reason":            part(status, "Action: failed\nDiagnostic-Code: smtp; "+many("550 ", 1<<20)),
		"escapes":                  part(status, "Action: failed\nFinal-Recipient: utf-8; "+many(`\x{`, 1<<20)),
		"many parts":               "Content-Type: multipart/mixed; boundary=b\n\n" + many("--b\nContent-Type: message/delivery-status\n\n"+recipient(1), 1000),
		"feedback recipients":      part("message/feedback-report", many("Original-Rcpt-To: a@example.net\n", 1<<19)),
		"returned headers":         part("message/feedback-report", "Feedback-Type: abuse\n--b\nContent-Type: message/rfc822\n\n"+many("X: y\n", 1<<20)),
		"failed recipients":        "X-Failed-Recipients: " + many("a@example.net,", 60_000) + "\n\n" + many("  a@example.net\n    550 no\n", 100_000),
		"qmail":                    "\nHi. This is the qmail-send program\n\n" + many("<a@example.net>:\n550 no\n\n", 200_000),
		"exchange":                 "From: postmaster@example.net\n\n" + many("a@example.net\n'550 5.1.1 no'\n\n", 200_000),
		"a long address":           "From: postmaster@example.net\n\n" + many("a", 4<<20) + "@example.net\n550 no\n",
		"a long reason in text":    "From: postmaster@example.net\n\na@example.net\n" + many("550 5.1.1 no\n", 400_000),
		"a long subject":           "Subject: unsubscribe " + many("x", 1<<20) + "\n\n",
		"long auto-reply fields":   "Auto-Submitted: auto-replied" + many(" x", 1<<19) + "\nIn-Reply-To: <" + many("x", 1<<18) + ">\n\n",
		"content type of a report": "Content-Type: multipart/report; report-type=" + many("x", 1<<20) + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			in := &anymail.InboundEvent{Common: anymail.Common{ESP: "relay", Key: "k"}, Message: rawmime.Parse([]byte(raw), anymail.Limits{})}
			var events []*anymail.TrackingEvent
			var before, after runtime.MemStats
			start := time.Now()
			runtime.ReadMemStats(&before)
			r := report.Read(&in.Message, anymail.Limits{})
			events = r.Events(in)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
			require.Less(t, time.Since(start), 5*time.Second)
			require.LessOrEqual(t, len(events), 1000)
			bounded(t, &r)
		})
	}

	in := receive(t, "sendmail")
	r := report.Read(&in.Message, anymail.Limits{BatchEvents: 1, MIMEHeaders: 2})
	require.Len(t, r.Delivery.Recipients, 1)
	require.Len(t, r.Original.Headers, 2)
	require.Equal(t, "offer-8@news.example.com", r.Original.MessageID, "is read even beyond the limit")
}
