package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// withStore is an option for a file, and for a test that fails on a warning.
func withStore(t *testing.T, file string) func(*web.Options) {
	return func(o *web.Options) {
		o.Store = file
		o.Warn = func(err error) { t.Errorf("warning: %v", err) }
	}
}

// open opens a Listener that need not serve.
func open(t *testing.T, file string, keep int) (*web.Listener, error) {
	t.Helper()
	o := web.Options{Keep: keep}
	for _, spec := range all.Specs() {
		o.ESPs = append(o.ESPs, web.ESP{Spec: spec, Simulator: allsim.Find(spec.Name)})
	}
	withStore(t, file)(&o)
	return web.New(o)
}

// What a listener keeps is there after a restart: every field, every event.
func TestStoreOutlivesTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	const secret = "anymail:correct-horse-battery"
	settings := func(o *web.Options) { o.Secrets = []string{secret} }
	authorized := func(r *simulator.Request) { simulator.SetSecret(r, secret) }
	first := start(t, withStore(t, file), settings)
	require.Equal(t, 200, first.post(t, "mailgun", "delivered", authorized))
	require.Equal(t, 200, first.post(t, "postmark", "Inbound", func(r *simulator.Request) { withHTML(t)(r); authorized(r) }))
	require.Equal(t, 400, first.post(t, "mailgun", "opened", nil))
	details := func(b *bench) (list []any) {
		for _, id := range []string{"1", "2", "3"} {
			var d struct {
				Summary map[string]any
				Host    string
				Body    string
				Events  []any
				Report  struct{ Verdict string }
			}
			b.getJSON(t, "/api/requests/"+id, &d)
			list = append(list, d)
		}
		return list
	}
	want := details(first)
	require.NoError(t, first.Close())

	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(content), "Basic ", "credentials are not kept")

	second := start(t, withStore(t, file), settings, func(o *web.Options) {
		o.Settings["mailgun"]["signing_keys"] = []string{first.credentials["mailgun"].Config}
	})
	if diff := cmp.Diff(want, details(second)); diff != "" {
		t.Error(diff)
	}
	resp, attachment := get(t, second.url+"/api/requests/2/events/0/attachments/1")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "a note", attachment)
	var o outcome
	require.Equal(t, 200, second.send(t, "POST", "/api/requests/1/replay", map[string]any{}, &o))
	require.Equal(t, 200, o.Status, "the secret is the listener's own: %s", o.Body)
	var l list
	second.getJSON(t, "/api/requests", &l)
	require.Equal(t, []int64{4, 3, 2, 1}, l.ids(), "ids go on")

	require.Equal(t, 204, second.send(t, "DELETE", "/api/requests", nil, nil))
	info, err = os.Stat(file)
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

// The file is written anew when most of it is of requests that are gone.
func TestStoreIsCompacted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "requests.ndjson")
	b := start(t, withStore(t, file), func(o *web.Options) { o.Keep = 5 })
	large := strings.Repeat("x", 300<<10)
	var largest int64
	for range 60 {
		resp, err := http.Post(b.url+"/anymail/nobody/", "text/plain", strings.NewReader(large))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		info, err := os.Stat(file)
		require.NoError(t, err)
		largest = max(largest, info.Size())
	}
	require.Less(t, largest, int64(10<<20), "twice five requests of 400 KiB in base64, and 4 MiB")
	require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
	require.NoError(t, b.Close())
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	again := start(t, withStore(t, file), func(o *web.Options) { o.Keep = 5 })
	var l list
	again.getJSON(t, "/api/requests", &l)
	require.Equal(t, []int64{61, 60, 59, 58, 57}, l.ids())
}

func TestStoreFiles(t *testing.T) {
	good := func(t *testing.T) []byte {
		file := filepath.Join(t.TempDir(), "good.ndjson")
		b := start(t, withStore(t, file))
		require.Equal(t, 200, b.post(t, "postmark", "Delivery", nil))
		require.Equal(t, 200, b.post(t, "postmark", "HardBounce", nil))
		require.NoError(t, b.Close())
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		return content
	}(t)
	tests := []struct {
		name    string
		content []byte
		kept    []int64
		err     string
		warning string
	}{
		{"empty", nil, nil, "", ""},
		{"two", good, []int64{2, 1}, "", ""},
		{"the last line is incomplete", good[:len(good)-20], []int64{1}, "", ""},
		{"the last line lacks its end", good[:len(good)-1], []int64{1}, "", ""},
		{"twice the same ids", bytes.Repeat(good, 2), []int64{4, 3, 2, 1}, "", ""},
		{"a line in between", bytes.Replace(good, []byte("\n"), []byte("\n{\"x\":1}\n"), 1), []int64{2, 1}, "", "1 lines of"},
		{"another file", []byte("package main\n"), nil, "the first line is not a request that anymail listen has written", ""},
		{"JSON", []byte("{}\n"), nil, "the first line is not", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "requests.ndjson")
			require.NoError(t, os.WriteFile(file, tt.content, 0o644))
			var warnings []string
			l, err := web.New(web.Options{Keep: 10, Store: file, Warn: func(err error) { warnings = append(warnings, err.Error()) }})
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, tt.content, content, "another file is left alone")
				return
			}
			require.NoError(t, err)
			b := serve(t, l)
			require.Contains(t, strings.Join(warnings, "\n"), tt.warning)
			require.Equal(t, tt.warning != "", len(warnings) > 0)
			var got list
			b.getJSON(t, "/api/requests", &got)
			if diff := cmp.Diff(tt.kept, got.ids()); diff != "" {
				t.Error(diff)
			}
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
			// What comes next is on a line of its own.
			resp, err := http.Post(b.url+"/anymail/nobody/", "text/plain", strings.NewReader("hello"))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.NoError(t, l.Close())
			again, err := web.New(web.Options{Keep: 10, Store: file, Warn: func(error) {}})
			require.NoError(t, err)
			serve(t, again).getJSON(t, "/api/requests", &got)
			require.Len(t, got.Requests, len(tt.kept)+1)
		})
	}

	file := filepath.Join(t.TempDir(), "requests.ndjson")
	l, err := open(t, file, 10)
	require.NoError(t, err)
	_, err = open(t, file, 10)
	require.ErrorContains(t, err, "is in use by another process")
	require.NoError(t, l.Close())
	_, err = open(t, t.TempDir(), 10)
	require.Error(t, err, "a directory")
	_, err = open(t, filepath.Join(t.TempDir(), "missing", "x"), 10)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestExportAndImport(t *testing.T) {
	b := start(t)
	b.fill(t)
	resp, exported := get(t, b.url+"/api/export")
	require.Equal(t, "attachment; filename=requests.ndjson", resp.Header.Get("Content-Disposition"))
	require.Equal(t, 5, strings.Count(exported, "\n"))
	_, some := get(t, b.url+"/api/export?answer=refused")
	require.Equal(t, 2, strings.Count(some, "\n"))

	other := start(t)
	post := func(body string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, other.url+"/api/import", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Anymail", "1")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	status, text := post(exported + "{}\n")
	require.Equal(t, 400, status)
	require.Contains(t, text, "line 6: is not a request")
	var l list
	other.getJSON(t, "/api/requests", &l)
	require.Empty(t, l.Requests, "all or nothing")

	status, text = post(exported)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"imported": 5}`, text)
	other.getJSON(t, "/api/requests", &l)
	require.Equal(t, []int64{5, 4, 3, 2, 1}, l.ids())
	for _, r := range l.Requests {
		require.Equal(t, "imported", r.Source)
	}
	status, _ = post(exported)
	require.Equal(t, 200, status)
	other.getJSON(t, "/api/requests?limit=1", &l)
	require.Equal(t, int64(10), l.Requests[0].ID)

	var want, got struct{ Events []json.RawMessage }
	b.getJSON(t, "/api/requests/5", &want)
	other.getJSON(t, "/api/requests/5", &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
