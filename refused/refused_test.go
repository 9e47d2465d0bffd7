package refused_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/mailgun"
	"github.com/goanymail/anymail/esp/postmark"
	"github.com/goanymail/anymail/refused"
)

const secret = "anymail:correct-horse-battery"

var (
	quiet = slog.New(slog.DiscardHandler)
	at    = time.Date(2026, 9, 21, 14, 13, 20, 5, time.UTC)
)

// serve serves Mailgun and Postmark and keeps what it refuses in a new directory.
func serve(t *testing.T, options refused.Options, more ...anymail.Option) (u, path string, dir *refused.Dir) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "new", "refused")
	if options.Logger == nil {
		options.Logger = quiet
	}
	dir, err := refused.Open(path, options)
	require.NoError(t, err)
	t.Cleanup(func() { closeDir(t, dir) })
	d, err := anymail.New(append([]anymail.Option{
		anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithClock(func() time.Time { return at }), dir.Option(),
	}, more...)...)
	require.NoError(t, err)
	signed, err := mailgun.New(mailgun.Config{SigningKeys: anymail.Keys("a-key-of-mailgun")})
	require.NoError(t, err)
	require.NoError(t, d.Register("mailgun", signed))
	unsigned, err := postmark.New(postmark.Config{HeaderName: "X-Ours", HeaderValues: anymail.Keys("value-of-our-header")})
	require.NoError(t, err)
	require.NoError(t, d.Register("second", unsigned))
	server := httptest.NewServer(http.StripPrefix("/hooks", d))
	t.Cleanup(server.Close)
	return server.URL + "/hooks", path, dir
}

func closeDir(t *testing.T, dir *refused.Dir) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := dir.Close(ctx); !errors.Is(err, os.ErrClosed) {
		require.NoError(t, err)
	}
}

// post sends a request with the shared secret and returns the status. Headers are
// pairs of name and value.
func post(t *testing.T, u, body string, headers ...string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, u, strings.NewReader(body))
	require.NoError(t, err)
	user, password, _ := strings.Cut(secret, ":")
	r.SetBasicAuth(user, password)
	r.Header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
		if pair[1] == "" {
			r.Header.Del(pair[0])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// files returns the files in a directory, by name and so by time.
func files(t *testing.T, path string) (names []string, contents [][]byte) {
	t.Helper()
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(path, e.Name()))
		require.NoError(t, err)
		names, contents = append(names, e.Name()), append(contents, b)
	}
	return names, contents
}

const mailgunBody = `{"signature": {"timestamp": "1790000000", "token": "t", "signature": "00"}, "event-data": {}}`

func TestFiles(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(mailgunBody))
	require.NoError(t, err)
	require.NoError(t, w.Close())

	mailgunPath, postmarkPath := "/mailgun/tracking/?token=hidden-in-the-query", "/second/tracking/"
	tests := map[string]struct {
		path, body string
		headers    []string
		name       string // after the time
		refusal    refused.Refusal
		kept       string // the body in the file
	}{
		"wrong signature": {
			path: mailgunPath, body: mailgunBody,
			headers: []string{"Cookie", "session=a-cookie", "Proxy-Authorization", "Basic of-a-proxy", "X-Custom-Token", "a-token", "X-Forwarded-For", "192.0.2.9"},
			name:    "mailgun-tracking-signature-mismatch.http",
			refusal: refused.Refusal{
				ESP: "mailgun", Name: "mailgun", Endpoint: "tracking", Status: 400, Reason: "signature mismatch", Error: "not authenticated: signature mismatch",
				IgnoredHeaders: []string{"X-Forwarded-For"}, Removed: []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Custom-Token"}, Body: refused.BodyKept,
			},
			kept: mailgunBody,
		},
		"compressed": {
			path: mailgunPath, body: zipped.String(), headers: []string{"Content-Encoding", "gzip"},
			name: "mailgun-tracking-signature-mismatch.http",
			refusal: refused.Refusal{
				ESP: "mailgun", Name: "mailgun", Endpoint: "tracking", Status: 400, Reason: "signature mismatch", Error: "not authenticated: signature mismatch",
				Removed: []string{"Authorization"}, Body: refused.BodyKept,
			},
			kept: mailgunBody,
		},
		"no shared secret": {
			path: postmarkPath, body: `{"never": "read"}`, headers: []string{"Authorization", ""},
			name: "postmark-tracking-no-shared-secret.http",
			refusal: refused.Refusal{
				ESP: "postmark", Name: "second", Endpoint: "tracking", Status: 400, Reason: "no shared secret", Error: "not authenticated: no shared secret",
				Body: refused.BodyNotRead,
			},
		},
		"wrong value of a header that the user has named": {
			path: postmarkPath, body: `{}`, headers: []string{"X-Ours", "an-older-value-of-our-header"},
			name: "postmark-tracking-signature-mismatch.http",
			refusal: refused.Refusal{
				ESP: "postmark", Name: "second", Endpoint: "tracking", Status: 400, Reason: "signature mismatch", Error: "not authenticated: signature mismatch",
				Removed: []string{"Authorization", "X-Ours"}, Body: refused.BodyKept,
			},
			kept: `{}`,
		},
		"authentic, but not JSON": {
			path: postmarkPath, body: "{\xff\x00", headers: []string{"X-Ours", "value-of-our-header"},
			name:    "postmark-tracking-json-syntax.http",
			refusal: refused.Refusal{ESP: "postmark", Name: "second", Endpoint: "tracking", Status: 400, Reason: "JSON syntax", Removed: []string{"Authorization", "X-Ours"}, Body: refused.BodyKept},
			kept:    "{\xff\x00",
		},
		"a larger body than is kept": {
			path: mailgunPath, body: mailgunBody + strings.Repeat(" ", 1<<10),
			name: "mailgun-tracking-signature-mismatch.http",
			refusal: refused.Refusal{
				ESP: "mailgun", Name: "mailgun", Endpoint: "tracking", Status: 400, Reason: "signature mismatch", Error: "not authenticated: signature mismatch",
				Removed: []string{"Authorization"}, Body: refused.BodyTooLarge,
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u, path, dir := serve(t, refused.Options{BodyBytes: 1 << 10})
			require.Equal(t, tt.refusal.Status, post(t, u+tt.path, tt.body, tt.headers...))
			closeDir(t, dir)

			names, contents := files(t, path)
			require.Equal(t, []string{"20260921T141320.000000005Z-" + tt.name}, names)
			got, request, ok := refused.Parse(contents[0])
			require.True(t, ok)
			require.True(t, got.Remote.IsLoopback(), got.Remote)
			got.Remote = tt.refusal.Remote
			if tt.refusal.Error == "" { // the text is another package's
				require.Contains(t, got.Error, "malformed")
				got.Error = ""
			}
			tt.refusal.At = at
			require.Empty(t, cmp.Diff(tt.refusal, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })))

			head, body, ok := bytes.Cut(request, []byte("\r\n\r\n"))
			require.True(t, ok)
			require.Equal(t, tt.kept, string(body))
			target, _, _ := strings.Cut(tt.path, "?")
			require.Contains(t, string(head), "POST "+u+target+" HTTP/1.1\r\n")
			require.Contains(t, string(head)+"\r\n", "Content-Type: application/json\r\n")
			for _, hidden := range []string{"hidden-in-the-query", "a-cookie", "of-a-proxy", "a-token", "of-our-header", "Basic", "correct-horse"} {
				require.NotContains(t, string(contents[0]), hidden)
			}
		})
	}
}

// The assumed URL loses what a secret could be in.
func TestURL(t *testing.T) {
	u, path, dir := serve(t, refused.Options{}, anymail.WithPublicURL("https://name:password-in-the-url@example.com/hooks"))
	require.Equal(t, http.StatusBadRequest, post(t, u+"/mailgun/tracking/", mailgunBody))
	closeDir(t, dir)
	_, contents := files(t, path)
	require.Len(t, contents, 1)
	require.Contains(t, string(contents[0]), "\nPOST https://example.com/hooks/mailgun/tracking/ HTTP/1.1\r\n")
	require.NotContains(t, string(contents[0]), "password-in-the-url")
}

// What a look at the request does not explain is not kept.
func TestNotKept(t *testing.T) {
	u, path, dir := serve(t, refused.Options{}, anymail.WithRateLimit(anymail.RateLimit{PerEndpoint: anymail.Rate{PerSecond: 0.001, Burst: 1}}))
	resp, err := http.Get(u + "/mailgun/tracking/")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
	require.Equal(t, http.StatusBadRequest, post(t, u+"/mailgun/tracking/", mailgunBody))
	require.Equal(t, http.StatusTooManyRequests, post(t, u+"/mailgun/tracking/", mailgunBody))
	require.Equal(t, http.StatusNotFound, post(t, u+"/mailgun/other/", mailgunBody))
	closeDir(t, dir)
	names, _ := files(t, path)
	require.Len(t, names, 1)
}

// The oldest files make room, by number and by size, and other files stay.
func TestBounds(t *testing.T) {
	for name, options := range map[string]refused.Options{
		"number": {Files: 3},
		"size":   {Bytes: 3500}, // of about 1.1 KB each, the line and the headers included
	} {
		t.Run(name, func(t *testing.T) {
			u, path, dir := serve(t, options)
			require.NoError(t, os.WriteFile(filepath.Join(path, "0-notes.txt"), make([]byte, 1<<20), 0o600))
			for i := range 20 {
				body := mailgunBody + strings.Repeat(" ", 500) + string(rune('a'+i))
				require.Equal(t, http.StatusBadRequest, post(t, u+"/mailgun/tracking/", body))
				require.Eventually(t, func() bool { // else there may be more than can wait
					list, err := os.ReadDir(path)
					if err != nil || len(list) == 0 {
						return false
					}
					last, err := os.ReadFile(filepath.Join(path, list[len(list)-1].Name()))
					return err == nil && bytes.HasSuffix(last, []byte(body))
				}, time.Minute, time.Millisecond)
			}
			closeDir(t, dir)
			names, contents := files(t, path)
			require.Equal(t, "0-notes.txt", names[0])
			var last []byte
			for _, c := range contents[1:] {
				last = append(last, c[len(c)-1])
			}
			require.Equal(t, "rst", string(last))
		})
	}
}

// Requests at the same nanosecond, from several servers, lose no file.
func TestConcurrent(t *testing.T) {
	u, path, dir := serve(t, refused.Options{Files: 1000})
	second, err := refused.Open(path, refused.Options{Files: 1000, Logger: quiet})
	require.NoError(t, err)
	d, err := anymail.New(anymail.WithSharedSecret(secret), anymail.WithLogger(quiet), anymail.WithClock(func() time.Time { return at }), second.Option())
	require.NoError(t, err)
	adapter, err := mailgun.New(mailgun.Config{SigningKeys: anymail.Keys("a-key-of-mailgun")})
	require.NoError(t, err)
	require.NoError(t, d.Register("mailgun", adapter))
	other := httptest.NewServer(d)
	t.Cleanup(other.Close)

	const each = 25 // fewer than may wait
	var wg sync.WaitGroup
	for range each {
		for _, base := range []string{u, other.URL} {
			wg.Go(func() { post(t, base+"/mailgun/tracking/", mailgunBody) })
		}
	}
	wg.Wait()
	closeDir(t, dir)
	closeDir(t, second)
	names, contents := files(t, path)
	require.Len(t, names, 2*each)
	for _, c := range contents {
		_, request, ok := refused.Parse(c)
		require.True(t, ok)
		require.True(t, bytes.HasSuffix(request, []byte(mailgunBody)))
	}
}

// A directory that fails, or is closed, changes nothing for requests.
func TestFailures(t *testing.T) {
	var log bytes.Buffer
	u, path, dir := serve(t, refused.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, os.RemoveAll(path))
	for range 3 {
		require.Equal(t, http.StatusBadRequest, post(t, u+"/mailgun/tracking/", mailgunBody))
	}
	closeDir(t, dir)
	require.Equal(t, 1, strings.Count(log.String(), "refused requests cannot be kept"), log.String())
	require.Equal(t, http.StatusBadRequest, post(t, u+"/mailgun/tracking/", mailgunBody))
	closeDir(t, dir)
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other permissions")
	}
	u, path, dir := serve(t, refused.Options{})
	post(t, u+"/mailgun/tracking/", mailgunBody)
	closeDir(t, dir)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o700, info.Mode())
	names, _ := files(t, path)
	require.Len(t, names, 1)
	info, err = os.Stat(filepath.Join(path, names[0]))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestOpenRefuses(t *testing.T) {
	open, file := filepath.Join(t.TempDir(), "open"), filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.Mkdir(open, 0o700))
	require.NoError(t, os.Chmod(open, 0o750))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	private := t.TempDir()
	require.NoError(t, os.Chmod(private, 0o700))
	for name, tt := range map[string]struct {
		path    string
		options refused.Options
	}{
		"others can enter": {open, refused.Options{}},
		"not a directory":  {file, refused.Options{}},
		"no path":          {"", refused.Options{}},
		"negative":         {private, refused.Options{Files: -1}},
		"body over bytes":  {private, refused.Options{Bytes: 10, BodyBytes: 11}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "others can enter" && runtime.GOOS == "windows" {
				t.Skip("Windows has other permissions")
			}
			_, err := refused.Open(tt.path, tt.options)
			require.ErrorIs(t, err, anymail.ErrConfig)
		})
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "POST / HTTP/1.1\r\n", refused.Mark, refused.Mark + "{", "x" + refused.Mark + "{}\n"} {
		_, _, ok := refused.Parse([]byte(text))
		require.False(t, ok, text)
	}
}
