package inbound_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func FuzzFromMIME(f *testing.F) {
	for _, seed := range []string{
		"",
		"Subject: s\n\nhello",
		"From: =?utf-8?Q?Zo=C3=AB?= <z@example.org>\r\nTo: a@example.com, \"b\" <b@example.com>\r\nDate: Thu, 5 Feb 2026 10:00:00 +0000\r\n" +
			"References: <a@x> <b@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=koi8-r\r\n\r\n\xed\xc9\xd2\r\n" +
			"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''%C3%A9.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nUERG\r\n--b--\r\n",
		"Content-Type: multipart/mixed\n\n--x\nContent-Type: multipart/alternative; boundary=x\n\n--x\n\ntext\n--x--\n--x\nContent-ID: <i>\n\nfile",
		"Content-Transfer-Encoding: quoted-printable\rContent-Type: text/plain; charset=utf-16\r\ra=00=\rb=ZZ",
		"stray\nContent-Type: text/html\n\n<meta charset=gbk>\xc4\xe3",
		"Received-SPF: pass (x\nAuthentication-Results: mx; dkim=pass (a\n\n",
	} {
		f.Add([]byte(seed), uint8(0), uint8(0), uint8(0))
		f.Add([]byte(seed), uint8(2), uint8(3), uint8(4))
	}
	f.Fuzz(func(t *testing.T, raw []byte, depth, parts, headers uint8) {
		before := string(raw)
		m := inbound.FromMIME(raw, anymail.Limits{MIMEDepth: int(depth), MIMEParts: int(parts), MIMEHeaders: int(headers)})
		inbound.SetAuthentication(&m)
		require.Equal(t, before, string(raw), "the input is not changed")
		require.Equal(t, before, string(m.RawMIME))
		bounded(t, raw, m)
		if parts > 0 {
			require.LessOrEqual(t, len(m.Attachments), int(parts)+1)
		}
		if headers > 0 {
			require.LessOrEqual(t, len(m.Headers), int(headers))
		}
		for _, a := range m.Attachments {
			safe(t, a.Filename)
			require.EqualValues(t, len(a.Content), a.Size)
			require.Regexp(t, `^[^\s/;A-Z]+/[^\s/;A-Z]+$`, a.ContentType)
			require.Contains(t, []string{"attachment", "inline"}, a.Disposition)
			if len(a.Content) > 0 {
				_ = append(a.Content, '!')
			}
		}
		require.Equal(t, before, string(raw), "what is appended to a content does not write on")
		for _, h := range m.Headers {
			oneLine(t, h.Name)
			oneLine(t, h.Value)
		}
		oneLine(t, m.Subject)
		oneLine(t, m.MessageID)
		for _, list := range [][]anymail.Address{m.From, m.To, m.CC, m.BCC, m.ReplyTo} {
			readable(t, list)
		}
		require.True(t, utf8.ValidString(m.Text))
		require.True(t, utf8.ValidString(m.HTML))
		_, err := json.Marshal(m)
		require.NoError(t, err)
	})
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{
		"a@example.org", `"Lee, Ann" <a@example.org>, b@example.org (Bob)`, "G: a@x, B <b@x>;", "=?utf-8?Q?Ng,_J?= <j@x>",
		`"open <a@x>, b@x`, "Ann (open <a@x>", "<@r:a@x>", "=?utf-8?B?QW5uIDxhQGV4YW1wbGUub3JnPg==?=", "a <b <c@x>>", "mailto:a@x;\xff", "<: a <b: c>, <d:",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got := inbound.Addresses(list)
		require.LessOrEqual(t, len(got), 1+strings.Count(list, ",")+strings.Count(list, ";")+strings.Count(list, ":"))
		readable(t, got)
		readable(t, inbound.Addresses(inbound.ParseHeaders([]byte("To: "+list)).Get("To")))
		for _, id := range inbound.MessageIDs(list) {
			oneLine(t, id)
			require.NotEmpty(t, id)
		}
		date := inbound.Date(list)
		_, err := date.MarshalJSON()
		require.NoError(t, err)
		require.True(t, date.IsZero() || date.Year() >= 1900)
	})
}

func FuzzDecodeHeader(f *testing.F) {
	for _, seed := range []string{
		"plain", "=?utf-8?Q?caf=C3=A9_?= =?utf-8?B?Y2Fmw6k=?=", "=?koi8-r?B?7cnS?= =?gbk?Q?=C4=E3?=", "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=",
		"=?utf-8?Q?open", "=?=?=?= =?u?q?=0D=0A?=", "a\r\n b\rc\xe9", `"=?utf-8?Q?=22?=" x`, "=?utf-16?B?//5BAA==?=",
	} {
		f.Add(seed, "gbk")
	}
	f.Fuzz(func(t *testing.T, s, charset string) {
		oneLine(t, inbound.DecodeHeader(s))
		for _, h := range inbound.ParseHeaders([]byte(s)) {
			oneLine(t, h.Name)
			oneLine(t, h.Value)
		}
		text := inbound.DecodeText([]byte(s), charset)
		require.True(t, utf8.ValidString(text))
		require.LessOrEqual(t, len(text), 3*len(s))
		require.LessOrEqual(t, len(inbound.DecodeBase64(s)), len(s)/4*3+2)
	})
}

func FuzzParams(f *testing.F) {
	for _, seed := range []string{
		"text/plain; charset=utf-8", `attachment; filename="a\"b\\c.txt"; filename*=utf-8''%C3%A9`, "a/b; x*1=b; x*0*=koi8-r'ru'%ED; x*=",
		`a/b; x="open; y=z`, "a/b x=y;;=;*=;**=*", "inline; filename=../../a.txt", "A/B; name==?utf-8?Q?=2E=2E?=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		first, params := inbound.ParseParams(field)
		require.LessOrEqual(t, len(params), 100)
		size := len(first)
		for name, value := range params {
			require.NotContains(t, name, "*")
			size += len(value)
		}
		require.LessOrEqual(t, size, 3*len(field))
		a := inbound.NewAttachment(params["filename"], field, field, params["x"], nil)
		safe(t, a.Filename)
		safe(t, inbound.SafeFilename(field))
		require.Equal(t, inbound.SafeFilename(a.Filename), a.Filename, "what is safe stays as it is")
		oneLine(t, a.ContentID)
		oneLine(t, a.ContentType)
	})
}

// safe fails where name is not one of a file in the current directory.
func safe(t *testing.T, name string) {
	t.Helper()
	if name == "" {
		return
	}
	oneLine(t, name)
	require.True(t, filepath.IsLocal(name), "%q", name)
	require.Equal(t, name, filepath.Base(name))
	require.NotContains(t, name, `\`)
	require.NotContains(t, name, ":")
	require.NotEqual(t, ".", name)
	require.LessOrEqual(t, len(name), 255)
}

// oneLine fails where s is not valid UTF-8 or has control characters.
func oneLine(t *testing.T, s string) {
	t.Helper()
	require.True(t, utf8.ValidString(s), "%q", s)
	require.Equal(t, -1, strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }), "%q", s)
}

func readable(t *testing.T, list []anymail.Address) {
	t.Helper()
	for _, a := range list {
		oneLine(t, a.Name)
		oneLine(t, a.Address)
		require.NotEmpty(t, a.Address)
	}
}
