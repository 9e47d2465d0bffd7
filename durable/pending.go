package durable

import (
	"context"
	"sync"
	"time"

	"github.com/goanymail/anymail"
)

// pendingCount knows how many jobs are pending without counting them at every
// request: it counts at intervals, and adds what this process has inserted
// since. So it is never too low, except for jobs that other processes inserted
// since the last count.
type pendingCount struct {
	mu       sync.Mutex
	counted  int
	added    int       // inserted since the last count began
	reserved int       // about to be inserted
	next     time.Time // when to count again
	counting bool
}

// reserve reserves room for n jobs, or returns an error if there are already
// limit jobs. The caller reports to settle how many it inserted.
func (p *pendingCount) reserve(ctx context.Context, n, limit int, count func(context.Context) (int, error)) (settle func(inserted int), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.counting && !time.Now().Before(p.next) {
		if err := p.recount(ctx, count); err != nil {
			return nil, anymail.Because(anymail.ErrUnavailable, "pending jobs could not be counted", err)
		}
	}
	if p.counted+p.added+p.reserved >= limit {
		return nil, anymail.Because(anymail.ErrUnavailable, "the queue is full", nil)
	}
	p.reserved += n
	return func(inserted int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reserved -= n
		p.added += inserted
	}, nil
}

// recount counts the jobs. The caller holds mu; recount unlocks it while it
// counts.
func (p *pendingCount) recount(ctx context.Context, count func(context.Context) (int, error)) error {
	p.counting = true
	before := p.added
	start := time.Now()
	p.mu.Unlock()
	counted, err := count(ctx)
	took := time.Since(start)
	p.mu.Lock()
	p.counting = false
	if err != nil {
		return err
	}
	p.counted, p.added = counted, p.added-before
	// Counting takes 2 % of the time at most.
	p.next = start.Add(max(100*time.Millisecond, min(50*took, 10*time.Second)))
	return nil
}

// countPending counts the jobs that [WithMaxPending] limits.
func (q *Queue) countPending(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, "SELECT count(*) FROM river_job WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled')").Scan(&n)
	return n, err
}
