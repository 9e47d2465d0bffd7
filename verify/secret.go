package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/goanymail/anymail"
)

// Token verifies a secret that the ESP sends along unchanged: in a header that
// the user could set at the ESP, or as a bearer token.
type Token struct {
	// Keys are the secrets, any of which is accepted.
	Keys anymail.KeySource
	// Header is the header's name, "Authorization" if empty.
	Header string
	// Scheme is what stands before the secret, for example "Bearer". It is
	// compared without regard to case.
	Scheme string
}

// Verifier returns the verifier that t describes.
func (t Token) Verifier() anymail.Verifier {
	if t.Header == "" {
		t.Header = "Authorization"
	}
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		given, err := Header(p, t.Header)
		if err != nil {
			Trace(ctx, func() Step { return Step{Header: t.Header, Err: err} })
			return anymail.Proof{}, err
		}
		if t.Scheme != "" {
			scheme, rest, _ := strings.Cut(given, " ")
			if !strings.EqualFold(scheme, t.Scheme) {
				Trace(ctx, func() Step { return Step{Header: t.Header, Err: errMismatch} })
				return anymail.Proof{}, errMismatch
			}
			given = strings.TrimSpace(rest)
		}
		return MatchSecret(ctx, t.Keys, given)
	})
}

// MatchSecret compares a secret from a request with all keys of a source, in a
// time that depends on neither, and fails as a Verifier does.
func MatchSecret(ctx context.Context, source anymail.KeySource, given string) (proof anymail.Proof, err error) {
	keys, err := keyTexts(ctx, source)
	if err != nil {
		return proof, err
	}
	sum := sha256.Sum256([]byte(given))
	matched := -1
	for i, key := range keys {
		want := sha256.Sum256([]byte(key))
		if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 && key != "" {
			matched = i
		}
	}
	if matched < 0 {
		return traceSecret(ctx, keys, given, proof, errMismatch)
	}
	return traceSecret(ctx, keys, given, anymail.Proof{Key: matched}, nil)
}
