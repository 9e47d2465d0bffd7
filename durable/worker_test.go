package durable_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func TestHooks(t *testing.T) {
	t.Parallel()
	var signals anymail.Signals
	var calls counter
	connect(t, &signals, "crm", calls.receive)
	seen := make(chan string, 10)
	hooks := func(name string) anymail.Hooks {
		return anymail.Hooks{Receiver: func(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
			seen <- name + " begins " + receiver
			return ctx, func(err error) {
				seen <- fmt.Sprint(name, " ends ", err)
				panic("the end of a hook panics")
			}
		}}
	}
	q := database{kind: "sqlite", dsn: ":memory:"}.open(t, &signals, durable.WithHooks(hooks("outer")), durable.WithHooks(anymail.Hooks{}), durable.WithHooks(hooks("inner")),
		durable.WithHooks(anymail.Hooks{Receiver: func(context.Context, string, anymail.Event) (context.Context, func(error)) {
			panic("a hook panics")
		}}))
	start(t, q)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 1)))
	settle(t, q)
	var got []string
	for range 4 {
		got = append(got, <-seen)
	}
	require.Empty(t, cmp.Diff([]string{"outer begins crm", "inner begins crm", "inner ends <nil>", "outer ends <nil>"}, got))
	require.Empty(t, cmp.Diff(once("e", 1), calls.all()))
}

// A job of a slow receiver does not keep its events: a process hands back those that
// it has not begun, which is not an attempt.
func TestSlowJobIsHandedBack(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "crm", func(ctx context.Context, ev *anymail.TrackingEvent) error {
			time.Sleep(20 * time.Millisecond)
			return calls.receive(ctx, ev)
		})
		// It begins no event after 50 milliseconds.
		q := db.open(t, &signals, durable.WithWorkers(1), durable.WithTimeout(20*time.Second), durable.Quick(20*time.Second+100*time.Millisecond))
		require.NoError(t, q.Enqueue(t.Context(), events("e", 10)))
		start(t, q)
		settle(t, q)
		require.Empty(t, cmp.Diff(once("e", 10), calls.all()))
		done, err := q.List(t.Context(), durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Len(t, done, 1)
		require.Equal(t, 10, done[0].Events)
		require.Equal(t, 1, done[0].Attempts)
	})
}

// A receiver that ends its goroutine has failed. It keeps none of the workers,
// and Stop does not wait for it.
func TestGoexitIsAFailure(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		const exits = 20 // more than there are workers
		var signals anymail.Signals
		var calls counter
		var exited atomic.Int64
		connect(t, &signals, "crm", func(ctx context.Context, ev *anymail.TrackingEvent) error {
			tx, err := durable.Tx(ctx)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO effects (key) VALUES ($1)", ev.Key); err != nil {
				return err
			}
			if exited.Add(1) <= exits {
				runtime.Goexit()
			}
			calls.add(ev.Key)
			return nil
		})
		q := db.open(t, &signals, durable.WithMaxAttempts(2*exits), durable.WithBackoff(soon))
		_, err := q.DB().ExecContext(t.Context(), "CREATE TABLE effects (key text NOT NULL)")
		require.NoError(t, err)
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", exits)))
		settle(t, q)
		require.Empty(t, cmp.Diff(once("e", exits), calls.all()))
		require.Empty(t, cmp.Diff(once("e", exits), effects(t, q)), "what a failed attempt wrote is rolled back")
		jobs, err := q.List(t.Context(), durable.Filter{State: durable.Done})
		require.NoError(t, err)
		failures := 0
		for _, job := range jobs {
			for _, failure := range job.Errors {
				require.Contains(t, failure.Error, `receiver "crm"`)
				require.Contains(t, failure.Error, "ended its goroutine")
				failures++
			}
		}
		require.Equal(t, exits, failures)

		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		require.NoError(t, q.Shutdown(ctx))
	})
}
