package anymail_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// bubble is a Dispatcher behind a real http.Server, in a bubble of synctest: its
// connections are in memory, so that time is the bubble's.
type bubble struct {
	*anymail.Dispatcher
	accept chan net.Conn

	mu      sync.Mutex
	reasons map[anymail.Reason]int // of refusals
	made    int                    // honest requests
}

// inBubble runs a test with a Dispatcher whose endpoints /a/tracking/ and
// /b/tracking/ need a signature by "key" and /secret/tracking/ the shared secret.
func inBubble(t *testing.T, options []anymail.Option, test func(*testing.T, *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		srv := &bubble{accept: make(chan net.Conn), reasons: map[anymail.Reason]int{}}
		d, err := anymail.New(append([]anymail.Option{
			anymail.WithLogger(quiet),
			anymail.WithHooks(anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) {
				srv.mu.Lock()
				defer srv.mu.Unlock()
				var failure *anymail.RequestError
				if errors.As(r.Err, &failure) {
					srv.reasons[failure.Reason]++
				}
			}}),
		}, options...)...)
		require.NoError(t, err)
		srv.Dispatcher = d
		require.NoError(t, d.Register("a", newAcme("key")))
		require.NoError(t, d.Register("b", newAcme("key")))
		require.NoError(t, d.Register("secret", newAcme(), anymail.WithSharedSecret(secret)))
		server := &http.Server{Handler: http.StripPrefix("/hooks", d)}
		ended := make(chan error)
		go func() { ended <- server.Serve(srv) }()
		t.Cleanup(func() {
			require.NoError(t, server.Close())
			require.ErrorIs(t, <-ended, http.ErrServerClosed)
			time.Sleep(time.Second) // net/http lingers on connections whose body it did not read
		})
		test(t, srv)
	})
}

// Accept, Close and Addr make it a net.Listener.
func (b *bubble) Accept() (net.Conn, error) {
	if conn, ok := <-b.accept; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (b *bubble) Close() error   { close(b.accept); return nil }
func (b *bubble) Addr() net.Addr { return &net.TCPAddr{} }

func (b *bubble) refused(reason anymail.Reason) int {
	time.Sleep(1100 * time.Millisecond) // such an answer waits for a second
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reasons[reason]
}

type addressed struct {
	net.Conn
	from string
}

func (a addressed) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(a.from), Port: 1000 + rand.IntN(1000)}
}

// dial connects from an address.
func (b *bubble) dial(t *testing.T, from string) *rawClient {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	b.accept <- addressed{server, from}
	return &rawClient{client, bufio.NewReader(client)}
}

// open begins a request that declares a body of a size and sends the beginning of
// it.
func (b *bubble) open(t *testing.T, from, name string, size int, sent string) *rawClient {
	t.Helper()
	c := b.dial(t, from)
	p := to(name, "")
	c.begin(t, p, fmt.Sprintf("Content-Length: %d", size), sent)
	synctest.Wait()
	return c
}

func to(name, body string) post {
	p := newPost(body).sign("key", time.Now())
	p.path = "/hooks/" + name + "/tracking/"
	if name != "secret" {
		p.header.Del("Authorization")
	}
	return p
}

// do makes an honest request and returns its status and how long it took.
func (b *bubble) do(t *testing.T, from, name, body string) (status int, took time.Duration) {
	t.Helper()
	b.mu.Lock()
	b.made++
	body += strings.Repeat(" ", b.made) // no two are the same, so none is a replay
	b.mu.Unlock()
	begin := time.Now()
	c := b.dial(t, from)
	defer c.Close()
	c.begin(t, to(name, body), fmt.Sprintf("Content-Length: %d", len(body)), "")
	go func() { _, _ = io.WriteString(c, body) }() // the server may answer before it has read all
	return c.status(t), time.Since(begin)
}

// However many bodies stall, an honest request is answered at once, also from the
// same address. The stalled bodies that it needs the place of are dropped.
func TestSlowBodiesMakeRoom(t *testing.T) {
	const n = 1500
	for _, tt := range []struct {
		name     string
		attacker func(i int) (from, endpoint string)
		left     int // places that the attacker still has
	}{
		{"one address", func(int) (string, string) { return "192.0.2.1", "a" }, 1024 / 16},
		{"an IPv6 network", func(i int) (string, string) { return fmt.Sprintf("2001:db8::%x", i), "a" }, 1024 / 16},
		{"one endpoint", func(i int) (string, string) { return fmt.Sprintf("10.0.%d.%d", i/250, i%250), "a" }, 1024 / 4},
		{"two endpoints", func(i int) (string, string) {
			return fmt.Sprintf("10.0.%d.%d", i/250, i%250), string(rune('a' + i%2))
		}, 1024 / 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, srv *bubble) {
				var from, endpoint string
				for i := range n {
					from, endpoint = tt.attacker(i)
					srv.open(t, from, endpoint, 1000, "{")
				}
				require.Equal(t, n-tt.left, srv.refused("the body arrived too slowly"))
				for _, honest := range []string{"198.51.100.1", from} {
					for _, name := range []string{"a", "b", "secret"} {
						status, took := srv.do(t, honest, name, delivered)
						require.Equal(t, 200, status, "%s from %s", name, honest)
						require.Zero(t, took)
					}
				}
			})
		})
	}
}

// The last of the places is the Dispatcher's own bound.
func TestMaxReading(t *testing.T) {
	inBubble(t, []anymail.Option{anymail.WithMaxReading(1)}, func(t *testing.T, srv *bubble) {
		srv.open(t, "192.0.2.1", "a", 1000, "{")
		srv.open(t, "192.0.2.2", "b", 1000, "{")
		require.Equal(t, 1, srv.refused("the body arrived too slowly"))
		proved := srv.open(t, "192.0.2.3", "secret", len(delivered), delivered[:1])
		require.Equal(t, 1, srv.refused("the body arrived too slowly"), "a proved request needs no place")
		srv.open(t, "192.0.2.4", "a", 1000, "{")
		require.Equal(t, 2, srv.refused("the body arrived too slowly"), "and does not lose one")
		_, err := io.WriteString(proved, delivered[1:])
		require.NoError(t, err)
		require.Equal(t, 200, proved.status(t))
	})
}

// A ResponseWriter without deadlines cannot be interrupted, so its place cannot be
// taken.
func TestPlacesWithoutDeadlines(t *testing.T) {
	d, err := anymail.New(anymail.WithLogger(quiet), anymail.WithMaxReading(1))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme("key")))
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	}))
	srv := &testServer{url: url}
	slow := dial(t, srv)
	p := newPost(delivered).sign("key", time.Now())
	p.path = "/acme/tracking/"
	slow.begin(t, p, fmt.Sprintf("Content-Length: %d", len(delivered)), delivered[:1])
	require.Eventually(t, func() bool { return srv.do(t, p).StatusCode == http.StatusServiceUnavailable }, time.Minute, time.Millisecond)
	_, err = io.WriteString(slow, delivered[1:])
	require.NoError(t, err)
	require.NotEqual(t, 503, slow.status(t))
}

// A body gets 5 seconds, and more time in proportion to what it sends, up to
// BodyTime.
func TestBodyRate(t *testing.T) {
	for _, tt := range []struct {
		perSecond int
		seconds   int // until it is complete
		status    int
		took      time.Duration
	}{
		{1, 4, 200, 4 * time.Second},
		{1, 60, 503, 5 * time.Second},
		{8 << 10, 20, 503, 9 * time.Second}, // 5 s and half a second for each second
		{16 << 10, 29, 200, 29 * time.Second},
		{1 << 20, 40, 503, 30 * time.Second},
	} {
		t.Run(fmt.Sprintf("%d for %d s", tt.perSecond, tt.seconds), func(t *testing.T) {
			inBubble(t, []anymail.Option{anymail.WithLimits(anymail.Limits{Body: 64 << 20})}, func(t *testing.T, srv *bubble) {
				begin := time.Now()
				body := delivered + strings.Repeat(" ", max(tt.perSecond*tt.seconds-len(delivered), 0))
				c := srv.dial(t, "192.0.2.1")
				p := to("secret", "") // the rate holds for proved requests too
				c.begin(t, p, fmt.Sprintf("Content-Length: %d", len(body)), "")
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for i := 1; len(body) > 0; i++ {
						time.Sleep(time.Second)
						piece := body[:min(tt.perSecond, len(body))]
						if i == tt.seconds {
							piece = body
						}
						if _, err := io.WriteString(c, piece); err != nil {
							return
						}
						body = body[len(piece):]
					}
				}()
				require.Equal(t, tt.status, c.status(t))
				require.InDelta(t, tt.took.Seconds(), time.Since(begin).Seconds(), 1)
				c.Close()
				<-sent
			})
		})
	}
}

// A slow body counts as a failure of its client.
func TestSlowBodiesAreFailures(t *testing.T) {
	limit := anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 3}})
	inBubble(t, []anymail.Option{limit}, func(t *testing.T, srv *bubble) {
		for range 3 {
			require.Equal(t, 503, srv.open(t, "192.0.2.1", "a", 1000, "{").status(t))
		}
		status, _ := srv.do(t, "192.0.2.1", "a", delivered)
		require.Equal(t, 429, status)
		status, _ = srv.do(t, "192.0.2.2", "a", delivered)
		require.Equal(t, 200, status)
	})
}

// Shutdown waits for a body that arrives.
func TestShutdownWaitsForBodies(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, srv *bubble) {
		c := srv.open(t, "192.0.2.1", "secret", len(delivered), delivered[:1])
		ended := make(chan error)
		go func() { ended <- srv.Shutdown(t.Context()) }()
		time.Sleep(time.Second)
		select {
		case <-ended:
			t.Fatal("a body is still arriving")
		default:
		}
		_, err := io.WriteString(c, delivered[1:])
		require.NoError(t, err)
		require.Equal(t, 200, c.status(t))
		require.NoError(t, <-ended)
	})
}

const mega = 1 << 20

// large is an honest body of a megabyte.
func large(id string) string {
	text := fmt.Sprintf(`{"ID":%q,"Event":"delivered"}`, id)
	return text + strings.Repeat(" ", mega-100-len(text)) // honest requests add a few
}

// roomFor is the memory for n bodies of a megabyte.
func roomFor(n int) anymail.Option { return anymail.WithMaxMemory(int64(n) * 6 * mega) }

// Large bodies wait for memory. Those that hold it and do not arrive are dropped as
// soon as others wait.
func TestContestedMemory(t *testing.T) {
	stall := strings.Repeat(" ", 20<<10)
	for _, tt := range []struct {
		name    string
		stalled []string // endpoints with a body of a megabyte that stalls after 20 KiB
		honest  string
		at      time.Duration // when its request is answered
	}{
		{"free", nil, "a", 0},
		{"free for another endpoint", []string{"a", "a"}, "b", 0},
		{"the endpoint has its share", []string{"a", "a"}, "a", 500 * time.Millisecond},
		{"none is free", []string{"a", "a", "b", "b"}, "b", 500 * time.Millisecond},
		{"none is free for a proved request", []string{"a", "a", "b", "b"}, "secret", 500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, []anymail.Option{roomFor(4)}, func(t *testing.T, srv *bubble) {
				for i, name := range tt.stalled {
					srv.open(t, fmt.Sprintf("192.0.2.%d", i), name, mega-100, stall)
				}
				status, took := srv.do(t, "198.51.100.1", tt.honest, large("1"))
				require.Equal(t, 200, status)
				require.LessOrEqual(t, took, tt.at)
				require.Equal(t, tt.at > 0, took > 0)
				require.Equal(t, tt.at > 0, srv.refused("the body arrived too slowly") > 0)
			})
		})
	}
}

// Proved requests get memory before others, others in their order, and those
// that get none within 15 seconds are told to retry. Small bodies need none.
func TestOrderOfMemory(t *testing.T) {
	inBubble(t, []anymail.Option{roomFor(1)}, func(t *testing.T, srv *bubble) {
		release := make(chan struct{})
		var mu sync.Mutex
		var order []string
		require.NoError(t, srv.Tracking.Connect("busy", func(_ context.Context, ev *anymail.TrackingEvent) error {
			mu.Lock()
			order = append(order, ev.ID)
			mu.Unlock()
			if ev.ID == "first" {
				<-release
			}
			return nil
		}))
		statuses := map[string]int{}
		var all sync.WaitGroup
		send := func(id, name string) {
			all.Go(func() {
				status, _ := srv.do(t, "198.51.100.1", name, large(id))
				mu.Lock()
				defer mu.Unlock()
				statuses[id] = status
			})
			synctest.Wait()
		}
		send("first", "a")
		send("late", "a")
		time.Sleep(10 * time.Second)
		send("second", "a")
		send("third", "b")
		send("proved", "secret")
		status, took := srv.do(t, "198.51.100.1", "a", delivered)
		require.Equal(t, 200, status)
		require.Zero(t, took, "a small body does not wait")
		time.Sleep(6 * time.Second)
		close(release)
		all.Wait()
		require.Empty(t, cmp.Diff(map[string]int{"first": 200, "late": 503, "second": 200, "third": 200, "proved": 200}, statuses))
		require.Empty(t, cmp.Diff([]string{"first", "1", "proved", "second", "third"}, order))
	})
}

// A body of unknown length takes the memory for the largest one until it is
// complete. So does one that counts more than the bound.
func TestMemoryForUnknownLengths(t *testing.T) {
	limits := anymail.WithLimits(anymail.Limits{Body: 4 * mega})
	inBubble(t, []anymail.Option{roomFor(2), limits}, func(t *testing.T, srv *bubble) {
		c := srv.dial(t, "192.0.2.1")
		text := large("1")
		c.begin(t, to("a", text), "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s", len(text), text[:mega/2]))
		honest := make(chan time.Duration)
		go func() {
			_, took := srv.do(t, "198.51.100.1", "b", large("2"))
			honest <- took
		}()
		time.Sleep(100 * time.Millisecond)
		_, err := io.WriteString(c, text[mega/2:]+"\r\n0\r\n\r\n")
		require.NoError(t, err)
		require.Equal(t, 200, c.status(t))
		require.Equal(t, 100*time.Millisecond, <-honest)
	})
}

// What a Verifier decompresses counts, and so does what an adapter fetches.
func TestPayloadCountsMemory(t *testing.T) {
	text := large("1")
	zipped := gzipText(t, text)
	for _, tt := range []struct {
		name string
		room int
		read func(*anymail.Payload) ([]byte, error)
		want error
	}{
		{"gunzip", 1, func(p *anymail.Payload) ([]byte, error) { return p.Gunzip([]byte(zipped)) }, nil},
		{"gunzip, no room", 1, func(p *anymail.Payload) ([]byte, error) {
			_, _ = p.Gunzip([]byte(zipped))
			return p.Gunzip([]byte(zipped))
		}, anymail.ErrUnavailable},
		{"read", 1, func(p *anymail.Payload) ([]byte, error) {
			return p.ReadAll(strings.NewReader(text), int64(len(text)), mega)
		}, nil},
		{"read too much", 3, func(p *anymail.Payload) ([]byte, error) {
			return p.ReadAll(strings.NewReader(text), -1, mega/2)
		}, anymail.ErrTooLarge},
		{"read, no room", 1, func(p *anymail.Payload) ([]byte, error) {
			_, _ = p.ReadAll(strings.NewReader(text), mega, mega)
			return p.ReadAll(strings.NewReader(text), mega, mega)
		}, anymail.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got error
			a := newAcme("key")
			a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
				var content []byte
				if content, got = tt.read(p); got == nil {
					require.Equal(t, text, string(content))
				}
				return nil, got
			})
			srv := newTestServer(t, a, roomFor(tt.room), anymail.WithLimits(anymail.Limits{Body: 2 * mega}))
			for range 2 { // all is given back
				srv.do(t, newPost("{}").sign("key", time.Now()))
				require.ErrorIs(t, got, tt.want)
			}
		})
	}
	p := &anymail.Payload{}
	got, err := p.Gunzip([]byte(zipped))
	require.NoError(t, err, "a payload that no Dispatcher made")
	require.Equal(t, text, string(got))
	for _, broken := range []string{"", "no gzip", zipped[:len(zipped)/2]} {
		_, err = p.Gunzip([]byte(broken))
		require.ErrorIs(t, err, anymail.ErrMalformed)
	}
}

// GOMEMLIMIT lowers the default. It is read at the start of a program.
func TestMemoryLimitLowersTheDefault(t *testing.T) {
	if os.Getenv("GOMEMLIMIT") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryLimitLowersTheDefault$")
		cmd.Env = append(os.Environ(), "GOMEMLIMIT=40MiB")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	require.EqualValues(t, 20<<20, anymail.DefaultMemory())
}

func TestIntakeOptions(t *testing.T) {
	d, err := anymail.New()
	require.NoError(t, err)
	for name, option := range map[string]anymail.Option{
		"memory": anymail.WithMaxMemory(1), "reading": anymail.WithMaxReading(1),
	} {
		require.ErrorIs(t, d.Register("acme", newAcme("key"), option), anymail.ErrConfig, "%s is for all adapters together", name)
	}
	for name, option := range map[string]anymail.Option{
		"memory": anymail.WithMaxMemory(0), "reading": anymail.WithMaxReading(0),
	} {
		_, err := anymail.New(option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
}
