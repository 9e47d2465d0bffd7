package durable_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func TestLargeContent(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		var calls counter
		count := func(_ context.Context, ev *anymail.InboundEvent) error { calls.add(ev.Key); return nil }
		for _, name := range []string{"one", "two"} {
			require.NoError(t, signals.Inbound.Connect(name, count))
		}
		require.NoError(t, signals.Inbound.Connect("broken", func(context.Context, *anymail.InboundEvent) error { return errors.New("broken") }))
		q := db.open(t, &signals, durable.WithInlineLimit(1000), durable.WithMaxAttempts(1))
		contents := func() (n int) {
			require.NoError(t, q.DB().QueryRowContext(ctx, "SELECT count(*) FROM anymail_batch").Scan(&n))
			return n
		}
		jobBytes := func() (n int) {
			length := "max(length(args))"
			if db.kind == "postgres" {
				length = "max(length(args::text))"
			}
			require.NoError(t, q.DB().QueryRowContext(ctx, "SELECT "+length+" FROM river_job").Scan(&n))
			return n
		}
		large := &anymail.InboundEvent{Common: anymail.Common{ESP: "example", Key: "large"}, Message: anymail.InboundMessage{Text: strings.Repeat("text ", 10_000)}}
		for range 3 { // redeliveries add no content
			require.NoError(t, q.Enqueue(ctx, []anymail.Event{large, large}))
		}
		require.Equal(t, 1, contents())
		require.Less(t, jobBytes(), 1000)

		start(t, q)
		settle(t, q)
		require.Empty(t, cmp.Diff(map[string]int{"large": 2}, calls.all()))
		require.Equal(t, 1, contents(), "a dead letter needs it")
		dead, err := q.List(ctx, durable.Filter{})
		require.NoError(t, err)
		require.Len(t, dead, 1)
		_, ev, err := q.Get(ctx, dead[0].ID)
		require.NoError(t, err)
		require.Empty(t, diff(anymail.Event(large), ev))

		require.NoError(t, q.Delete(ctx, dead[0].ID))
		require.Zero(t, contents())
		done, err := q.List(ctx, durable.Filter{State: durable.Done})
		require.NoError(t, err)
		require.Len(t, done, 2)
		_, ev, err = q.Get(ctx, done[0].ID)
		require.NoError(t, err)
		require.Nil(t, ev)
	})
}
