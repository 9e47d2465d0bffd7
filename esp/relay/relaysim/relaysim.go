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
			sample("anymail-relay", func(p simulator.Params) simulator.Request {
				return message(p, http.Header{
					relay.HeaderFrom: {"<ada@example.com>"}, relay.HeaderTo: {"<help@inbound.example.org>, <desk@inbound.example.org>"},
				})
			}),
			sample("null-sender", func(p simulator.Params) simulator.Request {
				return message(p, http.Header{relay.HeaderFrom: {"<>"}, relay.HeaderTo: {"<news@example.org>"}})
			}),
			sample("cloudflare-worker", func(p simulator.Params) simulator.Request {
				return message(p, http.Header{relay.HeaderFrom: {"ada@example.com"}, relay.HeaderTo: {"help@inbound.example.org"}})
			}),
			// Action Mailbox posts no envelope. Postfix can be told to write it into
			// the message.
			sample("action-mailbox", func(p simulator.Params) simulator.Request {
				p.MIME = slices.Concat([]byte("Return-Path: <ada@example.com>\r\nX-Original-To: help@inbound.example.org\r\n"), p.MIME)
				return message(p, http.Header{"User-Agent": {"Action Mailbox relayer v8.1.0"}})
			}),
		},
	}
}

func sample(name string, request func(simulator.Params) simulator.Request) simulator.Sample {
	return simulator.Sample{Name: name, Endpoint: "inbound", Types: []anymail.EventType{anymail.EventInbound}, TakesMIME: true, Make: request}
}

func message(p simulator.Params, header http.Header) simulator.Request {
	header.Set("Content-Type", "message/rfc822")
	return simulator.Request{Endpoint: "inbound", Header: header, Body: p.MIME}
}
