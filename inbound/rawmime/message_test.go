package rawmime_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/japanese"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/internal/inboundtest"
	"github.com/goanymail/anymail/inbound/rawmime"
)

// crlf returns a mail whose lines end in CRLF instead of LF.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// attached returns an attachment that is not inline.
func attached(filename, contentType, content string) anymail.Attachment {
	return anymail.Attachment{
		Filename: filename, ContentType: contentType, Disposition: "attachment",
		Size: int64(len(content)), Content: []byte(content),
	}
}

func TestWellFormed(t *testing.T) {
	raw := crlf(`Received: from b.example.org by mx.example.com; Thu, 5 Feb 2026 10:00:02 +0000
Received: from a.example.org by b.example.org; Thu, 5 Feb 2026 10:00:01 +0000
From: =?UTF-8?Q?Zo=C3=AB_Ng?= <zoe@example.org>
To: "Desk, Help" <help@example.com>, second@example.com
Cc: =?ISO-8859-1?Q?J=FCrgen?= <juergen@example.com>
Bcc: hidden@example.com
Reply-To: answers@example.org
Subject: =?UTF-8?B?w4Rw?= =?UTF-8?B?ZmVs?= and
 pears
Date: Thu, 05 Feb 2026 11:00:00 +0100
Message-ID: <m3@example.org>
In-Reply-To: <m2@example.com>
References: <m1@example.org>
 <m2@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

For old mail programs.
--outer
Content-Type: multipart/related; boundary=rel

--rel
Content-Type: multipart/alternative; boundary=alt

--alt
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Sch=C3=B6n, a long =
line.
--alt
Content-Type: text/html; charset=utf-8

<p>Schön</p>
--alt--
--rel
Content-Type: image/PNG; name=ignored.png
Content-Disposition: inline; filename=dot.png
Content-ID: <pic@example.org>
Content-Transfer-Encoding: base64

iVBORw0K
--rel--
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename="bill.pdf"; size=3
Content-Transfer-Encoding: base64

UERG
--outer
Content-Type: message/rfc822
Content-Disposition: attachment

Subject: inner
Content-Type: multipart/mixed; boundary=in

--in

not looked at
--in--
--outer--
Nobody's.
`)
	got := rawmime.Parse(raw, anymail.Limits{})
	want := anymail.InboundMessage{
		From:       []anymail.Address{{Name: "Zoë Ng", Address: "zoe@example.org"}},
		To:         []anymail.Address{{Name: "Desk, Help", Address: "help@example.com"}, {Address: "second@example.com"}},
		CC:         []anymail.Address{{Name: "Jürgen", Address: "juergen@example.com"}},
		BCC:        []anymail.Address{{Address: "hidden@example.com"}},
		ReplyTo:    []anymail.Address{{Address: "answers@example.org"}},
		Subject:    "Äpfel and pears",
		Date:       time.Date(2026, time.February, 5, 10, 0, 0, 0, time.UTC),
		MessageID:  "m3@example.org",
		InReplyTo:  "m2@example.com",
		References: []string{"m1@example.org", "m2@example.com"},
		Headers: anymail.Headers{
			{Name: "Received", Value: "from b.example.org by mx.example.com; Thu, 5 Feb 2026 10:00:02 +0000"},
			{Name: "Received", Value: "from a.example.org by b.example.org; Thu, 5 Feb 2026 10:00:01 +0000"},
			{Name: "From", Value: "Zoë Ng <zoe@example.org>"},
			{Name: "To", Value: `"Desk, Help" <help@example.com>, second@example.com`},
			{Name: "Cc", Value: "Jürgen <juergen@example.com>"},
			{Name: "Bcc", Value: "hidden@example.com"},
			{Name: "Reply-To", Value: "answers@example.org"},
			{Name: "Subject", Value: "Äpfel and pears"},
			{Name: "Date", Value: "Thu, 05 Feb 2026 11:00:00 +0100"},
			{Name: "Message-ID", Value: "<m3@example.org>"},
			{Name: "In-Reply-To", Value: "<m2@example.com>"},
			{Name: "References", Value: "<m1@example.org> <m2@example.com>"},
			{Name: "MIME-Version", Value: "1.0"},
			{Name: "Content-Type", Value: `multipart/mixed; boundary="outer"`},
		},
		Text: "Schön, a long line.",
		HTML: "<p>Schön</p>",
		Attachments: []anymail.Attachment{
			{Filename: "dot.png", ContentType: "image/png", Disposition: "inline", ContentID: "pic@example.org", Size: 6, Content: []byte("\x89PNG\r\n")},
			attached("bill.pdf", "application/pdf", "PDF"),
			attached("", "message/rfc822", "Subject: inner\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\nnot looked at\r\n--in--"),
		},
		RawMIME: raw,
	}
	require.Empty(t, cmp.Diff(want, got))
	picture, ok := got.Inline("cid:pic@example.org")
	require.True(t, ok)
	require.Equal(t, "dot.png", picture.Filename)
}

// bodies is what the parts of a mail become.
type bodies struct {
	Text, HTML  string
	Attachments []anymail.Attachment
}

func bodiesOf(raw []byte, limits anymail.Limits) bodies {
	m := rawmime.Parse(raw, limits)
	return bodies{m.Text, m.HTML, m.Attachments}
}

func TestParts(t *testing.T) {
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\n"
	file := attached("f.bin", "application/octet-stream", "data")
	const filePart = "Content-Type: application/octet-stream; name=f.bin\n\ndata\n"
	jis, err := japanese.ISO2022JP.NewEncoder().String("日本")
	require.NoError(t, err)

	tests := []struct {
		name string
		raw  string
		want bodies
	}{
		{"empty", "", bodies{}},
		{"only a header", "Subject: s", bodies{}},
		{"only a body", "no header here", bodies{Text: "no header here"}},
		{"no content type", "Subject: s\n\nhello\nyou\n", bodies{Text: "hello\r\nyou\r\n"}},
		{"only html", "Content-Type: text/html\n\n<p>", bodies{HTML: "<p>"}},
		{"only a file", "Content-Type: image/gif; name=a.gif\nContent-Transfer-Encoding: base64\n\nR0lG", bodies{Attachments: []anymail.Attachment{attached("a.gif", "image/gif", "GIF")}}},
		{"only a text with a name", "Content-Type: text/plain; name=a.txt\n\nhello", bodies{Text: "hello"}},
		{"only an attached text", "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nhello", bodies{Attachments: []anymail.Attachment{attached("a.txt", "text/plain", "hello")}}},

		{"text with a name is a file", mixed + "--b\n\nhello\n--b\nContent-Type: text/plain; name=a.txt\n\nfile\n--b--",
			bodies{Text: "hello", Attachments: []anymail.Attachment{attached("a.txt", "text/plain", "file")}}},
		{"inline text with a name is a file", mixed + "--b\n\nhello\n--b\nContent-Disposition: inline; filename=a.txt\n\nfile\n--b--",
			bodies{Text: "hello", Attachments: []anymail.Attachment{{Filename: "a.txt", ContentType: "text/plain", Disposition: "inline", Size: 4, Content: []byte("file")}}}},
		{"texts around a file", mixed + "--b\n\nbefore\n--b\n" + filePart + "--b\nContent-Disposition: inline\n\nafter\n--b--",
			bodies{Text: "before\nafter", Attachments: []anymail.Attachment{file}}},
		{"footer after alternatives", mixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nhello\n\n--c\nContent-Type: text/html\n\n<p>\n--c--\n--b\n\nfooter\n--b--",
			bodies{Text: "hello\r\nfooter", HTML: "<p>"}},
		{"html around a file", mixed + "--b\nContent-Type: text/html\n\n<p>1\n--b\n" + filePart + "--b\nContent-Type: text/html\n\n<p>2\n--b--",
			bodies{HTML: "<p>1\n<p>2", Attachments: []anymail.Attachment{file}}},
		{"a second alternative is not a body", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--",
			bodies{Text: "one", Attachments: []anymail.Attachment{{ContentType: "text/plain", Disposition: "inline", Size: 3, Content: []byte("two")}}}},
		{"empty text first", mixed + "--b\n\n\n--b\n\nsecond\n--b--", bodies{Text: "second"}},
		{"other texts are files", mixed + "--b\nContent-Type: text/calendar\n\nBEGIN\n--b--", bodies{Attachments: []anymail.Attachment{attached("", "text/calendar", "BEGIN")}}},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n--b--", bodies{Attachments: []anymail.Attachment{attached("", "message/rfc822", "Subject: s")}}},
		{"attached message in base64", mixed + "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogcw0KDQp4\n--b--",
			bodies{Attachments: []anymail.Attachment{attached("", "message/rfc822", "Subject: s\r\n\r\nx")}}},
		{"bounce", "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b\nContent-Type: text/rfc822-headers\n\nSubject: s\n--b--",
			bodies{Text: "Sorry.", Attachments: []anymail.Attachment{attached("", "message/delivery-status", "Action: failed"), attached("", "text/rfc822-headers", "Subject: s")}}},
		{"unreadable tnef is not unpacked", mixed + "--b\nContent-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\neJ8+Ig==\n--b--",
			bodies{Attachments: []anymail.Attachment{attached("winmail.dat", "application/ms-tnef", "x\x9f>\"")}}},
		{"flowed text is not unwrapped", "Content-Type: text/plain; format=flowed; delsp=yes\n\none \ntwo\n -- x", bodies{Text: "one \r\ntwo\r\n -- x"}},
		{"id without disposition", mixed + "--b\nContent-Type: image/gif\nContent-ID: <x@example.org>\n\nGIF\n--b--",
			bodies{Attachments: []anymail.Attachment{{ContentType: "image/gif", Disposition: "inline", ContentID: "x@example.org", Size: 3, Content: []byte("GIF")}}}},
		{"id, declared as attachment", mixed + "--b\nContent-Type: image/gif\nContent-Disposition: ATTACHMENT\nContent-ID: x@example.org\n\nGIF\n--b--",
			bodies{Attachments: []anymail.Attachment{{ContentType: "image/gif", Disposition: "attachment", ContentID: "x@example.org", Size: 3, Content: []byte("GIF")}}}},

		// Malformed.
		{"unreadable type", "Content-Type: text\n\nhello", bodies{Text: "hello"}},
		{"unreadable type of a file", mixed + "--b\nContent-Type: ???\nContent-Disposition: attachment; filename=f.bin\n\ndata\n--b--", bodies{Attachments: []anymail.Attachment{file}}},
		{"unreadable type after the text", mixed + "--b\n\nhello\n--b\nContent-Type: ???\n\ndata\n--b--",
			bodies{Text: "hello", Attachments: []anymail.Attachment{attached("", "application/octet-stream", "data")}}},
		{"unclosed quote in the type", "Content-Type: text/html; charset=\"utf-8; x=y\n\n<p>é", bodies{HTML: "<p>é"}},
		{"no semicolon", "Content-Type: text/html charset=iso-8859-1\n\n<p>\xe9", bodies{HTML: "<p>é"}},
		{"unclosed multipart", mixed + "--b\n\nhello\n--b\n" + filePart, bodies{Text: "hello", Attachments: []anymail.Attachment{attached("f.bin", "application/octet-stream", "data\r\n")}}},
		{"unclosed inner multipart", mixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nhello\n--b\n" + filePart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"boundary with another as its prefix", mixed + "--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\nhello\n--bb--\n--b\n" + filePart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"inner multipart with the same boundary", mixed + "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: text/html\n\n<p>\n--b--\n--b\n" + filePart + "--b--",
			bodies{Text: "hello", HTML: "<p>", Attachments: []anymail.Attachment{file}}},
		{"white space after a delimiter", mixed + "--b \t\n\nhello\n--b \n" + filePart + "--b-- \n", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"missing boundary", "Content-Type: multipart/mixed\n\n--b\n\nhello\n--b\n" + filePart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--b\n\nhello\n--b\n" + filePart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"wrong boundary", "Content-Type: multipart/mixed; boundary=c\n\npreamble\n--b\nContent-Type: text/plain\n\nhello\n--b\n" + filePart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"wrong inner boundary", mixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--d\n\nhello\n--d--\n--b\n" + filePart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{file}}},
		{"a ruler is not a boundary", "Content-Type: multipart/mixed\n\n-----\n\nhello\n-----\n\nyou", bodies{Text: "-----\r\n\r\nhello\r\n-----\r\n\r\nyou"}},
		{"multipart without parts", mixed + "just text", bodies{Text: "just text"}},
		{"part without an empty line", mixed + "--b\nContent-Type: text/html\n--b\nContent-Type: text/plain\nhello\n--b--", bodies{Text: "hello"}},
		{"empty part", mixed + "--b\n--b\n\nhello\n--b--", bodies{Text: "hello"}},
		{"no empty line", "Subject: s\nhello, you\nand: you", bodies{Text: "hello, you\r\nand: you"}},
		{"stray line in the header", "Subject: s\nstray line\nContent-Type: text/html\n\n<p>", bodies{HTML: "<p>"}},
		{"mbox", "From a@example.org Thu Feb  5 10:00:00 2026\nContent-Type: text/html\n\n<p>", bodies{HTML: "<p>"}},
		{"leading empty lines", "\n\nContent-Type: text/html\n\n<p>", bodies{HTML: "<p>"}},
		{"leading byte order mark", "\ufeffContent-Type: text/html\n\n<p>", bodies{HTML: "<p>"}},
		{"space before the colon", "Content-Type : text/html\n\n<p>", bodies{HTML: "<p>"}},
		{"a line of spaces folds too", "Content-Type: text/html;\n \n charset=utf-8\n\n<p>", bodies{HTML: "<p>"}},
		{"unknown disposition", mixed + "--b\nContent-Disposition: signature\nContent-Location: x\n\ndata\n--b--", bodies{Attachments: []anymail.Attachment{attached("", "text/plain", "data")}}},
		{"repeated type", "Content-Type: text/html\nContent-Type: text/plain\n\n<p>", bodies{HTML: "<p>"}},

		// Transfer encodings.
		{"encoding with junk", "Content-Transfer-Encoding: \"BASE64\" (really)\n\naGVsbG8=", bodies{Text: "hello"}},
		{"unknown encoding", "Content-Transfer-Encoding: x-own\n\nhello", bodies{Text: "hello"}},
		{"broken quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\na=ZZb =C3=A9 100%= x=  \ny  \n =4", bodies{Text: "a=ZZb é 100%= xy\r\n =4"}},
		{"8-bit quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\né=c3=a9=", bodies{Text: "éé"}},
		{"dirty base64", mixed + "--b\nContent-Type: a/b; name=f\nContent-Transfer-Encoding: base64\n\naGVs!! bG8s\n  IHlv*dQ=\n--b--", bodies{Attachments: []anymail.Attachment{attached("f", "a/b", "hello, you")}}},

		// Charsets.
		{"meta", "Content-Type: text/html\n\n<meta http-equiv=x content='text/html; charset=koi8-r'>\xed\xc9\xd2", bodies{HTML: "<meta http-equiv=x content='text/html; charset=koi8-r'>Мир"}},
		{"meta overridden by the header", "Content-Type: text/html; charset=utf-8\n\n<meta charset=koi8-r>Мир", bodies{HTML: "<meta charset=koi8-r>Мир"}},
		{"impossible meta", "Content-Type: text/html\n\n<meta charset=utf-16>Мир", bodies{HTML: "<meta charset=utf-16>Мир"}},
		{"iso-2022-jp", "Content-Type: text/plain; charset=\"ISO-2022-JP\"\n\n" + jis, bodies{Text: "日本"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Empty(t, cmp.Diff(tt.want, bodiesOf(crlf(tt.raw), anymail.Limits{}), cmpopts.EquateEmpty()))
		})
	}
}

// A winmail.dat is opened, wherever it is.
func TestTNEF(t *testing.T) {
	stream := inboundtest.TNEF(
		inboundtest.Attribute(1, 0x0002800c, []byte("hello from Outlook\x00")),
		inboundtest.Attribute(2, 0x00069002, make([]byte, 14)),
		inboundtest.Attribute(2, 0x00018010, []byte("a.bin\x00")),
		inboundtest.Attribute(2, 0x0006800f, []byte("data")),
	)
	encoded := base64.StdEncoding.EncodeToString(stream)
	const part = "Content-Type: application/ms-tnef; name=\"winmail.dat\"\nContent-Transfer-Encoding: base64\n\n"
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	file := attached("a.bin", "application/octet-stream", "data")
	for raw, want := range map[string]bodies{
		part + encoded: {Text: "hello from Outlook", Attachments: []anymail.Attachment{file}},
		mixed + "\nhello\n--b\n" + part + encoded + "\n--b--":                   {Text: "hello", Attachments: []anymail.Attachment{file}},
		mixed + part + encoded + "\n--b\nContent-Type: a/b; name=f\n\nx\n--b--": {Text: "hello from Outlook", Attachments: []anymail.Attachment{file, attached("f", "a/b", "x")}},
	} {
		require.Empty(t, cmp.Diff(want, bodiesOf(crlf(raw), anymail.Limits{}), cmpopts.EquateEmpty()))
	}
}

// The end of lines does not change the result.
func TestLineEnds(t *testing.T) {
	const mail = "Subject: a\n b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: a/b; name=f\nContent-Transfer-Encoding: base64\n\naGVs\nbG8=\n--b--\n"
	for _, end := range []string{"\n", "\r\n", "\r", "\r\r\n"} {
		raw := strings.ReplaceAll(mail, "\n", end)
		m := rawmime.Parse([]byte(raw), anymail.Limits{})
		require.Equal(t, "a b", strings.Join(strings.Fields(m.Subject), " "), "%q", end)
		require.Equal(t, "hello", strings.TrimSpace(m.Text), "%q", end)
		require.Equal(t, []anymail.Attachment{attached("f", "a/b", "hello")}, m.Attachments, "%q", end)
		require.Equal(t, raw, string(m.RawMIME), "%q", end)
	}
}

func TestFilenames(t *testing.T) {
	part := func(fields string) []byte {
		return crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n" + fields + "\n\nx\n--b--")
	}
	for fields, want := range map[string]string{
		"Content-Type: a/b; name=a.txt": "a.txt",
		"Content-Type: a/b; name=a.txt\nContent-Disposition: attachment; filename=b.txt":                                     "b.txt",
		"Content-Type: a/b\nContent-Disposition: attachment; filename=my big file.txt":                                       "my big file.txt",
		"Content-Type: a/b\nContent-Disposition: attachment; filename=a.txt; filename=b.txt":                                 "a.txt",
		`Content-Type: a/b; name="=?utf-8?B?w6kudHh0?="`:                                                                     "é.txt",
		`Content-Type: a/b; name==?iso-8859-1?Q?=E9=2Etxt?=`:                                                                 "é.txt",
		"Content-Type: a/b\nContent-Disposition: attachment; filename=\"caf\xe9.txt\"":                                       "café.txt",
		"Content-Type: a/b\nContent-Disposition: attachment; filename*=utf-8''%c3%a9.txt; filename=e.txt":                    "é.txt",
		"Content-Type: a/b\nContent-Disposition: attachment; filename*=koi8-r'ru'%ED%C9%D2":                                  "Мир",
		"Content-Type: a/b\nContent-Disposition: attachment; filename*1*=%A9;\n filename*0*=utf-8''%C3; filename*2=\".txt\"": "é.txt",
		`Content-Type: a/b; name="../../etc/passwd"`:                                                                         "passwd",
		`Content-Type: a/b; name="C:\Temp\a.txt"`:                                                                            "a.txt",
		"Content-Type: a/b; name*=utf-8''..%2F..%2Fa%0D%0AX%3A%20y%00.txt":                                                   "a  X_ y .txt",
		`Content-Type: a/b; name=".."`:                                                                                       "",
	} {
		m := rawmime.Parse(part(fields), anymail.Limits{})
		require.Len(t, m.Attachments, 1, fields)
		require.Equal(t, want, m.Attachments[0].Filename, fields)
	}
}

func TestHeaders(t *testing.T) {
	raw := crlf("X-B: 1\nSubject: one\nx-b:2\nX-A:\nsubject: two\nFrom: a@example.org\nFrom: b@example.org\nTo: c@example.org\nTo: d@example.org\n" +
		"X-Bad: a\rInjected: b\nX-Word: =?utf-8?Q?a=0D=0AInjected:_b?=\nBcc: J\xfcrgen <j@example.org>\n\nx")
	m := rawmime.Parse(raw, anymail.Limits{})
	require.Empty(t, cmp.Diff(anymail.Headers{
		{Name: "X-B", Value: "1"}, {Name: "Subject", Value: "one"}, {Name: "x-b", Value: "2"}, {Name: "X-A"}, {Name: "subject", Value: "two"},
		{Name: "From", Value: "a@example.org"}, {Name: "From", Value: "b@example.org"}, {Name: "To", Value: "c@example.org"}, {Name: "To", Value: "d@example.org"},
		{Name: "X-Bad", Value: "a Injected: b"}, {Name: "X-Word", Value: "a  Injected: b"}, {Name: "Bcc", Value: "Jürgen <j@example.org>"},
	}, m.Headers))
	require.Equal(t, "one", m.Subject)
	require.Equal(t, []anymail.Address{{Address: "a@example.org"}}, m.From, "the first From counts")
	require.Equal(t, []anymail.Address{{Address: "c@example.org"}, {Address: "d@example.org"}}, m.To)
	require.Equal(t, []anymail.Address{{Name: "Jürgen", Address: "j@example.org"}}, m.BCC)
}

// The content of an encoded word cannot become an address.
func TestAddressesBeforeEncodedWords(t *testing.T) {
	encoded := "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(`Eve, "boss" <boss@example.com>`)) + "?="
	raw := crlf("From: " + encoded + " <eve@example.org>\n\nx")
	want := []anymail.Address{{Name: `Eve, "boss" <boss@example.com>`, Address: "eve@example.org"}}
	m := rawmime.Parse(raw, anymail.Limits{})
	require.Equal(t, want, m.From)

	again := inbound.Addresses(m.Headers.Get("From"))
	require.Equal(t, m.From, again, "the decoded header has the same meaning")
	again = inbound.Addresses(inbound.ParseHeaders(raw).Get("From"))
	require.Equal(t, m.From, again, "so has one of ParseHeaders")
}

// The expected results of the mails in testdata/mail are in .json files of the
// same name.
func TestSharedMails(t *testing.T) {
	files, err := filepath.Glob("../../testdata/mail/*.eml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			form, err := os.ReadFile(strings.TrimSuffix(file, ".eml") + ".json")
			require.NoError(t, err)
			var want anymail.InboundMessage
			require.NoError(t, json.Unmarshal(form, &want))
			got := rawmime.Parse(raw, anymail.Limits{})
			require.Equal(t, raw, []byte(got.RawMIME))
			ignored := cmpopts.IgnoreFields(anymail.InboundMessage{}, "Headers", "RawMIME")
			if diff := cmp.Diff(want, got, ignored, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
