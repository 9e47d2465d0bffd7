// Package stream sends normalized events over a message broker, through
// Watermill: NATS JetStream, Kafka, AMQP, Redis Streams, Google Pub/Sub and any
// other broker with a Watermill publisher. The user brings the broker's client.
//
// # Publishing
//
// A [Publisher] is a Dispatcher's queue: the ESP is answered when the broker has
// stored the events. That needs these settings of the broker's client:
//
//	NATS JetStream  watermill-nats with JetStream; TrackMsgId drops duplicates
//	Kafka           watermill-kafka, with RequiredAcks WaitForAll;
//	                AttributePrefix("ce_")
//	AMQP            watermill-amqp, with ConfirmDelivery, which is off by default,
//	                and a bound queue; AttributePrefix("cloudEvents:")
//	Redis Streams   watermill-redisstream
//	Google Pub/Sub  watermill-googlecloud
//
// Any other type with the methods Publish and Close is a Watermill publisher too.
//
// # Messages
//
// The payload of a message is the event's JSON form, and its UUID is the event's
// key. Its metadata are the attributes of a CloudEvent 1.0 in the binary content
// mode:
//
//	specversion  1.0
//	id           the event's key
//	source       /anymail/{esp}
//	type         anymail.{kind}.{event type}, such as anymail.tracking.bounced
//	time         the event's timestamp, if the ESP sent one
//
// together with content-type, application/json. The prefix of the names depends
// on the broker, see [AttributePrefix].
//
// # Consuming
//
// A [Consumer] runs receivers in a process without an HTTP server. Delivery is at
// least once: ESPs, publishers and brokers all send duplicates. The Consumer's
// [anymail.IdempotencyStore] keeps receivers from running twice.
//
// A receiver that fails makes the broker redeliver. The broker sets how often
// (MaxDeliver of NATS, delivery-limit of a quorum queue of RabbitMQ). Watermill's
// Kafka and Redis subscribers retry forever, and later messages wait meanwhile.
// For retries with growing waits and dead letters, connect one receiver that puts
// events into package durable's queue, which has the real receivers.
package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/cloudevent"
)

// Publisher is an [anymail.Queue] that publishes each event as one message.
type Publisher struct {
	publisher message.Publisher
	topic     func(anymail.Event) string
	prefix    string
}

// PublisherOption changes a setting of a Publisher.
type PublisherOption func(*Publisher)

// TopicFunc chooses the topic of each event. Without it all events have one
// topic.
func TopicFunc(topic func(anymail.Event) string) PublisherOption {
	return func(p *Publisher) { p.topic = topic }
}

// AttributePrefix sets the prefix of the names of CloudEvents attributes. The
// default, [DefaultAttributePrefix], is that of NATS. Kafka's binding has "ce_" and
// AMQP's "cloudEvents:". AMQP requires the content type as a property of the
// message, which only its client can set (PostprocessPublishing of Watermill's).
//
// Sources: https://github.com/cloudevents/spec/tree/main/cloudevents/bindings
func AttributePrefix(prefix string) PublisherOption {
	return func(p *Publisher) { p.prefix = prefix }
}

// Defaults of the options of a Publisher and of the fields of a Consumer.
const (
	DefaultAttributePrefix = "ce-"
	DefaultBackoff         = time.Second
	DefaultTimeout         = time.Minute
)

// NewPublisher returns a Publisher to one topic. Configure the broker's client to
// wait until the broker has stored a message (for AMQP ConfirmDelivery, which is
// off by default), because the answer tells the ESP that the events are stored.
func NewPublisher(publisher message.Publisher, topic string, options ...PublisherOption) *Publisher {
	p := &Publisher{publisher: publisher, topic: func(anymail.Event) string { return topic }, prefix: DefaultAttributePrefix}
	for _, option := range options {
		option(p)
	}
	return p
}

// Enqueue implements [anymail.Queue]. Consecutive events with the same topic are
// one call of Publish. If some calls succeed and a later one fails, the ESP
// redelivers all events, and consumers get the published ones twice. Enqueue
// returns when ctx is done, even if the broker's client ignores ctx. The client
// may then still publish a message.
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
		return timeoutError(ctx)
	}
}

// batch has messages to one topic.
type batch struct {
	topic    string
	messages []*message.Message
}

func (p *Publisher) publish(ctx context.Context, batches []batch) (err error) {
	defer func() {
		if v := recover(); v != nil { // a panic in this goroutine would end the process
			err = anymail.Because(anymail.ErrUnavailable, "broker", fmt.Errorf("panic: %v", v))
		}
	}()
	for _, b := range batches {
		if ctx.Err() != nil {
			return timeoutError(ctx)
		}
		if err := p.publisher.Publish(b.topic, b.messages...); err != nil {
			return anymail.Because(anymail.ErrUnavailable, "broker", err)
		}
	}
	return nil
}

func timeoutError(ctx context.Context) error {
	return anymail.Because(anymail.ErrUnavailable, "the broker did not answer in time", ctx.Err())
}

func (p *Publisher) message(ctx context.Context, ev anymail.Event) (*message.Message, error) {
	payload, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	msg := message.NewMessage(ev.Base().Key, payload)
	msg.SetContext(ctx)
	for _, a := range cloudevent.Attributes(ev) {
		msg.Metadata.Set(p.prefix+a.Name, a.Value)
	}
	if p.prefix == DefaultAttributePrefix {
		msg.Metadata.Set(p.prefix+"datacontenttype", cloudevent.ContentType) // NATS has no other field for it
	}
	msg.Metadata.Set("content-type", cloudevent.ContentType)
	return msg, nil
}

// Decode returns the event in a message. It returns [anymail.ErrMalformed] if the
// payload is not an event.
func Decode(msg *message.Message) (anymail.Event, error) {
	return anymail.DecodeEvent(msg.Payload)
}

// Consumer runs receivers on the events of a topic. A Consumer with only Signals
// set is ready to use.
type Consumer struct {
	// Signals has the receivers. It must not be nil.
	Signals *anymail.Signals
	// Store remembers completed events. If nil, each call of Consume has a store
	// of its own, which is enough for a single call. Several calls or processes
	// on one topic need one Store, because a redelivery may go to any of them.
	Store anymail.IdempotencyStore
	// Poison handles a message that is not an event, for example stores it
	// elsewhere. If it returns nil, the message is acknowledged, otherwise it is
	// rejected (Watermill's Nack). If Poison is nil, every such message is
	// rejected, which may block later messages but loses nothing.
	Poison func(context.Context, *message.Message, error) error
	// Backoff is how long to wait before a message is rejected; DefaultBackoff if
	// zero.
	Backoff time.Duration
	// Timeout bounds the receivers of one event; DefaultTimeout if zero. The time
	// after which the broker redelivers to another consumer should be longer.
	Timeout time.Duration
	// Logger is [slog.Default] if nil.
	Logger *slog.Logger
}

// Consume runs until ctx is done or the subscriber is closed; then it returns
// nil. It handles one message at a time. For more throughput call it several
// times, or let the broker share the topic among several processes. Consume
// acknowledges a message when every receiver has completed its event. It rejects
// the message (Watermill's Nack) if a receiver failed, so that the broker
// redelivers it. Receivers that run when ctx ends may finish within Timeout. Store
// remembers them, so that the broker's redelivery runs nothing.
func (c Consumer) Consume(ctx context.Context, subscriber message.Subscriber, topic string) error {
	if c.Signals == nil {
		return anymail.Misconfigured("stream.Consumer.Signals", "must not be nil")
	}
	if c.Store == nil {
		c.Store = anymail.NewMemoryStore(0)
	}
	if c.Backoff <= 0 {
		c.Backoff = DefaultBackoff
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
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
		c.Logger.WarnContext(ctx, "anymail: message rejected", slog.String("topic", topic), slog.String("key", msg.UUID), slog.String("error", err.Error()))
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
