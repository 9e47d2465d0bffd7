package gateway

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goanymail/anymail"
)

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
			require.NoError(t, check(sink, time.Minute))
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
	require.ErrorContains(t, check(sink, time.Minute), "the topic "+sink.Topic+": UNKNOWN_TOPIC_OR_PARTITION")
}

// Both the client and the cluster have a limit.
func TestKafkaTooLarge(t *testing.T) {
	for name, query := range map[string]string{"client": "", "cluster": "?max_message=20MB"} {
		t.Run(name, func(t *testing.T) {
			sink := newTopic(t, sinkKafka, "")
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, sink.Topic))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			sink.URL = "kafka://" + cluster.ListenAddrs()[0] + query
			requireTooLarge(t, sink.deliver(t.Context(), large(2<<20)))
			require.NoError(t, sink.deliver(t.Context(), bounce()))
		})
	}
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
