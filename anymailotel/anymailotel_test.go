package anymailotel_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailotel"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/simulator"
)

func TestHooks(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	reader := sdkmetric.NewManualReader()
	hooks, err := anymailotel.Hooks(
		sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	require.NoError(t, err)

	sim := postmarksim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithHooks(hooks))
	sample, _ := sim.Sample("Delivery")
	request := s.Prepare(t, sample, simulator.NewParams())
	s.Err = func(anymail.Event) error { return errors.New("not now") }
	status, _ := s.Post(t, request)
	require.Equal(t, 500, status)
	s.Err = nil
	status, _ = s.Post(t, request)
	require.Equal(t, 200, status)

	byName := map[string][]codes.Code{}
	var root, receiver sdktrace.ReadOnlySpan
	for _, span := range spans.Ended() {
		byName[span.Name()] = append(byName[span.Name()], span.Status().Code)
		switch span.Name() {
		case "anymail postmark/tracking":
			root = span
		case "anymail receiver recorder":
			receiver = span
		}
	}
	require.Equal(t, map[string][]codes.Code{
		"anymail postmark/tracking": {codes.Error, codes.Unset},
		"anymail guard":             {codes.Unset, codes.Unset},
		"anymail verify":            {codes.Unset, codes.Unset},
		"anymail parse":             {codes.Unset, codes.Unset},
		"anymail deliver":           {codes.Error, codes.Unset},
		"anymail receiver recorder": {codes.Error, codes.Unset},
	}, byName)
	require.Equal(t, root.SpanContext().TraceID(), receiver.SpanContext().TraceID())
	require.Contains(t, root.Attributes(), attribute.Int("http.response.status_code", 200))
	require.Contains(t, receiver.Attributes(), attribute.String("anymail.event_type", "delivered"))

	var data metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &data))
	counts := map[string]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				counts[m.Name] += p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				counts[m.Name] += int64(p.Count)
			}
		}
	}
	require.Equal(t, map[string]int64{
		"anymail.requests": 2, "anymail.events": 2, "anymail.request.duration": 2, "anymail.receiver.duration": 2,
	}, counts)
}

func TestWithoutProviders(t *testing.T) {
	hooks, err := anymailotel.Hooks(nil, nil)
	require.NoError(t, err)
	sim := postmarksim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithHooks(hooks))
	require.Len(t, s.Send(t, sim.Samples[0], simulator.NewParams()), 1)
}
