// Package ratelimit limits rates per address in bounded memory.
package ratelimit

import (
	"net/netip"
	"sync"
	"time"

	"github.com/goanymail/anymail/internal/bounded"
)

// Limiter is a generic cell rate algorithm for each address: it allows a rate on
// average, and a burst at once. It keeps one number for each address, and at most
// a fixed number of addresses. A forgotten address starts anew. So a client with
// more addresses than that needs a limit on all requests together.
type Limiter struct {
	interval  time.Duration // between two requests at the rate
	tolerance time.Duration // how far a burst may be ahead of the rate
	shards    [shards]shard
}

const shards = 16

type shard struct {
	mu sync.Mutex
	// due is the time, in nanoseconds, at which the requests so far fit the rate.
	due bounded.Map[netip.Addr, int64]
}

// New returns a limiter for size addresses. The rate is in requests per second
// and must be positive. The burst is 1 at least.
func New(perSecond float64, burst, size int) *Limiter {
	const forever = 1 << 60 // 36 years; now plus twice that fits an int64
	interval := min(float64(time.Second)/perSecond, forever)
	l := &Limiter{
		interval:  time.Duration(interval),
		tolerance: time.Duration(min(interval*float64(max(burst, 1)-1), forever)),
	}
	for i := range l.shards {
		l.shards[i].due = bounded.New[netip.Addr, int64](size / shards)
	}
	return l
}

// Allow counts a request and returns true. If the request exceeds the limit, it
// does not count it and returns false.
func (l *Limiter) Allow(addr netip.Addr, now time.Time) bool {
	return l.count(addr, now, true)
}

// Peek returns what Allow would return, and counts nothing.
func (l *Limiter) Peek(addr netip.Addr, now time.Time) bool {
	return l.count(addr, now, false)
}

func (l *Limiter) count(addr netip.Addr, now time.Time, store bool) bool {
	key := Client(addr)
	b := key.As16()
	var sum byte
	for _, x := range b {
		sum = sum*31 + x
	}
	s := &l.shards[sum%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	due, _ := s.due.Get(key)
	if latest := now.UnixNano() + int64(l.tolerance) + int64(l.interval); due > latest {
		due = latest // the clock was set back
		s.due.Set(key, due)
	}
	due = max(due, now.UnixNano())
	if time.Duration(due-now.UnixNano()) > l.tolerance {
		return false
	}
	if store {
		s.due.Set(key, due+int64(l.interval))
	}
	return true
}

// Client returns what identifies one client: an IPv4 address or an IPv6 /64.
func Client(addr netip.Addr) netip.Addr {
	if addr.Is6() && !addr.Is4In6() {
		prefix, err := addr.WithZone("").Prefix(64)
		if err == nil {
			return prefix.Addr()
		}
	}
	return addr.Unmap()
}
