package gateway

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
)

func TestRedis(t *testing.T) {
	addr := address(t, "ANYMAIL_TEST_REDIS")
	sink := newTopic(t, sinkRedis, "redis://"+addr)
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	defer client.Del(t.Context(), sink.Topic)
	require.NoError(t, check(sink, time.Minute), "the first entry makes the stream")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ev := bounce()
	ev.Account, ev.Timestamp = "postmark-eu", time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)
	require.NoError(t, sink.deliver(trace.ContextWithSpanContext(t.Context(), span), ev))
	require.NoError(t, sink.deliver(t.Context(), bounce()))
	require.NoError(t, check(sink, time.Minute))
	entries, err := client.XRange(t.Context(), sink.Topic, "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 2)
	delete(entries[0].Values, "event")
	require.Equal(t, map[string]any{
		"key": ev.Key, "kind": "tracking", "type": "bounced", "esp": "postmark", "account": "postmark-eu", "timestamp": "2026-11-28T09:30:00Z",
		"traceparent": "00-01000000000000000000000000000000-0200000000000000-01",
	}, entries[0].Values)
	event, ok := entries[1].Values["event"].(string)
	require.True(t, ok)
	requireBounce(t, []byte(event))
	delete(entries[1].Values, "event")
	require.Equal(t, map[string]any{"key": ev.Key, "kind": "tracking", "type": "bounced", "esp": "postmark"}, entries[1].Values)

	require.NoError(t, client.Set(t.Context(), sink.Topic, "a text", time.Minute).Err())
	require.ErrorContains(t, check(sink, time.Minute), "is a string, not a stream")
}

func TestRedisTooLarge(t *testing.T) {
	addr := address(t, "ANYMAIL_TEST_REDIS")
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	before, err := client.ConfigGet(t.Context(), "proto-max-bulk-len").Result()
	require.NoError(t, err)
	defer client.ConfigSet(t.Context(), "proto-max-bulk-len", before["proto-max-bulk-len"])
	require.NoError(t, client.ConfigSet(t.Context(), "proto-max-bulk-len", "2mb").Err())
	sink := newTopic(t, sinkRedis, "redis://"+addr)
	defer client.Del(t.Context(), sink.Topic)
	requireTooLarge(t, sink.deliver(t.Context(), large(2<<20)))
	require.NoError(t, sink.deliver(t.Context(), large(3<<19)))
}
