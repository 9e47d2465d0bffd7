package anymail_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func TestForm(t *testing.T) {
	const multi = "multipart/form-data; boundary=b"
	part := func(disposition, content string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
	}
	many := strings.Repeat("a=1&", 5)
	tests := []struct {
		name, contentType, body string
		want                    *anymail.Form
		err                     error
	}{
		{"urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "a=1&b=%26+x&a=2&c=%FF", &anymail.Form{Values: map[string][]string{"a": {"1", "2"}, "b": {"& x"}, "c": {"\xff"}}}, nil},
		{"empty", "application/x-www-form-urlencoded", "", &anymail.Form{}, nil},
		{"multipart", multi, part(`name="a"`, "1") + part(`name="f"; filename="../x/é.txt"`, "one\r\ntwo\x00") + part(`name="a"`, "2") + part(`name="g"; filename="g"`, "") + "--b--\r\n", &anymail.Form{
			Values: map[string][]string{"a": {"1", "2"}},
			Files:  []anymail.FormFile{{Field: "f", Filename: "é.txt", Content: []byte("one\r\ntwo\x00")}, {Field: "g", Filename: "g"}},
		}, nil},
		{"encoded part stays as it is", multi, "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n--b--", &anymail.Form{Values: map[string][]string{"a": {"a=3Db"}}}, nil},
		{"bad escape", "application/x-www-form-urlencoded", "a=%zz", nil, anymail.ErrMalformed},
		{"too many fields", "application/x-www-form-urlencoded", many, nil, anymail.ErrTooLarge},
		{"too many parts", multi, strings.Repeat(part(`name="a"`, "1"), 5) + "--b--\r\n", nil, anymail.ErrTooLarge},
		{"cut off", multi, part(`name="a"`, "1"), nil, anymail.ErrMalformed},
		{"no boundary", "multipart/form-data", "--b--", nil, anymail.ErrMalformed},
		{"JSON", "application/json", "{}", nil, anymail.ErrUnsupportedMedia},
		{"none", "", "{}", nil, anymail.ErrUnsupportedMedia},
		{"broken type", "a/b; c", "{}", nil, anymail.ErrUnsupportedMedia},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &anymail.Payload{Header: http.Header{"Content-Type": {tt.contentType}}, Body: []byte(tt.body), Limits: anymail.Limits{FormFields: 4}}
			form, err := p.Form()
			require.ErrorIs(t, err, tt.err)
			if diff := cmp.Diff(tt.want, form, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
			again, _ := p.Form()
			require.Same(t, form, again)
			require.Equal(t, tt.body, string(p.Body))
		})
	}
}

func TestFormFile(t *testing.T) {
	form := anymail.Form{Files: []anymail.FormFile{{Field: "a", Filename: "1"}, {Field: "b", Filename: "2"}, {Field: "b", Filename: "3"}}}
	file, ok := form.File("b")
	require.True(t, ok)
	require.Equal(t, "2", file.Filename)
	_, ok = form.File("c")
	require.False(t, ok)
}

func FuzzForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", []byte("a=1&b=2"))
	f.Add("multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=a; filename=x\r\n\r\n1\r\n--b--\r\n"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		p := &anymail.Payload{Header: http.Header{"Content-Type": {contentType}}, Body: body}
		form, err := p.Form()
		if (form == nil) == (err == nil) {
			t.Fatal("neither or both of a form and an error")
		}
		if err != nil {
			return
		}
		total := 0
		for _, file := range form.Files {
			total += len(file.Content)
			if strings.ContainsAny(file.Filename, "/") {
				t.Errorf("file name %q", file.Filename)
			}
		}
		if total > len(body) {
			t.Error(fmt.Sprint("contents of ", total, " bytes out of ", len(body)))
		}
	})
}
