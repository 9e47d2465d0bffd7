package durable

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/riverqueue/river"

	"github.com/goanymail/anymail"
)

const (
	maxBatchEvents = 64        // one bit of a job's column "open" each
	maxBatchBytes  = 256 << 10 // of events up to the inline limit
	// The requests of one transaction. A larger request has one of its own.
	maxGroupEvents = 4000
	maxGroupBytes  = 8 << 20
	storeTimeout   = 10 * time.Second // of one transaction
)

// Enqueue implements [anymail.Queue]: when it returns nil, each event is on
// disk for each receiver that wants it. Calls that wait at the same time share a
// transaction; they do not share its failure. If ctx is done first, Enqueue
// returns [anymail.ErrUnavailable], and the events may be stored or not. It keeps
// the jobs that exist already under the same key for the same receiver.
func (q *Queue) Enqueue(ctx context.Context, events []anymail.Event) error {
	r := &request{ctx: ctx, stored: make(chan error, 1)}
	for _, ev := range events {
		receivers := q.signals.Matching(ev)
		if len(receivers) == 0 {
			continue
		}
		encoded, err := encode(ev)
		if err != nil {
			return fmt.Errorf("durable: event %s: %w", ev.Base().Key, err)
		}
		e := encodedEvent{json: encoded, key: keyText(ev.Base()), receivers: receivers}
		for _, receiver := range receivers {
			if !isText(receiver) {
				return anymail.Misconfigured(fmt.Sprintf("receiver %q", receiver), "name must be UTF-8 without NUL")
			}
			e.hashes = append(e.hashes, hashOf(receiver, e.key))
		}
		r.events = append(r.events, e)
		r.deliveries += len(receivers)
		r.bytes += len(encoded)
	}
	if len(r.events) == 0 {
		return nil
	}
	q.requests.add(r)
	select {
	case err := <-r.stored:
		return err
	case <-ctx.Done():
		return anymail.Because(anymail.ErrUnavailable, "events could not be stored in time", ctx.Err())
	}
}

// encode returns the JSON form of an event, on one line. Events write it without
// insignificant space; json.Marshal would take as long again to look for some.
func encode(ev anymail.Event) ([]byte, error) {
	m, ok := ev.(json.Marshaler)
	if !ok {
		return json.Marshal(ev)
	}
	encoded, err := m.MarshalJSON()
	if err == nil && bytes.IndexByte(encoded, '\n') >= 0 {
		return json.Marshal(ev)
	}
	return encoded, err
}

// request is a call of Enqueue.
type request struct {
	ctx        context.Context
	events     []encodedEvent
	deliveries int // pairs of event and receiver
	bytes      int
	stored     chan error // receives the result
}

type encodedEvent struct {
	json      []byte
	key       string
	receivers []string
	hashes    []hash // of each receiver
}

// hash identifies an event for a receiver.
type hash [hashSize]byte

const hashSize = 16

// hashOf returns the beginning of River's unique key for a job with this receiver
// and key, so that the keys of jobs of earlier versions are still valid.
func hashOf(receiver, key string) hash {
	unique, _ := json.Marshal(struct { // texts have no errors
		Key      string `json:"key"`
		Receiver string `json:"receiver"`
	}{key, receiver})
	sum := sha256.Sum256(append([]byte("&kind="+deliveryKind+"&args="), unique...))
	return hash(sum[:hashSize])
}

// keyText returns the key of an event as a text that both databases store.
func keyText(base *anymail.Common) string {
	if isText(base.Key) {
		return base.Key
	}
	return anymail.EventKey(base.ESP, base.Key)
}

// isText reports whether PostgreSQL accepts s as text.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// storeRequests stores requests and reports their results.
func (q *Queue) storeRequests(requests []*request) {
	for len(requests) > 0 {
		n, events, size := 0, 0, 0
		for _, r := range requests {
			events, size = events+len(r.events), size+r.bytes
			if n > 0 && (events > maxGroupEvents || size > maxGroupBytes) {
				break
			}
			n++
		}
		q.storeGroup(requests[:n])
		requests = requests[n:]
	}
}

func (q *Queue) storeGroup(requests []*request) {
	ctx, cancel := context.WithTimeout(q.life, storeTimeout)
	defer cancel()
	counted := q.pending.refresh(ctx, q.countPending)
	requests = slices.DeleteFunc(requests, func(r *request) bool {
		err := cmp.Or(r.ctx.Err(), counted) // the caller has gone, or the database
		if err == nil {
			err = q.pending.admit(r.deliveries, q.settings.maxPending)
		}
		if err != nil {
			r.stored <- err
		}
		return err != nil
	})
	err := q.store(ctx, requests)
	if err != nil && len(requests) > 1 {
		for _, r := range requests { // so that a request fails only for its own sake
			r.stored <- q.store(ctx, []*request{r})
		}
		return
	}
	for _, r := range requests {
		r.stored <- err
	}
}

// batch is events that are stored together, and their jobs.
type batch struct {
	events [][]byte
	bytes  int
	jobs   []*newJob // one for each receiver
}

// newJob is a job with events of one batch.
type newJob struct {
	receiver string
	open     uint64 // has a bit for each of its events
	keys     []byte // has the hash of each at the event's place
	key      string // of the last event
}

func (b *batch) add(event encodedEvent, fresh func(hash) bool) {
	at := len(b.events)
	b.events = append(b.events, event.json)
	b.bytes += len(event.json)
	for i, receiver := range event.receivers {
		if !fresh(event.hashes[i]) {
			continue
		}
		j := slices.IndexFunc(b.jobs, func(j *newJob) bool { return j.receiver == receiver })
		if j < 0 {
			j = len(b.jobs)
			b.jobs = append(b.jobs, &newJob{receiver: receiver})
		}
		job := b.jobs[j]
		job.open |= 1 << at
		job.keys = append(job.keys, make([]byte, at*hashSize-len(job.keys))...)
		job.keys = append(job.keys, event.hashes[i][:]...)
		job.key = event.key
	}
}

// store stores the events of requests in one transaction.
func (q *Queue) store(ctx context.Context, requests []*request) error {
	if len(requests) == 0 {
		return nil
	}
	err := q.tryStore(ctx, requests, false)
	if errors.Is(err, errRepeated) {
		err = q.tryStore(ctx, requests, true)
	}
	if err != nil {
		return anymail.Because(anymail.ErrUnavailable, "events could not be stored", err)
	}
	return nil
}

// tryStore stores the events of requests. Unless it may expect repeated ones, it
// returns errRepeated if there are any; to know which costs time.
func (q *Queue) tryStore(ctx context.Context, requests []*request, repeated bool) error {
	return q.transact(ctx, func(s session) error {
		fresh, err := q.storeKeys(ctx, s, requests, repeated)
		if err != nil {
			return err
		}
		var batches []*batch
		var shared *batch
		for _, r := range requests {
			for _, event := range r.events {
				isFresh := slices.ContainsFunc(event.hashes, func(h hash) bool { return fresh[h] })
				if !isFresh {
					continue
				}
				to := shared
				switch large := len(event.json) > q.settings.inlineLimit; {
				case large:
					to = new(batch)
					batches = append(batches, to)
				case shared == nil || len(shared.events) == maxBatchEvents || shared.bytes+len(event.json) > maxBatchBytes:
					shared = new(batch)
					to = shared
					batches = append(batches, to)
				}
				to.add(event, func(h hash) bool {
					is := fresh[h]
					delete(fresh, h) // the next event with it is the same one
					return is
				})
			}
		}
		if len(batches) == 0 {
			return nil
		}
		return q.storeBatches(ctx, s, batches)
	})
}

// storeKeys stores the hashes of requests, and returns those that are new.
func (q *Queue) storeKeys(ctx context.Context, s session, requests []*request, repeated bool) (map[hash]bool, error) {
	fresh := map[hash]bool{}
	for _, r := range requests {
		for _, e := range r.events {
			for _, h := range e.hashes {
				fresh[h] = true
			}
		}
	}
	// In this order two processes with the same events cannot wait for each other.
	hashes := slices.SortedFunc(maps.Keys(fresh), func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	list := make([][]any, len(hashes))
	for i := range hashes {
		list[i] = []any{hashes[i][:]}
	}
	if !repeated {
		inserted, err := q.execRows(ctx, s, q.queries.insertKeys, list)
		if err == nil && int(inserted) < len(hashes) {
			err = errRepeated
		}
		return fresh, err
	}
	clear(fresh)
	err := q.queryRows(ctx, s, func(scan func(...any) error) error {
		var h []byte
		err := scan(&h)
		if len(h) == hashSize {
			fresh[hash(h)] = true
		}
		return err
	}, q.queries.insertFreshKeys, list)
	return fresh, err
}

// errRepeated means that not all events are new.
var errRepeated = errors.New("durable: repeated events")

func (q *Queue) storeBatches(ctx context.Context, s session, batches []*batch) error {
	var jobs []river.InsertManyParams
	for _, b := range batches {
		for _, j := range b.jobs {
			args := delivery{Receiver: j.receiver, Events: bits.OnesCount64(j.open)}
			opts := &river.InsertOpts{Queue: queueName(j.receiver)}
			if args.Events == 1 {
				args.Key = j.key
			} else {
				opts.MaxAttempts = maxSharedAttempts
			}
			jobs = append(jobs, river.InsertManyParams{Args: args, InsertOpts: opts})
		}
	}
	inserted, err := s.insert(ctx, jobs)
	if err != nil {
		return err
	}
	stored, err := q.insertBatches(ctx, s, batches)
	if err != nil {
		return err
	}
	var list [][]any
	for i, b := range batches {
		for _, j := range b.jobs {
			list = append(list, []any{inserted[len(list)], stored[i], int64(j.open), int64(bits.OnesCount64(j.open)), j.keys}) //nolint:gosec // the same bits
		}
	}
	return q.insertJobs(ctx, s, list)
}

// insertBatches stores events.
func (q *Queue) insertBatches(ctx context.Context, s session, batches []*batch) (ids []int64, err error) {
	packed := make([][]byte, len(batches))
	for i, b := range batches {
		packed[i] = pack(b.events)
	}
	if many := q.dialect.insertBatches; many != "" {
		ids, err = collect(ctx, s, scanID, many, packed)
		slices.Sort(ids) // the order of insertion
		return ids, err
	}
	for _, row := range packed {
		id, err := collect(ctx, s, scanID, q.queries.insertBatch, row)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id...)
	}
	return ids, nil
}

// insertJobs inserts rows of anymail_job: the job, its batch, the bits of its events,
// their number, and their hashes.
func (q *Queue) insertJobs(ctx context.Context, s session, list [][]any) error {
	_, err := q.execRows(ctx, s, q.queries.insertJobs, list)
	return err
}

// pendingCount knows how many events are pending without counting them at every
// request: it counts at intervals, and adds what this process has accepted since.
// So it is never too low, except for events that other processes accepted since
// the last count. Only the goroutine that stores requests uses it.
type pendingCount struct {
	counted int
	added   int
	next    time.Time // when to count again
}

// refresh counts, if it is time to.
func (p *pendingCount) refresh(ctx context.Context, count func(context.Context) (int, error)) error {
	start := time.Now()
	if start.Before(p.next) {
		return nil
	}
	counted, err := count(ctx)
	if err != nil {
		return anymail.Because(anymail.ErrUnavailable, "pending events could not be counted", err)
	}
	p.counted, p.added = counted, 0
	// Counting takes 2 % of the time at most.
	p.next = start.Add(max(100*time.Millisecond, min(50*time.Since(start), 10*time.Second)))
	return nil
}

// admit adds n to the count, or returns an error if there are already limit.
func (p *pendingCount) admit(n, limit int) error {
	if p.counted+p.added >= limit {
		return anymail.Because(anymail.ErrUnavailable, "the queue is full", nil)
	}
	p.added += n
	return nil
}
