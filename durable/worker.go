package durable

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/goanymail/anymail"
)

// deliverer runs one receiver on one event.
type deliverer struct {
	river.WorkerDefaults[delivery]
	q *Queue
}

// snoozeTime is how long a job waits that was fetched just before its receiver
// was disconnected.
const snoozeTime = 15 * time.Second

// Work implements [river.Worker].
func (w *deliverer) Work(ctx context.Context, job *river.Job[delivery]) error {
	ev, err := w.q.event(ctx, job.Args)
	if err != nil {
		return attemptError{err}
	}
	t := &transaction{q: w.q, attempt: attempt{job.ID, job.Attempt}}
	defer t.rollback(ctx)
	ctx, end := w.callHooks(context.WithValue(ctx, transactionKey{}, t), job.Args.Receiver, ev)
	err = w.call(ctx, job.Args.Receiver, ev)
	if err == nil {
		err = t.commit(ctx)
	}
	end(err)

	failed := error(attemptError{err})
	var permanent permanentError
	var panicked *anymail.PanicError
	switch {
	case err == nil:
		if t.begun() || w.q.completions.store(ctx, job.Args.Receiver, t.attempt) {
			return storedError{}
		}
		return nil
	case errors.Is(err, anymail.ErrUnavailable) && !errors.Is(err, anymail.ErrReceiver):
		return river.JobSnooze(snoozeTime) // not connected in this process, or no longer
	case errors.As(err, &permanent):
		failed = river.JobCancel(failed)
	case errors.As(err, &panicked):
		w.q.settings.logger.ErrorContext(ctx, "durable: receiver panicked", "receiver", job.Args.Receiver, "job", job.ID, "stack", string(panicked.Stack))
	}
	w.q.settings.logger.WarnContext(ctx, "durable: receiver failed", "receiver", job.Args.Receiver, "job", job.ID,
		"key", job.Args.Key, "attempt", job.Attempt, "of", job.MaxAttempts, "error", attemptError{err}.Error())
	return failed
}

// call runs a receiver in a goroutine of its own. A receiver that ends its
// goroutine (runtime.Goexit, which a test's FailNow calls) would end River's,
// and River would wait for the job forever. Instead, it has failed.
func (w *deliverer) call(ctx context.Context, receiver string, ev anymail.Event) error {
	result := make(chan error, 1)
	go func() {
		base := ev.Base()
		err := error(&anymail.ReceiverError{Receiver: receiver, ESP: base.ESP, Type: base.Type, Key: base.Key, Err: errGoexit})
		defer func() { result <- err }()
		err = w.q.signals.Call(ctx, receiver, ev)
	}()
	return <-result
}

var errGoexit = errors.New("the receiver ended its goroutine")

// callHooks calls the Receiver hooks, and returns the function that ends them.
func (w *deliverer) callHooks(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
	var ends []func(error)
	for _, hooks := range w.q.settings.hooks {
		if hooks.Receiver == nil {
			continue
		}
		w.recoverHook(ctx, func() {
			var end func(error)
			if ctx, end = hooks.Receiver(ctx, receiver, ev); end != nil {
				ends = append(ends, end)
			}
		})
	}
	return ctx, func(err error) {
		for i := len(ends) - 1; i >= 0; i-- {
			w.recoverHook(ctx, func() { ends[i](err) })
		}
	}
}

// recoverHook calls a hook and logs its panic. Hooks only observe: their panics
// must not make a receiver repeat work that it has done.
func (w *deliverer) recoverHook(ctx context.Context, hook func()) {
	defer func() {
		if v := recover(); v != nil {
			w.q.settings.logger.ErrorContext(ctx, "durable: a hook panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	hook()
}

// event returns the event of a job.
func (q *Queue) event(ctx context.Context, d delivery) (anymail.Event, error) {
	encoded := d.Event
	if d.Content != "" {
		if err := q.db.QueryRowContext(ctx, "SELECT event FROM anymail_content WHERE id = $1", d.Content).Scan(&encoded); err != nil {
			return nil, fmt.Errorf("durable: content of event %s: %w", d.Key, err)
		}
	}
	return anymail.DecodeEvent(encoded)
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
