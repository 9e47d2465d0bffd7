package rawmime_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
)

// A body with a name is a body unless another one is there to be displayed.
func TestNamedBodies(t *testing.T) {
	const (
		alternative = "Content-Type: multipart/alternative; boundary=b\n\n"
		related     = "Content-Type: multipart/related; boundary=b\n\n"
		mixed       = "Content-Type: multipart/mixed; boundary=b\n\n"
		namedText   = "--b\nContent-Type: text/plain; name=t.txt\n\nhello\n"
		namedHTML   = "--b\nContent-Type: text/html; name=h.html\n\n<p>hello\n"
	)
	pdf := attached("a.pdf", "application/pdf", "PDF")
	const pdfPart = "--b\nContent-Type: application/pdf; name=a.pdf\n\nPDF\n"
	for name, tt := range map[string]struct {
		raw  string
		want bodies
	}{
		"alternatives":                 {alternative + namedText + namedHTML + "--b--", bodies{Text: "hello", HTML: "<p>hello"}},
		"inline alternatives":          {alternative + "--b\nContent-Disposition: inline; filename=t.txt\n\nhello\n--b\nContent-Type: text/html\nContent-Disposition: inline; filename=h.html\n\n<p>\n--b--", bodies{Text: "hello", HTML: "<p>"}},
		"one alternative has a name":   {alternative + "--b\n\nhello\n" + namedHTML + "--b--", bodies{Text: "hello", HTML: "<p>hello"}},
		"an alternative without comes": {alternative + namedText + "--b\n\nthis\n--b--", bodies{Text: "this", Attachments: []anymail.Attachment{{Filename: "t.txt", ContentType: "text/plain", Disposition: "inline", Size: 5, Content: []byte("hello")}}}},
		"root of related":              {related + namedHTML + pdfPart + "--b--", bodies{HTML: "<p>hello", Attachments: []anymail.Attachment{pdf}}},
		"not the root of related":      {related + "--b\nContent-Type: text/html\n\n<p>\n" + namedText + "--b--", bodies{HTML: "<p>", Attachments: []anymail.Attachment{attached("t.txt", "text/plain", "hello")}}},
		"only text of mixed":           {mixed + namedText + pdfPart + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{pdf}}},
		"only text, after a file":      {mixed + pdfPart + namedText + "--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{pdf}}},
		"first of two":                 {mixed + namedText + "--b\nContent-Type: text/plain; name=u.txt\n\nyou\n--b--", bodies{Text: "hello", Attachments: []anymail.Attachment{attached("u.txt", "text/plain", "you")}}},
		"there is html without a name": {mixed + "--b\nContent-Type: text/html\n\n<p>\n" + namedText + "--b--", bodies{HTML: "<p>", Attachments: []anymail.Attachment{attached("t.txt", "text/plain", "hello")}}},
		"declared as attachment":       {mixed + "--b\nContent-Disposition: attachment; filename=t.txt\n\nhello\n--b--", bodies{Attachments: []anymail.Attachment{attached("t.txt", "text/plain", "hello")}}},
		"disposition that is no token": {mixed + "--b\nContent-Disposition: filename=\"t.txt\"\n\nhello\n--b--", bodies{Text: "hello"}},
		"disposition of signs":         {"Content-Disposition: ???\n\nhello", bodies{Text: "hello"}},
		"disposition of a quoted word": {mixed + "--b\nContent-Disposition: \"inline\"\n\nhello\n--b--", bodies{Text: "hello"}},

		"application at the root":            {"Content-Type: application/zip\n\nPK", bodies{Attachments: []anymail.Attachment{attached("", "application/zip", "PK")}}},
		"unreadable application at the root": {"Content-Type: application; name=a.zip\n\nPK", bodies{Attachments: []anymail.Attachment{attached("a.zip", "application/octet-stream", "PK")}}},
		"image with a comma at the root":     {"Content-Type: image/png, name=a.png\n\nPNG", bodies{Attachments: []anymail.Attachment{attached("a.png", "image/png", "PNG")}}},
		"unreadable image at the root":       {"Content-Type: image/x y/z\n\nPNG", bodies{Attachments: []anymail.Attachment{attached("", "image/x", "PNG")}}},
	} {
		require.Empty(t, cmp.Diff(tt.want, bodiesOf(crlf(tt.raw), anymail.Limits{}), cmpopts.EquateEmpty()), name)
	}
}

// Parameters are kept, and alternatives to the bodies are not files.
func TestAttachmentParams(t *testing.T) {
	m := rawmime.Parse(crlf("Content-Type: text/calendar; Charset=ISO-8859-1; method=REPLY; name=invite.ics\n\nSUMMARY:Z\xfcrich"), anymail.Limits{})
	require.Len(t, m.Attachments, 1)
	a := m.Attachments[0]
	require.Equal(t, map[string]string{"charset": "ISO-8859-1", "method": "REPLY"}, a.Params)
	require.Equal(t, "invite.ics", a.Filename)
	require.Equal(t, "SUMMARY:Zürich", inbound.DecodeText(a.Content, a.Params["charset"]))

	const alternative = "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nhello\n"
	for fields, want := range map[string]string{
		"Content-Type: text/x-amp-html":                                                          "inline",
		"Content-Type: text/watch-html; charset=utf-8":                                           "inline",
		"Content-Type: text/calendar; charset=utf-8; method=REQUEST":                             "inline",
		"Content-Type: text/calendar; name=invite.ics":                                           "inline",
		"Content-Type: text/calendar\nContent-Disposition: attachment":                           "attachment",
		"Content-Type: application/ics; name=invite.ics\nContent-Disposition: attachment":        "attachment",
		"Content-Type: text/x-amp-html; charset=\"utf-8\"\nContent-Disposition: inline; x=\"y\"": "inline",
	} {
		m := rawmime.Parse(crlf(alternative+"--b\n"+fields+"\n\nx\n--b--"), anymail.Limits{})
		require.Equal(t, "hello", m.Text)
		require.Len(t, m.Attachments, 1, fields)
		require.Equal(t, want, m.Attachments[0].Disposition, fields)
	}
	m = rawmime.Parse(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar\n\nx\n--b--"), anymail.Limits{})
	require.Equal(t, "attachment", m.Attachments[0].Disposition)
}

// Text around a base64 body is not decoded with it.
func TestBase64WithPlainText(t *testing.T) {
	const (
		encoding = "Content-Transfer-Encoding: base64\n"
		text     = "Content-Type: text/plain; charset=utf-8\n" + encoding + "\n"
		file     = "Content-Type: application/pdf; name=a.pdf\n" + encoding + "\n"
		padded   = "Wm/DqyBzY2hyZWlidCBhdXMgS8O2bG4h" + "IQ==" // Zoë schreibt aus Köln!!
		unpadded = "Wm/DqyBzY2hyZWlidCBhdXMgS8O2bG4h"          // Zoë schreibt aus Köln!
		line     = "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\n"
		footer   = "_______________________________________________\nnews mailing list\nnews@lists.example.org\nhttps://lists.example.org/options/news\n"
	)
	crlfFooter := string(crlf(footer))
	for name, tt := range map[string]struct{ raw, want string }{
		"padded":                         {text + padded + "\n\n" + footer, "Zoë schreibt aus Köln!!\n" + crlfFooter},
		"padded, no empty line":          {text + padded + "\n" + footer, "Zoë schreibt aus Köln!!\n" + crlfFooter},
		"padded, on the same line":       {text + padded + footer, "Zoë schreibt aus Köln!!\n" + crlfFooter},
		"padded, one word":               {text + padded + "\n\nRegards\n", "Zoë schreibt aus Köln!!\nRegards\r\n"},
		"unpadded":                       {text + unpadded + "\n\n" + footer, "Zoë schreibt aus Köln!\n" + crlfFooter},
		"unpadded, prose":                {text + unpadded + "\n\nTo leave this list, write to\nnews@example.org", "Zoë schreibt aus Köln!\nTo leave this list, write to\r\nnews@example.org"},
		"unpadded, a word first":         {text + unpadded + "\n\nRegards\nthe list", "Zoë schreibt aus Köln!\nRegards\r\nthe list"},
		"long lines":                     {text + line + line + "QUJD\n-- \nthe list", strings.Repeat("ABC", 39) + "\n-- \r\nthe list"},
		"footer in Latin-1":              {text + padded + "\n\n-- \nGr\xfc\xdfe, die Liste", "Zoë schreibt aus Köln!!\n-- \r\nGrüße, die Liste"},
		"a stray line within":            {text + line + "(page 2)\n" + line, strings.Repeat("ABC", 38)},
		"plain text before":              {text + "This is a note.\n\n" + line + line, strings.Repeat("ABC", 38) + "\nThis is a note.\n"},
		"joined pieces":                  {text + "QQ==\nQg==\nQw==\n", "ABC"},
		"joined pieces on a line":        {text + "QQ==Qg==Qw==\n", "ABC"},
		"not encoded":                    {text + "Dear all,\n\nnobody has encoded this text. Regards\n", "Dear all,\r\n\r\nnobody has encoded this text. Regards\r\n"},
		"not encoded, one word first":    {text + "Hello\n\nnobody has encoded this text.\n", "Hello\r\n\r\nnobody has encoded this text.\r\n"},
		"not encoded, one word":          {text + "Hello\n", "Hello\r\n"},
		"not encoded, four letters":      {text + "Dear\nfriend, hello\n", "Dear\r\nfriend, hello\r\n"},
		"not encoded, UTF-8":             {text + "Grüße aus Köln\n", "Grüße aus Köln\r\n"},
		"not encoded, signs":             {text + "!!!", "!!!"},
		"spaces within":                  {text + "SGVs bG8s IHlv dQ==", "Hello, you"},
		"quoted-printable with a footer": {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n\nLi\xdfte = 100%\n", "Grüße\r\n\r\nLißte = 100%\r\n"},
	} {
		m := rawmime.Parse(crlf(tt.raw), anymail.Limits{})
		require.Equal(t, tt.want, m.Text, name)
		require.Empty(t, m.Attachments, name)
	}
	for name, tt := range map[string]struct{ raw, want string }{
		"padded":    {file + "JVBERi0xLjUKJSVFT0Y=\n\n-- \nThis message was checked by AV\n", "%PDF-1.5\n%%EOF"},
		"same line": {file + "JVBERi0xLjUKJSVFT0Y=-- AV\n", "%PDF-1.5\n%%EOF"},
		"long":      {file + line + line + "\nThis message was checked by AV, again\n", strings.Repeat("ABC", 38)},
		"no footer": {file + line + line + "QUI=\n", strings.Repeat("ABC", 38) + "AB"},
	} {
		m := rawmime.Parse(crlf(tt.raw), anymail.Limits{})
		require.Len(t, m.Attachments, 1, name)
		require.Equal(t, tt.want, string(m.Attachments[0].Content), name)
	}
	html := rawmime.Parse(crlf("Content-Type: text/html\n"+encoding+"\n<table><tr><td>Forwarded</td></tr></table>PHA+aGVsbG88L3A+\n"), anymail.Limits{}).HTML
	require.Contains(t, html, "<td>Forwarded</td>")
}

// A declaration in the text cannot be in an encoding in which it would not be
// readable.
func TestImpossibleMeta(t *testing.T) {
	for _, charset := range []string{"unicode", "UTF-16", "utf-16le", "ucs-2", "iso-10646-ucs-2", "csUnicode", "unicodeFEFF", "utf-32"} {
		html := "<html><meta http-equiv=Content-Type content=\"text/html; charset=" + charset + "\"><p>Größe"
		require.Equal(t, html, rawmime.Parse([]byte("Content-Type: text/html\n\n"+html), anymail.Limits{}).HTML)
		require.Equal(t, html, rawmime.Parse([]byte("Content-Type: text/html; charset="+charset+"\n\n"+html), anymail.Limits{}).HTML)
	}
}

// What is not a field in a header costs nothing but itself.
func TestStrayHeaderLines(t *testing.T) {
	const mixed = "From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n"
	for name, tt := range map[string]struct {
		raw  string
		want bodies
	}{
		"stray line, then an unknown field": {mixed + "--b\nContent-Type: text/html\nstray line\nX-Other: y\n\n<p>\n--b--", bodies{HTML: "<p>"}},
		"stray line, then the body":         {mixed + "--b\nContent-Type: text/html\nstray line\n\n<p>\n--b--", bodies{HTML: "<p>"}},
		"stray line first":                  {mixed + "--b\nstray\nContent-Type: text/html\n\n<p>\n--b--", bodies{HTML: "<p>"}},
		"8-bit field name":                  {mixed + "--b\nContent-Type: text/html\nX-Größe: 1\n\n<p>\n--b--", bodies{HTML: "<p>"}},
		"8-bit field name, then a type":     {mixed + "--b\nX-Gr\xf6\xdfe: 1\nContent-Type: text/html\n\n<p>\n--b--", bodies{HTML: "<p>"}},
		"8-bit field name of the message":   {"From: a@example.org\nContent-Type: text/html\nX-Größe: 1\n\n<p>", bodies{HTML: "<p>"}},
		"parameter that is not folded":      {mixed + "--b\nContent-Type: text/html;\ncharset=iso-8859-1\n\n<p>\xe9\n--b--", bodies{HTML: "<p>é"}},
		"name that is not folded":           {mixed + "--b\nContent-Disposition: attachment;\nfilename=\"a.bin\"\nContent-Type: a/b\n\nx\n--b--", bodies{Attachments: []anymail.Attachment{attached("a.bin", "a/b", "x")}}},
		"closed with a bracket":             {mixed + "--b\n\nhello\n--b-->\nepilogue\n", bodies{Text: "hello"}},
		"closed with a dot":                 {mixed + "--b\n\nhello\n--b--. \nepilogue\n", bodies{Text: "hello"}},
	} {
		require.Empty(t, cmp.Diff(tt.want, bodiesOf(crlf(tt.raw), anymail.Limits{}), cmpopts.EquateEmpty()), name)
	}
	for _, start := range []string{" ", "\t", "  \n ", "\n \n", " \ufeff"[:1]} {
		m := rawmime.Parse(crlf(start+"From: a@example.org\nSubject: s\n\nhello"), anymail.Limits{})
		require.Equal(t, []anymail.Address{{Address: "a@example.org"}}, m.From, "%q", start)
		require.Equal(t, "s", m.Subject)
		require.Equal(t, "hello", m.Text)
	}
	m := rawmime.Parse(crlf(" From a@example.org Thu Feb  5 10:00:00 2026\nSubject: s\n\nhello"), anymail.Limits{})
	require.Equal(t, "s", m.Subject)
	require.Equal(t, "hello", m.Text)
	require.Equal(t, "  indented text", rawmime.Parse(crlf("  indented text"), anymail.Limits{}).Text)
}
