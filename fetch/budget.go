package fetch

import (
	"context"
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// Budget fetches the content that one request refers to, up to a number of bytes
// in total.
type Budget struct {
	getter Getter
	left   int64
}

// Budget returns a Budget of Limits.Fetch bytes for a payload, which counts their
// memory.
func (g Getter) Budget(p *anymail.Payload) *Budget {
	g.Payload = p
	return &Budget{g, p.Limits.OrDefaults().Fetch}
}

// Fits reports whether size bytes are left in the budget.
func (b *Budget) Fits(size int64) bool { return size <= b.left }

// Get is [Getter.Get] within the budget. Content over the budget is
// [anymail.ErrTooLarge] and uses up the budget, because it is unknown how much of
// it arrived.
func (b *Budget) Get(ctx context.Context, rawURL string, header http.Header) ([]byte, error) {
	if b.left <= 0 {
		return nil, errTooLarge
	}
	b.getter.MaxBytes = b.left
	content, err := b.getter.Get(ctx, rawURL, header)
	b.left -= int64(len(content))
	if errors.Is(err, anymail.ErrTooLarge) {
		b.left = 0
	}
	return content, err
}

// JSON decodes the answer of the ESP's API into v. It returns the errors of Get,
// and [anymail.ErrUnavailable] if the answer is not such JSON.
func (b *Budget) JSON(ctx context.Context, rawURL string, header http.Header, v any) error {
	answer, err := b.Get(ctx, rawURL, header)
	if err != nil {
		return err
	}
	if wire.Unmarshal(answer, v) != nil {
		return anymail.Because(anymail.ErrUnavailable, "the API's answer cannot be decoded", nil)
	}
	return nil
}

// File is Get for an optional part of a message. It returns nil if the URL is
// empty or the error is final.
func (b *Budget) File(ctx context.Context, rawURL string, header http.Header) ([]byte, error) {
	if rawURL == "" {
		return nil, nil
	}
	content, err := b.Get(ctx, rawURL, header)
	if Final(err) {
		return nil, nil
	}
	return content, err
}

// Final reports whether the same request would fail again, because the content is
// gone or over the limit.
func Final(err error) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, anymail.ErrTooLarge)
}
