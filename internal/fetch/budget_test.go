package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/fetch"
	"github.com/goanymail/anymail/wire"
)

func TestBudget(t *testing.T) {
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, strings.TrimPrefix(r.URL.Path, "/"))
	})
	const base = "https://api.example.com/"
	b := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}.Budget(anymail.Limits{Fetch: 10})
	get := func(path string) (string, error) {
		content, err := b.Get(t.Context(), base+path, nil)
		return string(content), err
	}
	require.True(t, b.Fits(10))
	require.False(t, b.Fits(11))

	content, err := get("123456")
	require.NoError(t, err)
	require.Equal(t, "123456", content)
	_, err = get("gone")
	require.ErrorIs(t, err, fetch.ErrGone)
	require.True(t, b.Fits(4), "content that is gone costs nothing")
	require.False(t, b.Fits(5))

	_, err = get("12345")
	require.ErrorIs(t, err, anymail.ErrTooLarge)
	_, err = get("1")
	require.ErrorIs(t, err, anymail.ErrTooLarge, "the budget is used up")
}

func TestKey(t *testing.T) {
	key, err := fetch.Key(t.Context(), anymail.Keys("newer", "older"))
	require.NoError(t, err)
	require.Equal(t, "newer", key)
	for _, source := range []anymail.KeySource{nil, anymail.Keys(), anymail.Keys(""), new(anymail.KeyRing)} {
		_, err = fetch.Key(t.Context(), source)
		require.ErrorIs(t, err, anymail.ErrConfig)
	}
	_, err = fetch.Key(t.Context(), anymail.KeyFunc(func(context.Context) ([]string, error) { return nil, errors.New("vault is sealed") }))
	require.ErrorIs(t, err, anymail.ErrUnavailable)
}

func TestJSON(t *testing.T) {
	client := esp(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			_, _ = io.WriteString(w, `{"subject":"Hi"}`)
		case "/page":
			_, _ = io.WriteString(w, `<html>`)
		default:
			http.NotFound(w, r)
		}
	})
	b := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}.Budget(anymail.Limits{})
	var v struct {
		Subject string `json:"subject"`
	}
	require.NoError(t, b.JSON(t.Context(), "https://api.example.com/good", nil, &v))
	require.Equal(t, "Hi", v.Subject)
	require.ErrorIs(t, b.JSON(t.Context(), "https://api.example.com/page", nil, &v), anymail.ErrUnavailable)
	err := b.JSON(t.Context(), "https://api.example.com/none", nil, &v)
	require.ErrorIs(t, err, fetch.ErrGone)
	require.True(t, fetch.Final(err))
}

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
	got, err := getter.Budget(limits).Attachments(t.Context(), list, limits)
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
	_, err = getter.Budget(limits).Attachments(t.Context(), list, limits)
	require.ErrorIs(t, err, anymail.ErrUnavailable)
	require.False(t, fetch.Final(err))
}
