// Package command is the command anymail-gateway, for programs that add ESPs of their
// own to those of the library.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/cli"
)

// Main runs the gateway with the arguments of the process and exits. Its configuration
// may name the ESPs of the library and more.
func Main(more ...esp.Spec) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand(more...).ExecuteContext(ctx)
	stop()
	if err != nil && !errors.Is(err, cli.ErrReported) {
		fmt.Fprintln(os.Stderr, "anymail-gateway:", err)
	}
	os.Exit(cli.ExitCode(err))
}

func newRootCommand(more ...esp.Spec) *cobra.Command {
	root := &cobra.Command{
		Use:   "anymail-gateway",
		Short: "Receive the webhooks of e-mail service providers and hand their events on",
		Long: `anymail-gateway receives the webhooks of e-mail service providers (ESPs), verifies
them and hands the normalized events on: as lines of JSON, as signed webhooks, or
to a message broker.

Start with "anymail-gateway serve". Exit status 2 is a wrong command line or
configuration, 1 is any other failure.`,
		Version:       cli.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return cli.UsageError{Err: err} })
	subcommandsOnly(root)
	root.AddCommand(newServeCommand(more), newCheckCommand(more), newHealthCommand(more), newDeadCommand(more))
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

// addFlag adds --config to a command and its subcommands.
func (c *configFile) addFlag(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVarP(&c.name, "config", "c", os.Getenv("ANYMAIL_CONFIG"), "configuration `file`; "+gateway.DefaultFile+" by default, if it exists")
	flags.Lookup("config").DefValue = ""
	_ = cmd.MarkPersistentFlagFilename("config", "yaml", "yml")
}
