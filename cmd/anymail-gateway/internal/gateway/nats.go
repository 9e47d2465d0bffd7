package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/goanymail/anymail/internal/cloudevent"
)

// natsBroker publishes to JetStream. A stream must accept the subject; the gateway
// makes none, because it cannot guess the retention.
type natsBroker struct {
	conn    *nats.Conn
	stream  jetstream.JetStream
	subject string
}

func newNATS(s Sink) (broker, error) {
	conn, err := nats.Connect(s.URL, nats.Name("anymail "+s.Name), nats.Timeout(s.Timeout), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.ReconnectBufSize(-1), // nothing is sent after its call has failed
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // calls return their errors; the default prints
	if err != nil {
		return nil, err
	}
	stream, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &natsBroker{conn, stream, s.Topic}, nil
}

// publish waits until the stream has the message. The event's key is the message's
// id, by which the stream drops duplicates.
func (b *natsBroker) publish(ctx context.Context, m *message) error {
	header := nats.Header{"ce-datacontenttype": {cloudevent.ContentType}}
	for _, a := range m.attributes("ce-") {
		header.Set(a.Name, a.Value)
	}
	_, err := b.stream.PublishMsg(ctx, &nats.Msg{Subject: b.subject, Header: header, Data: m.body}, jetstream.WithMsgID(m.event.Base().Key))
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) {
		return tooLargeError{err}
	}
	return err
}

func (b *natsBroker) check(ctx context.Context) error {
	if !b.conn.IsConnected() {
		return nats.ErrDisconnected
	}
	_, err := b.stream.StreamNameBySubject(ctx, b.subject)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("no stream has the subject %s", b.subject)
	}
	return err
}

func (b *natsBroker) lost() bool { return b.conn.IsClosed() }

func (b *natsBroker) Close() error {
	b.conn.Close()
	return nil
}
