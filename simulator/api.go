package simulator

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// API plays the web API from which an adapter fetches, within the process. A
// simulator puts there what its samples refer to, and connects the adapter by
// [API.Client]. The answer to an unknown URL is 404. The zero value is ready to
// use. An API is safe for concurrent use.
type API struct {
	mu       sync.Mutex
	contents map[string]content
	urls     []string // in the order of Put, to delete the oldest
}

type content struct {
	contentType string
	body        []byte
}

// maxContents limits an API, because a demonstration may run for days.
const maxContents = 1024

// Put sets the answer to a GET of url. It deletes the oldest content if there
// are more than 1024.
func (a *API) Put(url, contentType string, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.contents == nil {
		a.contents = map[string]content{}
	}
	if _, ok := a.contents[url]; !ok {
		if len(a.urls) == maxContents {
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
