package durable

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/goanymail/anymail"
)

// deliverer runs one receiver on the events of a job.
type deliverer struct {
	river.WorkerDefaults[delivery]
	q *Queue
}

// snoozeTime is how long a job waits that was fetched just before its receiver
// was disconnected.
const snoozeTime = 15 * time.Second

// maxSharedAttempts is how often a job with several events may be taken. Its second
// attempt only separates the events, and each of them has the attempts of
// [WithMaxAttempts] then.
const maxSharedAttempts = 10_000

// Timeout implements [river.Worker]. A job begins no event when half of the time
// is over between the timeout of an event and that after which its process is
// presumed dead.
func (w *deliverer) Timeout(*river.Job[delivery]) time.Duration {
	return w.q.settings.timeout + w.q.settings.beginWithin()
}

func (s settings) beginWithin() time.Duration { return (s.rescueAfter - s.timeout) / 2 }

// lane bounds the work of one receiver in this process.
type lane struct {
	turn     chan struct{} // has an element while a job begins its events
	running  chan struct{} // has an element for each event that runs
	unstored chan struct{} // and one until its outcome is stored
}

func (q *Queue) lane(receiver string) *lane {
	q.lanesMu.Lock()
	defer q.lanesMu.Unlock()
	l := q.lanes[receiver]
	if l == nil {
		workers := q.settings.workers
		l = &lane{make(chan struct{}, 1), make(chan struct{}, workers), make(chan struct{}, max(workers, q.settings.maxRepeats))}
		q.lanes[receiver] = l
	}
	return l
}

// enter waits for a place for an event. It returns false if end or ctx is done
// first.
func (l *lane) enter(ctx context.Context, end <-chan struct{}) bool {
	if !enter(ctx, l.unstored, end) {
		return false
	}
	if !enter(ctx, l.running, end) {
		<-l.unstored
		return false
	}
	return true
}

func enter(ctx context.Context, places chan<- struct{}, end <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-end:
		return false
	default:
	}
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	case <-end:
		return false
	}
}

// run is an attempt of a job.
type run struct {
	jobAttempt
	q        *Queue
	row      *rivertype.JobRow
	receiver string
	alone    bool   // the job has one event: River keeps its attempts
	open     uint64 // the events that are left
	events   [][]byte
	hashes   []byte // of all events of the batch
	keys     []byte // those without events that have become jobs of their own

	storing sync.WaitGroup // outcomes that are not stored

	mu  sync.Mutex
	err error // what River is told, instead of outcomes
}

// load reads the events of a job.
func (q *Queue) load(ctx context.Context, job *rivertype.JobRow, d delivery) (*run, error) {
	r := &run{jobAttempt: jobAttempt{job.ID, job.Attempt}, q: q, row: job, receiver: d.Receiver, alone: d.Events <= 1}
	var open int64
	var batch []byte
	var row *sql.Row
	if prepared := q.prepared[q.queries.load]; prepared != nil {
		row = prepared.QueryRowContext(ctx, job.ID)
	} else {
		row = q.db.QueryRowContext(ctx, q.queries.load, job.ID)
	}
	err := row.Scan(&open, &r.hashes, &batch)
	if err == nil && open != 0 {
		r.events, err = unpack(batch)
	}
	if err != nil {
		return nil, fmt.Errorf("durable: events of job %d: %w", job.ID, err)
	}
	r.open, r.keys = uint64(open), slices.Clone(r.hashes) //nolint:gosec // the same bits
	if have := len(r.events); bits.Len64(r.open) > min(have, len(r.hashes)/hashSize) {
		return nil, fmt.Errorf("durable: job %d has %d events", job.ID, have)
	}
	return r, nil
}

// left yields the places of the events that are left.
func (r *run) left() iter.Seq[int] {
	return func(yield func(int) bool) {
		for open := r.open; open != 0; open &= open - 1 {
			if !yield(bits.TrailingZeros64(open)) {
				return
			}
		}
	}
}

// keyOf returns the key of an event, or its hash if the event cannot be decoded.
func (r *run) keyOf(event int) string {
	ev, err := anymail.DecodeEvent(r.events[event])
	if err != nil {
		return hex.EncodeToString(r.hashes[event*hashSize:][:hashSize])
	}
	return keyText(ev.Base())
}

// Work implements [river.Worker].
func (w *deliverer) Work(ctx context.Context, job *river.Job[delivery]) error {
	q := w.q
	r, err := q.load(ctx, job.JobRow, job.Args)
	switch {
	case err != nil:
		return attemptError{err}
	case r.open == 0:
		return nil // an attempt that was presumed dead has done the rest
	case job.Attempt > 1 && !r.alone:
		// The process may have died of one of the events.
		for event := range r.left() {
			r.store(outcome{run: r, event: event, separate: r.newSeparate(event, job.Attempt-1, job.Errors)})
		}
		return r.wait(ctx)
	}
	released := r.deliverAll(ctx)
	if err := r.wait(ctx); r.err != nil || !released {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err() // River knows that it has stopped the job
	}
	r.store(outcome{run: r, release: true})
	return r.wait(ctx)
}

// deliverAll runs the receiver on the events, as many at once as its lane has places
// for. It reports whether some have not begun. One job begins all its events before
// the next begins any: then each transaction stores many outcomes of few jobs.
func (r *run) deliverAll(ctx context.Context) (released bool) {
	end, cancel := context.WithTimeout(r.q.beginning, r.q.settings.beginWithin())
	defer cancel()
	lane := r.q.lane(r.receiver)
	if !enter(ctx, lane.turn, end.Done()) {
		return true
	}
	var running sync.WaitGroup
	for event := range r.left() {
		if !lane.enter(ctx, end.Done()) {
			released = true
			break
		}
		running.Go(func() { r.deliver(ctx, lane, event) })
	}
	<-lane.turn
	running.Wait()
	return released
}

func (r *run) store(o outcome) {
	r.storing.Add(1)
	r.q.outcomes.add(o)
}

// storeGrace is how long outcomes may take to be stored after their job was
// cancelled. Later, they are stored if no other attempt has begun.
const storeGrace = 2 * time.Second

// wait waits until the outcomes are stored, and returns the result for River.
func (r *run) wait(ctx context.Context) error {
	stored := make(chan struct{})
	go func() {
		r.storing.Wait()
		close(stored)
	}()
	select {
	case <-stored:
	case <-ctx.Done():
		select {
		case <-stored:
		case <-time.After(storeGrace):
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return storedError{}
}

// fail makes err the result of the job.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// deliver runs the receiver on an event, and passes on the outcome.
func (r *run) deliver(ctx context.Context, lane *lane, event int) {
	committed, err := r.call(ctx, event)
	<-lane.running
	o := outcome{run: r, event: event, lane: lane}
	var permanent permanentError
	var panicked *anymail.PanicError
	switch {
	case err == nil && !committed:
		r.store(o)
		return
	case err == nil:
	case errors.Is(err, anymail.ErrUnavailable) && !errors.Is(err, anymail.ErrReceiver):
		r.fail(river.JobSnooze(snoozeTime)) // not connected in this process, or no longer
	case !r.alone && ctx.Err() != nil:
		r.fail(ctx.Err())
	default:
		logger := r.q.settings.logger
		if errors.As(err, &panicked) {
			logger.ErrorContext(ctx, "durable: receiver panicked", "receiver", r.receiver, "job", r.id, "stack", string(panicked.Stack))
		}
		failure := attemptError{err}
		logger.WarnContext(ctx, "durable: receiver failed", "receiver", r.receiver, "job", r.id,
			"key", r.keyOf(event), "attempt", r.attempt, "of", r.q.settings.maxAttempts, "error", failure.Error())
		isPermanent := errors.As(err, &permanent)
		switch {
		case r.alone && isPermanent:
			r.fail(river.JobCancel(failure))
		case r.alone:
			r.fail(failure)
		case !errors.Is(err, errSuperseded):
			o.separate = r.newSeparate(event, r.attempt, []rivertype.AttemptError{{At: time.Now(), Attempt: r.attempt, Error: failure.Error()}})
			if o.separate.FinalizedAt == nil {
				next := retryPolicy(r.q.settings.backoff).NextRetry(&rivertype.JobRow{AttemptedAt: r.row.AttemptedAt})
				o.separate.ScheduledAt, o.separate.State = &next, rivertype.JobStateRetryable
				if time.Until(next) < retryableAfter {
					o.separate.State = rivertype.JobStateAvailable
				}
			}
			if isPermanent {
				o.separate.State, o.separate.FinalizedAt = rivertype.JobStateCancelled, new(time.Now())
			}
			r.store(o)
			return
		}
	}
	<-lane.unstored
}

// retryableAfter is how late a job is due that River's scheduler makes available:
// more than the interval in which it looks for such jobs.
const retryableAfter = 5 * time.Second

// call runs the receiver on an event, within the timeout and with the hooks. It
// reports whether the outcome is stored already: with the receiver's transaction.
func (r *run) call(ctx context.Context, event int) (committed bool, err error) {
	ev, err := anymail.DecodeEvent(r.events[event])
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.q.settings.timeout)
	defer cancel()
	t := &transaction{q: r.q, progress: progress{jobAttempt: r.jobAttempt, bits: 1 << event}}
	defer t.rollback(ctx)
	ctx, end := r.q.callHooks(context.WithValue(ctx, transactionKey{}, t), r.receiver, ev)
	err = r.q.call(ctx, r.receiver, ev)
	if err == nil {
		err = t.commit(ctx)
	}
	end(err)
	return t.begun(), err
}

// call runs a receiver in a goroutine of its own. A receiver that ends its
// goroutine (runtime.Goexit, which a test's FailNow calls) would end that of the
// job, which would never be done. Instead, it has failed.
func (q *Queue) call(ctx context.Context, receiver string, ev anymail.Event) error {
	result := make(chan error, 1)
	go func() {
		base := ev.Base()
		err := error(&anymail.ReceiverError{Receiver: receiver, ESP: base.ESP, Type: base.Type, Key: base.Key, Err: errGoexit})
		defer func() { result <- err }()
		err = q.signals.Call(ctx, receiver, ev)
	}()
	return <-result
}

var errGoexit = errors.New("the receiver ended its goroutine")

// storedError is what a worker returns for a job whose state is already stored.
// River has these methods for workers that report several jobs at once; it then does
// nothing for jobs that are not among them. For a nil error it would store that the
// job is done. For any other error it would change nothing either, if the job is no
// longer running.
type storedError struct{}

func (storedError) Error() string               { return "durable: the state of the job is already stored" }
func (storedError) Jobs() []*rivertype.JobRow   { return nil }
func (storedError) ErrorsByID() map[int64]error { return nil }

// callHooks calls the Receiver hooks, and returns the function that ends them.
func (q *Queue) callHooks(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
	var ends []func(error)
	for _, hooks := range q.settings.hooks {
		if hooks.Receiver == nil {
			continue
		}
		q.recoverHook(ctx, func() {
			var end func(error)
			if ctx, end = hooks.Receiver(ctx, receiver, ev); end != nil {
				ends = append(ends, end)
			}
		})
	}
	return ctx, func(err error) {
		for i := len(ends) - 1; i >= 0; i-- {
			q.recoverHook(ctx, func() { ends[i](err) })
		}
	}
}

// recoverHook calls a hook and logs its panic. Hooks only observe: their panics
// must not make a receiver repeat work that it has done.
func (q *Queue) recoverHook(ctx context.Context, hook func()) {
	defer func() {
		if v := recover(); v != nil {
			q.settings.logger.ErrorContext(ctx, "durable: a hook panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	hook()
}

// Permanent wraps an error that no retry can fix: if a receiver returns it, the
// event is a dead letter immediately. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// attemptError is an error whose text can be stored with its job. A receiver's
// error may quote anything, and PostgreSQL refuses a NUL in jsonb. It would refuse
// the result of the attempt, and those of other jobs in the same statement.
type attemptError struct{ err error }

const maxErrorText = 4 << 10

func (e attemptError) Error() string {
	text := e.err.Error()
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "..."
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func (e attemptError) Unwrap() error { return e.err }
