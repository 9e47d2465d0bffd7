package inspect

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
)

// gate is between the adapter and the network.
type gate struct {
	open        bool
	certificate []byte // answers whoever asks for one
	next        http.RoundTripper

	mu      sync.Mutex
	refused []refusal
	fetched []provenance.Member
}

// refusal is what was asked for in vain.
type refusal struct {
	what string // without the query, which may hold a token
	acts bool   // it would have done something
}

var errClosed = errors.New("not without --fetch")

// RoundTrip implements [http.RoundTripper].
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	what := "GET " + r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
	// A subscription is the user's to confirm, not that of somebody who looks.
	acts := r.Method != http.MethodGet || strings.HasPrefix(r.URL.Query().Get("Action"), "Confirm")
	switch {
	case !acts && g.certificate != nil && strings.HasSuffix(r.URL.Path, ".pem"):
		return &http.Response{
			StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(g.certificate)), ContentLength: int64(len(g.certificate)), Request: r,
		}, nil
	case acts || !g.open:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.refused = append(g.refused, refusal{what, acts})
		return nil, errClosed
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	const most = 64 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	_ = resp.Body.Close() // it was only read
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	members := provenance.Members(resp.Header.Get("Content-Type"), body)
	for i := range members {
		members[i].Path = what + " " + members[i].Path
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fetched = append(g.fetched, members...)
	return resp, nil
}

// takeRefused returns what was refused since the last time.
func (g *gate) takeRefused() []refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	refused := g.refused
	g.refused = nil
	return refused
}
