// Package fetch fetches content at the ESP that webhooks refer to: stored
// messages, attachments, certificates. The URLs are from payloads. So the package
// fetches only from the adapter's hosts, only over https, and only up to a limit.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/goanymail/anymail"
)

// ErrGone means that the ESP does not have the content, or no longer. A retry
// would fail too.
var ErrGone = errors.New("the ESP does not have the content")

// Getter fetches from one ESP. Its Hosts must be set.
type Getter struct {
	// Client has a timeout of 30 seconds if nil. Its CheckRedirect is not used.
	Client *http.Client
	// Hosts are the allowed host names, in lower case. A name that begins with
	// "." allows all names below it.
	Hosts []string
	// MaxBytes bounds the content; 0 means the default of [anymail.Limits].Fetch.
	MaxBytes int64
	// Payload counts the memory that the content takes; nil means that nothing does.
	Payload *anymail.Payload
}

var defaultClient = &http.Client{Timeout: 30 * time.Second}

// Get returns the content at a URL. Its errors are [ErrGone],
// [anymail.ErrTooLarge], [anymail.ErrMalformed] (the URL is not allowed) and
// [anymail.ErrUnavailable] (a retry may succeed). Get follows redirects within
// Hosts. After the first redirect to another host it sends no header. Error texts
// never include a part of a URL, because it may hold a token.
func (g Getter) Get(ctx context.Context, rawURL string, header http.Header) ([]byte, error) {
	if err := g.Allowed(rawURL); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, anymail.Malformed("URL to fetch", nil)
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	client := defaultClient
	if g.Client != nil {
		client = g.Client
	}
	bound := *client
	bound.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > 4 {
			return errors.New("too many redirects")
		}
		next.Header.Del("Referer") // the previous URL, which may hold a token
		otherHost := func(r *http.Request) bool { return r.URL.Host != req.URL.Host }
		if otherHost(next) || slices.ContainsFunc(via, otherHost) {
			for name := range header {
				next.Header.Del(name)
			}
		}
		return g.Allowed(next.URL.String())
	}
	resp, err := bound.Do(req)
	if err != nil {
		if errors.Is(err, anymail.ErrMalformed) {
			return nil, anymail.Malformed("redirect to a URL that may not be fetched", nil)
		}
		return nil, unavailable(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return nil, ErrGone
	case resp.StatusCode != http.StatusOK:
		return nil, anymail.Because(anymail.ErrUnavailable, "the ESP refused a fetch", fmt.Errorf("status %d", resp.StatusCode))
	}
	return g.read(resp)
}

func (g Getter) read(resp *http.Response) ([]byte, error) {
	most := g.MaxBytes
	if most <= 0 {
		most = anymail.Limits{}.OrDefaults().Fetch
	}
	if resp.ContentLength > most {
		return nil, errTooLarge
	}
	payload := g.Payload
	if payload == nil {
		payload = new(anymail.Payload)
	}
	content, err := payload.ReadAll(resp.Body, resp.ContentLength, most)
	switch {
	case errors.Is(err, anymail.ErrTooLarge):
		return nil, errTooLarge
	case errors.Is(err, anymail.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, unavailable(err)
	}
	return content, nil
}

var errTooLarge = anymail.Because(anymail.ErrTooLarge, "content to fetch", nil)

// Allowed returns nil if a URL may be fetched, and [anymail.ErrMalformed] if not.
func (g Getter) Allowed(rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "https" || u.User != nil || (u.Port() != "" && u.Port() != "443") {
		return anymail.Malformed("URL to fetch", nil)
	}
	host := strings.ToLower(u.Hostname())
	for _, allowed := range g.Hosts {
		if host == allowed || (strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed)) {
			return nil
		}
	}
	return anymail.Malformed("URL to fetch is not at the ESP", nil)
}

// transportError wraps an error of package net/http. Its text includes only parts
// that cannot hold a URL.
type transportError struct{ err error }

func unavailable(err error) error {
	return anymail.Because(anymail.ErrUnavailable, "fetch from the ESP", transportError{err})
}

func (e transportError) Unwrap() error { return e.err }

func (e transportError) Error() string {
	var (
		name  *net.DNSError
		cert  *tls.CertificateVerificationError
		errno syscall.Errno
	)
	switch {
	case errors.Is(e.err, context.Canceled):
		return "cancelled"
	case errors.Is(e.err, context.DeadlineExceeded), os.IsTimeout(e.err):
		return "timeout"
	case errors.As(e.err, &name):
		return "the host name does not resolve"
	case errors.As(e.err, &cert):
		return "the TLS certificate of the host is invalid"
	case errors.As(e.err, &errno):
		return errno.Error()
	case errors.Is(e.err, io.ErrUnexpectedEOF), errors.Is(e.err, io.EOF):
		return "the connection was closed"
	}
	return "no HTTP answer"
}

// IsSegment reports whether an id from a payload, escaped, is one segment of a URL's path.
func IsSegment(id string) bool { return id != "" && id != "." && id != ".." }
