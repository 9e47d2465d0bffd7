package wire_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestUploads(t *testing.T) {
	form := &anymail.Form{
		Fields: anymail.Fields{
			"attachment-count": {[]byte("4")}, "attachment-": {[]byte("x")}, "attachment--1": {[]byte("x")},
			"attachment-+2": {[]byte("x")}, "subject": {[]byte("x")}, "attachment-3": {[]byte("nameless")},
		},
		Files: []anymail.FormFile{
			{Field: "attachment-10", Filename: "j.txt", Content: []byte("j")},
			{Field: "attachment-1", Filename: "a.txt", ContentType: "text/plain", Content: []byte("a")},
			{Field: "upload", Filename: "x.txt"},
			{Field: "attachment-2", Filename: "b.txt", Content: []byte("b")},
			{Field: "attachment-1", Filename: "again.txt"},
		},
	}
	want := []anymail.FormFile{
		{Field: "attachment-1", Filename: "a.txt", ContentType: "text/plain", Content: []byte("a")},
		{Field: "attachment-1", Filename: "again.txt"},
		{Field: "attachment-2", Filename: "b.txt", Content: []byte("b")},
		{Field: "attachment-3", Content: []byte("nameless")},
		{Field: "attachment-10", Filename: "j.txt", Content: []byte("j")},
	}
	if diff := cmp.Diff(want, wire.Uploads(form, "attachment-")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An attachment whose field is unreadable is still an attachment.
func TestUploadsUnnamed(t *testing.T) {
	form := &anymail.Form{
		Fields: anymail.Fields{"": {[]byte("text"), []byte("c")}, "attachment2": {[]byte("b")}},
		Types:  map[string][]string{"": {"", "image/png"}, "attachment2": {"application/pdf"}},
		Files:  []anymail.FormFile{{Filename: "x.txt", Content: []byte("x")}, {Field: "attachment1", Filename: "a.txt"}},
	}
	want := []anymail.FormFile{
		{Field: "attachment1", Filename: "a.txt"},
		{Field: "attachment2", ContentType: "application/pdf", Content: []byte("b")},
		{Filename: "x.txt", Content: []byte("x")},
		{ContentType: "image/png", Content: []byte("c")},
	}
	if diff := cmp.Diff(want, wire.Uploads(form, "attachment")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTexts(t *testing.T) {
	fields := anymail.Fields{"a": {[]byte("Grüße"), []byte("\xff"), []byte("")}, "b\xfe": {[]byte("x")}, "none": nil}
	want := anymail.Fields{"a": {[]byte("Grüße"), []byte("\ufffd"), []byte("")}, "b\ufffd": {[]byte("x")}}
	if diff := cmp.Diff(want, wire.Texts(fields)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if fields.Get("a") != "Grüße" || !fields.Has("b\xfe") {
		t.Error("the form was changed")
	}
}

func TestFormKey(t *testing.T) {
	form := func(fields string, files ...anymail.FormFile) *anymail.Form {
		values, err := url.ParseQuery(fields)
		require.NoError(t, err)
		f := &anymail.Form{Fields: anymail.Fields{}, Files: files}
		for name, list := range values {
			for _, value := range list {
				f.Fields[name] = append(f.Fields[name], []byte(value))
			}
		}
		return f
	}
	first := wire.FormKey("acme", form("a=1&b=2&token=x"), "token")
	require.Equal(t, first, wire.FormKey("acme", form("token=y&b=2&a=1"), "token"))
	for _, other := range []*anymail.Form{
		form("a=1&b=3"), form("a=1"), form("a=1&b=2&c="), form("a=1&a=b&b=2"), form("a=1&b=2", anymail.FormFile{Field: "f", Content: []byte("x")}),
	} {
		require.NotEqual(t, first, wire.FormKey("acme", other, "token"))
	}
	require.NotEqual(t, first, wire.FormKey("acme", form("a=1&b=2&token=x")))
}
