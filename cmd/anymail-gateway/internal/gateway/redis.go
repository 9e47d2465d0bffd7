package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisBroker adds to a stream.
type redisBroker struct {
	client *redis.Client
	key    string
}

func newRedis(s Sink) (broker, error) {
	options, err := redis.ParseURL(s.URL)
	if err != nil {
		return nil, errors.New("the URL is not a Redis URL")
	}
	options.DialTimeout, options.ContextTimeoutEnabled = s.Timeout, true
	options.DialerRetries = 1 // the caller retries
	return &redisBroker{redis.NewClient(options), s.Topic}, nil
}

// publish adds an entry with the event as JSON, and with what consumers choose
// entries by in fields of its own.
func (b *redisBroker) publish(ctx context.Context, m *message) error {
	if err := b.checkSize(ctx, len(m.body)); err != nil {
		return err
	}
	base := m.event.Base()
	values := []any{"key", base.Key, "kind", string(m.event.Kind()), "type", string(base.Type), "esp", base.ESP}
	if base.Account != "" {
		values = append(values, "account", base.Account)
	}
	if !base.Timestamp.IsZero() {
		values = append(values, "timestamp", base.Timestamp.Format(time.RFC3339Nano))
	}
	for name, value := range m.trace {
		values = append(values, name, value)
	}
	return b.client.XAdd(ctx, &redis.XAddArgs{Stream: b.key, Values: append(values, "event", m.body)}).Err()
}

// The smallest value of proto-max-bulk-len, and its default.
const (
	redisAlwaysTakes = 1 << 20
	redisMaxBulk     = 512 << 20
)

// checkSize compares with the server's proto-max-bulk-len. The server would close
// the connection, often before its answer could be read.
func (b *redisBroker) checkSize(ctx context.Context, size int) error {
	if size <= redisAlwaysTakes {
		return nil
	}
	limit := redisMaxBulk
	settings, err := b.client.ConfigGet(ctx, "proto-max-bulk-len").Result()
	if n, parseErr := strconv.Atoi(settings["proto-max-bulk-len"]); err == nil && parseErr == nil {
		limit = n
	}
	if size > limit {
		return tooLargeError{fmt.Errorf("proto-max-bulk-len is %d", limit)}
	}
	return nil
}

func (b *redisBroker) check(ctx context.Context) error {
	kind, err := b.client.Type(ctx, b.key).Result()
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "NOPERM"):
		return nil // the server answers, and may allow XADD alone
	case err != nil:
		return err
	case kind != "stream" && kind != "none":
		return fmt.Errorf("the key %s is a %s, not a stream", b.key, kind)
	}
	return nil
}

func (b *redisBroker) lost() bool { return false }

func (b *redisBroker) Close() error { return b.client.Close() }
