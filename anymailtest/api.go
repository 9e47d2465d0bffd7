package anymailtest

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// API plays the web API of an ESP from which an adapter fetches, within the
// process: kits put there what their samples refer to, and give the adapter
// [API.Client]. A URL that it does not know is 404. The zero value is ready to
// use; it is safe for concurrent use.
type API struct {
	mu       sync.Mutex
	contents map[string]content
	urls     []string // in the order of Put, to forget the oldest
}

type content struct {
	contentType string
	body        []byte
}

// apiMemory is how many contents an API keeps: a demonstration may run for days.
const apiMemory = 1024

// Put makes what a GET of url is answered with.
func (a *API) Put(url, contentType string, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.contents == nil {
		a.contents = map[string]content{}
	}
	if _, ok := a.contents[url]; !ok {
		if len(a.urls) == apiMemory {
			delete(a.contents, a.urls[0])
			a.urls = a.urls[1:]
		}
		a.urls = append(a.urls, url)
	}
	a.contents[url] = content{contentType, body}
}

// Client returns a client whose requests never leave the process.
func (a *API) Client() *http.Client { return &http.Client{Transport: a} }

// RoundTrip implements [http.RoundTripper].
func (a *API) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	c, ok := a.contents[r.URL.String()]
	a.mu.Unlock()
	status := http.StatusOK
	if !ok || r.Method != http.MethodGet {
		status, c = http.StatusNotFound, content{}
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {c.contentType}},
		Body:          io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)),
		Request:       r,
	}, nil
}
