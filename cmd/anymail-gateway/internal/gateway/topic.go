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

// topic publishes to a broker. It connects when it has an event, and tries
// again with the next one where that failed.
type topic struct {
	Sink

	mu     sync.Mutex
	last   *connecting // the last attempt at it; nil for none
	closed bool
}

// connecting is an attempt to connect, for which all that want it wait.
type connecting struct {
	done   chan struct{}
	broker broker
	err    error
}

// broker is connected.
type broker interface {
	// Publish returns nil when the broker has the messages.
	message.Publisher
	// reach returns nil where the broker answers before the deadline of ctx.
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

// prefixes are those of CloudEvents' attributes. Redis has no rule for them.
var prefixes = map[string]string{sinkNATS: "ce-", sinkRedis: "ce-", sinkKafka: "ce_", sinkAMQP: "cloudEvents:"}

func (t *topic) reach(ctx context.Context) error {
	b, err := t.connected(ctx)
	if err != nil {
		return err
	}
	return b.reach(ctx)
}

// connected waits no longer than ctx, though not every client knows one: the
// attempt then goes on for those who come after.
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

// attempt is the last attempt, or a new one where that has failed.
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

// traced tells the consumers which trace a message belongs to.
type traced struct{ message.Publisher }

func (t traced) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		propagation.TraceContext{}.Inject(msg.Context(), propagation.MapCarrier(msg.Metadata))
	}
	return t.Publisher.Publish(topic, messages...)
}

// brokers connect.
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

// newNATS publishes to JetStream. A stream has to take the subject; the gateway
// makes none, since how long it keeps what is nothing to guess. The event's key
// is the message's id, by which the stream drops duplicates.
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
		return nil, errors.New("the URL is not one that Redis clients take")
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

// newAMQP publishes to the queue of the topic's name, which is declared before
// the first message if there is none: what no queue takes, RabbitMQ confirms
// and drops.
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

// haveQueue makes sure that there is a queue. One that is there may be of any
// kind; a new one is durable and has RabbitMQ's defaults.
func haveQueue(conn *amqp091.Connection, name string) error {
	channel, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := channel.QueueDeclarePassive(name, true, false, false, false, nil); err == nil {
		return channel.Close()
	}
	if channel, err = conn.Channel(); err != nil { // the refusal has closed the other one
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
		channel, err := b.conn.Connection().Channel() // which the broker answers
		if err != nil {
			return err
		}
		return channel.Close()
	})
}

func (b *amqpBroker) Close() error { return errors.Join(b.Publisher.Close(), b.conn.Close()) }
