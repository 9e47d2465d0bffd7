package anymail

import (
	"bytes"
	"fmt"
	"mime"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goanymail/anymail/internal/mimefield"
)

// Form is a decoded form body. It holds the bytes as they arrived, which need not
// be UTF-8. They may be parts of the body and must not be changed.
type Form struct {
	Fields Fields
	// Files are the multipart parts that have a file name, in order.
	Files []FormFile
	// Types are the content types of the values in Fields, as sent, under the same
	// names and in the same order. The list of a name ends after the last value
	// that has one.
	Types map[string][]string
}

// Fields are the fields of a form by name. The values of a field keep their order.
type Fields map[string][][]byte

// Has reports whether there is a field of that name.
func (f Fields) Has(name string) bool { return len(f[name]) > 0 }

// Bytes returns the first value of a field, or nil.
func (f Fields) Bytes(name string) []byte {
	if values := f[name]; len(values) > 0 {
		return values[0]
	}
	return nil
}

// Get returns the first value of a field as a string, or "".
func (f Fields) Get(name string) string { return string(f.Bytes(name)) }

// All returns the values of a field as strings.
func (f Fields) All(name string) []string {
	var all []string
	for _, value := range f[name] {
		all = append(all, string(value))
	}
	return all
}

// Type returns the content type of a value of Fields, as sent, or "".
func (f *Form) Type(field string, i int) string {
	if types := f.Types[field]; i < len(types) {
		return types[i]
	}
	return ""
}

// FormFile is an uploaded file.
type FormFile struct {
	Field       string // the name of the form field; empty if it is unreadable
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
// multipart/form-data, as the Content-Type says. The first call decodes, later
// calls return the same. It returns [ErrUnsupportedMedia] if the type is another,
// [ErrMalformed] if the body cannot be decoded, and [ErrTooLarge] if it exceeds
// Limits. It is not safe for concurrent use.
func (p *Payload) Form() (*Form, error) {
	if p.form == nil && p.formErr == nil {
		p.form, p.formErr = parseForm(p.Header.Get("Content-Type"), p.Body, p.Limits, formOptions{})
	}
	return p.form, p.formErr
}

// FormFields returns some fields of the form. It is for a Verifier that needs only
// these: it does not decode the values of the others.
func (p *Payload) FormFields(names ...string) (Fields, error) {
	if p.form == nil && p.formErr == nil && p.MediaType() == mediaURLEncoded {
		form, err := parseForm(p.Header.Get("Content-Type"), p.Body, p.Limits, formOptions{only: names})
		if err != nil {
			return nil, err
		}
		return form.Fields, nil
	}
	form, err := p.Form()
	if err != nil {
		return nil, err
	}
	return form.Fields, nil
}

// formOptions are for forms that are URL-encoded. Others are not copied anyway.
type formOptions struct {
	inPlace bool     // decode in the memory of the body
	only    []string // leave out other fields, unless it is nil
}

const (
	mediaURLEncoded = "application/x-www-form-urlencoded"
	mediaMultipart  = "multipart/form-data"
)

func parseForm(contentType string, body []byte, limits Limits, options formOptions) (*Form, error) {
	limits = limits.OrDefaults()
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, Because(ErrUnsupportedMedia, "unreadable content type", err)
	}
	switch media {
	case mediaURLEncoded:
		if bytes.Count(body, []byte{'&'}) >= limits.FormFields {
			return nil, Because(ErrTooLarge, "too many form fields", fmt.Errorf("the limit is %d", limits.FormFields))
		}
		return parseURLEncoded(body, options)
	case mediaMultipart:
		return parseMultipart(params["boundary"], body, limits)
	}
	return nil, Because(ErrUnsupportedMedia, "neither an urlencoded nor a multipart form", nil)
}

// parseURLEncoded reads what [url.ParseQuery] does, but copies a value only if
// something in it is escaped.
func parseURLEncoded(body []byte, options formOptions) (*Form, error) {
	form := &Form{Fields: Fields{}}
	for pair := range bytes.SplitSeq(body, []byte{'&'}) {
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte{'='})
		semicolon := bytes.IndexByte(pair, ';') >= 0
		key, ok := unescape(name, options.inPlace)
		if !ok || semicolon {
			return nil, Malformed("form encoding", nil)
		}
		if options.only != nil && !slices.Contains(options.only, string(key)) {
			continue
		}
		text, ok := unescape(value, options.inPlace)
		if !ok {
			return nil, Malformed("form encoding", nil)
		}
		form.Fields[string(key)] = append(form.Fields[string(key)], text)
	}
	return form, nil
}

// unescape undoes the encoding of a name or value, which never makes it longer. It
// copies what lies between escapes at once: it reads as much as a request has.
func unescape(s []byte, inPlace bool) ([]byte, bool) {
	escapes := bytes.Count(s, []byte{'%'})
	if escapes == 0 && bytes.IndexByte(s, '+') < 0 {
		return s[:len(s):len(s)], true
	}
	if len(s) < 3*escapes {
		return nil, false
	}
	text := s[:0:len(s)]
	if !inPlace {
		text = make([]byte, 0, len(s)-2*escapes)
	}
	plus := indexFrom(s, '+', 0)
	for at := 0; ; {
		escape := indexFrom(s, '%', at)
		for plus < escape {
			text = append(append(text, s[at:plus]...), ' ')
			at = plus + 1
			plus = indexFrom(s, '+', at)
		}
		text = append(text, s[at:escape]...)
		if escape == len(s) {
			return text, true
		}
		c, ok := mimefield.HexByte(s[escape+1:])
		if !ok {
			return nil, false
		}
		text, at = append(text, c), escape+3
	}
}

// indexFrom returns the position of the first c at from or after it, or the end.
func indexFrom(s []byte, c byte, from int) int {
	if i := bytes.IndexByte(s[from:], c); i >= 0 {
		return from + i
	}
	return len(s)
}

// parseMultipart reads what [mime/multipart] does, but without copies, and it
// reads the header of a part as leniently as that of a part of a mail: what is
// unreadable in one part costs neither it nor another.
func parseMultipart(boundary string, body []byte, limits Limits) (*Form, error) {
	if boundary == "" {
		return nil, Malformed("multipart form without a boundary", nil)
	}
	form := &Form{Fields: Fields{}}
	if len(bytes.TrimSpace(body)) == 0 {
		return form, nil
	}
	s := newPartSplitter(boundary, body)
	for n := 0; ; n++ {
		part, ok := s.next()
		switch {
		case !ok && s.closed:
			return form, nil
		case !ok:
			return nil, Malformed("multipart form", nil)
		case n >= limits.FormFields:
			return nil, Because(ErrTooLarge, "too many form parts", fmt.Errorf("the limit is %d", limits.FormFields))
		}
		form.add(readPart(part))
	}
}

// add adds a part to the files or, if it has no file name, to the fields.
func (f *Form) add(part FormFile) {
	if part.Filename != "" {
		f.Files = append(f.Files, part)
		return
	}
	if part.ContentType != "" {
		if f.Types == nil {
			f.Types = map[string][]string{}
		}
		types := f.Types[part.Field]
		for len(types) < len(f.Fields[part.Field]) {
			types = append(types, "")
		}
		f.Types[part.Field] = append(types, part.ContentType)
	}
	f.Fields[part.Field] = append(f.Fields[part.Field], part.Content)
}

// readPart reads the header of a part. Its content is a slice of the part, with
// no capacity beyond its length.
func readPart(part []byte) FormFile {
	var disposition, contentType []byte
	start := mimefield.ScanHeader(part, func([]byte) bool { return false }, func(name, value []byte) {
		switch {
		case disposition == nil && bytes.EqualFold(name, []byte("Content-Disposition")):
			disposition = value
		case contentType == nil && bytes.EqualFold(name, []byte("Content-Type")):
			contentType = value
		}
	})
	if start == 0 {
		start = afterUnreadableHeader(part)
	}
	content := part[start:]
	_, params := mimefield.ParseParams(unfold(disposition), decodeFilename)
	file := FormFile{
		Field:       params["name"],
		Filename:    params["filename"],
		ContentType: unfold(contentType),
		Content:     content[:len(content):len(content)],
	}
	if file.Filename != "" {
		file.Filename = filepath.Base(file.Filename)
	}
	return file
}

// afterUnreadableHeader returns the position after the empty line that follows a
// few lines that are not fields, or 0.
func afterUnreadableHeader(part []byte) int {
	pos := 0
	for n := 0; n < 4 && pos < len(part); n++ {
		line, next := mimefield.LineAt(part, pos)
		if pos = next; len(line) == 0 {
			return pos
		}
	}
	return 0
}

// unfold returns the value of a field on one line, as sent otherwise.
func unfold(value []byte) string {
	value = bytes.TrimSpace(value[:min(len(value), mimefield.MaxBytes)])
	if bytes.IndexByte(value, '\n') < 0 {
		return string(value)
	}
	lines := bytes.Split(value, []byte{'\n'})
	for i, line := range lines {
		lines[i] = bytes.TrimSpace(line)
	}
	return string(bytes.Join(lines, []byte{' '}))
}

// decodeFilename decodes an encoded parameter (RFC 2231) in UTF-8 or Latin-1. In
// another charset it stays as sent.
func decodeFilename(value []byte, charset string) string {
	if !strings.EqualFold(charset, "iso-8859-1") || utf8.Valid(value) {
		return string(value)
	}
	var b strings.Builder
	for _, c := range value {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// partSplitter cuts a multipart body at its delimiters. A delimiter follows the
// kind of line end that the first one has, so that content with the other kind
// is not cut.
type partSplitter struct {
	left      []byte // the rest of the body; at the start of a part after the first delimiter
	dashes    []byte // the delimiter
	delimiter []byte // with the line end before it
	started   bool
	closed    bool // the last delimiter was the closing one
}

func newPartSplitter(boundary string, body []byte) *partSplitter {
	return &partSplitter{left: body, dashes: []byte("--" + boundary), delimiter: []byte("\r\n--" + boundary)}
}

// next returns the next part, with its header. It returns false if there are no
// more: the multipart is closed or cut off.
func (s *partSplitter) next() ([]byte, bool) {
	if !s.started && !s.skipPreamble() || s.closed {
		return nil, false
	}
	if n, closing := delimiterLine(s.left, s.dashes); n > 0 {
		s.left, s.closed = s.left[n:], closing
		return nil, true // a part without a header
	}
	for at := 0; ; at += len(s.delimiter) {
		i := bytes.Index(s.left[at:], s.delimiter)
		if i < 0 {
			return nil, false
		}
		at += i
		if n, closing := delimiterLine(s.left[at:], s.delimiter); n > 0 {
			part := s.left[:at]
			s.left, s.closed = s.left[at+n:], closing
			return part, true
		}
	}
}

// skipPreamble skips what precedes the first part.
func (s *partSplitter) skipPreamble() bool {
	s.started = true
	for len(s.left) > 0 {
		if n, closing := delimiterLine(s.left, s.dashes); n > 0 {
			if !closing && !bytes.HasSuffix(s.left[:n], []byte("\r\n")) {
				s.delimiter = append([]byte{'\n'}, s.dashes...)
			}
			s.left, s.closed = s.left[n:], closing
			return true
		}
		_, next := mimefield.LineAt(s.left, 0)
		s.left = s.left[next:]
	}
	return false
}

// delimiterLine returns the length of the delimiter line that b starts with, with
// its line end, or 0. White space may follow a delimiter. Some programs add
// punctuation to the closing one, whose line need not end.
func delimiterLine(b, delimiter []byte) (n int, closing bool) {
	rest, ok := bytes.CutPrefix(b, delimiter)
	if !ok {
		return 0, false
	}
	line, next := mimefield.LineAt(rest, 0)
	if after, dashes := bytes.CutPrefix(line, []byte("--")); dashes && len(bytes.Trim(after, " \t<>!.,;:'\"*")) == 0 {
		return len(delimiter) + next, true
	}
	if len(bytes.Trim(line, " \t")) > 0 || next == len(line) {
		return 0, false
	}
	return len(delimiter) + next, false
}
