package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

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

// sweep removes content that no job needs. It looks at what is there rather
// than counting down, so that it does not matter how a job came to its end: by
// a worker, in a receiver's transaction, deleted, or by River's own retention.
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
