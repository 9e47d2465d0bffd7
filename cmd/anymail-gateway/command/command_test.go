package command

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/internal/cli"
)

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newRootCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(new(bytes.Buffer))
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"serves"}, {"serve", "x"}, {"serve", "--no-such-flag"}, {"serve", "-c", "missing.yaml"}, {"check", "x"}, {"check", "-c", "missing.yaml"},
		{"dead", "exhume"}, {"dead", "list", "x"}, {"dead", "list"}, {"dead", "show"}, {"dead", "list", "-c", "missing.yaml"},
	} {
		_, err := run(t, args...)
		require.Error(t, err, args)
		require.Equal(t, 2, cli.ExitCode(err), "%v: %v", args, err)
	}
}

func TestCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	out, err := run(t, "check")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("ok: %d adapters, 1 sinks\n", len(all.Specs())), out)
}

func TestVersion(t *testing.T) {
	out, err := run(t, "--version")
	require.NoError(t, err)
	require.Regexp(t, `^anymail-gateway version \S+ go1\.`, out)
}

// Every command has a short help text, and the main ones an example.
func TestHelp(t *testing.T) {
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			check(sub)
		}
		if name := cmd.Name(); name == "help" || name == "completion" || cmd.Parent() == nil || cmd.Parent().Name() == "completion" {
			return
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.LessOrEqual(t, len(cmd.Short), 90, cmd.CommandPath())
		if cmd.Parent().Name() == "anymail-gateway" {
			require.Contains(t, cmd.Example, "anymail-gateway "+cmd.Name(), cmd.CommandPath())
		}
	}
	check(newRootCommand())
}

// A configuration may name an ESP that the program adds.
func TestMoreESPs(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("anymail.yaml", []byte("adapters: [{esp: pigeon, settings: {signing_keys: key-1}}]"), 0o600))
	_, err := run(t, "check")
	require.ErrorContains(t, err, `unknown ESP "pigeon"`)

	pigeon := esp.Spec{
		Name: "pigeon", Title: "Pigeon",
		Settings: []esp.Setting{{Name: "signing_keys", Kind: esp.KindKeys, Secret: true, Help: "signing keys of webhooks"}},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return mailgun.New(mailgun.Config{SigningKeys: v.Keys("signing_keys")})
		},
	}
	cmd := newRootCommand(pigeon)
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"check"})
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	require.Equal(t, "ok: 1 adapters, 1 sinks\n", out.String())
}
