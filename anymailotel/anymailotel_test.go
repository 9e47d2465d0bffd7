package anymailotel_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
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
	"github.com/goanymail/anymail/esp/postmark"
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
	request.Header.Set("X-Request-Id", "request-17")
	s.Err = func(anymail.Event) error { return errors.New("not now") }
	status, _ := s.Post(t, request)
	require.Equal(t, 500, status)
	s.Err = nil
	status, _ = s.Post(t, request)
	require.Equal(t, 200, status)

	byName := map[string][]codes.Code{}
	var failed, root, receiver sdktrace.ReadOnlySpan
	for _, span := range spans.Ended() {
		byName[span.Name()] = append(byName[span.Name()], span.Status().Code)
		switch span.Name() {
		case "anymail postmark/tracking":
			failed, root = root, span
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
	require.Contains(t, failed.Attributes(), attribute.String("anymail.reason", "receiver failed"))
	require.Contains(t, failed.Attributes(), attribute.String("anymail.request_id", "request-17"))
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
		"anymail.deliveries": 1, "anymail.keys": 2,
	}, counts)
}

// Which key of a rotation matched, and what became of the events, is on the span
// and counted.
func TestKeysAndDeliveries(t *testing.T) {
	const older, newer = "anymail:correct-horse-battery", "anymail:another-horse-battery"
	sim := postmarksim.New()
	adapter, err := postmark.New(postmark.Config{HeaderName: "X-Hook", HeaderValues: anymail.Keys("a-value-that-was", "a-value-that-is")})
	require.NoError(t, err)
	spans := tracetest.NewSpanRecorder()
	reader := sdkmetric.NewManualReader()
	hooks, err := anymailotel.Hooks(
		sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	require.NoError(t, err)
	d, err := anymail.New(anymail.WithHooks(hooks), anymail.WithSharedSecret(newer, older), anymail.WithoutReplayCheck())
	require.NoError(t, err)
	require.NoError(t, d.Register("postmark", adapter))
	sample, _ := sim.Sample("Delivery")
	r := sample.Make(simulator.NewParams())
	post := func(secret string) {
		req := httptest.NewRequest(http.MethodPost, "/postmark/tracking/", bytes.NewReader(r.Body))
		req.Header = r.Header.Clone()
		user, password, _ := strings.Cut(secret, ":")
		req.SetBasicAuth(user, password)
		req.Header.Set("X-Hook", "a-value-that-is")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, req)
		require.Equal(t, http.StatusOK, w.Code)
	}
	post(older) // no receiver is connected
	require.NoError(t, d.Tracking.Connect("crm", func(context.Context, *anymail.TrackingEvent) error { return nil }))
	post(older)
	post(newer)

	var attributes [][]attribute.KeyValue
	for _, span := range spans.Ended() {
		if span.Name() == "anymail postmark/tracking" {
			attributes = append(attributes, span.Attributes())
		}
	}
	require.Len(t, attributes, 3)
	require.Contains(t, attributes[0], attribute.Int("anymail.unreceived", 1))
	require.Contains(t, attributes[0], attribute.Int("anymail.secret", 1))
	require.Contains(t, attributes[1], attribute.Int("anymail.completed", 1))
	require.Contains(t, attributes[1], attribute.Int("anymail.key", 1))
	require.Contains(t, attributes[2], attribute.Int("anymail.duplicate", 1))
	require.Contains(t, attributes[2], attribute.Int("anymail.secret", 0))

	counted := map[string]int64{}
	var data metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &data))
	for _, m := range data.ScopeMetrics[0].Metrics {
		sum, ok := m.Data.(metricdata.Sum[int64])
		if !ok {
			continue
		}
		for _, p := range sum.DataPoints {
			use, _ := p.Attributes.Value("anymail.use")
			index, _ := p.Attributes.Value("anymail.index")
			outcome, _ := p.Attributes.Value("anymail.outcome")
			switch m.Name {
			case "anymail.keys":
				counted[use.AsString()+" "+index.String()] = p.Value
			case "anymail.deliveries":
				counted[outcome.AsString()] = p.Value
			}
		}
	}
	require.Equal(t, map[string]int64{"key 1": 3, "secret 0": 1, "secret 1": 2, "completed": 1, "duplicate": 1, "unreceived": 1}, counted)
}

func TestWithoutProviders(t *testing.T) {
	hooks, err := anymailotel.Hooks(nil, nil)
	require.NoError(t, err)
	sim := postmarksim.New()
	s := anymailtest.NewServer(t, sim, anymail.WithHooks(hooks))
	require.Len(t, s.Send(t, sim.Samples[0], simulator.NewParams()), 1)
}
