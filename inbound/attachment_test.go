package inbound_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		{"", "text/plain charset=utf-8", "inline", "<a\r\nb>", anymail.Attachment{ContentType: "text/plain", Params: map[string]string{"charset": "utf-8"}, Disposition: "inline", ContentID: "a  b"}},
		{"", "Text/Calendar; Method=REPLY; charset=\"iso-8859-1\"; name=invite.ics", "", "",
			anymail.Attachment{Filename: "invite.ics", ContentType: "text/calendar", Params: map[string]string{"method": "REPLY", "charset": "iso-8859-1"}, Disposition: "attachment"}},
		{"", "a/b; x*=utf-8''a%0D%0Ab; long=" + strings.Repeat("x", 1000), "", "",
			anymail.Attachment{ContentType: "a/b", Params: map[string]string{"x": "a  b"}, Disposition: "attachment"}},
		{"", "a/b", "filename=x.bin", "<id@x>", anymail.Attachment{Filename: "x.bin", ContentType: "a/b", Disposition: "inline", ContentID: "id@x"}},
		{"", "a/b", "???", "", anymail.Attachment{ContentType: "a/b", Disposition: "attachment"}},
	} {
		tt.want.Size, tt.want.Content = 4, []byte("data")
		got := inbound.NewAttachment(tt.filename, tt.contentType, tt.disposition, tt.contentID, []byte("data"))
		require.Empty(t, cmp.Diff(tt.want, got))
	}
}

func TestAttachmentParamsAreBounded(t *testing.T) {
	contentType := "text/plain"
	for i := range 60 {
		contentType += fmt.Sprintf("; p%02d=x", i)
	}
	params := inbound.NewAttachment("", contentType, "", "", nil).Params
	require.Len(t, params, 20)
	require.Equal(t, "x", params["p00"])
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
