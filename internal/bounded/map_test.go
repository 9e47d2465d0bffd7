package bounded_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/bounded"
)

func TestMap(t *testing.T) {
	m := bounded.New[int, string](4)
	get := func(key int) string { v, _ := m.Get(key); return v }
	m.Set(1, "a")
	m.Set(2, "b")
	m.Set(1, "c")
	require.Equal(t, "c", get(1))
	m.Set(3, "d") // the second half begins
	require.Equal(t, "b", get(2))
	m.Set(1, "e")
	require.Equal(t, "e", get(1))
	m.Set(4, "f") // the entries of the first half are dropped
	require.Empty(t, get(2))
	require.Equal(t, "d", get(3))
	_, ok := m.Get(5)
	require.False(t, ok)
	m.Set(3, "g") // in both halves
	m.Delete(3)
	_, ok = m.Get(3)
	require.False(t, ok)
	for i := range 1000 {
		m.Set(i, "x")
		require.LessOrEqual(t, m.Len(), 4)
		require.Equal(t, "x", get(i))
	}
}
