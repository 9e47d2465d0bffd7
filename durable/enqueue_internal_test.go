package durable

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// Requests that share a transaction do not share its failure.
func TestRequestsFailOneByOne(t *testing.T) {
	q, err := OpenSQLite(t.Context(), ":memory:", nil, WithLogger(slog.New(slog.DiscardHandler)), WithMaxPending(3))
	require.NoError(t, err)
	defer q.Close()
	_, err = q.db.ExecContext(t.Context(), "CREATE TRIGGER bad BEFORE INSERT ON anymail_batch WHEN instr(new.events, 'bad') BEGIN SELECT RAISE(FAIL, 'bad'); END")
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var requests []*request
	add := func(ctx context.Context, key string) {
		requests = append(requests, &request{ctx: ctx, deliveries: 1, stored: make(chan error, 1), events: []encodedEvent{
			{json: []byte(`"` + key + `"`), key: key, receivers: []string{"crm"}, hashes: []hash{hashOf("crm", key)}}}})
	}
	add(t.Context(), "one")
	add(gone, "gone")
	add(t.Context(), "bad")
	add(t.Context(), "two")
	add(t.Context(), "too many")
	q.storeRequests(slices.Clone(requests))
	var results []string
	for _, r := range requests {
		results = append(results, fmt.Sprint(<-r.stored != nil))
	}
	require.Equal(t, []string{"false", "true", "true", "false", "true"}, results)
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, stats.Pending)
}

func TestEnqueueEndsWithItsContext(t *testing.T) {
	var signals anymail.Signals
	require.NoError(t, signals.Tracking.Connect("crm", func(context.Context, *anymail.TrackingEvent) error { return nil }))
	q, err := OpenSQLite(t.Context(), ":memory:", &signals, WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer q.Close()
	q.requests.working = true // no transaction begins
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, q.Enqueue(ctx, []anymail.Event{&anymail.TrackingEvent{Common: anymail.Common{Key: "k"}}}), anymail.ErrUnavailable)
}

// Requests are grouped up to a number of events.
func TestGroupsAreBounded(t *testing.T) {
	q, err := OpenSQLite(t.Context(), ":memory:", nil, WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer q.Close()
	transactions, transact := 0, q.transact
	q.transact = func(ctx context.Context, work func(session) error) error {
		transactions++
		return transact(ctx, work)
	}
	var requests []*request
	for r := range 5 {
		request := &request{ctx: t.Context(), stored: make(chan error, 1)}
		for e := range maxGroupEvents / 2 {
			key := fmt.Sprint(r, " ", e)
			request.events = append(request.events, encodedEvent{[]byte("{}"), key, []string{"crm"}, []hash{hashOf("crm", key)}})
		}
		requests = append(requests, request)
	}
	q.storeRequests(requests)
	require.Equal(t, 3, transactions)
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5*maxGroupEvents/2, stats.Pending)
	var batches int
	require.NoError(t, q.db.QueryRowContext(t.Context(), "SELECT count(*) FROM anymail_batch").Scan(&batches))
	rows := func(events int) int { return (events + maxBatchEvents - 1) / maxBatchEvents }
	require.Equal(t, 2*rows(maxGroupEvents)+rows(maxGroupEvents/2), batches)
}
