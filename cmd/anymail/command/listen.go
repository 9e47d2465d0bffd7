package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/server"
	"github.com/goanymail/anymail/simulator"
)

func newListenCommand(c catalog) *cobra.Command {
	var o listenOptions
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive webhooks on this machine and show them on a page",
		Long: `listen receives the webhooks of all ESPs below /anymail/ and shows on a page, as
they arrive, the requests, the normalized events next to the ESP's own, received
messages, and the reason why a request was refused.

Without --secret and --set it accepts everything, signed or not. It listens on
this machine only, unless --listen names another address.

From the page you can also send requests again, edited or signed anew, make events of
any ESP, and choose the next answers. --forward passes every request on to your own
program. --store keeps requests for the next start, without credentials. Tests can use
the same API as the page: docs/listen.md describes it.`,
		Example: `  anymail listen
  anymail listen --secret anymail:some-long-password --set mailgun.signing_keys=key-1
  anymail listen --forward http://127.0.0.1:8080/anymail --store requests.ndjson
  anymail trigger mailgun delivered --to http://127.0.0.1:8025/anymail`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listen(cmd.Context(), cmd.ErrOrStderr(), o) },
	}
	cmd.Flags().StringVar(&o.address, "listen", "127.0.0.1:8025", "`address` to listen on")
	cmd.Flags().StringArrayVar(&o.secrets, "secret", nil, "shared secret \"user:password\" to require; may be repeated")
	cmd.Flags().StringArrayVar(&o.settings, "set", nil, "a `setting` of an ESP, as ESP.NAME=VALUE or ESP.NAME=@FILE; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("set", c.completeSettings(""))
	cmd.Flags().StringArrayVar(&o.tokenKeys, "token-key", nil, "`key` of the tokens in sent messages, or @FILE, to verify reports that come as mail; may be repeated")
	cmd.Flags().StringVar(&o.publicURL, "public-url", "", "`URL` of the tunnel to this listener, without a path, for ESPs that sign the URL")
	cmd.Flags().StringVar(&o.store, "store", "", "`file` in which requests are kept for the next start")
	cmd.Flags().StringVar(&o.forward, "forward", "", "`URL` under which your own Dispatcher is mounted, which gets each request as well")
	cmd.Flags().BoolVar(&o.forwardSign, "forward-sign", false, "sign forwarded requests anew, instead of keeping their signatures")
	cmd.Flags().StringArrayVar(&o.signKeys, "sign-key", nil, "`key` that signs for an ESP that has a private one, as ESP=KEY or ESP=@FILE; may be repeated")
	cmd.Flags().IntVar(&o.keep, "keep", 10000, "`number` of events to keep; a request without events counts as one")
	return cmd
}

type listenOptions struct {
	address           string
	secrets, settings []string
	tokenKeys         []string
	forward           string
	forwardSign       bool
	signKeys          []string
	keep              int
	store             string
	publicURL         string
}

func (c catalog) listen(ctx context.Context, info io.Writer, o listenOptions) (err error) {
	listener, err := c.newListener(info, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, listener.Close()) }()
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return err
	}
	for _, note := range listener.Notes() {
		fmt.Fprintln(info, note)
	}
	fmt.Fprintf(info, "page      http://%s/\nwebhooks  http://%s%s/{esp}/tracking/ and /inbound/\nstop with Ctrl-C\n", socket.Addr(), socket.Addr(), web.Mount)
	srv := server.New(listener)
	srv.BaseContext = func(net.Listener) context.Context { return ctx } // ends the pages' streams
	served := make(chan error, 1)
	go func() { served <- srv.Serve(socket) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return srv.Close()
	}
}

// newListener returns the handler of everything that listen serves.
func (c catalog) newListener(info io.Writer, o listenOptions) (*web.Listener, error) {
	settings, err := c.parseSettings(o.settings, "")
	if err != nil {
		return nil, err
	}
	for _, ofESP := range settings {
		for _, values := range ofESP {
			for i := range values {
				if values[i], err = orFile(values[i]); err != nil {
					return nil, err
				}
			}
		}
	}
	if o.keep < 1 {
		return nil, cli.Usagef("--keep must be at least 1")
	}
	if o.forwardSign && o.forward == "" {
		return nil, cli.Usagef("--forward-sign needs --forward")
	}
	options := web.Options{
		Secrets: o.secrets, Settings: settings, Keep: o.keep, PublicURL: o.publicURL, Version: cli.Version(), Forward: o.forward, ForwardSign: o.forwardSign,
		Store: o.store, Warn: func(err error) { fmt.Fprintln(info, "warning:", err) },
	}
	if options.TokenKeys, err = orFiles(o.tokenKeys); err != nil {
		return nil, err
	}
	if options.SignKeys, err = c.parseSignKeys(o.signKeys); err != nil {
		return nil, err
	}
	simulators := c.simulators()
	for _, spec := range c.specs {
		e := web.ESP{Spec: spec}
		if _, ok := all.Find(spec.Name); ok {
			e.Package = "github.com/goanymail/anymail/esp/" + spec.Name
		}
		if i := slices.IndexFunc(simulators, func(s *simulator.Simulator) bool { return s.ESP == spec.Name }); i >= 0 {
			e.Simulator = simulators[i]
		}
		options.ESPs = append(options.ESPs, e)
	}
	return web.New(options)
}

// parseSignKeys reads ESP=KEY and ESP=@FILE.
func (c catalog) parseSignKeys(texts []string) (map[string]string, error) {
	keys := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		sim := c.simulator(name)
		switch {
		case !ok || value == "":
			return nil, cli.Usagef("--sign-key: must be ESP=KEY or ESP=@FILE")
		case sim == nil || sim.NewCredential == nil:
			return nil, cli.Usagef("--sign-key: %q is not an ESP that signs", name)
		}
		key, err := orFile(value)
		if err != nil {
			return nil, err
		}
		if _, err := sim.Credential(key); err != nil {
			return nil, cli.Usagef("--sign-key: %w", err)
		}
		keys[sim.ESP] = key
	}
	return keys, nil
}

// completeSettings completes ESP.NAME=, or NAME= for one ESP.
func (c catalog) completeSettings(only string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) (words []string, _ cobra.ShellCompDirective) {
		for _, spec := range c.specs {
			prefix := spec.Name + "."
			switch only {
			case "":
			case spec.Name:
				prefix = ""
			default:
				continue
			}
			for _, s := range spec.Settings {
				words = append(words, prefix+s.Name+"=\t"+s.Help)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// parseSettings reads ESP.NAME=VALUE; a repeated setting has several values. For
// one ESP, NAME=VALUE is enough.
func (c catalog) parseSettings(texts []string, only string) (map[string]map[string][]string, error) {
	settings := map[string]map[string][]string{}
	var errs []error
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		name, setting, dotted := strings.Cut(key, ".")
		if only != "" && !dotted {
			name, setting, dotted = only, key, true
		}
		spec, known := c.find(name)
		switch {
		case !ok || !dotted:
			errs = append(errs, cli.Usagef("--set: must be ESP.NAME=VALUE, for example mailgun.signing_keys=..."))
		case !known:
			errs = append(errs, cli.Usagef("--set: unknown ESP %q", name))
		case only != "" && spec.Name != only:
			errs = append(errs, cli.Usagef("--set %s: is not a setting of %s", key, only))
		default:
			if settings[spec.Name] == nil {
				settings[spec.Name] = map[string][]string{}
			}
			settings[spec.Name][setting] = append(settings[spec.Name][setting], value)
		}
	}
	return settings, errors.Join(errs...)
}
