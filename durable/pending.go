package durable

import (
	"context"
	"sync"
	"time"

	"github.com/goanymail/anymail"
)

// gauge knows how many jobs are pending without counting them at every
// request: it counts now and then, and adds what this process has put in since.
// So it never says less than there are, except for what other processes put in
// since the last count.
type gauge struct {
	mu       sync.Mutex
	counted  int
	added    int       // put in since the last count began
	inFlight int       // about to be put in
	next     time.Time // when to count again
	counting bool
}

// reserve counts n jobs in, or returns an error where there are limit already.
// The function it returns is told how many were put in.
func (g *gauge) reserve(ctx context.Context, n, limit int, count func(context.Context) (int, error)) (settle func(inserted int), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.counting && !time.Now().Before(g.next) {
		if err := g.recount(ctx, count); err != nil {
			return nil, anymail.Because(anymail.ErrUnavailable, "pending jobs could not be counted", err)
		}
	}
	if g.counted+g.added+g.inFlight >= limit {
		return nil, anymail.Because(anymail.ErrUnavailable, "the queue is full", nil)
	}
	g.inFlight += n
	return func(inserted int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inFlight -= n
		g.added += inserted
	}, nil
}

// recount is called with mu held and lets go of it while it counts.
func (g *gauge) recount(ctx context.Context, count func(context.Context) (int, error)) error {
	g.counting = true
	before := g.added
	start := time.Now()
	g.mu.Unlock()
	counted, err := count(ctx)
	took := time.Since(start)
	g.mu.Lock()
	g.counting = false
	if err != nil {
		return err
	}
	g.counted, g.added = counted, g.added-before
	// Counting takes 2 % of the time at most.
	g.next = start.Add(max(100*time.Millisecond, min(50*took, 10*time.Second)))
	return nil
}
