// Package fetch gets what an ESP keeps for its webhooks to refer to: stored
// messages, attachments, certificates. URLs come out of payloads, so it goes
// only where the adapter says, over https only, and takes only so much.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goanymail/anymail"
)

// ErrGone is what the ESP does not have, or no longer: asking again is no use.
var ErrGone = errors.New("the ESP does not have it")

// Getter gets from one ESP. Its Hosts must be set.
type Getter struct {
	// Client is a client with a timeout of 30 seconds if nil.
	Client *http.Client
	// Hosts are the names that may be asked. One that begins with "." stands
	// for all names below it.
	Hosts []string
	// MaxBytes bounds the content; 0 means 64 MiB.
	MaxBytes int64
}

var defaultClient = &http.Client{Timeout: 30 * time.Second}

// Get returns the content at a URL. It returns an error that is [ErrGone],
// [anymail.ErrTooLarge], [anymail.ErrMalformed] (for a URL that may not be
// asked) or [anymail.ErrUnavailable] (for everything that may be otherwise the
// next time). Redirects are followed within Hosts, without header if it leads
// to another host.
func (g Getter) Get(ctx context.Context, rawURL string, header http.Header) ([]byte, error) {
	if err := g.Allowed(rawURL); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, anymail.Malformed("URL to fetch", nil)
	}
	for name, values := range header {
		req.Header[name] = values
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
		if next.URL.Host != req.URL.Host {
			for name := range header {
				next.Header.Del(name)
			}
		}
		return g.Allowed(next.URL.String())
	}
	resp, err := bound.Do(req)
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err // the URL itself may hold a token
		}
		if errors.Is(err, anymail.ErrMalformed) {
			return nil, err
		}
		return nil, anymail.Because(anymail.ErrUnavailable, "fetch from the ESP", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return nil, ErrGone
	case resp.StatusCode != http.StatusOK:
		return nil, anymail.Because(anymail.ErrUnavailable, fmt.Sprintf("the ESP answered %d to a fetch", resp.StatusCode), nil)
	}
	most := g.MaxBytes
	if most <= 0 {
		most = 64 << 20
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, anymail.Because(anymail.ErrUnavailable, "fetch from the ESP", err)
	}
	if int64(len(content)) > most {
		return nil, anymail.Because(anymail.ErrTooLarge, "content to fetch", nil)
	}
	return content, nil
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
