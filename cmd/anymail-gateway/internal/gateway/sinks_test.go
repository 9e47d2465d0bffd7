package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/durable"
	"github.com/goanymail/anymail/verify"
)

const (
	olderSecret = "whsec_b2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXI="
	newerSecret = "whsec_bmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXI="
	thirdSecret = "whsec_dGhpcmQtdGhpcmQtdGhpcmQtdGhpcmQtdGhpcmQ="
)

func bounce() *anymail.TrackingEvent {
	return &anymail.TrackingEvent{
		Common:    anymail.Common{ESP: "postmark", Type: anymail.EventBounced, Key: anymail.EventKey("postmark", "1"), Raw: anymail.Raw("{}")},
		Recipient: "nobody@example.org",
	}
}

type received struct {
	header http.Header
	body   []byte
}

func TestWebhookIsSignedAsStandardWebhooks(t *testing.T) {
	got := make(chan received, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, body}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	w := newWebhook(Sink{URL: srv.URL, Secrets: []string{newerSecret, olderSecret}, Timeout: 10 * time.Second})
	ev := bounce()
	require.NoError(t, w.deliver(t.Context(), ev))
	req := <-got
	require.Equal(t, "application/json", req.header.Get("Content-Type"))
	require.Equal(t, ev.Key, req.header.Get("Webhook-Id"))

	back, err := anymail.DecodeEvent(req.body)
	require.NoError(t, err)
	anymailtest.Equal(t, ev, back)

	ours := func(secret string, body []byte) error {
		_, err := verify.StandardWebhooks{Keys: anymail.Keys(secret)}.Verifier().Verify(context.Background(), &anymail.Payload{Header: req.header, Body: body})
		return err
	}
	for _, test := range []struct {
		name, secret string
		body         []byte
		ok           bool
	}{
		{"the first secret", newerSecret, req.body, true},
		{"the second secret", olderSecret, req.body, true},
		{"another secret", thirdSecret, req.body, false},
		{"another body", newerSecret, append(bytes.Clone(req.body), ' '), false},
	} {
		official, err := standardwebhooks.NewWebhook(test.secret)
		require.NoError(t, err)
		require.Equal(t, test.ok, official.Verify(test.body, req.header) == nil, "the official library: %s", test.name)
		require.Equal(t, test.ok, ours(test.secret, test.body) == nil, "package verify: %s", test.name)
	}
}

func TestWebhookSucceedsWith2xxOnly(t *testing.T) {
	for status, ok := range map[int]bool{200: true, 204: true, 302: false, 400: false, 410: false, 500: false} {
		called := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			called++
			if r.URL.Path == "/" {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
			}
		}))
		w := newWebhook(Sink{URL: srv.URL, Secrets: []string{newerSecret}, Timeout: 10 * time.Second})
		err := w.deliver(t.Context(), bounce())
		srv.Close()
		require.Equal(t, ok, err == nil, "%d: %v", status, err)
		require.Equal(t, 1, called, "redirects are not followed")
	}
}

// Headers of one's own may replace the signature. The gateway's are added.
func TestWebhookHeaders(t *testing.T) {
	got := make(chan http.Header, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer srv.Close()
	sink := Sink{URL: srv.URL, Headers: map[string][]string{"authorization": {"Bearer one"}, "X-Tenant": {"a", "b"}, "User-Agent": {"ours"}}, Timeout: 10 * time.Second}
	w := newWebhook(sink)
	require.NoError(t, w.deliver(t.Context(), bounce()))
	header := <-got
	require.Equal(t, []string{"Bearer one"}, header["Authorization"])
	require.Equal(t, []string{"a", "b"}, header["X-Tenant"])
	require.Equal(t, []string{"ours"}, header["User-Agent"])
	require.Equal(t, bounce().Key, header.Get("Webhook-Id"))
	require.NotContains(t, header, "Webhook-Signature")

	sink.Headers["authorization"], sink.Secrets = []string{"Bearer two"}, []string{newerSecret} // a reload
	w.configure(sink)
	require.NoError(t, w.deliver(t.Context(), bounce()))
	header = <-got
	require.Equal(t, []string{"Bearer two"}, header["Authorization"])
	require.Contains(t, header, "Webhook-Signature")
}

func TestWebhookThatTakesNoSuchSize(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }))
	defer srv.Close()
	w := newWebhook(Sink{URL: srv.URL, Secrets: []string{newerSecret}, Timeout: 10 * time.Second})
	err := w.deliver(t.Context(), bounce())
	require.ErrorContains(t, err, "webhook answered 413: the event has 145 bytes")
	require.IsType(t, durable.Permanent(errors.New("any")), err)
}

func TestWebhookTimeout(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	w := newWebhook(Sink{URL: srv.URL + "/?token=SECRET", Secrets: []string{newerSecret}, Timeout: 50 * time.Millisecond})
	err := w.deliver(t.Context(), bounce())
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.NotContains(t, err.Error(), "SECRET")
}

func TestMessageIDIsUnambiguous(t *testing.T) {
	ev := bounce()
	require.Equal(t, ev.Key, messageID(ev))
	for _, key := range []string{"a.1700000000", "a\r\nX-Header: b", "ä"} {
		ev.Key = key
		id := messageID(ev)
		require.NotContains(t, id, ".")
		require.Regexp(t, "^[!-~]+$", id)
		require.Equal(t, id, messageID(ev), "the same at every attempt")
	}
}

func TestFilters(t *testing.T) {
	inbound := &anymail.InboundEvent{Common: anymail.Common{ESP: "amazonses", Type: anymail.EventInbound, Key: "k"}}
	for _, test := range []struct {
		name              string
		sink              Sink
		tracking, inbound bool
	}{
		{"none", Sink{}, true, true},
		{"kind", Sink{Kinds: []string{"inbound"}}, false, true},
		{"both kinds", Sink{Kinds: []string{"inbound", "tracking"}}, true, true},
		{"esp", Sink{ESPs: []string{"postmark"}}, true, false},
		{"esp with underscore", Sink{ESPs: []string{"amazon_ses"}}, false, true},
		{"type", Sink{Types: []string{"bounced"}}, true, false},
		{"esp and type", Sink{ESPs: []string{"postmark"}, Types: []string{"opened"}}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var signals anymail.Signals
			test.sink.Name = "s"
			require.NoError(t, connect(&signals, []*output{{Sink: test.sink, sink: newLines(io.Discard, time.Minute)}}))
			require.Equal(t, test.tracking, len(signals.Matching(bounce())) == 1)
			require.Equal(t, test.inbound, len(signals.Matching(inbound)) == 1)
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestLinesReportWriteErrors(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, newLines(&out, time.Minute).deliver(t.Context(), bounce()))
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")))
	back, err := anymail.DecodeEvent(out.Bytes())
	require.NoError(t, err)
	anymailtest.Equal(t, bounce(), back)
	require.Error(t, newLines(brokenWriter{}, time.Minute).deliver(t.Context(), bounce()))
}

// If the reader of standard output stops reading, no event is accepted and no
// delivery waits for ever.
func TestLinesWithoutReader(t *testing.T) {
	read, write := io.Pipe()
	l := newLines(write, 50*time.Millisecond)
	require.NoError(t, l.Check(t.Context()))
	for range 2 {
		require.ErrorIs(t, l.deliver(t.Context(), bounce()), anymail.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.Error(t, l.Check(ctx))

	lines := bufio.NewScanner(read)
	require.True(t, lines.Scan(), "the begun line is complete")
	ev, err := anymail.DecodeEvent(lines.Bytes())
	require.NoError(t, err)
	anymailtest.Equal(t, bounce(), ev)
	require.NoError(t, l.Check(t.Context()))
}

func TestWebhookCheck(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			asked++
		}
	}))
	defer srv.Close()
	w := newWebhook(Sink{URL: srv.URL, Secrets: []string{newerSecret}, Timeout: 10 * time.Second})
	require.NoError(t, w.Check(t.Context()))
	require.Equal(t, 1, asked)
	require.NoError(t, w.deliver(t.Context(), bounce()))
	require.NoError(t, w.Check(t.Context()))
	require.Equal(t, 1, asked, "not after a successful call")

	w.url = closedAddress(t)
	require.Error(t, w.deliver(t.Context(), bounce()))
	require.Error(t, w.Check(t.Context()))
	w.url = srv.URL
	require.NoError(t, w.Check(t.Context()), "it is back")
	require.Equal(t, 2, asked)
	require.NoError(t, w.Check(t.Context()))
	require.Equal(t, 2, asked)
}

func TestNeedRestart(t *testing.T) {
	before, after := Default(), Default()
	after.SharedSecrets, after.RequireTLS, after.Limits.Body = []string{"x"}, true, 1
	before.Sinks, after.Sinks = []Sink{{Type: sinkWebhook, Secrets: []string{"a"}}}, []Sink{{Type: sinkWebhook, Secrets: []string{"b"}, Headers: map[string][]string{"X-A": {"a"}}}}
	require.Empty(t, needRestart(before, after))
	after.Queue, after.Delivery.Workers, after.Sinks[0].URL = "sqlite:a", 2, "http://example.com"
	require.Equal(t, []string{"queue", "delivery", "sinks"}, needRestart(before, after))
}
