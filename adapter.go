package anymail

import (
	"context"
	"mime"
	"net/http"
	"net/netip"
	"time"
)

// Adapter is what an ESP package provides: the ESP's name and the endpoints
// that the ESP calls. See examples/newesp for one from beginning to end.
type Adapter interface {
	// ESP returns the canonical name, lower case letters, digits and
	// underscores, for example "mailgun". It stands in every event.
	ESP() string
	// Endpoints returns what the ESP can call. It is asked once, when the
	// adapter is registered.
	Endpoints() []Endpoint
}

// Endpoint is one URL that an ESP calls: POST {mount}/{name}/{Path}.
type Endpoint struct {
	// Path is "tracking", "inbound", or something else in a single segment.
	// The empty path is the adapter's own root, for an ESP that calls one URL
	// for everything.
	Path string
	// Verifier proves that a payload is the ESP's. Nil where the ESP signs
	// nothing: then a shared secret is needed.
	Verifier Verifier
	// Parser turns an authentic payload into events.
	Parser EventParser

	// ContentTypes lists the media types that Parser understands; anything
	// else is refused with 415. Empty means any.
	ContentTypes []string
	// Window is how far the signed timestamp may be from now, in either
	// direction, if [WithTimestampWindow] does not say otherwise: long enough
	// for the ESP's own retries where it signs the time of the event rather
	// than of the attempt. Zero means [DefaultTimestampWindow].
	Window time.Duration
	// RepeatsSignature says that the ESP makes, or may make, every attempt at an
	// event with the same signature, so that a redelivery cannot be told from a
	// replay. Where its events were all done it is answered with 200 and
	// nothing is run. Refused, it would come again until the ESP gives up on the
	// endpoint.
	RepeatsSignature bool
	// MaxBody is the largest body in bytes, if [WithLimits] does not say
	// otherwise. Zero means [DefaultMaxBody].
	MaxBody int64
	// Challenge makes a request without a shared secret be answered with 401
	// and WWW-Authenticate, for an ESP that sends credentials only when asked.
	Challenge bool
	// NeedsSecret says that Verifier demands a shared secret besides what it
	// looks at itself, so that without one the endpoint cannot be registered.
	NeedsSecret bool
	// MapStatus replaces the status of an answer if this ESP reads it differently
	// from others: it gets the usual one and returns the one to send. Nil means
	// the usual one.
	MapStatus func(status int) int
	// Probes are methods besides HEAD by which the ESP tries the URL; they are
	// answered with 200.
	Probes []string
	// Handshake, if set, looks at an authentic payload before Parser does. If
	// it returns a Reply, that is the answer and there are no events.
	Handshake func(context.Context, *Payload) (*Reply, error)
}

// Reply is the answer to a handshake. A zero Status is 200.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}

// Verifier proves that a payload comes from the ESP. It looks at bytes, never
// at their meaning. Package verify has one for every common scheme.
type Verifier interface {
	// Verify returns how p proved authentic, or an error that is
	// [ErrUnauthenticated]. Any other error means that it could not tell (a
	// certificate could not be fetched, say) and asks the ESP to retry.
	Verify(ctx context.Context, p *Payload) (Proof, error)
}

// VerifierFunc is a function as a [Verifier].
type VerifierFunc func(context.Context, *Payload) (Proof, error)

// Verify calls f.
func (f VerifierFunc) Verify(ctx context.Context, p *Payload) (Proof, error) { return f(ctx, p) }

// Proof says how a payload proved authentic.
type Proof struct {
	// SignedAt is the time that the signature covers; zero where the ESP signs
	// none. The Dispatcher refuses what is outside the endpoint's window.
	SignedAt time.Time
	// Fingerprint is the same whenever the same signed content comes again, and
	// cannot be changed without the key: the MAC, or the digest of what was
	// signed. The Dispatcher refuses a nonce whose events were all done. Nil
	// where nothing was signed.
	Fingerprint []byte
	// Key is the index of the key that matched, for a rotation to be watched.
	Key int
}

// EventParser turns an authentic payload into events.
type EventParser interface {
	// ParseEvents returns the payload's events in their order, none for a
	// ping. What it does not know becomes an [EventUnknown]. It returns an
	// error only where nothing can be made of the payload: [ErrMalformed] (do
	// not retry), [ErrUnavailable] or anything else (retry).
	ParseEvents(ctx context.Context, p *Payload) ([]Event, error)
}

// ParserFunc is a function as an [EventParser].
type ParserFunc func(context.Context, *Payload) ([]Event, error)

// ParseEvents calls f.
func (f ParserFunc) ParseEvents(ctx context.Context, p *Payload) ([]Event, error) { return f(ctx, p) }

// Payload is one request as verifiers and parsers see it.
type Payload struct {
	ESP      string // the adapter's canonical name
	Name     string // the name that the adapter is registered under
	Endpoint string // the endpoint's path

	// URL is the one that the ESP called, as far as this side can know it: see
	// [WithPublicURL] and [WithTrustedProxies]. Some ESPs sign it.
	URL    string
	Header http.Header
	// Body is the body byte for byte, as signatures need it (a gzip content
	// encoding is undone). Events may refer to it; it must not be changed.
	Body []byte
	// RemoteAddr is the ESP's address, behind trusted proxies too.
	RemoteAddr netip.Addr
	ReceivedAt time.Time
	// SecretProved is true where the request carried a valid shared secret.
	SecretProved bool
	// Proof is what the Verifier returned. It is zero for the Verifier itself.
	Proof Proof
	// Limits are the bounds that parsers keep to.
	Limits Limits

	media   string // what MediaType found
	form    *Form
	formErr error
}

// MediaType returns the media type that Content-Type names, in lower case and
// without parameters; "" where it names none. Not for concurrent use.
func (p *Payload) MediaType() string {
	const usual = "application/json"
	switch text := p.Header.Get("Content-Type"); {
	case text == usual:
		return usual
	case p.media == "" && text != "":
		p.media, _, _ = mime.ParseMediaType(text)
	}
	return p.media
}
