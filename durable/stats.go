package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river/rivertype"
)

// Stats are the numbers of jobs for a dashboard or an alert.
type Stats struct {
	Pending int
	Running int
	Dead    int
	// Oldest is since when the oldest due job has been due; zero if no job is
	// due.
	Oldest time.Time
}

// Stats counts jobs. It reads an index of all jobs that are not done: call it
// every ten seconds, not at every request. It also checks the database.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	rows, err := q.db.QueryContext(ctx, "SELECT state, count(*) FROM river_job WHERE state <> 'completed' AND kind = $1 GROUP BY state", deliveryKind)
	if err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return stats, fmt.Errorf("durable: stats: %w", err)
		}
		switch stateFromRiver(rivertype.JobState(state)) {
		case Pending:
			stats.Pending += n
		case Running:
			stats.Running += n
		case Dead:
			stats.Dead += n
		}
	}
	if err := rows.Err(); err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
	var due any // SQLite does not have a type for times
	if err := q.db.QueryRowContext(ctx, "SELECT min(scheduled_at) FROM river_job WHERE state = 'available' AND queue LIKE 'anymail-%'").Scan(&due); err != nil {
		return stats, fmt.Errorf("durable: stats: %w", err)
	}
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

// sqliteTime is the layout of River's times in SQLite. They are in UTC.
const sqliteTime = "2006-01-02 15:04:05.999"
