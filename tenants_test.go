package anymail_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// directory is a resolver for tests: every name that begins with "shop" has an
// account, whose key is the name.
type directory struct {
	calls atomic.Int64
	err   atomic.Pointer[error] // what it returns, if set
}

func (d *directory) resolve(_ context.Context, name string) (anymail.Adapter, []anymail.Option, error) {
	d.calls.Add(1)
	if err := d.err.Load(); err != nil {
		return nil, nil, *err
	}
	if !strings.HasPrefix(name, "shop") {
		return nil, nil, anymail.ErrUnknownTenant
	}
	return newAcme(name), nil, nil
}

func (d *directory) fail(err error) { d.err.Store(&err) }

func (d *directory) recover() { d.err.Store(nil) }

// tenantClock is a clock that a test moves.
type tenantClock struct{ offset atomic.Int64 }

func (c *tenantClock) now() time.Time           { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *tenantClock) advance(by time.Duration) { c.offset.Add(int64(by)) }

func newTenantServer(t *testing.T, cache anymail.TenantCache, options ...anymail.Option) (*testServer, *directory, *tenantClock) {
	t.Helper()
	known, clock := new(directory), new(tenantClock)
	options = append([]anymail.Option{
		anymail.WithTenants(known.resolve, cache), anymail.WithClock(clock.now), anymail.WithLogger(quiet),
	}, options...)
	return newTestServer(t, newAcme("key"), options...), known, clock
}

// webhook is an event that is new each time.
func webhook(name string, at time.Time) post {
	body := strings.Replace(delivered, `"1"`, fmt.Sprintf("%q", fmt.Sprint(serial.Add(1))), 1)
	return newPost(body).sign(name, at).at(name)
}

var serial atomic.Int64

func TestTenants(t *testing.T) {
	srv, known, clock := newTenantServer(t, anymail.TenantCache{Lifetime: time.Minute, UnknownLifetime: 10 * time.Second})
	status := func(name string) int { return srv.do(t, webhook(name, clock.now())).StatusCode }

	steps := []struct {
		name   string
		before func()
		tenant string
		status int
		calls  int64 // in all
	}{
		{"the first request", nil, "shop-1", 200, 1},
		{"from the cache", nil, "shop-1", 200, 1},
		{"another", nil, "shop-2", 200, 2},
		{"another spelling is another name", nil, "shop_-2", 200, 3},
		{"a registered name", func() { require.NoError(t, srv.Register("shop-3", newAcme("shop-3"))) }, "shop-3", 200, 3},
		{"unknown", nil, "nobody", 404, 4},
		{"unknown, remembered", nil, "nobody", 404, 4},
		{"unknown, no longer remembered", func() { clock.advance(11 * time.Second) }, "nobody", 404, 5},
		{"too long for a name", nil, strings.Repeat("shop", 100), 404, 5},
		{"no name", nil, "shop%20", 404, 5},
		{"the resolver fails", func() { known.fail(errors.New("no database")) }, "shop-4", 503, 6},
		{"an error is not remembered", nil, "shop-4", 503, 7},
		{"but what was resolved is", nil, "shop-1", 200, 7},
		{"until its lifetime ends", func() { clock.advance(time.Minute) }, "shop-1", 503, 8},
		{"the resolver works again", known.recover, "shop-1", 200, 9},
		{"forgotten", func() { srv.ForgetTenant("shop-1") }, "shop-1", 200, 10},
		{"removed", func() { known.fail(anymail.ErrUnknownTenant); srv.ForgetTenant("shop-1") }, "shop-1", 404, 11},
		{"added again", func() { known.recover(); srv.ForgetTenant("shop-1") }, "shop-1", 200, 12},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if step.before != nil {
				step.before()
			}
			require.Equal(t, step.status, status(step.tenant))
			require.Equal(t, step.calls, known.calls.Load())
		})
	}
	for _, ev := range srv.take() {
		require.True(t, strings.HasPrefix(ev.Account, "shop"), ev.Account)
	}
}

// Keys, secrets and limits are those of the account.
func TestTenantOptions(t *testing.T) {
	const second = "esp:a-Second-Strong-Password"
	srv := newTestServer(t, newAcme("key"), anymail.WithTenants(func(_ context.Context, name string) (anymail.Adapter, []anymail.Option, error) {
		switch name {
		case "secret":
			return newAcme("key"), []anymail.Option{anymail.WithSharedSecret(second)}, nil
		case "small":
			return newAcme("key"), []anymail.Option{anymail.WithLimits(anymail.Limits{Body: 10})}, nil
		case "weak":
			return newAcme("key"), []anymail.Option{anymail.WithSharedSecret("esp:short")}, nil
		case "none":
			return nil, nil, nil
		case "panics":
			panic("a bug in the resolver")
		case "exits":
			runtime.Goexit()
		}
		return newAcme("key"), nil, nil
	}, anymail.TenantCache{}))
	p := newPost(delivered).sign("key", time.Now())
	for name, want := range map[string]int{"plain": 200, "secret": 400, "small": 413, "weak": 503, "none": 503, "panics": 503, "exits": 503} {
		resp := srv.do(t, p.at(name))
		require.Equal(t, want, resp.StatusCode, name)
		require.Equal(t, want == 503, resp.Header.Get("Retry-After") != "", name)
	}
	require.Equal(t, 200, srv.do(t, p.at("secret").with("Authorization", basic(second))).StatusCode)
	require.NotContains(t, srv.log.String(), "esp:short")
}

func TestTenantsIsAnOptionOfNew(t *testing.T) {
	_, err := anymail.New(anymail.WithTenants(nil, anymail.TenantCache{}))
	require.ErrorIs(t, err, anymail.ErrConfig)
	known := anymail.WithTenants(new(directory).resolve, anymail.TenantCache{})
	d, err := anymail.New(known)
	require.NoError(t, err)
	require.ErrorContains(t, d.Register("acme", newAcme("key"), known), "option of New alone")
}

// Requests for one name share a look-up. One that is forgotten meanwhile is not
// remembered.
func TestTenantLookupsAreShared(t *testing.T) {
	var calls atomic.Int64
	release := make(chan struct{})
	srv := newTestServer(t, newAcme("key"), anymail.WithLogger(quiet), anymail.WithTenants(func(context.Context, string) (anymail.Adapter, []anymail.Option, error) {
		calls.Add(1)
		<-release
		return newAcme("shop"), nil, nil
	}, anymail.TenantCache{}))
	var requests sync.WaitGroup
	for range 20 {
		requests.Go(func() { assert.Equal(t, 200, srv.do(t, webhook("shop", time.Now())).StatusCode) })
	}
	require.Eventually(t, func() bool { return calls.Load() == 1 }, 10*time.Second, time.Millisecond)
	time.Sleep(50 * time.Millisecond) // for the others to arrive
	require.EqualValues(t, 1, calls.Load())
	srv.ForgetTenant("shop")
	close(release)
	requests.Wait()
	before := calls.Load()
	require.LessOrEqual(t, before, int64(2))
	require.Equal(t, 200, srv.do(t, webhook("shop", time.Now())).StatusCode)
	require.EqualValues(t, 2, calls.Load())
}

// A client that asks for random names cannot have the resolver called without bound,
// nor displace the accounts that are in use.
func TestRandomTenantNames(t *testing.T) {
	srv, known, clock := newTenantServer(t, anymail.TenantCache{Size: 4, UnknownRate: anymail.Rate{PerSecond: 0.01, Burst: 20}})
	require.Equal(t, 200, srv.do(t, webhook("shop", clock.now())).StatusCode)
	statuses := map[int]int{}
	for i := range 200 {
		statuses[srv.do(t, newPost(delivered).at(fmt.Sprint("random-", i))).StatusCode]++
	}
	require.Equal(t, map[int]int{http.StatusNotFound: 20, http.StatusTooManyRequests: 180}, statuses)
	require.EqualValues(t, 21, known.calls.Load())
	require.Equal(t, 200, srv.do(t, webhook("shop", clock.now())).StatusCode, "the account is still there")
	require.EqualValues(t, 21, known.calls.Load())
}

// Names by many clients, or over a Unix socket, fall under no rate. The number of
// look-ups at once and of names in memory is bounded all the same.
func TestTenantLookupsAreBounded(t *testing.T) {
	const most = 3
	var now, peak atomic.Int64
	release := make(chan struct{})
	var refused atomic.Int64
	hooks := anymail.Hooks{Rejected: func(_ context.Context, r anymail.Rejection) {
		var of *anymail.RequestError
		if errors.As(r.Err, &of) && strings.HasPrefix(of.Name, "random-") && errors.Is(r.Err, anymail.ErrUnavailable) && r.Status == 503 && r.RemoteAddr.IsLoopback() {
			refused.Add(1)
		}
	}}
	srv := newTestServer(t, newAcme("key"), anymail.WithLogger(quiet), anymail.WithHooks(hooks), anymail.WithTenants(func(_ context.Context, name string) (anymail.Adapter, []anymail.Option, error) {
		if name == "shop" {
			return newAcme(), nil, nil
		}
		peak.Store(max(peak.Load(), now.Add(1)))
		defer now.Add(-1)
		<-release
		return nil, nil, anymail.ErrUnknownTenant
	}, anymail.TenantCache{Lookups: most}))
	require.Equal(t, 200, srv.do(t, newPost(delivered).at("shop")).StatusCode)
	statuses := make(chan int)
	for i := range 20 {
		go func() { statuses <- srv.do(t, newPost(delivered).at(fmt.Sprint("random-", i))).StatusCode }()
	}
	for range 20 - most {
		require.Equal(t, 503, <-statuses)
	}
	require.EqualValues(t, 20-most, refused.Load())
	require.Equal(t, 200, srv.do(t, newPost(delivered).at("shop")).StatusCode, "an account in the cache needs no look-up")
	close(release)
	for range most {
		require.Equal(t, 404, <-statuses)
	}
	require.LessOrEqual(t, peak.Load(), int64(most))
}

func TestTenantMemoryIsBounded(t *testing.T) {
	known := new(directory)
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet),
		anymail.WithTenants(known.resolve, anymail.TenantCache{Size: 100, Unknown: 100}))
	require.NoError(t, err)
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			for _, name := range []string{"shop", "random"} {
				anymail.FindTenant(d, fmt.Sprint(name, i))
			}
		}
	}
	ask(0, 1000)
	require.LessOrEqual(t, anymail.TenantsInMemory(d), 200)
	ask(1000, 20_000)
	require.LessOrEqual(t, anymail.TenantsInMemory(d), 200)
}

// A resolver that ignores its context does not keep a request.
func TestTenantLookupTime(t *testing.T) {
	release := make(chan struct{})
	srv := newTestServer(t, newAcme("key"), anymail.WithLogger(quiet), anymail.WithTenants(func(context.Context, string) (anymail.Adapter, []anymail.Option, error) {
		<-release
		return nil, nil, anymail.ErrUnknownTenant
	}, anymail.TenantCache{Timeout: 50 * time.Millisecond}))
	require.Equal(t, 503, srv.do(t, newPost(delivered).at("shop")).StatusCode)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, srv.Shutdown(ctx), context.DeadlineExceeded, "it waits for the look-up")
	close(release)
	require.NoError(t, srv.Shutdown(t.Context()))
	require.Equal(t, 503, srv.do(t, newPost(delivered).at("another")).StatusCode, "after Shutdown")
}

// Tenants come and go while requests for them run.
func TestTenantsWhileServing(t *testing.T) {
	srv, _, _ := newTenantServer(t, anymail.TenantCache{Size: 4})
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for j := range 50 {
				name := fmt.Sprint("shop-", (i+j)%8)
				srv.ForgetTenant(name)
				assert.Equal(t, 200, srv.do(t, webhook(name, time.Now())).StatusCode)
			}
		})
	}
	clients.Wait()
	require.Len(t, srv.take(), 200)
}
