package command

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/internal/cli"
)

const (
	relayKey    = "relay-key-1"
	relaySecret = "anymail:correct-horse-battery"
	relayMail   = "Received: by mx.example.org; Mon, 21 Sep 2026 16:13:20 +0200\nFrom: ada@example.com\nSubject: Hi\n\nHello\n"
)

// relayServer has the adapter, registered as "signed" with the key, and as "secret"
// with the shared secret.
func relayServer(t *testing.T, options ...anymail.Option) (*httptest.Server, *anymailtest.Recorder) {
	t.Helper()
	d, err := anymail.New(append(options, anymail.WithLogger(slog.New(slog.DiscardHandler)))...)
	require.NoError(t, err)
	signed, err := relay.New(relay.Config{SigningKeys: anymail.Keys(relayKey)})
	require.NoError(t, err)
	require.NoError(t, d.Register("signed", signed))
	unsigned, err := relay.New(relay.Config{})
	require.NoError(t, err)
	require.NoError(t, d.Register("secret", unsigned, anymail.WithSharedSecret(relaySecret)))
	recorder := new(anymailtest.Recorder)
	require.NoError(t, recorder.Connect(&d.Signals, "recorder"))
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return server, recorder
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(text+"\n"), 0o600))
	return "@" + file
}

// relayed runs the command and returns its output and exit status.
func relayed(t *testing.T, message string, args ...string) (string, int) {
	t.Helper()
	cmd := newRootCommand()
	var out bytes.Buffer
	cmd.SetIn(strings.NewReader(message))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"relay"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), cli.ExitCode(err)
}

func TestRelay(t *testing.T) {
	server, recorder := relayServer(t)
	for name, args := range map[string][]string{
		"signed":     {"--to", server.URL + "/signed/inbound/", "--key", secretFile(t, relayKey)},
		"secret":     {"--to", server.URL + "/secret/inbound/", "--secret", secretFile(t, relaySecret)},
		"both given": {"--to", server.URL + "/secret/inbound/", "--secret", secretFile(t, relaySecret), "--key", secretFile(t, "a key")},
	} {
		t.Run(name, func(t *testing.T) {
			message := "Subject: " + name + "\n" + relayMail // another one each time
			out, status := relayed(t, message, append(args, "-f", "ada@example.com", "--", "help@in.example.org", `"a>, <b"@in.example.org`)...)
			require.Zero(t, status, out)
			require.Equal(t, "2.0.0 accepted\n", out)
			events := recorder.Take()
			require.Len(t, events, 1)
			m := events[0].(*anymail.InboundEvent).Message
			require.Equal(t, message, string(m.RawMIME))
			require.Equal(t, "ada@example.com", m.EnvelopeSender)
			require.Equal(t, []string{"help@in.example.org", `"a>, <b"@in.example.org`}, m.EnvelopeRecipients)

			out, status = relayed(t, message, append(args, "-f", "ada@example.com", "--", "help@in.example.org", `"a>, <b"@in.example.org`)...)
			require.Zero(t, status, "the mail server may not have seen the answer: %s", out)
			require.Empty(t, recorder.Take())
		})
	}
}

// Secrets may be in variables, which mail servers and containers can set.
func TestRelaySecretsOfTheEnvironment(t *testing.T) {
	server, recorder := relayServer(t)
	t.Setenv("ANYMAIL_RELAY_KEY", relayKey)
	out, status := relayed(t, relayMail, "--to", server.URL+"/signed/inbound/")
	require.Zero(t, status, out)
	t.Setenv("ANYMAIL_RELAY_SECRET", relaySecret)
	out, status = relayed(t, "Subject: another\n"+relayMail, "--to", server.URL+"/secret/inbound/")
	require.Zero(t, status, out)
	require.Len(t, recorder.Take(), 2)
}

// The variables are those of Postfix local(8) and of Exim's pipe transport.
func TestRelayEnvelope(t *testing.T) {
	none := "-"
	tests := []struct {
		name        string
		environment map[string]string
		args        []string
		from, to    string // the header fields
	}{
		{name: "nothing", from: none, to: none},
		{name: "arguments", args: []string{"-f", "ada@example.com", "a@in.example.org", "b@in.example.org"}, from: "<ada@example.com>", to: "<a@in.example.org>, <b@in.example.org>"},
		{name: "a bounce", args: []string{"-f", "", "a@in.example.org"}, from: "<>", to: "<a@in.example.org>"},
		{name: "angle brackets", args: []string{"-f", "<>", "<a@in.example.org>"}, from: "<>", to: "<a@in.example.org>"},
		{name: "a sender like a flag", args: []string{"-f", "--to=https://evil.example.net", "--", "-f@in.example.org"}, from: "<--to=https://evil.example.net>", to: "<-f@in.example.org>"},
		{name: "Exim", environment: map[string]string{"SENDER": "ada@example.com", "RECIPIENT": "help@in.example.org"}, from: "<ada@example.com>", to: "<help@in.example.org>"},
		{name: "a bounce, Exim", environment: map[string]string{"SENDER": "", "RECIPIENT": "help@in.example.org"}, from: "<>", to: "<help@in.example.org>"},
		{
			name:        "an alias, Postfix",
			environment: map[string]string{"SENDER": "ada@example.com", "RECIPIENT": "pipe@mx.example.org", "ORIGINAL_RECIPIENT": "help@in.example.org"},
			from:        "<ada@example.com>", to: "<help@in.example.org>",
		},
		{
			name: "arguments before variables", args: []string{"-f", "ada@example.com", "a@in.example.org"},
			environment: map[string]string{"SENDER": "x@example.com", "RECIPIENT": "x@in.example.org"}, from: "<ada@example.com>", to: "<a@in.example.org>",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"SENDER", "RECIPIENT", "ORIGINAL_RECIPIENT"} {
				t.Setenv(name, "") // restored after the test
				require.NoError(t, os.Unsetenv(name))
			}
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			var got http.Header
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
			defer server.Close()
			out, status := relayed(t, relayMail, append([]string{"--to", server.URL, "--key", secretFile(t, relayKey)}, tt.args...)...)
			require.Zero(t, status, out)
			for name, want := range map[string]string{relay.HeaderFrom: tt.from, relay.HeaderTo: tt.to} {
				if want == none {
					require.Empty(t, got.Values(name), name)
				} else {
					require.Equal(t, []string{want}, got.Values(name))
				}
			}
			require.Equal(t, "message/rfc822", got.Get("Content-Type"))
		})
	}
}

// Nothing but a message that is too large makes the mail server return it.
func TestRelayAnswers(t *testing.T) {
	key := secretFile(t, relayKey)
	for answer, want := range map[int]struct {
		status int
		code   string
	}{
		200: {0, "2.0.0"}, 202: {0, "2.0.0"}, 204: {0, "2.0.0"}, 301: {75, "4.3.0"}, 302: {75, "4.3.0"}, 400: {75, "4.7.0"}, 401: {75, "4.7.0"}, 403: {75, "4.7.0"},
		404: {75, "4.3.0"}, 405: {75, "4.3.0"}, 408: {75, "4.3.0"}, 413: {65, "5.3.4"}, 415: {75, "4.3.0"}, 422: {75, "4.3.0"}, 429: {75, "4.3.0"}, 500: {75, "4.3.0"}, 502: {75, "4.3.0"},
		503: {75, "4.3.0"}, 504: {75, "4.3.0"},
	} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if requests++; requests > 1 {
					return // a redirect was followed
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(answer)
			}))
			defer server.Close()
			out, status := relayed(t, relayMail, "--to", server.URL, "--key", key)
			require.Equal(t, want.status, status)
			require.True(t, strings.HasPrefix(out, want.code+" "), out)
			require.Equal(t, 1, strings.Count(out, "\n"), "one line: %q", out)
			require.Equal(t, 1, requests, "the mail server retries, not the command")
		})
	}
	t.Run("nothing listens", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		out, status := relayed(t, relayMail, "--to", server.URL, "--key", key)
		require.Equal(t, 75, status)
		require.Contains(t, out, "4.4.1 ")
	})
	t.Run("no answer in time", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client has gone
			<-r.Context().Done()
		}))
		defer server.Close()
		out, status := relayed(t, relayMail, "--to", server.URL, "--key", key, "--timeout", "50ms")
		require.Equal(t, 75, status)
		require.Contains(t, out, "4.4.1 ")
	})
	t.Run("wrong key", func(t *testing.T) {
		server, recorder := relayServer(t)
		out, status := relayed(t, relayMail, "--to", server.URL+"/signed/inbound/", "--key", secretFile(t, "another"))
		require.Equal(t, 75, status)
		require.Contains(t, out, "4.7.0 ")
		require.Empty(t, recorder.Take())
	})
	t.Run("too large for the server", func(t *testing.T) {
		server, _ := relayServer(t, anymail.WithLimits(anymail.Limits{Body: 10}))
		out, status := relayed(t, relayMail, "--to", server.URL+"/signed/inbound/", "--key", key)
		require.Equal(t, 65, status)
		require.Contains(t, out, "5.3.4 ")
	})
}

func TestRelayMaxSize(t *testing.T) {
	server, _ := relayServer(t)
	args := []string{"--to", server.URL + "/signed/inbound/", "--key", secretFile(t, relayKey), "--max-size", fmt.Sprint(len(relayMail))}
	out, status := relayed(t, relayMail, args...)
	require.Zero(t, status, out)
	out, status = relayed(t, relayMail+"x", args...)
	require.Equal(t, 65, status)
	require.Contains(t, out, "5.3.4 ")
}

// A mistake in the set-up keeps the message in the queue, says what is wrong, and
// shows no secret.
func TestRelayMisconfigured(t *testing.T) {
	const url = "https://127.0.0.1:1/"
	key := secretFile(t, relayKey)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no URL":                {[]string{"--key", key}, "--to must be"},
		"relative URL":          {[]string{"--to", "/relay/inbound/", "--key", key}, "--to must be"},
		"http to another host":  {[]string{"--to", "http://your.host/", "--key", key}, "https"},
		"secret in the URL":     {[]string{"--to", "https://user:s3cret@127.0.0.1:1/", "--key", key}, "--secret"},
		"unreadable URL":        {[]string{"--to", "https://user:s3cret@[::1/", "--key", key}, "--to must be"},
		"no secret":             {[]string{"--to", url}, "needs a key or a secret"},
		"key as an argument":    {[]string{"--to", url, "--key", "s3cret"}, "@FILE"},
		"secret as an argument": {[]string{"--to", url, "--secret", "user:s3cret"}, "@FILE"},
		"no such file":          {[]string{"--to", url, "--key", "@/no/such/file"}, "/no/such/file"},
		"empty file":            {[]string{"--to", url, "--key", secretFile(t, "")}, "is empty"},
		"unknown flag":          {[]string{"--to", url, "--kye", key}, "--kye"},
		"flag without value":    {[]string{"--to"}, "--to"},
	} {
		t.Run(name, func(t *testing.T) {
			out, status := relayed(t, relayMail, tt.args...)
			require.Equal(t, 75, status)
			require.True(t, strings.HasPrefix(out, "4.3.5 "), out)
			require.Contains(t, out, tt.want)
			require.NotContains(t, out, "s3cret")
			require.Equal(t, 1, strings.Count(out, "\n"), "one line: %q", out)
		})
	}
	out, status := relayed(t, "", "--to", url, "--key", key)
	require.Equal(t, 75, status)
	require.Contains(t, out, "4.3.5 there is no message")

	out, status = relayed(t, relayMail, "--to", "http://127.0.0.2:1/", "--key", key)
	require.Equal(t, 75, status)
	require.Contains(t, out, "4.4.1 ", "this machine may be reached by http")
	out, _ = relayed(t, relayMail, "--to", "http://nothing.invalid/", "--key", key, "--allow-http", "--timeout", time.Second.String())
	require.Contains(t, out, "4.4.1 ")
}
