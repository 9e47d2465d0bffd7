package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	natspubsub "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/postmark/postmarktest"
	"github.com/goanymail/anymail/stream"
)

// broker connects a publisher and two subscribers of one group to a topic.
type broker struct {
	name string
	open func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber)
}

func brokers() []broker {
	log := watermill.NopLogger{}
	return []broker{
		{"memory", func(t *testing.T, _ string) (message.Publisher, func() message.Subscriber) {
			ps := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, log)
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
			pub, err := natspubsub.NewPublisher(natspubsub.PublisherConfig{URL: url, JetStream: config}, log)
			require.NoError(t, err)
			t.Cleanup(func() { _ = pub.Close() })
			return pub, func() message.Subscriber {
				sub, err := natspubsub.NewSubscriber(natspubsub.SubscriberConfig{URL: url, QueueGroupPrefix: "workers", AckWaitTimeout: 5 * time.Second, CloseTimeout: time.Second, JetStream: config}, log)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
		}},
		{"redis", func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber) {
			addr := address(t, "ANYMAIL_TEST_REDIS")
			client := func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) }
			pub, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client()}, log)
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
				}, log)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
		}},
		{"amqp", func(t *testing.T, topic string) (message.Publisher, func() message.Subscriber) {
			config := amqp.NewDurablePubSubConfig(address(t, "ANYMAIL_TEST_AMQP"), amqp.GenerateQueueNameTopicNameWithSuffix("workers"))
			config.Publish.ConfirmDelivery = true
			pub, err := amqp.NewPublisher(config, log)
			require.NoError(t, err)
			t.Cleanup(func() { _ = pub.Close() })
			open := func() message.Subscriber {
				sub, err := amqp.NewSubscriber(config, log)
				require.NoError(t, err)
				t.Cleanup(func() { _ = sub.Close() })
				return sub
			}
			// A queue has to be bound before anything is published.
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

// worker is a process's receivers, as far as a test can have one.
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

// TestThrough posts webhooks to a Dispatcher that publishes to a broker, whose
// consumers share the work: each event runs once, a failing one until it is
// done, and redeliveries run nothing.
func TestThrough(t *testing.T) {
	for _, b := range brokers() {
		t.Run(b.name, func(t *testing.T) {
			topic := fmt.Sprintf("anymail_%s_%d", b.name, time.Now().UnixNano())
			pub, open := b.open(t, topic)
			w := &worker{keys: map[string]int{}, fail: 2}
			require.NoError(t, w.Tracking.Connect("work", func(_ context.Context, ev *anymail.TrackingEvent) error { return w.run(ev) }))
			require.NoError(t, w.Inbound.Connect("work", func(_ context.Context, ev *anymail.InboundEvent) error { return w.run(ev) }))

			kit := postmarktest.Kit()
			s := anymailtest.NewServer(t, kit, anymail.WithQueue(stream.NewPublisher(pub, topic)))
			params := anymailtest.NewParams()
			for i, sample := range kit.Samples {
				p := params
				if i > 0 {
					p = anymailtest.NewParams()
				}
				status, _ := s.Post(t, s.Prepare(t, sample, p))
				require.Equal(t, http.StatusOK, status, sample.Name)
			}
			require.Empty(t, s.Events(), "receivers run on the other side")

			ctx, cancel := context.WithCancel(t.Context())
			consumer := stream.Consumer{Signals: &w.Signals, Store: anymail.NewMemoryStore(0), Backoff: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
			done := make(chan error, 2)
			consumers := 2
			if b.name == "memory" {
				consumers = 1 // there every subscriber gets everything
			}
			for range consumers {
				sub := open()
				go func() { done <- consumer.Consume(ctx, sub, topic) }()
			}
			require.Eventually(t, func() bool { return len(w.counts()) == len(kit.Samples) }, 2*time.Minute, 20*time.Millisecond)

			// The ESP delivers again what it had an answer for.
			status, _ := s.Post(t, s.Prepare(t, kit.Samples[0], params))
			require.Equal(t, http.StatusOK, status)
			status, _ = s.Post(t, s.Prepare(t, kit.Samples[0], anymailtest.NewParams()))
			require.Equal(t, http.StatusOK, status)
			require.Eventually(t, func() bool { return len(w.counts()) == len(kit.Samples)+1 }, 2*time.Minute, 20*time.Millisecond)
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

type recorder struct {
	topics   []string
	messages []*message.Message
	err      error
}

func (r *recorder) Publish(topic string, messages ...*message.Message) error {
	if r.err != nil {
		return r.err
	}
	r.topics = append(r.topics, topic)
	r.messages = append(r.messages, messages...)
	return nil
}

func (*recorder) Close() error { return nil }

func TestMessage(t *testing.T) {
	r := new(recorder)
	p := stream.NewPublisher(r, "", stream.AttributePrefix("ce_"), stream.TopicFunc(func(ev anymail.Event) string { return "mail." + string(ev.Kind()) }))
	ev := &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "acme", Type: anymail.EventOpened, Key: "acme:k", Timestamp: time.Date(2026, 9, 21, 14, 13, 20, 5, time.UTC), Raw: anymail.Raw("\x00\xff")},
		Recipient: "ada@example.com",
	}
	require.NoError(t, p.Enqueue(t.Context(), []anymail.Event{ev, &anymail.InboundEvent{Common: anymail.Common{ESP: "acme", Type: anymail.EventInbound, Key: "acme:l"}}}))
	require.Equal(t, []string{"mail.tracking", "mail.inbound"}, r.topics)
	require.Equal(t, "acme:k", r.messages[0].UUID)
	require.Equal(t, message.Metadata{
		"ce_specversion": "1.0", "ce_id": "acme:k", "ce_source": "/anymail/acme", "ce_type": "anymail.tracking.opened",
		"ce_time": "2026-09-21T14:13:20.000000005Z", "content-type": "application/json",
	}, r.messages[0].Metadata)
	back, err := stream.Decode(r.messages[0])
	require.NoError(t, err)
	anymailtest.Equal(t, ev, back)
	require.Equal(t, ev.Raw, back.Base().Raw)

	r.err = errors.New("no route")
	require.ErrorIs(t, p.Enqueue(t.Context(), []anymail.Event{ev}), anymail.ErrUnavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Enqueue(ctx, []anymail.Event{ev}), anymail.ErrUnavailable)
}

func TestPoison(t *testing.T) {
	ps := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	require.NoError(t, ps.Publish("t", message.NewMessage("x", []byte("no event"))))
	var signals anymail.Signals
	caught := make(chan error, 1)
	consumer := stream.Consumer{Signals: &signals, Poison: func(_ context.Context, msg *message.Message, err error) error {
		require.Equal(t, "x", msg.UUID)
		caught <- err
		return nil
	}}
	done := make(chan error, 1)
	go func() { done <- consumer.Consume(t.Context(), ps, "t") }()
	require.ErrorIs(t, <-caught, anymail.ErrMalformed)
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
