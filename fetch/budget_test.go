package fetch_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/fetch"
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
	b := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}.Budget(&anymail.Payload{Limits: anymail.Limits{Fetch: 10}})
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
	b := fetch.Getter{Client: client, Hosts: []string{"api.example.com"}}.Budget(new(anymail.Payload))
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
