package gateway

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func TestNATS(t *testing.T) {
	url := address(t, "ANYMAIL_TEST_NATS")
	sink := newTopic(t, sinkNATS, url)
	require.ErrorIs(t, sink.deliver(t.Context(), bounce()), anymail.ErrUnavailable, "no stream has the subject yet")
	require.ErrorContains(t, check(sink, time.Minute), "no stream has the subject "+sink.Topic)

	conn, err := nats.Connect(url)
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: sink.Topic, Subjects: []string{sink.Topic}, Duplicates: time.Minute, MaxMsgSize: 2 << 10})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Publish("$JS.API.STREAM.DELETE."+sink.Topic, nil) })

	require.NoError(t, sink.deliver(t.Context(), bounce()))
	require.NoError(t, sink.deliver(t.Context(), bounce()))
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, info.State.Msgs, "the stream drops the second one")
	msg, err := stream.GetMsg(t.Context(), info.State.FirstSeq)
	require.NoError(t, err)
	requireBounce(t, msg.Data)
	require.Equal(t, nats.Header{
		"Nats-Msg-Id": {bounce().Key}, "ce-datacontenttype": {"application/json"}, "ce-id": {bounce().Key},
		"ce-source": {"/anymail/postmark"}, "ce-specversion": {"1.0"}, "ce-type": {"anymail.tracking.bounced"},
	}, msg.Header)
	require.NoError(t, check(sink, time.Minute))

	requireTooLarge(t, sink.deliver(t.Context(), large(4<<10)))                  // for the stream
	requireTooLarge(t, sink.deliver(t.Context(), large(int(conn.MaxPayload())))) // for the server
	require.NoError(t, sink.deliver(t.Context(), bounce()))
}
