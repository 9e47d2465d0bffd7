// Package verify has the building blocks of an adapter's
// [anymail.Verifier]: one type for each kind of signature, parameterised by
// where an ESP puts things and what it signs, and combinators.
//
// All of them take several keys, any of which may match, compare in constant
// time, refuse a duplicated signature header, and never match where no key is
// configured.
package verify

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
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

// HexHeader finds one signature in hexadecimal digits in a header.
func HexHeader(name string) Signatures {
	return header(name, hex.DecodeString)
}

// Base64Header finds one signature in standard base64 in a header.
func Base64Header(name string) Signatures {
	return header(name, base64.StdEncoding.Strict().DecodeString)
}

func header(name string, decode func(string) ([]byte, error)) Signatures {
	return func(p *anymail.Payload) ([][]byte, error) {
		value, err := Header(p, name)
		if err != nil {
			return nil, err
		}
		signature, err := decode(value)
		if err != nil || len(signature) == 0 {
			return nil, errEncoding
		}
		return [][]byte{signature}, nil
	}
}

// Content says what an ESP signs, as chunks that follow one another.
type Content func(*anymail.Payload) ([][]byte, error)

// Body is the [Content] of an ESP that signs the raw body.
func Body(p *anymail.Payload) ([][]byte, error) { return [][]byte{p.Body}, nil }

// HeadersAndBody is the [Content] of an ESP that signs the values of some
// headers and the raw body, with separator between them.
func HeadersAndBody(separator string, headers ...string) Content {
	return func(p *anymail.Payload) ([][]byte, error) {
		chunks := make([][]byte, 0, 2*len(headers)+1)
		for _, name := range headers {
			value, err := Header(p, name)
			if err != nil {
				return nil, err
			}
			if separator != "" && strings.Contains(value, separator) {
				return nil, errEncoding // it could move the border between two chunks
			}
			chunks = append(chunks, []byte(value), []byte(separator))
		}
		return append(chunks, p.Body), nil
	}
}

// SignedAt finds the time that a signature covers.
type SignedAt func(*anymail.Payload) (time.Time, error)

// UnixHeader finds it in a header as whole seconds since 1970.
func UnixHeader(name string) SignedAt {
	return func(p *anymail.Payload) (time.Time, error) {
		value, err := Header(p, name)
		if err != nil {
			return time.Time{}, err
		}
		return Unix(value)
	}
}

// Unix reads whole seconds since 1970, or returns an error that is
// [anymail.ErrUnauthenticated].
func Unix(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return time.Time{}, errTimestamp
	}
	return time.Unix(n, 0).UTC(), nil
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
			proof, err := v.Verify(ctx, p)
			if err != nil {
				return anymail.Proof{}, err
			}
			if all.SignedAt.IsZero() {
				all.SignedAt = proof.SignedAt
			}
			if all.Nonce == nil {
				all.Nonce, all.Key = proof.Nonce, proof.Key
			}
		}
		return all, nil
	})
}

// Any is a verifier that is content with one of several proofs: the first that
// succeeds. Where none does, it reports an error other than
// [anymail.ErrUnauthenticated] before that, since then nobody can tell.
func Any(verifiers ...anymail.Verifier) anymail.Verifier {
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		failed := errNoKeys
		for i, v := range verifiers {
			proof, err := v.Verify(ctx, p)
			if err == nil {
				return proof, nil
			}
			if i == 0 || errors.Is(failed, anymail.ErrUnauthenticated) {
				failed = err
			}
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
	if k.source == nil {
		return nil, errNoKeys
	}
	texts, err := k.source.Keys(ctx)
	if err != nil {
		return nil, anymail.Because(anymail.ErrUnavailable, "signature keys", err)
	}
	if len(texts) == 0 {
		return nil, errNoKeys
	}
	last := k.last.Load()
	if last == nil || !same(last.texts, texts) {
		last = &parsedKeys[K]{texts: append([]string(nil), texts...)}
		for _, text := range texts {
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

// same compares two lists of texts that are, nearly always, the very same.
func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
