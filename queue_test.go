package anymail_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// runningQueue runs what it is given at once, and notes what is done to it.
type runningQueue struct {
	host anymail.QueueHost
	told []string
	err  error
}

func (q *runningQueue) Enqueue(ctx context.Context, events []anymail.Event) error {
	q.told = append(q.told, "enqueue")
	_, end := q.host.Hooks.Receiver(ctx, "keep", events[0])
	err := q.host.Signals.Deliver(ctx, nil, events...)
	end(err)
	q.host.Logger.InfoContext(ctx, "the queue has run")
	return err
}

func (q *runningQueue) Shutdown(context.Context) error {
	q.told = append(q.told, "shutdown")
	return q.err
}

func (q *runningQueue) option() anymail.Option {
	return anymail.WithRunningQueue(func(host anymail.QueueHost) (anymail.RunningQueue, error) {
		q.host, q.told = host, append(q.told, "start")
		return q, nil
	})
}

func TestNewStartsItsQueueAndShutdownEndsIt(t *testing.T) {
	q := &runningQueue{err: errors.New("a receiver does not end")}
	var runs []string
	h := newHouse(t, newAcme("key"), q.option(), anymail.WithHooks(anymail.Hooks{
		Receiver: func(ctx context.Context, receiver string, _ anymail.Event) (context.Context, func(error)) {
			runs = append(runs, receiver)
			return ctx, func(error) { panic("a hook only observes") }
		},
	}))
	require.Same(t, q, h.Queue())
	require.Equal(t, http.StatusOK, h.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Len(t, h.take(), 1, "it has the Dispatcher's receivers")
	require.Equal(t, []string{"keep"}, runs, "and hooks")
	require.Contains(t, h.log.String(), "the queue has run")
	require.ErrorIs(t, h.Shutdown(t.Context()), q.err)
	require.Equal(t, []string{"start", "enqueue", "shutdown"}, q.told)
}

func TestWhoeverOpensAQueueClosesIt(t *testing.T) {
	q := &runningQueue{}
	d, err := anymail.New(anymail.WithQueue(q))
	require.NoError(t, err)
	require.Same(t, q, d.Queue())
	require.NoError(t, d.Shutdown(t.Context()))
	require.Empty(t, q.told)
}

func TestAQueueThatDoesNotStart(t *testing.T) {
	broken := errors.New("no database")
	_, err := anymail.New(anymail.WithRunningQueue(func(anymail.QueueHost) (anymail.RunningQueue, error) { return nil, broken }))
	require.ErrorIs(t, err, broken)
	_, err = anymail.New(anymail.WithRunningQueue(nil))
	require.ErrorIs(t, err, anymail.ErrConfig)

	q := &runningQueue{}
	_, err = anymail.New(q.option(), anymail.WithMaxInFlight(0))
	require.ErrorIs(t, err, anymail.ErrConfig)
	d, err := anymail.New(anymail.Insecure())
	require.NoError(t, err)
	require.ErrorIs(t, d.Register("acme", newAcme("key"), q.option()), anymail.ErrConfig, "it is for all adapters")
	require.Empty(t, q.told, "nothing is started that would not be stopped")
	require.Nil(t, d.Queue())
}

// A filter that panics costs its own receiver the event, and no other.
func TestAFilterThatPanicsInFrontOfAQueue(t *testing.T) {
	var s anymail.Signals
	calls := 0
	receive := func(context.Context, *anymail.TrackingEvent) error { calls++; return nil }
	require.NoError(t, s.Tracking.Connect("good", receive))
	require.NoError(t, s.Tracking.Connect("picky", receive, func(*anymail.Common) bool { panic("poison") }))
	ev := event("acme", anymail.EventSent, "k")
	require.Equal(t, []string{"good", "picky"}, s.Matching(ev))
	require.NoError(t, s.Call(t.Context(), "good", ev))
	var failed *anymail.ReceiverError
	require.ErrorAs(t, s.Call(t.Context(), "picky", ev), &failed)
	require.ErrorContains(t, failed, "poison")
	require.Equal(t, 1, calls)
}
