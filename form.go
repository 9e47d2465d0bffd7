package anymail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
)

// Form is a decoded form body. Values are the bytes as they came, which need
// not be UTF-8.
type Form struct {
	// Values are the fields; those of a name keep their order.
	Values url.Values
	// Files are the multipart parts that have a file name, in order.
	Files []FormFile
}

// FormFile is an uploaded file.
type FormFile struct {
	Field       string // the name of the form field
	Filename    string // as sent, without its directory
	ContentType string // as sent, with its parameters
	Content     []byte
}

// File returns the first file of a field.
func (f *Form) File(field string) (FormFile, bool) {
	for _, file := range f.Files {
		if file.Field == field {
			return file, true
		}
	}
	return FormFile{}, false
}

// Form decodes the body as application/x-www-form-urlencoded or
// multipart/form-data, whichever the Content-Type says, once. It returns an
// error that is [ErrUnsupportedMedia] for another type, [ErrMalformed] for what
// cannot be decoded and [ErrTooLarge] where Limits are exceeded. It is not safe
// for concurrent use.
func (p *Payload) Form() (*Form, error) {
	if p.form == nil && p.formErr == nil {
		p.form, p.formErr = parseForm(p.Header.Get("Content-Type"), p.Body, p.Limits)
	}
	return p.form, p.formErr
}

const (
	mediaURLEncoded = "application/x-www-form-urlencoded"
	mediaMultipart  = "multipart/form-data"
)

func isForm(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == mediaURLEncoded || media == mediaMultipart
}

func parseForm(contentType string, body []byte, limits Limits) (*Form, error) {
	limits = limits.withDefaults()
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, Because(ErrUnsupportedMedia, "unreadable content type", err)
	}
	switch media {
	case mediaURLEncoded:
		if bytes.Count(body, []byte{'&'}) >= limits.FormFields {
			return nil, Because(ErrTooLarge, fmt.Sprintf("more than %d form fields", limits.FormFields), nil)
		}
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, Malformed("form encoding", nil) // the cause would quote the payload
		}
		return &Form{Values: values}, nil
	case mediaMultipart:
		return parseMultipart(params["boundary"], body, limits)
	}
	return nil, Because(ErrUnsupportedMedia, "neither an urlencoded nor a multipart form", nil)
}

func parseMultipart(boundary string, body []byte, limits Limits) (*Form, error) {
	if boundary == "" {
		return nil, Malformed("multipart form without a boundary", nil)
	}
	form := &Form{Values: url.Values{}}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	// All contents together are no longer than the body: one allocation.
	arena := make([]byte, 0, len(body))
	for n := 0; ; n++ {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, Malformed("multipart form", nil) // the cause would quote the payload
		}
		if n >= limits.FormFields {
			return nil, Because(ErrTooLarge, fmt.Sprintf("more than %d form parts", limits.FormFields), nil)
		}
		start := len(arena)
		for {
			n, err := part.Read(arena[len(arena):cap(arena)])
			arena = arena[:len(arena)+n]
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || n == 0 {
				return nil, Malformed("multipart form part", nil)
			}
		}
		content := arena[start:len(arena):len(arena)]
		if part.FileName() == "" {
			form.Values.Add(part.FormName(), string(content))
			continue
		}
		form.Files = append(form.Files, FormFile{
			Field:       part.FormName(),
			Filename:    part.FileName(),
			ContentType: part.Header.Get("Content-Type"),
			Content:     content,
		})
	}
}
