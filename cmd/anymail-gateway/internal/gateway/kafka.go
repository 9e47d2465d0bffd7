package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/goanymail/anymail/internal/cloudevent"
)

// kafkaBroker produces to a topic.
type kafkaBroker struct {
	client *kgo.Client
	topic  string
}

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
	return &kafkaBroker{client, s.Topic}, nil
}

// publish waits until all in-sync replicas have the message. The record's key is the
// event's, so that a compacted topic keeps one of several repeats.
func (b *kafkaBroker) publish(ctx context.Context, m *message) error {
	r := &kgo.Record{Topic: b.topic, Key: []byte(m.event.Base().Key), Value: m.body}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "content-type", Value: []byte(cloudevent.ContentType)})
	for _, a := range m.attributes("ce_") {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: a.Name, Value: []byte(a.Value)})
	}
	err := b.client.ProduceSync(ctx, r).FirstErr()
	if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) {
		return tooLargeError{err}
	}
	return err
}

// check asks for the topic without making it.
func (b *kafkaBroker) check(ctx context.Context) error {
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &b.topic
	request.Topics = []kmsg.MetadataRequestTopic{topic}
	response, err := request.RequestWith(ctx, b.client)
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("the topic %s: %w", b.topic, err)
		}
	}
	return nil
}

func (b *kafkaBroker) lost() bool { return false }

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
