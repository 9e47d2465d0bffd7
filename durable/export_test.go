package durable

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/goanymail/anymail"
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

// FloorRows returns the rows that Enqueue makes for a receiver "crm", for a COPY
// into river_job.
func FloorRows(events []anymail.Event) [][]any {
	rows := make([][]any, len(events))
	for i, ev := range events {
		args, key := floorRow(ev)
		rows[i] = []any{args, deliveryKind, DefaultMaxAttempts, queueName("crm"), "available", key, pgtype.Bits{Bytes: []byte{0xff}, Len: 8, Valid: true}}
	}
	return rows
}

// FloorJSON returns the same rows as a JSON array, for SQLite.
func FloorJSON(events []anymail.Event) string {
	type row struct {
		Args json.RawMessage `json:"args"`
		Key  string          `json:"key"`
	}
	rows := make([]row, len(events))
	for i, ev := range events {
		args, key := floorRow(ev)
		rows[i] = row{args, hex.EncodeToString(key)}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func floorRow(ev anymail.Event) (args, key []byte) {
	encoded, err := json.Marshal(ev)
	if err != nil {
		panic(err)
	}
	if args, err = json.Marshal(delivery{Receiver: "crm", Key: ev.Base().Key, Event: encoded}); err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte(ev.Base().Key))
	return args, sum[:]
}
