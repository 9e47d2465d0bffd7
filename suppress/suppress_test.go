package suppress_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/suppress"
	"github.com/goanymail/anymail/suppress/suppresstest"
)

const ada = "ada@example.com"

// now is the time at which a synctest bubble begins.
var now = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func newList(t *testing.T, options ...suppress.Option) *suppress.List {
	t.Helper()
	list, err := suppress.New(new(suppress.MemoryStore), options...)
	require.NoError(t, err)
	return list
}

// The kinds of events, as Normalize leaves them.
var (
	hard         = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectInvalid, Bounce: anymail.Bounce{Category: anymail.BounceHard}}
	soft         = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectBounced, Bounce: anymail.Bounce{Category: anymail.BounceSoft}}
	tooLarge     = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectOther, Bounce: anymail.Bounce{Category: anymail.BounceSoft}}
	block        = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectBlocked, Bounce: anymail.Bounce{Category: anymail.BounceBlock}}
	deferred     = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDeferred}, Bounce: anymail.Bounce{Category: anymail.BounceSoft}}
	complained   = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventComplained}, RejectReason: anymail.RejectSpam}
	unsubscribed = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnsubscribed}, RejectReason: anymail.RejectUnsubscribed}
	subscribed   = anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventSubscribed}}
)

func rejected(reason anymail.RejectReason) anymail.TrackingEvent {
	return anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventRejected}, RejectReason: reason}
}

// event is a copy of an event that acme reports about ada, at some time after now.
func event(kind anymail.TrackingEvent, after time.Duration) *anymail.TrackingEvent {
	kind.ESP, kind.Recipient, kind.Timestamp = "acme", ada, now.Add(after)
	return &kind
}

func receive(t *testing.T, list *suppress.List, events ...*anymail.TrackingEvent) {
	t.Helper()
	for _, ev := range events {
		require.NoError(t, list.Receive(t.Context(), ev))
	}
}

// entries returns the entries of ada.
func entries(t *testing.T, list *suppress.List) []suppress.Entry {
	t.Helper()
	found, err := list.Lookup(t.Context(), ada)
	require.NoError(t, err)
	return found[ada]
}

func reasons(t *testing.T, list *suppress.List) []suppress.Reason {
	t.Helper()
	var reasons []suppress.Reason
	for _, e := range entries(t, list) {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

func allowed(t *testing.T, list *suppress.List, address string, ignored ...suppress.Reason) bool {
	t.Helper()
	ok, err := list.Allowed(t.Context(), address, ignored...)
	require.NoError(t, err)
	return ok
}

func TestMemoryStore(t *testing.T) {
	stores := map[*testing.T]*suppress.MemoryStore{}
	suppresstest.Run(t, func(t *testing.T) suppress.Store {
		if stores[t] == nil {
			stores[t] = new(suppress.MemoryStore)
		}
		return stores[t]
	})
}

func TestDefaultPolicy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		event  anymail.TrackingEvent
		reason suppress.Reason
		listed bool
	}{
		{"hard bounce", hard, suppress.Bounced, true},
		{"soft bounce", soft, suppress.SoftBounced, true},
		{"too large", tooLarge, "", false},
		{"block", block, "", false},
		{"deferral", deferred, "", false},
		{"complaint", complained, suppress.Complained, true},
		{"unsubscription", unsubscribed, suppress.Unsubscribed, true},
		{"unsubscription, for a reason that is not told", anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventUnsubscribed}, RejectReason: anymail.RejectOther}, suppress.Unsubscribed, true},
		{"bounced before", rejected(anymail.RejectBounced), suppress.Bounced, true},
		{"invalid", rejected(anymail.RejectInvalid), suppress.Bounced, true},
		{"complained before", rejected(anymail.RejectSpam), suppress.Complained, true},
		{"unsubscribed before", rejected(anymail.RejectUnsubscribed), suppress.Unsubscribed, true},
		{"policy of the ESP", rejected(anymail.RejectBlocked), "", false},
		{"subscription", subscribed, suppress.Unsubscribed, false},
		{"delivery", anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDelivered}}, "", false},
	} {
		reason, listed := suppress.DefaultPolicy(&tt.event)
		require.Equal(t, tt.reason, reason, tt.name)
		require.Equal(t, tt.listed, listed, tt.name)
		tt.event.Verified = anymail.VerifiedNone
		reason, _ = suppress.DefaultPolicy(&tt.event)
		require.Empty(t, reason, "anyone may have sent it")
	}
}

func TestReceive(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []*anymail.TrackingEvent // all within an hour of now, which is before they are received
		want   []suppress.Entry
	}{
		{"nothing to suppress", []*anymail.TrackingEvent{event(soft, 1), event(block, 2), event(deferred, 3)}, nil},
		{
			"for several reasons",
			[]*anymail.TrackingEvent{event(unsubscribed, time.Second), event(hard, 2*time.Second), event(complained, 3*time.Second)},
			[]suppress.Entry{
				{Reason: suppress.Bounced, Time: now.Add(2 * time.Second), ESP: "acme"},
				{Reason: suppress.Complained, Time: now.Add(3 * time.Second), ESP: "acme"},
				{Reason: suppress.Unsubscribed, Time: now.Add(time.Second), ESP: "acme"},
			},
		},
		{
			"the latest event",
			[]*anymail.TrackingEvent{event(hard, 2*time.Second), event(hard, 3*time.Second), event(hard, time.Second)},
			[]suppress.Entry{{Reason: suppress.Bounced, Time: now.Add(3 * time.Second), ESP: "acme"}},
		},
		{"subscribed again", []*anymail.TrackingEvent{event(unsubscribed, time.Second), event(subscribed, 2*time.Second)}, nil},
		{
			"subscribed before",
			[]*anymail.TrackingEvent{event(unsubscribed, 2*time.Second), event(subscribed, time.Second)},
			[]suppress.Entry{{Reason: suppress.Unsubscribed, Time: now.Add(2 * time.Second), ESP: "acme"}},
		},
		{
			"subscribed at the same time",
			[]*anymail.TrackingEvent{event(unsubscribed, time.Second), event(subscribed, time.Second)},
			[]suppress.Entry{{Reason: suppress.Unsubscribed, Time: now.Add(time.Second), ESP: "acme"}},
		},
		{
			"a subscription undoes nothing else",
			[]*anymail.TrackingEvent{event(hard, time.Second), event(complained, time.Second), event(subscribed, 2*time.Second)},
			[]suppress.Entry{
				{Reason: suppress.Bounced, Time: now.Add(time.Second), ESP: "acme"},
				{Reason: suppress.Complained, Time: now.Add(time.Second), ESP: "acme"},
			},
		},
		{
			"subscribed, and unsubscribed again",
			[]*anymail.TrackingEvent{event(unsubscribed, time.Second), event(subscribed, 2*time.Second), event(unsubscribed, 3*time.Second)},
			[]suppress.Entry{{Reason: suppress.Unsubscribed, Time: now.Add(3 * time.Second), ESP: "acme"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Hour)
				// In every order, and with redeliveries.
				for order := range permutations(tt.events) {
					list := newList(t)
					receive(t, list, order...)
					receive(t, list, order...)
					require.Empty(t, cmp.Diff(tt.want, entries(t, list)))
					require.Equal(t, tt.want == nil, allowed(t, list, ada))
				}
			})
		})
	}
}

// permutations yields a list in all orders.
func permutations[T any](list []T) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		if len(list) < 2 {
			yield(list)
			return
		}
		for i, first := range list {
			rest := append(append([]T{}, list[:i]...), list[i+1:]...)
			for order := range permutations(rest) {
				if !yield(append([]T{first}, order...)) {
					return
				}
			}
		}
	}
}

func TestTimes(t *testing.T) {
	undated := func(kind anymail.TrackingEvent) *anymail.TrackingEvent {
		ev := event(kind, 0)
		ev.Timestamp = time.Time{}
		return ev
	}
	synctest.Test(t, func(t *testing.T) {
		list := newList(t)
		receive(t, list, undated(unsubscribed))
		want := []suppress.Entry{{Reason: suppress.Unsubscribed, Time: now, ESP: "acme"}}
		require.Empty(t, cmp.Diff(want, entries(t, list)), "without a time: as of now")
		time.Sleep(time.Hour)
		receive(t, list, undated(subscribed))
		require.False(t, allowed(t, list, ada), "a subscription without a time has no effect")

		receive(t, list, event(subscribed, 1000*time.Hour))
		require.True(t, allowed(t, list, ada))
		time.Sleep(time.Hour)
		receive(t, list, event(unsubscribed, 2*time.Hour))
		require.False(t, allowed(t, list, ada), "a time in the future counts as now, and keeps nothing out")
	})
}

func TestWants(t *testing.T) {
	list := newList(t)
	counting := newList(t, suppress.WithSoftBounces(2, 7))
	require.True(t, list.Wants(event(hard, 0)))
	require.True(t, list.Wants(event(subscribed, 0)))
	require.False(t, list.Wants(event(soft, 0)))
	require.True(t, counting.Wants(event(soft, 0)))
	require.False(t, list.Wants(event(deferred, 0)))
	require.False(t, list.Wants(&anymail.InboundEvent{}))

	var signals anymail.Signals
	require.NoError(t, signals.Tracking.Connect("suppress", list.Receive, list.Wants))
	require.NoError(t, signals.Deliver(t.Context(), nil, event(hard, 0)))
	require.False(t, allowed(t, list, ada))
}

func TestSoftBounces(t *testing.T) {
	const day = 24 * time.Hour
	days := func(numbers ...int) (events []*anymail.TrackingEvent) {
		for _, n := range numbers {
			events = append(events, event(soft, time.Duration(n)*day+time.Hour))
		}
		return events
	}
	for _, tt := range []struct {
		name   string
		events []*anymail.TrackingEvent // received on day 10
		want   time.Duration            // the time of the entry; 0 for none
	}{
		{"too few", days(9, 10), 0},
		{"three of seven days", days(5, 10, 9), 10*day + time.Hour},
		{"three of seven days, as late as they can be", days(4, 5, 6), 6*day + time.Hour},
		{"one has left the period", days(3, 9, 10), 0},
		{"three on two days", append(days(9, 10), event(soft, 10*day)), 0},
		{"redelivered", days(9, 9, 9, 10, 10), 0},
		{"after a week, in a place that was taken", days(1, 8, 9, 10), 10*day + time.Hour},
		{"from before 1970", days(-20000, 9, 10), 0},
		{"too large", []*anymail.TrackingEvent{event(tooLarge, 8*day), event(tooLarge, 9*day), event(tooLarge, 10*day)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(10*day + 2*time.Hour)
				for order := range permutations(tt.events) {
					list := newList(t, suppress.WithSoftBounces(3, 7))
					receive(t, list, order...)
					var want []suppress.Entry
					if tt.want > 0 {
						want = []suppress.Entry{{Reason: suppress.SoftBounced, Time: now.Add(tt.want), ESP: "acme"}}
					}
					require.Empty(t, cmp.Diff(want, entries(t, list)))
				}
			})
		})
	}
}

func TestSoftBouncesEnd(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		list := newList(t, suppress.WithSoftBounces(2, 7))
		receive(t, list, event(soft, 0))
		time.Sleep(day)
		receive(t, list, event(soft, day))
		require.Equal(t, []suppress.Reason{suppress.SoftBounced}, reasons(t, list))
		time.Sleep(5 * day)
		require.False(t, allowed(t, list, ada))
		time.Sleep(day)
		require.True(t, allowed(t, list, ada), "the first day has left the period")
		receive(t, list, event(soft, 7*day))
		require.False(t, allowed(t, list, ada), "and the address has bounced again")

		require.NoError(t, list.Remove(t.Context(), ada))
		receive(t, list, event(soft, day), event(soft, 7*day))
		require.True(t, allowed(t, list, ada), "redeliveries count no more")
		time.Sleep(2 * day)
		receive(t, list, event(soft, 8*day), event(soft, 9*day))
		require.False(t, allowed(t, list, ada), "later ones do")
	})
}

func TestAddAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		ctx, list := t.Context(), newList(t)
		require.NoError(t, list.Add(ctx, suppress.Manual, "Ada <ADA@example.com>", ada, "bob@example.com"))
		require.Empty(t, cmp.Diff([]suppress.Entry{{Reason: suppress.Manual, Time: now.Add(time.Hour)}}, entries(t, list)))
		require.False(t, allowed(t, list, "bob@example.com"))
		receive(t, list, event(hard, 0), event(unsubscribed, 0))

		require.NoError(t, list.Remove(ctx, ada, suppress.Bounced, suppress.Manual))
		require.Equal(t, []suppress.Reason{suppress.Unsubscribed}, reasons(t, list), "although the time is the same")
		require.NoError(t, list.Add(ctx, suppress.Bounced, ada))
		require.NoError(t, list.Add(ctx, "other", ada))
		require.Equal(t, []suppress.Reason{suppress.Bounced, "other", suppress.Unsubscribed}, reasons(t, list))
		require.NoError(t, list.Remove(ctx, ada))
		require.Empty(t, entries(t, list))
		require.False(t, allowed(t, list, "bob@example.com"))

		receive(t, list, event(hard, 0), event(complained, 0))
		require.True(t, allowed(t, list, ada), "older events, even of a reason that was not listed")
		time.Sleep(time.Hour)
		receive(t, list, event(hard, 2*time.Hour))
		require.Equal(t, []suppress.Reason{suppress.Bounced}, reasons(t, list))
	})
}

// An operator's wish counts, even if another process's clock is ahead.
func TestClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(suppress.MemoryStore)
		list, err := suppress.New(store)
		require.NoError(t, err)
		require.NoError(t, store.Put(t.Context(), []suppress.Record{{Address: ada, Reason: suppress.Bounced, Listed: true, Time: now.Add(time.Minute)}}))
		require.NoError(t, list.Remove(t.Context(), ada))
		require.True(t, allowed(t, list, ada))
		require.NoError(t, list.Add(t.Context(), suppress.Bounced, ada))
		require.False(t, allowed(t, list, ada))
	})
}

func TestLookup(t *testing.T) {
	list := newList(t)
	require.NoError(t, list.Add(t.Context(), suppress.Unsubscribed, ada))
	found, err := list.Lookup(t.Context(), "Ada <ada@EXAMPLE.com>", ada, "bob@example.com", ada)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Len(t, found[ada], 1)
	require.Empty(t, cmp.Diff(found[ada], found["Ada <ada@EXAMPLE.com>"]))
	found, err = list.Lookup(t.Context())
	require.NoError(t, err)
	require.Empty(t, found)

	require.False(t, allowed(t, list, ada, suppress.Complained))
	require.True(t, allowed(t, list, ada, suppress.Unsubscribed))
	require.True(t, allowed(t, list, "bob@example.com"))
}

func TestNoAddress(t *testing.T) {
	var log bytes.Buffer
	list := newList(t, suppress.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	ctx := t.Context()
	for _, address := range []string{"", "ada", "a@example.com, b@example.com", strings.Repeat("a", 400) + "@example.com"} {
		log.Reset()
		ev := event(hard, 0)
		ev.Recipient, ev.Key = address, "acme:1"
		require.NoError(t, list.Receive(ctx, ev), "a retry would not help")
		require.Contains(t, log.String(), "acme:1")
		require.NotContains(t, log.String(), "example.com")

		ok, err := list.Allowed(ctx, address)
		require.ErrorIs(t, err, anymail.ErrMalformed)
		require.False(t, ok)
		_, err = list.Lookup(ctx, ada, address)
		require.ErrorIs(t, err, anymail.ErrMalformed)
		require.ErrorContains(t, err, "address 2 of 2")
		require.ErrorIs(t, list.Add(ctx, suppress.Manual, ada, address), anymail.ErrMalformed)
		require.ErrorIs(t, list.Remove(ctx, address), anymail.ErrMalformed)
	}
	require.True(t, allowed(t, list, ada))
}

func TestPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		list := newList(t, suppress.WithSoftBounces(1, 7), suppress.WithPolicy(func(ev *anymail.TrackingEvent) (suppress.Reason, bool) {
			switch {
			case ev.Bounce.Category == anymail.BounceBlock:
				return "blocked", true
			case ev.Type == anymail.EventDelivered:
				return suppress.SoftBounced, false
			}
			return suppress.DefaultPolicy(ev)
		}))
		receive(t, list, event(block, 0), event(hard, 0), event(soft, time.Minute))
		require.Equal(t, []suppress.Reason{"blocked", suppress.Bounced, suppress.SoftBounced}, reasons(t, list))
		receive(t, list, event(anymail.TrackingEvent{Common: anymail.Common{Type: anymail.EventDelivered}}, 2*time.Minute))
		require.Equal(t, []suppress.Reason{"blocked", suppress.Bounced}, reasons(t, list))
	})
}

// failing is a store that is away.
type failing struct{ err error }

func (s failing) Put(context.Context, []suppress.Record) error             { return s.err }
func (s failing) Get(context.Context, []string) ([]suppress.Record, error) { return nil, s.err }

func TestStoreFails(t *testing.T) {
	away := errors.New("away")
	list, err := suppress.New(failing{away})
	require.NoError(t, err)
	require.ErrorIs(t, list.Receive(t.Context(), event(hard, 0)), away)
	require.NoError(t, list.Receive(t.Context(), event(deferred, 0)))
	ok, err := list.Allowed(t.Context(), ada)
	require.ErrorIs(t, err, away)
	require.False(t, ok)
	require.ErrorIs(t, list.Add(t.Context(), suppress.Manual, ada), away)
	require.ErrorIs(t, list.Remove(t.Context(), ada), away)
}

func TestConfigurationErrors(t *testing.T) {
	for name, option := range map[string]suppress.Option{
		"policy":           suppress.WithPolicy(nil),
		"logger":           suppress.WithLogger(nil),
		"no soft bounces":  suppress.WithSoftBounces(0, 7),
		"more than days":   suppress.WithSoftBounces(8, 7),
		"more than a year": suppress.WithSoftBounces(2, 367),
	} {
		_, err := suppress.New(new(suppress.MemoryStore), option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
	_, err := suppress.New(nil)
	require.ErrorIs(t, err, anymail.ErrConfig)
	require.ErrorIs(t, newList(t).Add(t.Context(), "", ada), anymail.ErrConfig)
	require.ErrorIs(t, newList(t).Add(t.Context(), suppress.SoftBounced, ada), anymail.ErrConfig)
}

// Receivers and senders use a list at once.
func TestConcurrentUse(t *testing.T) {
	list := newList(t, suppress.WithSoftBounces(2, 7))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				_ = list.Receive(t.Context(), event(hard, time.Duration(i)*time.Second))
				_ = list.Receive(t.Context(), event(soft, time.Duration(i)*time.Second))
				_, _ = list.Allowed(t.Context(), ada)
				_ = list.Remove(t.Context(), ada, suppress.SoftBounced)
			}
		})
	}
	wg.Wait()
	want := []suppress.Entry{{Reason: suppress.Bounced, Time: now.Add(99 * time.Second), ESP: "acme"}}
	require.Empty(t, cmp.Diff(want, entries(t, list)))
}
