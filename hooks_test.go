package anymail_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// A hook gets a refused request without what holds a secret.
func TestRejectionReceived(t *testing.T) {
	now := time.Date(2026, 9, 21, 14, 13, 20, 0, time.UTC)
	adapter := newAcme("key")
	adapter.endpoint.SecretHeaders = []string{"x-acme-Ours"}
	srv := newTestServer(t, adapter, anymail.WithClock(func() time.Time { return now }))
	wrong := newPost(delivered).sign("other", now)
	tests := map[string]struct {
		post    post
		removed []string
		body    []byte
	}{
		"secrets": {
			post: wrong.with("X-Acme-Ours", "1").with("Cookie", "2").with("Proxy-Authorization", "3").with("X-Any-Api-Key", "4").
				with("X-Old-Password", "5").with("X-Client-Secret", "6").with("X-Acme-Token", "7").with("Apikey", "8"),
			removed: []string{"Apikey", "Authorization", "Cookie", "Proxy-Authorization", "X-Acme-Ours", "X-Acme-Token", "X-Any-Api-Key", "X-Client-Secret", "X-Old-Password"},
			body:    []byte(delivered),
		},
		"an empty body":              {newPost("").sign("other", now), []string{"Authorization"}, []byte{}},
		"refused before it was read": {wrong.with("Authorization", ""), nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, 400, srv.do(t, tt.post).StatusCode)
			last := srv.rejections[len(srv.rejections)-1]
			require.Nil(t, last.Payload)
			got := last.Received
			require.Equal(t, http.MethodPost, got.Method)
			require.Equal(t, now, got.At)
			require.Equal(t, tt.removed, got.Removed)
			require.Equal(t, tt.body, got.Body)
			require.Equal(t, tt.post.header.Get("X-Acme-Signature"), got.Header.Get("X-Acme-Signature"))
			for _, name := range tt.removed {
				require.NotContains(t, got.Header, name)
			}
		})
	}
}

// A hook that panics changes neither the response nor the delivery.
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
			srv := newTestServer(t, newAcme("key"), anymail.WithHooks(hooks))
			now := time.Now()
			require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", now)).StatusCode)
			require.Len(t, srv.take(), 1)
			require.Equal(t, 400, srv.do(t, newPost(delivered).sign("other", now)).StatusCode)
			require.Equal(t, 400, srv.do(t, newPost(delivered).sign("key", now)).StatusCode, "a replay")
			if name != "no context" {
				require.Contains(t, srv.log.String(), "a bug in the metrics")
			}
		})
	}
}

// Each hook that began ends, even after a panic.
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
		srv := newTestServer(t, tt.adapter, anymail.WithHooks(hooks))
		require.Equal(t, tt.status, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
		require.Empty(t, open)
		require.Equal(t, tt.status, outcome.Status)
		require.Len(t, outcome.Events, tt.events)
		require.Equal(t, tt.status == 200, outcome.Err == nil)
	}

	// A receiver that ends the goroutine: net/http closes the connection.
	srv := newTestServer(t, newAcme("key"), anymail.WithHooks(hooks))
	require.NoError(t, srv.Tracking.Connect("leaves", func(context.Context, *anymail.TrackingEvent) error { runtime.Goexit(); return nil }))
	c := dial(t, srv)
	c.begin(t, newPost(delivered).sign("key", time.Now()), fmt.Sprintf("Content-Length: %d", len(delivered)), delivered)
	_, err := http.ReadResponse(c.answers, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, srv.Shutdown(t.Context()), "Shutdown waits for the hooks")
	require.Empty(t, open)
	require.ErrorContains(t, outcome.Err, "Goexit")
}
