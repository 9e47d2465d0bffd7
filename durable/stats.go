package durable

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// Stats are the numbers of events for a dashboard or an alert. An event that
// several receivers want counts for each of them.
type Stats struct {
	Pending int
	Running int // in jobs that a worker has: it runs them, or they are next
	Dead    int
	// Oldest is since when the oldest due job has been due; zero if no job is
	// due.
	Oldest time.Time
	// Arrived is when the oldest job that is pending or running was enqueued; zero
	// if there is no such job, or if the Stats are those of all receivers.
	Arrived time.Time
}

const (
	// countOpen counts the events of jobs that are not done.
	countOpen = "SELECT coalesce(sum(events), 0) FROM anymail_job WHERE open <> 0"
	countDead = "SELECT count(*) FROM river_job WHERE state IN ('cancelled', 'discarded') AND kind = '" + deliveryKind + "'"
)

// Stats counts events. It reads an index of all jobs that are not done: call it
// every ten seconds, not at every request. It also checks the database.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	var open int
	var due any
	err := q.db.QueryRowContext(ctx, "SELECT ("+countOpen+"), ("+countDead+")"+
		", (SELECT coalesce(sum(events), 0) FROM river_job JOIN anymail_job ON job_id = id WHERE state = 'running' AND kind = $1)"+
		", (SELECT min(scheduled_at) FROM river_job WHERE state = 'available' AND queue LIKE 'anymail-%')", deliveryKind).
		Scan(&open, &stats.Dead, &stats.Running, &due)
	if err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	stats.Pending = max(0, open-stats.Dead-stats.Running)
	if stats.Oldest, err = timeOf(due); err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	return stats, nil
}

// StatsByReceiver returns the numbers of each receiver that is connected or has jobs
// that are not done. Their Oldest is not set. It reads all jobs that are not done.
func (q *Queue) StatsByReceiver(ctx context.Context) (map[string]Stats, error) {
	all, receiverOf := map[string]Stats{}, map[string]string{}
	for _, receiver := range slices.Concat(q.signals.Tracking.Receivers(), q.signals.Inbound.Receivers()) {
		all[receiver], receiverOf[queueName(receiver)] = Stats{}, receiver
	}
	rows, err := q.db.QueryContext(ctx, "SELECT queue, state, CAST(sum(events) AS bigint), min(created_at) FROM anymail_job JOIN river_job ON id = job_id"+
		" WHERE open <> 0 AND state <> 'completed' AND queue LIKE 'anymail-%' GROUP BY queue, state")
	if err != nil {
		return nil, fmt.Errorf("durable: stats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var queue, state string
		var n int
		var created any
		if err := rows.Scan(&queue, &state, &n, &created); err != nil {
			return nil, fmt.Errorf("durable: stats: %w", err)
		}
		arrived, err := timeOf(created)
		if err != nil {
			return nil, fmt.Errorf("durable: stats: %w", err)
		}
		receiver := cmp.Or(receiverOf[queue], strings.TrimPrefix(queue, queuePrefix))
		stats := all[receiver]
		is := stateFromRiver(rivertype.JobState(state))
		stats.add(is, n)
		if is != Dead && (stats.Arrived.IsZero() || arrived.Before(stats.Arrived)) {
			stats.Arrived = arrived
		}
		all[receiver] = stats
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("durable: stats: %w", err)
	}
	return all, nil
}

// add counts n events of jobs of a state.
func (s *Stats) add(state State, n int) {
	switch state {
	case Pending:
		s.Pending += n
	case Running:
		s.Running += n
	case Dead:
		s.Dead += n
	}
}

// countPending counts the events that [WithMaxPending] limits.
func (q *Queue) countPending(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, "SELECT ("+countOpen+") - ("+countDead+")").Scan(&n)
	return n, err
}

// timeOf returns a time as PostgreSQL or SQLite, which has no type for it, returns it.
func timeOf(value any) (time.Time, error) {
	switch value := value.(type) {
	case time.Time:
		return value.UTC(), nil
	case string:
		return time.Parse(sqliteTime, value)
	}
	return time.Time{}, nil // NULL
}

// sqliteTime is the layout of River's times in SQLite. They are in UTC.
const sqliteTime = "2006-01-02 15:04:05.999"
