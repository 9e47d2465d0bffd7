package verify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

func TestCheckKeys(t *testing.T) {
	short := func(key string) error {
		if len(key) < 8 {
			return errors.New("it is too short")
		}
		return nil
	}
	down := anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, errors.New("down") })
	for name, tt := range map[string]struct {
		source anymail.KeySource
		check  func(string) error
		want   string
	}{
		"not configured": {nil, short, ""},
		"no keys yet":    {anymail.NewKeyRing(), short, ""},
		"out of reach":   {down, short, ""},
		"good":           {anymail.Keys("long enough", "long enough too"), short, ""},
		"without check":  {anymail.Keys("k"), nil, ""},
		"from a file":    {anymail.Keys("k", "k\n"), nil, "anymail: configuration: acme.Config.Keys[1]: must not have white space around it"},
		"for the check":  {anymail.Keys("long enough\n"), short, ""},
		"empty":          {anymail.Keys("long enough", ""), nil, "anymail: configuration: acme.Config.Keys[1]: must not be empty"},
		"refused":        {anymail.Keys("long enough", "s3cret"), short, "anymail: configuration: acme.Config.Keys[1]: it is too short"},
	} {
		err := verify.CheckKeys(tt.source, "acme.Config.Keys", tt.check)
		if tt.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		require.EqualError(t, err, tt.want, name)
	}
}

// The keys of a source may change between two requests, and fail to parse.
func TestKeysChange(t *testing.T) {
	ring := anymail.NewKeyRing("a", "b")
	decode := func(key string) ([]byte, error) {
		if key == "bad" {
			return nil, errors.New("s3cret")
		}
		return []byte(key), nil
	}
	v := verify.HMAC{Keys: ring, DecodeKey: decode, Signatures: verify.HexHeader("X-Sig")}.Verifier()
	byB := request("body", "X-Sig", mac("b", "body"))
	require.Equal(t, 1, proves(t, v, byB).Key)
	ring.Set("b")
	require.Equal(t, 0, proves(t, v, byB).Key)
	ring.Set("b", "bad")
	refuses(t, v, byB, "unavailable: signature key: it cannot be decoded")
	_, err := v.Verify(t.Context(), byB)
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	ring.Set("c")
	refuses(t, v, byB, mismatch)
	ring.Set()
	refuses(t, v, byB, noKeys)

	down := errors.New("vault is sealed")
	v = verify.HMAC{
		Keys:       anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, down }),
		Signatures: verify.HexHeader("X-Sig"),
	}.Verifier()
	_, err = v.Verify(t.Context(), byB)
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.ErrorIs(t, err, down)
}

func TestCheckHeaderName(t *testing.T) {
	for _, name := range []string{"", "X-Hook", "x_hook.2", "Authorization"} {
		require.NoError(t, verify.CheckHeaderName(name, "x.Config.HeaderName"), name)
	}
	for _, name := range []string{" ", "X-Hook:", "X Hook", "X-Hook\n", "X-H\u00f6\u00f6k", "X-Hook: value"} {
		err := verify.CheckHeaderName(name, "x.Config.HeaderName")
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		require.ErrorContains(t, err, "x.Config.HeaderName")
	}
}
