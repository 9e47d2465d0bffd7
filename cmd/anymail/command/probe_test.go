package command

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/internal/cli"
)

func TestProbe(t *testing.T) {
	newDispatcher := func(options ...anymail.Option) *anymail.Dispatcher {
		d, err := anymail.New(append(options, anymail.WithLogger(slog.New(slog.DiscardHandler)))...)
		require.NoError(t, err)
		adapter, err := postmark.New(postmark.Config{})
		require.NoError(t, err)
		require.NoError(t, d.Register("postmark", adapter))
		return d
	}
	d := newDispatcher(anymail.WithSharedSecret("anymail:a-Long-Enough-Password"))
	answer := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	mux := func(pattern string, h http.Handler) http.Handler {
		m := http.NewServeMux()
		m.Handle(pattern, h)
		return m
	}
	stripped := http.StripPrefix("/anymail", d)
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 1<<20 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		stripped.ServeHTTP(w, r)
	})
	tests := []struct {
		name    string
		handler http.Handler
		want    string // empty if all is well
	}{
		{"mounted", mux("/anymail/", stripped), ""},
		{"prefix not removed", mux("/anymail/", d), "http.StripPrefix"},
		{"route for POST", mux("POST /anymail/", stripped), `pattern "POST /path"`},
		{"route for GET too", mux("GET /anymail/", answer(200)), `pattern "POST /path"`},
		{"redirect", mux("/", http.RedirectHandler("https://hooks.example.com/anymail/", http.StatusMovedPermanently)), "redirects to https://hooks.example.com/anymail/"},
		{"limit of a proxy", limited, "client_max_body_size"},
		{"open", answer(200), "any client could forge events"},
		{"address list", answer(403), "address list"},
		{"login page", answer(401), "another program answers"},
		{"no server behind the proxy", answer(502), "a proxy does not reach the server"},
		{"failure", answer(500), "see its log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			var out bytes.Buffer
			err := probe(t.Context(), &out, server.URL+"/anymail/postmark/tracking/", 2<<20)
			if tt.want == "" {
				require.NoError(t, err, out.String())
				require.Contains(t, out.String(), "plain http")
				return
			}
			require.ErrorIs(t, err, cli.ErrReported)
			require.Contains(t, out.String(), tt.want)
		})
	}
}

func TestProbeArguments(t *testing.T) {
	for _, args := range [][]string{{}, {"hooks.example.com"}, {"ftp://hooks.example.com"}, {"https://hooks.example.com", "--size", "-1"}} {
		cmd := newProbeCommand()
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		require.Equal(t, 2, cli.ExitCode(cmd.Execute()), "%v", args)
	}
}
