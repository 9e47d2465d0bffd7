package command

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/brevo"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/refused"
	"github.com/goanymail/anymail/simulator"
)

// inspect FILE explains what a server refused and kept, without the ESP's name.
func TestInspectRefused(t *testing.T) {
	tests := map[string]struct {
		esp     string
		adapter func() (anymail.Adapter, error)
		change  func(*simulator.Request)
		args    []string // KEY is the ESP's key
		verdict string
		check   string // its result and reason
		result  string
		reason  string
	}{
		"another key than the server's": {
			esp: "mailgun",
			adapter: func() (anymail.Adapter, error) {
				return mailgun.New(mailgun.Config{SigningKeys: anymail.Keys("another-key")})
			},
			args:    []string{"--key", "KEY", "--secret", inspectSecret},
			verdict: "authentic", check: "signature", result: "ok", reason: "valid by key 1",
		},
		"no shared secret": {
			esp:     "mailgun",
			adapter: func() (anymail.Adapter, error) { return mailgun.New(mailgun.Config{}) },
			change:  func(r *simulator.Request) { r.Header.Del("Authorization") },
			verdict: "not authentic", check: "shared secret", result: "failed", reason: "no shared secret, as the server found",
		},
		"a token that the file does not have": {
			esp: "brevo",
			adapter: func() (anymail.Adapter, error) {
				return brevo.New(brevo.Config{HeaderName: "X-Ours", HeaderValues: anymail.Keys("the-value-at-the-server")})
			},
			change:  func(r *simulator.Request) { r.Header.Set("X-Ours", "an-older-value") },
			args:    []string{"--set", "header_name=X-Ours", "--set", "header_values=the-value-at-the-server"},
			verdict: "undecided", check: "signature", result: "undecided", reason: "the file does not have the header X-Ours",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "refused")
			dir, err := refused.Open(path, refused.Options{})
			require.NoError(t, err)
			d, err := anymail.New(anymail.WithSharedSecret(inspectSecret), anymail.WithLogger(slog.New(slog.DiscardHandler)), dir.Option())
			require.NoError(t, err)
			adapter, err := tt.adapter()
			require.NoError(t, err)
			require.NoError(t, d.Register("account-7", adapter))
			server := httptest.NewServer(d)
			defer server.Close()

			account := newESP(t, tt.esp)
			r := account.request(t, "bounced")
			if tt.change != nil {
				tt.change(&r)
			}
			r.URL, err = simulator.EndpointURL(server.URL, "account-7", r.Endpoint)
			require.NoError(t, err)
			req, err := r.HTTP()
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.NoError(t, dir.Close(context.WithoutCancel(t.Context())))

			entries, err := os.ReadDir(path)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			for i, arg := range tt.args {
				if arg == "KEY" {
					tt.args[i] = account.credential.Config
				}
			}
			i := inspectJSON(t, "", append([]string{filepath.Join(path, entries[0].Name())}, tt.args...)...)
			require.Equal(t, tt.verdict, i.Verdict, i.Checks)
			for _, c := range i.Checks {
				if c.Name == tt.check {
					require.Equal(t, tt.result, c.Result)
					require.Contains(t, c.Reason, tt.reason)
					return
				}
			}
			t.Fatalf("no check %s: %+v", tt.check, i.Checks)
		})
	}
}
