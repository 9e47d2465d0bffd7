package capture

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// har is the part of an HTTP Archive that contains requests.
// Source: http://www.softwareishard.com/blog/har-12-spec/
type har struct {
	Log *struct {
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harEntry struct {
	Started string     `json:"startedDateTime"`
	Request harRequest `json:"request"`
}

type harRequest struct {
	Method   string    `json:"method"`
	URL      string    `json:"url"`
	Headers  []harPair `json:"headers"`
	BodySize *int      `json:"bodySize"`
	PostData *struct {
		MimeType string    `json:"mimeType"`
		Text     string    `json:"text"`
		Encoding string    `json:"encoding"` // not in the specification, but in files
		Params   []harPair `json:"params"`
	} `json:"postData"`
}

type harPair struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	FileName    string `json:"fileName"`
	ContentType string `json:"contentType"`
}

func parseHAR(b []byte) (*har, bool) {
	h := new(har)
	if json.Unmarshal(b, h) != nil {
		return nil, false
	}
	return h, h.Log != nil && h.Log.Entries != nil
}

// request returns an entry, as [choose] does.
func (h *har) request(entry int) (*Request, error) {
	return choose(h.Log.Entries, entry, func(e harEntry) string { return e.Request.Method }, func(e harEntry) (*Request, error) {
		r, err := e.Request.read()
		if err == nil {
			r.At, _ = time.Parse(time.RFC3339, e.Started)
		}
		return r, err
	})
}

// choose reads an entry of a capture of several requests, counted from 1, or the
// first POST.
func choose[E any](entries []E, entry int, method func(E) string, read func(E) (*Request, error)) (*Request, error) {
	if entry < 0 || entry > len(entries) {
		return nil, fmt.Errorf("no entry %d in this capture, which has %d", entry, len(entries))
	}
	for i, e := range entries {
		if entry == i+1 || (entry == 0 && strings.EqualFold(method(e), http.MethodPost)) {
			r, err := read(e)
			if err == nil && len(entries) > 1 {
				r.note("entry %d of %d", i+1, len(entries))
			}
			return r, err
		}
	}
	return nil, fmt.Errorf("no POST among the %d entries of this capture", len(entries))
}

func (h *harRequest) read() (*Request, error) {
	r := &Request{Form: "HAR", Method: h.Method, URL: h.URL, Header: http.Header{}}
	if len(h.Headers) > maxHeaders {
		return nil, fmt.Errorf("more than %d header fields", maxHeaders)
	}
	for _, pair := range h.Headers {
		if pair.Name != "" && !strings.HasPrefix(pair.Name, ":") {
			r.Header.Add(pair.Name, pair.Value)
		}
	}
	if h.PostData == nil {
		return r, nil
	}
	if r.Header.Get("Content-Type") == "" && h.PostData.MimeType != "" {
		r.Header.Set("Content-Type", h.PostData.MimeType)
	}
	switch {
	case h.PostData.Text == "" && len(h.PostData.Params) > 0:
		return r, r.form(h.PostData.Params)
	case h.PostData.Encoding == "base64":
		body, err := base64.StdEncoding.DecodeString(h.PostData.Text)
		if err != nil {
			return nil, errors.New("the body in this HAR is not base64, though the HAR says so")
		}
		r.Body = body
	default:
		r.Body = []byte(h.PostData.Text)
	}
	if h.BodySize != nil && *h.BodySize > 0 && *h.BodySize != len(r.Body) && r.Header.Get("Content-Encoding") == "" {
		r.changed("the body had %d bytes, but was captured with %d", *h.BodySize, len(r.Body))
	}
	return r, nil
}

// form composes the body from its fields.
func (r *Request) form(fields []harPair) error {
	r.changed("the body was composed from its fields: a signature over its bytes cannot match")
	if !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "multipart/") {
		var parts []string
		for _, f := range fields {
			parts = append(parts, url.QueryEscape(f.Name)+"="+url.QueryEscape(f.Value))
		}
		r.Body = []byte(strings.Join(parts, "&"))
		return nil
	}
	return r.multipart(fields)
}

// boundary separates the parts of composed bodies.
const boundary = "----anymail-inspect-b4fd8c1e7a3f"

func (r *Request) multipart(fields []harPair) error {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		return err
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A")
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		disposition := `form-data; name="` + quote.Replace(f.Name) + `"`
		if f.FileName != "" {
			disposition += `; filename="` + quote.Replace(f.FileName) + `"`
		}
		h.Set("Content-Disposition", disposition)
		if f.ContentType != "" && !strings.ContainsAny(f.ContentType, "\r\n") {
			h.Set("Content-Type", f.ContentType)
		}
		part, err := w.CreatePart(h)
		if err != nil {
			return err
		}
		if _, err := part.Write([]byte(f.Value)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	r.Body = b.Bytes()
	r.Header.Set("Content-Type", w.FormDataContentType())
	return nil
}
