package web

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// store keeps the latest records, up to a number of events and a size in memory. It
// is safe for concurrent use.
//
// The number counts events, since these are what a list shows: a request without any
// counts as one, and a batch of fifty as fifty. The oldest requests are dropped first,
// each as a whole. The latest request stays, however large it is.
type store struct {
	mostEvents int
	mostSize   int

	mu          sync.Mutex
	records     []*Record // by ascending id
	events      int
	size        int
	lastID      int64
	sent        map[int64][]sent // what became of requests that were sent elsewhere
	subscribers map[chan notice]struct{}
	changed     chan struct{} // closed at the next record
	journal     *journal      // nil without a file
	warn        func(error)   // called when the journal fails
	failing     bool          // it has failed, and warn was called
}

// notice is what subscribers get.
type notice struct {
	event string // "request", "forward" or "reset"
	data  any
}

// newStore returns a store for a number of events and of bytes.
func newStore(events, size int) *store {
	return &store{mostEvents: events, mostSize: size, sent: map[int64][]sent{}, subscribers: map[chan notice]struct{}{}, changed: make(chan struct{})}
}

// open reads what a file has, and keeps the records in it from now on.
func (s *store) open(path string, warn func(error)) (skipped int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warn = warn
	var read []*Record
	j, skipped, err := openJournal(path, func(r *Record) { read = append(read, r) })
	if err != nil {
		return 0, err
	}
	s.journal = j
	for _, r := range read {
		r.prepare()
		s.append(r, max(r.ID, s.lastID+1))
	}
	return skipped, s.compact()
}

// add stores a record under the next id.
func (s *store) add(r *Record) {
	r.prepare()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(r, s.lastID+1)
	s.write(r)
	s.notify(notice{"request", r.summarize(r.lines)})
}

// addAll stores records under the next ids.
func (s *store) addAll(records []*Record) {
	for _, r := range records {
		r.prepare()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		s.append(r, s.lastID+1)
		s.write(r)
	}
	s.notify(notice{event: "reset"})
}

// append adds a record, drops what is too much, and wakes up those that wait.
func (s *store) append(r *Record, id int64) {
	s.lastID, r.ID = id, id
	s.records = append(s.records, r)
	s.events += r.weight()
	s.size += r.size
	for len(s.records) > 1 && (s.events > s.mostEvents || s.size > s.mostSize) {
		oldest := s.records[0]
		s.events -= oldest.weight()
		s.size -= oldest.size
		delete(s.sent, oldest.ID)
		if s.journal != nil {
			s.journal.forget(oldest)
		}
		s.records[0] = nil // the array behind the slice would keep it
		s.records = s.records[1:]
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// write writes a record to the journal. A full disk must not keep webhooks from being
// shown.
func (s *store) write(r *Record) {
	if s.journal == nil {
		return
	}
	s.report(errors.Join(s.journal.append(r), s.compact()))
}

// report warns when the journal begins to fail.
func (s *store) report(err error) {
	if err != nil && !s.failing {
		s.warn(fmt.Errorf("requests are not kept in %s: %w", s.journal.path, err))
	}
	s.failing = err != nil
}

// compact writes the journal anew if most of it is of records that are gone.
func (s *store) compact() error {
	if !s.journal.wasteful() {
		return nil
	}
	return s.journal.rewrite(s.records)
}

// close closes the journal.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	err := s.journal.close()
	s.journal = nil
	return err
}

// notify tells all subscribers. One that does not keep up is closed: the page starts
// again with the list, instead of missing a request.
func (s *store) notify(n notice) {
	for ch := range s.subscribers {
		select {
		case ch <- n:
		default:
			delete(s.subscribers, ch)
			close(ch)
		}
	}
}

// all returns the records, oldest first.
func (s *store) all() []*Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// next returns the records after an id, oldest first, and a channel that is closed
// when there is another one.
func (s *store) next(after int64) ([]*Record, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.index(after)
	if found {
		i++
	}
	return slices.Clone(s.records[i:]), s.changed
}

// index returns where a record is, or would be.
func (s *store) index(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.records, id, func(r *Record, id int64) int { return cmp.Compare(r.ID, id) })
}

// get returns a record, or nil.
func (s *store) get(id int64) *Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.index(id); ok {
		return s.records[i]
	}
	return nil
}

// addSent adds what became of a request that was sent elsewhere.
func (s *store) addSent(id int64, outcome sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.index(id); !ok {
		return
	}
	outcome.Body = ""
	s.sent[id] = append(s.sent[id], outcome)
	if len(s.sent[id]) > maxSent {
		s.sent[id] = s.sent[id][1:]
	}
	s.notify(notice{"forward", struct {
		ID int64 `json:"id"`
		sent
	}{id, outcome}})
}

// sentOf returns what became of a request that was sent elsewhere, oldest first.
func (s *store) sentOf(id int64) []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent{}, s.sent[id]...)
}

// clear removes all records.
func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.events, s.size = nil, 0, 0
	clear(s.sent)
	if s.journal != nil {
		s.report(s.journal.clear())
	}
	s.notify(notice{event: "reset"})
}

// maxSubscribers is how many pages can be open.
const maxSubscribers = 64

var errBusy = errors.New("too many clients are waiting")

// subscribe returns a channel of notices. It is closed if the subscriber is too
// slow.
func (s *store) subscribe() (ch chan notice, cancel func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.subscribers) >= maxSubscribers {
		return nil, nil, errBusy
	}
	ch = make(chan notice, 64)
	s.subscribers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, ch)
	}, nil
}
