package anymailtest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/esp/postmark/postmarksim"
	"github.com/goanymail/anymail/simulator"
)

// router is a program under test that trusts a webhook, mounted at /anymail.
func router(t *testing.T, w simulator.Webhook, options ...anymail.Option) (http.Handler, *anymailtest.Recorder) {
	t.Helper()
	var trusted []simulator.Credential
	if w.Simulator.NewCredential != nil {
		trusted = append(trusted, w.Credential)
	}
	adapter, err := w.Simulator.NewAdapter(trusted...)
	require.NoError(t, err)
	d, err := anymail.New(append(options, anymail.WithSharedSecret(w.Secret), anymail.WithLogger(slog.New(slog.DiscardHandler)))...)
	require.NoError(t, err)
	require.NoError(t, d.Register(w.Simulator.ESP, adapter))
	recorder := new(anymailtest.Recorder)
	require.NoError(t, recorder.Connect(&d.Signals, "recorder"))
	mux := http.NewServeMux()
	mux.Handle("/anymail/", http.StripPrefix("/anymail", d))
	return mux, recorder
}

// Each event type of each ESP arrives, over TLS, with the shared secret and the
// ESP's signature.
func TestPost(t *testing.T) {
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			w := anymailtest.NewWebhook(sim)
			handler, recorder := router(t, w, anymail.RequireTLS())
			posted := map[anymail.EventType]bool{}
			for _, sample := range sim.Samples {
				if len(sample.Types) == 0 || posted[sample.Types[0]] {
					continue
				}
				typ := sample.Types[0]
				posted[typ] = true
				answer := anymailtest.Post(t, handler, w, typ)
				require.Equal(t, http.StatusOK, answer.Code, "%s: %s", typ, answer.Body)
				require.Equal(t, typ, recorder.Take()[0].Base().Type)
			}
			usual, ok := sim.SampleOf(anymail.EventBounced)
			if !ok { // it reports no bounces
				usual = sim.Samples[0]
			}
			typ := usual.Types[0]

			w.Secret = "webhook:Another-long-password"
			require.NotEqual(t, http.StatusOK, anymailtest.Post(t, handler, w, typ).Code, "another secret")
			w.Secret = anymailtest.SharedSecret
			if sim.NewCredential != nil && sim.Signs(usual.Endpoint) {
				w.Credential = sim.NewCredential()
				require.NotEqual(t, http.StatusOK, anymailtest.Post(t, handler, w, typ).Code, "another key")
			}
			require.Empty(t, recorder.Events())
		})
	}
}

func TestPostOptions(t *testing.T) {
	w := anymailtest.NewWebhook(mailgunsim.New())
	handler, recorder := router(t, w)
	post := func(typ anymail.EventType, options ...anymailtest.Option) anymail.Event {
		answer := anymailtest.Post(t, handler, w, typ, options...)
		require.Equal(t, http.StatusOK, answer.Code, answer.Body)
		return recorder.Take()[0]
	}
	bounced := post(anymail.EventBounced, anymailtest.Recipient("grace@example.net"), anymailtest.MessageID("<m-1@example.org>"),
		anymailtest.Tag("welcome"), anymailtest.Metadata(map[string]string{"user": "7"}), anymailtest.Reason(anymail.RejectBlocked)).(*anymail.TrackingEvent)
	require.Equal(t, "grace@example.net", bounced.Recipient)
	require.Equal(t, "<m-1@example.org>", bounced.MessageID)
	require.Equal(t, []string{"welcome"}, bounced.Tags)
	require.Empty(t, cmp.Diff(anymail.Metadata{"user": "7"}, bounced.Metadata))
	require.Equal(t, anymail.RejectBlocked, bounced.RejectReason)

	file := filepath.Join(t.TempDir(), "own.eml")
	require.NoError(t, os.WriteFile(file, []byte("From: grace@example.net\nSubject: In a file\n\nHello\n"), 0o600))
	for want, option := range map[string]anymailtest.Option{
		"In a file": anymailtest.EML(file),
		"In memory": anymailtest.Message([]byte("From: grace@example.net\nSubject: In memory\n\nHello\n")),
	} {
		require.Equal(t, want, post(anymail.EventInbound, option).(*anymail.InboundEvent).Message.Subject)
	}

	w.Name = "shop"
	require.Equal(t, http.StatusNotFound, anymailtest.Post(t, handler, w, anymail.EventBounced).Code)
}

// failing records that a test failed, and ends it.
type failing struct {
	testing.TB
	failure string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// Post fails the test for what the ESP does not have.
func TestPostFails(t *testing.T) {
	w := anymailtest.NewWebhook(postmarksim.New())
	elsewhere := w
	elsewhere.URL = "://"
	tests := []struct {
		name    string
		webhook simulator.Webhook
		typ     anymail.EventType
		options []anymailtest.Option
		want    string
	}{
		{"type", w, anymail.EventQueued, nil, "Postmark has no sample of queued"},
		{"reason", w, anymail.EventBounced, []anymailtest.Option{anymailtest.Reason(anymail.RejectTimedOut)}, "Postmark has no sample of bounced with these options"},
		{"message", w, anymail.EventBounced, []anymailtest.Option{anymailtest.Message(nil)}, "Postmark has no sample of bounced with these options"},
		{"file", w, anymail.EventInbound, []anymailtest.Option{anymailtest.EML("no-such-file")}, "no-such-file"},
		{"URL", elsewhere, anymail.EventBounced, nil, "base URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &failing{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				anymailtest.Post(f, http.NotFoundHandler(), tt.webhook, tt.typ, tt.options...)
			}()
			<-done
			require.Contains(t, f.failure, tt.want)
		})
	}
}
