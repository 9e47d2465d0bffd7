// Package inspect finds out whether a captured webhook is authentic, which check
// fails and what it compared, and where the values of its events come from.
//
// A captured request with everything that it is checked with is an [attempt],
// which does not change. It is tried in up to three variations by sending it
// through the library; the checks, a list of functions, look at the outcomes.
package inspect

import (
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/provenance"
)

// Report is the result. It contains signatures that are valid for the request,
// and no keys or secrets.
type Report struct {
	ESP      string  `json:"esp"`
	Title    string  `json:"-"` // name of the ESP, for people
	Endpoint string  `json:"endpoint"`
	Request  Request `json:"request"`
	Checks   []Check `json:"checks"`
	Verdict  Verdict `json:"verdict"`
	// Covers is what the valid signature covers, if that is not the body.
	Covers    string  `json:"covers,omitempty"`
	Status    int     `json:"status"` // the answer of a server with these settings
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
	ReceivedAt  time.Time `json:"received_at,omitzero"` // zero if unknown
	// Refused is what the server answered and found, and Removed the headers that
	// it removed, if it wrote the capture.
	Refused string   `json:"refused,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// Verdict is the summary of all checks.
type Verdict string

// The verdicts.
const (
	Authentic    Verdict = "authentic"
	NotAuthentic Verdict = "not authentic"
	NotChecked   Verdict = "not checked" // no key or secret to check with
	Undecided    Verdict = "undecided"   // a check needs what is missing
	Malformed    Verdict = "malformed"   // authentic or not checked, and not understood
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

// The names of the checks, in order.
const (
	CheckRequest   = "request"
	CheckSecret    = "shared secret"
	CheckSignature = "signature"
	CheckTime      = "time window"
	CheckHandshake = "handshake"
	CheckPayload   = "payload"
	CheckReport    = "report"
)

// Check is the finding of one check.
type Check struct {
	Name        string       `json:"name"`
	Result      Result       `json:"result"`
	Reason      string       `json:"reason"`
	Comparisons []Comparison `json:"comparisons,omitempty"`
	Hints       []string     `json:"hints,omitempty"`
	// Signed is the body that was signed, if the captured one was made of it in a way
	// that a hint names.
	Signed []byte `json:"-"`
}

// Comparison is what the request offered next to what is valid.
type Comparison struct {
	// Place is where the offered signature is, Offered the signature as it is
	// encoded there; only the beginning of a secret.
	Place   string   `json:"place,omitempty"`
	Offered []string `json:"offered,omitempty"`
	Keys    []Key    `json:"keys,omitempty"`
	// Signed is the content that has to be signed, of SignedBytes bytes.
	Signed      string    `json:"signed,omitempty"`
	SignedBytes int       `json:"signed_bytes,omitempty"`
	SignedAt    time.Time `json:"signed_at,omitzero"`
	Error       string    `json:"error,omitempty"`
	Secret      bool      `json:"secret,omitempty"` // a secret was compared, not a signature
}

// Key is the comparison with one key.
type Key struct {
	Number   int    `json:"number"` // from 1, in the order in which they were given
	Kind     string `json:"kind"`
	Computed string `json:"computed,omitempty"` // the signature that this key accepts
	Digest   string `json:"digest,omitempty"`   // of the content, for a public key
	Signed   string `json:"signed,omitempty"`   // the digest that the key signed
	Valid    bool   `json:"valid"`
}

// Event is a normalized event next to the ESP's own.
type Event struct {
	Event anymail.Event `json:"event"`
	provenance.Listing
}
