package durable

import (
	"context"
	"database/sql"
	"time"
)

// Quick lets a dead process's jobs be run again soon, and maintenance begin at
// once.
func Quick(rescueAfter time.Duration) Option {
	return func(s *settings) { s.rescueAfter, s.testOnly = rescueAfter, true }
}

// Pragma adds to the pragmas of SQLite.
func Pragma(pragma string) Option {
	return func(s *settings) { s.pragmas += "&_pragma=" + pragma }
}

// DB is the queue's database.
func (q *Queue) DB() *sql.DB { return q.db }

// Sweep runs the sweep now.
func (q *Queue) Sweep(ctx context.Context) error { return q.sweep(ctx) }

// QueueName is the name of a receiver's queue.
var QueueName = queueName
