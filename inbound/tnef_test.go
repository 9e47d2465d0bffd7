package inbound_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	. "github.com/goanymail/anymail/inbound/internal/inboundtest"
)

// What Outlook makes of a message with two files.
var (
	codepage1251 = Attribute(1, 0x00069007, []byte{0xe3, 4, 0, 0, 0, 0, 0, 0})
	note         = Attribute(1, 0x00078008, []byte("IPM.Microsoft Mail.Note\x00"))
	plainBody    = Attribute(1, 0x0002800c, []byte("\xcf\xf0\xe8\xe2\xe5\xf2\x00"))
	firstFile    = slices.Concat(
		Attribute(2, 0x00069002, make([]byte, 14)),
		Attribute(2, 0x00018010, []byte("REPORT~1.PDF\x00")),
		Attribute(2, 0x0006800f, []byte("%PDF")),
		Attribute(2, 0x00069005, Props(
			Prop(0x3707, 0x1f, UTF16("Отчёт 2026.pdf")), Prop(0x370e, 0x1e, []byte("application/pdf\x00")),
			[]byte{0x0b, 0, 0xfe, 0x7f, 1, 0, 0, 0}, // a Boolean
		)),
	)
	secondFile = slices.Concat(
		Attribute(2, 0x00069002, make([]byte, 14)),
		Attribute(2, 0x00018010, []byte("../pic.png\x00")),
		Attribute(2, 0x00069005, Props(
			Prop(0x3701, 0x0102, []byte("PNG")), Prop(0x370e, 0x1f, UTF16("image/png")), Prop(0x3712, 0x1f, UTF16("pic@example.org")),
		)),
	)
	htmlBody = Attribute(1, 0x00069003, Props(
		// A named property comes before the others.
		append([]byte{0x1f, 0, 0x01, 0x80}, slices.Concat(make([]byte, 16), []byte{1, 0, 0, 0}, []byte{6, 0, 0, 0}, UTF16("na"), []byte{0, 0}, []byte{1, 0, 0, 0}, []byte{4, 0, 0, 0}, UTF16("x"))...),
		Prop(0x1000, 0x1f, UTF16("Grüße")), Prop(0x1013, 0x0102, []byte("<p>Gr\xfc\xdfe")),
		[]byte{3, 0x10, 0x99, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, // two numbers
	))
	// The example of MS-OXRTFCP, section 3.1.
	compressed = []byte("\x2d\x00\x00\x00\x2b\x00\x00\x00\x4c\x5a\x46\x75\xf1\xc5\xc7\xa7\x03\x00\x0a\x00\x72\x63\x70\x67\x31\x32\x35\x42\x32\x0a\xf3\x20\x68\x65\x6c\x09\x00\x20\x62\x77\x05\xb0\x6c\x64\x7d\x0a\x80\x0f\xa0")
	rtfBody    = Attribute(1, 0x00069003, Props(Prop(0x1009, 0x0102, compressed)))
)

func tnefMessage(text string, content []byte) anymail.InboundMessage {
	return anymail.InboundMessage{Text: text, Attachments: []anymail.Attachment{
		{Filename: "a.txt", ContentType: "text/plain", Disposition: "attachment"},
		inbound.NewAttachment("winmail.dat", "application/ms-tnef", "attachment", "", content),
	}}
}

func TestOpenTNEF(t *testing.T) {
	pdf := anymail.Attachment{Filename: "Отчёт 2026.pdf", ContentType: "application/pdf", Disposition: "attachment", Size: 4, Content: []byte("%PDF")}
	png := anymail.Attachment{Filename: "pic.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.org", Size: 3, Content: []byte("PNG")}
	rtf := anymail.Attachment{Filename: "body.rtf", ContentType: "application/rtf", Disposition: "inline", Size: 43, Content: []byte("{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n")}
	whole := TNEF(codepage1251, note, plainBody, firstFile, secondFile)
	for name, tt := range map[string]struct {
		before     string // the text
		stream     []byte
		text, html string
		keep       bool
		files      []anymail.Attachment
	}{
		"files and body":         {"", whole, "Привет", "", false, []anymail.Attachment{pdf, png}},
		"there is a text":        {"hello", whole, "hello", "", false, []anymail.Attachment{pdf, png}},
		"padded":                 {"", append(whole[:len(whole):len(whole)], 0, 0, '\r', '\n'), "Привет", "", false, []anymail.Attachment{pdf, png}},
		"only a body":            {"", TNEF(note, plainBody), "Ïðèâåò", "", false, nil},
		"only a known body":      {"hello", TNEF(note, plainBody), "hello", "", false, nil},
		"html":                   {"", TNEF(htmlBody), "Grüße", "<p>Grüße", false, nil},
		"rtf":                    {"", TNEF(rtfBody, firstFile), "", "", false, []anymail.Attachment{rtf, pdf}},
		"rtf, but text":          {"hello", TNEF(rtfBody, firstFile), "hello", "", false, []anymail.Attachment{pdf}},
		"not a note":             {"", TNEF(Attribute(1, 0x00078008, []byte("IPM.Schedule.Meeting.Request\x00")), plainBody), "Ïðèâåò", "", true, nil},
		"cut off":                {"", whole[:len(whole)-30], "Привет", "", true, []anymail.Attachment{pdf, {Filename: "pic.png", ContentType: "image/png", Disposition: "attachment", Size: 3, Content: []byte("PNG")}}},
		"cut off within a file":  {"", TNEF(note, firstFile[:60]), "", "", true, []anymail.Attachment{{Filename: "REPORT~1.PDF", ContentType: "application/octet-stream", Disposition: "attachment", Size: 2, Content: []byte("%P")}}},
		"unknown type of a prop": {"", TNEF(plainBody, Attribute(1, 0x00069003, Props(Prop(0x1000, 0x77, nil)))), "Ïðèâåò", "", true, nil},
		"nothing":                {"", TNEF(), "", "", true, nil},
		"not TNEF":               {"", []byte("hello, you"), "", "", true, nil},
		"a length beyond":        {"", TNEF([]byte{1, 0x0c, 0x80, 2, 0, 0xff, 0xff, 0xff, 0xff, 'x'}), "x", "", true, nil},
	} {
		m := tnefMessage(tt.before, tt.stream)
		want := m.Attachments[:1:1]
		if tt.keep {
			want = append(want, m.Attachments[1])
		}
		want = append(want, tt.files...)
		inbound.OpenTNEF(&m, anymail.Limits{})
		require.Equal(t, tt.text, m.Text, name)
		require.Equal(t, tt.html, m.HTML, name)
		require.Empty(t, cmp.Diff(want, m.Attachments), name)
	}

	for _, contentType := range []string{"application/vnd.ms-tnef", "application/ms-tnef"} {
		m := anymail.InboundMessage{Attachments: []anymail.Attachment{inbound.NewAttachment("x.bin", contentType, "", "", whole)}}
		inbound.OpenTNEF(&m, anymail.Limits{})
		require.Len(t, m.Attachments, 2)
	}
	m := anymail.InboundMessage{Attachments: []anymail.Attachment{inbound.NewAttachment("WINMAIL.DAT", "application/octet-stream", "", "", whole)}}
	inbound.OpenTNEF(&m, anymail.Limits{})
	require.Len(t, m.Attachments, 2)
	m = anymail.InboundMessage{Attachments: []anymail.Attachment{inbound.NewAttachment("x.bin", "application/octet-stream", "", "", whole)}}
	inbound.OpenTNEF(&m, anymail.Limits{})
	require.Equal(t, "x.bin", m.Attachments[0].Filename)
}

func TestOpenTNEFIsBounded(t *testing.T) {
	stream := TNEF(note, slices.Concat(slices.Repeat([][]byte{firstFile}, 50)...))
	for limit, kept := range map[int]bool{51: false, 40: true, 2: true} {
		m := tnefMessage("", stream)
		inbound.OpenTNEF(&m, anymail.Limits{MIMEParts: limit})
		require.Len(t, m.Attachments, limit, "%d", limit)
		require.Equal(t, kept, slices.ContainsFunc(m.Attachments, func(a anymail.Attachment) bool { return a.Filename == "winmail.dat" }))
	}
}

func FuzzOpenTNEF(f *testing.F) {
	f.Add(TNEF(codepage1251, note, plainBody, firstFile, secondFile)[6:])
	f.Add(TNEF(htmlBody, rtfBody, firstFile)[6:])
	f.Add(rtfBody)
	f.Fuzz(func(t *testing.T, stream []byte) {
		before := string(stream)
		m := tnefMessage("", TNEF(stream))
		inbound.OpenTNEF(&m, anymail.Limits{MIMEParts: 20})
		require.Equal(t, before, string(stream))
		require.LessOrEqual(t, len(m.Attachments), 20)
		require.True(t, utf8.ValidString(m.Text) && utf8.ValidString(m.HTML))
		for _, a := range m.Attachments {
			SafeFilename(t, a.Filename)
			OneLine(t, a.ContentType)
			OneLine(t, a.ContentID)
			require.EqualValues(t, len(a.Content), a.Size)
			require.LessOrEqual(t, len(a.Content), 9*len(stream)+6)
		}
	})
}
