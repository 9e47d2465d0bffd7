package durable

import (
	"database/sql"
	"time"
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

// QueueName is queueName.
var QueueName = queueName
