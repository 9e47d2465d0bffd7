package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/amazonses"
	"github.com/goanymail/anymail/esp/amazonses/amazonsessim"
	"github.com/goanymail/anymail/esp/scaleway"
	"github.com/goanymail/anymail/server"
	"github.com/goanymail/anymail/simulator"
)

// sharedSecret protects the endpoints whose ESP signs nothing. The attacker
// guesses.
const (
	sharedSecret = "hook:correct-horse-battery-42"
	wrongSecret  = "hook:battery-horse-correct-24"
)

// keys are what the user of each ESP configures, and the certificate that Amazon
// SNS serves.
type keys struct {
	Trusted        map[string]string // by the ESP's name
	CertificateURL string
	Certificate    []byte // PEM
}

type serverJob struct {
	Keys       keys
	RateLimits bool
}

func (j serverJob) options() []anymail.Option {
	if !j.RateLimits {
		return nil
	}
	return []anymail.Option{anymail.WithRateLimit(anymail.DefaultRateLimit())}
}

// serve plays the server until the conversation ends. It tells its address.
func serve(ctx context.Context, p pipe) error {
	var job serverJob
	if err := p.hear(&job); err != nil {
		return err
	}
	d, err := newDispatcher(job.Keys, job.options()...)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := server.New(d)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(listener) }()
	if err := p.tell(listener.Addr().String()); err != nil {
		return err
	}
	heard := make(chan error, 1)
	go func() { heard <- p.hear(new(any)) }()
	select {
	case err := <-ended:
		return err
	case err := <-heard:
		if !errors.Is(err, io.EOF) {
			return err
		}
		return srv.Close()
	}
}

// newDispatcher returns a Dispatcher with all ESPs. An endpoint whose ESP signs
// has no shared secret, so that a client without any secret gets as far as
// possible.
func newDispatcher(keys keys, options ...anymail.Option) (*anymail.Dispatcher, error) {
	d, err := anymail.New(append(options, anymail.WithSharedSecret(sharedSecret),
		anymail.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))...) //nolint:sloglint // lines cost what they cost a program
	if err != nil {
		return nil, err
	}
	for _, sim := range simulators() {
		adapter, err := keys.adapter(sim)
		if err != nil {
			return nil, err
		}
		var options []anymail.Option
		for _, ep := range adapter.Endpoints() {
			if sim.Signs(ep.Path) {
				options = append(options, anymail.WithEndpointOptions(ep.Path, anymail.WithoutSharedSecret()))
			}
		}
		if err := d.Register(sim.ESP, adapter, options...); err != nil {
			return nil, err
		}
	}
	return d, errors.Join(
		d.Tracking.Connect("tracking", func(context.Context, *anymail.TrackingEvent) error { return nil }),
		d.Inbound.Connect("inbound", func(context.Context, *anymail.InboundEvent) error { return nil }),
	)
}

// simulators returns those of all ESPs but Scaleway: it signs as Amazon SNS does,
// with certificates that its own simulator serves, to its own process alone.
func simulators() []*simulator.Simulator {
	return slices.DeleteFunc(allsim.List(), func(sim *simulator.Simulator) bool { return sim.ESP == scaleway.ESP })
}

// adapter returns the adapter of an ESP.
func (k keys) adapter(sim *simulator.Simulator) (anymail.Adapter, error) {
	var trusted []simulator.Credential
	if config, ok := k.Trusted[sim.ESP]; ok {
		trusted = append(trusted, simulator.Credential{Config: config})
	}
	if sim.ESP != amazonses.ESP {
		return sim.NewAdapter(trusted...)
	}
	config, err := new(amazonsessim.AWS).Config(trusted...)
	if err != nil {
		return nil, err
	}
	config.Client = &http.Client{Transport: certificates{k}}
	return amazonses.New(config)
}

// certificates plays the host of Amazon's certificates. It is slow if there is no
// such certificate.
type certificates struct{ keys keys }

func (c certificates) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, c.keys.Certificate
	if r.URL.String() != c.keys.CertificateURL {
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		status, body = http.StatusNotFound, nil
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Request: r,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}
