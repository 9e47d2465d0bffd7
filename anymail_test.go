package anymail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func TestMountedOnServeMux(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme("key")))
	mux := http.NewServeMux()
	mux.Handle("/deep/down/", http.StripPrefix("/deep/down", d))
	srv := &testServer{url: serve(t, mux)}
	p := newPost(delivered).sign("key", time.Now())
	p.path = "/deep/down/acme/tracking/"
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	p.path = "/deep/down/acme/"
	require.Equal(t, 404, srv.do(t, p).StatusCode)
}

func TestRoutes(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet))
	require.NoError(t, err)
	a, root := newAcme("key"), newAcme("key")
	root.endpoint.Path = ""
	require.NoError(t, d.Register("acme", a))
	require.NoError(t, d.Register("root", root))
	for path, want := range map[string]int{
		"/acme/tracking": 405, "/acme/tracking/": 405, "/acme/tracking//": 404, "/acme//tracking": 404, "//acme/tracking": 404,
		"/acme/tracking/x": 404, "/acme/": 404, "/acme": 404, "/": 404, "": 404, "/acme/tracking%2F": 404,
		"/root": 405, "/root/": 405, "/root//": 404, "/ro_ot": 405,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("BREW", "http://example.com"+path, nil)
		d.ServeHTTP(w, r)
		require.Equal(t, want, w.Code, path)
	}
}

// The Dispatcher leaves the URL parameters of the routes around it alone.
func TestMountedBelowParameters(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithPublicURL("https://example.com/x"))
	require.NoError(t, err)
	a := newAcme("key")
	a.endpoint.Path = ""
	var url, tenant string
	a.endpoint.Parser = anymail.ParserFunc(func(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		url, tenant = p.URL, chi.URLParamFromCtx(ctx, "endpoint")
		return nil, nil
	})
	require.NoError(t, d.Register("acme", a))
	router := chi.NewRouter()
	router.Route("/{name}", func(r chi.Router) {
		r.Route("/{endpoint}", func(r chi.Router) { r.Mount("/hooks", d) })
	})
	srv := &testServer{url: serve(t, router)}
	p := newPost("[]").sign("key", time.Now())
	p.path = "/acme/tracking/hooks/acme"
	require.Equal(t, 200, srv.do(t, p).StatusCode)
	require.Equal(t, "https://example.com/x/acme", url)
	require.Equal(t, "tracking", tenant)
}

func TestRegisterRefuses(t *testing.T) {
	open := acme{anymail.Endpoint{Path: "tracking", Parser: newAcme().endpoint.Parser}}
	test := newAcme("key")
	test.endpoint.TestOnly = true
	tests := []struct {
		name    string
		as      string
		adapter anymail.Adapter
		options []anymail.Option
		want    string // in the error; "" if there is no error
	}{
		{"signature alone", "a", newAcme("key"), nil, ""},
		{"secret alone", "a", open, []anymail.Option{anymail.WithSharedSecret(secret)}, ""},
		{"neither", "a", open, nil, "any client could post"},
		{"explicitly insecure", "a", open, []anymail.Option{anymail.Insecure()}, ""},
		{"empty name", "", newAcme("key"), nil, "a name must have"},
		{"name with a slash", "a/b", newAcme("key"), nil, "a name must have"},
		{"name taken", "taken", newAcme("key"), nil, "already registered"},
		{"name taken, except for an underscore", "ta_ken", newAcme("key"), nil, "already registered"},
		{"no parser", "a", acme{anymail.Endpoint{Path: "tracking", Verifier: newAcme("key").endpoint.Verifier}}, nil, "no parser"},
		{"secret without a user", "a", open, []anymail.Option{anymail.WithSharedSecret("a-Long-Enough-Password")}, "user:password"},
		{"short secret", "a", open, []anymail.Option{anymail.WithSharedSecret("esp:short")}, "16 characters"},
		{"secret of one character", "a", open, []anymail.Option{anymail.WithSharedSecret("esp:aaaaaaaaaaaaaaaaaaaaaaaa")}, "different characters"},
		{"reject status", "a", newAcme("key"), []anymail.Option{anymail.WithRejectStatus(200)}, "must be 400 to 499"},
		{"public URL", "a", newAcme("key"), []anymail.Option{anymail.WithPublicURL("example.com/x")}, "absolute"},
		{"for tests", "a", test, nil, ""},
		{"for tests, with RequireTLS", "a", test, []anymail.Option{anymail.RequireTLS()}, "RequireTLS is for production"},
		{"for tests, with RequireTLS of the endpoint", "a", test, []anymail.Option{anymail.WithEndpointOptions("tracking", anymail.RequireTLS())}, "RequireTLS is for production"},
		{"max in flight", "a", newAcme("key"), []anymail.Option{anymail.WithMaxInFlight(0)}, "at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := anymail.New()
			require.NoError(t, err)
			require.NoError(t, d.Register("taken", newAcme("key")))
			err = d.Register(tt.as, tt.adapter, tt.options...)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, anymail.ErrConfig)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "a-Long-Enough-Password")
		})
	}
}

func TestRegisterWarnsOfTestOnly(t *testing.T) {
	for _, testOnly := range []bool{false, true} {
		var log bytes.Buffer
		d, err := anymail.New(anymail.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		require.NoError(t, err)
		a := newAcme("key")
		a.endpoint.TestOnly = testOnly
		require.NoError(t, d.Register("acme", a))
		require.Equal(t, testOnly, strings.Contains(log.String(), "level=WARN"), log.String())
	}
}

func TestRegisterRefusesAdapters(t *testing.T) {
	d, err := anymail.New()
	require.NoError(t, err)
	require.ErrorIs(t, d.Register("a", nil), anymail.ErrConfig)
	require.ErrorIs(t, d.Register("a", noEndpoints{}), anymail.ErrConfig)
	deep := newAcme("key")
	deep.endpoint.Path = "tracking/more"
	require.ErrorIs(t, d.Register("a", deep), anymail.ErrConfig)
}

type noEndpoints struct{}

func (noEndpoints) ESP() string                   { return "none" }
func (noEndpoints) Endpoints() []anymail.Endpoint { return nil }

// Adapters are registered while requests run.
func TestRegisterWhileServing(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithLogger(quiet), anymail.WithoutReplayCheck())
	registered := make(chan error)
	go func() {
		defer close(registered)
		for i := range 100 {
			registered <- srv.Register(fmt.Sprint("acme-", i), newAcme("key"))
		}
	}()
	p := newPost(delivered).sign("key", time.Now())
	for err := range registered {
		require.NoError(t, err)
		require.Equal(t, 200, srv.do(t, p).StatusCode)
	}
	p.path = "/hooks/acme-99/tracking/"
	require.Equal(t, 200, srv.do(t, p).StatusCode)
}

// at is the request, sent to another account.
func (p post) at(name string) post {
	p.path = "/hooks/" + name + "/tracking/"
	return p
}

func TestReplace(t *testing.T) {
	srv := newTestServer(t, newAcme("old key"))
	require.ErrorIs(t, srv.Replace("acme", noEndpoints{}), anymail.ErrConfig)
	now := time.Now()
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("old key", now)).StatusCode, "the old one stays after an error")

	require.NoError(t, srv.Replace("ac_me", newAcme("new key")), "underscores do not count")
	require.Equal(t, 400, srv.do(t, newPost(delivered).sign("old key", now)).StatusCode)
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("new key", now)).StatusCode)
	require.ErrorContains(t, srv.Register("acme", newAcme("key")), "already registered")

	require.NoError(t, srv.Replace("another", newAcme("key")), "it registers what there is not yet")
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", now).at("another")).StatusCode)
}

func TestUnregister(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	p := newPost(delivered).sign("key", time.Now())
	require.False(t, srv.Unregister("other"))
	require.True(t, srv.Unregister("acme"))
	require.False(t, srv.Unregister("acme"))
	require.Equal(t, 404, srv.do(t, p).StatusCode)
	require.Contains(t, srv.log.String(), "0 endpoints are registered")
	require.NoError(t, srv.Register("acme", newAcme("key")))
	require.Equal(t, 200, srv.do(t, p).StatusCode)
}

// A request that has begun ends with the adapter that it began with.
func TestReplaceInFlight(t *testing.T) {
	for name, change := range map[string]func(*testServer) bool{
		"replaced":     func(srv *testServer) bool { return srv.Replace("acme", newAcme("new key")) == nil },
		"unregistered": func(srv *testServer) bool { return srv.Unregister("acme") },
	} {
		t.Run(name, func(t *testing.T) {
			adapter := newAcme("key")
			parser := adapter.endpoint.Parser
			entered, release := make(chan struct{}), make(chan struct{})
			adapter.endpoint.Parser = anymail.ParserFunc(func(ctx context.Context, p *anymail.Payload) ([]anymail.Event, error) {
				close(entered)
				<-release
				return parser.ParseEvents(ctx, p)
			})
			srv := newTestServer(t, adapter)
			status := make(chan int)
			go func() { status <- srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode }()
			<-entered
			require.True(t, change(srv))
			close(release)
			require.Equal(t, 200, <-status)
			require.Len(t, srv.take(), 1)
		})
	}
}

// Accounts come, change and go while requests run, and no request to an account
// that is there throughout is refused.
func TestReplaceWhileServing(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithLogger(quiet), anymail.WithoutReplayCheck())
	done := make(chan struct{})
	var changes sync.WaitGroup
	for i := range 4 {
		changes.Go(func() {
			own := fmt.Sprint("acme-", i)
			for {
				select {
				case <-done:
					return
				default:
				}
				assert.NoError(t, srv.Replace("acme", newAcme("key")))
				assert.NoError(t, srv.Register(own, newAcme("key")))
				assert.True(t, srv.Unregister(own))
			}
		})
	}
	p := newPost(delivered).sign("key", time.Now())
	for range 200 {
		require.Equal(t, 200, srv.do(t, p).StatusCode)
		require.Contains(t, []int{200, 404}, srv.do(t, p.at("acme-1")).StatusCode)
	}
	close(done)
	changes.Wait()
}

// A request reaches an endpoint only by the endpoint's own path, and every spelling
// of the path meets the same checks.
func TestPaths(t *testing.T) {
	srv := newTestServer(t, newAcme())
	open := acme{anymail.Endpoint{Path: "open", Parser: newAcme().endpoint.Parser}}
	require.NoError(t, srv.Register("other", open, anymail.WithoutSharedSecret(), anymail.Insecure()))
	for _, path := range []string{
		"//hooks/acme/tracking/", "/hooks//acme/tracking/", "/hooks/acme//tracking/", "/hooks/acme/tracking//",
		"/hooks/./acme/tracking/", "/hooks/acme/../acme/tracking/", "/hooks/other/../acme/tracking/", "/hooks/other/open/../../acme/tracking/",
		"/hooks/other/%2e%2e/acme/tracking/", "/hooks/other%2f..%2facme/tracking/", "/hooks/acme%2ftracking/", "/hooks/acme%2Ftracking",
		"/hooks/acme/track%69ng/", "/hooks/%61cme/tracking/", "/hooks/acme/tracking%00/", "/hooks/acme/tracking%20/", "/hooks/acme/tracking;x=1/",
		"/hooks/ACME/tracking/", "/hooks/acme/Tracking/", "/HOOKS/acme/tracking/", "/hooks/acme\\tracking/",
		"/hooks/acme/tracking/?x", "/hooks/acme/tracking?/hooks/other/open/", "/hooks/ac_me/trac_king", "/hooks/_acme_/tracking/",
		"/hooks/acme/open/", "/hooks/other/tracking/", "/hooks/acme/", "/hooks/acme",
	} {
		t.Run(path, func(t *testing.T) {
			p := newPost(delivered).with("Authorization", "")
			c := dial(t, srv)
			p.path = path
			c.begin(t, p, fmt.Sprintf("Content-Length: %d", len(p.body)), p.body)
			require.Contains(t, []int{400, 404}, c.status(t))
			require.Empty(t, srv.take())
		})
	}
}

// An unknown method gets the same answer as any other that is not POST.
func TestUnknownMethods(t *testing.T) {
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme()))
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("SMUGGLE", "/acme/tracking/", nil))
	require.Equal(t, 405, w.Code)
	require.Equal(t, "POST, HEAD", w.Header().Get("Allow"))
}

// Accounts of one ESP have their own keys, and a request for one account is refused
// at another.
func TestAccounts(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	const second = "esp:a-Second-Strong-Password"
	require.NoError(t, srv.Register("acme-eu", newAcme("key of eu")))
	require.NoError(t, srv.Register("acme-own", newAcme("key of own"), anymail.WithSharedSecret(second)))
	require.NoError(t, srv.Register("acme-same", newAcme("key")))
	event := func(id string) string { return `{"ID":"` + id + `","Event":"delivered"}` }
	at := func(name string, p post) post {
		p.path = "/hooks/" + name + "/tracking/"
		return p
	}
	now := time.Now()
	tests := []struct {
		name   string
		post   post
		status int
		events int
	}{
		{"own key", at("acme", newPost(event("1")).sign("key", now)), 200, 1},
		{"own key of the second", at("acme-eu", newPost(event("2")).sign("key of eu", now)), 200, 1},
		{"another account's key", at("acme-eu", newPost(event("3")).sign("key", now)), 400, 0},
		{"the other way round", at("acme", newPost(event("4")).sign("key of eu", now)), 400, 0},
		{"own key, another account's secret", at("acme-own", newPost(event("5")).sign("key of own", now)), 400, 0},
		{"own key and secret", at("acme-own", newPost(event("6")).sign("key of own", now).with("Authorization", basic(second))), 200, 1},
		{"replayed", at("acme", newPost(event("1")).sign("key", now)), 400, 0},
		{"replayed at an account with another key", at("acme-eu", newPost(event("1")).sign("key", now)), 400, 0},
		// The request is authentic there, but its event is completed.
		{"replayed at an account with the same key", at("acme-same", newPost(event("1")).sign("key", now)), 200, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.status, srv.do(t, tt.post).StatusCode)
			require.Len(t, srv.take(), tt.events)
		})
	}
}

// Two accounts whose ESP gives the same ids: by option, an event of one does not
// count as completed in the other.
func TestAccountKeys(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name    string
		options []anymail.Option
		second  int // events of the second account
	}{
		{"shared", nil, 0},
		{"of the account", []anymail.Option{anymail.WithAccountKeys()}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := newTestServer(t, newAcme("key"), tt.options...)
			require.NoError(t, srv.Register("acme-eu", newAcme("key of eu")))
			require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", now)).StatusCode)
			first := srv.take()
			require.Len(t, first, 1)
			require.Equal(t, "acme", first[0].Account)
			require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key of eu", now).at("acme-eu")).StatusCode)
			second := srv.take()
			require.Len(t, second, tt.second)
			for _, ev := range second {
				require.Equal(t, "acme-eu", ev.Account)
				require.NotEqual(t, first[0].Key, ev.Key)
			}

			again := newPost(delivered).sign("key", now.Add(time.Second)) // a redelivery
			require.Equal(t, 200, srv.do(t, again).StatusCode)
			require.Empty(t, srv.take())
			require.Equal(t, 400, srv.do(t, again).StatusCode, "a replay")
		})
	}
}

func TestOverloadAndShutdown(t *testing.T) {
	srv := newTestServer(t, newAcme("key"), anymail.WithMaxInFlight(1))
	entered, release := make(chan struct{}), make(chan struct{})
	require.NoError(t, srv.Tracking.Connect("slow", func(context.Context, *anymail.TrackingEvent) error {
		entered <- struct{}{}
		<-release
		return nil
	}))
	status := make(chan int, 1)
	go func() { status <- srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode }()
	<-entered

	other := newPost(strings.Replace(delivered, "1", "2", 1)).sign("key", time.Now())
	resp := srv.do(t, other)
	require.Equal(t, 503, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("Retry-After"))

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, srv.Shutdown(ctx), context.DeadlineExceeded)
	close(release)
	require.Equal(t, 200, <-status)
	require.NoError(t, srv.Shutdown(t.Context()))
	require.Equal(t, 503, srv.do(t, other).StatusCode)
	require.Len(t, srv.take(), 1)
}

// Shutdown waits until each request has its response and its hooks have ended.
func TestShutdownWaitsForTheAnswer(t *testing.T) {
	answering, answered := make(chan struct{}), make(chan struct{})
	srv := newTestServer(t, newAcme("key"), anymail.WithHooks(anymail.Hooks{
		Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return ctx, func(anymail.RequestResult) { close(answering); <-answered }
		},
	}))
	status := make(chan int, 1)
	go func() { status <- srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode }()
	<-answering
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, srv.Shutdown(ctx), context.DeadlineExceeded)
	close(answered)
	require.NoError(t, srv.Shutdown(t.Context()))
	require.Equal(t, 200, <-status)
}

func TestNewStartsAndShutdownStopsARunningQueue(t *testing.T) {
	q := &runningQueue{err: errors.New("a receiver is still running")}
	var runs []string
	srv := newTestServer(t, newAcme("key"), q.option(), anymail.WithHooks(anymail.Hooks{
		Receiver: func(ctx context.Context, receiver string, _ anymail.Event) (context.Context, func(error)) {
			runs = append(runs, receiver)
			return ctx, func(error) { panic("a hook only observes") }
		},
	}))
	require.Same(t, q, srv.Queue())
	require.Equal(t, http.StatusOK, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Len(t, srv.take(), 1, "the queue runs the Dispatcher's receivers")
	require.Equal(t, []string{"keep"}, runs, "and its hooks")
	require.Contains(t, srv.log.String(), "the queue has run")
	require.ErrorIs(t, srv.Shutdown(t.Context()), q.err)
	require.Equal(t, []string{"start", "enqueue", "shutdown"}, q.calls)
}

func TestShutdownLeavesWithQueueOpen(t *testing.T) {
	q := &runningQueue{}
	d, err := anymail.New(anymail.WithQueue(q))
	require.NoError(t, err)
	require.Same(t, q, d.Queue())
	require.NoError(t, d.Shutdown(t.Context()))
	require.Empty(t, q.calls)
}

func TestRunningQueueFailsToStart(t *testing.T) {
	broken := errors.New("no database")
	_, err := anymail.New(anymail.WithRunningQueue(func(anymail.QueueHost) (anymail.RunningQueue, error) { return nil, broken }))
	require.ErrorIs(t, err, broken)
	_, err = anymail.New(anymail.WithRunningQueue(nil))
	require.ErrorIs(t, err, anymail.ErrConfig)

	q := &runningQueue{}
	_, err = anymail.New(q.option(), anymail.WithMaxInFlight(0))
	require.ErrorIs(t, err, anymail.ErrConfig)
	d, err := anymail.New(anymail.Insecure())
	require.NoError(t, err)
	require.ErrorIs(t, d.Register("acme", newAcme("key"), q.option()), anymail.ErrConfig, "a queue serves all adapters")
	require.Empty(t, q.calls, "New starts no queue that it would not stop")
	require.Nil(t, d.Queue())
}

// runningQueue runs events immediately and records the calls of its methods.
type runningQueue struct {
	host  anymail.QueueHost
	calls []string
	err   error
}

func (q *runningQueue) Enqueue(ctx context.Context, events []anymail.Event) error {
	q.calls = append(q.calls, "enqueue")
	_, end := q.host.Hooks.Receiver(ctx, "keep", events[0])
	err := q.host.Signals.Deliver(ctx, nil, events...)
	end(err)
	q.host.Logger.InfoContext(ctx, "the queue has run")
	return err
}

func (q *runningQueue) Shutdown(context.Context) error {
	q.calls = append(q.calls, "shutdown")
	return q.err
}

func (q *runningQueue) option() anymail.Option {
	return anymail.WithRunningQueue(func(host anymail.QueueHost) (anymail.RunningQueue, error) {
		q.host, q.calls = host, append(q.calls, "start")
		return q, nil
	})
}

// twoEndpoints signs its tracking and nothing else.
type twoEndpoints struct{ acme }

func (a twoEndpoints) Endpoints() []anymail.Endpoint {
	inbound := a.endpoint
	inbound.Path, inbound.Verifier = "inbound", nil
	return []anymail.Endpoint{a.endpoint, inbound}
}

// A signed endpoint and one that needs the shared secret live together.
func TestEndpointOptions(t *testing.T) {
	srv := newTestServer(t, newAcme("key"))
	adapter := twoEndpoints{newAcme("key")}
	require.NoError(t, srv.Register("two", adapter, anymail.WithEndpointOptions("tracking", anymail.WithoutSharedSecret())))
	send := func(endpoint string, signed, secret bool) int {
		p := newPost(delivered)
		p.path = "/hooks/two/" + endpoint + "/"
		if signed {
			p = p.sign("key", time.Now())
		}
		if !secret {
			p = p.with("Authorization", "")
		}
		return srv.do(t, p).StatusCode
	}
	require.Equal(t, 200, send("tracking", true, false), "the signature is enough")
	require.Equal(t, 400, send("tracking", false, true), "the secret is not")
	require.Equal(t, 200, send("inbound", false, true))
	require.Equal(t, 400, send("inbound", true, false))

	for name, options := range map[string][]anymail.Option{
		"no such endpoint": {anymail.WithEndpointOptions("trcking", anymail.WithoutSharedSecret())},
		"open":             {anymail.WithEndpointOptions("inbound", anymail.WithoutSharedSecret())},
		"invalid":          {anymail.WithEndpointOptions("inbound", anymail.WithRejectStatus(200))},
	} {
		require.ErrorIs(t, srv.Register("other", adapter, options...), anymail.ErrConfig, name)
	}
	_, err := anymail.New(anymail.WithEndpointOptions("tracking"))
	require.ErrorIs(t, err, anymail.ErrConfig)
}

// A source of secrets that is empty at the start is said, and a weak secret is an
// error.
func TestSharedSecretSourceAtTheStart(t *testing.T) {
	var log bytes.Buffer
	ring := new(anymail.KeyRing)
	d, err := anymail.New(anymail.WithSharedSecretSource(ring), anymail.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	require.NoError(t, d.Register("acme", newAcme("key")))
	require.Contains(t, log.String(), "no shared secret yet")
	for _, weak := range []string{"", "esp:short", secret + "\n"} {
		_, err = anymail.New(anymail.WithSharedSecretSource(anymail.NewKeyRing(secret, weak)))
		require.ErrorIs(t, err, anymail.ErrConfig)
		require.ErrorContains(t, err, "WithSharedSecretSource[1]")
	}
	_, err = anymail.New(anymail.WithSharedSecretSource(anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, errors.New("vault is sealed") })))
	require.NoError(t, err, "it may work by the time it is needed")
}
