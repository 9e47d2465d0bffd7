// Package parsed keeps what was made of a list of texts (keys, secrets) until
// the list changes, so that requests do not pay for parsing.
package parsed

import (
	"slices"
	"sync/atomic"
)

// List is the cache. Its zero value is empty; it is safe for concurrent use.
type List[K any] struct {
	last atomic.Pointer[entry[K]]
}

type entry[K any] struct {
	texts  []string
	values []K
}

// Of returns what parse makes of texts, from the cache if they are the same as
// the last time. Errors are not kept.
func (l *List[K]) Of(texts []string, parse func([]string) ([]K, error)) ([]K, error) {
	if last := l.last.Load(); last != nil && slices.Equal(last.texts, texts) {
		return last.values, nil
	}
	values, err := parse(texts)
	if err != nil {
		return nil, err
	}
	l.last.Store(&entry[K]{slices.Clone(texts), values})
	return values, nil
}
