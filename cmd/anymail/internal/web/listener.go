// Package web is "anymail listen": it receives webhooks, keeps them with their
// outcomes, and serves the page and the API that show them.
//
// A [Listener] has three parts. The Dispatcher handles webhooks. The store keeps a
// record of each, within bounds. The API, below /api, is all that the page uses;
// docs/listen.md describes it.
package web

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/cli"
	"github.com/goanymail/anymail/simulator"
)

// Mount is the path below which webhooks are received.
const Mount = "/anymail"

// Limits of a Listener.
const (
	bodyLimit = 64 << 20  // of one request
	sizeLimit = 512 << 20 // of all records in memory, by default
)

// ESP is an ESP whose webhooks a [Listener] receives.
type ESP struct {
	Spec      esp.Spec
	Simulator *simulator.Simulator // makes its events; may be nil
	Package   string               // of the adapter, if the library has it; its simulator is below
}

// Options are the settings of a [Listener].
type Options struct {
	ESPs     []ESP
	Secrets  []string                       // "user:password"; any of them is accepted
	Settings map[string]map[string][]string // of the ESPs, by their names
	// TokenKeys are those of package mailtoken, which verify reports that come as mail.
	TokenKeys []string
	Keep      int         // events; see store
	Size      int         // bytes of records in memory; 512 MiB if 0
	Store     string      // file with the records, which outlive the process; or ""
	Warn      func(error) // called if the file cannot be written; required with Store
	Version   string      // of the program
	// PublicURL is where the listener is reached from the internet, without a path:
	// "https://name.tunnel.example". Some ESPs sign the URL. It may be "".
	PublicURL string
	// SignKeys are the keys that sign what the page makes, by ESP, for ESPs that sign
	// with a private key. The others sign with the key that verifies.
	SignKeys map[string]string
	// Forward is the URL of the mount point of another server that gets each request as
	// well, or "". With ForwardSign, requests are signed anew.
	Forward     string
	ForwardSign bool
}

// origin is the beginning of the URLs that ESPs call: the public one, or else that of
// the host that was called.
func (o Options) origin(host string) string {
	if o.PublicURL != "" {
		return strings.TrimRight(o.PublicURL, "/")
	}
	return "http://" + host
}

// Listener receives webhooks and shows them. It is the handler of both.
type Listener struct {
	options   Options
	store     *store
	webhooks  http.Handler
	page      http.Handler
	explain   explainer
	signer    signer
	answers   answers
	forwarder *forwarder
	client    *http.Client
	// secretHeaders are those that the settings of any ESP make one.
	secretHeaders []string
	waits         chan struct{} // a place for each client that waits for an event
}

// New returns a Listener. An error is about the options. Close it at the end.
func New(o Options) (*Listener, error) {
	l := &Listener{
		options: o, store: newStore(o.Keep, cmp.Or(o.Size, sizeLimit)), client: newClient(),
		explain: explainer{options: o}, signer: signer{options: o}, waits: make(chan struct{}, maxSubscribers),
	}
	if u, err := parseURL(o.PublicURL); o.PublicURL != "" && (err != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil) {
		return nil, cli.Usagef("--public-url: must be an URL of http or https without a path, such as https://name.tunnel.example")
	}
	l.forwarder = newForwarder(l)
	if o.Forward != "" {
		to, err := parseURL(o.Forward)
		if err != nil {
			return nil, cli.Usagef("--forward: must be an absolute URL of http or https")
		}
		l.forwarder.set(to, o.ForwardSign)
	}
	d, err := l.dispatcher()
	if err != nil {
		return nil, err
	}
	if o.Store != "" {
		skipped, err := l.store.open(o.Store, o.Warn)
		if err != nil {
			return nil, fmt.Errorf("--store: %w", err)
		}
		if skipped > 0 {
			o.Warn(fmt.Errorf("%d lines of %s cannot be read", skipped, o.Store))
		}
	}
	webhooks := chi.NewMux()
	webhooks.Mount(Mount, d)
	l.webhooks = l.receive(webhooks)
	l.page = l.routes()
	return l, nil
}

// Close ends what the Listener does in the background, and closes its file. Call it when
// no more requests come.
func (l *Listener) Close() error {
	l.forwarder.close()
	l.client.CloseIdleConnections()
	return l.store.close()
}

// ServeHTTP implements [http.Handler]. What is posted to a wrong path is kept like any
// other webhook, since the page says which one is right.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	posted := r.Method == http.MethodPost && !strings.HasPrefix(r.URL.Path, "/api/")
	if posted || r.URL.Path == Mount || strings.HasPrefix(r.URL.Path, Mount+"/") {
		l.webhooks.ServeHTTP(w, r)
		return
	}
	l.page.ServeHTTP(w, r)
}

// dispatcher makes the Dispatcher, with the adapters of all ESPs.
func (l *Listener) dispatcher() (*anymail.Dispatcher, error) {
	options := []anymail.Option{
		anymail.Insecure(),
		anymail.WithHooks(hooks()),
		anymail.WithLogger(slog.New(slog.DiscardHandler)), // the page shows refused requests
	}
	if len(l.options.Secrets) > 0 {
		options = append(options, anymail.WithSharedSecret(l.options.Secrets...))
	}
	if l.options.PublicURL != "" {
		options = append(options, anymail.WithPublicURL(l.options.origin("")+Mount))
	}
	reports, err := inspect.ReportReader(l.options.TokenKeys, time.Now)
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	d, err := anymail.New(append(options, anymail.WithReports(reports))...)
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	for _, e := range l.options.ESPs {
		adapter, err := l.adapter(e.Spec)
		if err == nil {
			err = d.Register(e.Spec.Name, adapter)
		}
		if err != nil {
			return nil, cli.UsageError{Err: err}
		}
	}
	return d, nil
}

// adapter makes the adapter of an ESP.
func (l *Listener) adapter(spec esp.Spec) (anymail.Adapter, error) {
	settings := l.options.Settings[spec.Name]
	adapter, err := spec.Adapter(esp.Values{Settings: settings, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if len(l.options.Secrets) == 0 && settings == nil {
		adapter = trusting{adapter}
	}
	adapter = vouching{adapter}
	for _, endpoint := range adapter.Endpoints() {
		l.secretHeaders = append(l.secretHeaders, endpoint.SecretHeaders...)
	}
	if err := l.lacks(spec); err != nil {
		adapter = keyless{adapter, err}
	}
	return adapter, nil
}

// Notes returns what the user should know before the first request, one sentence
// each.
func (l *Listener) Notes() []string {
	var notes []string
	for _, e := range l.options.ESPs {
		if err := l.lacks(e.Spec); err != nil {
			notes = append(notes, e.Spec.Name+": "+err.Error())
		}
	}
	return notes
}

// lacks returns an error that names the setting without which an ESP has no inbound
// endpoint, or nil if nothing is missing.
func (l *Listener) lacks(spec esp.Spec) error {
	if spec.InboundNeeds == "" || len(l.options.Settings[spec.Name][spec.InboundNeeds]) > 0 {
		return nil
	}
	return fmt.Errorf("received mail is fetched from %s, which needs --set %s.%s=KEY", spec.Title, spec.Name, spec.InboundNeeds)
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
