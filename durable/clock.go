package durable

import (
	"context"
	"fmt"
	"time"
)

// databaseClock is the SQL that depends on how a database tells the time.
type databaseClock struct {
	now    string // as the type of River's times
	later  string // clockTolerance from now
	millis string // a query for the milliseconds since 1970
}

var (
	clockPostgres = databaseClock{"now()", "now() + interval '1 minute'",
		"SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"}
	clockSQLite = databaseClock{"datetime('now', 'subsec')", "datetime('now', 'subsec', '+1 minute')",
		"SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS integer)"}
)

const (
	clockTolerance = time.Minute
	clockInterval  = 30 * time.Second // between two readings
)

// reading is what the database's clock said, and when, by the clock that does not
// jump.
type reading struct {
	clock time.Time
	at    time.Time
}

// setBack reports whether the clock was set back, by more than the tolerance,
// between the readings before and r.
func (r reading) setBack(before reading) bool {
	return r.clock.Sub(before.clock) < r.at.Sub(before.at)-clockTolerance
}

func (q *Queue) readClock(ctx context.Context) (reading, error) {
	var millis int64
	err := q.db.QueryRowContext(ctx, q.dialect.clock.millis).Scan(&millis)
	return reading{time.UnixMilli(millis), time.Now()}, err
}

// watchClock reads the clock once in clockInterval, and corrects what was written
// before it was set back.
func (q *Queue) watchClock(ctx context.Context, last *reading) {
	if time.Since(last.at) < clockInterval {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clockInterval)
	defer cancel()
	now, err := q.readClock(ctx)
	if err == nil && now.setBack(*last) {
		q.settings.logger.WarnContext(ctx, "durable: the database's clock was set back", "from", last.clock, "to", now.clock)
		err = q.correctTimes(ctx)
	}
	if err == nil {
		*last = now
	}
}

// correctTimes replaces times that can be in the future only because the clock was
// set back after they were written. Without that, jobs would wait for as long as
// the jump was: new ones and failed ones to be due, those of a dead process to be
// rescued, and all that River's leader does for a leader that died.
func (q *Queue) correctTimes(ctx context.Context) error {
	for _, statement := range []string{
		"DELETE FROM river_leader WHERE expires_at > %[2]s",
		"UPDATE river_job SET attempted_at = %[1]s WHERE state = 'running' AND attempted_at > %[2]s AND kind LIKE 'anymail%%'",
		"UPDATE river_job SET scheduled_at = %[1]s WHERE state IN ('available', 'retryable', 'scheduled') AND scheduled_at > %[2]s" +
			" AND coalesce(attempted_at, created_at) > %[2]s AND kind LIKE 'anymail%%'",
	} {
		if _, err := q.db.ExecContext(ctx, fmt.Sprintf(statement, q.dialect.clock.now, q.dialect.clock.later)); err != nil {
			return fmt.Errorf("durable: correct times: %w", err)
		}
	}
	return nil
}
