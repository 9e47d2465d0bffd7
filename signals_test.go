package anymail_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func event(esp string, typ anymail.EventType, key string) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{Common: anymail.Common{ESP: esp, Type: typ, Key: key}}
}

func TestFilters(t *testing.T) {
	var s anymail.Signals
	got := map[string][]string{}
	connect := func(name string, filters ...anymail.Filter) {
		require.NoError(t, s.Tracking.Connect(name, func(_ context.Context, ev *anymail.TrackingEvent) error {
			got[name] = append(got[name], ev.Key)
			return nil
		}, filters...))
	}
	connect("all")
	connect("acme", anymail.ForESP("acme"))
	connect("bad", anymail.ForTypes(anymail.EventBounced, anymail.EventComplained))
	connect("both", anymail.ForESP("acme"), anymail.ForTypes(anymail.EventBounced))
	require.NoError(t, s.Inbound.Connect("inbound", func(context.Context, *anymail.InboundEvent) error {
		got["inbound"] = append(got["inbound"], "in")
		return nil
	}))
	events := []anymail.Event{
		event("acme", anymail.EventBounced, "1"), event("acme", anymail.EventOpened, "2"), event("other", anymail.EventBounced, "3"),
		&anymail.InboundEvent{Common: anymail.Common{Key: "4"}},
	}
	require.NoError(t, s.Deliver(t.Context(), nil, events...))
	require.Equal(t, map[string][]string{
		"all": {"1", "2", "3"}, "acme": {"1", "2"}, "bad": {"1", "3"}, "both": {"1"}, "inbound": {"in"},
	}, got)
	require.Equal(t, []string{"all", "bad"}, s.Matching(events[2]))
	require.Equal(t, []string{"inbound"}, s.Matching(events[3]))
}

func TestConnect(t *testing.T) {
	var s anymail.Signal[*anymail.TrackingEvent]
	nop := func(context.Context, *anymail.TrackingEvent) error { return nil }
	require.NoError(t, s.Connect("a", nop))
	require.NoError(t, s.Connect("b", nop))
	require.ErrorIs(t, s.Connect("a", nop), anymail.ErrConfig)
	require.ErrorIs(t, s.Connect("", nop), anymail.ErrConfig)
	require.ErrorIs(t, s.Connect("c", nil), anymail.ErrConfig)
	require.True(t, s.Disconnect("a"))
	require.False(t, s.Disconnect("a"))
	require.Equal(t, []string{"b"}, s.Receivers())
}

// Receivers come and go while events are delivered.
func TestConnectWhileDelivering(t *testing.T) {
	var s anymail.Signals
	nop := func(context.Context, *anymail.TrackingEvent) error { return nil }
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				name := fmt.Sprint(i)
				_ = s.Tracking.Connect(name, nop)
				_ = s.Deliver(t.Context(), nil, event("acme", anymail.EventSent, "k"))
				s.Tracking.Disconnect(name)
			}
		})
	}
	wg.Wait()
	require.Empty(t, s.Tracking.Receivers())
}

func TestCall(t *testing.T) {
	var s anymail.Signals
	failure := errors.New("no")
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error { return failure }))
	err := s.Call(t.Context(), "a", event("acme", anymail.EventSent, "k"))
	var receiverErr *anymail.ReceiverError
	require.ErrorAs(t, err, &receiverErr)
	require.ErrorIs(t, err, failure)
	require.Equal(t, "a", receiverErr.Receiver)
	require.ErrorIs(t, s.Call(t.Context(), "b", event("acme", anymail.EventSent, "k")), anymail.ErrUnavailable)
	require.ErrorIs(t, s.Call(t.Context(), "a", &anymail.InboundEvent{}), anymail.ErrUnavailable)
}

// 64 deliveries of one event at once run its receiver once.
func TestConcurrentDuplicates(t *testing.T) {
	var s anymail.Signals
	var runs atomic.Int64
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error {
		runs.Add(1)
		runtime.Gosched()
		return nil
	}))
	store := anymail.NewMemoryStore(0)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				err := s.Deliver(t.Context(), store, event("acme", anymail.EventSent, "k"))
				if err == nil {
					return
				}
				if !errors.Is(err, anymail.ErrUnavailable) {
					t.Errorf("got %v", err)
					return
				}
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, runs.Load())
}

type brokenStore struct{ anymail.MemoryStore }

func (*brokenStore) Claim(context.Context, string, []string) ([]anymail.Claim, error) {
	return nil, errors.New("database is away")
}

func TestBrokenStore(t *testing.T) {
	var s anymail.Signals
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error {
		t.Error("ran though nobody knows whether it had run")
		return nil
	}))
	require.ErrorIs(t, s.Deliver(t.Context(), new(brokenStore), event("acme", anymail.EventSent, "k")), anymail.ErrUnavailable)
}

func TestMemoryStore(t *testing.T) {
	ctx := t.Context()
	store := anymail.NewMemoryStore(0)
	claim := func(receiver string, keys ...string) []anymail.Claim {
		claims, err := store.Claim(ctx, receiver, keys)
		require.NoError(t, err)
		return claims
	}
	granted, done, busy := anymail.ClaimGranted, anymail.ClaimDone, anymail.ClaimBusy
	require.Equal(t, []anymail.Claim{granted, granted, busy}, claim("r", "a", "b", "a"))
	require.Equal(t, []anymail.Claim{granted}, claim("s", "a"), "another receiver")
	require.NoError(t, store.Finish(ctx, "r", "a", true))
	require.NoError(t, store.Finish(ctx, "r", "b", false))
	require.Equal(t, []anymail.Claim{done, granted, granted}, claim("r", "a", "b", "c"))
	require.Equal(t, []anymail.Claim{busy}, claim("s", "a"))
}

// The store forgets the oldest, and only them.
func TestMemoryStoreIsBounded(t *testing.T) {
	const size, total = 4096, 100_000
	ctx := t.Context()
	store := anymail.NewMemoryStore(size)
	for i := range total {
		key := fmt.Sprint(i)
		_, _ = store.Claim(ctx, "r", []string{key})
		require.NoError(t, store.Finish(ctx, "r", key, true))
	}
	known := 0
	for i := range total {
		claims, _ := store.Claim(ctx, "r", []string{fmt.Sprint(i)})
		if claims[0] == anymail.ClaimDone {
			known++
		} else if i > total-size/4 {
			t.Fatalf("event %d of %d is forgotten already", i, total)
		}
	}
	require.LessOrEqual(t, known, size+16)
}
