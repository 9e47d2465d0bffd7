package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/inbound/report"
)

// FuzzMessage reads whole messages.
func FuzzMessage(f *testing.F) {
	files, err := filepath.Glob("testdata/*.eml")
	require.NoError(f, err)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		check(t, rawmime.Parse(raw, anymail.Limits{}))
	})
}

// FuzzParts reads the parts and fields that most of the rules are about, without MIME
// around them.
func FuzzParts(f *testing.F) {
	f.Add([]byte("Final-Recipient: utf-8; \\x{FC}@example.net\nAction: failed\nStatus: 5.1.1\n"), "message/delivery-status", "", "Failed", "a@example.net")
	f.Add([]byte("Feedback-Type: abuse\nOriginal-Rcpt-To: <ada@example.net>\nIncidents: 3\n"), "message/feedback-report", "", "", "")
	f.Add([]byte("X-HmXmrOriginalRecipient: <ada@example.net>\n"), "message/rfc822", "", "", "")
	f.Add([]byte(nil), "", "Hi. This is the x\n\n<a@example.net>:\n550 no\n\n--- Copy\n\nMessage-ID: <1@example.com>\n", "", "")
	f.Add([]byte(nil), "", "ada@example.net\n550 5.1.1 no\n", "Unsubscribe: a1", "ada@example.net, b@example.net")
	f.Fuzz(func(t *testing.T, content []byte, contentType, text, subject, failed string) {
		m := anymail.InboundMessage{
			From:        []anymail.Address{{Address: "mailer-daemon@example.net"}},
			Subject:     subject,
			Text:        text,
			Attachments: []anymail.Attachment{{ContentType: contentType, Content: content}},
		}
		if failed != "" {
			m.Headers = anymail.Headers{{Name: "X-Failed-Recipients", Value: failed}}
		}
		check(t, m)
		m.From[0].Address, m.Headers = "ada@example.net", anymail.Headers{{Name: "Auto-Submitted", Value: failed}}
		check(t, m)
	})
}

// check reads a message and fails if a result breaks a promise of the package.
func check(t *testing.T, m anymail.InboundMessage) {
	t.Helper()
	in := &anymail.InboundEvent{Message: m}
	anymail.Normalize(in, "relay")
	r := report.Read(&in.Message, anymail.Limits{})
	bounded(t, &r)
	keys := map[string]bool{}
	for _, ev := range r.Events(in) {
		require.NotEmpty(t, ev.Type)
		require.False(t, keys[ev.Key], "two events have one key")
		keys[ev.Key] = true
		require.True(t, utf8.ValidString(ev.Recipient+ev.MessageID+ev.MTAResponse+ev.Description))
		again := *ev
		anymail.Normalize(&again, in.ESP)
		require.Equal(t, *ev, again)
		_, err := json.Marshal(ev)
		require.NoError(t, err)
	}
	switch r.Kind {
	case report.KindDelivery:
		require.NotNil(t, r.Delivery)
	case report.KindFeedback:
		require.NotNil(t, r.Feedback)
	case report.KindAutoReply:
		require.NotNil(t, r.AutoReply)
	case report.KindUnsubscribe:
		require.NotNil(t, r.Unsubscribe)
	default:
		require.Empty(t, r.Events(in))
	}
}

// bounded fails if a report is larger than the package promises.
func bounded(t *testing.T, r *report.Report) {
	t.Helper()
	const text = 4 << 10
	require.LessOrEqual(t, len(r.Original.Headers), 2000)
	require.LessOrEqual(t, max(len(r.Original.MessageID), len(r.Original.EnvelopeID)), text)
	if d := r.Delivery; d != nil {
		require.LessOrEqual(t, len(d.Recipients), 1000)
		for i := range d.Recipients {
			to := &d.Recipients[i]
			require.LessOrEqual(t, max(len(to.Address()), len(to.Diagnostic), len(to.Status)), text)
		}
	}
	if f := r.Feedback; f != nil {
		require.LessOrEqual(t, len(f.Recipients), 100)
		require.LessOrEqual(t, len(f.Raw), 64<<10)
	}
	if u := r.Unsubscribe; u != nil {
		require.LessOrEqual(t, len(u.Token), text)
	}
}
