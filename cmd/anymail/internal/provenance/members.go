package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound/rawmime"
)

// Member is a single value within a document: a JSON value that has no others
// in it, a field of a form, a header of a message.
type Member struct {
	// Path says where it is: "event-data.tags[0]", or "email › Subject" for
	// what is in a message that a member holds.
	Path  string `json:"path"`
	Value string `json:"value"`

	kind kind
	with func(string) []byte // the document with another text here; nil for a part of a message
}

type kind byte

const (
	text kind = iota
	number
	truth
	null
)

// Bounds of a document, which strangers have written.
const (
	maxMembers = 5000
	maxDepth   = 100
	maxNested  = 4 // JSON in a string, in JSON, ...
)

// Members returns the members of a body in their order. JSON and messages that
// are themselves the value of a member are taken apart.
func Members(contentType string, body []byte) []Member {
	return scan(contentType, body, maxNested).members
}

// scanner collects members.
type scanner struct {
	members []Member
	mails   []Member // whole messages, that members were made of
}

// scan collects the members of a body, with so many levels of what values
// themselves are made of.
func scan(contentType string, body []byte, nested int) *scanner {
	s := new(scanner)
	same := func(b []byte) []byte { return b }
	switch trimmed := bytes.TrimLeft(body, " \t\r\n"); {
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['):
		_ = s.json("", body, same, nested) // what is before an error counts
	case strings.HasPrefix(strings.ToLower(contentType), "multipart/form-data"):
		s.multipart(contentType, body, nested)
	default:
		if media, _, _ := mime.ParseMediaType(contentType); media == "application/x-www-form-urlencoded" {
			s.urlencoded(string(body), nested)
		}
	}
	return s
}

func (s *scanner) add(path, value string, k kind, with func(string) []byte) {
	if len(s.members) < maxMembers {
		s.members = append(s.members, Member{path, value, k, with})
	}
}

// leaf adds a text, or what it consists of.
func (s *scanner) leaf(path, value string, with func(string) []byte, nested int) {
	if nested > 0 {
		if start := strings.TrimLeft(value, " \t\r\n"); start != "" && (start[0] == '{' || start[0] == '[') && json.Valid([]byte(value)) {
			_ = s.json(path, []byte(value), func(b []byte) []byte { return with(string(b)) }, nested-1)
			return
		}
		if raw := mailIn(value); raw != nil {
			s.mail(path, raw)
			return
		}
	}
	s.add(path, value, text, with)
}

var (
	errDepth   = errors.New("too deep")
	headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*:[ \t][^\r\n]*\r?\n`)
	plainName  = regexp.MustCompile(`^[A-Za-z_$@][A-Za-z0-9_$@-]*$`)
)

// json adds the members of a JSON text. What with makes of another text is the
// whole document.
func (s *scanner) json(path string, body []byte, with func([]byte) []byte, nested int) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value func(path string, depth int) error
	value = func(path string, depth int) error {
		if depth > maxDepth {
			return errDepth
		}
		from := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			return err
		}
		to := d.InputOffset()
		for from < to && strings.IndexByte(" \t\r\n,:", body[from]) >= 0 {
			from++
		}
		other := func(literal []byte) []byte {
			return with(slices.Concat(body[:from], literal, body[to:]))
		}
		literal := func(t string) []byte { return other([]byte(t)) }
		switch token := token.(type) {
		case json.Delim:
			for i := 0; d.More(); i++ {
				next := path + "[" + strconv.Itoa(i) + "]"
				if token == '{' {
					name, err := d.Token()
					if err != nil {
						return err
					}
					next = join(path, name.(string)) //nolint:forcetypeassert // what else may be a name
				}
				if err := value(next, depth+1); err != nil {
					return err
				}
			}
			_, err := d.Token()
			return err
		case string:
			s.leaf(path, token, func(t string) []byte { return other(quoted(t)) }, nested)
		case json.Number:
			s.add(path, token.String(), number, literal)
		case bool:
			s.add(path, strconv.FormatBool(token), truth, literal)
		default:
			s.add(path, "null", null, literal)
		}
		return nil
	}
	return value(path, 0)
}

func quoted(t string) []byte {
	b, _ := json.Marshal(t) // a string has a JSON form
	return b
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

// urlencoded adds the fields in the order in which they came.
func (s *scanner) urlencoded(body string, nested int) {
	pairs := strings.Split(body, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		decodedName, errName := url.QueryUnescape(name)
		decoded, err := url.QueryUnescape(value)
		if err != nil || errName != nil || name == "" {
			continue
		}
		s.leaf(decodedName, decoded, func(t string) []byte {
			others := slices.Clone(pairs)
			others[i] = name + "=" + url.QueryEscape(t)
			return []byte(strings.Join(others, "&"))
		}, nested)
	}
}

// multipart adds the parts of a form.
func (s *scanner) multipart(contentType string, body []byte, nested int) {
	_, params, _ := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	if boundary == "" {
		return
	}
	type part struct {
		header  textproto.MIMEHeader
		content []byte
	}
	var parts []part
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for len(parts) < 1000 {
		p, err := r.NextRawPart()
		if err != nil {
			break
		}
		var content bytes.Buffer
		if _, err := content.ReadFrom(p); err != nil {
			break
		}
		parts = append(parts, part{p.Header, content.Bytes()})
	}
	for i, p := range parts {
		_, params, _ := mime.ParseMediaType(p.header.Get("Content-Disposition"))
		name := params["name"]
		if file := params["filename"]; file != "" {
			s.add(name+" › filename", file, text, nil)
			continue
		}
		s.leaf(name, string(p.content), func(t string) []byte {
			var b bytes.Buffer
			w := multipart.NewWriter(&b)
			_ = w.SetBoundary(boundary) // it was one
			for j, q := range parts {
				content := q.content
				if i == j {
					content = []byte(t)
				}
				if dst, err := w.CreatePart(q.header); err == nil {
					_, _ = dst.Write(content) // a buffer takes everything
				}
			}
			_ = w.Close()
			return b.Bytes()
		}, nested)
	}
}

// mailIn returns the message that a text is, as it is or in base64, or nil.
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

// mail adds what a message has: its headers, texts and attachments.
func (s *scanner) mail(path string, raw []byte) {
	s.mails = append(s.mails, Member{Path: path, Value: string(raw)})
	m := rawmime.Parse(raw, anymail.Limits{})
	add := func(name, value string) {
		if value != "" {
			s.add(path+" › "+name, value, text, nil)
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
