package anymail_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

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
	connect("suppress", anymail.ToSuppress)
	connect("a function", func(ev anymail.Event) bool { return ev.(*anymail.TrackingEvent).Recipient == "ada@example.com" })
	connect("both", anymail.ForESP("acme"), anymail.ForTypes(anymail.EventBounced))
	require.NoError(t, s.Inbound.Connect("inbound", func(context.Context, *anymail.InboundEvent) error {
		got["inbound"] = append(got["inbound"], "in")
		return nil
	}))
	require.NoError(t, s.Inbound.Connect("inbound to suppress", func(context.Context, *anymail.InboundEvent) error {
		t.Error("an inbound event is not to suppress")
		return nil
	}, anymail.ToSuppress))
	hard := event("acme", anymail.EventBounced, "1")
	hard.Recipient, hard.Bounce.Category = "ada@example.com", anymail.BounceHard
	events := []anymail.Event{
		hard, event("acme", anymail.EventOpened, "2"), event("other", anymail.EventBounced, "3"),
		&anymail.InboundEvent{Common: anymail.Common{Key: "4"}},
	}
	require.NoError(t, s.Deliver(t.Context(), nil, events...))
	require.Equal(t, map[string][]string{
		"all": {"1", "2", "3"}, "acme": {"1", "2"}, "bad": {"1", "3"}, "suppress": {"1"}, "a function": {"1"}, "both": {"1"}, "inbound": {"in"},
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

// Receivers are connected and disconnected while events are delivered.
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

// A filter that panics fails its own receiver only.
func TestPanickingFilter(t *testing.T) {
	var s anymail.Signals
	ran := 0
	nop := func(context.Context, *anymail.TrackingEvent) error { ran++; return nil }
	require.NoError(t, s.Tracking.Connect("bad", nop, func(anymail.Event) bool { panic("bug") }))
	require.NoError(t, s.Tracking.Connect("good", nop))
	err := s.Deliver(t.Context(), anymail.NewMemoryStore(0), event("acme", anymail.EventSent, "k"))
	var receiverErr *anymail.ReceiverError
	require.ErrorAs(t, err, &receiverErr)
	require.Equal(t, "bad", receiverErr.Receiver)
	require.Equal(t, 1, ran)
	require.ErrorIs(t, s.Tracking.Connect("none", nop, nil), anymail.ErrConfig)
}

// A filter that panics fails the event for its own receiver only.
func TestPanickingFilterWithQueue(t *testing.T) {
	var s anymail.Signals
	calls := 0
	receive := func(context.Context, *anymail.TrackingEvent) error { calls++; return nil }
	require.NoError(t, s.Tracking.Connect("good", receive))
	require.NoError(t, s.Tracking.Connect("panicking", receive, func(anymail.Event) bool { panic("poison") }))
	ev := event("acme", anymail.EventSent, "k")
	require.Equal(t, []string{"good", "panicking"}, s.Matching(ev))
	require.NoError(t, s.Call(t.Context(), "good", ev))
	var failed *anymail.ReceiverError
	require.ErrorAs(t, s.Call(t.Context(), "panicking", ev), &failed)
	require.ErrorContains(t, failed, "poison")
	require.Equal(t, 1, calls)
}

// No claim outlives its delivery, however the delivery ends: otherwise the event
// would count as in progress until the process ends.
func TestNoClaimOutlivesDelivery(t *testing.T) {
	store := anymail.NewMemoryStore(0)
	var s anymail.Signals
	exit := true
	require.NoError(t, s.Tracking.Connect("a", func(_ context.Context, ev *anymail.TrackingEvent) error {
		if ev.Key == "2" && exit {
			runtime.Goexit()
		}
		return nil
	}))
	events := []anymail.Event{event("acme", anymail.EventSent, "1"), event("acme", anymail.EventSent, "2"), event("acme", anymail.EventSent, "3")}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Deliver(t.Context(), store, events...)
	}()
	<-ended
	claims, err := store.Claim(t.Context(), "a", []string{"1", "2", "3"})
	require.NoError(t, err)
	require.Equal(t, []anymail.Claim{anymail.ClaimDone, anymail.ClaimGranted, anymail.ClaimGranted}, claims)
}

// A redelivery of a large batch that is still in progress takes time linear in its
// size. If it were quadratic, the test would take minutes.
func TestBusyBatch(t *testing.T) {
	const n = 200_000
	store := anymail.NewMemoryStore(2 * n)
	keys, events := make([]string, n), make([]anymail.Event, n+1)
	for i := range keys {
		keys[i] = anymail.EventKey("acme", fmt.Sprint(i))
		events[i] = event("acme", anymail.EventSent, keys[i])
	}
	events[n] = event("acme", anymail.EventSent, "new")
	_, err := store.Claim(t.Context(), "a", keys)
	require.NoError(t, err)
	var s anymail.Signals
	ran := 0
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error { ran++; return nil }))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.ErrorIs(t, s.Deliver(ctx, store, events...), anymail.ErrUnavailable)
	require.Equal(t, 1, ran, "the new event, in time")
}
