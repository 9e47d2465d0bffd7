// Package bounded has a map that forgets.
package bounded

// Map remembers at least the latest size/2 and at most size entries. New ones
// go into one half until that is full; then it becomes the older half, and
// what was older is forgotten: bounded, with nothing to keep in order and no
// pause longer than an allocation. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	half          int
	recent, older map[K]V
}

// New returns a Map for size entries, 2 at least.
func New[K comparable, V any](size int) Map[K, V] {
	return Map[K, V]{half: max(1, size/2), recent: map[K]V{}}
}

// Get returns the value under key, and whether there is one.
func (m *Map[K, V]) Get(key K) (V, bool) {
	if v, ok := m.recent[key]; ok {
		return v, true
	}
	v, ok := m.older[key]
	return v, ok
}

// Set keeps a value as the latest.
func (m *Map[K, V]) Set(key K, value V) {
	if _, ok := m.recent[key]; !ok && len(m.recent) >= m.half {
		m.older, m.recent = m.recent, make(map[K]V, m.half)
	}
	m.recent[key] = value
}

// Len returns how many entries are kept, those twice that stand in both halves.
func (m *Map[K, V]) Len() int { return len(m.recent) + len(m.older) }
