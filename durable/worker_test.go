package durable_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func TestHooks(t *testing.T) {
	t.Parallel()
	var signals anymail.Signals
	var calls counter
	connect(t, &signals, "crm", calls.receive)
	seen := make(chan string, 10)
	hooks := func(name string) anymail.Hooks {
		return anymail.Hooks{Receiver: func(ctx context.Context, receiver string, ev anymail.Event) (context.Context, func(error)) {
			seen <- name + " begins " + receiver
			return ctx, func(err error) {
				seen <- fmt.Sprint(name, " ends ", err)
				panic("the end of a hook panics")
			}
		}}
	}
	q := database{kind: "sqlite", dsn: ":memory:"}.open(t, &signals, durable.WithHooks(hooks("outer")), durable.WithHooks(anymail.Hooks{}), durable.WithHooks(hooks("inner")),
		durable.WithHooks(anymail.Hooks{Receiver: func(context.Context, string, anymail.Event) (context.Context, func(error)) {
			panic("a hook panics")
		}}))
	start(t, q)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 1)))
	settle(t, q)
	var got []string
	for range 4 {
		got = append(got, <-seen)
	}
	require.Empty(t, cmp.Diff([]string{"outer begins crm", "inner begins crm", "inner ends <nil>", "outer ends <nil>"}, got))
	require.Empty(t, cmp.Diff(once("e", 1), calls.all()))
}
