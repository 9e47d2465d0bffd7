// Package anymail receives the webhooks of e-mail service providers (ESPs): a
// message was delivered, bounced or opened, a recipient complained, a message was
// received. It checks that each request is authentic, turns it into events that are
// the same for all ESPs, and calls your functions with them.
//
// # From a request to your function
//
// [New] returns a [Dispatcher], which is an [net/http.Handler].
// [Dispatcher.Register] adds an adapter, which a package in esp/ provides. Connect
// adds a receiver, which is a function:
//
//	d, err := anymail.New(anymail.WithSharedSecret(os.Getenv("WEBHOOK_SECRET"))) // "user:password"
//	adapter, err := postmark.New(postmark.Config{})
//	err = d.Register("postmark", adapter)
//	err = d.Tracking.Connect("suppress", func(ctx context.Context, ev *anymail.TrackingEvent) error {
//		return suppress(ctx, ev.Recipient) // an error makes the ESP retry
//	}, anymail.ToSuppress)
//	http.Handle("/anymail/", http.StripPrefix("/anymail", d))
//
// At the ESP, set the webhook URL to
// https://user:password@your.host/anymail/postmark/tracking/. Each request passes
// the stages that [Stage] lists: the guard checks method, TLS, address, rate, shared
// secret and size; the adapter's [Verifier] checks the ESP's signature; its
// [EventParser] makes events of the payload; delivery calls the receivers.
//
// # Events
//
// A [TrackingEvent] reports what happened to a message that was sent. An
// [InboundEvent] holds a message that was received. [EventType], [RejectReason] and
// [BounceCategory] mean the same for every ESP. An event that the adapter does not
// know is an [EventUnknown], never an error. Raw is the ESP's own event, unchanged;
// it may share the memory of the request's body. Both kinds have a JSON form, which
// [DecodeEvent] reads and schema/event.schema.json describes.
//
// The filter [ToSuppress] passes the events after which the recipient must not be
// mailed again. Package suppress keeps a list of these recipients.
//
// # Redelivery
//
// ESPs retry after a failure, and sometimes after a success. Every event has a Key
// that is the same for each redelivery, and an [IdempotencyStore] records which
// receiver has completed which key. If one of three receivers fails, the next
// attempt runs that one only. The default store is in memory; package sqlstore has
// one for several processes. If a process dies after a receiver has run and before
// that is recorded, the receiver runs once more: delivery is at least once.
//
// The status of the response makes the ESP retry if a retry can succeed: 500 after a
// receiver failed; 503 on overload, during shutdown, or if a queue is unavailable.
// Otherwise it does not: 400 for an unauthenticated or malformed request.
//
// If the ESP stops waiting, the receivers keep running until the RequestTime of
// [Limits]. What they complete is recorded, so that the retry succeeds.
//
// # Queues
//
// By default, receivers run before the response. If that takes too long, or if
// events must survive the end of the process, an option of package durable puts a
// queue in front of them. Nothing else changes:
//
//	d, err := anymail.New(secret, durable.SQLite(ctx, "events.db"))
//	d, err := anymail.New(secret, durable.Postgres(ctx, databaseURL))
//
// [WithQueue] accepts a queue of your own. [Dispatcher.Shutdown] stops gracefully,
// with or without a queue.
//
// # Security
//
// An endpoint with neither a shared secret nor a signature key does not start unless
// you set [Insecure]. Secrets and keys come from a [KeySource], so that they can be
// replaced while requests run. Stale and replayed requests are refused. [Limits]
// bound what a request can cost. Logs, errors and responses hold no secrets and no
// payloads. See docs/securing.md.
//
// # Errors
//
// Errors match by [errors.Is]: "returns [ErrConfig]" means that the error is or wraps
// ErrConfig. [*RequestError], [*ReceiverError], [*PanicError] and [*ConfigError] have
// the details, for [errors.As].
//
// # Writing an adapter
//
// An [Adapter] is a list of [Endpoint] values. Package verify has verifiers, packages
// wire and inbound have the parts of parsers, and anymailtest/conformance is the test
// suite that every adapter passes. CONTRIBUTING.md lists the steps; examples/newesp
// has a complete adapter. docs/architecture.md explains the design.
package anymail
