package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/propagation"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/stream"
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
	// Publish returns nil when the broker has the messages.
	message.Publisher
	// reach returns nil if the broker answers before the deadline of ctx.
	reach(ctx context.Context) error
}

func (t *topic) deliver(ctx context.Context, ev anymail.Event) error {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	b, err := t.connected(ctx)
	if err != nil {
		return anymail.Because(anymail.ErrUnavailable, "broker", fmt.Errorf("%s: %w", t.Type, err))
	}
	prefix := prefixes[t.Type]
	return stream.NewPublisher(traced{b}, t.Topic, stream.AttributePrefix(prefix)).Enqueue(ctx, []anymail.Event{ev})
}

// prefixes are the prefixes of CloudEvents' attributes. For Redis, there is no rule.
var prefixes = map[string]string{sinkNATS: "ce-", sinkRedis: "ce-", sinkKafka: "ce_", sinkAMQP: "cloudEvents:"}

func (t *topic) reach(ctx context.Context) error {
	b, err := t.connected(ctx)
	if err != nil {
		return err
	}
	return b.reach(ctx)
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

// attempt returns the last attempt, or a new one if that has failed.
func (t *topic) attempt() (*connecting, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errors.New("closed")
	}
	if t.last != nil {
		select {
		case <-t.last.done:
			if t.last.err == nil {
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

// traced adds the trace of a message to its attributes.
type traced struct{ message.Publisher }

func (t traced) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		propagation.TraceContext{}.Inject(msg.Context(), propagation.MapCarrier(msg.Metadata))
	}
	return t.Publisher.Publish(topic, messages...)
}

// brokers are the functions that connect.
var brokers = map[string]func(Sink) (broker, error){
	sinkNATS:  newNATS,
	sinkKafka: newKafka,
	sinkRedis: newRedis,
	sinkAMQP:  newAMQP,
}

type natsBroker struct {
	message.Publisher
	conn *nats.Conn
}

// newNATS publishes to JetStream. A stream must accept the subject; the gateway
// makes none, because it cannot guess the retention. The event's key is the
// message's id, by which the stream drops duplicates.
func newNATS(s Sink) (broker, error) {
	conn, err := nats.Connect(s.URL, nats.Name("anymail "+s.Name), nats.MaxReconnects(-1), nats.Timeout(s.Timeout))
	if err != nil {
		return nil, err
	}
	publisher, err := watermillnats.NewPublisherWithNatsConn(conn, watermillnats.PublisherPublishConfig{
		Marshaler:         &watermillnats.NATSMarshaler{},
		SubjectCalculator: watermillnats.DefaultSubjectCalculator,
		JetStream:         watermillnats.JetStreamConfig{TrackMsgId: true, ConnectOptions: []nats.JSOpt{nats.MaxWait(s.Timeout)}},
	}, watermill.NopLogger{})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &natsBroker{publisher, conn}, nil
}

func (b *natsBroker) reach(ctx context.Context) error {
	if !b.conn.IsConnected() {
		return nats.ErrDisconnected
	}
	return b.conn.FlushWithContext(ctx)
}

type redisBroker struct {
	message.Publisher
	client *redis.Client
}

func newRedis(s Sink) (broker, error) {
	options, err := redis.ParseURL(s.URL)
	if err != nil {
		return nil, errors.New("the URL is not a Redis URL")
	}
	options.DialTimeout, options.ContextTimeoutEnabled = s.Timeout, true
	client := redis.NewClient(options)
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, watermill.NopLogger{})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &redisBroker{publisher, client}, nil
}

func (b *redisBroker) reach(ctx context.Context) error { return b.client.Ping(ctx).Err() }

type amqpBroker struct {
	message.Publisher
	conn *amqp.ConnectionWrapper
}

// newAMQP publishes to the queue with the topic's name. It declares the queue if
// there is none: RabbitMQ confirms and drops a message without a queue.
func newAMQP(s Sink) (broker, error) {
	config := amqp.NewDurableQueueConfig(s.URL)
	config.Publish.ConfirmDelivery = true
	config.Marshaler = amqp.DefaultMarshaler{PostprocessPublishing: func(p amqp091.Publishing) amqp091.Publishing {
		p.ContentType = "application/json" // where CloudEvents' binding has it
		return p
	}}
	config.Connection.AmqpConfig = &amqp091.Config{
		Heartbeat:  10 * time.Second,
		Locale:     "en_US",
		Properties: amqp091.Table{"connection_name": "anymail " + s.Name},
		Dial:       amqp091.DefaultDial(s.Timeout),
	}
	config.Connection.Reconnect = amqp.DefaultReconnectConfig()
	config.Connection.Reconnect.BackoffMaxInterval = 10 * time.Second
	conn, err := amqp.NewConnection(config.Connection, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	err = haveQueue(conn.Connection(), s.Topic)
	if err == nil {
		var publisher message.Publisher
		if publisher, err = amqp.NewPublisherWithConnection(config, watermill.NopLogger{}, conn); err == nil {
			return &amqpBroker{publisher, conn}, nil
		}
	}
	return nil, errors.Join(err, conn.Close())
}

// haveQueue declares a queue, durable and with RabbitMQ's defaults, unless there
// is one, of any kind.
func haveQueue(conn *amqp091.Connection, name string) error {
	channel, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := channel.QueueDeclarePassive(name, true, false, false, false, nil); err == nil {
		return channel.Close()
	}
	if channel, err = conn.Channel(); err != nil { // the refusal has closed the first one
		return err
	}
	if _, err := channel.QueueDeclare(name, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare queue: %w", err)
	}
	return channel.Close()
}

func (b *amqpBroker) reach(ctx context.Context) error {
	if !b.conn.IsConnected() {
		return errors.New("not connected")
	}
	return within(ctx, func() error {
		channel, err := b.conn.Connection().Channel() // the broker answers this
		if err != nil {
			return err
		}
		return channel.Close()
	})
}

func (b *amqpBroker) Close() error { return errors.Join(b.Publisher.Close(), b.conn.Close()) }
