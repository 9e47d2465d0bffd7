// Package relaysim plays mail servers that post what they receive, for tests and
// demonstrations.
package relaysim

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/simulator"
)

// New returns the simulator.
func New() *simulator.Simulator {
	return &simulator.Simulator{
		ESP:   relay.ESP,
		Title: "Raw mail relay",
		NewCredential: func() simulator.Credential {
			key := rand.Text()
			return simulator.Credential{Config: key, Private: key}
		},
		NewAdapter: func(trusted ...simulator.Credential) (anymail.Adapter, error) {
			return relay.New(relay.Config{SigningKeys: simulator.Keys(trusted)})
		},
		Sign: func(r *simulator.Request, c simulator.Credential, at time.Time) error {
			relay.Sign(r.Header, r.Body, c.Private.(string), at)
			return nil
		},
		Samples: []simulator.Sample{
			sample("anymail-relay", http.Header{relay.HeaderFrom: {"<ada@example.com>"}, relay.HeaderTo: {"<help@inbound.example.org>, <desk@inbound.example.org>"}},
				"", simulator.Envelope("ada@example.com", "help@inbound.example.org", "desk@inbound.example.org")),
			sample("null-sender", http.Header{relay.HeaderFrom: {"<>"}, relay.HeaderTo: {"<news@example.org>"}}, "", simulator.Envelope("", "news@example.org")),
			sample("cloudflare-worker", http.Header{relay.HeaderFrom: {"ada@example.com"}, relay.HeaderTo: {"help@inbound.example.org"}},
				"", simulator.Envelope("ada@example.com", "help@inbound.example.org")),
			// Action Mailbox posts no envelope. Postfix can be told to write it into
			// the message.
			sample("action-mailbox", http.Header{"User-Agent": {"Action Mailbox relayer v8.1.0"}},
				"Return-Path: <ada@example.com>\r\nX-Original-To: help@inbound.example.org\r\n", simulator.Envelope("ada@example.com", "help@inbound.example.org")),
			// Reports that come as mail. A program that has anymail.WithReports makes
			// tracking events of them.
			report("dsn", dsn), report("arf", arf), report("autoreply", autoreply), report("unsubscribe", unsubscribe),
		},
	}
}

// sample is the message of the parameters, with what the server writes on top of it.
// It has no event id.
func sample(name string, header http.Header, top string, envelope func(*anymail.InboundEvent)) simulator.Sample {
	return simulator.Sample{
		Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: true,
		Events: func(p simulator.Params) []anymail.Event {
			p.EventID, p.MIME = "", slices.Concat([]byte(top), p.MIME)
			return p.Received(envelope)
		},
		Make: func(p simulator.Params) simulator.Request {
			full := header.Clone()
			full.Set("Content-Type", "message/rfc822")
			return simulator.Request{Endpoint: "inbound", Header: full, Body: slices.Concat([]byte(top), p.MIME)}
		},
	}
}
