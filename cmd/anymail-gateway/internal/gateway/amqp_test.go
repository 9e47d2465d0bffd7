package gateway

import (
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// rabbit returns a channel of its own.
func rabbit(t *testing.T, url string) *amqp091.Channel {
	t.Helper()
	conn, err := amqp091.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	channel, err := conn.Channel()
	require.NoError(t, err)
	return channel
}

func TestAMQP(t *testing.T) {
	url := address(t, "ANYMAIL_TEST_AMQP")
	for _, quorum := range []bool{false, true} {
		sink, channel := newTopic(t, sinkAMQP, url), rabbit(t, url)
		if quorum { // an existing queue is used as it is
			_, err := channel.QueueDeclare(sink.Topic, true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
			require.NoError(t, err)
		}
		for range 2 { // the second time after the queue was deleted
			channel := rabbit(t, url) // RabbitMQ 3.10 confuses the two queues on one channel
			require.NoError(t, check(sink, time.Minute))
			require.NoError(t, sink.deliver(t.Context(), bounce()), "the queue is declared, though there is no consumer yet")
			msg, ok, err := channel.Get(sink.Topic, true)
			require.NoError(t, err)
			require.True(t, ok, "the message was dropped")
			requireBounce(t, msg.Body)
			delete(msg.Headers, "x-delivery-count") // a quorum queue's own
			require.Equal(t, amqp091.Table{
				"cloudEvents:id": bounce().Key, "cloudEvents:source": "/anymail/postmark",
				"cloudEvents:specversion": "1.0", "cloudEvents:type": "anymail.tracking.bounced",
			}, msg.Headers)
			require.Equal(t, "application/json", msg.ContentType)
			require.Equal(t, bounce().Key, msg.MessageId)
			require.EqualValues(t, amqp091.Persistent, msg.DeliveryMode)
			_, err = channel.QueueDelete(sink.Topic, false, false, false)
			require.NoError(t, err)
		}
	}
}

// With an exchange, the topic is the routing key. A message that no queue takes is
// not delivered.
func TestAMQPExchange(t *testing.T) {
	url := address(t, "ANYMAIL_TEST_AMQP")
	sink, channel := newTopic(t, sinkAMQP, url), rabbit(t, url)
	sink.Exchange = sink.Topic + "_exchange"
	require.ErrorContains(t, check(sink, time.Minute), "no exchange '"+sink.Exchange)
	require.ErrorIs(t, sink.deliver(t.Context(), bounce()), anymail.ErrUnavailable)

	require.NoError(t, channel.ExchangeDeclare(sink.Exchange, "topic", false, true, false, false, nil))
	require.NoError(t, check(sink, time.Minute))
	require.ErrorIs(t, sink.deliver(t.Context(), bounce()), errUnroutable)
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.QueueBind(queue.Name, sink.Topic, sink.Exchange, false, nil))
	require.NoError(t, sink.deliver(t.Context(), bounce()))
	msg, ok, err := channel.Get(queue.Name, true)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, sink.Topic, msg.RoutingKey)
}

func TestAMQPTooLarge(t *testing.T) {
	url := address(t, "ANYMAIL_TEST_AMQP")
	sink, channel := newTopic(t, sinkAMQP, url), rabbit(t, url)
	defer func() { _, _ = channel.QueueDelete(sink.Topic, false, false, false) }()
	b, err := sink.connected(t.Context())
	require.NoError(t, err)
	// RabbitMQ's default is 128 MiB, since version 4 it is 16 MiB.
	err = b.publish(t.Context(), &message{event: bounce(), body: make([]byte, 129<<20)})
	var large tooLargeError
	require.ErrorAs(t, err, &large)
	require.NoError(t, sink.deliver(t.Context(), bounce()), "on another channel")
}
