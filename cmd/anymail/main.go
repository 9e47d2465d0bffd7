// Command anymail is the developer's tool: it demonstrates the library, makes
// secrets, plays ESPs, probes endpoints, shows webhooks as they arrive, explains why
// a captured one is refused, relays mail from a mail server, and writes the skeleton
// of an adapter.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil && !errors.Is(err, cli.ErrReported) {
		fmt.Fprintln(os.Stderr, "anymail:", err)
	}
	os.Exit(cli.ExitCode(err))
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "anymail",
		Short: "Try out, test and debug the webhooks of e-mail service providers",
		Long: `anymail is the developer's tool of a library that receives the webhooks of e-mail
service providers (ESPs), verifies them and normalizes their events.

Start with "anymail demo". Exit status 2 is a wrong command line, 1 is any other
failure; relay has those that mail servers know. Colours are used on terminals
only, and not if NO_COLOR is set.`,
		Version:       cli.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.UsageError{Err: err} })
	subcommandsOnly(root)
	root.AddCommand(newDemoCommand(), newSecretCommand(), newESPsCommand(), newNewESPCommand(), newListenCommand(), newTriggerCommand(), newProbeCommand(), newInspectCommand(), newRelayCommand())
	return root
}

// subcommandsOnly makes a command print its help, and an unknown subcommand a
// usage error.
func subcommandsOnly(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return cli.Usagef("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.SuggestionsMinimumDistance = 2
}

// noArguments makes an argument a usage error.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cli.Usagef("%s takes no argument, not %q", cmd.CommandPath(), args[0])
	}
	return nil
}
