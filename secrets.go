package anymail

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/goanymail/anymail/internal/keycache"
)

// KeySource gives the secrets or keys that are valid now. Every request asks
// it, so that keys can be rotated without a restart; by convention the first key
// is the newest. Implementations are safe for concurrent use and answer from
// memory. The caller must not change what it returns.
type KeySource interface {
	Keys(ctx context.Context) ([]string, error)
}

// Keys returns a [KeySource] that never changes.
func Keys(keys ...string) KeySource { return staticKeys(slices.Clone(keys)) }

type staticKeys []string

func (k staticKeys) Keys(context.Context) ([]string, error) { return k, nil }

// KeyFunc is a function as a [KeySource].
type KeyFunc func(context.Context) ([]string, error)

// Keys calls f.
func (f KeyFunc) Keys(ctx context.Context) ([]string, error) { return f(ctx) }

// KeyRing is a [KeySource] whose keys can be replaced while requests run. Its
// zero value holds none, which authenticates nothing.
type KeyRing struct {
	keys atomic.Pointer[[]string]
}

// NewKeyRing returns a ring that holds keys.
func NewKeyRing(keys ...string) *KeyRing {
	r := new(KeyRing)
	r.Set(keys...)
	return r
}

// Set replaces all keys at once.
func (r *KeyRing) Set(keys ...string) {
	keys = slices.Clone(keys)
	r.keys.Store(&keys)
}

// Keys implements [KeySource].
func (r *KeyRing) Keys(context.Context) ([]string, error) {
	if keys := r.keys.Load(); keys != nil {
		return *keys, nil
	}
	return nil, nil
}

const (
	maxSecret        = 1 << 10
	maxAuthorization = 2 << 10 // "Basic " and a secret of maxSecret in base64
)

// secretChecker compares credentials with shared secrets. It keeps the digests
// of the secrets until they change.
type secretChecker struct {
	sums keycache.Cache[[sha256.Size]byte]
}

// match returns the index of the secret that the Authorization header holds, or
// -1, in a time that depends on neither.
func (c *secretChecker) match(header string, secrets []string) int {
	sums, _ := c.sums.Parse(secrets, sumSecrets) // never fails
	if len(header) > maxAuthorization {
		return -1
	}
	scheme, encoded, _ := strings.Cut(header, " ")
	credentials, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	given := sha256.Sum256(credentials)
	match := -1
	for i := range sums {
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(given[:], sums[i][:]), i, match)
	}
	if err != nil || !strings.EqualFold(scheme, "basic") {
		return -1
	}
	return match
}

// sumSecrets returns the digests of the secrets. That of a weak one is zero, which
// nothing matches.
func sumSecrets(secrets []string) ([][sha256.Size]byte, error) {
	sums := make([][sha256.Size]byte, len(secrets))
	for i, secret := range secrets {
		if checkSecret(secret) == nil {
			sums[i] = sha256.Sum256([]byte(secret))
		}
	}
	return sums, nil
}

// checkSecret returns an error if a shared secret is malformed or too easy to
// guess.
func checkSecret(secret string) error {
	user, password, ok := strings.Cut(secret, ":")
	switch {
	case !ok || user == "":
		return errors.New(`must be of the form "user:password"`)
	case strings.TrimSpace(secret) != secret:
		return errors.New("must not have white space around it, such as the line end of a file")
	case len(secret) > maxSecret:
		return fmt.Errorf("must not be longer than %d characters", maxSecret)
	case len(password) < 16:
		return errors.New("the password must have at least 16 characters (anymail secret makes a strong one)")
	}
	seen := map[rune]struct{}{}
	for _, c := range password {
		seen[c] = struct{}{}
	}
	if len(seen) < 8 {
		return errors.New("the password must have at least 8 different characters (anymail secret makes a strong one)")
	}
	return nil
}
