package oneclick_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/mailtoken"
	"github.com/goanymail/anymail/oneclick"
	"github.com/goanymail/anymail/simulator"
	"github.com/goanymail/anymail/suppress"
)

const key = "correct-horse-battery"

// endpoint is a Dispatcher that has the adapter.
type endpoint struct {
	*anymail.Dispatcher
	anymailtest.Recorder
	tokens *mailtoken.Tokens
	now    time.Time
}

func newEndpoint(t testing.TB, options ...anymail.Option) *endpoint {
	t.Helper()
	e := &endpoint{now: time.Date(2026, 2, 5, 10, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return e.now }
	var err error
	e.tokens, err = mailtoken.New(mailtoken.Config{Keys: anymail.Keys(key), Now: clock})
	require.NoError(t, err)
	adapter, err := oneclick.New(oneclick.Config{Tokens: e.tokens})
	require.NoError(t, err)
	e.Dispatcher, err = anymail.New(append(options, anymail.WithClock(clock), anymail.WithLogger(slog.New(slog.DiscardHandler)))...)
	require.NoError(t, err)
	require.NoError(t, e.Register("oneclick", adapter, anymail.WithoutSharedSecret()))
	require.NoError(t, e.Connect(&e.Signals, "recorder"))
	return e
}

// url returns the URL that a message for m has in List-Unsubscribe.
func (e *endpoint) url(t testing.TB, m mailtoken.Message) string {
	t.Helper()
	hs, err := e.tokens.ListUnsubscribe(t.Context(), m, "https://example.com/oneclick/", "")
	require.NoError(t, err)
	return strings.Trim(hs.Get("List-Unsubscribe"), "<>")
}

func (e *endpoint) serve(t testing.TB, method, url, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func (e *endpoint) click(t testing.TB, url string) *httptest.ResponseRecorder {
	t.Helper()
	return e.serve(t, http.MethodPost, url, "application/x-www-form-urlencoded", mailtoken.OneClick)
}

var news = mailtoken.Message{ID: "news", Recipient: "ada@example.net"}

func TestOneClick(t *testing.T) {
	e := newEndpoint(t, anymail.WithSharedSecret("esp:a-Long-Enough-Password"))
	w := e.click(t, e.url(t, news))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "You are unsubscribed.\n", w.Body.String())
	events := e.Take()
	require.Len(t, events, 1)
	anymailtest.Equal(t, &anymail.TrackingEvent{
		Common: anymail.Common{
			ESP: "oneclick", Account: "oneclick", Type: anymail.EventUnsubscribed, Timestamp: e.now, Raw: anymail.Raw("List-Unsubscribe=One-Click"),
		},
		MessageID: "news", Recipient: "ada@example.net", RejectReason: anymail.RejectUnsubscribed, Verified: anymail.VerifiedToken,
	}, events[0])
	anymailtest.RoundTrip(t, events[0])

	multipart := simulator.Multipart("", simulator.Field{Name: "List-Unsubscribe", Value: "One-Click"})
	w = e.serve(t, http.MethodPost, e.url(t, mailtoken.Message{ID: "news", Recipient: "bob@example.net"}), multipart.Header.Get("Content-Type"), string(multipart.Body))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "bob@example.net", e.Take()[0].(*anymail.TrackingEvent).Recipient)
}

// A mail program that posts again gets the same answer and changes nothing, until the
// recipient may have subscribed again.
func TestRepeated(t *testing.T) {
	e := newEndpoint(t)
	first := e.click(t, e.url(t, news))
	require.Len(t, e.Take(), 1)
	again := e.click(t, e.url(t, news))
	require.Equal(t, first.Code, again.Code)
	require.Equal(t, first.Body, again.Body)
	require.Empty(t, e.Take())
	e.now = e.now.Add(time.Hour)
	require.Equal(t, http.StatusOK, e.click(t, e.url(t, news)).Code)
	require.Len(t, e.Take(), 1)
}

// What only looks at the URL unsubscribes nobody.
func TestGet(t *testing.T) {
	e := newEndpoint(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, url := range []string{e.url(t, news), "https://example.com/oneclick/?t=%3Cscript%3E", "https://example.com/oneclick/"} {
			w := e.serve(t, method, url, "", "")
			require.Equal(t, http.StatusOK, w.Code)
			require.Contains(t, w.Body.String(), `<form method="post">`, "the same page, whatever the token")
			require.NotContains(t, w.Body.String(), "script")
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
		}
	}
	require.Equal(t, http.StatusMethodNotAllowed, e.serve(t, http.MethodPut, e.url(t, news), "", "").Code)
	require.Empty(t, e.Take())
}

// All wrong tokens get one answer.
func TestWrongTokens(t *testing.T) {
	e := newEndpoint(t)
	other, err := mailtoken.New(mailtoken.Config{Keys: anymail.Keys("another-correct-horse")})
	require.NoError(t, err)
	foreign, err := other.Unsubscribe(t.Context(), news)
	require.NoError(t, err)
	expired, err := e.tokens.Unsubscribe(t.Context(), mailtoken.Message{ID: "news", Recipient: "ada@example.net", Expires: e.now.AddDate(0, 0, -1)})
	require.NoError(t, err)
	id, err := e.tokens.MessageID(t.Context(), news, "example.com")
	require.NoError(t, err)
	var answers []*httptest.ResponseRecorder
	for _, token := range []string{"", "x", foreign, expired, strings.TrimSuffix(id, "@example.com"), e.url(t, news)} {
		answers = append(answers, e.click(t, "https://example.com/oneclick/?t="+token))
	}
	for _, w := range answers {
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Equal(t, answers[0].Body, w.Body)
		require.Equal(t, answers[0].Header(), w.Header())
	}
	require.Empty(t, e.Take())
}

func TestWrongRequests(t *testing.T) {
	e := newEndpoint(t)
	for _, tt := range []struct {
		contentType, body string
		status            int
	}{
		{"application/x-www-form-urlencoded", "", http.StatusBadRequest},
		{"application/x-www-form-urlencoded", "List-Unsubscribe=No", http.StatusBadRequest},
		{"application/json", `{"List-Unsubscribe":"One-Click"}`, http.StatusUnsupportedMediaType},
		{"", "List-Unsubscribe=One-Click", http.StatusUnsupportedMediaType},
		{"application/x-www-form-urlencoded", strings.Repeat("a", 17<<10), http.StatusRequestEntityTooLarge},
	} {
		require.Equal(t, tt.status, e.serve(t, http.MethodPost, e.url(t, news), tt.contentType, tt.body).Code, tt)
	}
	require.Empty(t, e.Take())
}

// Guesses are limited like wrong signatures.
func TestRateLimit(t *testing.T) {
	e := newEndpoint(t, anymail.WithRateLimit(anymail.RateLimit{Failures: anymail.Rate{PerSecond: 0.001, Burst: 3}}))
	for range 3 {
		require.Equal(t, http.StatusBadRequest, e.click(t, "https://example.com/oneclick/?t=x").Code)
	}
	require.Equal(t, http.StatusTooManyRequests, e.click(t, e.url(t, news)).Code)
}

// An answer of 200 means that the unsubscription is noted: a store that fails makes the
// mail program post again.
func TestSuppression(t *testing.T) {
	e := newEndpoint(t)
	list, err := suppress.New(new(suppress.MemoryStore))
	require.NoError(t, err)
	fails := true
	require.NoError(t, e.Tracking.Connect("suppress", list.Receive, list.Wants))
	require.NoError(t, e.Tracking.Connect("broken", func(context.Context, *anymail.TrackingEvent) error {
		if fails {
			return errors.New("the database is away")
		}
		return nil
	}))
	require.Equal(t, http.StatusInternalServerError, e.click(t, e.url(t, news)).Code)
	fails = false
	require.Equal(t, http.StatusOK, e.click(t, e.url(t, news)).Code)
	allowed, err := list.Allowed(t.Context(), "Ada@example.net")
	require.NoError(t, err)
	require.False(t, allowed)
}

func TestConfig(t *testing.T) {
	e := newEndpoint(t)
	for _, config := range []oneclick.Config{{}, {Tokens: e.tokens, Page: []byte("<p>Hi")}, {Tokens: e.tokens, Page: []byte("List-Unsubscribe")}} {
		_, err := oneclick.New(config)
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
	_, err := oneclick.New(oneclick.Config{Tokens: e.tokens, Page: []byte(`<form method=post><button name=List-Unsubscribe value=One-Click>Abmelden</button></form>`)})
	require.NoError(t, err)
}

func FuzzRequest(f *testing.F) {
	e := newEndpoint(f)
	good := e.url(f, news)
	_, query, _ := strings.Cut(good, "?")
	f.Add(query, "application/x-www-form-urlencoded", mailtoken.OneClick)
	f.Add("t=x", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=List-Unsubscribe\r\n\r\nOne-Click\r\n--b--\r\n")
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/oneclick/", strings.NewReader(body))
		r.URL.RawQuery, r.RequestURI = query, ""
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		for _, ev := range e.Take() {
			require.Equal(t, "ada@example.net", ev.(*anymail.TrackingEvent).Recipient)
		}
	})
}
