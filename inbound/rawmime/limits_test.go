package rawmime_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
)

func TestLimits(t *testing.T) {
	parts := func(n int) []byte {
		return crlf("Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: a/b\n\nx\n", n) + "--b--\n")
	}
	require.Len(t, rawmime.Parse(parts(1000), anymail.Limits{}).Attachments, 1000)
	require.Len(t, rawmime.Parse(parts(1001), anymail.Limits{}).Attachments, 1000)
	require.Len(t, rawmime.Parse(parts(9), anymail.Limits{MIMEParts: 3}).Attachments, 3)
	require.Len(t, rawmime.Parse(parts(9), anymail.Limits{MIMEParts: -1}).Attachments, 9)

	fields := func(n int) []byte { return crlf(strings.Repeat("X: y\n", n) + "Content-Type: text/html\n\n<p>") }
	m := rawmime.Parse(fields(2001), anymail.Limits{})
	require.Len(t, m.Headers, 2000)
	require.Equal(t, "<p>", m.HTML, "fields that describe the body are read even beyond the limit")
	require.Len(t, rawmime.Parse(fields(9), anymail.Limits{MIMEHeaders: 3}).Headers, 3)
	require.Len(t, inbound.ParseHeaders(fields(2001)), 2000)

	// n counts the innermost multipart, which is not opened if it is too deep.
	nested := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		b.WriteString("\nhello")
		return crlf(b.String())
	}
	require.Equal(t, "hello", rawmime.Parse(nested(24), anymail.Limits{}).Text)
	m = rawmime.Parse(nested(25), anymail.Limits{})
	require.Empty(t, m.Text)
	want := attached("", "multipart/mixed", "--b24\r\n\r\nhello")
	want.Params = map[string]string{"boundary": "b24"}
	require.Equal(t, []anymail.Attachment{want}, m.Attachments)
	require.Equal(t, "hello", rawmime.Parse(nested(2), anymail.Limits{MIMEDepth: 2}).Text)
	require.Empty(t, rawmime.Parse(nested(3), anymail.Limits{MIMEDepth: 2}).Text)
	require.Equal(t, "hello", rawmime.Parse(nested(100), anymail.Limits{MIMEDepth: 1 << 30}).Text)
	require.Empty(t, rawmime.Parse(nested(101), anymail.Limits{MIMEDepth: 1 << 30}).Text)

	// A header of more than 1 MiB is truncated, even within a field.
	m = rawmime.Parse(crlf("Subject: s\nX: "+strings.Repeat("é", 1<<20)+"\nY: z\n\nhello"), anymail.Limits{})
	require.Len(t, m.Headers, 2)
	require.LessOrEqual(t, len(m.Headers[1].Value), 1<<20)
	require.Equal(t, "hello", m.Text)
}

// Hostile mails take memory in proportion to their size, and are read as far as
// possible. With a parser whose time is not in proportion, this test does not
// end in time.
func TestHostile(t *testing.T) {
	const (
		top   = "Subject: s\nTo: a@example.org\n"
		mixed = top + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n"
	)
	many := strings.Repeat
	for name, tt := range map[string]struct{ raw, text string }{
		"nested deeply":                 {top + "Content-Type: multipart/mixed; boundary=b\n\n" + many("--b\nContent-Type: multipart/mixed; boundary=b\n\n", 20_000), ""},
		"nested, wrong boundary":        {top + many("Content-Type: multipart/mixed; boundary=b\n\n--c\n", 20_000), ""},
		"nested, no boundary":           {top + many("Content-Type: multipart/mixed\n\n--c\n", 20_000), ""},
		"many wrong boundaries":         {mixed + many("--b\nContent-Type: multipart/mixed; boundary=c\n\nx\n", 20_000), "hello" + many("\nx", 999)},
		"many parts":                    {mixed + many("--b\nContent-Type: a/b\n\nx\n", 100_000), "hello"},
		"many empty parts":              {mixed + many("--b\n", 500_000), "hello"},
		"many texts":                    {mixed + many("--b\n\n"+many("x", 5000)+"\n", 999), "hello\n" + many(many("x", 5000)+"\n", 998) + many("x", 5000) + "\r\n"},
		"almost delimiters":             {mixed + many("--bx\n", 1_000_000), ""},
		"hyphens":                       {mixed + many("--\n", 1_000_000), ""},
		"only hyphens":                  {mixed + many("-", 4_000_000), ""},
		"no boundary, hyphens":          {top + "Content-Type: multipart/mixed\n\n" + many("--x y\n", 500_000), ""},
		"large header":                  {top + "X: " + many("x", 4<<20) + "\n\nhello", "hello"},
		"large folded header":           {top + "X: x" + many("\n x", 1<<20) + "\n\nhello", "hello"},
		"large field name":              {top + many("x", 4<<20) + ": x\n\nhello", "hello"},
		"large name of a content field": {top + "Content-" + many("x", 4<<20) + ": x\n\nhello", "hello"},
		"many headers":                  {top + many("X: y\n", 500_000) + "\nhello", "hello"},
		"stray lines":                   {top + many("stray\n", 500_000) + "\nhello", ""},
		"stray lines, then type":        {top + many("stray\n", 5000) + "Content-Type: text/plain\n" + many("stray\n", 500_000) + "\nhello", ""},
		"stray lines in parts":          {mixed + many("--b\nstray\nContent-Type: multipart/mixed; boundary=b\nstray\n", 50_000), "hello"},
		"commas":                        {top + "Cc: " + many(",", 900_000) + "\n\nhello", "hello"},
		"addresses":                     {top + "Cc: " + many("a@b,", 200_000) + "\n\nhello", "hello"},
		"unclosed comments":             {top + "Cc: " + many("(", 900_000) + "\n\nhello", "hello"},
		"comments, last one unclosed":   {top + "Cc: " + many("(a)", 300_000) + "(\n\nhello", "hello"},
		"unclosed quotes":               {top + "Cc: \"" + many(`\"`, 400_000) + "\n\nhello", "hello"},
		"quotes":                        {top + "Cc: " + many(`"a" `, 200_000) + "\n\nhello", "hello"},
		"unclosed angle brackets":       {top + "Cc: " + many("a <", 300_000) + "\n\nhello", "hello"},
		"colons":                        {top + "Cc: " + many("a:", 400_000) + "\n\nhello", "hello"},
		"mailtos":                       {top + "Cc: " + many("mailto:", 100_000) + "\n\nhello", "hello"},
		"unclosed words":                {top + "Cc: " + many("=?utf-8?q?", 90_000) + "\n\nhello", "hello"},
		"words closed at the end":       {top + "Cc: " + many("=?u?q? ", 100_000) + "?=\n\nhello", "hello"},
		"word starts":                   {top + "X: " + many("=? ", 300_000) + "?=\n\nhello", "hello"},
		"words":                         {top + "Cc: " + many("=?utf-8?q?a?= ", 60_000) + "\n\nhello", "hello"},
		"words, two charsets":           {top + "X: " + many("=?koi8-r?q?a?= =?gbk?q?a?= ", 30_000) + "\n\nhello", "hello"},
		"words within words":            {top + "Cc: " + many("=?utf-8?q?=3D=3Fu=3Fq=3F=40=3F=3D?=,", 20_000) + "\n\nhello", "hello"},
		"references":                    {top + "References: " + many("<a>", 300_000) + "\n\nhello", "hello"},
		"date":                          {top + "Date: " + many("1 ", 400_000) + "\n\nhello", "hello"},
		"parameters":                    {top + "Content-Type: text/plain" + many("; a=b", 200_000) + "\n\nhello", "hello"},
		"sections of parameters":        {top + "Content-Type: text/plain" + many("; a*9*=b", 100_000) + "\n\nhello", "hello"},
		"semicolons":                    {top + "Content-Type: text/plain" + many(";", 900_000) + "\n\nhello", "hello"},
		"quotes in parameters":          {top + "Content-Type: text/plain; a=" + many(`"`, 900_000) + "\n\nhello", "hello"},
		"invalid escapes":               {top + "Content-Transfer-Encoding: quoted-printable\n\n" + many("=", 4_000_001), many("=", 4_000_000)},
		"soft breaks":                   {top + "Content-Transfer-Encoding: quoted-printable\n\n" + many("=\n", 1_000_000), ""},
		"base64 without base64":         {top + "Content-Transfer-Encoding: base64\n\n" + many("!", 4_000_000), ""},
		"base64, all padding":           {top + "Content-Transfer-Encoding: base64\n\n" + many("QQ==", 1_000_000), many("A", 1_000_000)},
		"base64 in short lines":         {top + "Content-Transfer-Encoding: base64\n\n" + many("Q\n", 1_000_000), many("A\x04\x10", 250_000)},
		"meta":                          {top + "Content-Type: text/html\n\n" + many("<meta ", 500_000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw := crlf(tt.raw)
			var m anymail.InboundMessage
			allocated := allocates(func() { m = rawmime.Parse(raw, anymail.Limits{}) })
			require.LessOrEqual(t, allocated, uint64(6*len(raw)+(24<<20)))
			require.Equal(t, "s", m.Subject)
			require.Equal(t, []anymail.Address{{Address: "a@example.org"}}, m.To)
			if tt.text != "" {
				require.True(t, tt.text == m.Text, "%.50q", m.Text)
			}
			bounded(t, raw, m)
		})
	}
}

// bounded fails if a result is too large for the mail.
func bounded(t *testing.T, raw []byte, m anymail.InboundMessage) {
	t.Helper()
	require.LessOrEqual(t, len(m.Attachments), 1001)
	require.LessOrEqual(t, len(m.Headers), 2000)
	for _, list := range [][]anymail.Address{m.From, m.To, m.CC, m.BCC, m.ReplyTo} {
		require.LessOrEqual(t, len(list), 5000)
	}
	require.LessOrEqual(t, len(m.References), 1000)
	size, text := 0, len(m.Text)+len(m.HTML)
	for _, a := range m.Attachments {
		require.LessOrEqual(t, len(a.Filename), 255)
		size += len(a.Content)
	}
	// One byte becomes at most three in UTF-8.
	require.LessOrEqual(t, size+text/3, len(raw)+1000)
}

// allocates returns how many bytes f allocates, including those it frees.
func allocates(f func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// largeMail is 25 MiB, most of it in five attachments, with lines of 76
// characters. It also returns the encoded attachments.
func largeMail(encoding string) (raw []byte, bodies [][]byte) {
	line := func(n int) string {
		data := make([]byte, 57)
		for i := range data {
			data[i] = byte(n*7 + i*31)
		}
		if encoding == "base64" {
			return base64.StdEncoding.EncodeToString(data)
		}
		return strings.Repeat(fmt.Sprintf("%02d ", n%100), 26)[:76]
	}
	var b bytes.Buffer
	b.WriteString("From: a@example.org\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("Schöne Grüße\r\n", 4000))
	for range 5 {
		b.WriteString("--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n")
		start := b.Len()
		for n := 0; b.Len()-start < 5<<20; n++ {
			b.WriteString(line(n) + "\r\n")
		}
		bodies = append(bodies, b.Bytes()[start:b.Len()])
	}
	b.WriteString("--b--\r\n")
	raw = b.Bytes()
	return raw, bodies
}

// A mail of 25 MiB takes at most one and a half times its size in addition to the
// input.
func TestMemory(t *testing.T) {
	whole := func(contentType, encoding, text string) []byte {
		header := "From: a@example.org\r\nSubject: s\r\nContent-Type: " + contentType + "\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n"
		return []byte(header + strings.Repeat(text, 25<<20/len(text)))
	}
	encoded, _ := largeMail("base64")
	plain, _ := largeMail("7bit")
	for name, tt := range map[string]struct {
		raw     []byte
		percent int
	}{
		"attachments in base64":        {encoded, 80},
		"attachments without encoding": {plain, 5},
		"text":                         {whole("text/plain", "7bit", "a line of text\r\n"), 105},
		"html in utf-8":                {whole("text/html; charset=utf-8", "8bit", "<p>schön</p>\r\n"), 105},
		"text in quoted-printable":     {whole("text/plain; charset=utf-8", "quoted-printable", "sch=C3=B6n\r\n"), 150},
		"text in base64":               {whole("text/plain", "base64", strings.Repeat("QUJD", 19)+"\r\n"), 150},
		"file in quoted-printable":     {whole("a/b; name=f", "quoted-printable", "sch=C3=B6n=\r\n"), 105},
	} {
		var m anymail.InboundMessage
		allocated := allocates(func() { m = rawmime.Parse(tt.raw, anymail.Limits{}) })
		require.Equal(t, "s", m.Subject)
		require.LessOrEqual(t, allocated, uint64(len(tt.raw))*uint64(tt.percent)/100, "%s: %.2f of the mail", name, float64(allocated)/float64(len(tt.raw)))
	}
}
