package anymail_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Log lines and hooks have the same id of a request. It is the client's if that is
// well-formed.
func TestRequestID(t *testing.T) {
	for name, c := range map[string]struct {
		given []string
		taken bool
	}{
		"UUID":         {[]string{"0b0e9a2e-8d5c-4d6c-9d1c-6c9ad2a1a7f5"}, true},
		"longest":      {[]string{strings.Repeat("a", 64)}, true},
		"none":         {nil, false},
		"empty":        {[]string{""}, false},
		"too long":     {[]string{strings.Repeat("a", 65)}, false},
		"twice":        {[]string{"one", "two"}, false},
		"white space":  {[]string{"one two"}, false},
		"quote":        {[]string{`a"b`}, false},
		"not in ASCII": {[]string{"\u00e9"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			seen := make(chan string, 4)
			srv := newTestServer(t, newAcme("key"),
				anymail.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
				anymail.WithHooks(anymail.Hooks{
					Request: func(ctx context.Context, info anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
						seen <- info.ID
						return ctx, nil
					},
					Rejected: func(_ context.Context, r anymail.Rejection) { seen <- r.RequestID },
				}))
			for _, body := range []string{`[]`, `not JSON`} {
				request := newPost(body).sign("key", time.Now())
				request.header["X-Request-Id"] = c.given
				resp := srv.do(t, request)
				answer, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				id := <-seen
				require.Regexp(t, `^[0-9A-Za-z._-]{1,64}$`, id)
				require.Equal(t, c.taken, len(c.given) == 1 && id == c.given[0])
				require.NotContains(t, string(answer), id)
				if resp.StatusCode != http.StatusOK {
					require.Equal(t, id, <-seen)
				}
				defer func() { require.Contains(t, log.String(), `"request_id":"`+id+`"`) }()
			}
			require.NoError(t, srv.Shutdown(t.Context()))
			require.Equal(t, 2, strings.Count(log.String(), `"request_id"`), log.String())
		})
	}
}
