// Package stream carries normalized events over a message broker, by way of
// Watermill: NATS JetStream, Kafka, AMQP, Redis Streams, Google Pub/Sub and
// whatever else has a Watermill publisher. The broker's client is the user's.
//
// # Publishing
//
// A [Publisher] is a Dispatcher's queue: the ESP is answered when the broker
// has the events. What a broker's client needs for that promise:
//
//	NATS JetStream  watermill-nats with JetStream; TrackMsgId drops repeats
//	Kafka           watermill-kafka, with RequiredAcks WaitForAll;
//	                AttributePrefix("ce_")
//	AMQP            watermill-amqp, with ConfirmDelivery, which is off by default,
//	                and a queue that is bound; AttributePrefix("cloudEvents:")
//	Redis Streams   watermill-redisstream
//	Google Pub/Sub  watermill-googlecloud
//
// Anything else that has Publish and Close is a Watermill publisher too.
//
// # Messages
//
// A message's payload is the event's JSON form and its UUID the event's key. Its
// metadata are the attributes of a CloudEvent 1.0 in the binary content mode:
//
//	specversion  1.0
//	id           the event's key
//	source       /anymail/{esp}
//	type         anymail.{kind}.{event type}, such as anymail.tracking.bounced
//	time         when it happened, if the ESP says so
//
// together with content-type, application/json. The prefix of their names is
// the broker's, see [AttributePrefix].
//
// # Consuming
//
// A [Consumer] feeds the receivers of a process that has no HTTP server.
// Delivery is at least once: ESPs, publishers and brokers all repeat. The
// [anymail.IdempotencyStore] of the Consumer keeps receivers from running twice.
// A receiver that fails makes the broker deliver again, and how often is the
// broker's to say (MaxDeliver of NATS, delivery-limit of a quorum queue of
// RabbitMQ); Watermill's Kafka and Redis subscribers try for ever, and what is
// behind the message waits meanwhile.
// For retries with growing waits and a dead-letter list, let the only receiver
// put events into package durable's queue, which has the real receivers.
package stream

import (
	"context"
	"encoding/json"
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
// It is "ce-" by default, as for NATS; Kafka's binding has "ce_" and AMQP's
// "cloudEvents:". AMQP wants the content type as a property of the message,
// which only its client can set (PostprocessPublishing of Watermill's).
//
// Sources: https://github.com/cloudevents/spec/tree/main/cloudevents/bindings
func AttributePrefix(prefix string) PublisherOption {
	return func(p *Publisher) { p.prefix = prefix }
}

const defaultPrefix = "ce-"

// NewPublisher returns a Publisher to one topic. Set the broker's client to
// wait until the broker has stored a message (for AMQP ConfirmDelivery, which
// is off by default): the ESP is told that the events are safe.
func NewPublisher(publisher message.Publisher, topic string, options ...PublisherOption) *Publisher {
	p := &Publisher{publisher: publisher, topic: func(anymail.Event) string { return topic }, prefix: defaultPrefix}
	for _, option := range options {
		option(p)
	}
	return p
}

// Enqueue implements [anymail.Queue]. Events that follow one another to the same
// topic are one call of Publish. Where that fails half-way, the ESP delivers all
// of them again, and those that were published reach the consumers twice. It
// returns when ctx is done, also where the broker's client takes no notice of
// that; a message that is under way may then still be published.
func (p *Publisher) Enqueue(ctx context.Context, events []anymail.Event) error {
	var batches []batch
	for _, ev := range events {
		msg, err := p.message(ctx, ev)
		if err != nil {
			return err
		}
		topic := p.topic(ev)
		if n := len(batches); n == 0 || batches[n-1].topic != topic {
			batches = append(batches, batch{topic: topic})
		}
		last := &batches[len(batches)-1]
		last.messages = append(last.messages, msg)
	}
	done := make(chan error, 1)
	go func() { done <- p.publish(ctx, batches) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return outOfTime(ctx)
	}
}

// batch are messages to one topic.
type batch struct {
	topic    string
	messages []*message.Message
}

func (p *Publisher) publish(ctx context.Context, batches []batch) (err error) {
	defer func() {
		if v := recover(); v != nil { // nobody else could catch it here
			err = anymail.Because(anymail.ErrUnavailable, "broker", fmt.Errorf("panic: %v", v))
		}
	}()
	for _, b := range batches {
		if ctx.Err() != nil {
			return outOfTime(ctx)
		}
		if err := p.publisher.Publish(b.topic, b.messages...); err != nil {
			return anymail.Because(anymail.ErrUnavailable, "broker", err)
		}
	}
	return nil
}

func outOfTime(ctx context.Context) error {
	return anymail.Because(anymail.ErrUnavailable, "the broker did not answer in time", ctx.Err())
}

func (p *Publisher) message(ctx context.Context, ev anymail.Event) (*message.Message, error) {
	payload, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	const contentType = "application/json"
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
	if p.prefix == defaultPrefix {
		set("datacontenttype", contentType) // NATS has no other place for it
	}
	msg.Metadata.Set("content-type", contentType)
	return msg, nil
}

// Decode reads the event out of a message. It returns an error that is
// [anymail.ErrMalformed] where there is none in it.
func Decode(msg *message.Message) (anymail.Event, error) {
	return anymail.DecodeEvent(msg.Payload)
}

// Consumer feeds receivers from a topic. Its zero value but for Signals is
// ready to use.
type Consumer struct {
	// Signals are what the receivers are connected to; it must be set.
	Signals *anymail.Signals
	// Store remembers what was done. If nil, each call of Consume remembers it
	// for itself, which is enough where there is one in all. Several calls or
	// processes on one topic want one Store: a redelivery may go to any.
	Store anymail.IdempotencyStore
	// Poison takes a message that is no event, to put it somewhere else. If it
	// returns nil the message is acknowledged, otherwise given back. If Poison is
	// nil every such message is given back, which may hold up those behind it
	// but loses nothing.
	Poison func(context.Context, *message.Message, error) error
	// Backoff is how long to wait before a message is given back; 1 second if
	// zero.
	Backoff time.Duration
	// Timeout bounds the receivers of one event; 60 seconds if zero. The time
	// after which the broker delivers to somebody else should be longer.
	Timeout time.Duration
	// Logger is [slog.Default] if nil.
	Logger *slog.Logger
}

// Consume runs until ctx is done or the subscriber is closed; then it returns
// nil. It handles one message after the other; call it several times, or let
// the broker share the topic among several processes, for more. A message is
// acknowledged when every receiver is done with its event, and given back
// (Watermill's Nack) where one failed, so that the broker delivers it again.
// Receivers that run when ctx ends are let finish, within Timeout; what they did
// is in Store, so that the broker's redelivery runs nothing.
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
		c.Logger.WarnContext(ctx, "anymail: message given back", slog.String("topic", topic), slog.String("key", msg.UUID), slog.String("error", err.Error()))
		select {
		case <-time.After(c.Backoff):
		case <-ctx.Done():
		}
		msg.Nack()
	}
	return nil
}

func (c Consumer) handle(ctx context.Context, msg *message.Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()
	ev, err := Decode(msg)
	if err != nil {
		if c.Poison != nil {
			return c.Poison(ctx, msg, err)
		}
		return err
	}
	return c.Signals.Deliver(ctx, c.Store, ev)
}
