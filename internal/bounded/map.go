// Package bounded has a map of bounded size.
package bounded

// Map keeps at least the latest size/2 and at most size entries. New entries go
// into one half until it is full. Then it becomes the older half, and the entries
// of the previous older half are dropped. So the map keeps no order, and no
// operation takes longer than an allocation. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	half          int
	recent, older map[K]V
}

// New returns a Map for size entries, 2 at least.
func New[K comparable, V any](size int) Map[K, V] {
	return Map[K, V]{half: max(1, size/2), recent: map[K]V{}}
}

// Get returns the value of key and reports whether there is one.
func (m *Map[K, V]) Get(key K) (V, bool) {
	if v, ok := m.recent[key]; ok {
		return v, true
	}
	v, ok := m.older[key]
	return v, ok
}

// Set sets the value of key, as the latest entry.
func (m *Map[K, V]) Set(key K, value V) {
	if len(m.recent) >= m.half {
		if _, ok := m.recent[key]; !ok {
			m.older, m.recent = m.recent, make(map[K]V, m.half)
		}
	}
	m.recent[key] = value
}

// Delete removes key.
func (m *Map[K, V]) Delete(key K) {
	delete(m.recent, key)
	delete(m.older, key)
}

// Len returns the number of entries. It counts an entry in both halves twice.
func (m *Map[K, V]) Len() int { return len(m.recent) + len(m.older) }
