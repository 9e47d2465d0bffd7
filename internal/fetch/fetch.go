// Package fetch gets what an ESP keeps for its webhooks to refer to: stored
// messages, attachments, certificates. URLs come out of payloads, so it goes
// only where the adapter says, over https only, and takes only so much.
package fetch

import (
	"bytes"
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

// ErrGone is what the ESP does not have, or no longer: asking again is no use.
var ErrGone = errors.New("the ESP does not have it")

// Getter gets from one ESP. Its Hosts must be set.
type Getter struct {
	// Client is a client with a timeout of 30 seconds if nil. Its
	// CheckRedirect is not used.
	Client *http.Client
	// Hosts are the names that may be asked, in lower case. One that begins
	// with "." stands for all names below it.
	Hosts []string
	// MaxBytes bounds the content; 0 means 64 MiB.
	MaxBytes int64
}

var defaultClient = &http.Client{Timeout: 30 * time.Second}

// Get returns the content at a URL. It returns an error that is [ErrGone],
// [anymail.ErrTooLarge], [anymail.ErrMalformed] (for a URL that may not be
// asked) or [anymail.ErrUnavailable] (for everything that may be otherwise the
// next time). Redirects are followed within Hosts, from the first one to
// another host on without header. No error has a part of a URL in its text,
// which may hold a token.
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
		next.Header.Del("Referer") // the URL before, with whatever it holds
		elsewhere := func(r *http.Request) bool { return r.URL.Host != req.URL.Host }
		if elsewhere(next) || slices.ContainsFunc(via, elsewhere) {
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

// trusted is how much of a declared length is believed before it arrives.
const trusted = 1 << 20

func (g Getter) read(resp *http.Response) ([]byte, error) {
	most := g.MaxBytes
	if most <= 0 {
		most = 64 << 20
	}
	tooLarge := anymail.Because(anymail.ErrTooLarge, "content to fetch", nil)
	if resp.ContentLength > most {
		return nil, tooLarge
	}
	var content bytes.Buffer
	if resp.ContentLength > 0 {
		content.Grow(int(min(resp.ContentLength, trusted)) + bytes.MinRead) // else the end is found only by growing
	}
	if _, err := content.ReadFrom(io.LimitReader(resp.Body, most+1)); err != nil {
		return nil, unavailable(err)
	}
	if int64(content.Len()) > most {
		return nil, tooLarge
	}
	return content.Bytes(), nil
}

// Allowed says whether a URL may be asked, with nil or an error that is
// [anymail.ErrMalformed].
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

// transportError wraps an error of package net/http and says of it only what
// is known to be free of URLs.
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
		return "the host's name does not resolve"
	case errors.As(e.err, &cert):
		return "the host's TLS certificate is not valid"
	case errors.As(e.err, &errno):
		return errno.Error()
	case errors.Is(e.err, io.ErrUnexpectedEOF), errors.Is(e.err, io.EOF):
		return "the connection was closed"
	}
	return "no HTTP answer"
}
