package inspect

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
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
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/simulator"
)

// Options say with what to check.
type Options struct {
	ESP       esp.Spec
	Simulator *simulator.Simulator // of the ESP, knows the parts of a request
	Endpoint  *string              // nil to find it out
	Secrets   []string             // "user:password"
	Settings  map[string][]string  // of the ESP
	Keys      []string             // for whichever setting has the keys of the endpoint
	// URL is the one that the ESP calls, if not the captured one.
	URL string
	// At is when the request was received; zero where only the capture may know.
	At time.Time
	// Fetch allows requests over the network. Certificate is the signing
	// certificate in PEM, for an ESP that refers to one.
	Fetch       bool
	Certificate []byte
	// Transport makes the requests. It is [http.DefaultTransport] if nil.
	Transport http.RoundTripper
	// Events is how many events are put beside their raw members; 0 is all.
	Events int
}

// inspector is one inspection.
type inspector struct {
	Options
	captured *capture.Request
	gate     *gate
	endpoint anymail.Endpoint
	now      time.Time
	timed    bool     // now is when the request was received
	absent   bool     // the URL is that of an endpoint that is not there
	names    []string // see keyNames
	report   *Report
}

// Run inspects a request. An error is about the options and is
// [anymail.ErrConfig].
func Run(ctx context.Context, r *capture.Request, o Options) (*Report, error) {
	same := *r
	r = &same
	in := &inspector{Options: o, captured: r, now: time.Now()}
	in.gate = &gate{certificate: o.Certificate, next: o.Transport}
	if o.Transport == nil {
		in.gate.next = http.DefaultTransport
	}
	if o.URL != "" {
		r.URL = o.URL
	}
	at := o.At
	if at.IsZero() {
		at = r.At
	}
	if in.timed = !at.IsZero(); in.timed {
		in.now = at
	}
	in.report = &Report{
		ESP: o.ESP.Name, Title: o.ESP.Title, Events: []Event{},
		Request: Request{
			Form: r.Form, Method: r.Method, URL: r.URL, ContentType: r.Header.Get("Content-Type"),
			BodyBytes: len(r.Body), ReceivedAt: at, Notes: r.Notes,
		},
	}
	if err := in.findEndpoint(ctx); err != nil {
		return nil, err
	}
	in.report.Endpoint = in.endpoint.Path
	in.gate.open = o.Fetch
	if err := in.check(ctx); err != nil {
		return nil, err
	}
	return in.report, nil
}

func (in *inspector) note(format string, args ...any) {
	in.report.Request.Notes = append(in.report.Request.Notes, fmt.Sprintf(format, args...))
}

// adapter makes the ESP's adapter of settings.
func (in *inspector) adapter(settings map[string][]string) (anymail.Adapter, error) {
	return in.ESP.Adapter(esp.Values{
		Settings: settings, Client: &http.Client{Transport: in.gate}, Logger: slog.New(slog.DiscardHandler),
	})
}

// findEndpoint finds the endpoint that the request is for, with its keys.
func (in *inspector) findEndpoint(ctx context.Context) error {
	adapter, err := in.adapter(in.Settings)
	if err != nil {
		return err
	}
	endpoints := adapter.Endpoints()
	var path string
	switch {
	case in.Endpoint != nil:
		path = *in.Endpoint
		if !slices.ContainsFunc(endpoints, func(e anymail.Endpoint) bool { return plain(e.Path) == plain(path) }) {
			var known []string
			for _, e := range endpoints {
				known = append(known, fmt.Sprintf("%q", e.Path))
			}
			return fmt.Errorf("%w: %s has no endpoint %q with these settings; it has %s", anymail.ErrConfig, in.ESP.Title, path, strings.Join(known, ", "))
		}
	default:
		if path, err = in.guess(ctx, endpoints); err != nil {
			return err
		}
	}
	if len(in.Keys) > 0 {
		names := in.keyNames(path)
		if len(names) == 0 {
			return fmt.Errorf("%w: %s signs nothing with a key at %q: use --secret, or --set", anymail.ErrConfig, in.ESP.Title, path)
		}
		in.Settings = with(in.Settings, names[0], in.Keys...)
	}
	if adapter, err = in.adapter(in.Settings); err != nil {
		return err
	}
	in.endpoint = find(adapter, path)
	return nil
}

// find returns the endpoint of a path, or else the first.
func find(adapter anymail.Adapter, path string) anymail.Endpoint {
	endpoints := adapter.Endpoints()
	i := slices.IndexFunc(endpoints, func(e anymail.Endpoint) bool { return plain(e.Path) == plain(path) })
	return endpoints[max(i, 0)]
}

func plain(path string) string { return strings.ReplaceAll(strings.ToLower(path), "_", "") }

// guess tells the endpoint by the URL, or else by which one understands the body.
func (in *inspector) guess(ctx context.Context, endpoints []anymail.Endpoint) (string, error) {
	u, err := url.Parse(in.captured.URL)
	if err == nil && u.Path != "" {
		segments := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
		for _, segment := range slices.Backward(segments) {
			for _, e := range endpoints {
				if plain(e.Path) == plain(segment) || e.Path == "" && plain(segment) == in.ESP.Name {
					return e.Path, nil
				}
			}
			if name := in.opens(segment); name != "" {
				return segment, in.lend(segment, name)
			}
		}
	}
	if len(endpoints) == 1 {
		return endpoints[0].Path, nil
	}
	for _, e := range endpoints {
		for _, ev := range in.parser(ctx, e, in.captured.Header)(in.captured.Body) {
			if ev.Base().Type != anymail.EventUnknown {
				in.note("the URL does not tell the endpoint: taken for %q by its body (--endpoint says otherwise)", e.Path)
				return e.Path, nil
			}
		}
	}
	in.note("neither URL nor body tell the endpoint: taken for %q (--endpoint says otherwise)", endpoints[0].Path)
	return endpoints[0].Path, nil
}

// opens returns the name of a setting with which there is an endpoint, or "".
func (in *inspector) opens(path string) string {
	for _, s := range in.ESP.Settings {
		if in.Settings[s.Name] != nil || !s.Secret {
			continue
		}
		if adapter, err := in.adapter(with(in.Settings, s.Name, "none")); err == nil && plain(find(adapter, path).Path) == plain(path) {
			return s.Name
		}
	}
	return ""
}

// lend sets a setting without which there is no endpoint to look at.
func (in *inspector) lend(path, name string) error {
	if in.Fetch {
		return fmt.Errorf("%w: --fetch takes %s (--set)", anymail.ErrConfig, name)
	}
	in.Settings, in.absent = with(in.Settings, name, "none"), true
	in.note("a server has %q only where %s is set: without, it answers 404", printableASCII(path), name)
	return nil
}

// with returns settings that have one more value.
func with(settings map[string][]string, name string, values ...string) map[string][]string {
	other := map[string][]string{}
	maps.Copy(other, settings)
	other[name] = append(slices.Clone(other[name]), values...)
	return other
}

func printableASCII(s string) string { return strings.Trim(fmt.Sprintf("%+q", s), `"`) }

// keyNames is KeySettings, asked once: to make a key takes long.
func (in *inspector) keyNames(path string) []string {
	if in.names == nil {
		in.names = append([]string{}, KeySettings(in.ESP, in.Simulator, path)...)
	}
	return in.names
}

// KeySettings are the names of an ESP's settings that hold what requests to an
// endpoint are verified with, the usual one first: those with which there is a
// verifier.
func KeySettings(spec esp.Spec, sim *simulator.Simulator, path string) []string {
	verified := func(settings map[string][]string) (bool, error) {
		adapter, err := spec.Adapter(esp.Values{Settings: settings})
		if err != nil {
			return false, err
		}
		e := find(adapter, path)
		return plain(e.Path) == plain(path) && e.Verifier != nil, nil
	}
	if always, _ := verified(nil); always {
		return nil
	}
	probe := "probe"
	if sim != nil && sim.NewCredential != nil {
		if config := sim.NewCredential().Config; config != "" {
			probe = config
		}
	}
	others := map[string][]string{} // what a setting may need besides
	for _, s := range spec.Settings {
		settings := map[string][]string{s.Name: {probe}}
		if ok, err := verified(settings); err == nil && !ok && s.Secret && strings.HasPrefix(s.Name, "api_") {
			others[s.Name] = []string{probe}
		}
	}
	var names []string
	for _, s := range spec.Settings {
		settings := maps.Clone(others)
		settings[s.Name] = []string{probe}
		if ok, err := verified(settings); ok && err == nil {
			names = append(names, s.Name)
		}
	}
	return names
}

// watched is an adapter with one endpoint, that is watched.
type watched struct {
	esp      string
	endpoint anymail.Endpoint
}

func (w watched) ESP() string                   { return w.esp }
func (w watched) Endpoints() []anymail.Endpoint { return []anymail.Endpoint{w.endpoint} }

// passage is what became of the request on one way through a Dispatcher.
type passage struct {
	anymail.RequestResult
	stages  map[anymail.Stage]error // of those that ran
	steps   []trace.Step
	payload *anymail.Payload
	proof   anymail.Proof
	refused []refusal
}

// pass sends a request through a Dispatcher that has the endpoint.
func (in *inspector) pass(ctx context.Context, r *capture.Request, endpoint anymail.Endpoint, secrets []string) (*passage, error) {
	p := &passage{stages: map[anymail.Stage]error{}}
	in.gate.takeRefused()
	if verifier := endpoint.Verifier; verifier != nil {
		endpoint.Verifier = anymail.VerifierFunc(func(ctx context.Context, payload *anymail.Payload) (proof anymail.Proof, err error) {
			p.payload = payload
			p.proof, err = verifier.Verify(ctx, payload)
			return p.proof, err
		})
	}
	parser := endpoint.Parser
	endpoint.Parser = anymail.ParserFunc(func(ctx context.Context, payload *anymail.Payload) ([]anymail.Event, error) {
		p.payload = payload
		return parser.ParseEvents(ctx, payload)
	})
	d, err := in.dispatcher(endpoint, anymail.Hooks{
		Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return ctx, func(o anymail.RequestResult) { p.RequestResult = o }
		},
		Stage: func(ctx context.Context, _ anymail.RequestInfo, stage anymail.Stage) (context.Context, func(error)) {
			return ctx, func(err error) { p.stages[stage] = err }
		},
	}, secrets)
	if err != nil {
		return nil, err
	}
	ctx = trace.With(ctx, func(s trace.Step) { p.steps = append(p.steps, s) })
	d.ServeHTTP(answer{}, in.request(ctx, r, endpoint.Path))
	p.refused = in.gate.takeRefused()
	return p, nil
}

// dispatcher is one that serves the endpoint alone.
func (in *inspector) dispatcher(endpoint anymail.Endpoint, hooks anymail.Hooks, secrets []string) (*anymail.Dispatcher, error) {
	options := []anymail.Option{
		anymail.Insecure(),
		anymail.WithLogger(slog.New(slog.DiscardHandler)),
		anymail.WithClock(func() time.Time { return in.now }),
		anymail.WithHooks(hooks),
	}
	if len(secrets) > 0 {
		options = append(options, anymail.WithSharedSecret(secrets...))
	}
	if !in.timed {
		options = append(options, anymail.WithTimestampWindow(1<<63-1))
	}
	d, err := anymail.New(options...)
	if err != nil {
		return nil, err
	}
	return d, d.Register(in.ESP.Name, watched{in.ESP.Name, endpoint})
}

// parser returns a function that says what events a body would be, if it were
// authentic.
func (in *inspector) parser(ctx context.Context, endpoint anymail.Endpoint, header http.Header) func([]byte) []anymail.Event {
	endpoint.Verifier, endpoint.NeedsSecret = nil, false
	var outcome anymail.RequestResult
	d, err := in.dispatcher(endpoint, anymail.Hooks{
		Request: func(ctx context.Context, _ anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
			return ctx, func(o anymail.RequestResult) { outcome = o }
		},
	}, nil)
	return func(body []byte) []anymail.Event {
		outcome = anymail.RequestResult{}
		if err == nil {
			r := &capture.Request{Method: http.MethodPost, URL: in.captured.URL, Header: header, Body: body}
			d.ServeHTTP(answer{}, in.request(ctx, r, endpoint.Path))
		}
		return outcome.Events
	}
}

// request is the captured one as a server sees it: the path is that of the
// route, but the request line is as it was, since some ESPs sign the URL.
func (in *inspector) request(ctx context.Context, r *capture.Request, endpoint string) *http.Request {
	req := &http.Request{
		Method: r.Method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL:           &url.URL{Path: strings.TrimSuffix("/"+in.ESP.Name+"/"+endpoint, "/") + "/"},
		Header:        r.Header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(r.Body)),
		ContentLength: int64(len(r.Body)),
	}
	if u, err := url.Parse(r.URL); err == nil {
		req.Host, req.RequestURI, req.URL.RawQuery = u.Host, u.RequestURI(), u.RawQuery
		if u.Scheme == "https" {
			req.TLS = new(tls.ConnectionState)
		}
	}
	return req.WithContext(ctx)
}

// answer takes an answer, of which nothing but the outcome matters.
type answer struct{}

func (answer) Header() http.Header         { return http.Header{} }
func (answer) Write(b []byte) (int, error) { return len(b), nil }
func (answer) WriteHeader(int)             {}

// check makes all checks. Where one fails, the request is sent once more
// without it, so that those behind it have their turn.
func (in *inspector) check(ctx context.Context) error {
	r, endpoint, secrets := in.captured, in.endpoint, in.Secrets
	if len(secrets) == 0 && endpoint.NeedsSecret {
		r, secrets = withSecret(r)
	}
	p, err := in.pass(ctx, r, endpoint, secrets)
	if err != nil {
		return err
	}
	in.report.Status = p.Status
	if in.absent {
		in.report.Status = http.StatusNotFound
	}

	if len(p.stages) == 0 || errors.Is(p.stages[anymail.StageGuard], anymail.ErrMethodNotAllowed) {
		in.add(Check{Name: CheckRequest, Result: Failed, Reason: reasonOf(p.Err), Hints: []string{"An ESP posts its events: this was " + printableASCII(r.Method) + "."}})
		post := *r
		post.Method = http.MethodPost
		if p, err = in.pass(ctx, &post, endpoint, secrets); err != nil {
			return err
		}
		r = &post
	}
	guard := p.stages[anymail.StageGuard]
	in.checkSecret(guard)
	if errors.Is(guard, anymail.ErrUnauthenticated) {
		if endpoint.NeedsSecret {
			r, secrets = withSecret(r)
		} else {
			secrets = nil
		}
		if p, err = in.pass(ctx, r, endpoint, secrets); err != nil {
			return err
		}
		guard = p.stages[anymail.StageGuard]
	}
	if guard != nil {
		in.add(Check{Name: CheckRequest, Result: Failed, Reason: reasonOf(guard)})
		in.report.Verdict = in.verdict(false)
		return nil
	}
	in.checkSignature(ctx, p)
	in.gate.open = in.Fetch // which was closed for what the hints try
	in.checkTime(p)
	if p.stages[anymail.StageVerify] != nil {
		endpoint.Verifier = nil
		r, secrets = withSecret(r)
		if p, err = in.pass(ctx, r, endpoint, secrets); err != nil {
			return err
		}
	}
	in.checkPayload(ctx, p, r)
	in.report.Verdict = in.verdict(in.proved())
	return nil
}

func (in *inspector) add(c Check) { in.report.Checks = append(in.report.Checks, c) }

// proved says whether any check proves something.
func (in *inspector) proved() bool {
	for _, c := range in.report.Checks {
		if c.Result == OK && (c.Name == CheckSecret || c.Name == CheckSignature) {
			return len(in.Secrets) > 0 || !in.endpoint.NeedsSecret
		}
	}
	return false
}

func (in *inspector) verdict(proved bool) Verdict {
	has := func(result Result, names ...string) bool {
		return slices.ContainsFunc(in.report.Checks, func(c Check) bool { return c.Result == result && slices.Contains(names, c.Name) })
	}
	switch {
	case has(Failed, CheckSecret, CheckSignature, CheckTime, CheckHandshake):
		return NotAuthentic
	case has(Failed, CheckRequest, CheckPayload):
		return Malformed
	case has(Open, CheckSignature):
		return Undecided
	case !proved:
		return NotChecked
	}
	return Authentic
}

// withSecret returns a request with a shared secret, and the secret.
func withSecret(r *capture.Request) (*capture.Request, []string) {
	secret := "inspect:" + rand.Text()
	other := *r
	other.Header = r.Header.Clone()
	other.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)))
	return &other, []string{secret}
}

// reasonOf is the text of an error without the package's name.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	var request *anymail.RequestError
	if errors.As(err, &request) {
		err = request.Err
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "anymail: "), "not authenticated: ")
}

// checkPayload says what the payload holds.
func (in *inspector) checkPayload(ctx context.Context, p *passage, r *capture.Request) {
	c := Check{Name: CheckPayload, Result: OK}
	err, endpoint := p.stages[anymail.StageParse], in.endpoint
	switch {
	case err != nil && len(p.refused) > 0 && p.refused[0].acts:
		in.report.Handshake = true
		c.Reason = "a handshake: a server would answer by " + p.refused[0].what + ", inspect does not"
	case err != nil && len(p.refused) > 0:
		c.Result, c.Reason = Open, "it refers to what only the ESP has: "+p.refused[0].what
		c.Hints = append(c.Hints, "--fetch fetches it. Below is as much as the request itself tells.")
		if less, e := in.withoutFetching(ctx, r); less != nil {
			p, endpoint = less, e
		}
	case errors.Is(err, anymail.ErrUnauthenticated):
		c.Name, c.Result, c.Reason = CheckHandshake, Failed, reasonOf(err)
	case err != nil:
		c.Result, c.Reason = Failed, reasonOf(err)
		if errors.Is(err, anymail.ErrUnsupportedMedia) {
			c.Hints = append(c.Hints, "Does a proxy, or the capture, change the Content-Type?")
		}
	case len(p.Events) == 0:
		in.report.Handshake = true
		c.Reason = "holds no event: a test, or a handshake of the ESP"
	default:
		c.Reason = plural(len(p.Events), "event")
	}
	in.add(c)
	in.list(ctx, p, endpoint)
}

// withoutFetching parses with an adapter that has no key to fetch with.
func (in *inspector) withoutFetching(ctx context.Context, r *capture.Request) (*passage, anymail.Endpoint) {
	settings := map[string][]string{}
	for _, s := range in.ESP.Settings {
		if values := in.Settings[s.Name]; values != nil && !s.Secret {
			settings[s.Name] = values
		}
	}
	adapter, err := in.adapter(settings)
	if err != nil {
		return nil, anymail.Endpoint{}
	}
	endpoint := find(adapter, in.endpoint.Path)
	endpoint.Verifier, endpoint.NeedsSecret = nil, false
	p, err := in.pass(ctx, r, endpoint, nil)
	if err != nil || p.Err != nil {
		return nil, anymail.Endpoint{}
	}
	return p, endpoint
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// unremarkable are headers that say nothing about an event.
var unremarkable = []string{
	"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Host", "User-Agent",
}

// list puts events beside what they were made of.
func (in *inspector) list(ctx context.Context, p *passage, endpoint anymail.Endpoint) {
	if p.payload == nil {
		return
	}
	header := p.payload.Header.Clone()
	header.Del("Content-Encoding") // it was undone
	fetched := in.gate.fetched
	in.gate.open = false // what follows is to try other bodies
	input := provenance.Input{ContentType: header.Get("Content-Type"), Body: p.payload.Body, Others: fetched}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !slices.Contains(unremarkable, name) {
			for _, value := range header[name] {
				input.Others = append(input.Others, provenance.Member{Path: "header " + name, Value: value})
			}
		}
	}
	if len(fetched) == 0 {
		input.Parse = in.parser(ctx, endpoint, header)
	}
	for i, ev := range p.Events {
		listed := Event{Event: ev}
		if in.Events == 0 || i < in.Events {
			listed.Listing = provenance.List(ev, i, input)
		}
		in.report.Events = append(in.report.Events, listed)
	}
}
