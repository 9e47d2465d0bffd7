// Package verify has the building blocks of an adapter's
// [anymail.Verifier]: one type for each kind of signature, parameterised by
// where an ESP puts things and what it signs, and combinators.
//
// All but [SNS], which fetches its keys, take several, any of which may match,
// and never match where none is configured. They compare in constant time and
// refuse a duplicated signature header. Except for SNS they do no I/O, and a
// forged request costs at most what an authentic one does, times the keys and
// the few signatures that it may offer.
package verify

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goanymail/anymail"
)

// Reasons that verifiers give, always the same words for the same thing.
var (
	errMissing   = anymail.Unauthenticated("no signature")
	errRepeated  = anymail.Unauthenticated("repeated signature header")
	errEncoding  = anymail.Unauthenticated("signature is not well encoded")
	errMismatch  = anymail.Unauthenticated("signature mismatch")
	errNoKeys    = anymail.Unauthenticated("no key is configured")
	errTimestamp = anymail.Unauthenticated("no readable timestamp")
	errBorder    = anymail.Unauthenticated("separator within a signed header")
)

// Header returns the only value of a header. It returns an error that is
// [anymail.ErrUnauthenticated] where the header is missing, empty or repeated:
// of several values, an intermediary might have read another one.
func Header(p *anymail.Payload, name string) (string, error) {
	values := p.Header.Values(name)
	switch {
	case len(values) == 0 || values[0] == "":
		return "", errMissing
	case len(values) > 1:
		return "", errRepeated
	}
	return values[0], nil
}

// Signatures finds the signatures that a payload claims to have. One of them
// has to match.
type Signatures func(*anymail.Payload) ([][]byte, error)

// HexHeader finds one signature in hexadecimal digits, of either case, in a
// header.
func HexHeader(name string) Signatures {
	return header(name, hex.DecodeString)
}

// Base64Header finds one signature in standard base64, padded, in a header.
func Base64Header(name string) Signatures {
	return header(name, decodeBase64)
}

// maxSignatureText bounds one signature as text: the longest is an RSA
// signature of [maxRSABits], 2048 hexadecimal digits.
const maxSignatureText = 2048

func header(name string, decode func(string) ([]byte, error)) Signatures {
	name = http.CanonicalHeaderKey(name)
	return func(p *anymail.Payload) ([][]byte, error) {
		value, err := Header(p, name)
		if err != nil {
			return nil, err
		}
		if len(value) > maxSignatureText {
			return nil, errEncoding
		}
		signature, err := decode(value)
		if err != nil || len(signature) == 0 {
			return nil, errEncoding
		}
		return [][]byte{signature}, nil
	}
}

// decodeBase64 takes one text for one value: package base64 would skip line
// breaks, and bits that stand for nothing.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errEncoding
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// Content says what an ESP signs, as chunks that follow one another.
type Content func(*anymail.Payload) ([][]byte, error)

// Body is the [Content] of an ESP that signs the raw body.
func Body(p *anymail.Payload) ([][]byte, error) { return [][]byte{p.Body}, nil }

// HeadersAndBody is the [Content] of an ESP that signs the values of some
// headers and the raw body, with separator between them. A value that contains
// the separator is refused, since it could move the border to the next one.
// Where separator is empty, nothing but the form of the values fixes the
// borders: use [UnixHeader] too for a timestamp that the body follows.
func HeadersAndBody(separator string, headers ...string) Content {
	names := make([]string, len(headers))
	for i, name := range headers {
		names[i] = http.CanonicalHeaderKey(name)
	}
	between := []byte(separator)
	return func(p *anymail.Payload) ([][]byte, error) {
		chunks := make([][]byte, 0, 2*len(names)+1)
		for _, name := range names {
			value, err := Header(p, name)
			if err != nil {
				return nil, err
			}
			if separator != "" && strings.Contains(value, separator) {
				return nil, errBorder
			}
			chunks = append(chunks, []byte(value), between)
		}
		return append(chunks, p.Body), nil
	}
}

// SignedAt finds the time that a signature covers.
type SignedAt func(*anymail.Payload) (time.Time, error)

// UnixHeader finds it in a header as whole seconds since 1970.
func UnixHeader(name string) SignedAt {
	name = http.CanonicalHeaderKey(name)
	return func(p *anymail.Payload) (time.Time, error) {
		value, err := Header(p, name)
		if err != nil {
			return time.Time{}, err
		}
		return Unix(value)
	}
}

// Unix reads whole seconds since 1970, digits only, or returns an error that
// is [anymail.ErrUnauthenticated].
func Unix(seconds string) (time.Time, error) {
	n, err := strconv.ParseUint(seconds, 10, 40)
	if err != nil {
		return time.Time{}, errTimestamp
	}
	return time.Unix(int64(n), 0).UTC(), nil
}

// claim is what a payload says of itself before any key is tried.
type claim struct {
	macs       [][]byte // signatures that a keyed hash may match
	signatures [][]byte // signatures that a public key may match
	at         time.Time
	chunks     [][]byte

	digested crypto.Hash // what digest is of
	digest   []byte
}

// read fills in the rest of a claim whose signatures are known.
func (c *claim) read(p *anymail.Payload, at SignedAt, content Content) (err error) {
	if at != nil {
		if c.at, err = at(p); err != nil {
			return err
		}
	}
	c.chunks, err = content(p)
	return err
}

// sum returns the digest of the content, computed once for all keys.
func (c *claim) sum(hash crypto.Hash) []byte {
	if c.digested != hash {
		h := hash.New()
		for _, chunk := range c.chunks {
			_, _ = h.Write(chunk) // a hash never fails
		}
		c.digest, c.digested = h.Sum(nil), hash
	}
	return c.digest
}

// content returns the content in one piece.
func (c *claim) content() []byte {
	if len(c.chunks) != 1 {
		c.chunks = [][]byte{bytes.Join(c.chunks, nil)}
	}
	return c.chunks[0]
}

// key is a parsed key. It returns a nonce where it proves the claim, and
// otherwise nil.
type key interface {
	prove(*claim) (nonce []byte)
	explain(*claim) Attempt
}

// verifier tries the keys of a source on the claims that read finds.
func verifier(source anymail.KeySource, parse func(string) (key, error), read func(*anymail.Payload) (*claim, error)) anymail.Verifier {
	keys := NewParsedKeys(source, parse)
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		c, err := read(p)
		if err != nil {
			return anymail.Proof{}, traceClaim(ctx, c, nil, err)
		}
		candidates, err := keys.Get(ctx)
		if err != nil {
			return anymail.Proof{}, traceClaim(ctx, c, nil, err)
		}
		for i, key := range candidates {
			if nonce := key.prove(c); nonce != nil {
				return anymail.Proof{SignedAt: c.at, Fingerprint: nonce, Key: i}, traceClaim(ctx, c, candidates, nil)
			}
		}
		return anymail.Proof{}, traceClaim(ctx, c, candidates, errMismatch)
	})
}

// All is a verifier that demands all of several proofs. Its proof has the
// first signed time and nonce among theirs.
func All(verifiers ...anymail.Verifier) anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		if len(verifiers) == 0 {
			return anymail.Proof{}, errNoKeys
		}
		var all anymail.Proof
		for _, v := range verifiers {
			if v == nil {
				return anymail.Proof{}, errNoKeys
			}
			proof, err := v.Verify(ctx, p)
			if err != nil {
				return anymail.Proof{}, err
			}
			if all.SignedAt.IsZero() {
				all.SignedAt = proof.SignedAt
			}
			if all.Fingerprint == nil {
				all.Fingerprint, all.Key = proof.Fingerprint, proof.Key
			}
		}
		return all, nil
	})
}

// Any is a verifier that is content with one of several proofs: the first that
// succeeds. Where none does, it reports the first error that is not
// [anymail.ErrUnauthenticated], since then nobody can tell, or else the first.
func Any(verifiers ...anymail.Verifier) anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		var failed error
		for _, v := range verifiers {
			if v == nil {
				continue
			}
			proof, err := v.Verify(ctx, p)
			if err == nil {
				return proof, nil
			}
			if failed == nil || errors.Is(failed, anymail.ErrUnauthenticated) && !errors.Is(err, anymail.ErrUnauthenticated) {
				failed = err
			}
		}
		if failed == nil {
			failed = errNoKeys
		}
		return anymail.Proof{}, failed
	})
}

// ParsedKeys parses the keys of a source and keeps the result until the
// source gives others, so that no request pays for it.
type ParsedKeys[K any] struct {
	source anymail.KeySource
	parse  func(string) (K, error)
	last   atomic.Pointer[parsedKeys[K]]
}

type parsedKeys[K any] struct {
	texts []string
	keys  []K
}

// NewParsedKeys returns ParsedKeys that hold nothing yet.
func NewParsedKeys[K any](source anymail.KeySource, parse func(string) (K, error)) *ParsedKeys[K] {
	return &ParsedKeys[K]{source: source, parse: parse}
}

// Get returns the keys that are valid now. It returns an error that is
// [anymail.ErrUnauthenticated] where there is none, and [anymail.ErrUnavailable]
// where the source fails or one of its keys cannot be parsed.
func (k *ParsedKeys[K]) Get(ctx context.Context) ([]K, error) {
	texts, err := keyTexts(ctx, k.source)
	if err != nil {
		return nil, err
	}
	last := k.last.Load()
	if last == nil || !slices.Equal(last.texts, texts) {
		last = &parsedKeys[K]{texts: slices.Clone(texts)}
		for _, text := range last.texts {
			key, err := k.parse(text)
			if err != nil {
				return nil, anymail.Because(anymail.ErrUnavailable, "signature key", err)
			}
			last.keys = append(last.keys, key)
		}
		k.last.Store(last)
	}
	return last.keys, nil
}

// keyTexts asks a source for at least one key.
func keyTexts(ctx context.Context, source anymail.KeySource) ([]string, error) {
	if source == nil {
		return nil, errNoKeys
	}
	texts, err := source.Keys(ctx)
	if err != nil {
		return nil, anymail.Because(anymail.ErrUnavailable, "signature keys", err)
	}
	if len(texts) == 0 {
		return nil, errNoKeys
	}
	return texts, nil
}
