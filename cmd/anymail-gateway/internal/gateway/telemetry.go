package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailotel"
	"github.com/goanymail/anymail/durable"
)

func (l Log) level() (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(l.Level))
	return level, err
}

func (l Log) logger(w io.Writer) *slog.Logger {
	level, _ := l.level() // checked
	options := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// telemetry has the metrics, for Prometheus, and the traces, for an OpenTelemetry
// collector if the environment names one.
type telemetry struct {
	registry *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	tracers  *sdktrace.TracerProvider // nil for no traces
	hooks    anymail.Hooks
}

func newTelemetry(ctx context.Context) (*telemetry, error) {
	t := &telemetry{registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "anymail")), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(about),
		// Every ESP, with 16 types and 16 buckets, would make thousands of series
		// for each sink.
		sdkmetric.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Name: "anymail.receiver.duration"},
			sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter("anymail.receiver", "anymail.ok")})))
	var tracers trace.TracerProvider
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, err
		}
		t.tracers = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
		tracers = t.tracers
	}
	t.hooks, err = anymailotel.Hooks(tracers, t.meters)
	return t, err
}

// watch adds the metrics of the queue.
func (t *telemetry) watch(stats func(context.Context) (durable.Stats, error)) error {
	meter := t.meters.Meter("github.com/goanymail/anymail/cmd/anymail-gateway")
	jobs, err := meter.Int64ObservableGauge("anymail.queue.jobs", metric.WithUnit("{job}"),
		metric.WithDescription("Jobs in the queue, by state."))
	if err != nil {
		return err
	}
	lag, err := meter.Float64ObservableGauge("anymail.queue.lag", metric.WithUnit("s"),
		metric.WithDescription("For how long the oldest pending job has been due."))
	if err != nil {
		return err
	}
	state := func(s durable.State) metric.MeasurementOption {
		return metric.WithAttributes(attribute.String("state", string(s)))
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, err := stats(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(jobs, int64(s.Pending), state(durable.Pending))
		o.ObserveInt64(jobs, int64(s.Running), state(durable.Running))
		o.ObserveInt64(jobs, int64(s.Dead), state(durable.Dead))
		if s.Oldest.IsZero() {
			o.ObserveFloat64(lag, 0)
		} else {
			o.ObserveFloat64(lag, max(0, time.Since(s.Oldest).Seconds()))
		}
		return nil
	}, jobs, lag)
	return err
}

// shutdown sends the remaining telemetry.
func (t *telemetry) shutdown(ctx context.Context) error {
	var err error
	if t.tracers != nil {
		err = t.tracers.Shutdown(ctx)
	}
	return errors.Join(err, t.meters.Shutdown(ctx))
}
