package inbound_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

func TestNewAttachment(t *testing.T) {
	for _, tt := range []struct {
		filename, contentType, disposition, contentID string
		want                                          anymail.Attachment
	}{
		{"a.png", "image/png", "attachment", "",
			anymail.Attachment{Filename: "a.png", ContentType: "image/png", Disposition: "attachment"}},
		{"dir/=?utf-8?Q?=C3=A9.png?=", "Image/PNG; name=b.png", "Inline; filename=b.png", "<id@x>",
			anymail.Attachment{Filename: "é.png", ContentType: "image/png", Disposition: "inline", ContentID: "id@x"}},
		{"", "", "", "", anymail.Attachment{ContentType: "application/octet-stream", Disposition: "attachment"}},
		{"", "image", "", " <id@x> ", anymail.Attachment{ContentType: "application/octet-stream", Disposition: "inline", ContentID: "id@x"}},
		{"", "image/png/gif", "attachment", "id@x", anymail.Attachment{ContentType: "application/octet-stream", Disposition: "attachment", ContentID: "id@x"}},
		{"", "image/p\xc3\xa9g", "form-data", "id@x", anymail.Attachment{ContentType: "application/octet-stream", Disposition: "attachment", ContentID: "id@x"}},
		{"", "/", "ATTACHMENT", "<>", anymail.Attachment{ContentType: "application/octet-stream", Disposition: "attachment"}},
		{"", "text/plain charset=utf-8", "inline", "<a\r\nb>", anymail.Attachment{ContentType: "text/plain", Disposition: "inline", ContentID: "a  b"}},
	} {
		tt.want.Size, tt.want.Content = 4, []byte("data")
		got := inbound.NewAttachment(tt.filename, tt.contentType, tt.disposition, tt.contentID, []byte("data"))
		require.Empty(t, cmp.Diff(tt.want, got))
	}
}

func TestSafeFilename(t *testing.T) {
	long := strings.Repeat("é", 200)
	for in, want := range map[string]string{
		"":                       "",
		"a.txt":                  "a.txt",
		"Ergebnis 1 (neu).pdf":   "Ergebnis 1 (neu).pdf",
		"文件.txt":                 "文件.txt",
		".htaccess":              ".htaccess",
		"/etc/passwd":            "passwd",
		"../../a.txt":            "a.txt",
		`C:\dir\a.txt`:           "a.txt",
		`..\a/b\c.txt`:           "c.txt",
		"dir/":                   "dir",
		".":                      "",
		"..":                     "",
		"...":                    "",
		"../..":                  "",
		" . ":                    "",
		"a/..":                   "a",
		"a. .":                   "a",
		" a.txt ":                "a.txt",
		"a\r\n\t\x00b.txt":       "a    b.txt",
		"a\u202etxt.exe":         "atxt.exe",
		"a\u2028b":               "a b",
		"\ufeffa.txt":            "a.txt",
		"a\xffb.txt":             "ab.txt",
		"a.txt:stream":           "a.txt_stream",
		"C:a.txt":                "C_a.txt",
		`<a>|"b"?*`:              "_a___b___",
		"con":                    "_con",
		"NUL.txt":                "_NUL.txt",
		"Aux .tar.gz":            "_Aux .tar.gz",
		"com1":                   "_com1",
		"LPT³.x":                 "_LPT³.x",
		"COM":                    "COM",
		"COM10.txt":              "COM10.txt",
		"console.log":            "console.log",
		"👩\u200d💻.png":           "👩\u200d💻.png",
		long + ".jpeg":           strings.Repeat("é", 125) + ".jpeg",
		"a." + long:              "a." + strings.Repeat("é", 126),
		strings.Repeat("a", 255): strings.Repeat("a", 255),
		strings.Repeat("a", 300): strings.Repeat("a", 255),
	} {
		require.Equal(t, want, inbound.SafeFilename(in), "%q", in)
	}
}

func TestDecodeBase64(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"aGVsbG8=":                            "hello",
		"aGVsbG8":                             "hello",
		"aGVs\r\nbG8=\r\n":                    "hello",
		"aG Vs!\nb*G8=":                       "hello",
		"aGVsbG8=IHlvdQ==":                    "hello you", // one after the other
		"aGVsbA==\nbw==\nIHlvdQ":              "hello you",
		"aGVsbG8gd":                           "hello ", // six bits are not a byte
		"====":                                "",
		"!!!":                                 "",
		"_-8=":                                "\xff\xef",
		"/+8=":                                "\xff\xef",
		"data:;base64,":                       "u\xabZm\xab\x1e\xeb", // "database64"
		strings.Repeat("QUJD", 2000) + "QQ==": strings.Repeat("ABC", 2000) + "A",
		strings.Repeat("Q\nUJD", 2000):        strings.Repeat("ABC", 2000),
	} {
		require.Equal(t, want, string(inbound.DecodeBase64(in)), "%q", in)
	}
}

func TestDecodeBase64Size(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("QUJD", 100_000),
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 5000),
		strings.Repeat("QUI=\n", 100_000),
		strings.Repeat("!", 400_000) + "QUJD",
	} {
		out := inbound.DecodeBase64(in)
		require.LessOrEqual(t, cap(out), len(out)+len(out)/4+1024, "content is kept, and must not keep more than itself")
	}
}

func TestSetAuthentication(t *testing.T) {
	const results = "Authentication-Results"
	for _, tt := range []struct {
		name    string
		headers anymail.Headers
		want    anymail.Authentication
	}{
		{"none", nil, anymail.Authentication{}},
		{"all", anymail.Headers{{Name: results, Value: "mx.example.com; spf=pass smtp.mailfrom=example.org; dkim=PASS header.d=example.org; dmarc=fail (p=none; sp=none) header.from=example.org"}},
			anymail.Authentication{SPF: "pass", DKIM: "pass", DMARC: "fail"}},
		{"no result", anymail.Headers{{Name: results, Value: "mx.example.com 1; none"}}, anymail.Authentication{}},
		{"no server", anymail.Headers{{Name: results, Value: "spf=softfail (sender IP is 192.0.2.1) smtp.mailfrom=example.org;dkim=none"}},
			anymail.Authentication{SPF: "softfail", DKIM: "none"}},
		{"version and blanks", anymail.Headers{{Name: results, Value: "mx.example.com (a; b) ; spf/1 = neutral reason=\"dkim=pass; x\""}},
			anymail.Authentication{SPF: "neutral"}},
		{"one signature of two passes", anymail.Headers{{Name: results, Value: "mx; dkim=fail header.d=a.example; dkim=pass header.d=b.example; dkim=temperror; spf=fail; spf=pass"}},
			anymail.Authentication{DKIM: "pass", SPF: "fail"}},
		{"same server twice", anymail.Headers{{Name: results, Value: "mx; dkim=pass"}, {Name: results, Value: "MX; dmarc=pass; dkim=fail"}},
			anymail.Authentication{DKIM: "pass", DMARC: "pass"}},
		{"same server, another says pass", anymail.Headers{{Name: results, Value: "mx; dkim=fail"}, {Name: results, Value: "mx; dkim=pass"}},
			anymail.Authentication{DKIM: "fail"}},
		{"nobody's results after others", anymail.Headers{{Name: results, Value: "dkim=none"}, {Name: results, Value: "dmarc=pass; dkim=pass"}},
			anymail.Authentication{DKIM: "none"}},
		{"quoted semicolon", anymail.Headers{{Name: results, Value: `"mx"; spf=fail reason="no (; dmarc=pass"; dkim=none`}, {Name: results, Value: "mx; dmarc=fail"}},
			anymail.Authentication{SPF: "fail", DKIM: "none", DMARC: "fail"}},
		{"quote never closed", anymail.Headers{{Name: results, Value: `mx; spf=fail (x) reason="no; dkim=none`}}, anymail.Authentication{SPF: "fail", DKIM: "none"}},
		{"the sender's own", anymail.Headers{{Name: results, Value: "mx; dkim=none"}, {Name: results, Value: "evil.example.org; dmarc=pass; dkim=pass"}},
			anymail.Authentication{DKIM: "none"}},
		{"received-spf", anymail.Headers{{Name: "Received-SPF", Value: "Fail (mx.example.com: domain of a@example.org) client-ip=192.0.2.1"}, {Name: "Received-SPF", Value: "pass"}},
			anymail.Authentication{SPF: "fail"}},
		{"received-spf after results", anymail.Headers{{Name: "Received-SPF", Value: "fail"}, {Name: results, Value: "mx; spf=pass"}},
			anymail.Authentication{SPF: "pass"}},
		{"comment never closed", anymail.Headers{{Name: results, Value: "mx; spf=pass; dkim=(none; dmarc=pass"}},
			anymail.Authentication{SPF: "pass"}},
		{"nothing readable", anymail.Headers{{Name: results, Value: ";;=;="}, {Name: "Received-SPF", Value: "(x"}}, anymail.Authentication{}},
	} {
		m := anymail.InboundMessage{Headers: tt.headers}
		inbound.SetAuthentication(&m)
		require.Empty(t, cmp.Diff(tt.want, m.Authentication), tt.name)
	}
	m := anymail.InboundMessage{
		Headers:        anymail.Headers{{Name: results, Value: "mx; spf=pass; dkim=pass"}},
		Authentication: anymail.Authentication{SPF: "fail"},
	}
	inbound.SetAuthentication(&m)
	require.Equal(t, anymail.Authentication{SPF: "fail", DKIM: "pass"}, m.Authentication, "what the ESP said stays")
}

func TestParams(t *testing.T) {
	for in, want := range map[string]struct {
		first  string
		params map[string]string
	}{
		"":                             {"", nil},
		"text/plain":                   {"text/plain", nil},
		"Text/Plain; Charset=UTF-8":    {"text/plain", map[string]string{"charset": "UTF-8"}},
		`a/b;x="y z";v=w`:              {"a/b", map[string]string{"x": "y z", "v": "w"}},
		`a/b; x="y\"z\\"`:              {"a/b", map[string]string{"x": `y"z\`}},
		`a/b; x="C:\new\a.txt"`:        {"a/b", map[string]string{"x": `C:\new\a.txt`}},
		"a/b; x=y; x=z":                {"a/b", map[string]string{"x": "y"}},
		"a/b; x = y ":                  {"a/b", map[string]string{"x": "y"}},
		"a/b; x=":                      {"a/b", map[string]string{"x": ""}},
		"a/b; x; y=z; =w; ;;":          {"a/b", map[string]string{"y": "z"}},
		`a/b; x="y`:                    {"a/b", map[string]string{"x": "y"}},
		`a/b; x="y" junk; z=w`:         {"a/b", map[string]string{"x": "y", "z": "w"}},
		"a/b x=y":                      {"a/b", map[string]string{"x": "y"}},
		"; x=y":                        {"", map[string]string{"x": "y"}},
		"a/b; x=two words; y=z":        {"a/b", map[string]string{"x": "two words", "y": "z"}},
		"a/b; x*=utf-8''%C3%A9":        {"a/b", map[string]string{"x": "é"}},
		"a/b; x=e; x*=utf-8'fr'%C3%A9": {"a/b", map[string]string{"x": "é"}},
		"a/b; x*=iso-8859-1''%E9":      {"a/b", map[string]string{"x": "é"}},
		"a/b; x*=%C3%A9":               {"a/b", map[string]string{"x": "é"}},
		"a/b; x*=utf-8''100%":          {"a/b", map[string]string{"x": "100%"}},
		"a/b; x*0=a; x*1=b":            {"a/b", map[string]string{"x": "ab"}},
		"a/b; x*1=b; x*0=a":            {"a/b", map[string]string{"x": "ab"}},
		"a/b; x*0=a; x*0=c; x*1=b":     {"a/b", map[string]string{"x": "ab"}},
		"a/b; x*10=k; x*9=j; x*2=c":    {"a/b", map[string]string{"x": "cjk"}},
		"a/b; x*0*=utf-8''%C3; x*1*=%A9; x*2=%41": {"a/b", map[string]string{"x": "é%41"}},
		"a/b; x*0*=koi8-r''%ED; x*1*='; y*=''z":   {"a/b", map[string]string{"x": "М'", "y": "z"}},
	} {
		first, params := inbound.ParseParams(in)
		require.Equal(t, want.first, first, "%q", in)
		require.Empty(t, cmp.Diff(want.params, params, cmpopts.EquateEmpty()), "%q", in)
	}
}

func TestBase64(t *testing.T) {
	for in, want := range map[string]string{
		`"Z3LDvMOfZQ=="`:       "grüße",
		`"Z3LD\nvMOf\r\nZQ=="`: "grüße",
		`"_\/8="`:              "\xff\xff",
		`""`:                   "",
		`null`:                 "",
	} {
		content := inbound.Base64("before")
		require.NoError(t, json.Unmarshal([]byte(in), &content), in)
		require.Equal(t, want, string(content), in)
	}
	require.Error(t, json.Unmarshal([]byte(`[1]`), new(inbound.Base64)))
}
