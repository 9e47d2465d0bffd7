// Package esptest has what the tests of several adapters share.
package esptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// New makes an adapter. It fails the test if the constructor returns an error.
func New[C any, A anymail.Adapter](t testing.TB, constructor func(C) (A, error), config C) A {
	t.Helper()
	adapter, err := constructor(config)
	require.NoError(t, err)
	return adapter
}

// Misconfigured fails the test unless the constructor returns
// [anymail.ErrConfig] for each configuration. The keys of configs describe what
// is wrong.
func Misconfigured[C any, A anymail.Adapter](t testing.TB, constructor func(C) (A, error), configs map[string]C) {
	t.Helper()
	for name, config := range configs {
		_, err := constructor(config)
		require.ErrorIs(t, err, anymail.ErrConfig, name)
	}
}
