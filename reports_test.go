package anymail_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/esp/relay"
	"github.com/goanymail/anymail/inbound/report"
)

const unsubscription = "From: ada@example.net\nSubject: unsubscribe\nMessage-ID: <u1@example.net>\n\n"

// postMail posts a message to a Dispatcher with these options and returns the answer and
// the events.
func postMail(t *testing.T, d *anymail.Dispatcher, recorder *anymailtest.Recorder, path, raw string) (int, []anymail.Event) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(raw))
	r.Header.Set("Content-Type", "message/rfc822")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code, recorder.Take()
}

func newMailServer(t *testing.T, options ...anymail.Option) (*anymail.Dispatcher, *anymailtest.Recorder) {
	t.Helper()
	d, err := anymail.New(append(options, anymail.Insecure(), anymail.WithLogger(quiet))...)
	require.NoError(t, err)
	adapter, err := relay.New(relay.Config{})
	require.NoError(t, err)
	require.NoError(t, d.Register("relay", adapter))
	require.NoError(t, d.Register("plain", adapter, anymail.WithReports(nil)))
	recorder := new(anymailtest.Recorder)
	require.NoError(t, recorder.Connect(&d.Signals, "recorder"))
	return d, recorder
}

func newReader(t *testing.T, options report.Options) *report.Reader {
	t.Helper()
	reader, err := report.NewReader(options)
	require.NoError(t, err)
	return reader
}

func TestReports(t *testing.T) {
	d, recorder := newMailServer(t, anymail.WithReports(newReader(t, report.Options{Unverified: true})))
	status, events := postMail(t, d, recorder, "/relay/inbound/", unsubscription)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, events, 2)
	kinds := map[anymail.Kind]anymail.Event{}
	for _, ev := range events {
		require.Equal(t, "relay", ev.Base().ESP)
		require.Equal(t, "relay", ev.Base().Account)
		kinds[ev.Kind()] = ev
	}
	ev := kinds[anymail.KindTracking].(*anymail.TrackingEvent)
	require.Equal(t, anymail.EventUnsubscribed, ev.Type)
	require.Equal(t, "ada@example.net", ev.Recipient)
	require.Equal(t, anymail.VerifiedNone, ev.Verified)
	require.NotEqual(t, kinds[anymail.KindInbound].Base().Key, ev.Key)

	status, events = postMail(t, d, recorder, "/relay/inbound/", unsubscription)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, events, "it is redelivered")

	_, events = postMail(t, d, recorder, "/plain/inbound/", strings.Replace(unsubscription, "u1", "u2", 1))
	require.Len(t, events, 1, "the reader is turned off")
}

func TestReportsVerified(t *testing.T) {
	d, recorder := newMailServer(t, anymail.WithReports(newReader(t, report.Options{})))
	_, events := postMail(t, d, recorder, "/relay/inbound/", unsubscription)
	require.Len(t, events, 1)
	require.Equal(t, anymail.KindInbound, events[0].Kind())
}

func TestReportsReplace(t *testing.T) {
	d, recorder := newMailServer(t, anymail.WithReports(newReader(t, report.Options{Unverified: true, Replace: true})))
	_, events := postMail(t, d, recorder, "/relay/inbound/", unsubscription)
	require.Len(t, events, 1)
	require.Equal(t, anymail.EventUnsubscribed, events[0].Base().Type)
}

// One report is another event in another account.
func TestReportsAccountKeys(t *testing.T) {
	reader := newReader(t, report.Options{Unverified: true, Replace: true})
	d, recorder := newMailServer(t, anymail.WithReports(reader), anymail.WithAccountKeys())
	adapter, err := relay.New(relay.Config{})
	require.NoError(t, err)
	require.NoError(t, d.Register("other", adapter))
	_, first := postMail(t, d, recorder, "/relay/inbound/", unsubscription)
	_, second := postMail(t, d, recorder, "/other/inbound/", unsubscription)
	require.NotEqual(t, first[0].Base().Key, second[0].Base().Key)
}

type brokenReader struct{ err error }

func (r brokenReader) ReadReport(context.Context, *anymail.InboundEvent) ([]*anymail.TrackingEvent, bool, error) {
	if r.err == nil {
		panic("reader")
	}
	return nil, true, r.err
}

// What a reader cannot tell now, the mail server sends again.
func TestReportsFail(t *testing.T) {
	for _, tt := range []struct {
		reader brokenReader
		status int
	}{
		{brokenReader{errors.New("vault is sealed")}, http.StatusServiceUnavailable},
		{brokenReader{}, http.StatusInternalServerError},
	} {
		d, recorder := newMailServer(t, anymail.WithReports(tt.reader))
		status, events := postMail(t, d, recorder, "/relay/inbound/", unsubscription)
		require.Equal(t, tt.status, status)
		require.Empty(t, events)
	}
}
