package anymail

import (
	"context"
	"mime"
	"net/http"
	"net/netip"
	"time"
)

// Adapter is what an ESP package provides: the ESP's name and the endpoints
// that the ESP calls. examples/newesp has one from beginning to end.
type Adapter interface {
	// ESP returns the canonical name: lower case letters, digits and
	// underscores, for example "mailgun". Every event bears it.
	ESP() string
	// Endpoints returns what the ESP can call. Register calls it once.
	Endpoints() []Endpoint
}

// Endpoint is one URL that an ESP calls: POST {mount}/{name}/{Path}.
type Endpoint struct {
	// Path is "tracking", "inbound", or another single segment. The empty path
	// is the adapter's own root, for an ESP that calls one URL for everything.
	Path string
	// Verifier proves that a payload is the ESP's. It is nil if the ESP signs
	// nothing; the endpoint needs a shared secret then.
	Verifier Verifier
	// Parser turns an authentic payload into events.
	Parser EventParser

	// ContentTypes lists the media types that Parser understands. Any other is
	// refused with 415. An empty list means any.
	ContentTypes []string
	// Window is how far the signed timestamp may be from now, in either
	// direction, unless [WithTimestampWindow] says otherwise. If the ESP signs
	// the time of the event and not of the attempt, it is long enough for the
	// ESP's retries. Default: [DefaultTimestampWindow].
	Window time.Duration
	// RepeatsSignature reports whether the ESP makes, or may make, every attempt
	// at an event with the same signature, so that a redelivery cannot be told
	// from a replay. If its events were all completed, it is answered with 200
	// and nothing runs. A refusal would make the ESP retry until it gives up on
	// the endpoint.
	RepeatsSignature bool
	// MaxBody is the largest body in bytes, unless [WithLimits] says otherwise.
	// Default: [DefaultMaxBody].
	MaxBody int64
	// SecretHeaders names the headers other than Authorization in which the ESP
	// sends a secret. [Rejection] does not have them.
	SecretHeaders []string
	// Challenge answers a request without a shared secret with 401 and
	// WWW-Authenticate, for an ESP that sends credentials only if challenged.
	Challenge bool
	// NeedsSecret reports whether Verifier demands a shared secret in addition
	// to what it checks itself. Such an endpoint cannot be registered without one.
	NeedsSecret bool
	// TestOnly reports whether Verifier accepts, for tests, requests that are not
	// the ESP's. [Dispatcher.Register] refuses such an endpoint if [RequireTLS] is
	// set, and otherwise logs a warning.
	TestOnly bool
	// MapStatus replaces the status of an answer if this ESP reads it differently
	// from others: it gets the usual status and returns the one to send. Nil
	// means the usual one.
	MapStatus func(status int) int
	// Patience is how long the ESP waits for an answer. A slower answer is logged.
	// 0 means that it is not known.
	Patience time.Duration
	// Probes are methods other than HEAD by which the ESP tries the URL. They
	// are answered with 200.
	Probes []string
	// ProbeHeader is in the answers to Probes, for an ESP that wants more than the
	// status: CloudEvents needs WebHook-Allowed-Origin. Anyone can ask for it.
	ProbeHeader http.Header
	// ProbeBody is the body of the answers to Probes, of the Content-Type that
	// ProbeHeader has. Anyone can ask for it.
	ProbeBody []byte
	// ProbeEcho names a parameter of the query whose value is the body of the answer
	// to Probes, for an ESP that wants its challenge back. Anyone can ask for it.
	ProbeEcho string
	// Handshake, if not nil, gets an authentic payload before Parser. If it
	// returns a Reply, that is the answer and there are no events.
	Handshake func(context.Context, *Payload) (*Reply, error)
	// Answer is the answer to a request whose events are completed or queued. Its zero
	// value is 200 without a body, which is all that ESPs read.
	Answer Reply
}

// Reply is the answer to a request. A zero Status means 200.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte

	header http.Header // of an answer to a probe
}

// Verifier proves that a payload comes from the ESP. It looks at bytes, never
// at their meaning. Package verify has one for every common scheme.
type Verifier interface {
	// Verify returns how p proved authentic, or [ErrUnauthenticated]. Any other
	// error means that it cannot tell now, for example because a certificate
	// could not be fetched, and makes the ESP retry.
	Verify(ctx context.Context, p *Payload) (Proof, error)
}

// VerifierFunc is a function as a [Verifier].
type VerifierFunc func(context.Context, *Payload) (Proof, error)

// Verify calls f.
func (f VerifierFunc) Verify(ctx context.Context, p *Payload) (Proof, error) { return f(ctx, p) }

// Proof tells how a payload proved authentic.
type Proof struct {
	// SignedAt is the time that the signature covers, zero if the ESP signs
	// none. The Dispatcher refuses a time outside the endpoint's window.
	SignedAt time.Time
	// Fingerprint identifies what was signed: it is the same for every delivery
	// of the same signed content and cannot be changed without the key. It is
	// the MAC, or the digest of the content. The Dispatcher refuses a
	// fingerprint whose events were all completed. It is nil if nothing was
	// signed.
	Fingerprint []byte
	// Key is the index of the key that matched, to follow a rotation.
	Key int
	// TestKey reports whether the key that matched is one that the ESP publishes
	// for its tests. Any client can sign with it, so it proves nothing: the
	// request is answered with 200, makes no events, and counts as a failure in
	// [RateLimit].
	TestKey bool
}

// EventParser turns an authentic payload into events.
type EventParser interface {
	// ParseEvents returns the payload's events in their order, none for a ping.
	// An event that it does not know becomes an [EventUnknown]. It returns an
	// error only if it can make nothing of the payload: [ErrMalformed] (a retry
	// does not help), [ErrUnavailable] or any other (the ESP should retry).
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

	// URL is the one that the ESP called, as far as the server knows it: see
	// [WithPublicURL] and [WithTrustedProxies]. Some ESPs sign it.
	URL    string
	Header http.Header
	// Body is the body byte for byte, as signatures need it, with a gzip content
	// encoding undone. Events may refer to it; it must not be changed, except by what
	// DecodesInPlace allows.
	Body []byte
	// RemoteAddr is the ESP's address, also behind trusted proxies.
	RemoteAddr netip.Addr
	ReceivedAt time.Time
	// SecretProved reports whether the request carried a valid shared secret.
	SecretProved bool
	// Proof is what the Verifier returned. The Verifier itself sees a zero Proof.
	Proof Proof
	// Limits are the bounds that parsers keep to.
	Limits Limits

	authentic bool   // it passed the Verifier, if there is one
	bodyFree  bool   // no hook gets Body, so that it may be changed
	dropsRaw  bool   // see WithoutInboundRaw
	secret    int    // index of the shared secret that matched, or -1
	visit     *visit // what counts the memory; nil if no Dispatcher made the payload
	media     string // what MediaType found
	form      *Form
	formErr   error
}

// MediaType returns the media type of Content-Type, in lower case and without
// parameters, or "" if there is none. It is not safe for concurrent use.
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
