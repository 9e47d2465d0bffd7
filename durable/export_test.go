package durable

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Quick makes River rescue a dead process's jobs soon, and begin maintenance
// immediately.
func Quick(rescueAfter time.Duration) Option {
	return func(s *settings) { s.rescueAfter, s.testOnly = rescueAfter, true }
}

// Pragma adds a pragma to those of SQLite.
func Pragma(pragma string) Option {
	return func(s *settings) { s.pragmas += "&_pragma=" + pragma }
}

// DB is the queue's database.
func (q *Queue) DB() *sql.DB { return q.db }

// Sweep calls sweep.
func (q *Queue) Sweep(ctx context.Context) error { return q.sweep(ctx) }

// QueueName is queueName.
var QueueName = queueName

// Pack is pack.
var Pack = pack

// OldJob is a job of versions up to November 2026: one event for one receiver.
type OldJob struct {
	Receiver string `json:"receiver" river:"unique"`
	Key      string `json:"key" river:"unique"`
	Event    []byte `json:"event,omitempty"`
	Content  string `json:"content,omitempty"`
	Large    []byte `json:"-"` // what Content refers to
}

// Kind implements [river.JobArgs].
func (OldJob) Kind() string { return deliveryKind }

// InsertOld inserts jobs as those versions did.
func (q *Queue) InsertOld(ctx context.Context, jobs []OldJob) (ids []int64, err error) {
	params := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		params[i] = river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{
			Queue:      queueName(job.Receiver),
			UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
		}}
	}
	err = q.transact(ctx, func(s session) error {
		ids, err = s.insert(ctx, params)
		return err
	})
	return ids, err
}
