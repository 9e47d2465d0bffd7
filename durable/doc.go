// Package durable keeps events on disk before the ESP is answered, and runs
// the receivers afterwards, each on its own, until it has done its work.
//
// A [Queue] is an [anymail.Queue] built on River (https://riverqueue.com), in
// an SQLite file or in PostgreSQL:
//
//	d, err := anymail.New()
//	// ...
//	q, err := durable.OpenSQLite(ctx, "events.db", &d.Signals)
//	// ...
//	err = d.Register("mailgun", adapter, anymail.WithQueue(q))
//	// ...
//	err = q.Start(ctx)
//
// and, when one machine is no longer enough, one line becomes another:
//
//	q, err := durable.OpenPostgres(ctx, os.Getenv("DATABASE_URL"), &d.Signals)
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
