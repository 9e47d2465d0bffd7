package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// content is the JSON form of an event that is too large for its jobs.
type content struct {
	id    string
	event []byte
}

// contentSchema creates the tables of the large events and of the jobs that need
// them. Its parameters are the database's types for bytes and for ids.
const contentSchema = `
CREATE TABLE IF NOT EXISTS anymail_content (
	id    text PRIMARY KEY,
	event %[1]s NOT NULL
);
CREATE TABLE IF NOT EXISTS anymail_content_job (
	job_id     %[2]s PRIMARY KEY,
	content_id text NOT NULL
);
CREATE INDEX IF NOT EXISTS anymail_content_job_content_id ON anymail_content_job (content_id);`

// sweep is the job that removes content whose jobs are done. River's leader
// makes one every minute, for all processes together.
type sweep struct{}

const (
	sweepQueue    = "anymail"
	sweepInterval = time.Minute
)

// Kind implements [river.JobArgs].
func (sweep) Kind() string { return "anymail_sweep" }

func newSweep() (river.JobArgs, *river.InsertOpts) {
	return sweep{}, &river.InsertOpts{Queue: sweepQueue, MaxAttempts: 1}
}

// sweep removes content that no job needs. It looks at the rows instead of
// counting down, so it does not matter how a job ended: by a worker, in a
// receiver's transaction, by Delete, or by River's own retention.
func (q *Queue) sweep(ctx context.Context) error {
	for _, statement := range []string{
		`DELETE FROM anymail_content_job WHERE NOT EXISTS (
			SELECT 1 FROM river_job WHERE river_job.id = anymail_content_job.job_id AND river_job.state <> 'completed')`,
		`DELETE FROM anymail_content WHERE NOT EXISTS (
			SELECT 1 FROM anymail_content_job WHERE anymail_content_job.content_id = anymail_content.id)`,
	} {
		if _, err := q.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("durable: sweep: %w", err)
		}
	}
	return nil
}
