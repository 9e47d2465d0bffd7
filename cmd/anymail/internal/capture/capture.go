// Package capture reads one captured HTTP request: as HTTP text, as a curl
// command, in a HAR file, as an event of AWS Lambda, as the agent of ngrok or
// webhook.site tells it, or in a file of package refused.
//
// Captures have gone through editors, terminals and tickets. Read repairs what it
// can and reports it in Notes: a signature that does not match may be the
// capture's fault. Input is untrusted: it is bounded, nothing of it is executed,
// and a file that it names is read only if the caller provides the files.
package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goanymail/anymail/refused"
)

// MaxBytes is the maximum size of a capture: that of the largest bodies that ESPs
// post, in base64.
const MaxBytes = 128 << 20

// maxHeaders is the maximum number of header fields.
const maxHeaders = 1000

// Request is a captured request.
type Request struct {
	// Form is the form of the capture: "HTTP", "curl", "HAR", "Lambda", "ngrok",
	// "webhook.site", "refused", "message" or "body".
	Form   string
	Method string // upper case, never empty
	// URL is the called URL: absolute if the host is known.
	URL    string
	Header http.Header // never nil
	// Body is the sent body, without chunks.
	Body []byte
	// At is when the request was sent, if the capture tells.
	At time.Time
	// Changed is true if the body is known to differ from the one that was sent.
	Changed bool
	// Found is what the server found that refused the request, if it wrote the
	// capture.
	Found *refused.Refusal
	// Notes tell people what was guessed or repaired. They contain nothing of the
	// request.
	Notes []string
}

// Options are how to read a capture.
type Options struct {
	// Entry is the number of an entry of a HAR file, or of a list by ngrok or
	// webhook.site, from 1; 0 is the first POST.
	Entry int
	// Files are the files that a curl command may refer to; nil for none.
	Files fs.FS
}

// Errors for [errors.Is].
var (
	ErrUnknown = errors.New("neither an HTTP request nor a curl command nor HAR")
	ErrTooLong = fmt.Errorf("longer than %d MiB", MaxBytes>>20)
)

// Read reads a capture of any form. Any other JSON alone is a body. Errors contain nothing
// of the capture.
func Read(b []byte, o Options) (*Request, error) {
	if len(b) > MaxBytes {
		return nil, ErrTooLong
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // a byte order mark, of Windows
	if found, request, ok := refused.Parse(b); ok {
		return finish(readRefused(found, request))
	}
	start := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(start) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrUnknown)
	case isCurl(start):
		return finish(readCurl(start, o.Files))
	case start[0] == '{' || start[0] == '[':
		if har, ok := parseHAR(start); ok {
			return finish(har.request(o.Entry))
		}
		if r, ok, err := parseJSON(start, o.Entry); ok {
			return finish(r, err)
		}
		return finish(&Request{
			Form:   "body",
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   b,
			Notes:  []string{"there is nothing but a body: without headers it may lack signatures and secrets"},
		}, nil)
	}
	return finish(readHTTP(start))
}

// Message returns a message, such as the content of an .eml file, as a mail server posts
// it that has the adapter for raw mail.
func Message(b []byte) (*Request, error) {
	if len(b) > MaxBytes {
		return nil, ErrTooLong
	}
	return finish(&Request{
		Form: "message", Header: http.Header{"Content-Type": {"message/rfc822"}}, Body: b,
		Notes: []string{"there is nothing but a message: its envelope is what the mail server wrote on top of it"},
	}, nil)
}

// finish does what all forms have in common.
func finish(r *Request, err error) (*Request, error) {
	if err != nil {
		return nil, err
	}
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	r.Method = strings.ToUpper(r.Method)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") && !bytes.HasPrefix(r.Body, []byte{0x1f, 0x8b}) {
		r.Header.Del("Content-Encoding")
		r.note("the headers say gzip, but the body was captured inflated")
	}
	if bytes.Contains(r.Body, []byte(string(utf8.RuneError))) { // ContainsRune would find any byte that is not UTF-8
		r.changed("the body contains U+FFFD: capturing it as text may have lost bytes")
	}
	if string(bytes.TrimSpace(r.Body)) == "[object Object]" {
		r.changed("the body is what JavaScript writes for an object: it was parsed, and not turned into JSON again")
	}
	r.credentials()
	return r, nil
}

func (r *Request) changed(format string, args ...any) {
	r.Changed = true
	r.note(format, args...)
}

func (r *Request) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// credentials moves the credentials of the URL to the Authorization header.
func (r *Request) credentials() {
	u, err := url.Parse(r.URL)
	if err != nil || u.User == nil {
		return
	}
	if r.Header.Get("Authorization") == "" {
		password, _ := u.User.Password()
		r.basicAuth(u.User.Username(), password)
	}
	u.User = nil
	r.URL = u.String()
}

func (r *Request) basicAuth(user, password string) {
	(&http.Request{Header: r.Header}).SetBasicAuth(user, password)
}

// absolute returns the URL of a request line that may have only a path. A public
// endpoint has https, even if the proxy calls the server by http.
func absolute(target string, h http.Header) string {
	if u, err := url.Parse(target); err == nil && u.IsAbs() && u.Host != "" {
		return target
	}
	host := last(h, "X-Forwarded-Host")
	if host == "" {
		host = h.Get("Host")
	}
	if host == "" || strings.ContainsAny(host, "/?#@ ") {
		return target
	}
	scheme := strings.ToLower(last(h, "X-Forwarded-Proto"))
	if scheme != "http" && scheme != "https" {
		scheme = "https"
		if local(host) {
			scheme = "http"
		}
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return scheme + "://" + host + target
}

func local(host string) bool {
	name, _, _ := strings.Cut(host, ":")
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || (err == nil && addr.IsLoopback()) || strings.HasPrefix(host, "[::1]")
}

// last returns what the nearest proxy wrote.
func last(h http.Header, name string) string {
	values := h.Values(name)
	if len(values) == 0 {
		return ""
	}
	value := values[len(values)-1]
	return strings.TrimSpace(value[strings.LastIndexByte(value, ',')+1:])
}
