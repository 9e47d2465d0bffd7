package fetch

import (
	"context"
	"net/http"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

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
