package web

import (
	"cmp"
	"errors"
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

// add stores a record under the next id.
func (s *store) add(r *Record) {
	r.prepare()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(r)
	s.notify(notice{"request", r.summarize(r.lines)})
}

// append adds a record, drops what is too much, and wakes up those that wait.
func (s *store) append(r *Record) {
	s.lastID++
	r.ID = s.lastID
	s.records = append(s.records, r)
	s.events += r.weight()
	s.size += r.size
	for len(s.records) > 1 && (s.events > s.mostEvents || s.size > s.mostSize) {
		s.events -= s.records[0].weight()
		s.size -= s.records[0].size
		delete(s.sent, s.records[0].ID)
		s.records[0] = nil // the array behind the slice would keep it
		s.records = s.records[1:]
	}
	close(s.changed)
	s.changed = make(chan struct{})
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
	list := append(s.sent[id], outcome)
	s.sent[id] = list[max(0, len(list)-maxSent):]
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
