package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/cmd/anymail/internal/web"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// explained is the detail of a request, as far as it explains a refusal.
type explained struct {
	Report *struct {
		ESP, Endpoint, Verdict string
		Checks                 []struct {
			Name, Result, Reason string
			Hints                []string
			Comparisons          []struct {
				Keys []struct{ Computed string }
			}
		}
	}
	RightURL string `json:"right_url"`
	Signed   string `json:"signed_body"`
}

// A middleware that parses the body and writes it again breaks the signature. The
// report says so, and has the body that was signed.
func TestReportOfRewrittenBody(t *testing.T) {
	b := start(t)
	var original string
	require.Equal(t, 400, b.post(t, "sendgrid", "delivered", func(r *simulator.Request) {
		original = string(r.Body)
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, r.Body, "", "    "))
		r.Body = indented.Bytes()
	}))
	var d explained
	b.getJSON(t, "/api/requests/1", &d)
	require.NotNil(t, d.Report)
	require.Equal(t, "sendgrid", d.Report.ESP)
	require.Equal(t, "not authenticated", strings.Replace(d.Report.Verdict, "authentic", "authenticated", 1))
	var hints []string
	for _, check := range d.Report.Checks {
		if check.Name == "signature" {
			require.Equal(t, "failed", check.Result)
			hints = check.Hints
		}
	}
	require.Contains(t, strings.Join(hints, "\n"), "something has parsed the body and written it anew")
	if diff := cmp.Diff(original, d.Signed); diff != "" {
		t.Errorf("the body that was signed: %s", diff)
	}
}

func TestReports(t *testing.T) {
	const secret = "anymail:correct-horse-battery"
	b := start(t, func(o *web.Options) { o.Secrets = []string{secret} })
	with := func(password string) func(*simulator.Request) {
		return func(r *simulator.Request) { simulator.SetSecret(r, "anymail:"+password) }
	}
	tests := []struct {
		name, esp, sample string
		change            func(*simulator.Request)
		status            int
		check, reason     string // "" if there is no report
	}{
		{"no secret", "postmark", "Delivery", nil, 400, "shared secret", "no shared secret"},
		{"wrong secret", "postmark", "Delivery", with("correct-horse-buttery"), 400, "shared secret", "wrong shared secret"},
		{"wrong signature", "mailgun", "delivered", func(r *simulator.Request) {
			edit(`"timestamp":"`, `"timestamp":"1`)(r)
			with("correct-horse-battery")(r)
		}, 400, "signature", "signature mismatch"},
		{"malformed", "postmark", "Delivery", func(r *simulator.Request) {
			r.Body = []byte(`{`)
			with("correct-horse-battery")(r)
		}, 400, "payload", ""},
		{"accepted", "postmark", "Delivery", with("correct-horse-battery"), 200, "", ""},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.status, b.post(t, tt.esp, tt.sample, tt.change))
			for range 2 { // computed, and kept
				resp, text := get(t, b.url+"/api/requests/"+string(rune('1'+i)))
				require.Equal(t, http.StatusOK, resp.StatusCode)
				require.NotContains(t, text, "correct-horse-battery")
				require.NotContains(t, text, b.credentials["mailgun"].Config)
				var d explained
				require.NoError(t, json.Unmarshal([]byte(text), &d))
				if tt.check == "" {
					require.Nil(t, d.Report)
					continue
				}
				require.NotNil(t, d.Report)
				found := false
				for _, check := range d.Report.Checks {
					if check.Name == tt.check {
						found = true
						require.Equal(t, "failed", check.Result)
						require.Contains(t, check.Reason, tt.reason)
					}
					for _, comparison := range check.Comparisons {
						for _, key := range comparison.Keys {
							require.Less(t, len(key.Computed), 40, "a valid signature is not shown")
						}
					}
				}
				require.True(t, found, text)
			}
		})
	}
}

func TestRightURL(t *testing.T) {
	b := start(t)
	tests := []struct{ name, esp, sample, path, want string }{
		{"the mount is missing", "postmark", "Delivery", "/postmark/tracking/", "/anymail/postmark/tracking/"},
		{"another mount", "mailgun", "delivered", "/webhooks/mailgun", "/anymail/mailgun/tracking/"},
		{"the endpoint is missing", "postmark", "Inbound", "/anymail/postmark", "/anymail/postmark/inbound/"},
		{"the endpoint is unknown", "postmark", "HardBounce", "/anymail/postmark/bounces/", "/anymail/postmark/tracking/"},
		{"the ESP is not in the URL", "mailgun", "opened", "/", "/anymail/mailgun/tracking/"},
		{"a query", "sendgrid", "open", "/hooks?shop=7", "/anymail/sendgrid/tracking/?shop=7"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, 404, b.post(t, tt.esp, tt.sample, func(r *simulator.Request) { r.URL = b.url + tt.path }))
			var d explained
			b.getJSON(t, "/api/requests/"+string(rune('1'+i)), &d)
			require.Nil(t, d.Report)
			require.Equal(t, b.url+tt.want, d.RightURL)
		})
	}
	resp, err := http.Post(b.url+"/anymail/nobody/", "text/plain", strings.NewReader("hello"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	var d explained
	b.getJSON(t, "/api/requests/7", &d)
	require.Empty(t, d.RightURL)
}

// Mandrill signs the URL that it calls, which behind a tunnel only its user knows.
func TestPublicURL(t *testing.T) {
	credential := allsim.Find("mandrill").NewCredential()
	mandrill := func(o *web.Options) {
		o.Settings["mandrill"] = map[string][]string{"signing_keys": {credential.Config}}
	}
	public := func(o *web.Options) { o.PublicURL = "https://name.tunnel.example/" }
	signed := func(r *simulator.Request) {
		local := r.URL
		r.URL = "https://name.tunnel.example/anymail/mandrill/"
		require.NoError(t, allsim.Find("mandrill").SignNow(r, credential))
		r.URL = local
	}
	b := start(t, mandrill)
	require.Equal(t, 400, b.post(t, "mandrill", "send", signed))
	var d explained
	b.getJSON(t, "/api/requests/1", &d)
	require.NotNil(t, d.Report)

	b = start(t, mandrill, public)
	require.Equal(t, 200, b.post(t, "mandrill", "send", signed))
	var o outcome
	require.Equal(t, 200, b.send(t, "POST", "/api/requests/1/replay", map[string]any{"sign": true}, &o))
	require.Equal(t, 200, o.Status, o.Body)
	require.Equal(t, 400, b.post(t, "mandrill", "send", nil))
	b.getJSON(t, "/api/requests/3", &d)
	require.NotNil(t, d.Report)
	require.Equal(t, 404, b.post(t, "mandrill", "send", func(r *simulator.Request) { r.URL = b.url + "/mandrill" }))
	b.getJSON(t, "/api/requests/4", &d)
	require.Equal(t, "https://name.tunnel.example/anymail/mandrill/", d.RightURL)
}
