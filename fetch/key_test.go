package fetch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
)

func TestKey(t *testing.T) {
	key, err := fetch.Key(t.Context(), anymail.Keys("newer", "older"))
	require.NoError(t, err)
	require.Equal(t, "newer", key)
	for _, source := range []anymail.KeySource{nil, anymail.Keys(), anymail.Keys(""), new(anymail.KeyRing)} {
		_, err = fetch.Key(t.Context(), source)
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
	_, err = fetch.Key(t.Context(), anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, errors.New("vault is sealed") }))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}
