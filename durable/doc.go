// Package durable stores events on disk before the ESP gets its answer. It runs
// the receivers afterwards and retries each of them on its own.
//
// The queue is River (https://riverqueue.com), in an SQLite file or in
// PostgreSQL. It is one option of [anymail.New]. Receivers and adapters are
// connected and registered as usual:
//
//	d, err := anymail.New(durable.SQLite(ctx, "events.db"))
//
// To use several machines, change that line:
//
//	d, err := anymail.New(durable.Postgres(ctx, os.Getenv("DATABASE_URL")))
//
// New opens the database, creates missing tables and starts the workers, or
// returns an error. [anymail.Dispatcher.Shutdown] waits for the requests and
// the receivers that are running, and closes the database. [Of] returns the
// [Queue], with its dead letters and statistics.
//
// [OpenSQLite] and [OpenPostgres] open a queue that the caller starts and
// stops: for a process that only accepts events, or only runs receivers.
//
// # Guarantees
//
// Enqueue makes one job for each event and each receiver that wants it. It
// stores all jobs of a request in one transaction. An event that was answered
// with success is on disk. It reaches each of these receivers at least once,
// even after a crash, a restart or a database outage. It reaches a receiver
// exactly once if the receiver works in the job's transaction, see [Tx]. A
// redelivery of an event has no effect while its job is remembered, see
// [WithRetention].
//
// A receiver that fails is called again later; the others are not. A job that
// failed [WithMaxAttempts] times is a dead letter: [Queue.List] shows it and
// [Queue.Retry] revives it. The queue does not keep the order of events.
//
// # Content
//
// A job holds its event as base64, because PostgreSQL's jsonb would reject or
// change what ESPs send (NUL, lone surrogates, the order of keys). An event
// larger than [WithInlineLimit], usually a received message with attachments,
// is stored once for all its receivers in the table anymail_content. It is
// removed within a minute after its last job is done. Content is in a table and
// not in a bucket, because one transaction then writes content and jobs: there
// is no content without a job and no job without its content. One backup has
// everything.
package durable
