package inspect

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/inbound/report"
	"github.com/goanymail/anymail/internal/trace"
)

// attempt is everything that is needed to try a request. It does not change: a
// variation of it is a copy.
type attempt struct {
	Options
	request  capture.Request
	endpoint anymail.Endpoint
	// keySettings are the [KeySettings] of the endpoint.
	keySettings []string
	network     *network
	reports     *report.Reader
	now         time.Time
	timed       bool // now is the time at which the request was received
}

// outcome is what became of an attempt.
type outcome struct {
	anymail.RequestResult
	stages  map[anymail.Stage]error // of the stages that ran
	steps   []trace.Step            // what the verifier compared
	proof   anymail.Proof
	payload *anymail.Payload // nil if the request did not come so far
	traffic *traffic
}

// adapter makes the ESP's adapter with the attempt's settings.
func (a attempt) adapter() (anymail.Adapter, error) {
	return a.ESP.Adapter(esp.Values{Settings: a.Settings, Client: &http.Client{Transport: a.network}, Logger: slog.New(slog.DiscardHandler)})
}

// withSetting returns an attempt with other values of a setting and the endpoint
// that they make.
func (a attempt) withSetting(name string, values ...string) (attempt, error) {
	a.Settings = maps.Clone(a.Settings)
	if a.Settings == nil {
		a.Settings = map[string][]string{}
	}
	a.Settings[name] = values
	return a.at(a.endpoint.Path)
}

// at returns an attempt at the endpoint of a path, or else the first one.
func (a attempt) at(path string) (attempt, error) {
	adapter, err := a.adapter()
	if err == nil {
		a.endpoint = endpointOf(adapter, path)
	}
	return a, err
}

// withoutVerifier returns an attempt whose request need not be authentic.
func (a attempt) withoutVerifier() attempt {
	a.endpoint.Verifier = nil
	return a.withNewSecret()
}

// withoutSecret returns an attempt that needs none of the configured secrets.
func (a attempt) withoutSecret() attempt {
	a.Secrets = nil
	if a.endpoint.NeedsSecret {
		return a.withNewSecret()
	}
	return a
}

// withNewSecret returns an attempt whose request has a valid secret.
func (a attempt) withNewSecret() attempt {
	secret := "inspect:" + rand.Text()
	a.Secrets = []string{secret}
	a.request.Header = a.request.Header.Clone()
	a.request.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)))
	return a
}

// asPost returns an attempt by POST.
func (a attempt) asPost() attempt {
	a.request.Method = http.MethodPost
	return a
}

// try sends the request through a Dispatcher that has the endpoint alone.
func (a attempt) try(ctx context.Context) (*outcome, error) {
	o := &outcome{stages: map[anymail.Stage]error{}, traffic: &traffic{allowed: a.Fetch}}
	endpoint := a.endpoint
	if endpoint.Verifier != nil {
		endpoint.Verifier = anymail.VerifierFunc(func(ctx context.Context, payload *anymail.Payload) (proof anymail.Proof, err error) {
			o.payload = payload
			o.proof, err = a.endpoint.Verifier.Verify(ctx, payload)
			return o.proof, err
		})
	}
	endpoint.Parser = anymail.ParserFunc(func(ctx context.Context, payload *anymail.Payload) ([]anymail.Event, error) {
		o.payload = payload
		return a.endpoint.Parser.ParseEvents(ctx, payload)
	})
	options := []anymail.Option{
		anymail.Insecure(),
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
		anymail.WithClock(func() time.Time { return a.now }),
		anymail.WithReports(a.reports),
		anymail.WithHooks(anymail.Hooks{
			Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
				return ctx, func(r anymail.RequestResult) { o.RequestResult = r }
			},
			Stage: func(ctx context.Context, _ anymail.RequestInfo, stage anymail.Stage) (context.Context, func(error)) {
				return ctx, func(err error) { o.stages[stage] = err }
			},
		}),
	}
	if len(a.Secrets) > 0 {
		options = append(options, anymail.WithSharedSecret(a.Secrets...))
	}
	if !a.timed {
		options = append(options, anymail.WithTimestampWindow(1<<63-1))
	}
	d, err := anymail.New(options...)
	if err != nil {
		return nil, err
	}
	if err := d.Register(a.ESP.Name, single{a.ESP.Name, endpoint}); err != nil {
		return nil, err
	}
	ctx = o.traffic.context(trace.With(ctx, func(s trace.Step) { o.steps = append(o.steps, s) }))
	d.ServeHTTP(discard{}, a.httpRequest(ctx))
	return o, nil
}

// single is an adapter with one endpoint.
type single struct {
	esp      string
	endpoint anymail.Endpoint
}

func (s single) ESP() string                   { return s.esp }
func (s single) Endpoints() []anymail.Endpoint { return []anymail.Endpoint{s.endpoint} }

// httpRequest is the captured request as a server receives it: the path is that
// of the route, but the request line is the captured one, since some ESPs sign
// the URL.
func (a attempt) httpRequest(ctx context.Context) *http.Request {
	req := &http.Request{
		Method: a.request.Method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL:           &url.URL{Path: strings.TrimSuffix("/"+a.ESP.Name+"/"+a.endpoint.Path, "/") + "/"},
		Header:        a.request.Header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(a.request.Body)),
		ContentLength: int64(len(a.request.Body)),
	}
	if u, err := url.Parse(a.request.URL); err == nil {
		req.Host, req.RequestURI, req.URL.RawQuery = u.Host, u.RequestURI(), u.RawQuery
		if u.Scheme == "https" {
			req.TLS = new(tls.ConnectionState)
		}
	}
	return req.WithContext(ctx)
}

// discard is a response that is not needed: the hooks tell the outcome.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// verifies reports whether the endpoint's verifier accepts a payload that was
// changed. It makes no request to the network.
func (a attempt) verifies(p *anymail.Payload, change func(*anymail.Payload)) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	other := &anymail.Payload{
		ESP: p.ESP, Name: p.Name, Endpoint: p.Endpoint, URL: p.URL, Header: p.Header, Body: p.Body,
		RemoteAddr: p.RemoteAddr, ReceivedAt: p.ReceivedAt, SecretProved: p.SecretProved, Limits: p.Limits,
	}
	change(other)
	_, err := a.endpoint.Verifier.Verify(context.Background(), other)
	return err == nil
}

// tries are the outcomes that the checks look at. Each goes on where the one
// before it ended.
type tries struct {
	attempt
	whole    *outcome // as a server with these settings handles the request
	admitted *outcome // as a POST with a valid shared secret: what the verifier finds
	parsed   *outcome // without a verifier: what the parser makes of it
}

// tries makes the tries that differ.
func (a attempt) tries(ctx context.Context) (*tries, error) {
	t := &tries{attempt: a}
	first := a
	if len(a.Secrets) == 0 {
		first = a.withoutSecret()
	}
	var err error
	if t.whole, err = first.try(ctx); err != nil {
		return nil, err
	}
	t.admitted = t.whole
	if t.wrongMethod() || errors.Is(t.whole.stages[anymail.StageGuard], anymail.ErrUnauthenticated) {
		if t.admitted, err = a.asPost().withoutSecret().try(ctx); err != nil {
			return nil, err
		}
	}
	t.parsed = t.admitted
	if t.admitted.stages[anymail.StageVerify] != nil {
		t.parsed, err = a.asPost().withoutVerifier().try(ctx)
	}
	return t, err
}

// wrongMethod reports whether the request is not one that has events.
func (t *tries) wrongMethod() bool {
	return len(t.whole.stages) == 0 || errors.Is(t.whole.stages[anymail.StageGuard], anymail.ErrMethodNotAllowed)
}

func endpointOf(adapter anymail.Adapter, path string) anymail.Endpoint {
	endpoints := adapter.Endpoints()
	i := slices.IndexFunc(endpoints, func(e anymail.Endpoint) bool { return plain(e.Path) == plain(path) })
	return endpoints[max(i, 0)]
}

// plain is the form in which paths are compared.
func plain(path string) string { return strings.ReplaceAll(strings.ToLower(path), "_", "") }
