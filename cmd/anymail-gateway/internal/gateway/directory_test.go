package gateway_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/simulator"
)

func TestAdaptersDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("accounts", 0o700))
	write(t, "accounts", "b.yaml", "# one\nesp: postmark\nname: acme\n")
	write(t, "accounts", "a.yml", "- {esp: mailgun, name: first, settings: {signing_keys: '${KEY}'}}\n- {esp: mailgun, name: second}\n")
	write(t, "accounts", ".hidden.yaml", "no: adapter")
	write(t, "accounts", "b.yaml~", "no: adapter")
	names := func(config *gateway.Config) (names []string) {
		for _, a := range config.Adapters {
			names = append(names, a.Name)
		}
		return names
	}
	text := "shared_secrets: " + sharedSecret + "\nadapters_directory: accounts\n"
	write(t, ".", "anymail.yaml", text)
	config, err := gateway.Load("anymail.yaml", []string{"KEY=key-1"})
	require.NoError(t, err)
	require.NoError(t, gateway.Check(config))
	require.Equal(t, []string{"first", "second", "acme"}, names(config))
	require.Equal(t, []string{"key-1"}, config.Adapters[0].Settings["signing_keys"])

	write(t, ".", "anymail.yaml", text+"adapters: [{esp: resend}]\n")
	config, err = gateway.Load("anymail.yaml", []string{"KEY=key-1"})
	require.NoError(t, err)
	require.Equal(t, []string{"resend", "first", "second", "acme"}, names(config), "in addition to the file's")

	for _, test := range []struct{ name, yaml, want string }{
		{"unknown key", "esp: postmark\nnamme: x", "accounts/c.yaml:2: adapters[4].namme: unknown key (did you mean name?)"},
		{"unknown ESP", "- {esp: postmark, name: x}\n- {esp: postmrk}", `accounts/c.yaml:2: adapters[5].esp: unknown ESP "postmrk" (did you mean postmark?)`},
		{"unset variable", "esp: mailgun\nsettings: {signing_keys: '${NO_KEY}'}", "accounts/c.yaml:2: adapters[4].settings.signing_keys: the environment variable NO_KEY is not set"},
		{"taken", "esp: postmark\nname: acme", `accounts/c.yaml:2: adapters[4].name: "acme" is taken by adapters[3] (accounts/b.yaml:2)`},
		{"taken by the file's", "esp: resend", `accounts/c.yaml:1: adapters[4].name: "resend" is taken by adapters[0] (anymail.yaml:3)`},
		{"syntax", "esp: [", "accounts/c.yaml: yaml: line 1"},
		{"empty", "# nothing", "accounts/c.yaml: has no adapter"},
		{"a text", "postmark", "accounts/c.yaml:1: adapters[4]: must have keys and values"},
		{"refused by its adapter", "esp: sendgrid\nsettings: {tracking_signing_keys: x}", "accounts/c.yaml:2: adapters[4].settings.tracking_signing_keys[0]: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			write(t, "accounts", "c.yaml", test.yaml)
			_, err := gateway.Load("anymail.yaml", []string{"KEY=key-1"})
			require.ErrorContains(t, err, test.want)
		})
	}
	// A mistake that only the Dispatcher finds.
	write(t, "accounts", "c.yaml", "esp: postmark\nname: open\nshared_secrets: []\n")
	config, err = gateway.Load("anymail.yaml", []string{"KEY=key-1"})
	require.NoError(t, err)
	require.ErrorContains(t, gateway.Check(config), "accounts/c.yaml:1: adapters[4]: ")

	for directory, want := range map[string]string{"nowhere": "adapters_directory: open nowhere", ".git": "adapters_directory: has no file that ends in .yaml or .yml"} {
		require.NoError(t, os.MkdirAll(".git", 0o700))
		_, err = gateway.Load("", []string{"ANYMAIL_ADAPTERS_DIRECTORY=" + directory})
		require.ErrorContains(t, err, "ANYMAIL_ADAPTERS_DIRECTORY: "+want)
	}
}

// SIGHUP adds an account, changes a key, and removes one.
func TestReloadAdaptersDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "accounts"), 0o700))
	accounts := func(name, text string) { write(t, dir, filepath.Join("accounts", name), text) }
	write(t, dir, "anymail.yaml", "adapters_directory: accounts\n")
	accounts("acme.yaml", "{esp: postmark, name: acme, shared_secrets: '"+sharedSecret+"'}")
	accounts("old.yaml", "{esp: postmark, name: old, shared_secrets: '"+sharedSecret+"'}")
	p := serve(t, dir)
	status := func(name, secret string) int {
		r := newESP(t, "postmark").request(t, p.base, secret, simulator.NewParams())
		r.URL.Path = "/anymail/" + name + "/tracking/"
		got, err := do(r)
		require.NoError(t, err)
		return got
	}
	require.Equal(t, 200, status("acme", sharedSecret))
	require.Equal(t, 200, status("old", sharedSecret))
	require.Equal(t, 404, status("new", sharedSecret))

	accounts("acme.yaml", "{esp: postmark, name: acme, shared_secrets: '"+otherSecret+"'}")
	accounts("new.yaml", "{esp: postmark, name: new, shared_secrets: '"+sharedSecret+"'}")
	require.NoError(t, os.Remove(filepath.Join(dir, "accounts", "old.yaml")))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.stderr.wait(t, "the reload", contains(`msg="anymail: reloaded"`))
	require.Equal(t, 400, status("acme", sharedSecret))
	require.Equal(t, 200, status("acme", otherSecret))
	require.Equal(t, 200, status("new", sharedSecret))
	require.Equal(t, 404, status("old", sharedSecret))
	require.NoError(t, p.stop(t))
}

// BenchmarkThousandAccounts measures what a start and a reload do, without the network.
func BenchmarkThousandAccounts(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		text := fmt.Sprintf("esp: mailgun\nname: account-%d\nsettings: {signing_keys: key-of-account-%d}\nshared_secrets: 'account:Yk3vQ8sZ1mB6tR9w-%d'\n", i, i, i)
		require.NoError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600))
	}
	load := func() *gateway.Config {
		config, err := gateway.Load("", []string{"ANYMAIL_ADAPTERS_DIRECTORY=" + dir, "ANYMAIL_LISTEN=127.0.0.1:0", "ANYMAIL_ADMIN=off"})
		require.NoError(b, err)
		require.Len(b, config.Adapters, 1000)
		return config
	}
	stopped, stop := context.WithCancel(b.Context())
	stop()
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			config := load()
			require.NoError(b, gateway.Check(config))
			g, err := gateway.New(b.Context(), config, io.Discard, io.Discard)
			require.NoError(b, err)
			b.StopTimer()
			require.NoError(b, g.Run(stopped))
			b.StartTimer()
		}
	})
	b.Run("reload", func(b *testing.B) {
		g, err := gateway.New(b.Context(), load(), io.Discard, io.Discard)
		require.NoError(b, err)
		for b.Loop() {
			require.NoError(b, g.Reload(load()))
		}
	})
}
