package durable_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

func TestConfigurationErrors(t *testing.T) {
	for name, option := range map[string]durable.Option{
		"workers":               durable.WithWorkers(0),
		"attempts":              durable.WithMaxAttempts(0),
		"backoff":               durable.WithBackoff(nil),
		"timeout":               durable.WithTimeout(0),
		"retention":             durable.WithRetention(-1),
		"dead letter retention": durable.WithDeadLetterRetention(0),
		"max pending":           durable.WithMaxPending(0),
		"max repeats":           durable.WithMaxRepeats(0),
		"inline limit":          durable.WithInlineLimit(-1),
		"polling":               durable.WithPolling(time.Second, time.Millisecond),
		"logger":                durable.WithLogger(nil),
	} {
		_, err := durable.OpenSQLite(t.Context(), ":memory:", new(anymail.Signals), option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		_, err = durable.OpenPostgres(t.Context(), "postgres://db.example.com/x", new(anymail.Signals), option)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
	_, err := durable.OpenPostgres(t.Context(), "postgres://user:s3cret-passw0rd@db.example.com:bad/x", new(anymail.Signals))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
	_, err = durable.OpenSQLite(t.Context(), t.TempDir(), new(anymail.Signals))
	require.Error(t, err)
}

func TestBackoff(t *testing.T) {
	for failures, seconds := range map[int]float64{-1: 1, 0: 1, 1: 1, 2: 16, 3: 81, 14: 38416, 1000: 6_250_000} {
		wait := durable.Backoff(failures).Seconds()
		require.GreaterOrEqual(t, wait, 0.9*seconds)
		require.LessOrEqual(t, wait, 1.1*seconds)
	}
}

func TestRetention(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		var calls counter
		connect(t, &signals, "crm", func(_ context.Context, ev *anymail.TrackingEvent) error {
			calls.add(ev.Key)
			if ev.Key == "dead0" {
				return durable.Permanent(errors.New("never"))
			}
			return nil
		})
		q := db.open(t, &signals, durable.WithRetention(time.Hour))
		both := append(events("done", 1), events("dead", 1)...)
		start(t, q)
		require.NoError(t, q.Enqueue(ctx, both))
		settle(t, q)
		past := "now() - interval '59 minutes'"
		if db.kind == "sqlite" {
			past = "strftime('%Y-%m-%d %H:%M:%f', 'now', '-59 minutes')"
		}
		_, err := q.DB().ExecContext(ctx, "UPDATE river_job SET finalized_at = "+past+" WHERE finalized_at IS NOT NULL")
		require.NoError(t, err)
		require.NoError(t, q.Enqueue(ctx, both))
		settle(t, q)
		require.Empty(t, cmp.Diff(map[string]int{"done0": 1, "dead0": 1}, calls.all()), "remembered")

		_, err = q.DB().ExecContext(ctx, "UPDATE river_job SET finalized_at = "+strings.Replace(past, "59", "61", 1)+" WHERE finalized_at IS NOT NULL")
		require.NoError(t, err)
		restart(t, q)
		eventually(t, func() bool {
			done, err := q.List(ctx, durable.Filter{State: durable.Done})
			return err == nil && len(done) == 0
		}, "the job is not removed")
		require.NoError(t, q.Enqueue(ctx, both))
		settle(t, q)
		require.Empty(t, cmp.Diff(map[string]int{"done0": 2, "dead0": 1}, calls.all()), "dead letters stay")
	})
}

// docs/durable.md repeats the defaults in one table.
func TestDocumentedDefaults(t *testing.T) {
	page, err := os.ReadFile("../docs/durable.md")
	require.NoError(t, err)
	for constant, value := range map[string]any{
		"DefaultWorkers":      durable.DefaultWorkers,
		"DefaultMaxAttempts":  durable.DefaultMaxAttempts,
		"DefaultTimeout":      durable.DefaultTimeout,
		"DefaultRetention":    durable.DefaultRetention,
		"DefaultMaxPending":   durable.DefaultMaxPending,
		"DefaultMaxRepeats":   durable.DefaultMaxRepeats,
		"DefaultInlineLimit":  durable.DefaultInlineLimit,
		"DefaultPollCooldown": durable.DefaultPollCooldown,
		"DefaultPollInterval": durable.DefaultPollInterval,
		"DefaultMaxConns":     durable.DefaultMaxConns,
		"DefaultListLimit":    durable.DefaultListLimit,
	} {
		require.Contains(t, string(page), fmt.Sprintf("| `%s` | %v |", constant, value))
	}
}

// A queue that is opened without migration makes no tables, and manages the jobs of
// one that has them.
func TestWithoutMigration(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		var signals anymail.Signals
		connect(t, &signals, "crm", new(counter).receive)
		open := func() (*durable.Queue, error) {
			if db.kind == "postgres" {
				return durable.OpenPostgres(ctx, db.dsn, &signals, durable.WithoutMigration())
			}
			return durable.OpenSQLite(ctx, db.dsn, &signals, durable.WithoutMigration())
		}
		_, err := open()
		require.ErrorContains(t, err, "the tables are missing or of another version")
		_, err = open()
		require.ErrorContains(t, err, "the tables are missing or of another version", "the first call made none")

		require.NoError(t, db.open(t, &signals).Enqueue(ctx, events("e", 1)))
		q, err := open()
		require.NoError(t, err)
		defer q.Close()
		jobs, err := q.List(ctx, durable.Filter{State: durable.Pending})
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		require.NoError(t, q.Delete(ctx, jobs[0].ID))
	})
}
