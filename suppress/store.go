package suppress

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Record is what a store knows about an address for one reason. A record that is
// not Listed says that the address was removed: it keeps older events from listing
// it again.
type Record struct {
	Address string // in its canonical form
	Reason  Reason
	// Day tells the soft bounces of an address apart. It is positive for them, and
	// 0 for all other records.
	Day    int
	Listed bool
	// Time is that of the event, in UTC, to the millisecond.
	Time time.Time
	// ESP is the ESP that reported it; empty after [List.Add] and [List.Remove].
	ESP string
}

// Supersedes reports whether r takes the place of old: it is newer or, at the same
// time, lists what old removed. So the order in which a store gets its records has
// no effect on what it has in the end.
func (r Record) Supersedes(old Record) bool {
	if r.Time.Equal(old.Time) {
		return r.Listed && !old.Listed
	}
	return r.Time.After(old.Time)
}

// same reports whether a store has one of the two at most.
func (r Record) same(other Record) bool {
	return r.Address == other.Address && r.Reason == other.Reason && r.Day == other.Day
}

// Store keeps records: one for each address, reason and day. It must not forget any.
// [MemoryStore] is one; package sqlstore has one for SQL databases, and package
// suppresstest the tests of a store. A store is safe for concurrent use, by several
// processes if they share it.
type Store interface {
	// Put stores each record that the store does not have, or that supersedes the
	// stored one. It compares and writes in one atomic step, such as one SQL
	// statement. No two of the records have the same address, reason and day.
	Put(ctx context.Context, records []Record) error
	// Get returns all records of the addresses, in any order.
	Get(ctx context.Context, addresses []string) ([]Record, error)
}

// MemoryStore is a [Store] in the memory of the process, for tests and first
// steps. It is lost when the process ends. It has no bound, since a suppression list
// must not forget. The zero value is ready to use.
type MemoryStore struct {
	mu      sync.RWMutex
	records map[string][]Record // by address
}

var _ Store = (*MemoryStore)(nil)

// Put implements [Store].
func (s *MemoryStore) Put(_ context.Context, records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = map[string][]Record{}
	}
	for _, r := range records {
		stored := s.records[r.Address]
		i := slices.IndexFunc(stored, r.same)
		switch {
		case i < 0:
			s.records[r.Address] = append(stored, r)
		case r.Supersedes(stored[i]):
			stored[i] = r
		}
	}
	return nil
}

// Get implements [Store].
func (s *MemoryStore) Get(_ context.Context, addresses []string) ([]Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []Record
	for _, address := range addresses {
		found = append(found, s.records[address]...)
	}
	return found, nil
}
