package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

const evil = `<p id="hello">Hello <img src="cid:pic@example.com"></p><script>document.title = "taken"; fetch("/api/requests", {method: "DELETE"})</script>` +
	`<img src="https://tracker.example.net/pixel.gif"><form action="https://evil.example.net"><input></form>`

// bench is a Listener under test, with the ESPs' side of it.
type bench struct {
	*web.Listener
	url         string
	credentials map[string]simulator.Credential // of the ESPs that have keys
}

// start starts a Listener with all ESPs. Mailgun and SendGrid have keys; requests of
// the others are accepted as they are.
func start(t testing.TB, change ...func(*web.Options)) *bench {
	t.Helper()
	b := &bench{credentials: map[string]simulator.Credential{}}
	options := web.Options{Keep: 100, Version: "v1.2.3", Settings: map[string]map[string][]string{}}
	for esp, setting := range map[string]string{"mailgun": "signing_keys", "sendgrid": "tracking_signing_keys"} {
		b.credentials[esp] = allsim.Find(esp).NewCredential()
		options.Settings[esp] = map[string][]string{setting: {b.credentials[esp].Config}}
	}
	for _, spec := range all.Specs() {
		options.ESPs = append(options.ESPs, web.ESP{Spec: spec, Simulator: allsim.Find(spec.Name), Package: "github.com/goanymail/anymail/esp/" + spec.Name})
	}
	for _, f := range change {
		f(&options)
	}
	l, err := web.New(options)
	require.NoError(t, err)
	served := serve(t, l)
	b.Listener, b.url = l, served.url
	return b
}

// serve serves a Listener until the end of the test.
func serve(t testing.TB, l *web.Listener) *bench {
	server := httptest.NewServer(l)
	t.Cleanup(func() {
		server.CloseClientConnections() // streams do not end
		server.Close()
		require.NoError(t, l.Close())
	})
	return &bench{Listener: l, url: server.URL}
}

// post posts a sample of an ESP, signed and then changed, and returns the status.
func (b *bench) post(t testing.TB, esp, name string, change func(*simulator.Request)) int {
	t.Helper()
	sim := allsim.Find(esp)
	sample, ok := sim.Sample(name)
	require.True(t, ok, name)
	r := sample.Make(simulator.NewParams())
	var err error
	r.URL, err = simulator.EndpointURL(b.url+web.Mount, esp, r.Endpoint)
	require.NoError(t, err)
	if credential, ok := b.credentials[esp]; ok {
		require.NoError(t, sim.SignNow(&r, credential))
	}
	if change != nil {
		change(&r)
	}
	req, err := r.HTTP()
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// startPage is start for tests that need no more than this.
func startPage(t *testing.T) (url string, post func(esp, sample string, change func(*simulator.Request)) int) {
	t.Helper()
	b := start(t)
	return b.url, func(esp, sample string, change func(*simulator.Request)) int {
		t.Helper()
		return b.post(t, esp, sample, change)
	}
}

func withHTML(t *testing.T) func(*simulator.Request) {
	return func(r *simulator.Request) {
		var body map[string]any
		require.NoError(t, json.Unmarshal(r.Body, &body))
		body["HtmlBody"] = evil
		r.Body, _ = json.Marshal(body)
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(b)
}

// getJSON gets the answer of the API at a path.
func (b *bench) getJSON(t testing.TB, path string, v any) {
	t.Helper()
	resp, err := http.Get(b.url + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, body)
	require.NoError(t, json.Unmarshal(body, v), "%s: %s", path, body)
}

// send sends JSON to the API as the page does, decodes the answer, and returns the
// status.
func (b *bench) send(t testing.TB, method, path string, body, answer any) int {
	t.Helper()
	content, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequest(method, b.url+path, bytes.NewReader(content))
	require.NoError(t, err)
	req.Header.Set("X-Anymail", "1")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if answer != nil {
		require.NoError(t, json.Unmarshal(text, answer), "%d: %s", resp.StatusCode, text)
	}
	return resp.StatusCode
}
