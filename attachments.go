package anymail

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// AttachmentStore keeps the contents of attachments outside of the events, in an
// object store or on disk: see [WithAttachmentStore]. Implementations are safe for
// concurrent use.
type AttachmentStore interface {
	// Put stores what content reads, to its end, and returns a reference to it, which
	// becomes [Attachment].Ref. An error makes the ESP retry the request.
	Put(ctx context.Context, info AttachmentInfo, content io.Reader) (ref string, err error)
}

// AttachmentStoreFunc is a function as an [AttachmentStore].
type AttachmentStoreFunc func(ctx context.Context, info AttachmentInfo, content io.Reader) (ref string, err error)

// Put calls f.
func (f AttachmentStoreFunc) Put(ctx context.Context, info AttachmentInfo, content io.Reader) (string, error) {
	return f(ctx, info, content)
}

// AttachmentInfo tells which attachment a store is given.
type AttachmentInfo struct {
	// ESP, Account and Key are those of the event: see [Common]. An object that is named
	// after Key and Index is written again if the ESP redelivers the event. Escape Key if
	// the name is a path.
	ESP, Account, Key string
	// Index is the attachment's index in the message.
	Index int
	// Attachment describes it. It has no Content, and no Size yet.
	Attachment Attachment
}

// WithAttachmentStore puts attachments into a store. The event has their references
// instead of their contents. Attachments of at most keep bytes stay in the event.
//
// The store is called after the request has proved authentic and before receivers or a
// queue get the event. Raw MIME is decoded while the store reads it. An ESP that posts
// JSON or a form has its attachments in memory until they are stored.
//
// Received messages have no Raw, as with [WithoutInboundRaw], and no RawMIME if an
// attachment was stored, since these contain it. If one cannot be stored, the request is
// answered with 503 and the ESP retries. What was stored then, or for an event whose
// receivers fail for good, is left in the store: name objects after Key and Index so that
// a retry overwrites them, or let the store delete objects to which nothing refers.
func WithAttachmentStore(store AttachmentStore, keep int) Option {
	return func(s *settings) {
		switch {
		case store == nil:
			s.fail("WithAttachmentStore", "must have a store")
		case keep < 0:
			s.fail("WithAttachmentStore", "must keep at least 0 bytes, not %d", keep)
		}
		s.attachments, s.keepAttachment, s.noInboundRaw = store, keep, true
	}
}

var errNotRead = errors.New("the store did not read it to its end")

// storeAttachments gives the attachments of a message to the store.
func (ep *endpoint) storeAttachments(ctx context.Context, ev *InboundEvent) error {
	stored := false
	for i := range ev.Message.Attachments {
		a := &ev.Message.Attachments[i]
		if a.Deferred == nil && len(a.Content) <= ep.settings.keepAttachment {
			continue
		}
		content := &counted{from: a.Open()}
		info := AttachmentInfo{ESP: ev.ESP, Account: ev.Account, Key: ev.Key, Index: i, Attachment: *a}
		info.Attachment.Content, info.Attachment.Deferred, info.Attachment.Size = nil, nil, 0
		err := recoverPanic(func() (err error) {
			a.Ref, err = ep.settings.attachments.Put(ctx, info, content)
			return err
		})
		if err == nil && !content.ended {
			err = errNotRead
		}
		if err != nil {
			return Because(ErrUnavailable, "attachment store", fmt.Errorf("attachment %d: %w", i, err))
		}
		a.Content, a.Deferred, a.Size, stored = nil, nil, content.size, true
	}
	if stored {
		ev.Raw, ev.Message.RawMIME = nil, nil // of any type
	}
	return nil
}

// counted counts what is read.
type counted struct {
	from  io.Reader
	size  int64
	ended bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.size += int64(n)
	c.ended = c.ended || errors.Is(err, io.EOF)
	return n, err
}
