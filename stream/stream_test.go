package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	natspubsub "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/nats-io/nats.go"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/stream"
)

// broker connects a publisher and two subscribers of one group to a topic.
type broker struct {
	name string
	open func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber)
}

func brokers() []broker {
	nop := watermill.NopLogger{}
	return []broker{
		{"memory", func(t *testing.T, _ string) (message.Publisher, func() message.Subscriber) {
			ps := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, nop)
			t.Cleanup(func() { _ = ps.Close() })
			return ps, func() message.Subscriber { return ps }
		}},
		{"nats", func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber) {
			url := address(t, "ANYMAIL_TEST_NATS")
			nc, err := nats.Connect(url)
			require.NoError(t, err)
			js, err := nc.JetStream()
			require.NoError(t, err)
			_, err = js.AddStream(&nats.StreamConfig{Name: topic, Subjects: []string{topic}, Duplicates: time.Minute})
			require.NoError(t, err)
			_, err = js.AddConsumer(topic, &nats.ConsumerConfig{
				Durable: "workers", DeliverSubject: "deliver." + topic, DeliverGroup: "workers",
				AckPolicy: nats.AckExplicitPolicy, AckWait: 5 * time.Second,
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = js.DeleteStream(topic); nc.Close() })
			config := natspubsub.JetStreamConfig{TrackMsgId: true, DurablePrefix: "workers", SubscribeOptions: []nats.SubOpt{nats.Bind(topic, "workers")}}
			pub, err := natspubsub.NewPublisher(natspubsub.PublisherConfig{URL: url, JetStream: config}, nop)
			require.NoError(t, err)
			t.Cleanup(func() { _ = pub.Close() })
			return pub, func() message.Subscriber {
				sub, err := natspubsub.NewSubscriber(natspubsub.SubscriberConfig{URL: url, QueueGroupPrefix: "workers", AckWaitTimeout: 5 * time.Second, CloseTimeout: time.Second, JetStream: config}, nop)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
		}},
		{"redis", func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber) {
			addr := address(t, "ANYMAIL_TEST_REDIS")
			client := func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) }
			pub, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client()}, nop)
			require.NoError(t, err)
			t.Cleanup(func() {
				_ = pub.Close()
				c := client()
				_ = c.Del(context.Background(), topic)
				_ = c.Close()
			})
			n := 0
			return pub, func() message.Subscriber {
				n++
				sub, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
					Client: client(), ConsumerGroup: "workers", Consumer: fmt.Sprint("c", n), OldestId: "0",
					NackResendSleep: 50 * time.Millisecond, BlockTime: 100 * time.Millisecond, DisableIndefiniteInitialBlock: true,
				}, nop)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
		}},
		{"kafka", func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			producer := kafka.DefaultSaramaSyncPublisherConfig()
			producer.Producer.RequiredAcks = sarama.WaitForAll
			pub, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: cluster.ListenAddrs(), Marshaler: kafka.DefaultMarshaler{}, OverwriteSaramaConfig: producer}, nop)
			require.NoError(t, err)
			t.Cleanup(func() { _ = pub.Close() })
			consumer := kafka.DefaultSaramaSubscriberConfig()
			consumer.Consumer.Offsets.Initial = sarama.OffsetOldest
			return pub, func() message.Subscriber {
				sub, err := kafka.NewSubscriber(kafka.SubscriberConfig{
					Brokers: cluster.ListenAddrs(), Unmarshaler: kafka.DefaultMarshaler{}, ConsumerGroup: "workers",
					OverwriteSaramaConfig: consumer, NackResendSleep: 50 * time.Millisecond,
				}, nop)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
		}},
		{"amqp", func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber) {
			config := amqp.NewDurablePubSubConfig(address(t, "ANYMAIL_TEST_AMQP"), amqp.GenerateQueueNameTopicNameWithSuffix("workers"))
			config.Publish.ConfirmDelivery = true
			pub, err := amqp.NewPublisher(config, nop)
			require.NoError(t, err)
			t.Cleanup(func() { _ = pub.Close() })
			open := func() message.Subscriber {
				sub, err := amqp.NewSubscriber(config, nop)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
			// A queue must be bound before the first message is published.
			require.NoError(t, open().(message.SubscribeInitializer).SubscribeInitialize(topic))
			return pub, open
		}},
	}
}

func address(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf("%s is not set", variable)
	}
	return value
}

// worker has the receivers of a process.
type worker struct {
	anymail.Signals

	mu   sync.Mutex
	keys map[string]int
	fail int
}

func (w *worker) run(ev anymail.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail > 0 {
		w.fail--
		return errors.New("not now")
	}
	w.keys[ev.Base().Key]++
	return nil
}

func (w *worker) counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for key, n := range w.keys {
		counts[key] = n
	}
	return counts
}

// TestPublishAndConsume posts webhooks to a Dispatcher that publishes to a broker
// with two consumers. Receivers complete each event once, also after failures,
// and redeliveries run nothing.
func TestPublishAndConsume(t *testing.T) {
	for _, b := range brokers() {
		t.Run(b.name, func(t *testing.T) {
			topic := fmt.Sprintf("anymail_%s_%d", b.name, time.Now().UnixNano())
			pub, open := b.open(t, topic)
			w := &worker{keys: map[string]int{}, fail: 2}
			require.NoError(t, w.Tracking.Connect("work", func(_ context.Context, ev *anymail.TrackingEvent) error { return w.run(ev) }))
			require.NoError(t, w.Inbound.Connect("work", func(_ context.Context, ev *anymail.InboundEvent) error { return w.run(ev) }))

			sim := postmarksim.New()
			s := anymailtest.NewServer(t, sim, anymail.WithQueue(stream.NewPublisher(pub, topic)))
			params := simulator.NewParams()
			for i, sample := range sim.Samples {
				p := params
				if i > 0 {
					p = simulator.NewParams()
				}
				status, _ := s.Post(t, s.Prepare(t, sample, p))
				require.Equal(t, http.StatusOK, status, sample.Name)
			}
			require.Empty(t, s.Events(), "receivers run in the consumer")

			ctx, cancel := context.WithCancel(t.Context())
			consumer := stream.Consumer{Signals: &w.Signals, Store: anymail.NewMemoryStore(0), Backoff: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
			done := make(chan error, 2)
			consumers := 2
			if b.name == "memory" {
				consumers = 1 // every subscriber gets every message
			}
			for range consumers {
				sub := open()
				go func() { done <- consumer.Consume(ctx, sub, topic) }()
			}
			require.Eventually(t, func() bool { return len(w.counts()) == len(sim.Samples) }, 2*time.Minute, 20*time.Millisecond)

			// The ESP delivers again what it had an answer for.
			status, _ := s.Post(t, s.Prepare(t, sim.Samples[0], params))
			require.Equal(t, http.StatusOK, status)
			status, _ = s.Post(t, s.Prepare(t, sim.Samples[0], simulator.NewParams()))
			require.Equal(t, http.StatusOK, status)
			require.Eventually(t, func() bool { return len(w.counts()) == len(sim.Samples)+1 }, 2*time.Minute, 20*time.Millisecond)
			for key, n := range w.counts() {
				require.Equal(t, 1, n, key)
			}
			cancel()
			for range consumers {
				require.NoError(t, <-done)
			}
		})
	}
}

// recorder is a broker that records messages. It calls before, if that is set,
// before it accepts messages.
type recorder struct {
	before   func()
	topics   []string
	messages []*message.Message
	err      error
}

func (r *recorder) Publish(topic string, messages ...*message.Message) error {
	if r.before != nil {
		r.before()
	}
	if r.err != nil {
		return r.err
	}
	r.topics = append(r.topics, topic)
	r.messages = append(r.messages, messages...)
	return nil
}

func (*recorder) Close() error { return nil }

func opened(key string) *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "acme", Type: anymail.EventOpened, Key: key, Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 5, time.UTC), Raw: anymail.Raw("\x00\xff")},
		Recipient: "ada@example.com",
	}
}

func TestMessage(t *testing.T) {
	for prefix, extra := range map[string]message.Metadata{
		"ce-":          {"ce-datacontenttype": "application/json"}, // NATS
		"ce_":          {},                                         // Kafka
		"cloudEvents:": {},                                         // AMQP
	} {
		r := new(recorder)
		ev := opened("acme:k")
		require.NoError(t, stream.NewPublisher(r, "mail", stream.AttributePrefix(prefix)).Enqueue(t.Context(), []anymail.Event{ev}))
		require.Equal(t, []string{"mail"}, r.topics)
		require.Equal(t, "acme:k", r.messages[0].UUID)
		want := message.Metadata{
			prefix + "specversion": "1.0", prefix + "id": "acme:k", prefix + "source": "/anymail/acme", prefix + "type": "anymail.tracking.opened",
			prefix + "time": "2026-09-21T14:13:20.000000005Z", "content-type": "application/json",
		}
		maps.Copy(want, extra)
		require.Equal(t, want, r.messages[0].Metadata)
		back, err := stream.Decode(r.messages[0])
		require.NoError(t, err)
		anymailtest.Equal(t, ev, back)
		require.Equal(t, ev.Raw, back.Base().Raw)
	}
}

func TestConsecutiveEventsOfATopicAreOneCall(t *testing.T) {
	r := new(recorder)
	p := stream.NewPublisher(r, "", stream.TopicFunc(func(ev anymail.Event) string { return "mail." + string(ev.Kind()) }))
	inbound := &anymail.InboundEvent{Common: anymail.Common{ESP: "acme", Type: anymail.EventInbound, Key: "acme:l"}}
	require.NoError(t, p.Enqueue(t.Context(), []anymail.Event{opened("1"), opened("2"), inbound, opened("3")}))
	require.Equal(t, []string{"mail.tracking", "mail.inbound", "mail.tracking"}, r.topics)
	var keys []string
	for _, msg := range r.messages {
		keys = append(keys, msg.UUID)
	}
	require.Equal(t, []string{"1", "2", "acme:l", "3"}, keys)
	require.Empty(t, r.messages[2].Metadata["ce-time"], "an unknown time is left out")
}

func TestPublishErrors(t *testing.T) {
	enqueue := func(ctx context.Context, r *recorder) error {
		return stream.NewPublisher(r, "mail").Enqueue(ctx, []anymail.Event{opened("1")})
	}
	err := enqueue(t.Context(), &recorder{err: errors.New("no route")})
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.ErrorContains(t, err, "no route")

	err = enqueue(t.Context(), &recorder{before: func() { panic("no broker") }})
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.ErrorContains(t, err, "no broker")

	release := make(chan struct{})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	err = enqueue(ctx, &recorder{before: func() { cancel(); <-release }})
	require.ErrorIs(t, err, anymail.ErrUnavailable, "a client that ignores the context")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, enqueue(ctx, new(recorder)), anymail.ErrUnavailable)
}

// The context of a receiver that runs when the consumer stops is not cancelled.
func TestConsumerStopsGracefully(t *testing.T) {
	ps := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	defer ps.Close()
	require.NoError(t, stream.NewPublisher(ps, "t").Enqueue(t.Context(), []anymail.Event{opened("1")}))
	ctx, cancel := context.WithCancel(t.Context())
	var signals anymail.Signals
	var cancelled error
	require.NoError(t, signals.Tracking.Connect("work", func(ctx context.Context, _ *anymail.TrackingEvent) error {
		cancel()
		cancelled = ctx.Err()
		return nil
	}))
	require.NoError(t, stream.Consumer{Signals: &signals}.Consume(ctx, ps, "t"))
	require.NoError(t, cancelled)
}

func TestPoison(t *testing.T) {
	ps := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	require.NoError(t, ps.Publish("t", message.NewMessage("x", []byte("no event"))))
	var signals anymail.Signals
	poisoned := make(chan error, 1)
	consumer := stream.Consumer{Signals: &signals, Poison: func(_ context.Context, msg *message.Message, err error) error {
		require.Equal(t, "x", msg.UUID)
		poisoned <- err
		return nil
	}}
	done := make(chan error, 1)
	go func() { done <- consumer.Consume(t.Context(), ps, "t") }()
	require.ErrorIs(t, <-poisoned, anymail.ErrMalformed)
	require.NoError(t, ps.Close())
	require.NoError(t, <-done)
	require.ErrorIs(t, stream.Consumer{}.Consume(t.Context(), ps, "t"), anymail.ErrConfig)
}

func ExamplePublisher() {
	broker := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	defer broker.Close()
	d, err := anymail.New(
		anymail.WithSharedSecret("webhook:correct-horse-battery-staple"),
		anymail.WithQueue(stream.NewPublisher(broker, "mail-events")))
	fmt.Println(d != nil, err)
	// Output: true <nil>
}

func ExampleNewPublisher_kafka() {
	// By default the client waits for one broker only.
	config := kafka.DefaultSaramaSyncPublisherConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	broker, err := kafka.NewPublisher(kafka.PublisherConfig{
		Brokers:               []string{"kafka-1:9092", "kafka-2:9092"},
		Marshaler:             kafka.DefaultMarshaler{},
		OverwriteSaramaConfig: config,
	}, watermill.NopLogger{})
	if err != nil {
		log.Fatal(err)
	}
	queue := stream.NewPublisher(broker, "mail-events", stream.AttributePrefix("ce_"))
	_ = anymail.WithQueue(queue)
}

func ExampleNewPublisher_nats() {
	// A stream must include the subject. The message's id is the event's key, by
	// which the stream drops duplicates.
	broker, err := natspubsub.NewPublisher(natspubsub.PublisherConfig{
		URL:       "nats://nats:4222",
		JetStream: natspubsub.JetStreamConfig{TrackMsgId: true},
	}, watermill.NopLogger{})
	if err != nil {
		log.Fatal(err)
	}
	_ = anymail.WithQueue(stream.NewPublisher(broker, "mail.events"))
}

func ExampleNewPublisher_amqp() {
	config := amqp.NewDurablePubSubConfig("amqp://rabbitmq", nil)
	config.Publish.ConfirmDelivery = true
	config.Marshaler = amqp.DefaultMarshaler{PostprocessPublishing: func(p amqp091.Publishing) amqp091.Publishing {
		p.ContentType = "application/json"
		return p
	}}
	broker, err := amqp.NewPublisher(config, watermill.NopLogger{})
	if err != nil {
		log.Fatal(err)
	}
	_ = anymail.WithQueue(stream.NewPublisher(broker, "mail-events", stream.AttributePrefix("cloudEvents:")))
}

// A process without an HTTP server runs the receivers.
func ExampleConsumer() {
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{}) // or a real one
	ev := &anymail.TrackingEvent{Common: anymail.Common{ESP: "acme", Type: anymail.EventBounced, Key: "acme:1"}, Recipient: "ada@example.com"}
	if err := stream.NewPublisher(broker, "mail-events").Enqueue(context.Background(), []anymail.Event{ev}); err != nil {
		log.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	var signals anymail.Signals
	err := signals.Tracking.Connect("suppress", func(_ context.Context, ev *anymail.TrackingEvent) error {
		fmt.Println(ev.Type, ev.Recipient)
		stop()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	err = stream.Consumer{Signals: &signals}.Consume(ctx, broker, "mail-events")
	fmt.Println(err)
	// Output:
	// bounced ada@example.com
	// <nil>
}
