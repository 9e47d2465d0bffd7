package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"

	"github.com/goanymail/anymail/cmd/anymail-gateway/internal/gateway"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/cli"
)

func newServeCommand(more []esp.Spec) *cobra.Command {
	file := configFile{more: more}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive webhooks and hand their events on",
		Long: `serve receives the webhooks of ESPs and hands the normalized events on: as lines
of JSON on standard output, as signed webhooks, or to a message broker, with a
durable queue in between if one is configured.

Without a configuration it accepts the webhooks of all ESPs on this machine with
a new shared secret, which it prints, and writes the events to standard output.
It is configured by the file that --config or ANYMAIL_CONFIG names, or else by
anymail.yaml in the working directory, and by environment variables ANYMAIL_...;
docs/gateway.md lists all keys.

SIGTERM and Ctrl-C stop it gracefully, a second one immediately. SIGHUP reloads
secrets, keys and adapters.`,
		Example: `  anymail-gateway serve
  anymail-gateway serve -c /etc/anymail.yaml
  ANYMAIL_QUEUE=sqlite:events.db anymail-gateway serve | jq .event_type`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := file.loadChecked()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), config, file.load, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	file.addFlag(cmd)
	return cmd
}

func newCheckCommand(more []esp.Spec) *cobra.Command {
	file := configFile{more: more}
	var connect bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration",
		Long: `check reads the configuration as "anymail-gateway serve" does, prints everything
that is wrong with it, and connects to nothing. With --connect it then connects to
the sinks, prints those that cannot work, and exits with status 1 if there are any.
It delivers nothing.`,
		Example: `  anymail-gateway check -c /etc/anymail.yaml
  anymail-gateway check --connect`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := file.loadChecked()
			if err != nil {
				return err
			}
			for _, warning := range config.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
			}
			if connect {
				redis.SetLogger(redisLog{slog.New(slog.DiscardHandler)})
				if err := gateway.Connect(cmd.Context(), config); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ok: %d adapters, %d sinks\n", len(config.Adapters), len(config.Sinks))
			return nil
		},
	}
	cmd.Flags().BoolVar(&connect, "connect", false, "connect to the sinks as well")
	file.addFlag(cmd)
	return cmd
}

// configFile is the configuration file that a command reads.
type configFile struct {
	name string     // empty for the default file, if it exists
	more []esp.Spec // the ESPs that it may name, in addition to the library's
}

// loadChecked loads the configuration and builds what needs no network.
func (c *configFile) loadChecked() (*gateway.Config, error) {
	config, err := c.load()
	if err == nil {
		err = gateway.Check(config)
	}
	if err != nil {
		return nil, cli.UsageError{Err: fmt.Errorf("configuration:\n%w", err)}
	}
	return config, nil
}

// load loads the configuration, and makes a shared secret if it needs one.
func (c *configFile) load() (*gateway.Config, error) {
	file := c.name
	if file == "" {
		if _, err := os.Stat(gateway.DefaultFile); err == nil {
			file = gateway.DefaultFile
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	config, err := gateway.Load(file, os.Environ(), c.more...)
	if err == nil && config.WantsSecret {
		config.SharedSecrets = []string{cli.NewSecret()}
	}
	return config, err
}

func serve(ctx context.Context, config *gateway.Config, load func() (*gateway.Config, error), out, info io.Writer) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// While it is stopping, a second signal ends the process.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	g, err := gateway.New(ctx, config, out, info)
	if err != nil {
		return err
	}
	log := g.Logger()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("anymail: telemetry", "error", err.Error()) }))
	redis.SetLogger(redisLog{log})
	if config.WantsSecret {
		fmt.Fprintf(info, "no shared secret is configured; this one was made, for this run only:\n  %s\n"+
			"register these URLs at your ESPs:\n", config.SharedSecrets[0])
		for _, u := range g.URLs() {
			fmt.Fprintln(info, " ", u)
		}
	}
	log.Info("anymail: listening", "webhooks", g.Addr().String(), "admin", g.Admin())

	go func() {
		for {
			select {
			case <-hup:
				config, err := load()
				if err == nil {
					err = g.Reload(config)
				}
				if err != nil {
					g.NotReloaded()
					log.Error("anymail: not reloaded", "error", err.Error())
					continue
				}
				log.Info("anymail: reloaded")
			case <-ctx.Done():
				return
			}
		}
	}()
	return g.Run(ctx)
}

// redisLog logs what the client of Redis prints. Calls return their errors as well.
type redisLog struct{ *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.DebugContext(ctx, "anymail: redis", "message", fmt.Sprintf(format, v...))
}
