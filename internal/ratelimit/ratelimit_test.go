package ratelimit_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/ratelimit"
)

func TestLimiter(t *testing.T) {
	l := ratelimit.New(2, 3, 1000)
	now := time.Unix(1_790_000_000, 0)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	allowed := func(addr netip.Addr, n int) (count int) {
		for range n {
			if l.Allow(addr, now) {
				count++
			}
		}
		return count
	}
	require.Equal(t, 3, allowed(a, 10), "the burst")
	require.False(t, l.Peek(a, now))
	require.Equal(t, 3, allowed(b, 10), "another address has its own limit")
	now = now.Add(500 * time.Millisecond)
	require.True(t, l.Peek(a, now))
	require.True(t, l.Peek(a, now), "Peek counts nothing")
	require.Equal(t, 1, allowed(a, 10), "the rate")
	now = now.Add(time.Hour)
	require.Equal(t, 3, allowed(a, 10), "not more than the burst accumulates")
}

func TestIPv6NetworksCountAsOne(t *testing.T) {
	l := ratelimit.New(1, 1, 1000)
	now := time.Unix(1_790_000_000, 0)
	require.True(t, l.Allow(netip.MustParseAddr("2001:db8:1:2::1"), now))
	require.False(t, l.Allow(netip.MustParseAddr("2001:db8:1:2:ffff::2"), now))
	require.True(t, l.Allow(netip.MustParseAddr("2001:db8:1:3::1"), now))
	require.True(t, l.Allow(netip.MustParseAddr("192.0.2.1"), now))
	require.False(t, l.Allow(netip.MustParseAddr("::ffff:192.0.2.1"), now))
	require.True(t, l.Allow(netip.Addr{}, now))
}

// A clock that is set back by more than the burst must not lock out clients for as
// long as the jump was, nor one that is set forward give them more than the burst.
func TestClockJumps(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	for _, jump := range []time.Duration{-10 * time.Second, -time.Hour, -24 * 365 * time.Hour, time.Hour, 24 * 365 * time.Hour} {
		l := ratelimit.New(2, 3, 1000) // a request in 500 ms, 3 at once
		now := time.Unix(1_790_000_000, 0)
		for range 4 {
			l.Allow(addr, now)
		}
		now = now.Add(jump)
		allowed := 0
		for range 10 {
			if l.Allow(addr, now) {
				allowed++
			}
		}
		require.LessOrEqual(t, allowed, 3, "%s: not more than the burst", jump)
		now = now.Add(500 * time.Millisecond)
		require.True(t, l.Allow(addr, now), "%s: the rate goes on", jump)
	}
}

// Extreme rates allow the burst, and not more.
func TestExtremes(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	addr := netip.MustParseAddr("192.0.2.1")
	for _, perSecond := range []float64{1e-300, 1e-12, 1e-6, 1e6} {
		l := ratelimit.New(perSecond, 1<<40, 16)
		for range 30 {
			require.True(t, l.Allow(addr, now), "%g per second", perSecond)
			now = now.Add(time.Nanosecond)
			if perSecond < 1e-6 {
				break // the clock has room for one request
			}
		}
		l = ratelimit.New(perSecond, 1, 16)
		require.True(t, l.Allow(addr, now))
		require.False(t, l.Allow(addr, now))
	}
}

// A million addresses use no more memory than the table has room for.
func TestMillionAddresses(t *testing.T) {
	l := ratelimit.New(1, 1, 1<<16)
	now := time.Unix(1_790_000_000, 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range uint32(1_000_000) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], i*2654435761)
		l.Allow(netip.AddrFrom4(b), now)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(8<<20))
	runtime.KeepAlive(l)
}

func BenchmarkAllow(b *testing.B) {
	l := ratelimit.New(1, 1, 1<<16)
	now := time.Unix(1_790_000_000, 0)
	b.ReportAllocs()
	for i := range b.N {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(i))
		l.Allow(netip.AddrFrom4(a), now)
	}
}
