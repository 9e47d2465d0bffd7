// Package anymailotel observes a Dispatcher with OpenTelemetry. It makes a span for
// each request, with a child span for each stage and each receiver, and metrics:
//
//	anymail.requests           requests by name, endpoint and HTTP status
//	anymail.request.duration   seconds from the start of a request to its answer
//	anymail.events             events by ESP and type
//	anymail.receiver.duration  seconds in receivers, by receiver and outcome
//
// The only attribute from a payload is the event's type. So the configuration
// bounds the number of time series.
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
	requests, events          metric.Int64Counter
	requestTime, receiverTime metric.Float64Histogram
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
	return ctx, func(result anymail.RequestResult) {
		status := attribute.Int("http.response.status_code", result.Status)
		span.SetAttributes(status, attribute.Int("anymail.events", len(result.Events)))
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
	}
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
