package fetch

import (
	"context"
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
)

// Budget gets what belongs to one message, of which all parts together may
// have so many bytes.
type Budget struct {
	getter Getter
	left   int64
}

// Budget returns a Budget of limits.Fetch bytes, 64 MiB if that is 0.
func (g Getter) Budget(limits anymail.Limits) *Budget {
	left := limits.Fetch
	if left <= 0 {
		left = 64 << 20
	}
	return &Budget{g, left}
}

// Fits says whether so many bytes may still be got.
func (b *Budget) Fits(size int64) bool { return size <= b.left }

// Get is [Getter.Get]. What is over the budget is [anymail.ErrTooLarge] and
// uses it up, since nobody knows how much of it came.
func (b *Budget) Get(ctx context.Context, rawURL string, header http.Header) ([]byte, error) {
	if b.left <= 0 {
		return nil, anymail.Because(anymail.ErrTooLarge, "content to fetch", nil)
	}
	b.getter.MaxBytes = b.left
	content, err := b.getter.Get(ctx, rawURL, header)
	b.left -= int64(len(content))
	if errors.Is(err, anymail.ErrTooLarge) {
		b.left = 0
	}
	return content, err
}

// Key returns the first key of a source, which is the one to ask the ESP's API
// with. It returns an error that is [anymail.ErrConfig] where there is none,
// and [anymail.ErrUnavailable] where the source fails.
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

var errNoKey = anymail.Because(anymail.ErrConfig, "no API key to fetch with", nil)
