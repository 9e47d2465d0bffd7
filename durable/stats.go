package durable

import (
	"context"
	"fmt"
	"time"
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
	var due any // SQLite does not have a type for times
	err := q.db.QueryRowContext(ctx, "SELECT ("+countOpen+"), ("+countDead+")"+
		", (SELECT coalesce(sum(events), 0) FROM river_job JOIN anymail_job ON job_id = id WHERE state = 'running' AND kind = $1)"+
		", (SELECT min(scheduled_at) FROM river_job WHERE state = 'available' AND queue LIKE 'anymail-%')", deliveryKind).
		Scan(&open, &stats.Dead, &stats.Running, &due)
	if err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	stats.Pending = max(0, open-stats.Dead-stats.Running)
	switch due := due.(type) {
	case time.Time:
		stats.Oldest = due.UTC()
	case string:
		if stats.Oldest, err = time.Parse(sqliteTime, due); err != nil {
			return stats, fmt.Errorf("durable: stats: %w", err)
		}
	}
	return stats, nil
}

// countPending counts the events that [WithMaxPending] limits.
func (q *Queue) countPending(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, "SELECT ("+countOpen+") - ("+countDead+")").Scan(&n)
	return n, err
}

// sqliteTime is the layout of River's times in SQLite. They are in UTC.
const sqliteTime = "2006-01-02 15:04:05.999"
