// Command anymail is for the people who use the library: it demonstrates it,
// makes secrets, plays ESPs, looks into captured requests, and runs the library
// as a gateway for programs in other languages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "anymail:", err)
		}
		stop()
		os.Exit(exitCode(err)) //nolint:gocritic // stop was called
	}
}

// errReported is an error about which everything has been said.
var errReported = errors.New("failed")

// usageError is a wrong command line, which exits with 2; everything else that
// goes wrong exits with 1.
type usageError struct{ error }

func exitCode(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
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
		return usagef("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.SuggestionsMinimumDistance = 2
}

// version is that of the module, or of the sources that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "anymail",
		Short: "Receive, verify and normalize the webhooks of e-mail service providers",
		Long: `anymail receives the webhooks of e-mail service providers (ESPs), proves that
they are authentic and turns them into the same events for every ESP.

Start with "anymail demo". Everywhere, exit status 2 is a wrong command line and 1
whatever else went wrong. Colours are for terminals only, and not with NO_COLOR.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	subcommandsOnly(root)
	root.AddCommand(newDemoCommand(), newSecretCommand(), newESPsCommand(), newNewESPCommand(), newListenCommand(), newTriggerCommand(), newInspectCommand())
	root.AddCommand(newServeCommand(), newDeadCommand())
	return root
}
