package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// outcome is the answer to a replay.
type outcome struct {
	ID           int64
	URL          string
	Status       int
	Body, Error  string
	Milliseconds int64
	Signed       bool
}

// app is a user's program: a Dispatcher below /hooks that trusts the credentials.
type app struct {
	url string

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func startApp(t *testing.T, secret string, adapters map[string]anymail.Adapter) *app {
	t.Helper()
	options := []anymail.Option{anymail.Insecure()}
	if secret != "" {
		options = append(options, anymail.WithSharedSecret(secret))
	}
	d, err := anymail.New(options...)
	require.NoError(t, err)
	for name, adapter := range adapters {
		require.NoError(t, d.Register(name, adapter))
	}
	a := &app{}
	server := httptest.NewServer(http.StripPrefix("/hooks", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.mu.Lock()
		a.requests, a.bodies = append(a.requests, r), append(a.bodies, string(body))
		a.mu.Unlock()
		d.ServeHTTP(w, r)
	})))
	t.Cleanup(server.Close)
	a.url = server.URL + "/hooks"
	return a
}

// adapterFor makes the adapter that trusts a credential of the listener under test.
func (b *bench) adapterFor(t *testing.T, name string) anymail.Adapter {
	t.Helper()
	spec, ok := all.Find(name)
	require.True(t, ok)
	setting := map[string]string{"mailgun": "signing_keys", "sendgrid": "tracking_signing_keys"}[name]
	adapter, err := spec.Adapter(esp.Values{Settings: map[string][]string{setting: {b.credentials[name].Config}}})
	require.NoError(t, err)
	return adapter
}

// A newcomer sees why a webhook is refused, sends it again with the body that was
// signed, and sees it accepted.
func TestRepair(t *testing.T) {
	b := start(t)
	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", func(r *simulator.Request) {
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, r.Body))
		r.Body = bytes.ReplaceAll(compact.Bytes(), []byte(`":`), []byte(`": `))
	}))
	var d explained
	b.getJSON(t, "/api/requests/1", &d)
	require.NotEmpty(t, d.Signed)
	var o outcome
	require.Equal(t, 200, b.send(t, "POST", "/api/requests/1/replay", map[string]any{"body": d.Signed}, &o))
	require.Equal(t, 200, o.Status, o.Error)
	require.Equal(t, int64(2), o.ID)
	var l list
	b.getJSON(t, "/api/requests?limit=1", &l)
	require.Equal(t, "replayed", l.Requests[0].Source)
	require.Equal(t, "delivered", l.Requests[0].Events[0].Type)
}

func TestReplay(t *testing.T) {
	const secret = "anymail:correct-horse-battery"
	b := start(t, func(o *web.Options) { o.Secrets = []string{secret} })
	app := startApp(t, "", map[string]anymail.Adapter{"mailgun": b.adapterFor(t, "mailgun")})
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	authorized := func(change func(*simulator.Request)) func(*simulator.Request) {
		return func(r *simulator.Request) {
			if change != nil {
				change(r)
			}
			simulator.SetSecret(r, secret)
		}
	}
	require.Equal(t, 200, b.post(t, "mailgun", "delivered", authorized(nil)))                                         // 1
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", nil))                                                     // 2: no secret
	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", authorized(edit(`"email":"ada@`, `"email":"grace@`))))   // 3
	require.Equal(t, 404, b.post(t, "mailgun", "delivered", func(r *simulator.Request) { r.URL = b.url + "/hooks" })) // 4
	var shown struct {
		Header map[string][]string
		Body   string
	}
	b.getJSON(t, "/api/requests/1", &shown)
	require.Equal(t, []string{"(hidden)"}, shown.Header["Authorization"])
	shown.Header["X-Extra"] = []string{"more"}

	tests := []struct {
		name   string
		id     int
		ask    map[string]any
		status int // of the answer to the replay; 0 without an answer
		err    string
	}{
		{"as it was", 1, map[string]any{}, 200, ""},
		{"as it was, by its URL", 1, map[string]any{"url": b.url + "/anymail/mailgun/tracking/"}, 200, ""},
		{"the body edited, which Mailgun does not sign", 1, map[string]any{"body": strings.Replace(shown.Body, "ada@", "grace@", 1)}, 200, ""},
		{"the body edited beyond recognition", 1, map[string]any{"body": "{}"}, 400, ""},
		{"a header added, the secret still hidden", 1, map[string]any{"header": shown.Header}, 200, ""},
		{"no header", 1, map[string]any{"header": map[string][]string{}}, 400, ""},
		{"without the secret, as it was", 2, map[string]any{}, 400, ""},
		{"signed anew, with the secret", 2, map[string]any{"sign": true}, 200, ""},
		{"signed anew by an ESP with a private key", 3, map[string]any{"sign": true}, 200, ""},
		{"to the right URL", 4, map[string]any{"url": b.url + "/anymail/mailgun/tracking/"}, 400, ""},
		{"nobody knows who signs this", 4, map[string]any{"sign": true, "url": app.url + "/mailgun/tracking/"}, 0, "it is not known which ESP"},
		{"to the app", 1, map[string]any{"url": app.url + "/mailgun/tracking/"}, 200, ""},
		{"to the app, signed anew", 2, map[string]any{"url": app.url + "/mailgun/tracking/", "sign": true}, 200, ""},
		{"to a wrong path of the app", 1, map[string]any{"url": app.url + "/nobody/"}, 404, ""},
		{"to the app, but there is no private key", 3, map[string]any{"url": app.url + "/sendgrid/tracking/", "sign": true}, 0, "--sign-key sendgrid=@FILE"},
		{"to a server that is not there", 1, map[string]any{"url": closed.URL}, 0, "connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o outcome
			require.Equal(t, 200, b.send(t, "POST", fmt.Sprintf("/api/requests/%d/replay", tt.id), tt.ask, &o))
			require.Equal(t, tt.status, o.Status, "%s%s", o.Error, o.Body)
			if tt.err == "" {
				require.Empty(t, o.Error)
			} else {
				require.Contains(t, o.Error, tt.err)
			}
		})
	}
	for name, ask := range map[string]any{
		"no URL": map[string]any{"url": "localhost:80"}, "another scheme": map[string]any{"url": "file:///etc/passwd"}, "not base64": map[string]any{"body_base64": "?"},
		"unknown": map[string]any{"bodi": "x"}, "not an object": "x",
	} {
		require.Equal(t, 400, b.send(t, "POST", "/api/requests/1/replay", ask, nil), name)
	}
	require.Equal(t, 404, b.send(t, "POST", "/api/requests/999/replay", map[string]any{}, nil))
	var o outcome
	require.Equal(t, 200, b.send(t, "POST", "/api/requests/1/replay", map[string]any{"body_base64": base64.StdEncoding.EncodeToString([]byte(shown.Body))}, &o))
	require.Equal(t, 200, o.Status)

	// What was sent elsewhere stands with the request.
	var d struct{ Forwards []outcome }
	b.getJSON(t, "/api/requests/1", &d)
	require.Len(t, d.Forwards, 3)
	require.Equal(t, app.url+"/mailgun/tracking/", d.Forwards[0].URL)
}

func TestReplayMany(t *testing.T) {
	b := start(t)
	app := startApp(t, "hooks:correct-horse-battery", map[string]anymail.Adapter{"mailgun": b.adapterFor(t, "mailgun")})
	require.Equal(t, 200, b.post(t, "mailgun", "delivered", nil))
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	require.Equal(t, 404, b.post(t, "mailgun", "opened", func(r *simulator.Request) { r.URL = b.url + "/" }))
	statuses := func(ask map[string]any) (list []string) {
		var answer struct{ Results []outcome }
		require.Equal(t, 200, b.send(t, "POST", "/api/replay", ask, &answer))
		for _, r := range answer.Results {
			list = append(list, fmt.Sprint(r.ID, " ", r.Status, " ", r.Error))
		}
		return list
	}
	secret := strings.Replace(app.url, "http://", "http://hooks:correct-horse-battery@", 1)
	for _, tt := range []struct {
		ask  map[string]any
		want []string
	}{
		{map[string]any{"ids": []int{1, 2, 99}}, []string{"1 200 ", "2 200 ", "99 0 the request is no longer kept"}},
		{map[string]any{"ids": []int{2, 1}, "url": secret}, []string{"2 200 ", "1 200 "}},
		{map[string]any{"ids": []int{1}, "url": secret, "sign": true}, []string{"1 200 "}},
		{map[string]any{"ids": []int{1, 3}, "url": app.url}, []string{"1 400 ", "3 0 it was not posted below /anymail"}},
	} {
		if diff := cmp.Diff(tt.want, statuses(tt.ask)); diff != "" {
			t.Errorf("%v: %s", tt.ask, diff)
		}
	}
	require.Equal(t, 400, b.send(t, "POST", "/api/replay", map[string]any{"ids": []int{}}, nil))
	require.Equal(t, 400, b.send(t, "POST", "/api/replay", map[string]any{"ids": make([]int, 1001)}, nil))
	require.Equal(t, 400, b.send(t, "POST", "/api/replay", map[string]any{"ids": []int{1}, "url": "x"}, nil))
}

// The page can sign for every ESP that signs with what verifies, and a request that is
// signed anew is accepted whichever ESP it is of.
func TestSignAnewForEveryESP(t *testing.T) {
	b := start(t, func(o *web.Options) { o.Secrets = []string{"anymail:correct-horse-battery"} })
	for _, sim := range allsim.List() {
		t.Run(sim.ESP, func(t *testing.T) {
			var triggered struct {
				ID     int64
				Status int
			}
			require.Equal(t, 200, b.send(t, "POST", "/api/trigger", map[string]any{"esp": sim.ESP, "sample": sim.Samples[0].Name}, &triggered))
			require.Equal(t, 200, triggered.Status)
			var o outcome
			require.Equal(t, 200, b.send(t, "POST", fmt.Sprintf("/api/requests/%d/replay", triggered.ID), map[string]any{"sign": true}, &o))
			require.Equal(t, 200, o.Status, o.Error)
		})
	}
}

func TestForward(t *testing.T) {
	sendgrid := allsim.Find("sendgrid").NewCredential()
	key, err := sendgrid.Key()
	require.NoError(t, err)
	b := start(t, func(o *web.Options) {
		o.SignKeys = map[string]string{"sendgrid": key}
		o.Settings["sendgrid"]["tracking_signing_keys"] = []string{sendgrid.Config}
	})
	b.credentials["sendgrid"] = sendgrid
	app := startApp(t, "", map[string]anymail.Adapter{"mailgun": b.adapterFor(t, "mailgun"), "sendgrid": b.adapterFor(t, "sendgrid")})
	forwards := func(id, n int) []outcome {
		t.Helper()
		var d struct{ Forwards []outcome }
		require.Eventually(t, func() bool {
			b.getJSON(t, fmt.Sprintf("/api/requests/%d", id), &d)
			return len(d.Forwards) == n
		}, 10*time.Second, 10*time.Millisecond)
		return d.Forwards
	}
	var now struct {
		URL  string
		Sign bool
	}
	b.getJSON(t, "/api/forward", &now)
	require.Empty(t, now.URL)
	withUser := strings.Replace(app.url, "http://", "http://user:password@", 1)
	require.Equal(t, 200, b.send(t, "PUT", "/api/forward", map[string]any{"url": withUser + "/"}, &now))
	require.Equal(t, app.url+"/", now.URL, "the password is not shown")

	require.Equal(t, 200, b.post(t, "mailgun", "delivered", func(r *simulator.Request) { r.URL += "?shop=7" }))
	got := forwards(1, 1)[0]
	require.Equal(t, app.url+"/mailgun/tracking/?shop=7", got.URL)
	require.Equal(t, 200, got.Status)
	require.False(t, got.Signed)
	app.mu.Lock()
	user, password, _ := app.requests[0].BasicAuth()
	require.Equal(t, "user password", user+" "+password)
	var d struct{ Body string }
	b.getJSON(t, "/api/requests/1", &d)
	require.Equal(t, d.Body, app.bodies[0], "the signed body")
	app.mu.Unlock()

	// A refused request gets there, too. One to a wrong path, or a replay, does not.
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", edit(`"token"`, `"taken"`)))
	require.Equal(t, 400, forwards(2, 1)[0].Status)
	require.Equal(t, 404, b.post(t, "mailgun", "delivered", func(r *simulator.Request) { r.URL = b.url + "/x" }))
	require.Equal(t, 200, b.send(t, "POST", "/api/requests/1/replay", map[string]any{}, nil))
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	forwards(5, 1)
	forwards(3, 0)
	forwards(4, 0)

	require.Equal(t, 200, b.send(t, "PUT", "/api/forward", map[string]any{"url": app.url, "sign": true}, &now))
	require.Equal(t, 400, b.post(t, "mailgun", "delivered", edit(`"signature":"`, `"signature":"0`)))
	got = forwards(6, 1)[0]
	require.Equal(t, 200, got.Status, "signed anew")
	require.True(t, got.Signed)
	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", edit(`"email":"ada@`, `"email":"grace@`)))
	require.Equal(t, 200, forwards(7, 1)[0].Status, "signed with the private key")

	require.Equal(t, 400, b.send(t, "PUT", "/api/forward", map[string]any{"url": "nowhere"}, nil))
	require.Equal(t, 200, b.send(t, "PUT", "/api/forward", map[string]any{"url": ""}, &now))
	require.Equal(t, 200, b.post(t, "mailgun", "opened", nil))
	forwards(8, 0)
}

// An app that does not answer keeps neither the ESP nor the end of the program waiting.
func TestForwardToSlowApp(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(release)
	b := start(t, func(o *web.Options) { o.Keep, o.Forward = 1000, slow.URL })
	begin := time.Now()
	for range 600 {
		b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/anymail/postmark/tracking/", strings.NewReader("{}")))
	}
	require.Less(t, time.Since(begin), 20*time.Second)
	var d struct{ Forwards []outcome }
	b.getJSON(t, "/api/requests/600", &d)
	require.Len(t, d.Forwards, 1)
	require.Contains(t, d.Forwards[0].Error, "too many requests wait")
	begin = time.Now()
	require.NoError(t, b.Close())
	require.Less(t, time.Since(begin), 5*time.Second)
}
