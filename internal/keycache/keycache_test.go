package keycache_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/keycache"
)

func TestParse(t *testing.T) {
	var parsed []string
	errBad := errors.New("it is bad")
	parse := func(keys []string) (values []string, err error) {
		for _, key := range keys {
			parsed = append(parsed, key)
			if key == "bad" {
				return nil, errBad
			}
			values = append(values, key+"!")
		}
		return values, nil
	}
	var cache keycache.Cache[string]
	get := func(keys ...string) []string {
		t.Helper()
		got, err := cache.Parse(keys, parse)
		require.NoError(t, err)
		return got
	}
	for range 3 {
		require.Equal(t, []string{"a!", "b!"}, get("a", "b"))
	}
	require.Equal(t, []string{"a", "b"}, parsed, "parsed once")
	require.Equal(t, []string{"b!"}, get("b"))
	_, err := cache.Parse([]string{"b", "bad"}, parse)
	require.ErrorIs(t, err, errBad)
	require.Equal(t, []string{"c!"}, get("c"))
	require.Empty(t, get())
}

// A caller that changes its own slice afterwards does not change what was
// parsed.
func TestParseAliasing(t *testing.T) {
	var cache keycache.Cache[string]
	keys := []string{"a"}
	for _, key := range []string{"a", "b", "a"} {
		keys[0] = key
		got, err := cache.Parse(keys, func(keys []string) ([]string, error) { return keys, nil })
		require.NoError(t, err)
		require.Equal(t, []string{key}, got)
	}
}

func TestParseConcurrently(t *testing.T) {
	ring := anymail.NewKeyRing("0", "0")
	var cache keycache.Cache[string]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				keys, err := ring.Keys(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				got, err := cache.Parse(keys, func(keys []string) ([]string, error) { return keys, nil })
				if err != nil || len(got) != 2 || got[0] != got[1] {
					t.Errorf("got %v, %v: not one set of keys", got, err)
					return
				}
			}
		})
	}
	for i := range 500 {
		key := string(rune('0' + i%10))
		ring.Set(key, key)
	}
	wg.Wait()
}
