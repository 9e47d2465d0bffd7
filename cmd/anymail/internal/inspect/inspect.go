package inspect

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/simulator"
)

// Options are what a request is checked with.
type Options struct {
	ESP       esp.Spec
	Simulator *simulator.Simulator // of the ESP: it knows what a genuine request has
	Endpoint  *string              // nil to find it
	Secrets   []string             // "user:password"
	Settings  map[string][]string  // of the ESP
	Keys      []string             // for the setting that has the keys of the endpoint
	TokenKeys []string             // of package mailtoken, for reports that come as mail
	URL       string               // the URL that the ESP calls, if not the captured one
	At        time.Time            // when the request was received, if the capture does not tell
	// Fetch allows requests over the network. Certificate is the signing
	// certificate in PEM, for an ESP that refers to one.
	Fetch       bool
	Certificate []byte
	Transport   http.RoundTripper // [http.DefaultTransport] if nil
	Events      int               // how many events are listed next to the ESP's own; 0 is all
}

// Run inspects a request. An error is about the options and is
// [anymail.ErrConfig].
func Run(ctx context.Context, r *capture.Request, o Options) (*Report, error) {
	a := attempt{Options: o, request: *r, network: &network{certificate: o.Certificate, next: o.Transport}, now: time.Now()}
	if o.Transport == nil {
		a.network.next = http.DefaultTransport
	}
	if o.URL != "" {
		a.request.URL = o.URL
	}
	at := o.At
	if at.IsZero() {
		at = r.At
	}
	if !at.IsZero() {
		a.now, a.timed = at, true
	}
	if a.lacks("Authorization") {
		a.Secrets = nil
	}
	var err error
	if a.reports, err = ReportReader(o.TokenKeys, func() time.Time { return a.now }); err != nil {
		return nil, err
	}
	endpoint, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	if a, err = a.with(endpoint); err != nil {
		return nil, err
	}
	t, err := a.tries(ctx)
	if err != nil {
		return nil, err
	}
	report := &Report{
		ESP: o.ESP.Name, Title: o.ESP.Title, Endpoint: a.endpoint.Path, Status: t.whole.Status, Events: []Event{},
		Request: Request{
			Form: r.Form, Method: r.Method, URL: a.request.URL, ContentType: r.Header.Get("Content-Type"),
			BodyBytes: len(r.Body), ReceivedAt: at, Notes: slices.Concat(r.Notes, endpoint.notes),
		},
	}
	if r.Found != nil {
		report.Request.Refused = fmt.Sprintf("%d, %s", r.Found.Status, r.Found.Error)
		report.Request.Removed = r.Found.Removed
	}
	if endpoint.needed != "" {
		report.Status = http.StatusNotFound
	}
	for _, check := range checks {
		if finding := check.run(ctx, t); finding != nil {
			if finding.Name == "" {
				finding.Name = check.name
			}
			report.Checks = append(report.Checks, *finding)
		}
	}
	report.Verdict = verdict(report.Checks, len(a.Secrets) > 0 || !a.endpoint.NeedsSecret)
	if t.admitted.stages[anymail.StageVerify] == nil && a.endpoint.Verifier != nil {
		report.Covers = covered[o.ESP.Name]
	}
	report.Handshake = t.handshake()
	report.Events = t.events(ctx)
	return report, nil
}

// with returns an attempt at an endpoint, with the keys of the options.
func (a attempt) with(f found) (attempt, error) {
	if f.needed != "" {
		if a.Fetch {
			return a, fmt.Errorf("%w: --fetch needs %s (--set)", anymail.ErrConfig, f.needed)
		}
		var err error
		if a, err = a.withSetting(f.needed, "none"); err != nil {
			return a, err
		}
	}
	a, err := a.at(f.path)
	if err != nil {
		return a, err
	}
	a.keySettings = KeySettings(a.ESP, a.Simulator, f.path)
	if len(a.Keys) == 0 {
		return a, nil
	}
	if len(a.keySettings) == 0 {
		return a, fmt.Errorf("%w: %s signs nothing with a key at %q: use --secret, or --set", anymail.ErrConfig, a.ESP.Title, f.path)
	}
	name := a.keySettings[0]
	return a.withSetting(name, slices.Concat(a.Settings[name], a.Keys)...)
}

// verdict sums up the checks. Proving says that a check that is ok proves
// something.
func verdict(checks []Check, proving bool) Verdict {
	has := func(result Result, names ...string) bool {
		return slices.ContainsFunc(checks, func(c Check) bool { return c.Result == result && slices.Contains(names, c.Name) })
	}
	switch {
	case has(Failed, CheckSecret, CheckSignature, CheckTime, CheckHandshake):
		return NotAuthentic
	case has(Failed, CheckRequest, CheckPayload):
		return Malformed
	case has(Open, CheckSignature):
		return Undecided
	case !proving || !has(OK, CheckSecret, CheckSignature):
		return NotChecked
	}
	return Authentic
}

// unremarkable are headers that hold no value of an event.
var unremarkable = []string{
	"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Host", "User-Agent",
}

// events lists the events next to what they were parsed from.
func (t *tries) events(ctx context.Context) []Event {
	events, o := []Event{}, t.parsed
	if t.needsFetch() {
		if less := t.withoutFetching(ctx); less != nil {
			o = less
		}
	}
	if o.payload == nil {
		return events
	}
	body := provenance.Body{ContentType: o.payload.Header.Get("Content-Type"), Content: o.payload.Body, Others: o.traffic.fetched}
	for _, name := range slices.Sorted(maps.Keys(o.payload.Header)) {
		if !slices.Contains(unremarkable, name) {
			for _, value := range o.payload.Header[name] {
				body.Others = append(body.Others, provenance.Member{Path: "header " + name, Value: value})
			}
		}
	}
	for i, ev := range o.Events {
		listed := Event{Event: ev}
		if t.Events == 0 || i < t.Events {
			listed.Listing = provenance.List(ev, body)
		}
		events = append(events, listed)
	}
	return events
}
