package gateway

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/internal/cli"
)

// metrics are for Prometheus. docs/gateway.md lists them. Of a payload they have
// the event's type alone, so the configuration bounds the number of series.
type metrics struct {
	registry *prometheus.Registry

	requests, refused, events, outcomes, matches, attempts *prometheus.CounterVec
	requestTime, attemptTime                               *prometheus.HistogramVec
	reloaded, reloadedAt                                   prometheus.Gauge
}

// buckets are in seconds. ESPs wait 3 to 60 seconds for an answer.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "anymail_" + name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "anymail_" + name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "anymail_" + name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	m.requests = counter("requests_total", "Requests by HTTP status.", "adapter", "esp", "endpoint", "status")
	m.refused = counter("requests_refused_total", "Requests that were not answered with success, by reason.", "adapter", "esp", "endpoint", "reason")
	m.requestTime = histogram("request_duration_seconds", "Time from the start of a request to its answer.", "esp", "endpoint")
	m.events = counter("events_total", "Events by type, including redeliveries.", "esp", "type")
	m.outcomes = counter("event_outcomes_total", "What became of events when they arrived.", "esp", "outcome")
	m.matches = counter("key_matches_total", "Requests by the index of the signature key or shared secret that matched.", "adapter", "endpoint", "use", "index")
	m.attempts = counter("sink_attempts_total", "Calls of sinks by outcome.", "sink", "outcome")
	m.attemptTime = histogram("sink_attempt_duration_seconds", "Duration of the calls of sinks.", "sink")
	m.reloaded = gauge("config_last_reload_successful", "Whether the last reload of the configuration succeeded.")
	m.reloadedAt = gauge("config_last_reload_success_timestamp_seconds", "When the configuration was loaded last.")
	m.reload(true)

	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "anymail_build_info", Help: "1, with the version of the program as labels."}, []string{"version", "goversion"})
	version, toolchain, _ := strings.Cut(cli.Version(), " ")
	build.WithLabelValues(version, toolchain).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// reload records whether the configuration was reloaded.
func (m *metrics) reload(ok bool) {
	if !ok {
		m.reloaded.Set(0)
		return
	}
	m.reloaded.Set(1)
	m.reloadedAt.SetToCurrentTime()
}

func (m *metrics) hooks() anymail.Hooks {
	return anymail.Hooks{Request: m.request, Receiver: m.receiver}
}

// outcomes are the names of the fields of [anymail.Delivery], and uses those of what
// a request can match.
var (
	outcomes = [...]string{"completed", "duplicate", "queued", "unreceived"}
	uses     = [...]string{"key", "secret"}
)

func (m *metrics) request(ctx context.Context, info anymail.RequestInfo) (context.Context, func(anymail.RequestResult)) {
	begin := time.Now()
	return ctx, func(result anymail.RequestResult) {
		m.requests.WithLabelValues(info.Name, info.ESP, info.Endpoint, strconv.Itoa(result.Status)).Inc()
		m.requestTime.WithLabelValues(info.ESP, info.Endpoint).Observe(time.Since(begin).Seconds())
		if result.Err != nil {
			m.refused.WithLabelValues(info.Name, info.ESP, info.Endpoint, string(anymail.ReasonOf(result.Err))).Inc()
		}
		for _, ev := range result.Events {
			m.events.WithLabelValues(info.ESP, string(ev.Base().Type)).Inc()
		}
		d := result.Delivery
		for i, n := range [...]int{d.Completed, d.Duplicates, d.Queued, d.Unreceived} {
			if n > 0 {
				m.outcomes.WithLabelValues(info.ESP, outcomes[i]).Add(float64(n))
			}
		}
		for i, index := range [...]int{result.Key, result.Secret} {
			if index >= 0 {
				m.matches.WithLabelValues(info.Name, info.Endpoint, uses[i], strconv.Itoa(index)).Inc()
			}
		}
	}
}

func (m *metrics) receiver(ctx context.Context, sink string, _ anymail.Event) (context.Context, func(error)) {
	begin := time.Now()
	return ctx, func(err error) {
		outcome := "ok"
		if err != nil {
			outcome = "failed"
		}
		m.attempts.WithLabelValues(sink, outcome).Inc()
		m.attemptTime.WithLabelValues(sink).Observe(time.Since(begin).Seconds())
	}
}

// watch adds the metrics of the queue.
func (m *metrics) watch(stats func(context.Context) (map[string]durable.Stats, error)) {
	m.registry.MustRegister(&queueMetrics{
		stats: stats,
		up:    prometheus.NewDesc("anymail_queue_up", "Whether the queue's database answers.", nil, nil),
		jobs:  prometheus.NewDesc("anymail_queue_jobs", "Jobs in the queue that are not done.", []string{"sink", "state"}, nil),
		lag:   prometheus.NewDesc("anymail_queue_lag_seconds", "Age of the oldest job that is not done and not a dead letter.", []string{"sink"}, nil),
	})
}

// queueMetrics queries the queue when Prometheus scrapes.
type queueMetrics struct {
	stats         func(context.Context) (map[string]durable.Stats, error)
	up, jobs, lag *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (q *queueMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.up, q.jobs, q.lag} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (q *queueMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	stats, err := q.stats(ctx)
	if err != nil {
		gauge(q.up, 0)
		return
	}
	gauge(q.up, 1)
	for sink, s := range stats {
		gauge(q.jobs, float64(s.Pending), sink, string(durable.Pending))
		gauge(q.jobs, float64(s.Running), sink, string(durable.Running))
		gauge(q.jobs, float64(s.Dead), sink, string(durable.Dead))
		lag := 0.0
		if !s.Arrived.IsZero() {
			lag = max(0, time.Since(s.Arrived).Seconds())
		}
		gauge(q.lag, lag, sink)
	}
}
