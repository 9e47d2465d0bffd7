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
// Enqueue stores all events of a request in one transaction, with a job for each
// receiver that wants some of them. Requests that arrive at the same time share the
// transaction. An event that was answered with success is on disk. It reaches each
// of these receivers at least once, even after a crash, a restart or a database
// outage. It reaches a receiver exactly once if the receiver works in [Tx]. A
// redelivery of an event has no effect while the event is remembered, see
// [WithRetention].
//
// A receiver that fails is called again later; the others are not. The event then
// has a job of its own. A job that failed [WithMaxAttempts] times is a dead letter:
// [Queue.List] shows it and [Queue.Retry] revives it. The queue does not keep the
// order of events.
//
// # Tables
//
// River's jobs say that there is work for a receiver. The package has three tables
// next to them, in the same transactions and the same backup:
//
//   - anymail_batch: up to 64 events that arrived together, as lines of JSON. The
//     row is removed when no receiver needs it any more.
//   - anymail_job: for each job its batch, which of the events are left, and their
//     hashes.
//   - anymail_key: a hash for each event and receiver, until the retention is over.
//     Its primary key makes redeliveries have no effect.
//
// Events are bytes and not jsonb, because PostgreSQL's jsonb would reject or change
// what ESPs send (NUL, lone surrogates, the order of keys).
package durable
