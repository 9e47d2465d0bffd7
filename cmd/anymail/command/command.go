// Package command is the command anymail, for programs that add ESPs of their own to
// those of the library.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/simulator"
)

// ESP is an ESP that the library does not have.
type ESP struct {
	Spec esp.Spec
	// Simulator makes a new simulator, as pigeonsim.New does.
	Simulator func() *simulator.Simulator
}

// Main runs the command with the arguments of the process and exits. All of its
// subcommands know the ESPs of the library and more.
func Main(more ...ESP) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand(more...).ExecuteContext(ctx)
	stop()
	if err != nil && !errors.Is(err, cli.ErrReported) {
		fmt.Fprintln(os.Stderr, "anymail:", err)
	}
	os.Exit(cli.ExitCode(err))
}

// catalog is what the command knows about ESPs.
type catalog struct {
	specs      []esp.Spec
	simulators func() []*simulator.Simulator
}

func newCatalog(more ...ESP) catalog {
	c := catalog{specs: all.Specs()}
	for _, e := range more {
		c.specs = append(c.specs, e.Spec)
	}
	c.simulators = func() []*simulator.Simulator {
		list := allsim.List()
		for _, e := range more {
			list = append(list, e.Simulator())
		}
		return list
	}
	return c
}

func (c catalog) find(name string) (esp.Spec, bool) { return esp.Find(c.specs, name) }

// simulator returns a new simulator of an ESP, or nil if the name is unknown.
func (c catalog) simulator(name string) *simulator.Simulator {
	name = strings.ReplaceAll(name, "_", "")
	list := c.simulators()
	if i := slices.IndexFunc(list, func(s *simulator.Simulator) bool { return s.ESP == name }); i >= 0 {
		return list[i]
	}
	return nil
}

func newRootCommand(more ...ESP) *cobra.Command {
	c := newCatalog(more...)
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
	root.AddCommand(newDemoCommand(c), newSecretCommand(c), newESPsCommand(c), newNewESPCommand(), newListenCommand(c), newTriggerCommand(c), newProbeCommand(), newInspectCommand(c), newRelayCommand())
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
