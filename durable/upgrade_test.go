package durable_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/durable"
)

// makeOld makes q's database that of an earlier version with jobs, each of which
// the version stored with its event, or with a reference to large content.
func makeOld(t *testing.T, q *durable.Queue, kind string, jobs []durable.OldJob) {
	t.Helper()
	bytes, id := "blob", "integer"
	if kind == "postgres" {
		bytes, id = "bytea", "bigint"
	}
	for _, statement := range []string{
		"DROP TABLE anymail_job", "DROP TABLE anymail_batch", "DROP TABLE anymail_key",
		"CREATE TABLE anymail_content (id text PRIMARY KEY, event " + bytes + " NOT NULL)",
		"CREATE TABLE anymail_content_job (job_id " + id + " PRIMARY KEY, content_id text NOT NULL)",
	} {
		_, err := q.DB().ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	ids, err := q.InsertOld(t.Context(), jobs)
	require.NoError(t, err)
	for i, job := range jobs {
		if job.Content == "" {
			continue
		}
		_, err := q.DB().ExecContext(t.Context(), "INSERT INTO anymail_content VALUES ($1, $2) ON CONFLICT DO NOTHING", job.Content, job.Large)
		require.NoError(t, err)
		_, err = q.DB().ExecContext(t.Context(), "INSERT INTO anymail_content_job VALUES ($1, $2)", ids[i], job.Content)
		require.NoError(t, err)
	}
}

// A database of the first form has a job for each event and receiver. All of them
// are processed, and those that were done are not repeated.
func TestUpgrade(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		ctx := t.Context()
		const perState = 20 // together more than adopt reads at once
		var all []anymail.Event
		var old []durable.OldJob
		add := func(ev *anymail.TrackingEvent, content string) {
			all = append(all, ev)
			encoded, err := json.Marshal(ev)
			require.NoError(t, err)
			for _, receiver := range []string{"crm", "Other One"} {
				job := durable.OldJob{Receiver: receiver, Key: ev.Key, Event: encoded}
				if content != "" {
					job.Event, job.Content, job.Large = nil, content, encoded
				}
				old = append(old, job)
			}
		}
		want := map[string]int{}
		for i := range perState {
			for _, state := range []string{"done", "waiting", "running", "dead"} {
				ev := event(fmt.Sprintf("%s%d <&> é", state, i))
				ev.Raw = anymail.Raw("{\"nul\":\"\\u0000\\ud800\"}\xff\x00")
				add(ev, "")
				want[ev.Key] = map[string]int{"waiting": 2, "running": 2}[state]
			}
		}
		large := event("waiting, large")
		large.Description = strings.Repeat("large ", 10_000)
		add(large, "content")
		want[large.Key] = 2

		setup := db.open(t, new(anymail.Signals))
		makeOld(t, setup, db.kind, old)
		for state, set := range map[string]string{
			"done":    "state = 'completed', attempt = 1, finalized_at = created_at",
			"running": "state = 'running', attempt = 1, attempted_at = created_at",
			"dead":    "state = 'discarded', attempt = 15, finalized_at = created_at",
		} {
			_, err := setup.DB().ExecContext(ctx, "UPDATE river_job SET "+set+" WHERE args ->> 'key' LIKE '"+state+"%'")
			require.NoError(t, err)
		}
		require.NoError(t, setup.Close())

		var signals anymail.Signals
		var calls counter
		receive := func(_ context.Context, ev *anymail.TrackingEvent) error {
			if len(ev.Raw) == 0 || (ev.Key == large.Key && ev.Description != large.Description) {
				return errors.New("the event is not the same")
			}
			return calls.receive(ctx, ev)
		}
		connect(t, &signals, "crm", receive)
		connect(t, &signals, "Other One", receive)
		q := db.open(t, &signals, durable.WithBackoff(soon))
		var contents int
		require.Error(t, q.DB().QueryRowContext(ctx, "SELECT count(*) FROM anymail_content").Scan(&contents), "is gone")
		stats, err := q.Stats(ctx)
		require.NoError(t, err)
		require.Equal(t, 2*perState, stats.Dead)
		require.Equal(t, 2*perState, stats.Running)
		require.Equal(t, 2*perState+2, stats.Pending)

		require.NoError(t, q.Enqueue(ctx, all), "the ESP redelivers everything")
		again, err := q.Stats(ctx)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(stats, again))
		ageDeadProcess(t, q, db.kind)
		start(t, q)
		settle(t, q)
		got := calls.all()
		for key, n := range want {
			require.Equal(t, n, got[key], key)
		}

		dead, err := q.List(ctx, durable.Filter{Limit: 1})
		require.NoError(t, err)
		require.Len(t, dead, 1)
		_, ev, err := q.Get(ctx, dead[0].ID)
		require.NoError(t, err)
		require.Equal(t, dead[0].Key, ev.Base().Key)
		n, err := q.RetryAll(ctx, durable.Filter{})
		require.NoError(t, err)
		require.Equal(t, 2*perState, n)
		settle(t, q)
		done, err := q.List(ctx, durable.Filter{State: durable.Done, Limit: 10_000})
		require.NoError(t, err)
		require.Len(t, done, len(old))
		var left int
		require.NoError(t, q.DB().QueryRowContext(ctx, "SELECT count(*) FROM anymail_batch").Scan(&left))
		require.Zero(t, left)
	})
}
