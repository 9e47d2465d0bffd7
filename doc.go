// Package anymail receives the webhooks of e-mail service providers (ESPs):
// delivered, bounced, opened, complained, a message came in. It proves that each
// request is authentic, turns it into one model that is the same for all ESPs,
// and runs your functions on it.
//
// # From a request to your function
//
// [New] makes a [Dispatcher], an [net/http.Handler]. [Dispatcher.Register] adds
// an adapter, which a package below esp/ provides, and Connect a function:
//
//	d, err := anymail.New(anymail.WithSharedSecret(os.Getenv("WEBHOOK_SECRET"))) // "user:password"
//	adapter, err := postmark.New(postmark.Config{})
//	err = d.Register("postmark", adapter)
//	err = d.Tracking.Connect("suppress", func(ctx context.Context, ev *anymail.TrackingEvent) error {
//		return suppress(ctx, ev.Recipient) // an error makes the ESP come again
//	}, anymail.ForTypes(anymail.EventBounced, anymail.EventComplained))
//	http.Handle("/anymail/", http.StripPrefix("/anymail", d))
//
// The ESP is then told to post to
// https://user:password@your.host/anymail/postmark/tracking/. What it posts goes
// through the stages that [Stage] names: the guard (method, TLS, address, rate,
// shared secret, size), the adapter's [Verifier] (is it the ESP's?), its
// [EventParser] (what does it say?), and delivery.
//
// # Events
//
// A [TrackingEvent] says what became of a message that was sent, an
// [InboundEvent] holds one that was received. [EventType], [RejectReason] and
// [BounceCategory] mean the same whichever ESP reports; Raw is what the ESP
// itself wrote, and may share the memory of the request's body. Both have a JSON
// form, which [DecodeEvent] reads and schema/event.schema.json describes.
//
// # Once, and not lost
//
// ESPs repeat what was not answered with success, and sometimes what was. Every
// event has a Key that is the same each time, and an [IdempotencyStore] remembers
// which receiver has done which key: of three receivers one of which failed, the
// next attempt runs that one. By default the store is in memory; package sqlstore
// has one for several processes. A receiver that dies between its work and the
// note about it is run once more: "at least once", as it always is.
//
// The answer makes the ESP come again where that can help (a receiver failed:
// 500; overloaded, shutting down or a queue out of reach: 503), and not where it
// cannot (not authentic, malformed: 400). Receivers run before the answer. Where
// that takes too long, or they must not be lost when the process dies, an option
// of package durable puts a queue in front of them, and nothing else changes:
//
//	d, err := anymail.New(secret, durable.SQLite(ctx, "events.db"))
//	d, err := anymail.New(secret, durable.Postgres(ctx, databaseURL))
//
// [WithQueue] takes a queue of your own. [Dispatcher.Shutdown] stops in good
// order, with or without a queue.
//
// # Security
//
// An endpoint that anybody could post to does not start unless [Insecure] says
// so. Secrets and keys come from a [KeySource], so that they can be exchanged
// while requests run. Old or repeated requests are refused, everything that a
// request can cost is bounded ([Limits]), and neither logs nor answers hold
// secrets or payloads. See docs/securing.md.
//
// # An ESP of your own
//
// An [Adapter] is a list of [Endpoint] values. Package verify has the verifiers,
// wire and inbound what parsers are made of, and anymailtest/conformance the test
// suite that every adapter passes. See examples/newesp.
package anymail
