package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/bench/internal/load"
	"github.com/goanymail/anymail/simulator"
)

// world is a Dispatcher with one adapter and one receiver, and signed requests for
// it. Each request holds events of its own, so that none is a repetition until all
// have been sent once; by then the store has forgotten the first.
type world struct {
	dispatcher *anymail.Dispatcher
	endpoints  []anymail.Endpoint
	credential simulator.Credential
	requests   []simulator.Request
	perRequest int // events

	next     atomic.Int64
	received atomic.Int64
}

// newWorldOf returns a world without requests, whose store forgets after that
// many events.
func newWorldOf(b testing.TB, sim *simulator.Simulator, remember int, options ...anymail.Option) *world {
	b.Helper()
	w := &world{perRequest: 1}
	adapter, credential, err := sim.NewAccount()
	require.NoError(b, err)
	w.credential = credential
	w.endpoints = adapter.Endpoints()
	w.dispatcher, err = anymail.New(append([]anymail.Option{
		anymail.Insecure(), // SparkPost and Postmark sign nothing
		anymail.WithIdempotencyStore(anymail.NewMemoryStore(remember)),
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)...)
	require.NoError(b, err)
	require.NoError(b, w.dispatcher.Register(sim.ESP, adapter))
	require.NoError(b, w.dispatcher.Tracking.Connect("count", func(context.Context, *anymail.TrackingEvent) error {
		w.received.Add(1)
		return nil
	}))
	require.NoError(b, w.dispatcher.Inbound.Connect("count", func(_ context.Context, ev *anymail.InboundEvent) error {
		if ev.Type != anymail.EventInbound {
			return errors.New("not a message: " + string(ev.Raw))
		}
		w.received.Add(1)
		return nil
	}))
	return w
}

// newWorld makes n requests with batch events each, from the samples of these
// names by turns.
func newWorld(b testing.TB, sim *simulator.Simulator, n, batch int, samples ...string) *world {
	b.Helper()
	w := newWorldOf(b, sim, n*batch/4)
	w.perRequest = batch
	now := time.Now()
	for range n {
		w.requests = append(w.requests, newRequest(b, sim, w.credential, now, batch, samples))
	}
	return w
}

func newRequest(b testing.TB, sim *simulator.Simulator, c simulator.Credential, at time.Time, batch int, samples []string) simulator.Request {
	b.Helper()
	r, err := load.Make(sim, batch, samples)
	require.NoError(b, err)
	r.URL = "https://hooks.example.com/" + sim.ESP + "/" + r.Endpoint
	if sim.Sign != nil {
		require.NoError(b, sim.Sign(&r, c, at))
	}
	return r
}

// dispatch sends requests to the Dispatcher, by turns, until next returns false.
// It returns their number.
func (w *world) dispatch(b *testing.B, next func() bool) (sent int) {
	response := &recorder{header: http.Header{}}
	var body memory
	target, err := url.Parse(w.requests[0].URL)
	if err != nil {
		b.Error(err)
	}
	request := &http.Request{
		Method: http.MethodPost, URL: target, RequestURI: target.Path, Host: target.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "192.0.2.1:50000", Body: &body,
		TLS: &tls.ConnectionState{}, // the URLs are https, and Mandrill signs them
	}
	for next() {
		turn := int(w.next.Add(1)-1) % len(w.requests)
		made := w.requests[turn]
		request.Header, request.ContentLength = made.Header, int64(len(made.Body))
		body.Reset(made.Body)
		response.status = 0
		w.dispatcher.ServeHTTP(response, request)
		if response.status != http.StatusOK {
			b.Errorf("status %d", response.status)
			return sent
		}
		sent++
	}
	return sent
}

// run measures dispatch.
func (w *world) run(b *testing.B) {
	b.Helper()
	runtime.GC() // of what made the requests
	before := w.received.Load()
	b.SetBytes(int64(len(w.requests[0].Body)))
	b.ReportAllocs()
	b.ResetTimer()
	report := reportCPU(b)
	left := b.N
	sent := w.dispatch(b, func() bool { left--; return left >= 0 })
	b.StopTimer()
	report()
	w.check(b, before, sent)
}

// endpoint returns the one that the requests are for.
func (w *world) endpoint() anymail.Endpoint {
	return w.endpoints[slices.IndexFunc(w.endpoints, func(ep anymail.Endpoint) bool { return ep.Path == w.requests[0].Endpoint })]
}

// runStages measures only the Verifier and the EventParser.
func (w *world) runStages(b *testing.B) {
	b.Helper()
	ctx := context.Background()
	ep := w.endpoint()
	w.floor(b, func(turn int, body []byte) error {
		r := &w.requests[turn]
		p := &anymail.Payload{Endpoint: r.Endpoint, URL: r.URL, Header: r.Header, Body: body, ReceivedAt: time.Now(), SecretProved: true}
		if ep.Verifier != nil {
			if _, err := ep.Verifier.Verify(ctx, p); err != nil {
				return err
			}
		}
		events, err := ep.Parser.ParseEvents(ctx, p)
		if err != nil {
			return err
		}
		return count(w, len(events))
	})
}

// runParallel measures dispatch on as many goroutines as there are processors.
func (w *world) runParallel(b *testing.B) {
	b.Helper()
	runtime.GC()
	before := w.received.Load()
	var sent atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) { sent.Add(int64(w.dispatch(b, pb.Next))) })
	b.StopTimer()
	w.check(b, before, int(sent.Load()))
}

// check checks that the receiver got each event exactly once.
func (w *world) check(b *testing.B, before int64, sent int) {
	b.Helper()
	require.EqualValues(b, sent*w.perRequest, w.received.Load()-before)
	b.ReportMetric(float64(sent*w.perRequest)/b.Elapsed().Seconds(), "events/s")
}

// recorder keeps only the status of a response.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header             { return r.header }
func (r *recorder) WriteHeader(status int)          { r.status = status }
func (r *recorder) Write(b []byte) (int, error)     { return len(b), nil }
func (r *recorder) SetReadDeadline(time.Time) error { return nil }

// memory is a request's body.
type memory struct{ bytes.Reader }

func (*memory) Close() error { return nil }

var _ io.ReadCloser = (*memory)(nil)

// parseKey reads a public key in DER.
func parseKey(b testing.TB, der []byte) any {
	b.Helper()
	key, err := x509.ParsePKIXPublicKey(der)
	require.NoError(b, err)
	return key
}
