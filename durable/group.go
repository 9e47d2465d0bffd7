package durable

import "sync"

// group collects the items that arrive while a call of work is running, and hands
// them to the next call together, so that they share its transaction. It has no
// goroutine while there are no items.
type group[T any] struct {
	work func([]T)

	mu      sync.Mutex
	waiting []T
	working bool
}

func (g *group[T]) add(items ...T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, items...)
	if !g.working && len(g.waiting) > 0 {
		g.working = true
		go g.run()
	}
}

func (g *group[T]) run() {
	for {
		g.mu.Lock()
		items := g.waiting
		g.waiting = nil
		g.working = len(items) > 0
		g.mu.Unlock()
		if len(items) == 0 {
			return
		}
		g.work(items)
	}
}
