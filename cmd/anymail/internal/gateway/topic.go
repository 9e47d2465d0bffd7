package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/stream"
)

// topic publishes to a broker. It connects when it has an event, and tries
// again with the next one where that failed.
type topic struct {
	Sink

	mu        sync.Mutex
	broker    message.Publisher
	publisher *stream.Publisher
	closed    bool
}

func (t *topic) deliver(ctx context.Context, ev anymail.Event) error {
	publisher, err := t.connected()
	if err != nil {
		return anymail.Because(anymail.ErrUnavailable, t.Type, err)
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	return publisher.Enqueue(ctx, []anymail.Event{ev})
}

func (t *topic) connected() (*stream.Publisher, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errors.New("closed")
	}
	if t.publisher != nil {
		return t.publisher, nil
	}
	broker, err := brokers[t.Type](t.Sink)
	if err != nil {
		return nil, err
	}
	prefix := "ce-"
	if t.Type == sinkAMQP {
		prefix = "cloudEvents:" // CloudEvents' AMQP binding
	}
	t.broker, t.publisher = broker, stream.NewPublisher(broker, t.Topic, stream.AttributePrefix(prefix))
	return t.publisher, nil
}

func (t *topic) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.broker == nil {
		return nil
	}
	return t.broker.Close()
}

// brokers makes publishers that return when the broker has the message.
var brokers = map[string]func(Sink) (message.Publisher, error){
	// A stream has to take the subject; the gateway makes none, since how long
	// it keeps what is nothing to guess. The event's key is the message's id,
	// by which the stream drops duplicates.
	sinkNATS: func(s Sink) (message.Publisher, error) {
		return watermillnats.NewPublisher(watermillnats.PublisherConfig{
			URL:         s.URL,
			NatsOptions: []nats.Option{nats.Name("anymail " + s.Name), nats.MaxReconnects(-1), nats.Timeout(s.Timeout)},
			JetStream:   watermillnats.JetStreamConfig{TrackMsgId: true, ConnectOptions: []nats.JSOpt{nats.MaxWait(s.Timeout)}},
		}, watermill.NopLogger{})
	},
	sinkRedis: func(s Sink) (message.Publisher, error) {
		options, err := redis.ParseURL(s.URL)
		if err != nil {
			return nil, errors.New("the URL is not one that Redis clients take")
		}
		options.DialTimeout, options.ContextTimeoutEnabled = s.Timeout, true
		return redisstream.NewPublisher(redisstream.PublisherConfig{Client: redis.NewClient(options)}, watermill.NopLogger{})
	},
	// A durable queue of the topic's name, declared before the first message:
	// what no queue takes, RabbitMQ confirms and drops.
	sinkAMQP: func(s Sink) (message.Publisher, error) {
		config := amqp.NewDurableQueueConfig(s.URL)
		config.Publish.ConfirmDelivery = true
		queue, err := amqp.NewSubscriber(config, watermill.NopLogger{})
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		err = queue.SubscribeInitialize(s.Topic)
		if err = errors.Join(err, queue.Close()); err != nil {
			return nil, fmt.Errorf("declare queue: %w", err)
		}
		return amqp.NewPublisher(config, watermill.NopLogger{})
	},
}
