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
		"from a file":    {anymail.Keys("k", "k\n"), nil, "anymail: configuration: signing key 2 has white space around it"},
		"for the check":  {anymail.Keys("long enough\n"), short, ""},
		"empty":          {anymail.Keys("long enough", ""), nil, "anymail: configuration: signing key 2 is empty"},
		"refused":        {anymail.Keys("long enough", "s3cret"), short, "anymail: configuration: signing key 2: it is too short"},
	} {
		err := verify.CheckKeys(tt.source, "signing key", tt.check)
		if tt.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, anymail.ErrConfig, name)
		require.EqualError(t, err, tt.want, name)
	}
}
