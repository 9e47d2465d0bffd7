package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goanymail/anymail/durable"
)

// probeTimeout bounds what a probe or a scrape waits for: the database and sinks.
const probeTimeout = 2 * time.Second

// admin is the handler of the administrative listener.
func (g *Gateway) admin() http.Handler {
	router := chi.NewRouter()
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	router.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		if reason := g.unready(ctx); reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	router.Handle("/metrics", promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}))
	return router
}

// unready returns why the gateway should get no requests, or "".
func (g *Gateway) unready(ctx context.Context) string {
	if g.stopping.Load() {
		return "shutting down"
	}
	if g.queue != nil {
		if _, err := g.stats.get(ctx); err != nil {
			return "the queue is out of reach"
		}
	}
	if g.db != nil {
		if err := g.db.PingContext(ctx); err != nil {
			return "the idempotency store is out of reach"
		}
	}
	if g.queue == nil { // a queue would keep the events until the sinks are back
		return g.sinks.failed(ctx)
	}
	return ""
}

// statsCache queries the queue's numbers by sink, which is expensive, at most every two
// seconds.
type statsCache struct {
	queue *durable.Queue

	mu    sync.Mutex
	at    time.Time
	stats map[string]durable.Stats
	err   error
}

func (c *statsCache) get(ctx context.Context) (map[string]durable.Stats, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) > 2*time.Second {
		c.stats, c.err = c.queue.StatsByReceiver(ctx)
		c.at = time.Now()
	}
	return c.stats, c.err
}
