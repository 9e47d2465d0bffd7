// Package capture reads one HTTP request that somebody has written down: as it
// went over the wire, as a curl command, or in a HAR file.
//
// Captures have gone through editors, terminals and tickets. What can be mended
// is, and Notes says so: a signature that does not match may be the capture's
// fault. Input is hostile: it is bounded, nothing of it is executed, and no
// file that it names is read unless the caller gives the files.
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
)

// MaxBytes is how long a capture may be: the largest bodies that ESPs post, in
// base64.
const MaxBytes = 128 << 20

// maxHeaders is how many header fields a request may have.
const maxHeaders = 1000

// Request is a captured request.
type Request struct {
	// Form is what the capture was: "HTTP", "curl", "HAR" or "body".
	Form   string
	Method string // upper case, never empty
	// URL is the one that was called: absolute where the host is known.
	URL    string
	Header http.Header // never nil
	// Body is the body as it was sent, but without chunks.
	Body []byte
	// At is when it was sent, where the capture says.
	At time.Time
	// Changed says that the body is known not to be the one that was sent.
	Changed bool
	// Notes are what had to be guessed or mended, for people. They hold nothing
	// of the request.
	Notes []string
}

// Options say how to read a capture.
type Options struct {
	// Entry is the number of a HAR entry, from 1; 0 is the first POST.
	Entry int
	// Files are those that a curl command may refer to. If nil it may not.
	Files fs.FS
}

// Errors for [errors.Is].
var (
	ErrUnknown = errors.New("neither an HTTP request nor a curl command nor HAR")
	ErrTooLong = fmt.Errorf("longer than %d MiB", MaxBytes>>20)
)

// Read reads a capture, whose form it finds out. What holds nothing but JSON is
// taken for a body. Errors hold nothing of the capture.
func Read(b []byte, o Options) (*Request, error) {
	if len(b) > MaxBytes {
		return nil, ErrTooLong
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // a byte order mark, of Windows
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
		return finish(&Request{
			Form:   "body",
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   b,
			Notes:  []string{"there is nothing but a body: without its headers it may lack signatures and secrets"},
		}, nil)
	}
	return finish(readHTTP(start))
}

// finish fills in what all forms have in common.
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
		r.changed("the body holds U+FFFD: whoever captured it as text may have lost bytes")
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

// credentials moves those in the URL to where a client puts them.
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

// absolute makes the URL of a request line that has only the path. A public
// endpoint has https, whatever the way from the proxy to the server was.
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

// last is what the nearest proxy wrote.
func last(h http.Header, name string) string {
	values := h.Values(name)
	if len(values) == 0 {
		return ""
	}
	value := values[len(values)-1]
	return strings.TrimSpace(value[strings.LastIndexByte(value, ',')+1:])
}
