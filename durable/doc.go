// Package durable keeps events on disk before the ESP is answered, and runs
// the receivers afterwards, each on its own, until it has done its work.
//
// The queue is River (https://riverqueue.com), in an SQLite file or in
// PostgreSQL. It is one option of [anymail.New]; receivers and adapters are
// connected and registered as ever:
//
//	d, err := anymail.New(durable.SQLite(ctx, "events.db"))
//
// and, when one machine is no longer enough, one line becomes another:
//
//	d, err := anymail.New(durable.Postgres(ctx, os.Getenv("DATABASE_URL")))
//
// New opens the database, makes its tables where they are missing and starts
// the workers, or returns an error. [anymail.Dispatcher.Shutdown] waits for the
// requests and the receivers that run and closes the database. [Of] is the
// [Queue], with its dead letters and numbers.
//
// [OpenSQLite] and [OpenPostgres] open a queue that is started and stopped by
// hand: for a process that only takes events, or only works.
//
// # What it promises
//
// Enqueue makes one job for each event and each receiver that wants it, all
// those of a request in one transaction. An event that was answered with
// success is on disk and reaches each of these receivers at least once: after
// a crash, a restart, or a time without the database. It reaches a receiver
// exactly once if the receiver does its work in the job's transaction, see
// [Tx]. A redelivery of an event does nothing for as long as its job is
// remembered, see [WithRetention].
//
// A receiver that fails is called again after a while, and the others are not;
// what failed [WithMaxAttempts] times is a dead letter, which [Queue.List]
// shows and [Queue.Retry] revives. Events are not kept in order.
//
// # Where content lives
//
// A job holds its event as base64, since PostgreSQL's jsonb would reject or
// change what ESPs send (NUL, lone surrogates, the order of keys). An event
// above [WithInlineLimit], usually a received message with attachments, is kept
// once for all its receivers in the table anymail_content, and removed within
// a minute after its last job is done. It is a table and not a bucket because
// content and jobs are then written in one transaction, without content that
// has no job or a job that has no content, and because one backup has
// everything.
package durable
