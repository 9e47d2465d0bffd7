package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
)

// Member is a single value of a document: a JSON value other than an object, an
// array or null, a field of a form, a header of a message.
type Member struct {
	// Path is where it is: "event-data.tags[0]", or "email › Subject" for a
	// header of a message that a member holds.
	Path  string `json:"path"`
	Value string `json:"value"`

	text bool // not a number or truth value
}

// Bounds of a document, which is untrusted.
const (
	maxMembers = 5000
	maxDepth   = 100
	maxNested  = 4 // JSON in a string, in JSON, ...
)

// inMail separates the path of a message from the name of its part.
const inMail = " › "

// Members returns the members of a body in order. JSON and messages that are
// themselves the value of a member are split into their members.
func Members(contentType string, body []byte) []Member {
	var s scanner
	media, params, _ := mime.ParseMediaType(contentType)
	switch trimmed := bytes.TrimLeft(body, " \t\r\n"); {
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['):
		s.json("", body, maxNested)
	case media == "multipart/form-data" && params["boundary"] != "":
		s.multipart(body, params["boundary"])
	case media == "application/x-www-form-urlencoded":
		s.urlencoded(string(body))
	}
	return s.members
}

// flatten returns the members of a JSON text, and splits no value.
func flatten(text []byte) []Member {
	var s scanner
	s.json("", text, 0)
	return s.members
}

// scanner collects members.
type scanner struct{ members []Member }

func (s *scanner) add(path, value string, text bool) {
	if len(s.members) < maxMembers {
		s.members = append(s.members, Member{path, value, text})
	}
}

// text adds a text, or its members: nested is how deep texts are split.
func (s *scanner) text(path, value string, nested int) {
	if nested > 0 {
		if start := strings.TrimLeft(value, " \t\r\n"); start != "" && (start[0] == '{' || start[0] == '[') && json.Valid([]byte(value)) {
			s.json(path, []byte(value), nested-1)
			return
		}
		if raw := mailIn(value); raw != nil {
			s.mail(path, raw)
			return
		}
	}
	s.add(path, value, true)
}

var (
	errDepth   = errors.New("too deep")
	headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*:[ \t][^\r\n]*\r?\n`)
	plainName  = regexp.MustCompile(`^[A-Za-z_$@][A-Za-z0-9_$@-]*$`)
)

// json adds the members of a JSON text, up to its first error.
func (s *scanner) json(path string, text []byte, nested int) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = s.value(d, path, 0, nested)
}

func (s *scanner) value(d *json.Decoder, path string, depth, nested int) error {
	if depth > maxDepth {
		return errDepth
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case json.Delim:
		for i := 0; d.More(); i++ {
			next := path + "[" + strconv.Itoa(i) + "]"
			if token == '{' {
				name, err := d.Token()
				if err != nil {
					return err
				}
				next = join(path, name.(string)) //nolint:forcetypeassert // a name is a string
			}
			if err := s.value(d, next, depth+1, nested); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case string:
		s.text(path, token, nested)
	case json.Number:
		s.add(path, token.String(), false)
	case bool:
		s.add(path, strconv.FormatBool(token), false)
	}
	return err
}

func join(path, name string) string {
	switch {
	case !plainName.MatchString(name):
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// urlencoded adds the fields of a form in the order of the body.
func (s *scanner) urlencoded(body string) {
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName == nil && errValue == nil && name != "" {
			s.text(name, value, maxNested)
		}
	}
}

// multipart adds the fields of a form, and the names of its files.
func (s *scanner) multipart(body []byte, boundary string) {
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for range 1000 {
		p, err := r.NextRawPart()
		if err != nil {
			return
		}
		if p.FileName() != "" {
			s.add(p.FormName()+inMail+"filename", p.FileName(), true)
			continue
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return
		}
		s.text(p.FormName(), string(content), maxNested)
	}
}

// mailIn returns the message that a text is, possibly in base64, or nil.
func mailIn(value string) []byte {
	const least = 64
	if len(value) < least {
		return nil
	}
	raw := []byte(value)
	if !headerLine.MatchString(value) {
		if strings.ContainsAny(value[:least], " :<{") {
			return nil
		}
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
		if err != nil || !headerLine.Match(decoded) {
			return nil
		}
		raw = decoded
	}
	if !bytes.Contains(raw, []byte("\n\n")) && !bytes.Contains(raw, []byte("\r\n\r\n")) {
		return nil
	}
	return raw
}

// mail adds the headers, texts and attachments of a message.
func (s *scanner) mail(path string, raw []byte) {
	m := rawmime.Parse(raw, anymail.Limits{})
	add := func(name, value string) {
		if value != "" {
			s.add(path+inMail+name, value, true)
		}
	}
	for _, h := range m.Headers {
		add(h.Name, h.Value)
	}
	add("text", m.Text)
	add("html", m.HTML)
	for i, a := range m.Attachments {
		part := "attachment " + strconv.Itoa(i+1)
		add(part+" filename", a.Filename)
		add(part+" content type", a.ContentType)
		add(part+" disposition", a.Disposition)
		add(part+" content id", a.ContentID)
		add(part+" size", strconv.FormatInt(a.Size, 10))
	}
}
