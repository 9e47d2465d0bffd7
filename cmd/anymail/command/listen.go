package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/spf13/cobra"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/server"
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
this machine only, unless --listen names another address.`,
		Example: `  anymail listen
  anymail listen --secret anymail:some-long-password --set mailgun.signing_keys=key-1
  anymail trigger mailgun delivered --to http://127.0.0.1:8025/anymail`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listen(cmd.Context(), cmd.ErrOrStderr(), o) },
	}
	cmd.Flags().StringVar(&o.address, "listen", "127.0.0.1:8025", "`address` to listen on")
	cmd.Flags().StringArrayVar(&o.secrets, "secret", nil, "shared secret \"user:password\" to require; may be repeated")
	cmd.Flags().StringArrayVar(&o.settings, "set", nil, "a `setting` of an ESP, as ESP.NAME=VALUE; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("set", c.completeSettings(""))
	cmd.Flags().IntVar(&o.keep, "keep", 1000, "`number` of requests to keep")
	return cmd
}

type listenOptions struct {
	address           string
	secrets, settings []string
	keep              int
}

func (c catalog) listen(ctx context.Context, info io.Writer, o listenOptions) error {
	handler, err := c.newListenHandler(o)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.address)
	if err != nil {
		return err
	}
	settings, err := c.parseSettings(o.settings, "")
	if err != nil {
		return err
	}
	for _, spec := range c.specs {
		if lacksInbound(spec, settings) {
			fmt.Fprintf(info, "%s: %v\n", spec.Name, needsKey(spec))
		}
	}
	fmt.Fprintf(info, "page      http://%s/\nwebhooks  http://%s/anymail/{esp}/tracking/ and /inbound/\nstop with Ctrl-C\n", listener.Addr(), listener.Addr())
	srv := server.New(handler)
	srv.BaseContext = func(net.Listener) context.Context { return ctx } // ends the pages' streams
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return srv.Close()
	}
}

// newListenHandler returns the handler of everything that listen serves.
func (c catalog) newListenHandler(o listenOptions) (http.Handler, error) {
	settings, err := c.parseSettings(o.settings, "")
	if err != nil {
		return nil, err
	}
	const bodyLimit = 64 << 20
	store := web.NewStore(o.keep, 256<<20)
	options := []anymail.Option{
		anymail.Insecure(),
		anymail.WithHooks(store.Hooks()),
		anymail.WithLogger(slog.New(slog.DiscardHandler)), // the page shows refused requests
	}
	if len(o.secrets) > 0 {
		options = append(options, anymail.WithSharedSecret(o.secrets...))
	}
	d, err := anymail.New(options...)
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	for _, spec := range c.specs {
		adapter, err := spec.Adapter(esp.Values{Settings: settings[spec.Name]})
		if err == nil {
			if len(o.secrets) == 0 && settings[spec.Name] == nil {
				adapter = trusting{adapter}
			}
			if lacksInbound(spec, settings) {
				adapter = keyless{adapter, needsKey(spec)}
			}
			err = d.Register(spec.Name, adapter)
		}
		if err != nil {
			return nil, cli.UsageError{Err: err}
		}
	}
	router := chi.NewRouter()
	router.Mount("/anymail", store.Capture(d, bodyLimit))
	router.Mount("/", web.NewServer(store, "/anymail"))
	return router, nil
}

// trusting is an adapter that accepts everything.
type trusting struct{ anymail.Adapter }

func (t trusting) Endpoints() []anymail.Endpoint {
	endpoints := t.Adapter.Endpoints()
	for i := range endpoints {
		endpoints[i].Verifier, endpoints[i].NeedsSecret = nil, false
	}
	return endpoints
}

// lacksInbound reports whether an adapter has no inbound endpoint for want of a
// setting.
func lacksInbound(spec esp.Spec, settings map[string]map[string][]string) bool {
	return spec.InboundNeeds != "" && len(settings[spec.Name][spec.InboundNeeds]) == 0
}

func needsKey(spec esp.Spec) error {
	return fmt.Errorf("received mail is fetched from %s, which needs --set %s.%s=KEY", spec.Title, spec.Name, spec.InboundNeeds)
}

// keyless is an adapter with an inbound endpoint that can only say what it lacks.
// Its answer makes the ESP retry, perhaps after a restart with the setting.
type keyless struct {
	anymail.Adapter
	err error
}

func (k keyless) Endpoints() []anymail.Endpoint {
	return append(k.Adapter.Endpoints(), anymail.Endpoint{
		Path: "inbound",
		Parser: anymail.ParserFunc(func(context.Context, *anymail.Payload) ([]anymail.Event, error) {
			return nil, anymail.Because(anymail.ErrUnavailable, "no API key", k.err)
		}),
	})
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
