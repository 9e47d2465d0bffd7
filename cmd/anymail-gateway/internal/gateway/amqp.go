package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/goanymail/anymail/internal/cloudevent"
)

// amqpChannels is how many messages wait for a confirmation at once.
const amqpChannels = 16

// amqpBroker publishes to a queue, or to an exchange by a routing key. Each call has
// a channel to itself, so that a returned message is that of the call.
type amqpBroker struct {
	conn          *amqp091.Connection
	exchange, key string
	free          chan *amqpChannel // nil for one that is not open
}

// amqpChannel is a channel with confirmations.
type amqpChannel struct {
	*amqp091.Channel
	returned chan amqp091.Return
	closed   chan *amqp091.Error
}

func newAMQP(s Sink) (broker, error) {
	conn, err := amqp091.DialConfig(s.URL, amqp091.Config{
		Heartbeat:  10 * time.Second,
		Locale:     "en_US",
		Properties: amqp091.Table{"connection_name": "anymail " + s.Name},
		Dial:       amqp091.DefaultDial(s.Timeout),
	})
	if err != nil {
		return nil, err
	}
	b := &amqpBroker{conn, s.Exchange, s.Topic, make(chan *amqpChannel, amqpChannels)}
	for range amqpChannels {
		b.free <- nil
	}
	return b, nil
}

// publish waits until RabbitMQ confirms. It declares the queue, durable and with
// RabbitMQ's defaults, unless the queue exists; it makes no exchange and binds nothing.
func (b *amqpBroker) publish(ctx context.Context, m *message) error {
	var channel *amqpChannel
	select {
	case channel = <-b.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	// The client has no contexts: it waits for a broker that does not read.
	return within(ctx, func() (err error) {
		defer func() {
			if err != nil && channel != nil {
				_ = channel.Close() // a refusal has closed it already
				channel = nil
			}
			b.free <- channel
		}()
		if channel == nil || channel.IsClosed() {
			if channel, err = b.open(); err != nil {
				return err
			}
		}
		err = b.send(ctx, channel, m)
		if errors.Is(err, errUnroutable) && b.exchange == "" {
			if _, err := channel.QueueDeclare(b.key, true, false, false, false, nil); err != nil {
				return fmt.Errorf("declare queue: %w", err)
			}
			err = b.send(ctx, channel, m)
		}
		return err
	})
}

func (b *amqpBroker) open() (*amqpChannel, error) {
	channel, err := b.conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := channel.Confirm(false); err != nil {
		return nil, errors.Join(err, channel.Close())
	}
	return &amqpChannel{channel, channel.NotifyReturn(make(chan amqp091.Return, 1)), channel.NotifyClose(make(chan *amqp091.Error, 1))}, nil
}

var errUnroutable = errors.New("no queue takes messages with this routing key")

// send publishes once. RabbitMQ returns a message that no queue takes before it
// confirms it.
func (b *amqpBroker) send(ctx context.Context, channel *amqpChannel, m *message) error {
	headers := amqp091.Table{}
	for _, a := range m.attributes("cloudEvents:") {
		headers[a.Name] = a.Value
	}
	confirmation, err := channel.PublishWithDeferredConfirmWithContext(ctx, b.exchange, b.key, true, false, amqp091.Publishing{
		ContentType:  cloudevent.ContentType,
		DeliveryMode: amqp091.Persistent,
		MessageId:    m.event.Base().Key,
		Headers:      headers,
		Body:         m.body,
	})
	if err != nil {
		return err
	}
	if acked, err := confirmation.WaitContext(ctx); err != nil {
		return err
	} else if !acked {
		select {
		case err := <-channel.closed:
			return refusedPublish(err)
		default:
			return errors.New("the broker did not take the message")
		}
	}
	select {
	case <-channel.returned:
		return errUnroutable
	default:
		return nil
	}
}

// refusedPublish is the error of a channel that RabbitMQ has closed because of a
// message. It closes it with PRECONDITION_FAILED if the message is larger than
// max_message_size.
//
// Source: https://www.rabbitmq.com/docs/configure#config-items
func refusedPublish(err *amqp091.Error) error {
	switch {
	case err == nil:
		return amqp091.ErrClosed
	case err.Code == amqp091.PreconditionFailed && strings.Contains(err.Reason, "message size"):
		return tooLargeError{err}
	}
	return err
}

// check opens a channel, which the broker answers, and asks for the exchange. A queue
// need not exist.
func (b *amqpBroker) check(ctx context.Context) error {
	return within(ctx, func() error {
		channel, err := b.conn.Channel()
		if err != nil {
			return err
		}
		if b.exchange != "" {
			err := channel.ExchangeDeclarePassive(b.exchange, "direct", true, false, false, false, nil) // only the name counts
			if err != nil {
				return err // it has closed the channel
			}
		}
		return channel.Close()
	})
}

func (b *amqpBroker) lost() bool { return b.conn.IsClosed() }

func (b *amqpBroker) Close() error { return b.conn.Close() }
