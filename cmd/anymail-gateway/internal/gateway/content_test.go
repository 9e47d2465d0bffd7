package gateway

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// mail returns a received message that is three times in the event, as with an ESP
// that posts the source in JSON.
func mail(size int) *anymail.InboundEvent {
	content := bytes.Repeat([]byte{0xff, 0, 0x7f}, size/3)
	source, _ := json.Marshal(content) // in base64, as in a source
	return &anymail.InboundEvent{
		Common: anymail.Common{ESP: "postmark", Type: anymail.EventInbound, Key: "../key", Raw: source},
		Message: anymail.InboundMessage{Subject: "Photos", RawMIME: source, Attachments: []anymail.Attachment{
			{Filename: "../a.png", ContentType: "image/png", Disposition: "attachment", Size: int64(len(content)), Content: content},
			{Filename: "empty", ContentType: "text/plain", Disposition: "attachment"},
		}},
	}
}

func (s Sink) withDefaults() Sink {
	c := Config{Sinks: []Sink{s}}
	c.complete()
	return c.Sinks[0]
}

func TestContentOfInboundMail(t *testing.T) {
	const size = 500_001 // a multiple of 3
	for _, test := range []struct {
		name                     string
		sink                     Sink
		raw, source, attachments bool
		factor                   float64 // of the size of the attachment
	}{
		{"default", Sink{}, false, false, true, 4. / 3},
		{"source alone", Sink{RawMIME: true, Attachments: Attachments{Mode: attachmentsNone}}, false, true, false, 4. / 3},
		{"nothing", Sink{Attachments: Attachments{Mode: attachmentsNone}}, false, false, false, 0},
		{"raw alone", Sink{Raw: anymail.Yes, Attachments: Attachments{Mode: attachmentsNone}}, true, false, false, 4. / 3},
		{"everything", Sink{Raw: anymail.Yes, RawMIME: true}, true, true, true, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			ev, sink := mail(size), test.sink.withDefaults()
			got, err := sink.reduced(ev, nil)
			require.NoError(t, err)
			reduced, ok := got.(*anymail.InboundEvent)
			require.True(t, ok)
			require.Equal(t, test.raw, reduced.Raw != nil)
			require.Equal(t, test.source, reduced.Message.RawMIME != nil)
			require.Equal(t, test.attachments, reduced.Message.Attachments[0].Content != nil)
			require.EqualValues(t, size, reduced.Message.Attachments[0].Size)
			text, err := json.Marshal(got)
			require.NoError(t, err)
			require.InDelta(t, test.factor*size, len(text), 1000)
			require.Equal(t, mail(size), ev, "another sink gets all of it")
		})
	}
}

func TestNeedInboundRaw(t *testing.T) {
	for _, test := range []struct {
		sinks []Sink
		want  bool
	}{
		{[]Sink{{}, {Raw: anymail.No}}, false},
		{[]Sink{{Raw: anymail.Yes, Kinds: []string{"tracking"}}}, false},
		{[]Sink{{}, {Raw: anymail.Yes, Kinds: []string{"inbound"}}}, true},
		{[]Sink{{Raw: anymail.Yes}}, true},
	} {
		require.Equal(t, test.want, needInboundRaw(test.sinks))
	}
}

// Raw is everything that is known of mail that could not be read, and little of a
// tracking event.
func TestContentThatIsOnlyInRaw(t *testing.T) {
	unread := &anymail.InboundEvent{Common: anymail.Common{ESP: "postmark", Type: anymail.EventInboundFailed, Key: "k", Raw: anymail.Raw("{")}}
	for _, ev := range []anymail.Event{unread, bounce()} {
		for raw, kept := range map[anymail.Tri]bool{anymail.Unsaid: true, anymail.Yes: true, anymail.No: false} {
			sink := Sink{Raw: raw}.withDefaults()
			got, err := sink.reduced(ev, nil)
			require.NoError(t, err)
			require.Equal(t, kept, got.Base().Raw != nil)
			require.NotNil(t, ev.Base().Raw)
		}
	}
}

func TestAttachmentsAsFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "attachments")
	sink := Sink{Attachments: Attachments{Directory: path, MaxBytes: 100}}.withDefaults()
	dir, err := openAttachments(sink.Attachments)
	require.NoError(t, err)
	defer dir.Close()
	require.NoError(t, dir.Check())

	ev := mail(60)
	files := func(ev anymail.Event) []anymail.Attachment {
		got, err := sink.reduced(ev, dir)
		require.NoError(t, err)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		back, err := anymail.DecodeEvent(text)
		require.NoError(t, err)
		inbound, ok := back.(*anymail.InboundEvent)
		require.True(t, ok)
		return inbound.Message.Attachments
	}
	got := files(ev)
	name := got[0].Ref
	require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{2}/[0-9a-f]{32}-0$`), name, "nothing of the message")
	require.Nil(t, got[0].Content)
	require.Empty(t, got[1].Ref, "it has no content")
	content, err := os.ReadFile(filepath.Join(path, name))
	require.NoError(t, err)
	require.Equal(t, ev.Message.Attachments[0].Content, content)
	for file, mode := range map[string]os.FileMode{path: 0o700, filepath.Dir(filepath.Join(path, name)): 0o700, filepath.Join(path, name): 0o600} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), file)
	}
	require.Equal(t, got, files(ev), "a retry uses the same file")
	count := func() int {
		list, err := filepath.Glob(filepath.Join(path, "*", "*"))
		require.NoError(t, err)
		return len(list)
	}
	require.Equal(t, 1, count())

	// The directory is full until its reader removes files.
	other := mail(60)
	other.Key = "other"
	_, err = sink.reduced(other, dir)
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.Equal(t, 1, count())
	require.NoError(t, os.Remove(filepath.Join(path, name)))
	dir.counted = dir.counted.Add(-2 * recount)
	require.NotEqual(t, name, files(other)[0].Ref)
}
