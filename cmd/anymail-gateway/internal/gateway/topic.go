package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/propagation"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/internal/cloudevent"
)

// topic publishes to a broker. It connects with the first event, and after a
// failure with the next one.
type topic struct {
	Sink

	mu     sync.Mutex
	last   *connecting // the last attempt; nil for none
	closed bool
}

// connecting is an attempt to connect, for which all callers wait.
type connecting struct {
	done   chan struct{}
	broker broker
	err    error
}

// broker is a connection.
type broker interface {
	// publish returns nil when the broker has the message.
	publish(ctx context.Context, m *message) error
	// check returns nil if the broker answers before the deadline of ctx and would
	// accept a message.
	check(ctx context.Context) error
	// lost reports whether the connection has ended for good. The others reconnect.
	lost() bool
	Close() error
}

// message is an event as brokers get it.
type message struct {
	event anymail.Event
	body  []byte            // the JSON form
	trace map[string]string // headers that name the trace
}

// attributes returns the headers of a message: its attributes as a CloudEvent, with
// the prefix of the broker's binding, and the trace.
//
// Source: https://github.com/cloudevents/spec/tree/main/cloudevents/bindings
func (m *message) attributes(prefix string) []cloudevent.Attribute {
	list := cloudevent.Attributes(m.event)
	for i := range list {
		list[i].Name = prefix + list[i].Name
	}
	for name, value := range m.trace {
		list = append(list, cloudevent.Attribute{Name: name, Value: value})
	}
	return list
}

func (t *topic) deliver(ctx context.Context, ev anymail.Event) error {
	body, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	m := &message{ev, body, map[string]string{}}
	propagation.TraceContext{}.Inject(ctx, propagation.MapCarrier(m.trace))
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	b, err := t.connected(ctx)
	if err == nil {
		err = b.publish(ctx, m)
	}
	var large tooLargeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return durable.Permanent(fmt.Errorf("%s: the event has %d bytes: %w", t.Type, len(body), err))
	}
	return anymail.Because(anymail.ErrUnavailable, "broker", fmt.Errorf("%s: %w", t.Type, err))
}

// tooLargeError is the error about a message that the broker never takes.
type tooLargeError struct{ error }

func (e tooLargeError) Unwrap() error { return e.error }

// Check implements sink.
func (t *topic) Check(ctx context.Context) error {
	b, err := t.connected(ctx)
	if err != nil {
		return err
	}
	return b.check(ctx)
}

// connected waits until ctx is done, though not every client accepts a context:
// the attempt goes on for later callers.
func (t *topic) connected(ctx context.Context) (broker, error) {
	attempt, err := t.attempt()
	if err != nil {
		return nil, err
	}
	select {
	case <-attempt.done:
		return attempt.broker, attempt.err
	case <-ctx.Done():
		return nil, fmt.Errorf("connect: %w", ctx.Err())
	}
}

// attempt returns the last attempt, or a new one if that has failed or its
// connection is lost.
func (t *topic) attempt() (*connecting, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errors.New("closed")
	}
	if t.last != nil {
		select {
		case <-t.last.done:
			if t.last.err == nil && !t.last.broker.lost() {
				return t.last, nil
			}
		default:
			return t.last, nil
		}
	}
	attempt := &connecting{done: make(chan struct{})}
	t.last = attempt
	go func() {
		defer close(attempt.done)
		attempt.broker, attempt.err = brokers[t.Type](t.Sink)
	}()
	return attempt, nil
}

func (t *topic) Close() error {
	t.mu.Lock()
	attempt := t.last
	t.closed = true
	t.mu.Unlock()
	if attempt == nil {
		return nil
	}
	<-attempt.done
	if attempt.err == nil {
		return attempt.broker.Close()
	}
	return nil
}

// brokers are the functions that connect.
var brokers = map[string]func(Sink) (broker, error){
	sinkNATS:  newNATS,
	sinkKafka: newKafka,
	sinkRedis: newRedis,
	sinkAMQP:  newAMQP,
}
