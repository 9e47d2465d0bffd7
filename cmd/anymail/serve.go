package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"

	"github.com/goanymail/anymail/cmd/anymail/internal/gateway"
)

func newServeCommand() *cobra.Command {
	var file string
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run as a gateway: take webhooks, hand events on to programs in any language",
		Long: `serve takes the webhooks of ESPs and hands the normalized events on: as lines of
JSON on standard output, as signed webhooks, or to a message broker; with a
durable queue in between if one is configured.

Without any configuration it takes the webhooks of all ESPs on this machine,
with a new shared secret that it prints, and writes the events to standard
output. With a file anymail.yaml in the working directory, or one named by
--config or ANYMAIL_CONFIG, and environment variables ANYMAIL_..., it does what
these say; docs/gateway.md has all keys.

SIGTERM and Ctrl-C stop it in good order, a second one at once. SIGHUP makes it
read secrets, keys and adapters again.`,
		Example: `  anymail serve
  anymail serve --check --config /etc/anymail.yaml
  ANYMAIL_QUEUE=sqlite:events.db anymail serve | jq .event_type`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func() (*gateway.Config, error) {
				config, err := loadConfig(file)
				if err == nil && config.WantsSecret {
					config.SharedSecrets = []string{newSecret()}
				}
				return config, err
			}
			config, err := load()
			if err != nil {
				return usageError{fmt.Errorf("configuration:\n%w", err)}
			}
			if err := gateway.Check(config); err != nil {
				return usageError{fmt.Errorf("configuration:\n%w", err)}
			}
			if check {
				for _, warning := range config.Warnings {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "ok: %d adapters, %d sinks\n", len(config.Adapters), len(config.Sinks))
				return nil
			}
			return serve(cmd.Context(), config, load, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	addConfigFlag(cmd, &file)
	cmd.Flags().BoolVar(&check, "check", false, "check the configuration and end")
	return cmd
}

func addConfigFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", os.Getenv("ANYMAIL_CONFIG"), "configuration `file`; "+gateway.DefaultFile+" if there is one")
	cmd.Flag("config").DefValue = ""
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// loadConfig reads the file that was named, or the one that is looked for.
func loadConfig(file string) (*gateway.Config, error) {
	if file == "" {
		if _, err := os.Stat(gateway.DefaultFile); err == nil {
			file = gateway.DefaultFile
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return gateway.Load(file, os.Environ())
}

func serve(ctx context.Context, config *gateway.Config, load func() (*gateway.Config, error), out, info io.Writer) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// Once it is stopping, a second signal ends the process.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	g, err := gateway.New(ctx, config, out, info)
	if err != nil {
		return err
	}
	log := g.Logger()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("anymail: telemetry", "error", err.Error()) }))
	if config.WantsSecret {
		fmt.Fprintf(info, "no shared secret is configured, so this one was made, for this run only:\n  %s\n"+
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
