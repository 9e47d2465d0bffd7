// Package keycache keeps what was parsed from a list of keys or secrets until
// the list changes, so that requests do not pay for parsing.
package keycache

import (
	"slices"
	"sync/atomic"
)

// Cache holds the values that were parsed from one list of keys. Its zero value
// is empty. It is safe for concurrent use.
type Cache[K any] struct {
	last atomic.Pointer[entry[K]]
}

type entry[K any] struct {
	keys   []string
	values []K
}

// Parse returns what parse makes of keys, from the cache if keys are the same
// as in the last call. It does not keep errors.
func (c *Cache[K]) Parse(keys []string, parse func([]string) ([]K, error)) ([]K, error) {
	if last := c.last.Load(); last != nil && slices.Equal(last.keys, keys) {
		return last.values, nil
	}
	keys = slices.Clone(keys) // the caller may reuse its slice
	values, err := parse(keys)
	if err != nil {
		return nil, err
	}
	c.last.Store(&entry[K]{keys, values})
	return values, nil
}
