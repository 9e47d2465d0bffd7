package fetch

import (
	"context"
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// Budget fetches the content that one request refers to, up to a number of bytes
// in total.
type Budget struct {
	getter Getter
	left   int64
}

// Budget returns a Budget of limits.Fetch bytes.
func (g Getter) Budget(limits anymail.Limits) *Budget {
	return &Budget{g, limits.OrDefaults().Fetch}
}

// Fits reports whether size bytes are left in the budget.
func (b *Budget) Fits(size int64) bool { return size <= b.left }

// Get is [Getter.Get] within the budget. Content over the budget is
// [anymail.ErrTooLarge] and uses up the budget, because it is unknown how much of
// it arrived.
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

// Attachment is an attachment to fetch.
type Attachment struct {
	Filename, ContentType, Disposition, ContentID string

	Size   wire.Number // as declared by the ESP
	URL    string      // if empty, the content is not fetched
	Header http.Header
}

// Attachments fetches attachments, limits.MIMEParts at most. If the content of an
// attachment is gone or does not fit, the attachment has no content.
func (b *Budget) Attachments(ctx context.Context, list []Attachment, limits anymail.Limits) ([]anymail.Attachment, error) {
	var all []anymail.Attachment
	for _, a := range list[:min(len(list), limits.OrDefaults().MIMEParts)] {
		size := int64(max(a.Size.Int(), 0))
		var content []byte
		if b.Fits(size) {
			var err error
			if content, err = b.File(ctx, a.URL, a.Header); err != nil {
				return nil, err
			}
		}
		got := inbound.NewAttachment(a.Filename, a.ContentType, a.Disposition, a.ContentID, content)
		if content == nil {
			got.Size = size
		}
		all = append(all, got)
	}
	return all, nil
}

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
