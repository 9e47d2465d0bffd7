package durable

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

func TestJobWithoutReceiverIsSnoozed(t *testing.T) {
	q, err := OpenSQLite(t.Context(), ":memory:", new(anymail.Signals), WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer q.Close()
	encoded, err := json.Marshal(&anymail.TrackingEvent{Common: anymail.Common{Key: "k"}})
	require.NoError(t, err)
	_, err = q.db.ExecContext(t.Context(), "INSERT INTO anymail_batch VALUES (1, $1); INSERT INTO anymail_job VALUES (1, 1, 1, 1, randomblob(16))", encoded)
	require.NoError(t, err)
	q.beginning = t.Context()
	work := func() error {
		return (&deliverer{q: q}).Work(context.Background(), &river.Job[delivery]{JobRow: &rivertype.JobRow{ID: 1, Attempt: 1}, Args: delivery{Receiver: "crm", Key: "k"}})
	}
	var snoozed *rivertype.JobSnoozeError
	require.ErrorAs(t, work(), &snoozed)

	// A receiver's own ErrUnavailable is a failure like any other.
	require.NoError(t, q.signals.Tracking.Connect("crm", func(context.Context, *anymail.TrackingEvent) error { return anymail.ErrUnavailable }))
	err = work()
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.NotErrorAs(t, err, &snoozed)
}
