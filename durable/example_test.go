package durable_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

var quiet = durable.WithLogger(slog.New(slog.DiscardHandler))

// With one option the receiver runs after the answer, until it succeeds.
func Example() {
	ctx := context.Background()
	d, err := anymail.New(durable.SQLite(ctx, ":memory:", quiet)) // or a file, or Postgres with a URL
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	err = d.Tracking.Connect("crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Recipient, ev.Type)
		close(done)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Register an adapter and serve d. For each request the Dispatcher calls
	// Enqueue:
	err = d.Queue().Enqueue(ctx, []anymail.Event{&anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "mailgun", Type: anymail.EventBounced, Key: "mailgun:1"},
		Recipient: "ada@example.com",
	}})
	if err != nil {
		fmt.Println(err) // the Dispatcher answers 503
		return
	}
	<-done

	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := d.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: ada@example.com bounced
}

// OpenSQLite is for a process that only runs receivers, without a Dispatcher.
func ExampleOpenSQLite() {
	ctx := context.Background()
	var signals anymail.Signals
	done := make(chan string)
	err := signals.Tracking.Connect("crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
		done <- ev.Recipient
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, err := durable.OpenSQLite(ctx, ":memory:", &signals, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	if err := q.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	// Another process has the Dispatcher, which enqueues events.
	_ = q.Enqueue(ctx, []anymail.Event{&anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "mailgun", Type: anymail.EventBounced, Key: "mailgun:1"},
		Recipient: "ada@example.com",
	}})
	fmt.Println(<-done)
	if err := q.Stop(ctx); err != nil { // waits for running receivers
		fmt.Println(err)
	}
	// Output: ada@example.com
}

func ExampleTx() {
	var signals anymail.Signals
	err := signals.Tracking.Connect("crm", func(ctx context.Context, ev *anymail.TrackingEvent) error {
		tx, err := durable.Tx(ctx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE contacts SET bounced = $1 WHERE email = $2", ev.Type == anymail.EventBounced, ev.Recipient)
		return err // nil commits the update and the job's completion together
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleQueue_RetryAll() {
	ctx := context.Background()
	var signals anymail.Signals
	repaired := make(chan bool, 10)
	attempts := 0
	_ = signals.Tracking.Connect("crm", func(context.Context, *anymail.TrackingEvent) error {
		if attempts++; attempts == 1 {
			return durable.Permanent(errors.New("no such contact"))
		}
		repaired <- true
		return nil
	})
	q, err := durable.OpenSQLite(ctx, ":memory:", &signals, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	if err := q.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	_ = q.Enqueue(ctx, []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{ESP: "mailgun", Type: anymail.EventBounced, Key: "mailgun:1"}}})

	var dead []durable.Job
	for len(dead) == 0 {
		time.Sleep(10 * time.Millisecond)
		if dead, err = q.List(ctx, durable.Filter{}); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(dead[0].Receiver, dead[0].Key, dead[0].Errors[0].Error)
	n, err := q.RetryAll(ctx, durable.Filter{Receiver: "crm"})
	fmt.Println(n, err, <-repaired)
	// Output:
	// crm mailgun:1 receiver "crm" on mailgun bounced event mailgun:1: no such contact
	// 1 <nil> true
}
