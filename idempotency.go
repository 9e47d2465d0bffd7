package anymail

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/goanymail/anymail/internal/bounded"
)

// IdempotencyStore remembers which receiver has completed which event, so that a
// redelivery runs only the receivers that are left. Implementations are safe for
// concurrent use. Package sqlstore, a module of its own, has one on database/sql.
type IdempotencyStore interface {
	// Claim asks for the right to run receiver on the events of these keys.
	// It returns one Claim for each key. A key that occurs twice is granted
	// once and busy the second time.
	Claim(ctx context.Context, receiver string, keys []string) ([]Claim, error)
	// Finish ends a claim that was granted. If done, the key is not granted again
	// for as long as the store remembers; otherwise it is free for the next
	// attempt. Its ctx outlives that of the request by a little, so that a
	// completion is noted even if the client has gone. After an error, the caller
	// runs no other event of that Claim: its completion could not be noted either.
	Finish(ctx context.Context, receiver, key string, done bool) error
}

// Claim is the answer of a store.
type Claim uint8

// The answers of a store.
const (
	// ClaimGranted: run the receiver, then call Finish.
	ClaimGranted Claim = iota
	// ClaimDone: the receiver has completed the event.
	ClaimDone
	// ClaimBusy: another request runs the receiver on it.
	ClaimBusy
)

// MemoryStore is an [IdempotencyStore] in the memory of the process. It remembers
// the latest pairs up to a fixed number and forgets them when the process ends.
// [NewMemoryStore] makes one.
type MemoryStore struct {
	seeds  [2]maphash.Seed
	shards [16]memoryShard
}

type pairID [2]uint64

type memoryShard struct {
	mu      sync.Mutex
	running map[pairID]struct{}
	done    bounded.Map[pairID, struct{}]
}

// NewMemoryStore returns a store that remembers the latest completed pairs, at
// least half of size and at most size; 0 means [DefaultMemoryStoreSize], and less
// than 32 means 32. A pair takes about 40 bytes.
func NewMemoryStore(size int) *MemoryStore {
	if size <= 0 {
		size = DefaultMemoryStoreSize
	}
	s := &MemoryStore{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	for i := range s.shards {
		s.shards[i] = memoryShard{
			running: map[pairID]struct{}{},
			done:    bounded.New[pairID, struct{}](size / len(s.shards)),
		}
	}
	return s
}

func (s *MemoryStore) id(text string) pairID {
	return pairID{maphash.String(s.seeds[0], text), maphash.String(s.seeds[1], text)}
}

func (a pairID) with(b pairID) pairID { return pairID{a[0]*31 + b[0], a[1]*31 + b[1]} }

func (s *MemoryStore) shard(id pairID) *memoryShard { return &s.shards[id[0]%uint64(len(s.shards))] }

// Claim implements [IdempotencyStore]. It never fails.
func (s *MemoryStore) Claim(_ context.Context, receiver string, keys []string) ([]Claim, error) {
	claims := make([]Claim, len(keys))
	prefix := s.id(receiver)
	for i, key := range keys {
		id := prefix.with(s.id(key))
		claims[i] = s.shard(id).claim(id)
	}
	return claims, nil
}

func (sh *memoryShard) claim(id pairID) Claim {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, ok := sh.done.Get(id); ok {
		return ClaimDone
	}
	if _, ok := sh.running[id]; ok {
		return ClaimBusy
	}
	sh.running[id] = struct{}{}
	return ClaimGranted
}

// Finish implements [IdempotencyStore]. It never fails.
func (s *MemoryStore) Finish(_ context.Context, receiver, key string, done bool) error {
	id := s.id(receiver).with(s.id(key))
	sh := s.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.running, id)
	if done {
		sh.done.Set(id, struct{}{})
	}
	return nil
}

func claim(ctx context.Context, store IdempotencyStore, receiver string, keys []string) (claims []Claim, err error) {
	err = recoverPanic(func() (err error) {
		claims, err = store.Claim(ctx, receiver, keys)
		return err
	})
	if err == nil && len(claims) != len(keys) {
		err = fmt.Errorf("%d answers about %d keys", len(claims), len(keys))
	}
	if err != nil {
		return nil, Because(ErrUnavailable, "idempotency store", err)
	}
	return claims, nil
}

// grantedKeys returns the keys that were granted, or nil if no key is busy.
func grantedKeys(claims []Claim, keys []string) map[string]bool {
	if !slices.Contains(claims, ClaimBusy) {
		return nil
	}
	granted := map[string]bool{}
	for i, claim := range claims {
		if claim == ClaimGranted {
			granted[keys[i]] = true
		}
	}
	return granted
}

func finish(ctx context.Context, store IdempotencyStore, receiver, key string, done bool) error {
	if err := recoverPanic(func() error { return store.Finish(ctx, receiver, key, done) }); err != nil {
		return Because(ErrUnavailable, "idempotency store", err)
	}
	return nil
}

// detach returns a context for noting a completion. It is not cancelled when the
// client goes, and ends a little later than ctx. A MemoryStore ignores it.
func detach(ctx context.Context, store IdempotencyStore) (context.Context, context.CancelFunc) {
	if _, inMemory := store.(*MemoryStore); inMemory {
		return ctx, func() {}
	}
	const grace = 10 * time.Second
	after := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(after, deadline.Add(grace))
	}
	return after, func() {}
}
