package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

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
