// Package anymailtest is for tests of programs that receive events, and for
// tests of adapters. [Post] passes a signed request of an event type to a handler
// of your own. A [Server] is a Dispatcher to which a simulator of package
// simulator posts signed requests. A [Recorder] keeps the events. [Parse]
// passes a request to a parser, [Equal] compares events, and [FuzzParser] fuzzes a
// parser.
//
// Package conformance, below this one, is the test suite that every adapter
// passes.
package anymailtest
