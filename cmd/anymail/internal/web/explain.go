package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/capture"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/refused"
	"github.com/goanymail/anymail/simulator"
)

// explainer finds out why requests were refused. A report may verify the request in
// hundreds of variations, so it is made when someone looks at the request, one at a
// time, and kept for a while.
type explainer struct {
	options Options

	mu       sync.Mutex
	detector *inspect.Detector // made when it is first needed
	made     map[int64]explanation
	order    []int64 // of made, oldest first
}

// explanation is why a request was refused. Its zero value says nothing.
type explanation struct {
	report   *inspect.Report
	rightURL string
	signed   []byte // the body that was signed, if it is text and another one arrived
}

const (
	mostExplanations = 256
	mostReported     = 20 // events that a report lists
)

// explain returns the explanation of a record.
func (x *explainer) explain(ctx context.Context, r *Record) explanation {
	if !r.refused() {
		return explanation{}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if e, ok := x.made[r.ID]; ok {
		return e
	}
	var e explanation
	if r.unrouted() {
		e.rightURL = x.rightURL(ctx, r)
	} else {
		e.report, e.signed = x.report(ctx, r)
	}
	if ctx.Err() != nil {
		return e // it may be incomplete
	}
	if x.made == nil {
		x.made = map[int64]explanation{}
	}
	if len(x.order) == mostExplanations {
		delete(x.made, x.order[0])
		x.order = x.order[1:]
	}
	x.made[r.ID] = e
	x.order = append(x.order, r.ID)
	return e
}

// captured returns a record in the form that inspect reads.
func (x *explainer) captured(r *Record) *capture.Request {
	c := &capture.Request{Form: "HTTP", Method: r.Method, URL: x.options.origin(r.Host) + r.Path, Header: r.Header.Clone(), Body: r.Body, At: r.Time}
	if len(r.Removed) > 0 { // it was read from a file, which has no credentials
		c.Found = &refused.Refusal{
			At: r.Time, ESP: r.ESP, Name: r.Name, Endpoint: r.Endpoint, Status: r.Status, Reason: r.Reason, Error: r.Error,
			Removed: r.Removed, Body: refused.BodyKept,
		}
	}
	return c
}

// inspection returns what a request of an ESP is checked with: what the listener has.
func (x *explainer) inspection(spec esp.Spec) inspect.Options {
	o := inspect.Options{ESP: spec, Secrets: x.options.Secrets, Settings: x.options.Settings[spec.Name], TokenKeys: x.options.TokenKeys, Events: mostReported}
	for _, e := range x.options.ESPs {
		if e.Spec.Name == spec.Name {
			o.Simulator = e.Simulator
		}
	}
	return o
}

// report returns the report of a refused request, and the body that was signed if it
// can be restored. It returns nothing if the endpoint is one that only says what the
// listener lacks.
func (x *explainer) report(ctx context.Context, r *Record) (*inspect.Report, []byte) {
	spec, ok := esp.Find(x.specs(), r.ESP)
	if !ok {
		return nil, nil
	}
	o := x.inspection(spec)
	o.Endpoint = &r.Endpoint
	if o.Simulator == nil {
		return nil, nil
	}
	report, err := inspect.Run(ctx, x.captured(r), o)
	if err != nil {
		return nil, nil
	}
	var signed []byte
	for i := range report.Checks {
		if body := report.Checks[i].Signed; body != nil && utf8.Valid(body) {
			signed = body
		}
		conceal(&report.Checks[i])
	}
	report.Events = slices.Clone(report.Events[:min(len(report.Events), mostReported)])
	for i, ev := range report.Events {
		if in, ok := ev.Event.(*anymail.InboundEvent); ok {
			report.Events[i].Event = withoutContents(in)
		}
	}
	return report, signed
}

// conceal shortens the signatures that would be valid. The page needs them only to show
// that they differ, and if it is open to others, they could post a forged request and
// read here how to sign it.
func conceal(c *inspect.Check) {
	const shown = 8
	for _, comparison := range c.Comparisons {
		for i := range comparison.Keys {
			if key := &comparison.Keys[i]; !comparison.Secret && !key.Valid && len(key.Computed) > shown {
				key.Computed = key.Computed[:shown] + "…"
			}
		}
	}
}

func (x *explainer) specs() []esp.Spec {
	list := make([]esp.Spec, len(x.options.ESPs))
	for i, e := range x.options.ESPs {
		list[i] = e.Spec
	}
	return list
}

// rightURL returns the URL that a request should have been posted to, or "" if it
// cannot be told.
func (x *explainer) rightURL(ctx context.Context, r *Record) string {
	if x.detector == nil {
		var sims []*simulator.Simulator
		for _, e := range x.options.ESPs {
			if e.Simulator != nil {
				sims = append(sims, e.Simulator)
			}
		}
		var err error
		if x.detector, err = inspect.NewDetector(x.specs(), sims); err != nil {
			return ""
		}
	}
	c := x.captured(r)
	c.Method = http.MethodPost
	spec, _, err := x.detector.Detect(c)
	if err != nil {
		return ""
	}
	o := x.inspection(spec)
	if o.Simulator == nil {
		return ""
	}
	report, err := inspect.Run(ctx, c, o)
	if err != nil {
		return ""
	}
	base := x.options.origin(r.Host)
	if x.options.PublicURL == "" && r.Header.Get("X-Forwarded-Proto") == "https" { // a tunnel, as the ESP calls it
		base = "https://" + r.Host
	}
	right, err := simulator.EndpointURL(base+Mount, spec.Name, report.Endpoint)
	if err != nil {
		return ""
	}
	if u, err := url.Parse(r.Path); err == nil && u.RawQuery != "" {
		right += "?" + u.RawQuery
	}
	return right
}
