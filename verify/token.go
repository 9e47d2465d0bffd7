package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/trace"
)

// Token verifies a secret that the ESP sends unchanged: in a header that the
// user sets at the ESP, or as a bearer token. Keys or Check must be set.
type Token struct {
	// Keys are the secrets, any of which is accepted.
	Keys anymail.KeySource
	// Check, if set, decides instead of Keys.
	Check TokenCheck
	// Header is the header's name, "Authorization" if empty.
	Header string
	// Scheme comes before the secret, for example "Bearer". Its case does not
	// matter.
	Scheme string
}

// TokenCheck asks about a token that is not known beforehand, such as an OAuth
// 2.0 access token that the user's own token endpoint gave to the ESP.
//
// It returns nil if the token is valid, and [anymail.ErrUnauthenticated] if it is
// not. Any other error means that it could not tell, for example because the
// token server is out of reach: the request fails as [anymail.ErrUnavailable],
// and the ESP retries. That error reaches logs, so it must not hold the token.
type TokenCheck func(ctx context.Context, token string) error

// Verifier returns the verifier that t describes. There is no fingerprint, since
// nothing is signed.
func (t Token) Verifier() anymail.Verifier {
	if t.Header == "" {
		t.Header = "Authorization"
	}
	return anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
		given, err := t.read(p)
		if err != nil {
			trace.Record(ctx, func() trace.Step { return trace.Step{Header: t.Header, Err: err} })
			return anymail.Proof{}, err
		}
		if t.Check == nil {
			return MatchSecret(ctx, t.Keys, given)
		}
		err = t.check(ctx, given)
		trace.Record(ctx, func() trace.Step {
			return trace.Step{Header: t.Header, Offered: [][]byte{[]byte(given)}, Attempts: []trace.Attempt{{Kind: "secret", Valid: err == nil}}, Err: err}
		})
		return anymail.Proof{}, err
	})
}

// read returns the secret that p came with.
func (t Token) read(p *anymail.Payload) (string, error) {
	value, err := HeaderValue(p, t.Header)
	if err != nil || t.Scheme == "" {
		return value, err
	}
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, t.Scheme) {
		return "", errMismatch
	}
	return strings.TrimSpace(rest), nil
}

func (t Token) check(ctx context.Context, token string) error {
	if token == "" {
		return errMissing
	}
	err := t.Check(ctx, token)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, anymail.ErrUnauthenticated):
		return errToken // err may hold the token
	}
	return anymail.Because(anymail.ErrUnavailable, "token check", err)
}

// MatchSecret compares a secret from a request with all keys of a source, in a
// time that depends on neither. It fails as a Verifier does.
func MatchSecret(ctx context.Context, source anymail.KeySource, given string) (proof anymail.Proof, err error) {
	keys, err := keysOf(ctx, source)
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
		err = errMismatch
	} else {
		proof.Key = matched
	}
	trace.Record(ctx, func() trace.Step {
		s := trace.Step{Offered: [][]byte{[]byte(given)}, Err: err}
		for i, key := range keys {
			s.Attempts = append(s.Attempts, trace.Attempt{Key: i, Kind: "secret", Expected: []byte(key), Valid: i == matched})
		}
		return s
	})
	return proof, err
}
