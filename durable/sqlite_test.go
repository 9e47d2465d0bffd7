package durable_test

import (
	"database/sql/driver"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// database/sql replaces a connection after a query on it was cancelled.
func TestMemoryDatabaseOutlivesConnection(t *testing.T) {
	t.Parallel()
	var signals anymail.Signals
	var calls counter
	connect(t, &signals, "crm", calls.receive)
	memory := database{kind: "sqlite", dsn: ":memory:"}
	q := memory.open(t, &signals)
	require.NoError(t, q.Enqueue(t.Context(), events("e", 3)))
	conn, err := q.DB().Conn(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, conn.Raw(func(any) error { return driver.ErrBadConn }), driver.ErrBadConn)
	_ = conn.Close()
	start(t, q)
	settle(t, q)
	require.Empty(t, cmp.Diff(once("e", 3), calls.all()))

	other := memory.open(t, &signals) // shares nothing with it
	done, err := other.List(t.Context(), durable.Filter{State: durable.Done})
	require.NoError(t, err)
	require.Empty(t, done)
}

func TestSQLiteSynchronous(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options []durable.Option
		want    int // as PRAGMA synchronous numbers them
	}{
		{[]durable.Option{quiet}, 2},
		{[]durable.Option{quiet, durable.WithRelaxedSync()}, 1},
	} {
		q, err := durable.OpenSQLite(t.Context(), onSQLite(t).dsn, new(anymail.Signals), c.options...)
		require.NoError(t, err)
		var synchronous int
		var journal string
		require.NoError(t, q.DB().QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous))
		require.NoError(t, q.DB().QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&journal))
		require.Equal(t, c.want, synchronous)
		require.Equal(t, "wal", journal)
		require.NoError(t, q.Close())
	}
}
