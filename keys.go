package anymail

import (
	"context"
	"sync/atomic"
)

// KeySource gives the secrets or keys that are valid now. It is asked on every
// request, so that keys can be rotated without a restart; the first key is the
// newest by convention. Implementations are safe for concurrent use and
// answer from memory. What it returns must not be changed afterwards.
type KeySource interface {
	Keys(ctx context.Context) ([]string, error)
}

// Keys is a [KeySource] that never changes.
func Keys(keys ...string) KeySource { return staticKeys(keys) }

type staticKeys []string

func (k staticKeys) Keys(context.Context) ([]string, error) { return k, nil }

// KeyFunc is a function as a [KeySource].
type KeyFunc func(context.Context) ([]string, error)

// Keys calls f.
func (f KeyFunc) Keys(ctx context.Context) ([]string, error) { return f(ctx) }

// KeyRing is a [KeySource] whose keys can be exchanged while requests run.
// Its zero value holds none, which authenticates nothing.
type KeyRing struct {
	keys atomic.Pointer[[]string]
}

// NewKeyRing returns a ring that holds keys.
func NewKeyRing(keys ...string) *KeyRing {
	r := new(KeyRing)
	r.Set(keys...)
	return r
}

// Set exchanges all keys at once.
func (r *KeyRing) Set(keys ...string) {
	keys = append([]string(nil), keys...)
	r.keys.Store(&keys)
}

// Keys implements [KeySource].
func (r *KeyRing) Keys(context.Context) ([]string, error) {
	if keys := r.keys.Load(); keys != nil {
		return *keys, nil
	}
	return nil, nil
}
