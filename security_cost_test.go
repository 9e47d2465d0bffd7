package anymail_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// costs is a Dispatcher with all protections, and requests to it that differ in
// what is wrong with them.
type costs struct {
	*anymail.Dispatcher
	made int
}

// newCosts logs as a program in production does, to nowhere.
func newCosts(t testing.TB) *costs {
	t.Helper()
	d, err := anymail.New(
		anymail.WithSharedSecret(secret),
		anymail.WithLogger(slog.New(slog.NewJSONHandler(io.Discard, nil))), //nolint:sloglint // what a line costs has to count
		anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24")),
		anymail.WithRateLimit(anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 1e6, Burst: 1 << 30}}),
	)
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme("key")))
	require.NoError(t, d.Register("over", newAcme("key"), anymail.WithRateLimit(anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 1e-6, Burst: 1}})))
	c := &costs{Dispatcher: d}
	c.ServeHTTP(newSink(), c.request(t, "over the rate")) // the one that the rate allows
	return c
}

// refusals are the requests that do not pass, those first that are found out
// first.
var refusals = []string{"wrong address", "over the rate", "no secret", "wrong secret", "huge secret", "wrong signature", "no signature"}

// request makes a new request: a batch of 20 events, about 2 kB.
func (c *costs) request(t testing.TB, wrong string) *http.Request {
	t.Helper()
	c.made++
	var events []string
	for i := range 20 {
		events = append(events, fmt.Sprintf(`{"ID":"%d-%d","Event":"delivered","Email":"ada@example.com","Note":"the rest of the event"}`, c.made, i))
	}
	p := newPost("["+strings.Join(events, ",")+"]").sign("key", time.Now())
	path, addr := "/acme/tracking/", "192.0.2.1:1"
	switch wrong {
	case "wrong address":
		addr = "198.51.100.1:1"
	case "over the rate":
		path = "/over/tracking/"
	case "no secret":
		p = p.with("Authorization", "")
	case "wrong secret":
		p = p.with("Authorization", basic("esp:never-Was-a-Password"))
	case "huge secret":
		p = p.with("Authorization", basic(secret+strings.Repeat("x", 1<<16)))
	case "wrong signature":
		p = p.sign("other", time.Now())
	case "no signature":
		p = p.with("X-Acme-Signature", "")
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(p.body))
	r.Header, r.RemoteAddr = p.header, addr
	return r
}

// sink is a ResponseWriter that costs nothing itself.
type sink struct {
	header http.Header
	status int
}

func newSink() *sink                           { return &sink{header: http.Header{}} }
func (s *sink) Header() http.Header            { return s.header }
func (s *sink) WriteHeader(status int)         { s.status = status }
func (s *sink) Write(text []byte) (int, error) { return len(text), nil }

// allocated returns the bytes that handling the requests allocates.
func allocated(h http.Handler, requests []*http.Request) (bytes uint64, statuses map[int]int) {
	statuses = map[int]int{}
	sinks := make([]*sink, len(requests))
	for i := range sinks {
		sinks[i] = newSink()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i, r := range requests {
		h.ServeHTTP(sinks[i], r)
	}
	runtime.ReadMemStats(&after)
	for _, s := range sinks {
		statuses[s.status]++
	}
	return after.TotalAlloc - before.TotalAlloc, statuses
}

// Whatever is wrong with a request, refusing it allocates less than taking it
// would, the log line included; and the sooner it is found out, the less.
func TestRefusalsAllocateLess(t *testing.T) {
	const n = 100
	c := newCosts(t)
	measure := func(wrong string) (uint64, map[int]int) {
		requests := make([]*http.Request, n)
		for i := range requests {
			requests[i] = c.request(t, wrong)
		}
		return allocated(c, requests)
	}
	measure("") // fills pools
	accepted, statuses := measure("")
	require.Equal(t, map[int]int{200: n}, statuses)
	for _, wrong := range refusals {
		refused, statuses := measure(wrong)
		require.NotContains(t, statuses, 200)
		require.Less(t, refused, accepted/2, wrong)
		t.Logf("%-16s %5d of %d bytes, %v", wrong, refused/n, accepted/n, statuses)
	}
}

// A body that is not wanted is not read: whatever its length, refusing costs
// the same.
func TestRefusedBodiesAreNotRead(t *testing.T) {
	c := newCosts(t)
	for _, wrong := range []string{"wrong address", "over the rate", "no secret", "wrong secret"} {
		r := c.request(t, wrong)
		r.Body = unreadable{t}
		c.ServeHTTP(newSink(), r)
	}
}

// unreadable is a body that must not be read.
type unreadable struct{ t *testing.T }

func (n unreadable) Read([]byte) (int, error) {
	n.t.Error("the body of a refused request was read")
	return 0, io.EOF
}
func (unreadable) Close() error { return nil }

func benchmark(b *testing.B, c *costs, wrong string) {
	r := c.request(b, wrong)
	body, err := io.ReadAll(r.Body)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.ServeHTTP(newSink(), r)
	}
}

// BenchmarkRefused is for comparison with [BenchmarkAccepted]: the same body.
func BenchmarkRefused(b *testing.B) {
	for _, wrong := range refusals {
		b.Run(strings.ReplaceAll(wrong, " ", "-"), func(b *testing.B) { benchmark(b, newCosts(b), wrong) })
	}
}

// BenchmarkAccepted is a lower bound: no receiver is connected, and the replay
// check is off, since it would refuse the second request.
func BenchmarkAccepted(b *testing.B) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithoutReplayCheck(), anymail.WithLogger(quiet),
		anymail.WithAllowedAddresses(netip.MustParsePrefix("192.0.2.0/24")),
		anymail.WithRateLimit(anymail.RateLimit{PerAddress: anymail.Rate{PerSecond: 1e6, Burst: 1 << 30}}))
	require.NoError(b, err)
	require.NoError(b, d.Register("acme", newAcme("key")))
	benchmark(b, &costs{Dispatcher: d}, "")
}
