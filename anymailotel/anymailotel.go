// Package anymailotel observes a Dispatcher with OpenTelemetry. It makes a span for
// each request, with a child span for each stage and each receiver, and metrics:
//
//	anymail.requests           requests by name, endpoint and HTTP status
//	anymail.request.duration   seconds from the start of a request to its answer
//	anymail.events             events by ESP and type
//	anymail.receiver.duration  seconds in receivers, by receiver and outcome
//	anymail.deliveries         what became of events, by name, endpoint and outcome:
//	                           runs of receivers that were completed, runs that were
//	                           skipped as duplicate, events that were queued, and
//	                           events that were unreceived, since no receiver wants them
//	anymail.keys               requests by name, endpoint and what matched: its use,
//	                           "key" of a signature or shared "secret", and its index
//	                           among the configured ones, to follow a rotation
//
// The spans of requests have the same as attributes: anymail.key, anymail.secret,
// anymail.completed, anymail.duplicate, anymail.queued and anymail.unreceived. They
// also have anymail.request_id, which is in the log, and the anymail.reason of a refusal.
//
// The only attribute from a payload is the event's type, and of a key there is the
// index alone. So the configuration bounds the number of time series.
package anymailotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/goanymail/anymail"
)

const scope = "github.com/goanymail/anymail/anymailotel"

// Hooks returns hooks for [anymail.WithHooks]. If a provider is nil, there are no
// traces or no metrics.
func Hooks(tracers trace.TracerProvider, meters metric.MeterProvider) (anymail.Hooks, error) {
	o := new(observer)
	if tracers != nil {
		o.tracer = tracers.Tracer(scope)
	}
	if meters != nil {
		var err error
		if o.instruments, err = newInstruments(meters.Meter(scope)); err != nil {
			return anymail.Hooks{}, err
		}
	}
	return anymail.Hooks{Request: o.request, Stage: o.stage, Receiver: o.receiver}, nil
}

type observer struct {
	tracer      trace.Tracer // nil without traces
	instruments *instruments // nil without metrics
}

type instruments struct {
	requests, events, deliveries, keys metric.Int64Counter
	requestTime, receiverTime          metric.Float64Histogram
}

// boundaries are in seconds. ESPs wait 3 to 60 seconds for an answer.
var boundaries = metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30)

func newInstruments(meter metric.Meter) (*instruments, error) {
	var i instruments
	var err error
	if i.requests, err = meter.Int64Counter("anymail.requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests by name, endpoint and HTTP status.")); err != nil {
		return nil, err
	}
	if i.events, err = meter.Int64Counter("anymail.events", metric.WithUnit("{event}"),
		metric.WithDescription("Events by ESP and type, including redeliveries.")); err != nil {
		return nil, err
	}
	if i.deliveries, err = meter.Int64Counter("anymail.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("What became of events: completed, duplicate, queued or unreceived.")); err != nil {
		return nil, err
	}
	if i.keys, err = meter.Int64Counter("anymail.keys", metric.WithUnit("{request}"),
		metric.WithDescription("Requests by the index of the signature key or shared secret that matched.")); err != nil {
		return nil, err
	}
	if i.requestTime, err = meter.Float64Histogram("anymail.request.duration", metric.WithUnit("s"), boundaries,
		metric.WithDescription("Time from the start of a request to its answer.")); err != nil {
		return nil, err
	}
	if i.receiverTime, err = meter.Float64Histogram("anymail.receiver.duration", metric.WithUnit("s"), boundaries,
		metric.WithDescription("Time in receivers, by receiver and outcome.")); err != nil {
		return nil, err
	}
	return &i, nil
}

func requestAttributes(info anymail.RequestInfo) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("anymail.esp", info.ESP),
		attribute.String("anymail.name", info.Name),
		attribute.String("anymail.endpoint", info.Endpoint),
	}
}

func (o *observer) request(ctx context.Context, info anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
	begin, attributes := time.Now(), requestAttributes(info)
	ctx, span := o.startSpan(ctx, "anymail "+info.Name+"/"+info.Endpoint, trace.SpanKindServer, attributes)
	span.SetAttributes(attribute.String("anymail.request_id", info.ID))
	return ctx, func(result anymail.RequestResult) {
		status := attribute.Int("http.response.status_code", result.Status)
		span.SetAttributes(status, attribute.Int("anymail.events", len(result.Events)))
		matched, outcomes := keysOf(result), outcomesOf(result.Delivery)
		for _, k := range matched {
			span.SetAttributes(attribute.Int("anymail."+k.use, k.index))
		}
		for _, o := range outcomes {
			span.SetAttributes(attribute.Int("anymail."+o.name, o.n))
		}
		if result.Err != nil {
			span.SetAttributes(attribute.String("anymail.reason", string(anymail.ReasonOf(result.Err))))
		}
		endSpan(span, result.Err)
		if o.instruments == nil {
			return
		}
		set := metric.WithAttributes(append(attributes, status)...)
		o.instruments.requests.Add(ctx, 1, set)
		o.instruments.requestTime.Record(ctx, time.Since(begin).Seconds(), set)
		types := map[anymail.EventType]int64{}
		for _, ev := range result.Events {
			types[ev.Base().Type]++
		}
		for typ, n := range types {
			o.instruments.events.Add(ctx, n, metric.WithAttributes(attributes[0], attribute.String("anymail.event_type", string(typ))))
		}
		for _, k := range matched {
			o.instruments.keys.Add(ctx, 1, metric.WithAttributes(append(attributes[:3:3],
				attribute.String("anymail.use", k.use), attribute.Int("anymail.index", k.index))...))
		}
		for _, outcome := range outcomes {
			o.instruments.deliveries.Add(ctx, int64(outcome.n), metric.WithAttributes(append(attributes[:3:3],
				attribute.String("anymail.outcome", outcome.name))...))
		}
	}
}

// match is a key that a request matched: its use and its index.
type match struct {
	use   string
	index int
}

func keysOf(result anymail.RequestResult) (list []match) {
	for _, m := range []match{{"key", result.Key}, {"secret", result.Secret}} {
		if m.index >= 0 {
			list = append(list, m)
		}
	}
	return list
}

// count is how often a delivery had an outcome.
type count struct {
	name string
	n    int
}

func outcomesOf(d anymail.Delivery) (list []count) {
	for _, c := range []count{{"completed", d.Completed}, {"duplicate", d.Duplicates}, {"queued", d.Queued}, {"unreceived", d.Unreceived}} {
		if c.n > 0 {
			list = append(list, c)
		}
	}
	return list
}

func (o *observer) stage(ctx context.Context, _ anymail.RequestInfo, stage anymail.Stage) (context.Context, func(error)) {
	ctx, span := o.startSpan(ctx, "anymail "+string(stage), trace.SpanKindInternal, nil)
	return ctx, func(err error) { endSpan(span, err) }
}

func (o *observer) receiver(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
	begin := time.Now()
	attributes := []attribute.KeyValue{
		attribute.String("anymail.receiver", receiver),
		attribute.String("anymail.esp", ev.Base().ESP),
		attribute.String("anymail.event_type", string(ev.Base().Type)),
	}
	ctx, span := o.startSpan(ctx, "anymail receiver "+receiver, trace.SpanKindInternal, attributes)
	return ctx, func(err error) {
		endSpan(span, err)
		if o.instruments != nil {
			o.instruments.receiverTime.Record(ctx, time.Since(begin).Seconds(),
				metric.WithAttributes(append(attributes, attribute.Bool("anymail.ok", err == nil))...))
		}
	}
}

func (o *observer) startSpan(ctx context.Context, name string, kind trace.SpanKind, attributes []attribute.KeyValue) (context.Context, trace.Span) {
	if o.tracer == nil {
		return ctx, trace.SpanFromContext(context.Background()) // a span that does nothing
	}
	return o.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
