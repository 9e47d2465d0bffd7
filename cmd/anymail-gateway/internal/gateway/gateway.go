// Package gateway is "anymail-gateway serve": a Dispatcher with a configuration
// file, which hands events on to programs in any language.
package gateway

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailotel"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/refused"
	"github.com/goanymail/anymail/server"
)

// Gateway is a running configuration. Make one with [New].
type Gateway struct {
	log     *slog.Logger
	metrics *metrics
	tracers *sdktrace.TracerProvider // nil without traces
	hooks   []anymail.Hooks          // of both
	outputs []*output
	sinks   *checks
	signals anymail.Signals // the sinks, for the queue
	store   anymail.IdempotencyStore
	db      *sql.DB // of the store; nil for none
	queue   *durable.Queue
	stats   *statsCache
	refused *refused.Dir // nil for none

	listener, adminListener net.Listener

	reloading   sync.Mutex
	config      *Config
	dispatcher  atomic.Pointer[anymail.Dispatcher]
	certificate atomic.Pointer[tls.Certificate]
	stopping    atomic.Bool
}

// Check builds the parts of a gateway that need no network.
func Check(config *Config) error {
	_, err := (&Gateway{log: slog.New(slog.DiscardHandler), store: anymail.NewMemoryStore(1)}).newDispatcher(config)
	return err
}

// New opens the listeners, the queue and the store. Events for sinks of type
// stdout go to out, the log to logs.
func New(ctx context.Context, config *Config, out, logs io.Writer) (_ *Gateway, err error) {
	g := &Gateway{config: config, log: config.Log.logger(logs)}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close(context.WithoutCancel(ctx)))
		}
	}()
	for _, warning := range config.Warnings {
		g.log.Warn(warning)
	}
	if g.outputs, err = openSinks(config.Sinks, out); err != nil {
		return nil, err
	}
	g.sinks = &checks{outputs: g.outputs}
	if err := g.observe(ctx); err != nil {
		return nil, err
	}
	if err := connect(&g.signals, g.outputs); err != nil {
		return nil, err
	}
	if g.store, g.db, err = openIdempotency(ctx, config.Idempotency); err != nil {
		return nil, err
	}
	if g.queue, err = OpenQueue(ctx, config.Queue, &g.signals, config.Delivery.options(g.log, g.hooks)...); err != nil {
		return nil, err
	}
	if g.queue != nil {
		g.stats = &statsCache{queue: g.queue}
		g.metrics.watch(g.stats.get)
	}
	if r := config.Refused; r.Dir != "" {
		g.refused, err = refused.Open(r.Dir, refused.Options{Files: r.Files, Bytes: int64(r.Bytes), BodyBytes: int64(r.Body), Logger: g.log})
		if err != nil {
			return nil, config.fault("refused.dir", err)
		}
	}
	if err := g.apply(config); err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	if g.listener, err = listen.Listen(ctx, "tcp", config.Listen); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if config.Admin != "off" {
		if g.adminListener, err = listen.Listen(ctx, "tcp", config.Admin); err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
	}
	return g, nil
}

// observe makes the metrics and the traces.
func (g *Gateway) observe(ctx context.Context) (err error) {
	g.metrics = newMetrics()
	g.hooks = []anymail.Hooks{g.metrics.hooks()}
	if g.tracers, err = newTracers(ctx); err != nil || g.tracers == nil {
		return err
	}
	traces, err := anymailotel.Hooks(g.tracers, nil)
	g.hooks = append(g.hooks, traces)
	return err
}

// apply makes a Dispatcher from config, for all new requests. The one before it
// finishes its own.
func (g *Gateway) apply(config *Config) error {
	d, err := g.newDispatcher(config)
	if err != nil {
		return err
	}
	if config.TLS.Cert != "" {
		certificate, err := config.TLS.load()
		if err != nil {
			return fmt.Errorf("tls.cert: %w", err)
		}
		g.certificate.Store(certificate)
	}
	g.dispatcher.Store(d)
	return nil
}

func (t TLS) load() (*tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	return &certificate, err
}

func (g *Gateway) newDispatcher(c *Config) (*anymail.Dispatcher, error) {
	options := []anymail.Option{
		anymail.WithLogger(g.log),
		anymail.WithIdempotencyStore(g.store),
		anymail.WithRejectStatus(c.RejectStatus),
		anymail.WithTrustedProxies(c.TrustedProxies...),
		anymail.WithRateLimit(c.RateLimit.limit()),
		anymail.WithLimits(c.Limits.limits()),
		anymail.WithMaxReading(c.Limits.Reading),
		anymail.WithMaxInFlight(c.Limits.InFlight),
	}
	if c.Limits.Memory > 0 {
		options = append(options, anymail.WithMaxMemory(int64(c.Limits.Memory)))
	}
	if len(c.SharedSecrets) > 0 {
		options = append(options, anymail.WithSharedSecret(c.SharedSecrets...))
	}
	if len(c.ForwardedHeaders) > 0 {
		options = append(options, anymail.WithForwardedHeaders(c.ForwardedHeaders...))
	}
	if c.RequireTLS {
		options = append(options, anymail.RequireTLS())
	}
	if c.PublicURL != "" {
		options = append(options, anymail.WithPublicURL(c.PublicURL))
	}
	for _, hooks := range g.hooks {
		options = append(options, anymail.WithHooks(hooks))
	}
	if g.refused != nil {
		options = append(options, g.refused.Option())
	}
	if !needInboundRaw(c.Sinks) {
		options = append(options, anymail.WithoutInboundRaw())
	}
	if g.queue != nil {
		options = append(options, anymail.WithQueue(g.queue))
	}
	reports, err := c.Reports.option(c.Limits.limits())
	if err != nil {
		return nil, c.fault("reports", err)
	}
	d, err := anymail.New(append(options, reports)...)
	if err != nil {
		return nil, err
	}
	if err := connect(&d.Signals, g.outputs); err != nil {
		return nil, err
	}
	var errs []error
	for i, a := range c.Adapters {
		adapter, err := c.adapter(a)
		if err == nil {
			err = d.Register(a.Name, adapter, a.options()...)
		}
		if err != nil {
			errs = append(errs, c.fault(fmt.Sprintf("adapters[%d]", i), err))
		}
	}
	if err := c.Reports.registerOneClick(d); err != nil {
		errs = append(errs, c.fault("reports.one_click", err))
	}
	return d, errors.Join(errs...)
}

func (c *Config) adapter(a Adapter) (anymail.Adapter, error) {
	spec, ok := esp.Find(c.specs, a.ESP)
	if !ok {
		return nil, fmt.Errorf("%w: unknown ESP %q", anymail.ErrConfig, a.ESP)
	}
	return spec.Adapter(esp.Values{Settings: a.Settings})
}

func (a *Adapter) options() []anymail.Option {
	var options []anymail.Option
	switch {
	case a.SharedSecrets == nil: // the general secrets
	case len(a.SharedSecrets) == 0:
		options = append(options, anymail.WithoutSharedSecret())
	default:
		options = append(options, anymail.WithSharedSecret(a.SharedSecrets...))
	}
	if len(a.AllowedAddresses) > 0 {
		options = append(options, anymail.WithAllowedAddresses(a.AllowedAddresses...))
	}
	if a.Insecure {
		options = append(options, anymail.Insecure())
	}
	return options
}

func (r RateLimit) limit() anymail.RateLimit {
	return anymail.RateLimit{
		PerAddress:  anymail.Rate(r.PerAddress),
		PerEndpoint: anymail.Rate(r.PerEndpoint),
		Failures:    anymail.Rate(r.Failures),
		Addresses:   r.Addresses,
	}
}

func (l Limits) limits() anymail.Limits {
	return anymail.Limits{
		Body:        int64(l.Body),
		BodyTime:    l.BodyTime,
		BodyRate:    int64(l.BodyRate),
		RequestTime: l.RequestTime,
		BatchEvents: l.BatchEvents,
		FormFields:  l.FormFields,
		MIMEDepth:   l.MIMEDepth,
		MIMEParts:   l.MIMEParts,
		MIMEHeaders: l.MIMEHeaders,
		Fetch:       int64(l.Fetch),
	}
}

// Logger returns the gateway's logger.
func (g *Gateway) Logger() *slog.Logger { return g.log }

// Addr returns the address for webhooks.
func (g *Gateway) Addr() net.Addr { return g.listener.Addr() }

// Admin returns the administrative address, or "off".
func (g *Gateway) Admin() string {
	if g.adminListener == nil {
		return "off"
	}
	return g.adminListener.Addr().String()
}

// URLs returns the URLs to register at the ESPs, with a shared secret if there is
// one.
func (g *Gateway) URLs() []string {
	scheme := "http"
	if g.config.TLS.Cert != "" {
		scheme = "https"
	}
	base := scheme + "://" + g.Addr().String() + strings.TrimRight(g.config.Path, "/")
	if g.config.PublicURL != "" {
		base = strings.TrimRight(g.config.PublicURL, "/")
	}
	var urls []string
	for _, a := range g.config.Adapters {
		adapter, err := g.config.adapter(a)
		u, parseErr := url.Parse(base)
		if err != nil || parseErr != nil {
			continue
		}
		secrets := g.config.SharedSecrets
		if a.SharedSecrets != nil {
			secrets = a.SharedSecrets
		}
		if len(secrets) > 0 {
			user, password, _ := strings.Cut(secrets[0], ":")
			u.User = url.UserPassword(user, password)
		}
		for _, e := range adapter.Endpoints() {
			path := "/" + a.Name + "/"
			if e.Path != "" {
				path += e.Path + "/"
			}
			urls = append(urls, u.String()+path)
		}
	}
	return urls
}

// Reload applies the changes that need no restart: the keys tagged "reload",
// certificates, and the secrets and headers of webhook sinks. If config is wrong, nothing
// changes.
func (g *Gateway) Reload(config *Config) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if config.WantsSecret {
		config.SharedSecrets = g.config.SharedSecrets
	}
	if err := g.apply(config); err != nil {
		return err
	}
	g.metrics.reload(true)
	for _, key := range needRestart(g.config, config) {
		g.log.Warn("anymail: the change takes effect after a restart", slog.String("key", key))
	}
	for _, s := range config.Sinks {
		for _, o := range g.outputs {
			if w, ok := o.sink.(*webhook); ok && o.Name == s.Name && s.Type == sinkWebhook {
				w.configure(s)
			}
		}
	}
	g.config = config
	return nil
}

// NotReloaded records in the metrics that the configuration could not be reloaded.
func (g *Gateway) NotReloaded() { g.metrics.reload(false) }

// needRestart returns the changed keys that are not tagged "reload".
func needRestart(before, after *Config) []string {
	withoutSecrets := func(c Config) reflect.Value {
		c.Sinks = append([]Sink(nil), c.Sinks...)
		for i := range c.Sinks {
			c.Sinks[i].Secrets, c.Sinks[i].Headers = nil, nil
		}
		return reflect.ValueOf(&c).Elem()
	}
	var names []string
	old := fieldsOf(withoutSecrets(*before))
	for i, f := range fieldsOf(withoutSecrets(*after)) {
		if !f.reload && !reflect.DeepEqual(f.to.Interface(), old[i].to.Interface()) {
			names = append(names, f.name)
		}
	}
	return names
}

// Run serves until ctx is done, and then stops gracefully: it is not ready, but
// accepts requests for the time that the configuration sets; then it answers new
// requests with 503, waits for running requests and sinks, and closes everything.
// It returns nil if that took no longer than the configuration allows.
func (g *Gateway) Run(ctx context.Context) error {
	router := chi.NewRouter()
	router.Mount(g.config.Path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.dispatcher.Load().ServeHTTP(w, r)
	}))
	failed := make(chan error, 2)
	errorLog := slog.NewLogLogger(g.log.Handler(), slog.LevelWarn)
	webhooks := server.New(router)
	webhooks.ErrorLog = errorLog
	if g.certificate.Load() != nil {
		webhooks.TLSConfig.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return g.certificate.Load(), nil }
	}
	if g.queue != nil {
		// Not ctx, whose end would interrupt running sinks.
		if err := g.queue.Start(context.WithoutCancel(ctx)); err != nil {
			return errors.Join(err, g.close(context.WithoutCancel(ctx)))
		}
	}
	go func() {
		if g.certificate.Load() != nil {
			failed <- webhooks.ServeTLS(g.listener, "", "")
			return
		}
		failed <- webhooks.Serve(g.listener)
	}()
	administration := server.New(g.admin())
	administration.ErrorLog = errorLog
	if g.adminListener != nil {
		go func() { failed <- administration.Serve(g.adminListener) }()
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.stopping.Store(true)
	if delay := g.config.ShutdownDelay; err == nil && delay > 0 {
		g.log.Info("anymail: not ready, and still accepting requests", slog.Duration("for", delay))
		select {
		case <-time.After(delay):
		case err = <-failed:
		}
	}
	g.log.Info("anymail: stopping", slog.Duration("at_most", g.config.StopTimeout))
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.config.StopTimeout)
	defer cancel()
	err = errors.Join(err, g.dispatcher.Load().Shutdown(limit), webhooks.Shutdown(limit), webhooks.Close())
	if g.queue != nil {
		err = errors.Join(err, g.queue.Stop(limit))
	}
	err = errors.Join(err, administration.Close(), g.close(limit))
	if err == nil {
		g.log.Info("anymail: stopped")
	}
	return err
}

// close closes what New opened. It waits for sinks until ctx is done.
func (g *Gateway) close(ctx context.Context) error {
	var errs []error
	for _, o := range g.outputs {
		if err := within(ctx, o.Close); err != nil {
			errs = append(errs, fmt.Errorf("sink %s: %w", o.Name, err))
		}
	}
	if g.queue != nil {
		errs = append(errs, g.queue.Close())
	}
	if g.db != nil {
		errs = append(errs, g.db.Close())
	}
	for _, l := range []net.Listener{g.listener, g.adminListener} {
		if l != nil {
			_ = l.Close() // a server may have closed it
		}
	}
	if g.refused != nil {
		errs = append(errs, g.refused.Close(ctx))
	}
	if g.tracers != nil {
		errs = append(errs, g.tracers.Shutdown(ctx)) // it sends what is left
	}
	return errors.Join(errs...)
}

// within waits until a function without a context returns, or ctx is done.
func within(ctx context.Context, run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
