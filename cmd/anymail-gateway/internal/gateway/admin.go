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

// admin is what the administrative listener serves.
func (g *Gateway) admin() http.Handler {
	router := chi.NewRouter()
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	router.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if reason := g.unready(ctx); reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	router.Handle("/metrics", promhttp.HandlerFor(g.telemetry.registry, promhttp.HandlerOpts{}))
	return router
}

// unready says why no requests should be sent here, or is empty.
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
	if g.queue == nil { // which would keep the events until the sinks are back
		return unreachable(ctx, g.outputs)
	}
	return ""
}

// unreachable asks all sinks at once.
func unreachable(ctx context.Context, outputs []*output) string {
	failed := make([]bool, len(outputs))
	var asked sync.WaitGroup
	for i, o := range outputs {
		asked.Go(func() { failed[i] = o.sink.reach(ctx) != nil })
	}
	asked.Wait()
	for i, o := range outputs {
		if failed[i] {
			return "the sink " + o.Name + " is out of reach"
		}
	}
	return ""
}

// statsCache asks the queue for its numbers, which costs it something, no more
// often than every few seconds.
type statsCache struct {
	queue *durable.Queue

	mu    sync.Mutex
	at    time.Time
	stats durable.Stats
	err   error
}

func (c *statsCache) get(ctx context.Context) (durable.Stats, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) > 2*time.Second {
		c.stats, c.err = c.queue.Stats(ctx)
		c.at = time.Now()
	}
	return c.stats, c.err
}
