package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafkaBroker is franz-go's client as a Watermill publisher; docs/dependencies.md
// says why it is not Watermill's own.
type kafkaBroker struct{ client *kgo.Client }

// newKafka connects with the first request. The gateway makes no topic: it cannot
// guess the number of partitions and replicas.
func newKafka(s Sink) (broker, error) {
	options, err := kafkaOptions(s.URL)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(options,
		kgo.ClientID("anymail-"+s.Name),
		kgo.DialTimeout(s.Timeout),
		// A call ends with its context, even if the brokers may have the record:
		// it is then there twice, as after any other retry.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.UnknownTopicRetries(1),
	)...)
	if err != nil {
		return nil, err
	}
	return &kafkaBroker{client}, nil
}

// Publish waits until all in-sync replicas have the messages. The record's key is
// the event's, so that a compacted topic keeps one of several repeats.
func (b *kafkaBroker) Publish(topic string, messages ...*message.Message) error {
	records := make([]*kgo.Record, len(messages))
	for i, msg := range messages {
		r := &kgo.Record{Topic: topic, Key: []byte(msg.UUID), Value: msg.Payload, Context: msg.Context()}
		for name, value := range msg.Metadata {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
		records[i] = r
	}
	// The records have contexts of their own.
	return b.client.ProduceSync(context.Background(), records...).FirstErr()
}

func (b *kafkaBroker) reach(ctx context.Context) error { return b.client.Ping(ctx) }

func (b *kafkaBroker) Close() error {
	b.client.Close()
	return nil
}

// kafkaOptions reads kafka://user:password@host:9092,host:9092?sasl=plain, and
// kafkas:// for TLS. Its errors do not show the URL, which may contain a password.
func kafkaOptions(text string) ([]kgo.Opt, error) {
	wrong := errors.New("must be a URL such as kafka://host:9092,host:9092, of the scheme kafka or kafkas")
	scheme, rest, _ := strings.Cut(text, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	start := strings.LastIndex(rest[:end], "@") + 1
	u, err := url.Parse(scheme + "://" + rest[:start] + "kafka" + rest[end:])
	if err != nil || u.Scheme != "kafka" && u.Scheme != "kafkas" || u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return nil, wrong
	}
	var options []kgo.Opt
	hosts := strings.Split(rest[start:end], ",")
	for i, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			hosts[i] = net.JoinHostPort(strings.Trim(host, "[]"), "9092")
		}
		if strings.HasPrefix(hosts[i], ":") || strings.HasSuffix(hosts[i], ":") {
			return nil, wrong
		}
	}
	options = append(options, kgo.SeedBrokers(hosts...))
	if u.Scheme == "kafkas" {
		options = append(options, kgo.DialTLS())
	}
	mechanism := ""
	if u.User != nil {
		mechanism = "plain"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, wrong
	}
	for name := range query {
		value := query.Get(name)
		switch name {
		case "sasl":
			if u.User == nil {
				return nil, errors.New("sasl needs a user and a password in the URL")
			}
			mechanism = value
		case "max_message":
			n, err := humanize.ParseBytes(value)
			if err != nil || n < 1<<10 || n > 64<<20 {
				return nil, errors.New("max_message must be a size from 1KiB to 64MiB")
			}
			options = append(options, kgo.ProducerBatchMaxBytes(int32(n)))
		default:
			return nil, fmt.Errorf("the URL has an unknown parameter %q; known are sasl, max_message", name)
		}
	}
	if mechanism == "" {
		return options, nil
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	switch mechanism {
	case "plain":
		return append(options, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())), nil
	case "scram-sha-256":
		return append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism())), nil
	case "scram-sha-512":
		return append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())), nil
	}
	return nil, errors.New("sasl must be plain, scram-sha-256 or scram-sha-512")
}
