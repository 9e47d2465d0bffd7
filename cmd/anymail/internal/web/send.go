package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail/simulator"
)

// sent is what became of a request that was sent to another server.
type sent struct {
	ID           int64  `json:"id,omitempty"` // of the new request, if it was sent to this listener
	URL          string `json:"url"`
	Status       int    `json:"status,omitempty"`
	Error        string `json:"error,omitempty"`
	Milliseconds int64  `json:"milliseconds"`
	Signed       bool   `json:"signed"` // anew; otherwise it has the original signature
	Body         string `json:"body,omitempty"`
}

// sendTimeout is how long another server may take to answer.
const sendTimeout = 30 * time.Second

// newClient returns a client that behaves like an ESP's.
func newClient() *http.Client {
	return &http.Client{
		Timeout:   sendTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: maxForwards, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // ESPs do not follow redirects
		},
	}
}

// parseURL parses the URL of another server.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("url: must be an absolute URL of http or https") // it may hold a secret
	}
	return u, nil
}

// below returns the URL of a record below the mount point of another server.
func (r *Record) below(mount *url.URL) *url.URL {
	path, query, _ := strings.Cut(r.Path, "?")
	u := mount.JoinPath(strings.TrimPrefix(path, Mount))
	u.RawQuery = query
	return u
}

// connection are the headers that are about a connection and not about a request.
var connection = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Accept-Encoding",
}

// request returns a record as a request that can be sent again.
func (l *Listener) request(r *Record) simulator.Request {
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, name := range slices.Concat(connection, r.Removed) {
		header.Del(name)
	}
	return simulator.Request{Endpoint: r.Endpoint, URL: l.options.origin(r.Host) + r.Path, Method: r.Method, Header: header, Body: r.Body}
}

// signAnew signs a request as the ESP of a record.
func (l *Listener) signAnew(r *Record, request *simulator.Request) error {
	e, ok := l.find(r.ESP)
	if !ok {
		return errors.New("sign: it is not known which ESP the request is from")
	}
	return l.signer.sign(e, request)
}

// send sends a request to the URL of another server, signed anew if asked for.
func (l *Listener) send(ctx context.Context, r *Record, request simulator.Request, to *url.URL, sign bool) sent {
	plain := *to
	plain.User = nil
	s := sent{URL: plain.String(), Signed: sign}
	request.URL = s.URL
	if password, ok := to.User.Password(); ok {
		simulator.SetSecret(&request, to.User.Username()+":"+password)
	}
	if sign {
		if err := l.signAnew(r, &request); err != nil {
			s.Error = err.Error()
			return s
		}
	}
	req, err := request.HTTP()
	if err != nil {
		s.Error = "the request cannot be sent: its method or a header is invalid"
		return s
	}
	begin := time.Now()
	resp, err := l.client.Do(req.WithContext(ctx)) //nolint:gosec // the user chooses where to send
	s.Milliseconds = time.Since(begin).Milliseconds()
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err // without the URL, which stands next to it
		}
		s.Error = err.Error()
		return s
	}
	defer resp.Body.Close()
	s.Status = resp.StatusCode
	s.Body = beginning(resp.Body)
	return s
}

// beginning returns the beginning of an answer, as text.
func beginning(r io.Reader) string {
	body, _ := io.ReadAll(io.LimitReader(r, 4096)) // as much as there is
	return strings.ToValidUTF8(string(body), "\uFFFD")
}

// again sends a request to this listener itself.
func (l *Listener) again(ctx context.Context, r *Record, request simulator.Request, sign bool) sent {
	from := &origin{source: Replayed}
	if sign {
		if len(l.options.Secrets) > 0 {
			simulator.SetSecret(&request, l.options.Secrets[0])
		}
		from.vouched = l.signAnew(r, &request) != nil
	} else if slices.Contains(r.Removed, "Authorization") && !r.refused() && len(l.options.Secrets) > 0 {
		simulator.SetSecret(&request, l.options.Secrets[0]) // it had one, and the file that it was read from has not
	}
	begin := time.Now()
	answer, err := l.handle(ctx, request, from)
	s := sent{URL: request.URL, Signed: sign, Milliseconds: time.Since(begin).Milliseconds()}
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.ID = from.record.ID
	s.Status, s.Body = answer.code(), beginning(bytes.NewReader(answer.body.Bytes()))
	return s
}

// handle has the listener itself handle a request, without the network.
func (l *Listener) handle(ctx context.Context, request simulator.Request, from *origin) (*recorder, error) {
	req, err := request.HTTP()
	if err != nil {
		return nil, errors.New("the request is invalid: its method or URL")
	}
	req.RequestURI, req.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:0"
	answer := &recorder{header: http.Header{}}
	ctx = context.WithValue(ctx, chi.RouteCtxKey, (*chi.Context)(nil)) // that of the API, if it asked for this
	l.webhooks.ServeHTTP(answer, req.WithContext(context.WithValue(ctx, originKey{}, from)))
	return answer, nil
}
