package verify

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/keycache"
	"github.com/goanymail/anymail/internal/trace"
)

// SignedContent is what a payload claims to be signed, before a key is tried.
type SignedContent struct {
	// Signatures are the signatures that the payload came with. One of them has
	// to match.
	Signatures [][]byte
	// Content is what is signed, as chunks that follow one another.
	Content [][]byte
	// SignedAt is the time that the signature covers, if the ESP signs one.
	SignedAt time.Time
	// Fingerprint becomes that of the [anymail.Proof]. If nil, it is the one
	// that the verifier documents.
	Fingerprint []byte
}

// Layout reads what a payload claims to be signed: usually one content, or several if it
// can be read in several ways, for example with each of the URLs that the ESP
// may have called. They are tried in order. An error means that there are none.
type Layout func(*anymail.Payload) ([]SignedContent, error)

// Signatures reads the signatures of a payload. One of them has to match.
type Signatures func(*anymail.Payload) ([][]byte, error)

// Content returns what an ESP signs, as chunks that follow one another.
type Content func(*anymail.Payload) ([][]byte, error)

// SignedAt reads the time that a signature covers.
type SignedAt func(*anymail.Payload) (time.Time, error)

// HeaderValue returns the only value of a header. It returns
// [anymail.ErrUnauthenticated] if the header is missing, empty or repeated: of
// several values, an intermediary might have read another one.
func HeaderValue(p *anymail.Payload, name string) (string, error) {
	values := p.Header.Values(name)
	switch {
	case len(values) == 0 || values[0] == "":
		return "", errMissing
	case len(values) > 1:
		return "", errRepeated
	}
	return values[0], nil
}

// SignatureHeader reads one signature, which decode decodes, from a header.
// Decode is [Hex], [Base64], [Base64URL], or a function that removes a prefix and calls one
// of them.
func SignatureHeader(name string, decode func(string) ([]byte, error)) Signatures {
	name = http.CanonicalHeaderKey(name)
	return func(p *anymail.Payload) ([][]byte, error) {
		value, err := HeaderValue(p, name)
		if err != nil {
			return nil, err
		}
		signature, err := decode(value)
		if err != nil {
			return nil, err
		}
		return [][]byte{signature}, nil
	}
}

// HexHeader reads one signature from a header as [Hex] does.
func HexHeader(name string) Signatures { return SignatureHeader(name, Hex) }

// Base64Header reads one signature from a header as [Base64] does.
func Base64Header(name string) Signatures { return SignatureHeader(name, Base64) }

// maxSignatureText bounds one signature as text: the longest is an RSA
// signature of [maxRSABits], 2048 hexadecimal digits.
const maxSignatureText = 2048

// Hex decodes a signature in hexadecimal digits of either case. It returns
// [anymail.ErrUnauthenticated] if text is not one.
func Hex(text string) ([]byte, error) { return decodeWith(hex.DecodeString, text) }

// Base64 decodes a signature in standard base64 with padding. It returns
// [anymail.ErrUnauthenticated] if text is not one. One signature has one text:
// line breaks and unused bits are refused.
func Base64(text string) ([]byte, error) { return decodeBase64(base64.StdEncoding, text) }

// Base64URL is [Base64] in the alphabet of URLs and without padding.
func Base64URL(text string) ([]byte, error) { return decodeBase64(base64.RawURLEncoding, text) }

func decodeBase64(encoding *base64.Encoding, text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errEncoding // package base64 would skip them
	}
	return decodeWith(encoding.Strict().DecodeString, text)
}

// Prefixed decodes what follows a prefix, such as the "sha256=" of a signature. A text
// without the prefix is refused: the sender does not choose the algorithm.
func Prefixed(prefix string, decode func(string) ([]byte, error)) func(string) ([]byte, error) {
	return func(text string) ([]byte, error) {
		rest, ok := strings.CutPrefix(text, prefix)
		if !ok {
			return nil, errEncoding
		}
		return decode(rest)
	}
}

func decodeWith(decode func(string) ([]byte, error), text string) ([]byte, error) {
	if len(text) > maxSignatureText {
		return nil, errEncoding
	}
	signature, err := decode(text)
	if err != nil || len(signature) == 0 {
		return nil, errEncoding
	}
	return signature, nil
}

// Body is the [Content] of an ESP that signs the raw body.
func Body(p *anymail.Payload) ([][]byte, error) { return [][]byte{p.Body}, nil }

// HeadersAndBody is the [Content] of an ESP that signs the values of some
// headers and the raw body, with separator between them. It refuses a value that
// contains the separator, since it could move the border to the next value. If
// separator is empty, only the form of the values fixes the borders: use
// [UnixHeader] too for a timestamp that the body follows.
func HeadersAndBody(separator string, headers ...string) Content {
	names := make([]string, len(headers))
	for i, name := range headers {
		names[i] = http.CanonicalHeaderKey(name)
	}
	between := []byte(separator)
	return func(p *anymail.Payload) ([][]byte, error) {
		chunks := make([][]byte, 0, 2*len(names)+1)
		for _, name := range names {
			value, err := HeaderValue(p, name)
			if err != nil {
				return nil, err
			}
			if separator != "" && strings.Contains(value, separator) {
				return nil, errSeparator
			}
			chunks = append(chunks, []byte(value), between)
		}
		return append(chunks, p.Body), nil
	}
}

// UnixHeader reads the signed time from a header as [Unix] does.
func UnixHeader(name string) SignedAt {
	name = http.CanonicalHeaderKey(name)
	return func(p *anymail.Payload) (time.Time, error) {
		value, err := HeaderValue(p, name)
		if err != nil {
			return time.Time{}, err
		}
		return Unix(value)
	}
}

// Unix reads whole seconds since 1970, digits only. It returns
// [anymail.ErrUnauthenticated] if seconds is anything else.
func Unix(seconds string) (time.Time, error) {
	n, err := strconv.ParseUint(seconds, 10, 40)
	if err != nil {
		return time.Time{}, errTimestamp
	}
	return time.Unix(int64(n), 0).UTC(), nil
}

// claim is a [SignedContent] as keys see it: each kind of key looks at the signatures of
// its own kind.
type claim struct {
	SignedContent          // its Signatures are not used
	macs          [][]byte // signatures that a keyed hash may match
	signatures    [][]byte // signatures that a public key may match

	digested crypto.Hash // the hash that made digest
	digest   []byte
}

// sum returns the digest of the content, computed once for all keys.
func (c *claim) sum(hash crypto.Hash) []byte {
	if c.digested != hash {
		h := hash.New()
		for _, chunk := range c.Content {
			_, _ = h.Write(chunk) // a hash never fails
		}
		c.digest, c.digested = h.Sum(nil), hash
	}
	return c.digest
}

// joined returns the content in one piece.
func (c *claim) joined() []byte {
	if len(c.Content) != 1 {
		c.Content = [][]byte{bytes.Join(c.Content, nil)}
	}
	return c.Content[0]
}

// reader is where a verifier finds its claims: what [HMAC], [PublicKey] and
// [KeyedDigest] have in common.
type reader struct {
	signatures Signatures
	content    Content
	signedAt   SignedAt
	claims     Layout
	most       int  // signatures in one claim
	public     bool // whether they are for public keys
}

// read returns the claims of p. Those that come with an error are for a trace.
func (s reader) read(p *anymail.Payload) ([]claim, error) {
	if s.claims == nil {
		one := make([]claim, 1)
		if err := s.readOne(p, &one[0]); err != nil {
			if one[0].macs == nil && one[0].signatures == nil {
				one = nil
			}
			return one, err
		}
		return one, nil
	}
	read, err := s.claims(p)
	claims := make([]claim, len(read))
	for i := range read {
		claims[i].SignedContent = read[i]
		if setErr := s.offer(&claims[i], read[i].Signatures); err == nil {
			err = setErr
		}
	}
	if err == nil && len(claims) == 0 {
		err = errMissing
	}
	return claims, err
}

func (s reader) readOne(p *anymail.Payload, c *claim) error {
	if s.signatures == nil {
		return errMissing
	}
	signatures, err := s.signatures(p)
	if err != nil {
		return err
	}
	if err := s.offer(c, signatures); err != nil {
		return err
	}
	return c.fill(p, s.signedAt, s.content)
}

// offer sets the signatures of c.
func (s reader) offer(c *claim, signatures [][]byte) error {
	switch {
	case len(signatures) > s.most:
		return errEncoding
	case s.public:
		c.signatures = signatures
	default:
		c.macs = signatures
	}
	return nil
}

// fill reads the signed time and content of a claim. The content is [Body] if
// nil.
func (c *claim) fill(p *anymail.Payload, at SignedAt, content Content) (err error) {
	if at != nil {
		if c.SignedAt, err = at(p); err != nil {
			return err
		}
	}
	if content == nil {
		content = Body
	}
	c.Content, err = content(p)
	return err
}

// key is a parsed key.
type key interface {
	// prove returns a fingerprint if the key proves the claim, otherwise nil.
	prove(*claim) (fingerprint []byte)
	// explain describes to a trace what the key requires.
	explain(*claim) trace.Attempt
}

// verifier tries the keys of a source on the claims that read returns.
func verifier(source anymail.KeySource, parse func(string) (key, error), read func(*anymail.Payload) ([]claim, error)) anymail.Verifier {
	cache := new(keycache.Cache[key])
	parseAll := func(texts []string) ([]key, error) {
		keys := make([]key, len(texts))
		for i, text := range texts {
			var err error
			if keys[i], err = parse(text); err != nil {
				return nil, anymail.Because(anymail.ErrUnavailable, "signature key", err)
			}
		}
		return keys, nil
	}
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		claims, err := read(p)
		if err != nil {
			return anymail.Proof{}, refuse(ctx, claims, err)
		}
		texts, err := keysOf(ctx, source)
		if err != nil {
			return anymail.Proof{}, refuse(ctx, claims, err)
		}
		keys, err := cache.Parse(texts, parseAll)
		if err != nil {
			return anymail.Proof{}, refuse(ctx, claims, err)
		}
		for i := range claims {
			c := &claims[i]
			for n, key := range keys {
				fingerprint := key.prove(c)
				if fingerprint == nil {
					continue
				}
				record(ctx, c, keys, nil)
				if c.Fingerprint != nil {
					fingerprint = c.Fingerprint
				}
				return anymail.Proof{SignedAt: c.SignedAt, Fingerprint: fingerprint, Key: n}, nil
			}
			record(ctx, c, keys, errMismatch)
		}
		return anymail.Proof{}, errMismatch
	})
}

// refuse traces claims on which no key is tried, and returns err.
func refuse(ctx context.Context, claims []claim, err error) error {
	if len(claims) == 0 {
		trace.Record(ctx, func() trace.Step { return trace.Step{Err: err} })
	}
	for i := range claims {
		record(ctx, &claims[i], nil, err)
	}
	return err
}

// record traces what keys make of a claim.
func record(ctx context.Context, c *claim, keys []key, err error) {
	trace.Record(ctx, func() trace.Step {
		s := trace.Step{Content: c.Content, SignedAt: c.SignedAt, Err: err}
		s.Offered = append(append(s.Offered, c.macs...), c.signatures...)
		for i, key := range keys {
			a := key.explain(c)
			a.Key, a.Valid = i, key.prove(c) != nil
			s.Attempts = append(s.Attempts, a)
		}
		return s
	})
}
