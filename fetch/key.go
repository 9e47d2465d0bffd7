package fetch

import (
	"context"

	"github.com/goanymail/anymail"
)

// Key returns the first key of a source, for requests to the ESP's API. It
// returns [anymail.ErrConfig] if there is no key, and [anymail.ErrUnavailable] if
// the source fails.
func Key(ctx context.Context, source anymail.KeySource) (string, error) {
	if source == nil {
		return "", errNoKey
	}
	keys, err := source.Keys(ctx)
	switch {
	case err != nil:
		return "", anymail.Because(anymail.ErrUnavailable, "API keys", err)
	case len(keys) == 0 || keys[0] == "":
		return "", errNoKey
	}
	return keys[0], nil
}

var errNoKey = anymail.Misconfigured("API key", "must be set to fetch from the ESP")
