package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/durable"
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

func check(sink *topic, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return sink.Check(ctx)
}

// large returns an event of more bytes, which do not compress.
func large(size int) anymail.Event {
	ev := bounce()
	ev.Key = anymail.EventKey("postmark", strconv.Itoa(size))
	random := make([]byte, size/2)
	_, _ = rand.Read(random)
	ev.Description = hex.EncodeToString(random)
	return ev
}

func requireTooLarge(t *testing.T, err error) {
	t.Helper()
	var large tooLargeError
	require.ErrorAs(t, err, &large)
	require.IsType(t, durable.Permanent(errors.New("any")), err)
}

func requireBounce(t *testing.T, payload []byte) {
	t.Helper()
	ev, err := anymail.DecodeEvent(payload)
	require.NoError(t, err)
	anymailtest.Equal(t, bounce(), ev)
	require.Equal(t, bounce().Key, ev.Base().Key)
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
		require.Error(t, check(sink, 300*time.Millisecond), kind)
		for range 2 {
			err := sink.deliver(t.Context(), bounce())
			require.ErrorIs(t, err, anymail.ErrUnavailable, kind)
			require.NotContains(t, err.Error(), "SECRET", kind)
		}
	}
}

// An event that a broker can never take is a dead letter after one attempt.
func TestTooLargeIsADeadLetter(t *testing.T) {
	sink := newTopic(t, sinkKafka, "")
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, sink.Topic))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	sink.URL = "kafka://" + cluster.ListenAddrs()[0]
	var signals anymail.Signals
	require.NoError(t, connect(&signals, []*output{{Sink: sink.Sink, sink: sink}}))
	queue, err := durable.OpenSQLite(t.Context(), ":memory:", &signals, durable.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer queue.Close()
	require.NoError(t, queue.Start(t.Context()))
	require.NoError(t, queue.Enqueue(t.Context(), []anymail.Event{large(2 << 20)}))
	require.Eventually(t, func() bool {
		stats, err := queue.Stats(t.Context())
		return err == nil && stats.Dead == 1
	}, time.Minute, 20*time.Millisecond)
	require.NoError(t, queue.Stop(t.Context()))
}

// link forwards connections to a broker, and can cut them.
type link struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &link{Listener: listener, to: to}
	t.Cleanup(func() { _ = l.Close(); l.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			broker, err := net.Dial("tcp", l.to)
			if err != nil {
				_ = client.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, client, broker)
			l.mu.Unlock()
			forward := func(to, from net.Conn) { _, _ = io.Copy(to, from); _ = to.Close() }
			go forward(broker, client)
			go forward(client, broker)
		}
	}()
	return l
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

// After a cut connection, events arrive again without a restart.
func TestBrokerReconnects(t *testing.T) {
	for kind, variable := range map[string]string{sinkNATS: "ANYMAIL_TEST_NATS", sinkRedis: "ANYMAIL_TEST_REDIS", sinkAMQP: "ANYMAIL_TEST_AMQP"} {
		t.Run(kind, func(t *testing.T) {
			text := address(t, variable)
			if kind == sinkRedis {
				text = "redis://" + text
			}
			u, err := url.Parse(text)
			require.NoError(t, err)
			l := newLink(t, u.Host)
			u.Host = l.Addr().String()
			sink := newTopic(t, kind, u.String())
			switch kind {
			case sinkNATS:
				conn, err := nats.Connect(text)
				require.NoError(t, err)
				defer conn.Close()
				js, err := jetstream.New(conn)
				require.NoError(t, err)
				_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: sink.Topic, Subjects: []string{sink.Topic}})
				require.NoError(t, err)
				defer func() { _ = js.DeleteStream(t.Context(), sink.Topic) }()
			case sinkRedis:
				client := redis.NewClient(&redis.Options{Addr: address(t, variable)})
				defer client.Close()
				defer client.Del(t.Context(), sink.Topic)
			case sinkAMQP:
				channel := rabbit(t, text)
				defer func() { _, _ = channel.QueueDelete(sink.Topic, false, false, false) }()
			}
			for range 2 {
				require.NoError(t, sink.deliver(t.Context(), bounce()))
				l.cut()
				require.Eventually(t, func() bool { return sink.deliver(t.Context(), bounce()) == nil }, time.Minute, 50*time.Millisecond)
				require.NoError(t, check(sink, time.Minute))
			}
		})
	}
}
