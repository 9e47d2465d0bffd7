package anymail

import (
	"context"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goanymail/anymail/internal/ratelimit"
)

// A client that cannot forge a signature can still send bodies slowly, or large
// ones. Nothing here depends on its good will: a place or memory that another
// request needs is taken from the slowest.
const (
	// smallBody is the size, in bytes, up to which bodies are bounded by the number
	// of places alone.
	smallBody = 16 << 10
	// bodyCost is the memory that a larger body takes for each of its bytes: itself,
	// its decoded form and what a parser makes of it, and as much again until the
	// garbage collector has run.
	bodyCost = 6
	// slowStart is how long any body may take. It earns more time at Limits.BodyRate.
	slowStart = 5 * time.Second
	// contested is how long a body may take to arrive if others wait for its
	// memory, and leniency how long before its progress is judged.
	contested, leniency = 5 * time.Second, 250 * time.Millisecond
	// memoryWait is how long a request waits for memory.
	memoryWait = 15 * time.Second
	// overloadPause is how long an answer to what found no room waits, so that its
	// client cannot try again at once.
	overloadPause = time.Second
	// maxInflating is how many large bodies wait to be decompressed.
	maxInflating = 16
)

// intake holds the places and the memory of all requests of a Dispatcher.
type intake struct {
	present atomic.Int64 // requests of any state, for Shutdown
	working counter      // requests whose body has arrived, or that proved a shared secret
	places  int          // for bodies that arrive and have proved nothing
	memory  int64        // for bodies of more than smallBody

	inflating chan struct{} // has a token for each body that is being decompressed
	inLine    counter       // of those that wait for a token or hold one

	mu       sync.Mutex
	arriving []*visit // those that hold a place
	clients  map[netip.Addr]int
	used     int64    // of memory
	waiting  []*visit // for memory, in the order of their turns
}

func newIntake(s *settings) *intake {
	return &intake{
		working:   counter{max: int64(s.maxInFlight)},
		places:    s.maxReading,
		memory:    s.maxMemory,
		inflating: make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)),
		inLine:    counter{max: maxInflating},
		clients:   map[netip.Addr]int{},
	}
}

// The shares of one endpoint and of one client leave room for the others.
func (in *intake) endpointPlaces() int  { return max(in.places/4, 1) }
func (in *intake) clientPlaces() int    { return max(in.places/16, 1) }
func (in *intake) endpointBytes() int64 { return in.memory / 2 }

// defaultMemory is DefaultMaxMemory, or half of GOMEMLIMIT if that is less.
func defaultMemory() int64 { return min(DefaultMaxMemory, debug.SetMemoryLimit(-1)/2) }

// visit is what one request holds of the intake.
type visit struct {
	ep      *endpoint
	control *http.ResponseController
	from    origin
	id      requestID
	client  netip.Addr      // an IPv4 address or an IPv6 /64; invalid if unknown
	ctx     context.Context // the request's, with its time limit
	begin   time.Time
	proved  bool // the request carried a valid shared secret
	working bool // it holds a place for working

	due      atomic.Int64 // when the body must be complete, in Unix nanoseconds
	received atomic.Int64 // bytes of the body

	// Guarded by intake.mu.
	place   bool // it holds a place for arriving
	dropped bool
	bytes   int64         // of memory
	expect  int64         // the size of the body that the memory is for
	want    int64         // of memory, while it waits
	granted chan struct{} // closed when want is granted
	since   time.Time     // when it was granted
}

func (ep *endpoint) visit(w http.ResponseWriter, from origin, begin time.Time) *visit {
	v := &visit{ep: ep, control: http.NewResponseController(w), from: from, begin: begin}
	if from.addr.IsValid() {
		v.client = ratelimit.Client(from.addr)
	}
	return v
}

// leave gives everything back.
func (v *visit) leave() {
	v.settleMemory(0)
	if v.working {
		v.ep.d.intake.working.remove()
		v.ep.working.remove()
	}
}

// beginWork takes a place for working.
func (v *visit) beginWork() error {
	in := v.ep.d.intake
	switch {
	case !in.working.add():
		return errBusy
	case !v.ep.working.add():
		in.working.remove()
		return errBusy
	}
	v.working = true
	return nil
}

// beginArrival takes a place for a body that arrives. If the client, the endpoint
// or the Dispatcher has no free place, the slowest of theirs loses its own.
func (v *visit) beginArrival() error {
	in := v.ep.d.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, share := range []struct {
		full bool
		of   func(*visit) bool
	}{
		{v.client.IsValid() && in.clients[v.client] >= in.clientPlaces(), func(o *visit) bool { return o.client == v.client }},
		{v.ep.arriving >= in.endpointPlaces(), func(o *visit) bool { return o.ep == v.ep }},
		{len(in.arriving) >= in.places, func(*visit) bool { return true }},
	} {
		if share.full && !in.drop(in.slowest(share.of)) {
			return errBusy
		}
	}
	v.place = true
	in.arriving = append(in.arriving, v)
	in.clients[v.client]++
	v.ep.arriving++
	return nil
}

// endArrival gives the place back.
func (v *visit) endArrival() {
	in := v.ep.d.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	in.freePlace(v)
}

func (in *intake) freePlace(v *visit) {
	if !v.place {
		return
	}
	v.place = false
	i, last := slices.Index(in.arriving, v), len(in.arriving)-1
	in.arriving[i], in.arriving[last] = in.arriving[last], nil
	in.arriving = in.arriving[:last]
	if in.clients[v.client]--; in.clients[v.client] == 0 {
		delete(in.clients, v.client)
	}
	v.ep.arriving--
}

// slowest returns the one of some arrivals whose time is up first.
func (in *intake) slowest(of func(*visit) bool) (found *visit) {
	for _, v := range in.arriving {
		if of(v) && (found == nil || v.due.Load() < found.due.Load()) {
			found = v
		}
	}
	return found
}

// drop ends an arrival and reports whether it could: it cannot if the
// ResponseWriter has no deadlines.
func (in *intake) drop(v *visit) bool {
	if v == nil {
		return true // an earlier share has made room
	}
	if v.control.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	v.dropped = true
	in.freePlace(v)
	return true
}

// progress gives the body time for what has arrived of it.
func (v *visit) progress(received int64) {
	v.received.Store(received)
	limits := &v.ep.limits
	earned := slowStart + time.Duration(float64(received)/float64(limits.BodyRate)*float64(time.Second))
	due := v.begin.Add(min(earned, limits.BodyTime))
	if due.UnixNano()-v.due.Load() < int64(time.Second) {
		return
	}
	in := v.ep.d.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if !v.dropped {
		v.due.Store(due.UnixNano())
		_ = v.control.SetReadDeadline(due)
	}
}

// waitForMemory takes the memory for a body of a size. The visit holds none before,
// so that no two visits wait for each other.
func (v *visit) waitForMemory(size int64) error {
	in := v.ep.d.intake
	in.mu.Lock()
	v.expect, v.want, v.granted = size, min(bodyCost*size, in.memory), make(chan struct{})
	if v.proved {
		in.waiting = slices.Insert(in.waiting, 0, v)
	} else {
		in.waiting = append(in.waiting, v)
	}
	in.grant()
	in.mu.Unlock()
	select {
	case <-v.granted:
		return nil
	default:
	}

	late := time.NewTimer(memoryWait)
	defer late.Stop()
	tick := time.NewTicker(leniency)
	defer tick.Stop()
	for {
		select {
		case <-v.granted:
			v.begin = time.Now() // the body could not be read meanwhile
			v.due.Store(0)
			v.progress(v.received.Load())
			return nil
		case now := <-tick.C:
			in.mu.Lock()
			in.dropContested(now)
			in.mu.Unlock()
			continue
		case <-v.ctx.Done():
		case <-late.C:
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		if i := slices.Index(in.waiting, v); i >= 0 {
			in.waiting = slices.Delete(in.waiting, i, i+1)
			in.grant() // the next one may need less
		}
		return errMemory // leave gives back what was granted just now
	}
}

// dropContested drops the bodies whose memory others wait for, if they are too slow
// to be complete in time.
func (in *intake) dropContested(now time.Time) {
	for _, v := range slices.Clone(in.arriving) {
		held := now.Sub(v.since)
		if v.bytes > 0 && held > leniency && float64(v.received.Load()) < float64(v.expect)*float64(held)/float64(contested) {
			in.drop(v)
		}
	}
}

// grant gives memory to those that wait, in order. The unproved bodies of one
// endpoint take at most their share, so that the others do not wait for them.
func (in *intake) grant() {
	kept := in.waiting[:0]
	for i, v := range in.waiting {
		if in.used+v.want > in.memory {
			kept = append(kept, in.waiting[i:]...)
			break
		}
		if !v.proved && v.ep.bytes > 0 && v.ep.bytes+v.want > in.endpointBytes() {
			kept = append(kept, v)
			continue
		}
		in.settle(v, v.want)
		v.since = time.Now()
		close(v.granted)
	}
	clear(in.waiting[len(kept):])
	in.waiting = kept
}

// addMemory takes the memory for size bytes more, or none if there is not enough.
func (v *visit) addMemory(size int64) error {
	in := v.ep.d.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.used+bodyCost*size > in.memory {
		return errMemory
	}
	in.settle(v, v.bytes+bodyCost*size)
	return nil
}

// settleMemory gives back what a body of a size does not need.
func (v *visit) settleMemory(size int64) {
	in := v.ep.d.intake
	if v.granted == nil && v.bytes == 0 {
		return // it never had any
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.settle(v, min(v.bytes, bodyCost*size))
	in.grant()
}

// settle changes what a visit holds.
func (in *intake) settle(v *visit, bytes int64) {
	more := bytes - v.bytes
	v.bytes = bytes
	in.used += more
	if !v.proved {
		v.ep.bytes += more
	}
}

// beginInflating waits until a large body may be decompressed.
func (in *intake) beginInflating(ctx context.Context) error {
	if !in.inLine.add() {
		return errInflating
	}
	select {
	case in.inflating <- struct{}{}:
		return nil
	case <-ctx.Done():
		in.inLine.remove()
		return errInflating
	}
}

func (in *intake) endInflating() {
	<-in.inflating
	in.inLine.remove()
}
