package durable

import (
	"context"
	"database/sql"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStoreEndsWithItsContext(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+t.TempDir()+"/no-table.db") // every statement fails
	require.NoError(t, err)
	defer db.Close()
	c := newCompletions(db, completeSQLite, 1, slog.New(slog.DiscardHandler))
	stop := c.start(t.Context())
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	require.False(t, c.store(ctx, "crm", attempt{1, 1}), "one may wait while its worker goes on")
	cancel()
	require.False(t, c.store(ctx, "crm", attempt{2, 1}))
	stop()

	_, err = db.ExecContext(t.Context(), "CREATE TABLE river_job (id integer PRIMARY KEY, attempt integer, state text, finalized_at text);"+
		"INSERT INTO river_job VALUES (1, 1, 'running', NULL), (2, 1, 'running', NULL), (3, 2, 'running', NULL), (4, 1, 'running', NULL)")
	require.NoError(t, err)
	defer c.start(t.Context())()
	require.False(t, c.store(t.Context(), "other", attempt{3, 1}), "receivers do not share")
	require.True(t, c.store(t.Context(), "other", attempt{4, 1}))
	rows, err := db.QueryContext(t.Context(), "SELECT id FROM river_job WHERE state = 'completed' ORDER BY id")
	require.NoError(t, err)
	defer rows.Close()
	var done []int
	for rows.Next() {
		var id int
		require.NoError(t, rows.Scan(&id))
		done = append(done, id)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []int{1, 2, 4}, done, "another attempt of job 3 is running")
}
