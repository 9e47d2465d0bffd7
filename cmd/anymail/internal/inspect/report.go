// Package inspect says whether a captured webhook is authentic, which check
// failed and what it compared, and what the events in it were made of. It sends
// the request through the library itself and watches.
package inspect

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
)

// Report is what came out. It holds signatures that are valid for the request
// that it is about, and no keys or secrets.
type Report struct {
	ESP       string  `json:"esp"`
	Title     string  `json:"-"` // what people call the ESP
	Endpoint  string  `json:"endpoint"`
	Request   Request `json:"request"`
	Checks    []Check `json:"checks"`
	Verdict   Verdict `json:"verdict"`
	Status    int     `json:"status"` // what a server with this configuration answers
	Handshake bool    `json:"handshake,omitempty"`
	Events    []Event `json:"events"`
}

// Request is what was read.
type Request struct {
	Form        string    `json:"form"`
	Method      string    `json:"method"`
	URL         string    `json:"url,omitempty"`
	ContentType string    `json:"content_type,omitempty"`
	BodyBytes   int       `json:"body_bytes"`
	ReceivedAt  time.Time `json:"received_at,omitzero"` // zero where nobody knows
	Notes       []string  `json:"notes,omitempty"`
}

// Verdict sums up.
type Verdict string

// The verdicts.
const (
	Authentic    Verdict = "authentic"
	NotAuthentic Verdict = "not authentic"
	NotChecked   Verdict = "not checked" // there was nothing to check with
	Undecided    Verdict = "undecided"   // it takes what is not at hand
	Malformed    Verdict = "malformed"   // authentic, or not checked, and of no use
)

// Result of a check.
type Result string

// The results.
const (
	OK      Result = "ok"
	Failed  Result = "failed"
	Skipped Result = "skipped"
	Open    Result = "undecided"
)

// The names of the checks, in their order.
const (
	CheckRequest   = "request"
	CheckSecret    = "shared secret"
	CheckSignature = "signature"
	CheckTime      = "time window"
	CheckHandshake = "handshake"
	CheckPayload   = "payload"
)

// Check is one step on the request's way.
type Check struct {
	Name        string       `json:"name"`
	Result      Result       `json:"result"`
	Reason      string       `json:"reason"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
	Hints       []string     `json:"hints,omitempty"`
}

// Comparison is what was offered beside what would have been right.
type Comparison struct {
	// Place is where the offered signature stands, Offered the signature as it
	// is written there; for a secret no more than its beginning.
	Place   string   `json:"place,omitempty"`
	Offered []string `json:"offered,omitempty"`
	Keys    []Key    `json:"keys,omitempty"`
	// Signed is what has to be signed, of SignedBytes bytes.
	Signed      string    `json:"signed,omitempty"`
	SignedBytes int       `json:"signed_bytes,omitempty"`
	SignedAt    time.Time `json:"signed_at,omitzero"`
	Error       string    `json:"error,omitempty"`
	Secret      bool      `json:"secret,omitempty"` // a secret was compared, not a signature
}

// Key is what one key makes of it.
type Key struct {
	Number   int    `json:"number"` // from 1, in the order in which they were given
	Kind     string `json:"kind"`
	Computed string `json:"computed,omitempty"` // the signature that this key accepts
	Digest   string `json:"digest,omitempty"`   // of the content, for a public key
	Signed   string `json:"signed,omitempty"`   // the digest that the owner of the key did sign
	Valid    bool   `json:"valid"`
}

// Event is a normalized event beside what it was made of.
type Event struct {
	Event anymail.Event `json:"event"`
	provenance.Listing
}
