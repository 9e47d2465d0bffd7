package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/go-chi/chi/v5"
	"github.com/spf13/cobra"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/server"
	"github.com/goanymail/anymail/simulator"
)

func newDemoCommand(c catalog) *cobra.Command {
	var once, asJSON bool
	var address string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve all ESPs with new secrets, and post signed samples of all events",
		Long: `demo starts a server with the adapters of all ESPs and new secrets, posts signed
samples of every event of every ESP to it over HTTP, and prints one line for each
normalized event. It then serves and prints until it is interrupted.`,
		Example: `  anymail demo
  anymail demo --once
  anymail demo --once --json | jq 'select(.event_type == "bounced")'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), address, once, asJSON)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "exit after the samples")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print events in their JSON form, one a line")
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:0", "`address` to listen on")
	return cmd
}

func (c catalog) demo(ctx context.Context, out, info io.Writer, address string, once, asJSON bool) error {
	fmt.Fprintln(info, "making keys for all ESPs")
	secret := cli.NewSecret()
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(slog.New(slog.NewTextHandler(info, &slog.HandlerOptions{Level: slog.LevelError}))))
	if err != nil {
		return err
	}
	printer := &eventPrinter{out: out, json: asJSON}
	if err := printer.connect(&d.Signals); err != nil {
		return err
	}
	webhooks, err := c.register(d, secret)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	router := chi.NewRouter()
	router.Mount("/anymail", d)
	srv := server.New(router)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	base := "http://" + listener.Addr().String() + "/anymail"
	fmt.Fprintf(info, "serving on %s, posting samples\n", base)
	failed := postSamples(ctx, info, base, webhooks)
	fmt.Fprintf(info, "%d ESPs, %d events from %d requests\n", len(webhooks), printer.count(), failed.requests)
	if failed.count > 0 {
		err = fmt.Errorf("%d of %d requests were refused", failed.count, failed.requests)
	}
	if !once && err == nil {
		fmt.Fprintf(info, "listening on %s/{esp}/tracking/ and /inbound/ with the shared secret %s\nstop with Ctrl-C\n", base, secret)
		select {
		case <-ctx.Done():
		case err = <-served:
		}
	}
	return errors.Join(err, d.Shutdown(context.WithoutCancel(ctx)), srv.Close())
}

// register registers the adapters of all ESPs, each with a new credential, and
// returns their webhooks.
func (c catalog) register(d *anymail.Dispatcher, secret string) ([]simulator.Webhook, error) {
	var webhooks []simulator.Webhook
	for _, sim := range c.simulators() {
		adapter, credential, err := sim.NewAccount()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sim.ESP, err)
		}
		if err := d.Register(sim.ESP, adapter); err != nil {
			return nil, err
		}
		webhooks = append(webhooks, simulator.Webhook{Simulator: sim, Secret: secret, Credential: credential})
	}
	return webhooks, nil
}

type tally struct{ requests, count int }

// postSamples posts every sample of every ESP, and prints which were refused.
func postSamples(ctx context.Context, info io.Writer, base string, webhooks []simulator.Webhook) (t tally) {
	for _, w := range webhooks {
		w.URL = base
		for _, sample := range w.Simulator.Samples {
			t.requests++
			status, err := post(ctx, w, sample)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("answered %d", status)
			}
			if err != nil {
				t.count++
				fmt.Fprintf(info, "%s %s: %v\n", w.Simulator.ESP, sample.Name, err)
			}
		}
	}
	return t
}

func post(ctx context.Context, w simulator.Webhook, sample simulator.Sample) (status int, err error) {
	r, err := w.Sign(sample.Make(simulator.NewParams()))
	if err != nil {
		return 0, err
	}
	req, err := r.HTTP()
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is reused
	return resp.StatusCode, nil
}

// eventPrinter prints events, one a line.
type eventPrinter struct {
	json bool

	mu  sync.Mutex
	out io.Writer
	n   int
}

func (p *eventPrinter) connect(s *anymail.Signals) error {
	return errors.Join(
		s.Tracking.Connect("print", func(_ context.Context, ev *anymail.TrackingEvent) error { return p.print(ev) }),
		s.Inbound.Connect("print", func(_ context.Context, ev *anymail.InboundEvent) error { return p.print(ev) }))
}

func (p *eventPrinter) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

const eventLine = "%-12s %-14s %-32s %-12s %s\n"

func (p *eventPrinter) print(ev anymail.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.json {
		return json.NewEncoder(p.out).Encode(ev)
	}
	if p.n == 1 {
		fmt.Fprintf(p.out, eventLine, "ESP", "TYPE", "RECIPIENT", "REASON", "MESSAGE ID")
	}
	base := ev.Base()
	var recipient, reason, id string
	switch ev := ev.(type) {
	case *anymail.TrackingEvent:
		recipient, reason, id = ev.Recipient, string(ev.RejectReason), ev.MessageID
	case *anymail.InboundEvent:
		recipient, id = ev.Message.EnvelopeRecipient, ev.Message.MessageID
		if recipient == "" && len(ev.Message.To) > 0 {
			recipient = ev.Message.To[0].Address
		}
	}
	_, err := fmt.Fprintf(p.out, eventLine, base.ESP, base.Type, cli.Printable(recipient), reason, cli.Printable(id))
	return err
}
