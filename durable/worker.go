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

// absentWait is after which time a job is looked at again that was fetched just
// before its receiver was disconnected.
const absentWait = 15 * time.Second

// Work implements [river.Worker].
func (w *deliverer) Work(ctx context.Context, job *river.Job[delivery]) error {
	ev, err := w.q.event(ctx, job.Args)
	if err != nil {
		return attemptError{err}
	}
	t := &transaction{q: w.q, job: job.ID, attempt: job.Attempt}
	defer t.rollback(ctx)
	ctx, end := w.begin(context.WithValue(ctx, transactionKey{}, t), job.Args.Receiver, ev)
	err = w.q.signals.Call(ctx, job.Args.Receiver, ev)
	if err == nil {
		err = t.commit(ctx)
	}
	end(err)

	var permanent permanentError
	var panicked *anymail.PanicError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, anymail.ErrUnavailable) && !errors.Is(err, anymail.ErrReceiver):
		return river.JobSnooze(absentWait) // not connected here, or not any more
	case errors.As(err, &permanent):
		return river.JobCancel(attemptError{err})
	case errors.As(err, &panicked):
		w.q.settings.logger.ErrorContext(ctx, "durable: receiver panicked", "receiver", job.Args.Receiver, "job", job.ID, "stack", string(panicked.Stack))
	}
	w.q.settings.logger.WarnContext(ctx, "durable: receiver failed", "receiver", job.Args.Receiver, "job", job.ID,
		"key", job.Args.Key, "attempt", job.Attempt, "of", job.MaxAttempts, "error", attemptError{err}.Error())
	return attemptError{err}
}

// begin calls the Receiver hooks.
func (w *deliverer) begin(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
	var ends []func(error)
	for _, hooks := range w.q.settings.hooks {
		if hooks.Receiver == nil {
			continue
		}
		w.shielded(ctx, func() {
			var end func(error)
			if ctx, end = hooks.Receiver(ctx, receiver, ev); end != nil {
				ends = append(ends, end)
			}
		})
	}
	return ctx, func(err error) {
		for i := len(ends) - 1; i >= 0; i-- {
			w.shielded(ctx, func() { ends[i](err) })
		}
	}
}

// shielded runs a hook. Hooks observe: one that panics is logged, and does not
// make a receiver that has done its work do it again.
func (w *deliverer) shielded(ctx context.Context, hook func()) {
	defer func() {
		if v := recover(); v != nil {
			w.q.settings.logger.ErrorContext(ctx, "durable: a hook panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	hook()
}

// event returns the event that a job is about.
func (q *Queue) event(ctx context.Context, d delivery) (anymail.Event, error) {
	encoded := d.Event
	if d.Content != "" {
		if err := q.db.QueryRowContext(ctx, "SELECT event FROM anymail_content WHERE id = $1", d.Content).Scan(&encoded); err != nil {
			return nil, fmt.Errorf("durable: content of event %s: %w", d.Key, err)
		}
	}
	return anymail.DecodeEvent(encoded)
}

// Permanent wraps an error that no further attempt can mend: returned by a
// receiver, it makes the event a dead letter at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// attemptError is an error whose text can be stored with its job. A receiver's
// error may quote anything, and PostgreSQL refuses a NUL in jsonb: with it the
// outcome of the attempt, and of other jobs that are stored along with it,
// would be refused.
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
