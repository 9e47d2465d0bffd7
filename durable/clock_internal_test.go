package durable

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
)

func TestClockReadings(t *testing.T) {
	start := reading{time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC), time.Now()}
	after := func(real, clock time.Duration) reading {
		return reading{start.clock.Add(clock), start.at.Add(real)}
	}
	require.False(t, after(0, 0).setBack(start))
	require.False(t, after(time.Hour, time.Hour).setBack(start))
	require.False(t, after(time.Hour, time.Hour-time.Minute).setBack(start), "tolerated")
	require.True(t, after(time.Hour, time.Hour-time.Minute-time.Millisecond).setBack(start))
	require.True(t, after(30*time.Second, -24*time.Hour).setBack(start))
	require.True(t, after(24*time.Hour, time.Second).setBack(start), "less than the time that has passed")
	require.False(t, after(30*time.Second, 24*time.Hour).setBack(start), "set ahead: everything is due, or overdue")

	q, err := OpenSQLite(t.Context(), ":memory:", nil, WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer q.Close()
	now, err := q.readClock(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), now.clock, time.Minute)
}

// While the queue runs, it notices that the clock was set back since the last
// reading.
func TestWatchClock(t *testing.T) {
	q, err := OpenSQLite(t.Context(), ":memory:", nil, WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer q.Close()
	_, err = q.db.ExecContext(t.Context(), "INSERT INTO river_leader (leader_id, name, elected_at, expires_at) VALUES ('dead', 'default', datetime('now'), datetime('now', '+1 day'))")
	require.NoError(t, err)
	leaders := func() (n int) {
		require.NoError(t, q.db.QueryRowContext(t.Context(), "SELECT count(*) FROM river_leader").Scan(&n))
		return n
	}
	now := time.Now()
	last := reading{now.Add(24 * time.Hour), now}
	q.watchClock(t.Context(), &last)
	require.Equal(t, 1, leaders(), "it was read a moment ago")
	last = reading{now.Add(-clockInterval), now.Add(-clockInterval)}
	q.watchClock(t.Context(), &last)
	require.Equal(t, 1, leaders(), "nothing has happened to the clock")
	require.WithinDuration(t, time.Now(), last.clock, time.Minute)
	last = reading{now.Add(24 * time.Hour), now.Add(-clockInterval)}
	q.watchClock(t.Context(), &last)
	require.Zero(t, leaders())
	require.WithinDuration(t, time.Now(), last.clock, time.Minute)
}

// If this process's clock is behind that of the database, the next attempt still
// waits for the backoff.
func TestBackoffUnderSkew(t *testing.T) {
	policy := retryPolicy(func(failures int) time.Duration { return time.Duration(failures) * time.Second })
	for skew, want := range map[time.Duration]time.Duration{
		0:                2 * time.Second,
		-24 * time.Hour:  2 * time.Second, // a job that was presumed dead
		30 * time.Minute: 30*time.Minute + 2*time.Second,
		24 * time.Hour:   time.Hour + 2*time.Second, // rather a clock that was set back
	} {
		synctest.Test(t, func(t *testing.T) {
			attempted := time.Now().Add(skew)
			next := policy.NextRetry(&rivertype.JobRow{AttemptedAt: &attempted, Errors: make([]rivertype.AttemptError, 1)})
			require.Equal(t, want, time.Until(next), skew)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, time.Second, time.Until(policy.NextRetry(&rivertype.JobRow{})), "not attempted")
	})
}
