package rawmime_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/internal/inboundtest"
	"github.com/goanymail/anymail/inbound/rawmime"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"",
		"Subject: s\n\nhello",
		"From: =?utf-8?Q?Zo=C3=AB?= <z@example.org>\r\nTo: a@example.com, \"b\" <b@example.com>\r\nDate: Thu, 5 Feb 2026 10:00:00 +0000\r\n" +
			"References: <a@x> <b@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=koi8-r\r\n\r\n\xed\xc9\xd2\r\n" +
			"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*=utf-8''%C3%A9.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nUERG\r\n--b--\r\n",
		"Content-Type: multipart/mixed\n\n--x\nContent-Type: multipart/alternative; boundary=x\n\n--x\n\ntext\n--x--\n--x\nContent-ID: <i>\n\nfile",
		"Content-Transfer-Encoding: quoted-printable\rContent-Type: text/plain; charset=utf-16\r\ra=00=\rb=ZZ",
		"stray\nContent-Type: text/html\n\n<meta charset=gbk>\xc4\xe3",
		"Content-Type: application/ms-tnef\n\n" + string(inboundtest.TNEF(inboundtest.Attribute(1, 0x0002800c, []byte("hello")))),
		"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html; name=h\nContent-Transfer-Encoding: base64\n\nPHA+\n-- \nfoot\xe9\n--b-->\n",
		"Received-SPF: pass (x\nAuthentication-Results: mx; dkim=pass (a\n\n",
	} {
		f.Add([]byte(seed), uint8(0), uint8(0), uint8(0))
		f.Add([]byte(seed), uint8(2), uint8(3), uint8(4))
	}
	f.Fuzz(func(t *testing.T, raw []byte, depth, parts, headers uint8) {
		before := string(raw)
		m := rawmime.Parse(raw, anymail.Limits{MIMEDepth: int(depth), MIMEParts: int(parts), MIMEHeaders: int(headers)})
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
			inboundtest.SafeFilename(t, a.Filename)
			require.EqualValues(t, len(a.Content), a.Size)
			require.Regexp(t, `^[^\s/;A-Z]+/[^\s/;A-Z]+$`, a.ContentType)
			require.Contains(t, []string{"attachment", "inline"}, a.Disposition)
			for name, value := range a.Params {
				inboundtest.OneLine(t, name)
				inboundtest.OneLine(t, value)
			}
			if len(a.Content) > 0 {
				_ = append(a.Content, '!')
			}
		}
		require.Equal(t, before, string(raw), "appending to a content does not change the input")
		for _, h := range m.Headers {
			inboundtest.OneLine(t, h.Name)
			inboundtest.OneLine(t, h.Value)
		}
		inboundtest.OneLine(t, m.Subject)
		inboundtest.OneLine(t, m.MessageID)
		for _, list := range [][]anymail.Address{m.From, m.To, m.CC, m.BCC, m.ReplyTo} {
			inboundtest.Readable(t, list)
		}
		require.True(t, utf8.ValidString(m.Text))
		require.True(t, utf8.ValidString(m.HTML))
		_, err := json.Marshal(m)
		require.NoError(t, err)
	})
}
