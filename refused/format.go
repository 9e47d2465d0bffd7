package refused

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/goanymail/anymail"
)

// Refusal is the first line of a file, behind [Mark]: what the server found. The
// request follows as HTTP text, with the absolute URL that the server assumed and
// no query.
type Refusal struct {
	At             time.Time     `json:"received"`
	ESP            string        `json:"esp"`
	Name           string        `json:"name"` // under which the adapter is registered
	Endpoint       string        `json:"endpoint"`
	Status         int           `json:"status"` // of the answer
	Reason         string        `json:"reason"`
	Error          string        `json:"error"`
	Remote         netip.Addr    `json:"remote,omitzero"`
	IgnoredHeaders []string      `json:"ignored_headers,omitempty"` // see [anymail.Rejection]
	Removed        []string      `json:"removed,omitempty"`         // headers that the request had
	Body           BodyCondition `json:"body"`
}

// BodyCondition says whether a file has the body of its request.
type BodyCondition string

// The conditions of a body.
const (
	BodyKept     BodyCondition = "kept"
	BodyNotRead  BodyCondition = "not read"  // the request was refused before
	BodyTooLarge BodyCondition = "too large" // for Options.BodyBytes
)

// Mark is how a file begins.
const Mark = "#anymail-refused "

// Parse splits a file into its first line and the request. It reports whether b is
// such a file.
func Parse(b []byte) (r Refusal, request []byte, ok bool) {
	line, request, _ := bytes.Cut(b, []byte("\n"))
	text, ok := bytes.CutPrefix(line, []byte(Mark))
	if !ok || json.Unmarshal(text, &r) != nil {
		return Refusal{}, nil, false
	}
	return r, request, true
}

// maxError is the largest error text in a file, in bytes.
const maxError = 1 << 10

// compose makes the file of a request. Its body is the request's own.
func (d *Dir) compose(r anymail.Rejection) file {
	var err *anymail.RequestError
	if !errors.As(r.Err, &err) { // it always is one
		err = &anymail.RequestError{Err: r.Err}
	}
	refusal := Refusal{
		At: r.Received.At.UTC(), ESP: err.ESP, Name: err.Name, Endpoint: err.Endpoint,
		Status: r.Status, Reason: string(err.Reason), Error: clip(err.Err.Error()),
		Remote: r.RemoteAddr, IgnoredHeaders: r.IgnoredHeaders, Removed: r.Received.Removed,
	}
	f := file{at: refusal.At, suffix: "-" + slug(err.ESP+" "+err.Endpoint+" "+string(err.Reason)) + ".http"}
	without := map[string]bool{"Content-Length": true}
	switch body := r.Received.Body; {
	case body == nil:
		refusal.Body = BodyNotRead
	case int64(len(body)) > d.options.BodyBytes:
		refusal.Body = BodyTooLarge
	default:
		refusal.Body, f.body = BodyKept, body
		without["Content-Encoding"] = true // it was decompressed
	}
	line, jsonErr := json.Marshal(refusal)
	if jsonErr != nil { // there is nothing in it that JSON lacks
		line = []byte("{}")
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s%s\n%s %s HTTP/1.1\r\n", Mark, line, r.Received.Method, plainURL(r.URL))
	_ = r.Received.Header.WriteSubset(&head, without) // a Buffer never fails
	if refusal.Body == BodyKept {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(f.body))
	}
	head.WriteString("\r\n")
	f.head = head.Bytes()
	return f
}

// slug returns text in a form that a file name can have.
func slug(text string) string {
	const most = 80
	text = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' {
			return r
		}
		return ' '
	}, strings.ToLower(text))
	text = strings.Join(strings.Fields(text), "-")
	return strings.TrimRight(text[:min(len(text), most)], "-")
}

// plainURL returns a URL without user, query and fragment, as one word.
func plainURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "/" // a host that no client of an ESP sends
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

func clip(text string) string {
	if len(text) <= maxError {
		return text
	}
	return strings.ToValidUTF8(text[:maxError], "") + "..."
}
