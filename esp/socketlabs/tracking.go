package socketlabs

import (
	"cmp"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// event is any event.
// https://help.socketlabs.com/docs/event-webhooks-events
type event struct {
	Type      string            `json:"Type"`
	DateTime  wire.RFC3339      `json:"DateTime"`
	MessageID wire.Text         `json:"MessageId"`
	Address   wire.Text         `json:"Address"`
	Data      wire.Object[data] `json:"Data"`

	FailureType    wire.Text   `json:"FailureType"` // a name or a number
	FailureCode    wire.Number `json:"FailureCode"`
	BounceStatus   wire.Text   `json:"BounceStatus"`
	DiagnosticCode wire.Text   `json:"DiagnosticCode"`
	DeferralCode   wire.Number `json:"DeferralCode"`
	Reason         wire.Text   `json:"Reason"`
	Response       wire.Text   `json:"Response"`
	FblType        wire.Text   `json:"FblType"`

	TrackingType wire.Text `json:"TrackingType"` // a name or a number
	URL          wire.Text `json:"Url"`
	UserAgent    wire.Text `json:"UserAgent"` // of a complaint, the program that reported it
	ClientIP     wire.Text `json:"ClientIp"`
}

type data struct {
	Meta []meta       `json:"Meta"`
	Tags wire.Strings `json:"Tags"`
}

type meta struct {
	Key   wire.Text `json:"Key"`
	Value wire.Text `json:"Value"`
}

// The names of outcomes are Type and, in lower case, FailureType or TrackingType.
// https://github.com/socketlabs/SocketLabs.EventWebhooks.Extensions
var outcomes = map[string]wire.Outcome{
	"Queued":               {Type: anymail.EventQueued},
	"Delivered":            {Type: anymail.EventDelivered},
	"Deferred":             {Type: anymail.EventDeferred, Category: anymail.BounceSoft},
	"Failed":               {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined},
	"Failed temporary":     {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"Failed 0":             {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceSoft},
	"Failed permanent":     {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"Failed 1":             {Type: anymail.EventBounced, Reason: anymail.RejectBounced, Category: anymail.BounceHard},
	"Failed suppressed":    {Type: anymail.EventRejected},
	"Failed 2":             {Type: anymail.EventRejected},
	"Complaint":            {Type: anymail.EventComplained, Reason: anymail.RejectSpam},
	"Tracking click":       {Type: anymail.EventClicked},
	"Tracking 0":           {Type: anymail.EventClicked},
	"Tracking open":        {Type: anymail.EventOpened},
	"Tracking 1":           {Type: anymail.EventOpened},
	"Tracking unsubscribe": {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
	"Tracking 2":           {Type: anymail.EventUnsubscribed, Reason: anymail.RejectUnsubscribed},
}

// codes are what a FailureCode says in addition. Those that are not here leave it to
// FailureType and the answer of the receiving server.
var codes = map[int]wire.Outcome{
	1002: {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // a blacklist
	1003: {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // a blacklist
	1004: {Reason: anymail.RejectSpam, Category: anymail.BounceBlock},           // the content
	1006: {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // too many connections
	1007: {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // a virus
	1011: {Type: anymail.EventAutoresponded},                                    // a challenge
	1999: {Reason: anymail.RejectBounced, Category: anymail.BounceUndetermined}, // the message, not the address
	2001: {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},         // the address
	2002: {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},         // the domain
	2003: {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},         // its format
	2004: {Reason: anymail.RejectInvalid, Category: anymail.BounceHard},         // no longer valid
	3001: {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // mailbox full
	3003: {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},        // "try later", to the end
	4001: {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},        // busy
	4002: {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},        // protocol error or timeout
	4003: {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},        // no connection
	4004: {Reason: anymail.RejectTimedOut, Category: anymail.BounceSoft},        // message too old
	4006: {Reason: anymail.RejectBlocked, Category: anymail.BounceBlock},        // no mail for the domain
	4999: {Reason: anymail.RejectBounced, Category: anymail.BounceSoft},         // system, network or protocol
	5001: {Type: anymail.EventAutoresponded},                                    // out of office
	5999: {Type: anymail.EventAutoresponded},                                    // other information
}

func fill(w *event, ev *anymail.TrackingEvent) {
	name := strings.TrimSpace(w.Type + " " + strings.ToLower(cmp.Or(string(w.FailureType), string(w.TrackingType))))
	outcomes[name].Apply(ev)
	ev.Timestamp = w.DateTime.Time
	ev.MessageID, ev.Recipient = string(w.MessageID), string(w.Address)
	ev.Tags = w.Data.Value.Tags
	for _, pair := range w.Data.Value.Meta {
		if ev.Metadata == nil {
			ev.Metadata = anymail.Metadata{}
		}
		ev.Metadata[string(pair.Key)] = string(pair.Value)
	}
	ev.Description = string(cmp.Or(w.Reason, w.FblType))
	switch ev.Type {
	case anymail.EventDelivered:
		wire.Answer(ev, string(w.Response))
	case anymail.EventDeferred:
		wire.Answer(ev, ev.Description)
		if code := codes[w.DeferralCode.Int()]; code.Category == anymail.BounceBlock {
			ev.Bounce.Category = anymail.BounceBlock
		}
	case anymail.EventBounced:
		wire.Answer(ev, string(w.DiagnosticCode))
		if code := wire.EnhancedCode(string(w.BounceStatus)); code != "" {
			ev.Bounce.EnhancedCode = code
		}
		codes[w.FailureCode.Int()].Apply(ev)
	case anymail.EventRejected:
		ev.RejectReason = wire.Suppression(ev.Description)
	case anymail.EventOpened, anymail.EventClicked, anymail.EventUnsubscribed:
		ev.ClickURL, ev.UserAgent, ev.IP = string(w.URL), string(w.UserAgent), wire.Addr(string(w.ClientIP))
	}
	ev.Key = keyOf(ev.Raw)
}

// keyOf returns the key of an event without an id: that of its text, apart from the
// secret key, which may be another one when the event is posted again.
func keyOf(raw []byte) string {
	var parts []string
	for name, value := range wire.Members(raw) {
		if string(name) != "SecretKey" {
			parts = append(parts, string(name), string(value))
		}
	}
	return anymail.EventKey(ESP, parts...)
}
