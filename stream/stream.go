// Package stream carries normalized events over a message broker, by way of
// Watermill: NATS JetStream, Kafka, AMQP, Redis Streams, Google Pub/Sub and
// whatever else has a Watermill publisher.
//
// On one side a [Publisher] is a Dispatcher's queue: the ESP is answered when
// the broker has the events. On the other side [Consume] feeds the receivers
// of a process that has no HTTP server. Delivery is at least once; an
// idempotency store on the consumers' side keeps receivers from running twice.
//
// A message's payload is the event's JSON form, its UUID the event's key, and
// its metadata the CloudEvents attributes of the binary content mode.
package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/goanymail/anymail"
)

// Publisher is an [anymail.Queue] that publishes each event as one message.
type Publisher struct {
	publisher message.Publisher
	topic     func(anymail.Event) string
	prefix    string
}

// PublisherOption changes a setting of a Publisher.
type PublisherOption func(*Publisher)

// TopicFunc chooses the topic by the event, instead of one topic for all.
func TopicFunc(topic func(anymail.Event) string) PublisherOption {
	return func(p *Publisher) { p.topic = topic }
}

// AttributePrefix is what stands before the names of CloudEvents attributes.
// It is "ce-" by default, as for NATS and HTTP; Kafka's binding has "ce_" and
// AMQP's "cloudEvents:".
func AttributePrefix(prefix string) PublisherOption {
	return func(p *Publisher) { p.prefix = prefix }
}

// NewPublisher returns a Publisher to one topic. Set the broker's client to
// wait until the broker has stored a message (for AMQP ConfirmDelivery, which
// is off by default): the ESP is told that the events are safe.
func NewPublisher(publisher message.Publisher, topic string, options ...PublisherOption) *Publisher {
	p := &Publisher{publisher: publisher, topic: func(anymail.Event) string { return topic }, prefix: "ce-"}
	for _, option := range options {
		option(p)
	}
	return p
}

// Enqueue implements [anymail.Queue]. It publishes the events one after the
// other. Where that fails half-way, the ESP delivers all of them again, and
// those that were published reach the consumers twice.
func (p *Publisher) Enqueue(ctx context.Context, events []anymail.Event) error {
	for _, ev := range events {
		if err := ctx.Err(); err != nil {
			return anymail.Because(anymail.ErrUnavailable, "out of time", err)
		}
		msg, err := p.message(ctx, ev)
		if err != nil {
			return err
		}
		if err := p.publisher.Publish(p.topic(ev), msg); err != nil {
			return anymail.Because(anymail.ErrUnavailable, "broker", err)
		}
	}
	return nil
}

func (p *Publisher) message(ctx context.Context, ev anymail.Event) (*message.Message, error) {
	payload, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	base := ev.Base()
	msg := message.NewMessage(base.Key, payload)
	msg.SetContext(ctx)
	set := func(name, value string) { msg.Metadata.Set(p.prefix+name, value) }
	set("specversion", "1.0")
	set("id", base.Key)
	set("source", "/anymail/"+base.ESP)
	set("type", "anymail."+string(ev.Kind())+"."+string(base.Type))
	if !base.Timestamp.IsZero() {
		set("time", base.Timestamp.Format(time.RFC3339Nano))
	}
	msg.Metadata.Set("content-type", "application/json")
	return msg, nil
}

// Decode reads the event out of a message. It returns an error that is
// [anymail.ErrMalformed] where there is none in it.
func Decode(msg *message.Message) (anymail.Event, error) {
	return anymail.DecodeEvent(msg.Payload)
}

// Consumer feeds receivers from a topic. Its zero value is ready to use.
type Consumer struct {
	// Signals are what the receivers are connected to; it must be set.
	Signals *anymail.Signals
	// Store remembers what was done. If nil, this process remembers it; use
	// one on a database where several processes consume the same topic.
	Store anymail.IdempotencyStore
	// Poison takes a message that is no event. If it returns nil the message
	// is done with. If Poison is nil the message is given back to the broker,
	// which may hold up those behind it but loses nothing.
	Poison func(context.Context, *message.Message, error) error
	// Backoff is how long to wait before a message is given back; 1 second if
	// zero.
	Backoff time.Duration
	// Timeout bounds the receivers of one event; 60 seconds if zero.
	Timeout time.Duration
	// Logger is [slog.Default] if nil.
	Logger *slog.Logger
}

// Consume runs until ctx is done or the subscriber is closed; then it returns
// nil. It handles one message after the other; call it several times, or let
// the broker share the topic among several processes, for more. A message is
// acknowledged when every receiver is done with its event, and given back
// where one failed, so that the broker delivers it again.
func (c Consumer) Consume(ctx context.Context, subscriber message.Subscriber, topic string) error {
	if c.Signals == nil {
		return fmt.Errorf("stream: %w: a consumer needs Signals", anymail.ErrConfig)
	}
	if c.Store == nil {
		c.Store = anymail.NewMemoryStore(0)
	}
	if c.Backoff <= 0 {
		c.Backoff = time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	messages, err := subscriber.Subscribe(ctx, topic)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	for msg := range messages {
		err := c.handle(ctx, msg)
		if err == nil {
			msg.Ack()
			continue
		}
		if !errors.Is(err, context.Canceled) {
			c.Logger.WarnContext(ctx, "anymail: message given back", slog.String("topic", topic), slog.String("key", msg.UUID), slog.String("error", err.Error()))
			select {
			case <-time.After(c.Backoff):
			case <-ctx.Done():
			}
		}
		msg.Nack()
	}
	return nil
}

func (c Consumer) handle(ctx context.Context, msg *message.Message) error {
	ev, err := Decode(msg)
	if err != nil {
		if c.Poison != nil {
			return c.Poison(ctx, msg, err)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return c.Signals.Deliver(ctx, c.Store, ev)
}
