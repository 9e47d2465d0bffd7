package all_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/simulator"
)

// TestSameMailFromEveryESP: those that hand over a mail as it was received give
// the same message, however they wrap it.
func TestSameMailFromEveryESP(t *testing.T) {
	files, err := filepath.Glob("../../testdata/mail/*.eml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	mails := map[string][]byte{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		mails[filepath.Base(file)] = raw
	}
	var whole []string
	for _, sim := range allsim.List() {
		if sim.ESP == "postmark" {
			continue // has the mail in addition to fields of its own, which are the better source
		}
		for _, sample := range sim.Samples {
			if len(sample.Types) == 1 && sample.Types[0] == anymail.EventInbound && handsOver(t, sim, sample) {
				whole = append(whole, sim.ESP)
				t.Run(sim.ESP+" "+sample.Name, func(t *testing.T) { sameMails(t, sim, sample, mails) })
			}
		}
	}
	require.Subset(t, whole, []string{"amazonses", "mailgun", "mailtrap", "mandrill", "postal", "relay", "resend", "sendgrid", "sparkpost"})
}

// handsOver reports whether a sample holds the mail that it is given.
func handsOver(t *testing.T, sim *simulator.Simulator, sample simulator.Sample) bool {
	p := simulator.NewParams()
	p.MIME = []byte("Subject: told apart\r\n\r\nby its text\r\n")
	message := send(t, anymailtest.NewServer(t, sim), sample, p)
	return endsIn(message.RawMIME, p.MIME)
}

func sameMails(t *testing.T, sim *simulator.Simulator, sample simulator.Sample, mails map[string][]byte) {
	server := anymailtest.NewServer(t, sim)
	// What an ESP adds, and no mail says.
	ignored := cmpopts.IgnoreFields(anymail.InboundMessage{}, "EnvelopeSender", "EnvelopeRecipient", "EnvelopeRecipients",
		"StrippedText", "StrippedHTML", "SpamDetected", "SpamScore", "Authentication")
	for name, raw := range mails {
		p := simulator.NewParams()
		p.MIME = raw
		got := send(t, server, sample, p)
		if !utf8.Valid(raw) && !endsIn(got.RawMIME, raw) {
			continue // the ESP puts it into a JSON string, which cannot hold it
		}
		require.True(t, endsIn(got.RawMIME, raw), name)
		want := rawmime.Parse(got.RawMIME, anymail.Limits{})
		if diff := cmp.Diff(want, got, ignored, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// endsIn reports whether a message that an ESP passed on is that mail. The ESP may write
// header fields on top of it and end its lines differently.
func endsIn(message, mail []byte) bool {
	return bytes.HasSuffix(bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")), bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n")))
}

func send(t *testing.T, server *anymailtest.Server, sample simulator.Sample, p simulator.Params) anymail.InboundMessage {
	t.Helper()
	events := server.Send(t, sample, p)
	require.Len(t, events, 1)
	require.IsType(t, &anymail.InboundEvent{}, events[0])
	return events[0].(*anymail.InboundEvent).Message
}
