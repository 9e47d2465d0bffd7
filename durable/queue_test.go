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

func TestEveryReceiverGetsEveryEventItWants(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var all, bounces counter
		connect(t, &signals, "all", all.receive)
		require.NoError(t, signals.Tracking.Connect("Bounces only!", bounces.receive, anymail.ForTypes(anymail.EventBounced)))
		q := db.open(t, &signals)

		batch := events("e", 20)
		bounced := event("b")
		bounced.Type = anymail.EventBounced
		batch = append(batch, bounced, batch[3], bounced) // an ESP may repeat itself in one request
		require.NoError(t, q.Enqueue(t.Context(), batch))
		require.NoError(t, q.Enqueue(t.Context(), batch), "a redelivery")

		start(t, q)
		settled(t, q)
		require.NoError(t, q.Enqueue(t.Context(), batch), "a redelivery of what is done")
		settled(t, q)

		want := once("e", 20)
		want["b"] = 1
		require.Empty(t, cmp.Diff(want, all.all()))
		require.Empty(t, cmp.Diff(map[string]int{"b": 1}, bounces.all()))
	})
}

func TestEventsComeOutAsTheyWentIn(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		gotTracking := make(chan *anymail.TrackingEvent, 10)
		gotInbound := make(chan *anymail.InboundEvent, 10)
		connect(t, &signals, "tracking", func(_ context.Context, ev *anymail.TrackingEvent) error { gotTracking <- ev; return nil })
		require.NoError(t, signals.Inbound.Connect("inbound", func(_ context.Context, ev *anymail.InboundEvent) error { gotInbound <- ev; return nil }))
		q := db.open(t, &signals)
		start(t, q)

		// What jsonb refuses or rewrites: NUL, invalid UTF-8, a lone surrogate
		// in the ESP's own escapes, repeated keys, large numbers.
		tracking := event("key with \x00 and \xff")
		tracking.Raw = anymail.Raw("{\"a\":\"\\u0000\\ud800\",\"a\":12345678901234567890123,\"z\":1e2}\xff\x00")
		tracking.Description = "nul \x00 in the middle"
		require.NoError(t, q.Enqueue(t.Context(), []anymail.Event{tracking}))
		require.Empty(t, cmp.Diff(tracking.Raw, (<-gotTracking).Raw))

		for _, size := range []int{10, 40_000} { // in the job, and beside it
			inbound := &anymail.InboundEvent{
				Common: anymail.Common{ESP: "example", Type: anymail.EventInbound, Key: strings.Repeat("k", size%97)},
				Message: anymail.InboundMessage{
					Subject:     "Holiday \x00 pictures",
					Headers:     anymail.Headers{{Name: "X-One", Value: "1"}, {Name: "X-One", Value: "2"}},
					Attachments: []anymail.Attachment{{Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: int64(size), Content: []byte(strings.Repeat("\x00\xfe", size/2))}},
				},
			}
			require.NoError(t, q.Enqueue(t.Context(), []anymail.Event{inbound}))
			require.Empty(t, diff(inbound, <-gotInbound))
		}
		settled(t, q)
	})
}

func TestOnlyTheReceiverThatFailedIsCalledAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		var signals anymail.Signals
		var good, bad counter
		connect(t, &signals, "good", good.receive)
		connect(t, &signals, "bad", func(_ context.Context, ev *anymail.TrackingEvent) error {
			if bad.add(ev.Key) < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		q := db.open(t, &signals, durable.WithBackoff(soon))
		start(t, q)
		require.NoError(t, q.Enqueue(t.Context(), events("e", 2)))
		settled(t, q)
		require.Empty(t, cmp.Diff(once("e", 2), good.all()))
		require.Empty(t, cmp.Diff(map[string]int{"e0": 3, "e1": 3}, bad.all()))
	})
}
