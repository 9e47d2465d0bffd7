package gateway

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

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
}

func TestRedis(t *testing.T) {
	addr := address(t, "ANYMAIL_TEST_REDIS")
	sink := newTopic(t, sinkRedis, "redis://"+addr)
	require.NoError(t, sink.deliver(t.Context(), bounce()))
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
	sink := newTopic(t, sinkAMQP, url)
	require.NoError(t, sink.deliver(t.Context(), bounce()), "the queue is declared, though nobody consumes yet")
	config := amqp.NewDurableQueueConfig(url)
	consumer, err := amqp.NewSubscriber(config, watermill.NopLogger{})
	require.NoError(t, err)
	defer consumer.Close()
	messages, err := consumer.Subscribe(t.Context(), sink.Topic)
	require.NoError(t, err)
	select {
	case msg := <-messages:
		requireBounce(t, msg.Payload)
		require.Equal(t, "anymail.tracking.bounced", msg.Metadata["cloudEvents:type"])
		msg.Ack()
	case <-time.After(time.Minute):
		t.Fatal("the message was dropped")
	}
}

// A broker that is down is an error, and no reason not to try again.
func TestBrokerOutOfReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := l.Addr().String()
	require.NoError(t, l.Close())
	for _, kind := range []string{sinkNATS, sinkRedis, sinkAMQP} {
		sink := newTopic(t, kind, kind+"://user:SECRET@"+closed)
		for range 2 {
			err := sink.deliver(t.Context(), bounce())
			require.ErrorIs(t, err, anymail.ErrUnavailable, kind)
			require.False(t, strings.Contains(err.Error(), "SECRET"), kind)
		}
	}
}
