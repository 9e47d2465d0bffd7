package anymail_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// What a receiver, a queue or a store returns may well be one of this package's
// errors, from a client of its own, say. It is this side's failure all the same:
// the ESP has to come again, and its address has done nothing wrong.
func TestStatusOfBorrowedErrors(t *testing.T) {
	borrowed := []error{
		anymail.ErrUnauthenticated, anymail.ErrReplayed, anymail.ErrForbidden, anymail.ErrRateLimited, anymail.ErrTooLarge,
		anymail.ErrUnsupportedMedia, anymail.ErrMethodNotAllowed, anymail.ErrMalformed, anymail.ErrUnavailable,
		anymail.Unauthenticated("signature mismatch"), fmt.Errorf("upstream: %w", anymail.Malformed("JSON", nil)),
		errors.Join(errors.New("first"), anymail.ErrMalformed),
		&anymail.RequestError{Err: anymail.ErrUnauthenticated},
	}
	for _, err := range borrowed {
		places := []struct {
			name   string
			option func(fail func() error) anymail.Option
			status int
			kind   error
		}{
			{"receiver", nil, 500, anymail.ErrReceiver},
			{"queue", func(fail func() error) anymail.Option {
				return anymail.WithQueue(queueFunc(func([]anymail.Event) error { return fail() }))
			}, 503, anymail.ErrUnavailable},
			{"store", func(fail func() error) anymail.Option {
				return anymail.WithIdempotencyStore(&faultyStore{IdempotencyStore: anymail.NewMemoryStore(0), claim: fail})
			}, 503, anymail.ErrUnavailable},
			{"shared secrets", func(fail func() error) anymail.Option {
				return anymail.WithSharedSecretSource(anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, fail() }))
			}, 503, anymail.ErrUnavailable},
		}
		for _, place := range places {
			t.Run(place.name+"/"+err.Error(), func(t *testing.T) {
				options := []anymail.Option{anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 1}})}
				if place.option != nil {
					options = append(options, place.option(func() error { return err }))
				}
				h := newHouse(t, newAcme("key"), options...)
				if place.option == nil {
					require.NoError(t, h.Tracking.Connect("fails", func(context.Context, *anymail.TrackingEvent) error { return err }))
				}
				for i := range 3 { // the address is not counted as one that forges
					p := newPost(delivered).sign("key", time.Now().Add(time.Duration(i)*time.Second))
					require.Equal(t, place.status, h.do(t, p).StatusCode)
				}
				require.ErrorIs(t, h.rejections[0].Err, place.kind)
				require.ErrorIs(t, h.rejections[0].Err, err)
				var requestErr *anymail.RequestError
				require.ErrorAs(t, h.rejections[0].Err, &requestErr)
				require.NotEqual(t, "signature mismatch", requestErr.Reason)
			})
		}
	}
}

// faultyStore fails where it is told to.
type faultyStore struct {
	anymail.IdempotencyStore
	claim  func() error
	finish func(receiver string) error
}

func (s *faultyStore) Claim(ctx context.Context, receiver string, keys []string) ([]anymail.Claim, error) {
	if s.claim != nil {
		if err := s.claim(); err != nil {
			return nil, err
		}
	}
	return s.IdempotencyStore.Claim(ctx, receiver, keys)
}

func (s *faultyStore) Finish(ctx context.Context, receiver, key string, done bool) error {
	if s.finish != nil {
		if err := s.finish(receiver); err != nil {
			return err
		}
	}
	return s.IdempotencyStore.Finish(ctx, receiver, key, done)
}

// A store that cannot take down what was done makes the ESP come again; what it
// did take down is not run again.
func TestStoreFailsInFinish(t *testing.T) {
	for _, of := range []string{"keep", "replay acme/tracking"} {
		t.Run(of, func(t *testing.T) {
			failing := true
			store := &faultyStore{IdempotencyStore: anymail.NewMemoryStore(0), finish: func(receiver string) error {
				if failing && receiver == of {
					return errors.New("disk full")
				}
				return nil
			}}
			h := newHouse(t, newAcme("key"), anymail.WithIdempotencyStore(store))
			p := newPost(delivered).sign("key", time.Now())
			require.Equal(t, 503, h.do(t, p).StatusCode)
			require.ErrorIs(t, h.rejections[0].Err, anymail.ErrUnavailable)
			require.Len(t, h.take(), 1)
			failing = false
			// The claim is still held, as after a crash: a store of several
			// processes ends it in time.
			require.Equal(t, 503, h.do(t, p).StatusCode)
			require.Empty(t, h.take())
		})
	}
}

// A store that answers for fewer keys than it was asked about has failed.
func TestStoreAnswersTooLittle(t *testing.T) {
	var s anymail.Signals
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error {
		t.Error("ran though nobody knows whether it had run")
		return nil
	}))
	err := s.Deliver(t.Context(), terseStore{}, event("acme", anymail.EventSent, "k"))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

type terseStore struct{}

func (terseStore) Claim(context.Context, string, []string) ([]anymail.Claim, error) { return nil, nil }
func (terseStore) Finish(context.Context, string, string, bool) error               { return nil }

// A connection on which a request was refused before its body was read serves
// the next request as if nothing had been.
func TestKeepAliveAfterRefusal(t *testing.T) {
	h := newHouse(t, newAcme("key"), anymail.WithLimits(anymail.Limits{Body: 100}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	good := newPost(delivered).sign("key", time.Now())
	answers := bufio.NewReader(conn)
	for _, tt := range []struct {
		post   post
		status int
	}{
		{good.with("Authorization", ""), 400},
		{newPost(strings.Repeat("x", 5000)), 413},
		{good, 200},
	} {
		req, err := http.NewRequest(tt.post.method, h.url+tt.post.path, strings.NewReader(tt.post.body))
		require.NoError(t, err)
		req.Header = tt.post.header
		require.NoError(t, req.Write(conn))
		resp, err := http.ReadResponse(answers, req)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.Equal(t, tt.status, resp.StatusCode)
	}
	require.Len(t, h.take(), 1)
}

// Less body than declared is a connection that broke, which a retry mends.
func TestBodyCutOff(t *testing.T) {
	h := newHouse(t, newAcme("key"))
	for _, encoding := range []string{"identity", "gzip"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		require.NoError(t, err)
		p := newPost(delivered)
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Encoding: %s\r\nContent-Length: 1000\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", p.path, p.header.Get("Authorization"), encoding)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Contains(t, string(answer), "503 Service Unavailable", encoding)
		require.NoError(t, conn.Close())
	}
}

// Hooks observe. One that panics changes neither the answer nor what is done.
func TestPanickingHooks(t *testing.T) {
	bug := func() { panic("a bug in the metrics") }
	tests := map[string]anymail.Hooks{
		"request": {Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			bug()
			return ctx, nil
		}},
		"request end": {Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return ctx, func(anymail.RequestResult) { bug() }
		}},
		"stage": {Stage: func(ctx context.Context, _ anymail.RequestInfo, _ anymail.Stage) (context.Context, func(error)) {
			bug()
			return ctx, nil
		}},
		"stage end": {Stage: func(ctx context.Context, _ anymail.RequestInfo, _ anymail.Stage) (context.Context, func(error)) {
			return ctx, func(error) { bug() }
		}},
		"receiver": {Receiver: func(ctx context.Context, _ string, _ anymail.Event) (context.Context, func(error)) {
			bug()
			return ctx, nil
		}},
		"receiver end": {Receiver: func(ctx context.Context, _ string, _ anymail.Event) (context.Context, func(error)) {
			return ctx, func(error) { bug() }
		}},
		"rejected": {Rejected: func(context.Context, anymail.Rejection) { bug() }},
		"no context": {Request: func(context.Context, anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return nil, nil
		}},
	}
	for name, hooks := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, newAcme("key"), anymail.WithHooks(hooks))
			now := time.Now()
			require.Equal(t, 200, h.do(t, newPost(delivered).sign("key", now)).StatusCode)
			require.Len(t, h.take(), 1)
			require.Equal(t, 400, h.do(t, newPost(delivered).sign("other", now)).StatusCode)
			require.Equal(t, 400, h.do(t, newPost(delivered).sign("key", now)).StatusCode, "a replay")
			if name != "no context" {
				require.Contains(t, h.log.String(), "a bug in the metrics")
			}
		})
	}
}

// Each hook that was begun is ended, after a panic too.
func TestHooksEnd(t *testing.T) {
	var open []string
	begin := func(name string) { open = append(open, name) }
	end := func(name string) {
		require.Equal(t, name, open[len(open)-1])
		open = open[:len(open)-1]
	}
	var outcome anymail.RequestResult
	hooks := anymail.Hooks{
		Request: func(ctx context.Context, info anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			begin(info.Name)
			return ctx, func(o anymail.RequestResult) { end(info.Name); outcome = o }
		},
		Stage: func(ctx context.Context, _ anymail.RequestInfo, stage anymail.Stage) (context.Context, func(error)) {
			begin(string(stage))
			return ctx, func(error) { end(string(stage)) }
		},
		Receiver: func(ctx context.Context, receiver string, _ anymail.Event) (context.Context, func(error)) {
			begin(receiver)
			return ctx, func(error) { end(receiver) }
		},
	}
	panics := newAcme("key")
	panics.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) { panic("bug") })
	for _, tt := range []struct {
		adapter acme
		status  int
		events  int
	}{{newAcme("key"), 200, 1}, {panics, 500, 0}} {
		h := newHouse(t, tt.adapter, anymail.WithHooks(hooks))
		require.Equal(t, tt.status, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
		require.Empty(t, open)
		require.Equal(t, tt.status, outcome.Status)
		require.Len(t, outcome.Events, tt.events)
		require.Equal(t, tt.status == 200, outcome.Err == nil)
	}

	// After a receiver that ends the goroutine, too. net/http hangs up then.
	h := newHouse(t, newAcme("key"), anymail.WithHooks(hooks))
	require.NoError(t, h.Tracking.Connect("leaves", func(context.Context, *anymail.TrackingEvent) error { runtime.Goexit(); return nil }))
	c := dial(t, h)
	c.begin(t, newPost(delivered).sign("key", time.Now()), fmt.Sprintf("Content-Length: %d", len(delivered)), delivered)
	_, err := http.ReadResponse(c.answers, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, h.Shutdown(t.Context()), "waits for the hooks")
	require.Empty(t, open)
	require.ErrorContains(t, outcome.Err, "Goexit")
}

// Whatever ends a delivery, no claim outlives it: otherwise the event would be
// taken for under way until the process ends.
func TestNoClaimOutlivesDelivery(t *testing.T) {
	store := anymail.NewMemoryStore(0)
	var s anymail.Signals
	leave := true
	require.NoError(t, s.Tracking.Connect("a", func(_ context.Context, ev *anymail.TrackingEvent) error {
		if ev.Key == "2" && leave {
			runtime.Goexit()
		}
		return nil
	}))
	events := []anymail.Event{event("acme", anymail.EventSent, "1"), event("acme", anymail.EventSent, "2"), event("acme", anymail.EventSent, "3")}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Deliver(t.Context(), store, events...)
	}()
	<-ended
	claims, err := store.Claim(t.Context(), "a", []string{"1", "2", "3"})
	require.NoError(t, err)
	require.Equal(t, []anymail.Claim{anymail.ClaimDone, anymail.ClaimGranted, anymail.ClaimGranted}, claims)
}

// The largest batch comes again while it is under way: to find that out takes
// time in proportion to its size. If it took the square, this would be minutes.
func TestBusyBatch(t *testing.T) {
	const n = 200_000
	store := anymail.NewMemoryStore(2 * n)
	keys, events := make([]string, n), make([]anymail.Event, n+1)
	for i := range keys {
		keys[i] = anymail.EventKey("acme", fmt.Sprint(i))
		events[i] = event("acme", anymail.EventSent, keys[i])
	}
	events[n] = event("acme", anymail.EventSent, "new")
	_, err := store.Claim(t.Context(), "a", keys)
	require.NoError(t, err)
	var s anymail.Signals
	ran := 0
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error { ran++; return nil }))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.ErrorIs(t, s.Deliver(ctx, store, events...), anymail.ErrUnavailable)
	require.Equal(t, 1, ran, "the last one, in time")
}

// A filter that panics fails its own receiver and no other.
func TestPanickingFilter(t *testing.T) {
	var s anymail.Signals
	ran := 0
	nop := func(context.Context, *anymail.TrackingEvent) error { ran++; return nil }
	require.NoError(t, s.Tracking.Connect("bad", nop, func(*anymail.Common) bool { panic("bug") }))
	require.NoError(t, s.Tracking.Connect("good", nop))
	err := s.Deliver(t.Context(), anymail.NewMemoryStore(0), event("acme", anymail.EventSent, "k"))
	var receiverErr *anymail.ReceiverError
	require.ErrorAs(t, err, &receiverErr)
	require.Equal(t, "bad", receiverErr.Receiver)
	require.Equal(t, 1, ran)
	require.ErrorIs(t, s.Tracking.Connect("none", nop, nil), anymail.ErrConfig)
}

// Shutdown returns when requests have ended, and they have not before they were
// answered and their hooks were told.
func TestShutdownWaitsForTheAnswer(t *testing.T) {
	answering, answered := make(chan struct{}), make(chan struct{})
	h := newHouse(t, newAcme("key"), anymail.WithHooks(anymail.Hooks{
		Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return ctx, func(anymail.RequestResult) { close(answering); <-answered }
		},
	}))
	status := make(chan int, 1)
	go func() { status <- h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode }()
	<-answering
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, h.Shutdown(ctx), context.DeadlineExceeded)
	close(answered)
	require.NoError(t, h.Shutdown(t.Context()))
	require.Equal(t, 200, <-status)
}

// The log line of a request stays one line of bounded length, however many
// receivers failed on however many events.
func TestLogLineIsBounded(t *testing.T) {
	h := newHouse(t, newAcme("key"))
	require.NoError(t, h.Tracking.Connect("fails", func(context.Context, *anymail.TrackingEvent) error { return errors.New("no database") }))
	var batch []string
	for i := range 1000 {
		batch = append(batch, strings.Replace(delivered, "1", fmt.Sprint(i), 1))
	}
	p := newPost("["+strings.Join(batch, ",")+"]").sign("key", time.Now())
	require.Equal(t, 500, h.do(t, p).StatusCode)
	for line := range strings.Lines(h.log.String()) {
		require.Less(t, len(line), 10_000)
	}
	require.Contains(t, h.log.String(), "no database")
	require.Greater(t, len(h.rejections[0].Err.Error()), 10_000, "the hook has it all")
}

// What an adapter fills in that has no JSON form would keep the event from ever
// being queued, and the ESP would come again for days.
func TestEventsHaveAJSONForm(t *testing.T) {
	nan := math.NaN()
	far := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) {
		return []anymail.Event{
			&anymail.TrackingEvent{Common: anymail.Common{ID: "1", Timestamp: far}},
			&anymail.InboundEvent{Common: anymail.Common{ID: "2"}, Message: anymail.InboundMessage{Date: far.In(time.FixedZone("", 3600)), SpamScore: &nan}},
		}, nil
	})
	var queued []anymail.Event
	h := newHouse(t, a, anymail.WithQueue(queueFunc(func(events []anymail.Event) error { queued = events; return nil })))
	require.Equal(t, 200, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Len(t, queued, 2)
	for _, ev := range queued {
		form, err := json.Marshal(ev)
		require.NoError(t, err)
		_, err = anymail.DecodeEvent(form)
		require.NoError(t, err)
		require.NotEmpty(t, ev.Base().Key)
	}
}

func TestAllowNamesTheProbes(t *testing.T) {
	a := newAcme("key")
	a.endpoint.Probes = []string{"GET"}
	h := newHouse(t, a)
	p := newPost("")
	p.method = "PUT"
	resp := h.do(t, p)
	require.Equal(t, 405, resp.StatusCode)
	require.Equal(t, "POST, HEAD, GET", resp.Header.Get("Allow"))
	require.ErrorIs(t, h.rejections[0].Err, anymail.ErrMethodNotAllowed)
}
