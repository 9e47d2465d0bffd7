package anymail_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/inbound/rawmime"
	"github.com/goanymail/anymail/internal/mimefield"
	"github.com/goanymail/anymail/simulator"
)

// The number of fields is checked before the signature.
func TestFormBounds(t *testing.T) {
	fields := func(n int) simulator.Request {
		values := url.Values{}
		for i := range n {
			values.Set(fmt.Sprint("field", i), "x")
		}
		return simulator.URLEncoded("inbound", values)
	}
	parts := func(n int) simulator.Request {
		list := make([]simulator.Field, n)
		for i := range list {
			list[i] = simulator.Field{Name: fmt.Sprint("field", i), Value: "x"}
		}
		return simulator.Multipart("inbound", list...)
	}
	repeated := simulator.URLEncoded("inbound", nil)
	repeated.Body = []byte(strings.Repeat("&", 1<<20))
	tests := []struct {
		name    string
		request simulator.Request
		limits  anymail.Limits
		status  int
	}{
		{"1000 fields, unsigned", fields(1000), anymail.Limits{}, 400},
		{"1001 fields", fields(1001), anymail.Limits{}, 413},
		{"a million empty fields", repeated, anymail.Limits{}, 413},
		{"more fields than set", fields(6), anymail.Limits{FormFields: 5}, 413},
		{"1000 parts, unsigned", parts(1000), anymail.Limits{}, 400},
		{"1001 parts", parts(1001), anymail.Limits{}, 413},
		{"more parts than set", parts(6), anymail.Limits{FormFields: 5}, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := anymailtest.NewServer(t, mailgunsim.New(), anymail.WithLimits(tt.limits))
			status, _ := s.Post(t, s.Address(t, tt.request))
			require.Equal(t, tt.status, status)
			require.Empty(t, s.Take())
		})
	}
}

// The text that a parser fails on may be part of a message or a secret.
func TestErrorsDoNotQuoteForms(t *testing.T) {
	const private = "ada@example.com"
	const kind = "multipart/form-data; boundary=b"
	for name, tt := range map[string]struct{ kind, body string }{
		"part header":          {kind, "--b\r\n" + private + "\r\n\r\nx\r\n"},
		"no delimiter":         {kind, "--b\r\n\r\nx\r\n--b" + private + "\r\n"},
		"content type":         {private + "/; a=b; a=c", ""},
		"content type, params": {"multipart/form-data; " + private + "=b; " + private + "=c", ""},
		"escape":               {"application/x-www-form-urlencoded", private + "=%zz"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &anymail.Payload{Header: http.Header{"Content-Type": {tt.kind}}, Body: []byte(tt.body)}
			_, err := p.Form()
			require.Error(t, err)
			require.NotContains(t, err.Error(), private)
		})
	}
}

// fields makes Fields of alternating names and values.
func fields(pairs ...string) anymail.Fields {
	fields := anymail.Fields{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = append(fields[pairs[i]], []byte(pairs[i+1]))
	}
	return fields
}

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
		{"urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "a=1&b=%26+x&a=2&c=%FF", &anymail.Form{Fields: fields("a", "1", "a", "2", "b", "& x", "c", "\xff")}, nil},
		{"empty", "application/x-www-form-urlencoded", "", &anymail.Form{}, nil},
		{"multipart", multi, part(`name="a"`, "1") + part(`name="f"; filename="../x/é.txt"`, "one\r\ntwo\x00") + part(`name="a"`, "2") + part(`name="g"; filename="g"`, "") + "--b--\r\n", &anymail.Form{
			Fields: fields("a", "1", "a", "2"),
			Files:  []anymail.FormFile{{Field: "f", Filename: "é.txt", Content: []byte("one\r\ntwo\x00")}, {Field: "g", Filename: "g"}},
		}, nil},
		{"encoded part stays as it is", multi, "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n--b--", &anymail.Form{Fields: fields("a", "a=3Db")}, nil},
		{"preamble, and content that resembles a delimiter", multi, "not --b\r\n\r\n" + part(`name="a"`, "x --b\r\n\r\ny") + part(`name="a"`, "2") + "--b--", &anymail.Form{Fields: fields("a", "x --b\r\n\r\ny", "a", "2")}, nil},
		{"bare line feeds", multi, "--b\nContent-Disposition: form-data; name=a\n\n1\n\n2\n--b--\n", &anymail.Form{Fields: fields("a", "1\n\n2")}, nil},
		{"no header", multi, "--b\r\n\r\nx\r\n\r\ny\r\n--b--", &anymail.Form{Fields: fields("", "x\r\n\r\ny")}, nil},
		{"names without values", "application/x-www-form-urlencoded", "a&&b=&=c", &anymail.Form{Fields: fields("a", "", "b", "", "", "c")}, nil},
		{"incomplete escape", "application/x-www-form-urlencoded", "a=%4", nil, anymail.ErrMalformed},
		{"semicolon", "application/x-www-form-urlencoded", "a=1;b=2", nil, anymail.ErrMalformed},
		{"bad escape", "application/x-www-form-urlencoded", "a=%zz", nil, anymail.ErrMalformed},
		{"too many fields", "application/x-www-form-urlencoded", many, nil, anymail.ErrTooLarge},
		{"too many parts", multi, strings.Repeat(part(`name="a"`, "1"), 5) + "--b--\r\n", nil, anymail.ErrTooLarge},
		{"no body", multi, "", &anymail.Form{}, nil},
		{"no delimiter", multi, "a=1", nil, anymail.ErrMalformed},
		{"cut off", multi, part(`name="a"`, "1"), nil, anymail.ErrMalformed},
		{"no boundary", "multipart/form-data", "--b--", nil, anymail.ErrMalformed},
		{"JSON", "application/json", "{}", nil, anymail.ErrUnsupportedMedia},
		{"no content type", "", "{}", nil, anymail.ErrUnsupportedMedia},
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

// Contents are slices of the body, unless they were escaped.
func TestFormCopiesNothing(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": "a=1&large=" + large,
		"multipart/form-data; boundary=b":   "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=large\r\n\r\n" + large + "\r\n--b--",
	} {
		p := &anymail.Payload{Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
		form, err := p.Form()
		require.NoError(t, err)
		at := bytes.Index(p.Body, []byte(large))
		value := form.Fields.Bytes("large")
		require.Len(t, value, len(large))
		require.Same(t, &p.Body[at], &value[0], contentType)
	}
}

// No byte in one part's header costs that part, another part, or the message.
func TestFormPartHeaders(t *testing.T) {
	const (
		multi  = "multipart/form-data; boundary=b"
		before = "--b\r\nContent-Disposition: form-data; name=\"first\"\r\n\r\n1\r\n"
		after  = "\r\n--b\r\nContent-Disposition: form-data; name=\"last\"\r\n\r\n2\r\n--b--\r\n"
	)
	read := func(part string) *anymail.Form {
		p := &anymail.Payload{Header: http.Header{"Content-Type": {multi}}, Body: []byte(before + "--b\r\n" + part + after)}
		form, err := p.Form()
		require.NoError(t, err, "%q", part)
		return form
	}
	for header, filename := range map[string]string{
		`Content-Disposition: form-data; name="attachment1"; filename="a "b" c.pdf"`:                          `a "b" c.pdf`,
		`Content-Disposition: form-data; name="attachment1"; filename=my report.pdf`:                          "my report.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename="a.pdf`:                                 "a.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename="a.pdf"; filename="b.pdf"`:              "a.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename=""; filename="b.pdf"`:                   "b.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename="dir/é.pdf"`:                            "é.pdf",
		"Content-Disposition: form-data; name=\"attachment1\"; filename=\"a\x00\xff.pdf\"":                    "a\x00\xff.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename*=utf-8''%C3%A9.pdf`:                     "é.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename="e.pdf"; filename*=iso-8859-1''%E9.pdf`: "é.pdf",
		`Content-Disposition: form-data; name="attachment1"; filename="e.pdf"; filename*=`:                    "e.pdf",
		`Content-Disposition: form-data; name="attachment1; filename="a.pdf"`:                                 "a.pdf",
		`Content-Disposition: form-data; name=attachment1 filename=a.pdf`:                                     "a.pdf",
		`Content-Disposition: form-data; name="attachment1" filename="a.pdf"`:                                 "a.pdf",
		`Content-Disposition: name="attachment1"; filename="a.pdf"`:                                           "a.pdf",
		`Content-Disposition: ; name="attachment1";; filename="a.pdf";`:                                       "a.pdf",
		`Content-Disposition: attachment; name="attachment1"; filename="a.pdf"`:                               "a.pdf",
		`content-disposition : form-data;name="attachment1";filename="a.pdf"`:                                 "a.pdf",
		"Content-Disposition: form-data;\r\n name=\"attachment1\";\r\n\tfilename=\"a\r\n b.pdf\"":             "a b.pdf",
		"Content-Disposition: form-data; name=\"attachment1\";\r\nfilename=\"a.pdf\"":                         "a.pdf",
		"stray line\r\nX-Größe: 1\r\nContent-Disposition: form-data; name=\"attachment1\"; filename=a.pdf":    "a.pdf",
		"Content-Disposition: form-data; name=\"attachment1\"; filename=a.pdf\r\nstray":                       "a.pdf",
	} {
		form := read(header + "\r\nContent-Type: application/pdf\r\n\r\n%PDF")
		require.Equal(t, fields("first", "1", "last", "2"), form.Fields, header)
		require.Equal(t, []anymail.FormFile{{Field: "attachment1", Filename: filename, ContentType: "application/pdf", Content: []byte("%PDF")}}, form.Files, header)
	}

	// Without a file name, a part is a value and keeps its type.
	for header, field := range map[string]string{
		`Content-Disposition: form-data; name="attachment1"; filename=""`: "attachment1",
		`Content-Disposition: form-data; name="attachment1"; filename`:    "attachment1",
		`Content-Disposition: form-data; name="attachment1`:               "attachment1",
		`Content-Disposition: form-data`:                                  "",
		`Content-Disposition: /;=,"`:                                      "",
		"\xff\xfe\x00: x":                                                 "",
	} {
		form := read(header + "\r\nContent-Type: application/pdf\r\n\r\n%PDF")
		require.Equal(t, fields("first", "1", field, "%PDF", "last", "2"), form.Fields, "%q", header)
		require.Equal(t, "application/pdf", form.Type(field, 0), "%q", header)
		require.Empty(t, form.Files, "%q", header)
	}
	form := read("Content-Disposition: form-data; nam=\"attachment1\"; filename=a.pdf\r\n\r\n%PDF")
	require.Equal(t, []anymail.FormFile{{Filename: "a.pdf", Content: []byte("%PDF")}}, form.Files)

	// Headers without a field, or without an end.
	for part, want := range map[string]string{
		"no field at all\r\n\r\nx":    "x",
		": no name\r\n\r\nx":          "x",
		"\r\nx":                       "x",
		"":                            "",
		"\x00\r\nb\r\n\r\nx\r\n\r\ny": "x\r\n\r\ny",
		"no empty line":               "no empty line",
	} {
		require.Equal(t, fields("first", "1", "", want, "last", "2"), read(part).Fields, "%q", part)
	}
}

func TestFormTypes(t *testing.T) {
	part := func(header string) string {
		return "--b\r\nContent-Disposition: form-data; name=a" + header + "\r\n\r\nx\r\n"
	}
	p := &anymail.Payload{Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}},
		Body: []byte(part("") + part("\r\nContent-Type: text/plain; charset=utf-8") + part("") + "--b--")}
	form, err := p.Form()
	require.NoError(t, err)
	require.Len(t, form.Fields["a"], 3)
	require.Equal(t, map[string][]string{"a": {"", "text/plain; charset=utf-8"}}, form.Types)
	require.Equal(t, "text/plain; charset=utf-8", form.Type("a", 1))
	require.Empty(t, form.Type("a", 2))
	require.Empty(t, form.Type("b", 0))
}

// FuzzFormPart compares with how a mail with the same part is read.
func FuzzFormPart(f *testing.F) {
	f.Add(`filename="a "b" c.pdf"`, "X: y", []byte("%PDF"))
	f.Add("filename=my report.pdf; size", "stray\r\nX-\xff: y", []byte("\r\n--a\r\n\r\n"))
	f.Add("filename=\"a.pdf; x=\"y\"", "\tfolded", []byte{})
	f.Fuzz(func(t *testing.T, params, more string, content []byte) {
		header := "Content-Disposition: attachment; name=\"x\"; " + params + "\r\n" + more
		for pos := 0; pos < len(header); {
			line, next := mimefield.LineAt([]byte(header), pos)
			if len(line) == 0 || len(header) > mimefield.MaxBytes {
				return
			}
			pos = next
		}
		switch all := strings.ToLower(header[1:] + string(content)); {
		case strings.Contains(all, "content-"), strings.Contains(all, "--b"), strings.HasSuffix(header, "\r"):
			return // the part ends elsewhere, or the mail decodes its content
		case strings.ContainsAny(params, "*/\\"), strings.Contains(params, "=?"):
			return // the mail decodes file names further
		}
		part := header + "\r\n\r\n" + string(content) + "\r\n--b--"
		p := &anymail.Payload{Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, Body: []byte("--b\r\n" + part)}
		form, err := p.Form()
		require.NoError(t, err)
		m := rawmime.Parse([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"+part), anymail.Limits{})
		require.Len(t, m.Attachments, 1)
		var file anymail.FormFile
		if len(form.Files) == 1 {
			file = form.Files[0]
			require.Equal(t, "x", file.Field)
		} else {
			require.Len(t, form.Fields["x"], 1)
			file.Content = form.Fields["x"][0]
		}
		oneSpace := func(s string) string { return strings.Join(strings.Fields(s), " ") } // folding is undone differently
		require.Equal(t, oneSpace(m.Attachments[0].Filename), oneSpace(inbound.NewAttachment(file.Filename, "", "attachment", "", nil).Filename))
		require.Equal(t, string(m.Attachments[0].Content), string(file.Content))
	})
}

func TestFormFields(t *testing.T) {
	fields := func(contentType, body string) (anymail.Fields, error) {
		p := &anymail.Payload{Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
		return p.FormFields("a", "b c")
	}
	const urlEncoded, multipart = "application/x-www-form-urlencoded; charset=utf-8", "multipart/form-data; boundary=b"
	got, err := fields(urlEncoded, "a=1+%2B&b+c=2&d=%zz&a=3")
	require.NoError(t, err, "a field that is not wanted is not decoded")
	require.Equal(t, anymail.Fields{"a": {[]byte("1 +"), []byte("3")}, "b c": {[]byte("2")}}, got)
	got, err = fields(multipart, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--\r\n")
	require.NoError(t, err)
	require.Equal(t, "1", got.Get("a"))
	for body, want := range map[string]error{
		"a=%zz":                      anymail.ErrMalformed,
		strings.Repeat("a=1&", 2000): anymail.ErrTooLarge,
	} {
		_, err = fields(urlEncoded, body)
		require.ErrorIs(t, err, want)
	}
	_, err = fields("text/plain", "a=1")
	require.ErrorIs(t, err, anymail.ErrUnsupportedMedia)
}

// FuzzForm compares with the standard library, which makes copies, as far as
// that can read a form.
func FuzzForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", []byte("a=1&b=2&a=%26+x;"))
	f.Add("multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=a; filename=x\r\n\r\n1\r\n--b--\r\n"))
	f.Add("multipart/form-data; boundary=b", []byte("--b\n\n --b\n\n1\n--b\r\nA: b\n\n2\n--b--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		p := &anymail.Payload{Header: http.Header{"Content-Type": {contentType}}, Body: body}
		form, err := p.Form()
		if (form == nil) == (err == nil) {
			t.Fatal("must return either a form or an error")
		}
		taken, errTaken := anymail.TakeForm(contentType, bytes.Clone(body))
		require.Empty(t, cmp.Diff(form, taken, cmpopts.EquateEmpty()), "decoded in place")
		require.Equal(t, err, errTaken)
		if errors.Is(err, anymail.ErrTooLarge) || errors.Is(err, anymail.ErrUnsupportedMedia) {
			return
		}
		var want *anymail.Form
		switch media, params, _ := mime.ParseMediaType(contentType); media {
		case "application/x-www-form-urlencoded":
			values, err := url.ParseQuery(string(body))
			if err == nil {
				want = &anymail.Form{Fields: anymail.Fields{}}
			}
			for name, list := range values {
				for _, value := range list {
					if want != nil {
						want.Fields[name] = append(want.Fields[name], []byte(value))
					}
				}
			}
		case "multipart/form-data":
			if want = readMultipart(body, params["boundary"]); want == nil {
				return
			}
			if form != nil {
				form.Types = nil
			}
		}
		if diff := cmp.Diff(want, form, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("form (-want +got):\n%s", diff)
		}
	})
}

// isClosed reports whether the last closing delimiter begins a line and nothing follows
// it there.
func isClosed(body []byte, boundary string) bool {
	closing := []byte("--" + boundary + "--")
	at := bytes.LastIndex(body, closing)
	if boundary == "" || at < 0 || at > 0 && body[at-1] != '\n' {
		return false
	}
	line, _, _ := bytes.Cut(body[at+len(closing):], []byte{'\n'})
	return len(bytes.Trim(line, " \t\r")) == 0
}

// readMultipart returns nil unless the standard library can read the whole form.
func readMultipart(body []byte, boundary string) *anymail.Form {
	form := &anymail.Form{Fields: anymail.Fields{}}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) && isClosed(body, boundary) {
			return form // it says the same of some forms that are cut off
		}
		if err != nil {
			return nil
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil
		}
		if disposition := part.Header.Get("Content-Disposition"); disposition != "" {
			kind, _, err := mime.ParseMediaType(disposition)
			if err != nil || kind != "form-data" || strings.ContainsAny(disposition, `\*`) {
				return nil
			}
		}
		if name := part.FormName(); part.FileName() == "" {
			form.Fields[name] = append(form.Fields[name], content)
		} else {
			form.Files = append(form.Files, anymail.FormFile{Field: name, Filename: part.FileName(), ContentType: part.Header.Get("Content-Type"), Content: content})
		}
	}
}
