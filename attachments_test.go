package anymail_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// received returns an adapter whose messages have these contents as attachments, the
// second one undecoded.
func received(contents ...string) acme {
	a := newAcme("key")
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		ev := &anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound, Raw: p.Body}}
		ev.Message.RawMIME = p.Body
		for i, content := range contents {
			made := anymail.Attachment{Filename: "a", ContentType: "text/plain", Disposition: "attachment", Size: int64(len(content)), Content: []byte(content)}
			if i == 1 {
				made.Deferred, made.Content, made.Size = func() io.Reader { return strings.NewReader(content) }, nil, 0
			}
			ev.Message.Attachments = append(ev.Message.Attachments, made)
		}
		return []anymail.Event{ev}, nil
	})
	return a
}

func TestAttachmentStore(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	var infos []anymail.AttachmentInfo
	stored := map[string]string{}
	store := anymail.AttachmentStoreFunc(func(_ context.Context, info anymail.AttachmentInfo, content io.Reader) (string, error) {
		infos = append(infos, info)
		b, err := io.ReadAll(content)
		ref := "ref " + string(rune('0'+info.Index))
		stored[ref] = string(b)
		return ref, err
	})
	srv := newTestServer(t, received("small", long, "y"+long), anymail.WithAttachmentStore(store, 5))
	var got []*anymail.InboundEvent
	require.NoError(t, srv.Inbound.Connect("keep", func(_ context.Context, ev *anymail.InboundEvent) error {
		got = append(got, ev)
		return nil
	}))
	require.Equal(t, 400, srv.do(t, newPost(delivered).sign("another key", time.Now())).StatusCode)
	require.Empty(t, infos, "nothing is stored before the request has proved authentic")

	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	described := anymail.Attachment{Filename: "a", ContentType: "text/plain", Disposition: "attachment"}
	require.Empty(t, cmp.Diff([]anymail.AttachmentInfo{
		{ESP: "acme", Account: "acme", Key: got[0].Key, Index: 1, Attachment: described},
		{ESP: "acme", Account: "acme", Key: got[0].Key, Index: 2, Attachment: described},
	}, infos))
	require.Equal(t, map[string]string{"ref 1": long, "ref 2": "y" + long}, stored)
	small, first, second := described, described, described
	small.Size, small.Content = 5, []byte("small")
	first.Size, first.Ref = int64(len(long)), "ref 1"
	second.Size, second.Ref = int64(len(long)+1), "ref 2"
	require.Empty(t, cmp.Diff([]anymail.Attachment{small, first, second}, got[0].Message.Attachments))
	require.Nil(t, got[0].Raw)
	require.Nil(t, got[0].Message.RawMIME)

	encoded, err := got[0].MarshalJSON()
	require.NoError(t, err)
	require.Contains(t, string(encoded), `"ref":"ref 1"`)
	decoded, err := anymail.DecodeEvent(encoded)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(got[0], decoded))

	whole := newTestServer(t, received("small", long, "y"+long))
	var key string
	require.NoError(t, whole.Inbound.Connect("keep", func(_ context.Context, ev *anymail.InboundEvent) error {
		key = ev.Key
		return nil
	}))
	require.Equal(t, 200, whole.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Equal(t, key, got[0].Key, "the key does not depend on the store")
}

// A message without an attachment that is stored keeps everything.
func TestAttachmentStoreKeeps(t *testing.T) {
	store := anymail.AttachmentStoreFunc(func(context.Context, anymail.AttachmentInfo, io.Reader) (string, error) {
		return "", errors.New("not to be called")
	})
	srv := newTestServer(t, received("small"), anymail.WithAttachmentStore(store, 5))
	var got *anymail.InboundEvent
	require.NoError(t, srv.Inbound.Connect("keep", func(_ context.Context, ev *anymail.InboundEvent) error {
		got = ev
		return nil
	}))
	require.Equal(t, 200, srv.do(t, newPost(delivered).sign("key", time.Now())).StatusCode)
	require.Equal(t, "small", string(got.Message.Attachments[0].Content))
	require.Nil(t, got.Raw, "whether an attachment is stored or not")
	require.Equal(t, delivered, string(got.Message.RawMIME))
}

// If an attachment cannot be stored, no receiver runs, and the ESP retries.
func TestAttachmentStoreFails(t *testing.T) {
	tests := map[string]anymail.AttachmentStoreFunc{
		"failed": func(context.Context, anymail.AttachmentInfo, io.Reader) (string, error) {
			return "", errors.New("the disk is full")
		},
		"panicked": func(context.Context, anymail.AttachmentInfo, io.Reader) (string, error) { panic("no disk") },
		"to its end": func(_ context.Context, _ anymail.AttachmentInfo, content io.Reader) (string, error) {
			_, err := io.CopyN(io.Discard, content, 10)
			return "ref", err
		},
	}
	for name, failing := range tests {
		t.Run(name, func(t *testing.T) {
			store := failing
			srv := newTestServer(t, received("a long content"), anymail.WithAttachmentStore(anymail.AttachmentStoreFunc(
				func(ctx context.Context, info anymail.AttachmentInfo, content io.Reader) (string, error) {
					return store(ctx, info, content)
				}), 0))
			ran := 0
			require.NoError(t, srv.Inbound.Connect("keep", func(context.Context, *anymail.InboundEvent) error { ran++; return nil }))
			p := newPost(delivered).sign("key", time.Now())
			resp := srv.do(t, p)
			require.Equal(t, 503, resp.StatusCode)
			require.NotEmpty(t, resp.Header.Get("Retry-After"))
			require.Zero(t, ran)
			require.Len(t, srv.rejections, 1)
			require.ErrorIs(t, srv.rejections[0].Err, anymail.ErrUnavailable)
			require.NotContains(t, srv.log.String(), "a long content")

			store = func(_ context.Context, _ anymail.AttachmentInfo, content io.Reader) (string, error) {
				_, err := io.Copy(new(bytes.Buffer), content)
				return "ref", err
			}
			require.Equal(t, 200, srv.do(t, p).StatusCode, "the same signature is not a replay")
			require.Equal(t, 1, ran)
		})
	}
}

func TestAttachmentStoreOption(t *testing.T) {
	_, err := anymail.New(anymail.WithAttachmentStore(nil, 0))
	require.ErrorIs(t, err, anymail.ErrConfig)
	_, err = anymail.New(anymail.WithAttachmentStore(anymail.AttachmentStoreFunc(nil), -1))
	require.ErrorIs(t, err, anymail.ErrConfig)
}
