package anymail_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// 64 concurrent deliveries of one event run its receiver once.
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
		t.Error("ran, although the store did not report whether it had run before")
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

// The store forgets the oldest entries only.
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
			t.Fatalf("the store has forgotten event %d of %d", i, total)
		}
	}
	require.LessOrEqual(t, known, size+16)
}

// faultyStore fails with the errors of its functions.
type faultyStore struct {
	anymail.IdempotencyStore
	claim  func() error
	finish func(receiver string) error
}

func (s *faultyStore) Claim(ctx context.Context, receiver string, keys []string) ([]anymail.Claim, error) {
	if s.claim != nil {
		if err := s.claim(); err != nil {
			return nil, err
		}
	}
	return s.IdempotencyStore.Claim(ctx, receiver, keys)
}

func (s *faultyStore) Finish(ctx context.Context, receiver, key string, done bool) error {
	if s.finish != nil {
		if err := s.finish(receiver); err != nil {
			return err
		}
	}
	return s.IdempotencyStore.Finish(ctx, receiver, key, done)
}

// If a store cannot record a success, the ESP has to retry. Recorded successes are
// not run again.
func TestStoreFailsInFinish(t *testing.T) {
	for _, of := range []string{"keep", "replay acme/tracking"} {
		t.Run(of, func(t *testing.T) {
			failing := true
			store := &faultyStore{IdempotencyStore: anymail.NewMemoryStore(0), finish: func(receiver string) error {
				if failing && receiver == of {
					return errors.New("disk full")
				}
				return nil
			}}
			srv := newTestServer(t, newAcme("key"), anymail.WithIdempotencyStore(store))
			p := newPost(delivered).sign("key", time.Now())
			require.Equal(t, 503, srv.do(t, p).StatusCode)
			require.ErrorIs(t, srv.rejections[0].Err, anymail.ErrUnavailable)
			require.Len(t, srv.take(), 1)
			failing = false
			// The claim is still held, as after a crash. A store for several
			// processes ends it after some time.
			require.Equal(t, 503, srv.do(t, p).StatusCode)
			require.Empty(t, srv.take())
		})
	}
}

// If the store goes away in the middle of a batch, each receiver stops after the
// first completion that cannot be noted: of a batch, one event at most runs twice.
func TestStoreFailsInTheMiddleOfABatch(t *testing.T) {
	const size, before = 200, 50
	var noted int
	away := false
	store := &faultyStore{IdempotencyStore: anymail.NewMemoryStore(0), finish: func(string) error {
		if noted++; noted > before {
			away = true
		}
		if away {
			return errors.New("connection refused")
		}
		return nil
	}}
	var events []anymail.Event
	for i := range size {
		events = append(events, event("acme", anymail.EventDelivered, fmt.Sprint("k", i)))
	}
	runs := map[string]int{}
	var s anymail.Signals
	require.NoError(t, s.Tracking.Connect("a", func(_ context.Context, ev *anymail.TrackingEvent) error {
		runs[ev.Key]++
		return nil
	}))
	require.ErrorIs(t, s.Deliver(t.Context(), store, events...), anymail.ErrUnavailable)
	require.Len(t, runs, before+1, "what ran before, and the one that could not be noted")

	// The database has ended the leases when the ESP retries.
	back := anymail.NewMemoryStore(0)
	for i := range before {
		key := []string{fmt.Sprint("k", i)}
		_, err := back.Claim(t.Context(), "a", key)
		require.NoError(t, err)
		require.NoError(t, back.Finish(t.Context(), "a", key[0], true))
	}
	require.NoError(t, s.Deliver(t.Context(), back, events...))
	require.Len(t, runs, size)
	twice := 0
	for _, n := range runs {
		if n > 1 {
			twice++
		}
	}
	require.Equal(t, 1, twice)
}

// A store that returns fewer claims than keys has failed.
func TestStoreReturnsTooFewClaims(t *testing.T) {
	var s anymail.Signals
	require.NoError(t, s.Tracking.Connect("a", func(context.Context, *anymail.TrackingEvent) error {
		t.Error("ran, although the store did not report whether it had run before")
		return nil
	}))
	err := s.Deliver(t.Context(), terseStore{}, event("acme", anymail.EventSent, "k"))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

type terseStore struct{}

func (terseStore) Claim(context.Context, string, []string) ([]anymail.Claim, error) { return nil, nil }
func (terseStore) Finish(context.Context, string, string, bool) error               { return nil }
