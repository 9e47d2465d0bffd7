package gateway

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
)

func address(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Skipf("%s is not set", variable)
	}
	return value
}

func newTopic(t *testing.T, kind, url string) *topic {
	t.Helper()
	sink := &topic{Sink: Sink{Name: "test", Type: kind, URL: url, Topic: fmt.Sprintf("anymail_gateway_%d", time.Now().UnixNano()), Timeout: 10 * time.Second}}
	t.Cleanup(func() { require.NoError(t, sink.Close()) })
	return sink
}

func reach(sink *topic, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return sink.reach(ctx)
}

func requireBounce(t *testing.T, payload []byte) {
	t.Helper()
	ev, err := anymail.DecodeEvent(payload)
	require.NoError(t, err)
	anymailtest.Equal(t, bounce(), ev)
	require.Equal(t, bounce().Key, ev.Base().Key)
}

func TestNATS(t *testing.T) {
	url := address(t, "ANYMAIL_TEST_NATS")
	sink := newTopic(t, sinkNATS, url)
	require.ErrorIs(t, sink.deliver(t.Context(), bounce()), anymail.ErrUnavailable, "no stream takes the subject yet")

	nc, err := nats.Connect(url)
	require.NoError(t, err)
	defer nc.Close()
	js, err := nc.JetStream()
	require.NoError(t, err)
	_, err = js.AddStream(&nats.StreamConfig{Name: sink.Topic, Subjects: []string{sink.Topic}, Duplicates: time.Minute})
	require.NoError(t, err)
	defer func() { _ = js.DeleteStream(sink.Topic) }()

	require.NoError(t, sink.deliver(t.Context(), bounce()))
	require.NoError(t, sink.deliver(t.Context(), bounce()))
	info, err := js.StreamInfo(sink.Topic)
	require.NoError(t, err)
	require.EqualValues(t, 1, info.State.Msgs, "the stream drops the second one")
	msg, err := js.GetMsg(sink.Topic, info.State.FirstSeq)
	require.NoError(t, err)
	requireBounce(t, msg.Data)
	require.Equal(t, []string{"anymail.tracking.bounced"}, msg.Header["ce-type"])
	require.NoError(t, reach(sink, time.Minute))
}

func TestRedis(t *testing.T) {
	addr := address(t, "ANYMAIL_TEST_REDIS")
	sink := newTopic(t, sinkRedis, "redis://"+addr)
	require.NoError(t, sink.deliver(t.Context(), bounce()))
	require.NoError(t, reach(sink, time.Minute))
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	defer client.Del(t.Context(), sink.Topic)
	entries, err := client.XRange(t.Context(), sink.Topic, "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 1)
	payload, ok := entries[0].Values["payload"].(string)
	require.True(t, ok)
	requireBounce(t, []byte(payload))
}

func TestAMQP(t *testing.T) {
	url := address(t, "ANYMAIL_TEST_AMQP")
	for _, quorum := range []bool{false, true} {
		sink := newTopic(t, sinkAMQP, url)
		conn, err := amqp091.Dial(url)
		require.NoError(t, err)
		defer conn.Close()
		channel, err := conn.Channel()
		require.NoError(t, err)
		if quorum { // a queue that is there is taken as it is
			_, err = channel.QueueDeclare(sink.Topic, true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
			require.NoError(t, err)
		}
		require.NoError(t, sink.deliver(t.Context(), bounce()), "the queue is declared, though there is no consumer yet")
		require.NoError(t, reach(sink, time.Minute))
		msg, ok, err := channel.Get(sink.Topic, true)
		require.NoError(t, err)
		require.True(t, ok, "the message was dropped")
		requireBounce(t, msg.Body)
		require.Equal(t, "anymail.tracking.bounced", msg.Headers["cloudEvents:type"])
		require.Equal(t, "application/json", msg.ContentType)
		_, err = channel.QueueDelete(sink.Topic, false, false, false)
		require.NoError(t, err)
	}
}

func TestMessagesCarryTheTrace(t *testing.T) {
	addr := address(t, "ANYMAIL_TEST_REDIS")
	sink := newTopic(t, sinkRedis, "redis://"+addr)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	require.NoError(t, sink.deliver(trace.ContextWithSpanContext(t.Context(), span), bounce()))
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	defer client.Del(t.Context(), sink.Topic)
	entries, err := client.XRange(t.Context(), sink.Topic, "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Contains(t, entries[0].Values["metadata"], "00-01000000000000000000000000000000-0200000000000000-01")
}

func TestKafka(t *testing.T) {
	for _, test := range []struct {
		name, user, query string
		options           []kfake.Opt
	}{
		{name: "open"},
		{"plain", "gateway:p%40ss@", "", []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "gateway", "p@ss")}},
		{"scram-sha-256", "gateway:p%40ss@", "?sasl=scram-sha-256", []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "gateway", "p@ss")}},
		{"scram-sha-512", "gateway:p%40ss@", "?sasl=scram-sha-512&max_message=2MB", []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "gateway", "p@ss")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sink := newTopic(t, sinkKafka, "")
			cluster, err := kfake.NewCluster(append(test.options, kfake.NumBrokers(2), kfake.SeedTopics(1, sink.Topic))...)
			require.NoError(t, err)
			t.Cleanup(cluster.Close) // which newTopic's is run before
			sink.URL = "kafka://" + test.user + strings.Join(cluster.ListenAddrs(), ",") + test.query
			require.NoError(t, reach(sink, time.Minute))
			require.NoError(t, sink.deliver(t.Context(), bounce()))

			options, err := kafkaOptions(sink.URL)
			require.NoError(t, err)
			consumer, err := kgo.NewClient(append(options, kgo.ConsumeTopics(sink.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
			require.NoError(t, err)
			defer consumer.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			records := consumer.PollRecords(ctx, 1).Records()
			require.Len(t, records, 1)
			requireBounce(t, records[0].Value)
			require.Equal(t, bounce().Key, string(records[0].Key))
			headers := map[string]string{}
			for _, h := range records[0].Headers {
				headers[h.Key] = string(h.Value)
			}
			require.Equal(t, map[string]string{
				"ce_specversion": "1.0", "ce_id": bounce().Key, "ce_source": "/anymail/postmark", "ce_type": "anymail.tracking.bounced",
				"content-type": "application/json",
			}, headers)
		})
	}
}

func TestKafkaTopicThatIsNotThere(t *testing.T) {
	sink := newTopic(t, sinkKafka, "")
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	sink.URL = "kafka://" + cluster.ListenAddrs()[0]
	require.ErrorIs(t, sink.deliver(t.Context(), bounce()), anymail.ErrUnavailable)
}

func TestKafkaURL(t *testing.T) {
	for _, text := range []string{
		"kafka://host", "kafka://host:9092", "kafkas://a:1,b:2,c", "kafka://[::1]:9092,[::1]/", "kafka://u:p@a:1,b:2?sasl=plain",
		"kafka://u:p@ss@a:1", // the last @ counts
	} {
		_, err := kafkaOptions(text)
		require.NoError(t, err, text)
	}
	for _, text := range []string{
		"", "kafka:", "kafka://", "kafka://,", "kafka://a,,b", "kafka://:9092", "http://host", "kafka://host/topic", "host:9092",
		"kafka://a?sasl=plain", "kafka://u:SECRET@a?sasl=PLAINTEXT", "kafka://u:SECRET@a?max_message=1", "kafka://u:SECRET@a?max_message=1TB",
		"kafka://u:SECRET@a?retries=3", "kafka://u:%zzSECRET@a", "kafka://u:SECRET@a?%zz",
	} {
		_, err := kafkaOptions(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "SECRET")
	}
}

func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return "http://" + l.Addr().String()
}

// A broker that is down is an error, and no reason not to try again.
func TestBrokerOutOfReach(t *testing.T) {
	requireOutOfReach(t, strings.TrimPrefix(closedAddress(t), "http://"))
}

// One that takes the connection and then says nothing is no different.
func TestBrokerThatSaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	requireOutOfReach(t, l.Addr().String())
}

func requireOutOfReach(t *testing.T, addr string) {
	for _, kind := range []string{sinkNATS, sinkKafka, sinkRedis, sinkAMQP} {
		sink := newTopic(t, kind, kind+"://user:SECRET@"+addr)
		sink.Timeout = 300 * time.Millisecond
		require.Error(t, reach(sink, 300*time.Millisecond), kind)
		for range 2 {
			err := sink.deliver(t.Context(), bounce())
			require.ErrorIs(t, err, anymail.ErrUnavailable, kind)
			require.NotContains(t, err.Error(), "SECRET", kind)
		}
	}
}
