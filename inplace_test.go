package anymail_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
)

// How an adapter whose messages are in a form uses the body.
func TestWithoutInboundRaw(t *testing.T) {
	const small = "x=%41&type="
	large := "x=%41&raw=%53ubject%3A" + strings.Repeat("+", 70_000) + "&type="
	encoded := base64.StdEncoding.EncodeToString([]byte("Subject: " + strings.Repeat("x", 60_000)))
	drop := anymail.WithoutInboundRaw()
	store := anymail.WithAttachmentStore(anymail.AttachmentStoreFunc(nil), 0)
	hook := anymail.WithHooks(anymail.Hooks{Rejected: func(context.Context, anymail.Rejection) {}})
	tests := []struct {
		name    string
		body    string
		options []anymail.Option
		taken   bool
		raw     bool
	}{
		{"by default", large + "inbound", nil, false, true},
		{"without Raw", large + "inbound", []anymail.Option{drop}, true, false},
		{"with a store", large + "inbound", []anymail.Option{store}, true, false},
		{"without Raw, a small body", small + "inbound", []anymail.Option{drop}, false, false},
		{"without Raw, for a hook", large + "inbound", []anymail.Option{drop, hook}, false, false},
		{"in base64", small + "inbound&raw=" + url.QueryEscape(encoded), []anymail.Option{drop}, true, false},
		{"another field", small + "inbound&other=Subject%3A" + strings.Repeat("+", 70_000), []anymail.Option{drop}, false, false},
		{"not a message", small + "inbound&raw=%0A" + strings.Repeat("x", 70_000), []anymail.Option{drop}, false, false},
		{"a message that failed", small + "inbound_failed&raw=" + strings.Repeat("%0a", 70_000), []anymail.Option{drop}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAcme()
			a.endpoint.ContentTypes = nil
			a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
				body := p.Body
				form, err := p.InboundForm("raw")
				require.NoError(t, err)
				require.Equal(t, tt.taken, p.Body == nil, "what was changed cannot be read any more")
				require.Equal(t, tt.taken, !bytes.Equal(body, []byte(tt.body)))
				want, err := url.ParseQuery(tt.body)
				require.NoError(t, err)
				for name := range want {
					require.True(t, want.Get(name) == form.Fields.Get(name), name)
				}
				p.KeepRaw()
				require.False(t, p.DecodesInPlace(1<<20))
				return []anymail.Event{
					&anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventType(form.Fields.Get("type")), Raw: body}},
					&anymail.TrackingEvent{Common: anymail.Common{Raw: anymail.Raw("tracking")}},
				}, nil
			})
			d, err := anymail.New(append(tt.options, anymail.Insecure(), anymail.WithLogger(quiet))...)
			require.NoError(t, err)
			require.NoError(t, d.Register("acme", a))
			var got []anymail.Event
			require.NoError(t, d.Inbound.Connect("keep", func(_ context.Context, ev *anymail.InboundEvent) error { got = append(got, ev); return nil }))
			require.NoError(t, d.Tracking.Connect("keep", func(_ context.Context, ev *anymail.TrackingEvent) error { got = append(got, ev); return nil }))
			r := httptest.NewRequest(http.MethodPost, "/acme/tracking", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			require.Equal(t, 200, w.Code)
			require.Len(t, got, 2)
			require.Equal(t, "tracking", string(got[0].Base().Raw))
			require.Equal(t, tt.raw, got[1].Base().Raw != nil)
		})
	}
}

// A request that fails after its message was decoded is reported as it arrived.
func TestRejectionOfDecodedMessage(t *testing.T) {
	body := "raw=%41" + strings.Repeat("+", 70_000)
	a := newAcme()
	a.endpoint.ContentTypes = nil
	a.endpoint.Parser = anymail.ParserFunc(func(_ context.Context, p *anymail.Payload) ([]anymail.Event, error) {
		_, err := p.TakeForm()
		return []anymail.Event{&anymail.InboundEvent{Common: anymail.Common{Type: anymail.EventInbound}}}, err
	})
	srv := newTestServer(t, a, anymail.WithoutInboundRaw())
	require.NoError(t, srv.Inbound.Connect("fail", func(context.Context, *anymail.InboundEvent) error { return errors.New("not now") }))
	require.Equal(t, 500, srv.do(t, newPost(body).with("Content-Type", "application/x-www-form-urlencoded")).StatusCode)
	require.Len(t, srv.rejections, 1)
	require.True(t, bytes.Equal([]byte(body), srv.rejections[0].Received.Body))
	require.True(t, bytes.Equal([]byte(body), srv.rejections[0].Payload.Body))
}
