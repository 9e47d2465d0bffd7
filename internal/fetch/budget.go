package fetch

import (
	"context"
	"errors"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

// Budget gets what one request refers to, which may have so many bytes in all.
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

// JSON decodes what the ESP's API answers into v. It returns the errors of Get,
// and one that is [anymail.ErrUnavailable] for an answer that is not such JSON.
func (b *Budget) JSON(ctx context.Context, rawURL string, header http.Header, v any) error {
	answer, err := b.Get(ctx, rawURL, header)
	if err != nil {
		return err
	}
	if wire.Unmarshal(answer, v) != nil {
		return anymail.Because(anymail.ErrUnavailable, "the API's answer is not understood", nil)
	}
	return nil
}

// File is Get for a part of a message that the rest can do without: nil where
// the URL is empty, or the error would be final.
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

// Final says whether the same request would fail again: what it asked for is
// gone, or over the limit.
func Final(err error) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, anymail.ErrTooLarge)
}

// Attachment is one that is to be fetched.
type Attachment struct {
	Filename, ContentType, Disposition, ContentID string

	Size   wire.Number // as the ESP declares it
	URL    string      // if empty, there is nothing to fetch
	Header http.Header
}

// Attachments fetches attachments, limits.MIMEParts at most. One whose content
// cannot be had, or does not fit, has all but that.
func (b *Budget) Attachments(ctx context.Context, list []Attachment, limits anymail.Limits) ([]anymail.Attachment, error) {
	if most := limits.MIMEParts; most > 0 && len(list) > most {
		list = list[:most]
	}
	var all []anymail.Attachment
	for _, a := range list {
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
