package inspect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
)

// network is between the adapter and the network. It makes no request that
// changes anything, and none at all unless the context has a [traffic] that
// allows it.
type network struct {
	certificate []byte // the answer to every request for a certificate, if not nil
	next        http.RoundTripper
}

// traffic is what was requested in the course of one try.
type traffic struct {
	allowed bool

	mu      sync.Mutex
	refused []refusal
	fetched []provenance.Member
}

// refusal is a request that was not made.
type refusal struct {
	what string // without the query, which may hold a token
	acts bool   // it would have changed something
}

type trafficKey struct{}

func (t *traffic) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, trafficKey{}, t)
}

var errRefused = errors.New("needs --fetch")

// RoundTrip implements [http.RoundTripper].
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	t, ok := r.Context().Value(trafficKey{}).(*traffic)
	if !ok {
		return nil, errRefused
	}
	what := "GET " + r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
	// A subscription is the user's to confirm.
	acts := r.Method != http.MethodGet || strings.HasPrefix(r.URL.Query().Get("Action"), "Confirm")
	switch {
	case !acts && n.certificate != nil && strings.HasSuffix(r.URL.Path, ".pem"):
		return &http.Response{
			StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(n.certificate)), ContentLength: int64(len(n.certificate)), Request: r,
		}, nil
	case acts || !t.allowed:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.refused = append(t.refused, refusal{what, acts})
		return nil, errRefused
	}
	resp, err := n.next.RoundTrip(r)
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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetched = append(t.fetched, members...)
	return resp, nil
}
