package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"strings"
	"text/template"
	"time"

	"github.com/goanymail/anymail"
)

// Request is what an ESP posts.
type Request struct {
	Endpoint string // the path of the adapter's endpoint
	// URL is the whole URL that the request is posted to. Set it before Sign
	// is called, because some ESPs sign it.
	URL    string
	Method string // POST if empty
	Header http.Header
	Body   []byte
}

// HTTP returns r as a request to its URL.
func (r Request) HTTP() (*http.Request, error) {
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	return req, nil
}

// Payload returns r as verifiers and parsers of an ESP's adapter receive it.
func (r Request) Payload(esp string) *anymail.Payload {
	return &anymail.Payload{
		ESP: esp, Name: esp, Endpoint: r.Endpoint, URL: r.URL,
		Header: r.Header, Body: r.Body, ReceivedAt: time.Now(),
	}
}

// EndpointURL returns the URL, below base, of an endpoint of the adapter that is
// registered under name.
func EndpointURL(base, name, endpoint string) (string, error) {
	u, err := url.JoinPath(base, name, endpoint, "/")
	if err != nil {
		return "", fmt.Errorf("simulator: base URL: %w", err)
	}
	return u, nil
}

// SetSecret sets the shared secret of a request, a "user:password".
func SetSecret(r *Request, secret string) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	user, password, _ := strings.Cut(secret, ":")
	req := http.Request{Header: r.Header}
	req.SetBasicAuth(user, password)
}

// JSON makes a request with a JSON body.
func JSON(endpoint string, body []byte) Request {
	return Request{
		Endpoint: endpoint,
		Header:   http.Header{"Content-Type": {"application/json"}},
		Body:     body,
	}
}

// MustJSON returns the JSON form of a value that samples are made of. It panics
// if the value has none.
func MustJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // ESPs write <, > and & as they are
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("simulator: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Template returns a Make function that executes a text/template from a file
// with [Params] and makes a JSON request of the result. In the template, the
// function json writes a value as JSON.
func Template(files fs.FS, file, endpoint string) func(Params) Request {
	t := template.Must(template.New(path.Base(file)).Funcs(template.FuncMap{"json": toJSON}).ParseFS(files, file))
	return func(p Params) Request {
		var b bytes.Buffer
		if err := t.Execute(&b, p); err != nil {
			panic(fmt.Sprintf("simulator: sample %s: %v", file, err)) // a mistake in the sample itself
		}
		return JSON(endpoint, bytes.TrimSpace(b.Bytes()))
	}
}

func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// URLEncoded makes a request with an application/x-www-form-urlencoded body.
func URLEncoded(endpoint string, values url.Values) Request {
	return Request{
		Endpoint: endpoint,
		Header:   http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body:     []byte(values.Encode()),
	}
}

// Field is a part of a multipart form. A field with a Filename is a file.
type Field struct {
	Name, Value string
	Filename    string
	ContentType string
}

// Multipart makes a request with a multipart/form-data body.
func Multipart(endpoint string, fields ...Field) Request {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf("form-data; name=%q", f.Name)
		if f.Filename != "" {
			disposition += fmt.Sprintf("; filename=%q", f.Filename)
		}
		h.Set("Content-Disposition", disposition)
		if f.ContentType != "" {
			h.Set("Content-Type", f.ContentType)
		}
		part, _ := w.CreatePart(h) // a bytes.Buffer never fails
		_, _ = part.Write([]byte(f.Value))
	}
	_ = w.Close()
	return Request{
		Endpoint: endpoint,
		Header:   http.Header{"Content-Type": {w.FormDataContentType()}},
		Body:     b.Bytes(),
	}
}

// JoinArrays is a Batch for ESPs that post a JSON array of events. It joins the
// arrays, or single objects, of the requests.
func JoinArrays(requests []Request) (Request, error) {
	if len(requests) == 0 {
		return Request{}, errors.New("simulator: no requests to join")
	}
	joined := requests[0]
	joined.Header = joined.Header.Clone()
	var elements [][]byte
	for _, r := range requests {
		body := bytes.TrimSpace(r.Body)
		if bytes.HasPrefix(body, []byte("[")) {
			body = bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimPrefix(body, []byte("[")), []byte("]")))
		}
		if len(body) > 0 {
			elements = append(elements, body)
		}
	}
	joined.Body = append(append([]byte("["), bytes.Join(elements, []byte(","))...), ']')
	return joined, nil
}
