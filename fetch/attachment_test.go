package fetch_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
	"github.com/goanymail/anymail/wire"
)

// An attachment whose content is gone has no content. A failure that a retry may
// fix is an error.
func TestAttachments(t *testing.T) {
	down := false
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/note" && r.Header.Get("Api-Key") == "key":
			_, _ = io.WriteString(w, "a note")
		case r.URL.Path == "/liar":
			_, _ = io.WriteString(w, strings.Repeat("x", 1000))
		default:
			http.NotFound(w, r)
		}
	})
	const base = "https://api.example.com/"
	size := func(n float64) wire.Number { return wire.Number{Value: n, Valid: true} }
	list := []fetch.Attachment{
		{Filename: "../note.txt", ContentType: "text/plain", URL: base + "note", Header: http.Header{"Api-Key": {"key"}}, Size: size(6)},
		{Filename: "gone", URL: base + "gone", Size: size(3)},
		{Filename: "nowhere", Size: size(-3)},
		{Filename: "large", URL: base + "note", Size: size(5000)},
		{Filename: "liar", URL: base + "liar", Size: size(1)},
		{Filename: "one too many", URL: base + "note"},
	}
	getter := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}
	limits := anymail.Limits{Fetch: 100, MIMEParts: 5}
	got, err := getter.Budget(&anymail.Payload{Limits: limits}).Attachments(t.Context(), list, limits)
	require.NoError(t, err)
	want := []anymail.Attachment{
		{Filename: "note.txt", ContentType: "text/plain", Size: 6, Content: []byte("a note")},
		{Filename: "gone", Size: 3}, {Filename: "nowhere"}, {Filename: "large", Size: 5000}, {Filename: "liar", Size: 1},
	}
	ignore := cmpopts.IgnoreFields(anymail.Attachment{}, "ContentType", "Disposition")
	if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	down = true
	_, err = getter.Budget(&anymail.Payload{Limits: limits}).Attachments(t.Context(), list, limits)
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.False(t, fetch.Final(err))
}
