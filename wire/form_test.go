package wire_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

func TestUploads(t *testing.T) {
	form := &anymail.Form{
		Values: url.Values{
			"attachment-count": {"4"}, "attachment-": {"x"}, "attachment--1": {"x"}, "attachment-+2": {"x"}, "subject": {"x"},
			"attachment-3": {"nameless"},
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

func TestTexts(t *testing.T) {
	form := &anymail.Form{Values: url.Values{"a": {"Grüße", "\xff", ""}, "b\xfe": {"x"}, "none": nil}}
	want := url.Values{"a": {"Grüße", "\ufffd", ""}, "b\ufffd": {"x"}}
	if diff := cmp.Diff(want, wire.Texts(form)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(form.Values["b\xfe"]) != 1 {
		t.Error("the form was changed")
	}
}
